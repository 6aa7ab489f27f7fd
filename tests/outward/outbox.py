"""Tests that the table event_log is an outbox: logical decoding shows each event once, in order of seq, with the columns that
deploy/debezium names, also after a restart of the reader and a kill of the service; and that the connectors fit the databases of
deploy/postgresql/roles.sql."""
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile

from hardening.logins import PASSWORD, done, migrate, refused, services, write_private
from kit.marks import once
from kit.rpc import event_pb2
from kit.stack import DEADLINE_S, Stack, psql, wait_for
from kit.world import book, day, register

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PRIVATE = os.path.join(ROOT, "deploy/private-postgres")
CONNECTORS = os.path.join(ROOT, "deploy/debezium")
LOGS = ("booking", "hospital")
OVERRIDES = "snapshot.select.statement.overrides"
ROW = re.compile(r"table public\.event_log: INSERT: (.*)")
COLUMN = re.compile(r"(\w+)\[([^\]]+)\]:('(?:[^']|'')*'|\S+)")


class Cluster:
    """A private PostgreSQL with wal_level=logical during a `with` block."""

    def __enter__(self):
        self.folder = os.path.join(tempfile.mkdtemp(prefix="screening-outbox-", dir="/var/tmp"), "pg")
        os.chmod(os.path.dirname(self.folder), 0o711)
        self.run("start")
        self.url = self.run("url").strip()
        psql(self.url, "ALTER SYSTEM SET wal_level = logical")
        self.run("stop")
        self.run("start")
        assert psql(self.url, "SHOW wal_level") == [["logical"]]
        return self

    def __exit__(self, *_):
        self.run("remove")
        shutil.rmtree(os.path.dirname(self.folder), ignore_errors=True)

    def run(self, word):
        return subprocess.run([PRIVATE, word, self.folder], capture_output=True, text=True, check=True).stdout


class Reader:
    """pg_recvlogical, which reads a slot into a file, and confirms every second what it has flushed."""

    def __init__(self, url, log, path):
        self.url, self.log, self.path, self.process = url, log, path, None  # the names of slots are those of the whole server
        self._run("--create-slot", "--plugin=test_decoding")

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def _words(self, *words):
        return ["pg_recvlogical", "--dbname=" + self.url, "--slot=outbox_" + self.log, *words]

    def _run(self, *words):
        done = subprocess.run(self._words(*words), capture_output=True, text=True, timeout=DEADLINE_S, check=False)
        assert done.returncode == 0, done

    def start(self):
        self.process = subprocess.Popen(self._words("--start", "--file=" + self.path, "--fsync-interval=1", "--status-interval=1",
                                                    "--option=include-xids=0", "--option=skip-empty-xacts=1"))
        return self

    def end(self):
        """Ends the process once it has confirmed everything that was committed before the call."""
        now = psql(self.url, "SELECT pg_current_wal_flush_lsn()")[0][0]
        wait_for("the reader has confirmed", lambda: psql(self.url, "SELECT 1 FROM pg_replication_slots WHERE slot_name = 'outbox_%s' "
                                                          "AND confirmed_flush_lsn >= '%s'" % (self.log, now)))
        self.process.send_signal(signal.SIGINT)
        self.process.wait(timeout=DEADLINE_S)

    def rows(self):
        """Returns the inserted rows as dicts {column: text}."""
        if not os.path.exists(self.path):
            return []
        with open(self.path, encoding="utf-8") as file:
            found = [ROW.fullmatch(line) for line in file.read().splitlines()]
        return [{name: value.strip("'") for name, _, value in COLUMN.findall(row[1])} for row in found if row]


def subject_in(packed):
    event = event_pb2.Event.FromString(packed)
    body = getattr(event, event.WhichOneof("body"))
    return body.booking_id if event.WhichOneof("body") == "booking" else body.hospital_id


def connector(log):
    with open(os.path.join(CONNECTORS, log + ".json"), encoding="utf-8") as file:
        return json.load(file)["config"]


@once
def test_logical_decoding_shows_each_event_once_and_in_order(driver):
    del driver
    with Cluster() as cluster, Stack("postgresql", without=("history",), cluster_url=cluster.url) as stack, \
            contextlib.ExitStack() as ends:
        readers = {log: ends.enter_context(Reader(stack.url(log), log, os.path.join(stack.folder, log + ".changes"))) for log in LOGS}
        first = {log: stack.value(log, "SELECT head_seq FROM event_log_head") for log in LOGS}

        def live(count):
            hospital_id = register(stack, capacity=count)
            for number in range(count):
                book(stack, hospital_id)
                if number % 10 == 0:
                    stack.hospital.SetCapacity(hospital_id=hospital_id, date=day(1), capacity=2 * count + number)
        live(60)
        stack.booking_svc.restart()  # with kill -9
        for reader in readers.values():
            reader.end()
            reader.start()
        live(60)
        for log, reader in readers.items():
            stored = stack.rows(log, "SELECT seq, event_id, type, occurred_at_us, subject, '\\x' || encode(event, 'hex') FROM event_log "
                                "WHERE seq > %d ORDER BY seq" % first[log])
            assert len(stored) > 10
            wait_for("the changes of the %s log" % log, lambda: len(reader.rows()) >= len(stored))  # pylint: disable=W0640
            reader.end()
            rows = reader.rows()
            names = ("seq", "event_id", "type", "occurred_at_us", "subject", "event")
            assert [tuple(row[name] for name in names) for row in rows] == stored, (log, len(rows), len(stored))
            for row in rows:
                assert row["subject"] == subject_in(bytes.fromhex(row["event"][2:])), row


def relations_and_inserts(messages):
    """Returns the names of the tables in messages of pgoutput, and how many rows were inserted into them."""
    names = {".".join(part.decode() for part in message[5:].split(b"\0")[:2]) for message in messages if message[:1] == b"R"}
    return names, sum(message[:1] == b"I" for message in messages)


def check_names(config, columns):
    """Checks what a connector names against the columns of its table, {name: type}."""
    router = {key.removeprefix("transforms.outbox."): value for key, value in config.items() if key.startswith("transforms.outbox.")}
    named = [value for key, value in router.items() if key.startswith("table.field.") or key == "route.by.field"]
    named += [part.split(":")[0] for part in router["table.fields.additional.placement"].split(",")]
    assert len(named) >= 6 and not set(named) - set(columns), (named, columns)
    assert columns[router["table.field.event.id"]] == columns[router["table.field.event.key"]] == "uuid"
    assert columns[router["table.field.event.payload"]] == "bytea"
    # No column is left out of the messages unnoticed.
    assert set(columns) == set(named), (columns, named)
    table = config["table.include.list"]
    assert config[OVERRIDES] == table and {key for key in config if key.startswith(OVERRIDES + ".")} == {"%s.%s" % (OVERRIDES, table)}
    assert re.fullmatch(config["predicates.is_event.pattern"], "%s.%s" % (config["topic.prefix"], table))
    assert not any("password" in key and not value.startswith("${file:") for key, value in config.items())


@once
def test_the_connectors_read_the_logs_of_an_installation_with_roles(driver):
    del driver
    with open(os.path.join(ROOT, "docs/operations.md"), encoding="utf-8") as file:
        role, grants = re.findall(r"^```sql\n(.*?)^```", file.read().partition("\n### Kafka\n")[2].partition("\n## ")[0], re.M | re.S)
    with services() as (server, stack, passwords):
        done(server.url, "-c", "ALTER SYSTEM SET wal_level = logical")
        server.kill(signal.SIGQUIT)
        server.start()
        migrate(server, stack, passwords)
        done(server.url, "-c", role.replace("'...'", "'%s'" % (PASSWORD % "debezium")))
        passfile = os.path.join(stack.folder, "debezium")
        write_private(passfile, "*:*:*:debezium:%s\n" % (PASSWORD % "debezium"))
        configs = {log: connector(log) for log in LOGS}
        urls = {log: server.of(config["database.user"], config["database.dbname"], passfile) for log, config in configs.items()}
        for log, config in configs.items():
            done(server.of("screening", log), "-c", grants.replace("booking", log))
            done(urls[log], "-c", "SELECT pg_create_logical_replication_slot('%s', '%s')" % (config["slot.name"], config["plugin.name"]))
        for service in (stack.hospital_svc, stack.booking_svc):
            service.spawn()
        for service in (stack.hospital_svc, stack.booking_svc):
            service.wait_ready()
        stack.wait_paired()
        for _ in range(3):
            book(stack, register(stack))
        for log, config in configs.items():
            url, table = urls[log], config["table.include.list"]
            check_names(config, dict(line.split("|") for line in done(
                url, "-c", "SELECT attname, format_type(atttypid, NULL) FROM pg_attribute WHERE attrelid = '%s'::regclass AND attnum > 0" % table).splitlines()))
            done(server.of("screening", log), "-c", "UPDATE %s SET type = type WHERE seq = 1" % table)  # which stores the row behind all others
            seqs = [int(line.split("|")[0]) for line in done(url, "-c", config["%s.%s" % (OVERRIDES, table)]).splitlines()]
            assert len(seqs) >= 3 and seqs == list(range(1, len(seqs) + 1)), seqs
            changes = done(url, "-c", "SELECT encode(data, 'hex') FROM pg_logical_slot_get_binary_changes('%s', NULL, NULL, 'proto_version', '1', "
                           "'publication_names', '%s')" % (config["slot.name"], config["publication.name"]))
            assert relations_and_inserts([bytes.fromhex(line) for line in changes.splitlines()]) == ({table}, len(seqs)), changes
            refused(url, "SELECT FROM %s.event_log_head" % log, "permission denied for table event_log_head")
