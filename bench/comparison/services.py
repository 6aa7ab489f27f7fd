"""The services on tcp, for one run: in a separate folder and with separate databases, which are deleted after the
run."""

import contextlib
import os
import pathlib
import shutil
import sqlite3

from children import ROOT, Child, CompareError, free_address

BUILD = pathlib.Path(os.environ.get("SCREENING_BUILD", ROOT / "build/release")).resolve()
NAMES = ("hospital", "booking", "history")
PUBLISHERS = ("hospital", "booking")
LOG_END = 2000
ASK_S = 30
PATIENT_MS = 30_000


class Services:
    """`with Services(folder, cluster, driver) as services:`; no service runs before `start`. The folder is created
    here. `driver` is that of hospital-svc and booking-svc; history-svc is always on PostgreSQL. `patient`: booking-svc
    waits long for hospital-svc, in a run whose figures do not count. `connections`: how many clients may connect, all
    from this machine; None = the default. If the block fails, the ends of the logs are printed."""

    connections = None

    def __init__(self, folder, cluster, driver, patient=False):
        self.folder, self.cluster, self.driver, self.patient = folder, cluster, driver, patient
        self.rpc = {name: "tcp://" + free_address() for name in NAMES}
        self.events = {name: "tcp://" + free_address() for name in PUBLISHERS}
        self.http = free_address()  # of gateway-svc
        self.urls, self.children = {}, {}
        self.stack = contextlib.ExitStack()

    def __enter__(self):
        self.folder.mkdir()
        self.stack.callback(shutil.rmtree, self.folder)
        return self

    def __exit__(self, _, problem, __):
        logs = self._log_ends() if isinstance(problem, CompareError) else []
        with self.stack:
            for name in reversed(list(self.children)):
                self.children[name].stop()
        if logs:
            raise CompareError("\n".join([str(problem), *logs])) from None

    def _log_ends(self):
        return [path.read_text(encoding="utf-8", errors="replace")[-LOG_END:] for path in sorted(self.folder.glob("*.log"))]

    def url(self, name):
        """Returns the URL of its database, which is created on first use."""
        if name not in self.urls:
            if self.driver == "sqlite" and name != "history":
                self.urls[name] = "sqlite:%s/%s.db" % (self.folder, name)
            else:
                self.urls[name] = self.stack.enter_context(self.cluster.database(self.database(name)))
        return self.urls[name]

    def database(self, name):
        """Returns the name of its database in the cluster."""
        return "%s_%s" % (self.folder.name, name)

    def command(self, name, *more):
        """Returns the command that starts it."""
        if name == "gateway":
            flags = ["--ops-listen=", "--http-listen=" + self.http, "--history-rpc=" + self.rpc["history"]]
        else:
            flags = ["--ops-listen=", "--database=" + self.url(name), "--rpc-listen=" + self.rpc[name]]
            if self.connections is not None:
                flags += ["--%s=%d" % (bound, self.connections) for bound in ("connections-max", "connections-per-address")]
        if name in PUBLISHERS:
            flags.append("--events-listen=" + self.events[name])
        for other in PUBLISHERS:
            if other != name:
                flags += ["--%s-rpc=%s" % (other, self.rpc[other]), "--%s-events=%s" % (other, self.events[other])]
        if name == "booking" and self.patient:
            flags.append("--reserve-timeout-ms=%d" % PATIENT_MS)
        return [BUILD / (name + "-svc") / (name + "-svc"), *flags, *more]

    def start(self, *names):
        """Starts all of them in parallel. Returns when each is ready."""
        for name in names:
            self.children[name] = Child(self.command(name), self.folder / (name + ".log"))
        for name in names:
            self.children[name].wait_for_line("service.ready")
        return self

    def stop(self, name):
        self.children.pop(name).stop()

    def renew_history(self):
        """Gives history-svc, which is stopped, an empty database."""
        self.cluster.renew(self.database("history"))

    def ask(self, name, sql):
        """Returns one number from a service's database, or one per column."""
        if self.url(name).startswith("sqlite:"):
            with contextlib.closing(sqlite3.connect("file:%s?mode=ro" % self.url(name).removeprefix("sqlite:"), uri=True,
                                                    timeout=ASK_S)) as database:
                row = database.execute(sql).fetchone()
        else:
            row = self.cluster.ask(sql, self.database(name)).split("|")
        numbers = tuple(int(word) for word in row)
        return numbers if len(numbers) > 1 else numbers[0]

    def change(self, name, sql):
        """Changes a service's database behind the service's back."""
        if self.url(name).startswith("sqlite:"):
            with contextlib.closing(sqlite3.connect(self.url(name).removeprefix("sqlite:"), timeout=ASK_S)) as database:
                database.execute(sql)
                database.commit()
        else:
            self.cluster.ask(sql, self.database(name))

    def pid(self, name):
        return self.children[name].process.pid
