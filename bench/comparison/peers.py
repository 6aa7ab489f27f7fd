"""Makes one run of each peer: gRPC on PostgreSQL, nng alone, PostgreSQL alone, a synced commit alone."""

import contextlib
import glob
import json
import os
import sqlite3
import statistics
import time

from children import ROOT, Child, CompareError, free_address, interrupts, run
from services import BUILD

PEERS = ROOT / "bench/peers"
GRPC_BUILD = ROOT / "build/peers/grpc"
CONNECTIONS = 16  # number of connections to PostgreSQL of each service of the gRPC peer
PROBE_S = 1


class Peers:
    """Runs the peers. Each method starts the programs that it needs, measures, stops them again, and returns the figures."""

    def __init__(self, folder, cluster):
        self.folder, self.cluster = folder, cluster

    @contextlib.contextmanager
    def _child(self, *command):
        child = Child(command, self.folder / "peer.log")
        try:
            yield child
        finally:
            child.stop()

    @contextlib.contextmanager
    def _watched(self, pids, warm_up_s, seconds):
        """Yields a dict for the figures, and after the `with` block adds the resource usage of the processes `pids` in the measured
        time."""
        figures = {}
        path = self.folder / "watch.json"
        child = Child([BUILD / "bench/bench-watch", warm_up_s, seconds, *("%s=%d" % item for item in pids.items())], path)
        try:
            yield figures
            child.wait_for_line("}")
        finally:
            child.stop()
        figures["processes"] = json.loads(path.read_text(encoding="utf-8"))
        used_s = sum(used["user_s"] + used["kernel_s"] for used in figures["processes"].values())
        figures["cpu_us"] = used_s * 1e6 / (figures["per_s"] * seconds)

    def grpc(self, days, in_flight, warm_up_s, seconds):
        """Measures gRPC. The load generator itself fails if the places taken do not match the confirmed bookings afterwards."""
        with contextlib.ExitStack() as stack:
            address, pids = {}, {"postgresql": self.cluster.pid()}
            for name, more in (("hospital", ()), ("booking", ("hospital",))):
                url = stack.enter_context(self.cluster.database("peer_" + name, PEERS / "grpc" / (name + ".sql")))
                child = stack.enter_context(self._child(GRPC_BUILD / ("peer-" + name), url, "127.0.0.1:0", CONNECTIONS,
                                                        *(address[other] for other in more)))
                address[name] = child.wait_for_line("ready").split()[1]
                pids["peer-" + name] = child.process.pid
            with self._watched(pids, warm_up_s, seconds) as figures:
                figures.update(json.loads(run([GRPC_BUILD / "peer-load", address["booking"], address["hospital"], in_flight, days,
                                               warm_up_s, seconds])))
            return figures

    def echo(self, in_flight, warm_up_s, seconds):
        program, address = BUILD / "bench/bench-echo", "tcp://" + free_address()
        with self._child(program, "serve", address) as child:
            child.wait_for_line("ready")
            with self._watched({"bench-echo": child.process.pid}, warm_up_s, seconds) as figures:
                figures.update(json.loads(run([program, "load", address, in_flight, warm_up_s, seconds])))
            return figures

    def pgbench(self, days, in_flight, warm_up_s, seconds):
        """Runs pgbench with `in_flight` clients. Each client has its own connection."""
        script = PEERS / "pgbench" / ("hot.sql" if days == 1 else "many.sql")
        program = max(glob.glob("/usr/lib/postgresql/*/bin/pgbench"), key=lambda path: float(path.split("/")[4]))
        log = self.folder / "pgbench"
        with self.cluster.database("pgbench", PEERS / "pgbench/schema.sql") as url, \
                self._watched({"postgresql": self.cluster.pid()}, warm_up_s, seconds) as figures:
            try:
                run([program, "-n", "-M", "prepared", "-c", in_flight, "-j", min(in_flight, os.cpu_count()),
                     "-T", max(1, round(warm_up_s + seconds)), "-f", script, "-l", "--log-prefix", log, url],
                    PGOPTIONS="-c enable_seqscan=off")
                transactions = self.read(log)
            finally:
                for path in glob.glob(str(log) + ".*"):
                    os.unlink(path)
            fits = "SELECT (SELECT sum(capacity - remaining) FROM day) = (SELECT count(*) FROM booking)"
            if self.cluster.ask(fits, "pgbench") != "t":
                raise CompareError("pgbench: the places taken are not those booked")
            figures.update(self.figures(transactions, warm_up_s))
        return figures

    @staticmethod
    def read(log):
        """Returns (time of its end in s, duration in ms) of each transaction in the logs of pgbench whose names begin with
        `log`."""
        transactions = []
        for path in glob.glob(str(log) + ".*"):
            with open(path, encoding="ascii") as lines:
                for line in lines:
                    _, _, took_us, _, second, us = line.split()[:6]
                    transactions.append((int(second) + int(us) / 1e6, int(took_us) / 1e3))
        return sorted(transactions)

    @staticmethod
    def figures(transactions, warm_up_s):
        measure_from = transactions[0][0] + warm_up_s
        took = sorted(took_ms for end, took_ms in transactions if end >= measure_from)
        if len(took) < 2:
            raise CompareError("pgbench: too short to measure anything")
        quantiles = statistics.quantiles(took, n=100)
        return {"per_s": len(took) / (transactions[-1][0] - measure_from), "p50_ms": quantiles[49], "p99_ms": quantiles[98]}

    def commit(self):
        """Measures a synced commit of one small row in SQLite, with the settings of our services, while nothing else runs."""
        path = self.folder / "commit.db"
        took_ms = []
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as database:
            database.execute("PRAGMA journal_mode=WAL")
            database.execute("PRAGMA synchronous=FULL")
            database.execute("CREATE TABLE probe (id INTEGER PRIMARY KEY, body BLOB)")
            end = time.monotonic() + PROBE_S
            while time.monotonic() < end:
                interrupts.check()
                begin = time.perf_counter()
                database.execute("INSERT INTO probe (body) VALUES (zeroblob(100))")
                took_ms.append((time.perf_counter() - begin) * 1e3)
        path.unlink()
        quantiles = statistics.quantiles(took_ms, n=100)
        return {"per_s": 1e3 / statistics.fmean(took_ms), "p50_ms": quantiles[49], "p99_ms": quantiles[98]}
