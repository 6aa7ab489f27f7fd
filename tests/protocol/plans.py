"""Checks the execution plans of all SQL statements of the programs. A statement must use an index on every table that grows without
limit.

PostgreSQL may prepare a statement while its table is empty, and keeps the plan. The test therefore checks generic plans, on empty
tables, with the settings of the services' sessions.
"""
import json
import re
import sqlite3
import subprocess

from kit.marks import once
from kit.stack import PROGRAMS, Stack, program

# These tables grow with the bookings.
GROWING = {"booking", "reservation", "event_log", "booking_summary", "timeline_entry"}
# These indexes contain only the few rows of interest, so a statement may read all of one.
PARTIAL = {"booking_requested", "reservation_ended"}
# An operator needs these statements after a restore. They count, list or page through all live rows.
MEANT = ("SELECT count(*) FROM reservation WHERE state = 1", "SELECT booking_id FROM reservation WHERE state = 1 ORDER BY",
         "SELECT {reservation} FROM reservation WHERE state = 1 AND booking_id > ")
STATEMENT = re.compile(rb"(?<=\0)(?:SELECT|INSERT|UPDATE|DELETE|WITH) [\t\n -~]{20,}(?=\0)")
FEWEST = 15  # minimum number of statements of a program on a database
MARKER = re.compile(r"\{(\w+)(?:\.(\w+)| (\w+)(?: (\w+))?)?\}")  # the markers of lib/db/db_table.h


def statements(name):
    with open(program(name + "-svc"), "rb") as file:
        return [text for text in {found.decode() for found in STATEMENT.findall(file.read())} if not text.startswith(MEANT)]


def expand(sql, catalog):
    """Returns the statement as the drivers prepare it, but with all columns of the table in the database, because the plan does not
    depend on the selected columns. `catalog` maps each table to a list of (column, type, whether it is in the key)."""
    apart = re.match(r"INSERT INTO \w+ \(\{\w+\}, ([\w, ]+)\)", sql)  # columns that the statement itself fills
    apart = apart[1].split(", ") if apart else []

    def put(found):
        table, place, word, source = found.groups()
        columns = [column for column in catalog[table] if column[0] not in apart]
        names, keys = [column[0] for column in columns], [column for column in columns if column[2]]
        array = lambda number, column: "$%d::%s[]" % (number, column[1])
        equal = lambda number, column: "%s = %s" % (column[0], "%s.%s" % (source, column[0]) if source else "$%d" % number)
        any_of = lambda number, column: "%s = ANY (%s)" % (column[0], array(number, column))
        if place:
            return "$%d" % (names.index(place) + 1)
        chosen, form = {
            "values": (columns, lambda number, column: "$%d" % number), "arrays": (columns, array),
            "changed": (columns, lambda number, column: column[0]), "changed_arrays": (columns, array),
            "key": (keys, equal), "key_arrays": (keys, array), "any": (keys, any_of),
            "set": ([column for column in columns if not column[2]], equal),
        }.get(word, (columns, lambda number, column: "%s.%s" % (word, column[0]) if word else column[0]))
        return (" AND " if word in ("key", "any") else ", ").join(
            form(number, column) for number, column in enumerate(columns, 1) if column in chosen)

    return MARKER.sub(put, sql)


@once
def test_sqlite_statements_go_by_index(driver):
    with Stack(driver, without=("history",)) as stack:
        for name in ("hospital", "booking"):
            with sqlite3.connect(stack.url(name)[len("sqlite:"):]) as database:
                check_sqlite(database, name)
        stack.execute("booking", "DROP INDEX booking_by_customer")
        with sqlite3.connect(stack.url("booking")[len("sqlite:"):]) as database:
            assert raises(check_sqlite, database, "booking")


def check_sqlite(database, name):
    checked = 0
    catalog = {table: [(column[1], column[2], column[5] > 0) for column in database.execute("PRAGMA table_info(%s)" % table)]
               for table, in database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    for sql in statements(name):
        marked, sql = sql, expand(sql, catalog)
        values = [None] * max([0, *map(int, re.findall(r"\$(\d+)", sql))])
        try:
            plan = [row[3] for row in database.execute("EXPLAIN QUERY PLAN " + sql, values)]
        except sqlite3.Error:
            assert "{" not in marked or re.search(r"unnest\(|ANY \(|ILIKE", sql), sql
            continue  # a statement for PostgreSQL
        checked += 1
        aliases = dict(reversed(pair) for pair in re.findall(r"(?:FROM|JOIN) (\w+) (\w+)", sql))
        for line in plan:
            found = re.match(r"(SCAN|SEARCH) (?:TABLE )?(\w+)", line)
            table = found and aliases.get(found[2], found[2])
            # The statement must search by an equality. The log is read from a position on, by its key.
            fine = table not in GROWING or PARTIAL & set(line.split()) or (
                found[1] == "SEARCH" and ("=?" in line or table == "event_log"))
            assert fine, "%s\n%s" % (sql, plan)
        # A CHECK with a list of three values costs a temporary b-tree for each row that is written.
        if sql.startswith(("INSERT", "UPDATE")):
            steps = [row[1] for row in database.execute("EXPLAIN " + sql, values)]
            assert "OpenEphemeral" not in steps, sql
    assert checked >= FEWEST, "%s: only %d statements found" % (name, checked)


@once
def test_postgresql_statements_go_by_index(driver):
    with Stack("postgresql") as stack:
        for name in PROGRAMS:
            check_postgresql(stack.url(name), name)
        stack.execute("booking", "DROP INDEX booking_by_customer")
        assert raises(check_postgresql, stack.url("booking"), "booking")


def raises(check, *arguments):
    """Returns whether the check reports a missing index."""
    try:
        check(*arguments)
    except AssertionError:
        return True
    return False


def ask(url, name, lines):
    """Runs psql with the settings of lib/db's sessions. psql continues after errors. Returns its output."""
    prelude = "SET search_path = %s; SET enable_seqscan = off; SET jit = off; SET plan_cache_mode = force_generic_plan;" % (
        "history" if name == "history" else "public")
    return subprocess.run(["psql", url, "-X", "-q", "-A", "-t"], input="\n".join([prelude, *lines]), text=True,
                          capture_output=True, check=False).stdout


def read_catalog(url, name):
    """Returns the catalog for `expand`."""
    answer = ask(url, name, ["""
        SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), COALESCE(a.attnum = ANY (i.indkey), false)
        FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary
        WHERE c.relkind IN ('r', 'p') AND c.relnamespace = current_schema()::regnamespace ORDER BY c.relname, a.attnum;"""])
    catalog = {}
    for table, column, kind, key in (line.split("|") for line in answer.splitlines()):
        kind = "int8" if kind in ("smallint", "integer", "bigint") else kind
        catalog.setdefault(table, []).append((column, kind, key == "t"))
    return catalog


def check_postgresql(url, name):
    if name == "history":
        ask(url, name, ["SELECT open_timeline_month(0);"])
    catalog = read_catalog(url, name)
    marked = statements(name)
    texts = [expand(sql, catalog) for sql in marked]
    prepare = ["PREPARE s%d AS %s;" % item for item in enumerate(texts)]
    listed = ask(url, name, [*prepare, "SELECT substr(name, 2), cardinality(parameter_types) FROM pg_prepared_statements "
                                       "WHERE statement LIKE 'PREPARE s%';"])
    counts = dict(map(int, line.split("|")) for line in listed.splitlines())
    assert len(counts) >= FEWEST, "%s: only %d statements found" % (name, len(counts))
    # The expanded statement must be valid, except that rows of values are SQLite syntax.
    refused = [sql for number, sql in enumerate(texts) if number not in counts and "{" in marked[number] and "VALUES (" not in sql]
    assert not refused, refused
    explain = []
    for number, count in counts.items():
        values = "(%s)" % ", ".join(["NULL"] * count) if count else ""
        explain += ["\\echo @%d" % number, "EXPLAIN (FORMAT JSON) EXECUTE s%d%s;" % (number, values)]
    answers = ask(url, name, prepare + explain).split("@")[1:]
    assert len(answers) == len(counts)
    for answer in answers:
        number, _, plan = answer.partition("\n")
        for node, parent in nodes(json.loads(plan)[0]["Plan"]):
            check_node(node, parent, texts[int(number)])


def nodes(plan, parent=None):
    """Yields (node, parent) of each node of the plan."""
    yield plan, parent
    for below in plan.get("Plans", ()):
        yield from nodes(below, plan)


def check_node(node, parent, sql):
    table = re.sub(r"_\d{4}_\d\d$", "", node.get("Relation Name", ""))
    if table not in GROWING or node["Node Type"] == "ModifyTable":
        return
    condition = node.get("Index Cond", "") or node.get("Recheck Cond", "")
    # The statement must search by an equality, or by all of its conditions.
    by_index = " = " in condition or node.get("Index Name") in PARTIAL or (condition and "Filter" not in node)
    # For min(seq), PostgreSQL 17 reads the first entry of an index, without a condition.
    by_index = by_index or ("Index Name" in node and "Filter" not in node and parent is not None and parent["Node Type"] == "Limit")
    assert by_index, "%s\n%s" % (sql, json.dumps(node, indent=1))
