"""Loads rows into a table as fast as the database accepts them. There is one class per database."""
import itertools
import sqlite3
import subprocess

ROWS_AT_ONCE = 2000


class LoadError(Exception):
    """Raised when the database refused the rows."""


def open_database(url, schema=None):
    return Sqlite(url[len("sqlite:"):]) if url.startswith("sqlite:") else Postgresql(url, schema)


class Sqlite:
    """Loads rows into SQLite. Nothing is synced and nothing can be rolled back, so an interrupted load leaves an unusable file."""

    def __init__(self, path):
        self.path = path

    def __enter__(self):
        self.connection = sqlite3.connect(self.path, isolation_level=None)
        self.loading = False
        return self

    def __exit__(self, kind, *_):
        if self.loading and kind is None:
            self.connection.execute("COMMIT")
            self.connection.execute("PRAGMA journal_mode = WAL")
        self.connection.close()

    def _begin_loading(self):
        for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -500000", "locking_mode = EXCLUSIVE"):
            self.connection.execute("PRAGMA " + pragma)
        self.connection.execute("BEGIN EXCLUSIVE")
        self.loading = True

    def tidy(self):
        pass

    def ask(self, sql):
        """Returns the first value of the query's first row."""
        return self.connection.execute(sql).fetchone()[0]

    def run(self, sql, *values):
        self.connection.execute(sql, values)

    def load(self, table, columns, rows):
        """Loads the rows into the table. Drops the table's indexes first and creates them again at the end, except those of
        keys."""
        if not self.loading:
            self._begin_loading()
        indexes = self.connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = ? "
                                          "AND sql IS NOT NULL", (table,)).fetchall()
        for name, _ in indexes:
            self.connection.execute("DROP INDEX " + name)
        self.connection.executemany("INSERT INTO %s (%s) VALUES (%s)" % (
            table, columns, ", ".join("?" * (columns.count(",") + 1))), rows)
        for _, sql in indexes:
            self.connection.execute(sql)


# All other byte columns of the tables are ids, which PostgreSQL accepts as hexadecimal digits without a prefix.
_BYTEA = {"event", "content"}


def _bytea(value):
    return "\\\\x" + value.hex()


def _plain(value):
    return value.hex() if value.__class__ is bytes else str(value)


class Postgresql:
    """Loads rows through psql. Several tables can be loaded in parallel, each over its own connection."""

    def __init__(self, url, schema):
        self.url = url
        self.prelude = ["-c", "SET search_path = %s" % schema] if schema else []
        self.prelude += ["-c", "SET maintenance_work_mem = '256MB'"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def tidy(self):
        """Vacuums and analyzes the tables now, because autovacuum would otherwise do it a minute later, during a measurement."""
        self._psql("VACUUM (ANALYZE)")

    def _command(self, *sql):
        return ["psql", self.url, "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", *self.prelude,
                *itertools.chain.from_iterable(("-c", one) for one in sql)]

    def _psql(self, *sql):
        done = subprocess.run(self._command(*sql), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise LoadError(done.stderr)
        return done.stdout

    def ask(self, sql):
        return self._psql(sql).strip()

    def run(self, sql, *values):
        """Runs a statement. Each `?` in the statement stands for the next of the values, which are ids or numbers."""
        for value in values:
            sql = sql.replace("?", "'%s'" % (value.hex() if isinstance(value, bytes) else value), 1)
        self._psql(sql)

    def load(self, table, columns, rows):
        indexes = [line.split("\t") for line in self._psql(
            "SELECT i.indexrelid::regclass || E'\\t' || pg_get_indexdef(i.indexrelid) FROM pg_index i "
            "WHERE i.indrelid = '%s'::regclass AND NOT i.indisunique" % table).splitlines()]
        for name, _ in indexes:
            self._psql("DROP INDEX " + name)
        self._copy(table, columns, rows)
        for _, sql in indexes:
            self._psql(sql)

    def _copy(self, table, columns, rows):
        kinds = [_bytea if column in _BYTEA else _plain for column in columns.split(", ")]
        with subprocess.Popen(self._command("COPY %s (%s) FROM STDIN" % (table, columns)), stdin=subprocess.PIPE,
                              stderr=subprocess.PIPE) as process:
            try:
                for some in iter(lambda: list(itertools.islice(rows, ROWS_AT_ONCE)), []):
                    process.stdin.write("".join(
                        ["\t".join([kind(value) for kind, value in zip(kinds, row)]) + "\n" for row in some]).encode())
                process.stdin.close()
            except BrokenPipeError:
                pass
            errors = process.stderr.read().decode()
        if process.returncode != 0:
            raise LoadError(errors)
