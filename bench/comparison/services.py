"""Runs the services on tcp, for one run, with their own folder and their own databases, which are deleted after the run."""

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
FRONT_MAX = 1_000_000  # a limit of the front door for one address, as all callers have
PATIENT_MS = 30_000


class Services:
    """The services of one run: `with Services(folder, cluster, driver) as services:`. Creates the folder; `start` starts services.
    `driver` is the driver of hospital-svc and booking-svc; history-svc always uses PostgreSQL. If `patient` is true, booking-svc
    waits long for hospital-svc; this is for runs whose figures do not count. `connections` is the number of clients that may
    connect, all from this machine; None stands for the default. If the block fails, the last lines of the logs are printed."""

    connections = None

    def __init__(self, folder, cluster, driver, patient=False):
        self.folder, self.cluster, self.driver, self.patient = folder, cluster, driver, patient
        self.rpc = {name: "tcp://" + free_address() for name in NAMES}
        self.events = {name: "tcp://" + free_address() for name in PUBLISHERS}
        self.http = free_address()  # address of the front door, through which clients reach gateway-svc
        self.gateway_socket = "%s/gateway.http" % folder
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
        """Returns the URL of the service's database. The first call for a database in PostgreSQL creates the database."""
        if name not in self.urls:
            if self.driver == "sqlite" and name != "history":
                self.urls[name] = "sqlite:%s/%s.db" % (self.folder, name)
            else:
                self.urls[name] = self.stack.enter_context(self.cluster.database(self.database(name)))
        return self.urls[name]

    def database(self, name):
        """Returns the name of the service's database in the cluster."""
        return "%s_%s" % (self.folder.name, name)

    def command(self, name, *more):
        """Returns the command that starts the service, or the door if `name` is "front", with the flags `more` at its end."""
        if name == "front":
            return self._front_command()
        if name == "gateway":
            flags = ["--ops-listen=", "--http-listen=unix:" + self.gateway_socket, "--history-rpc=" + self.rpc["history"]]
        else:
            flags = ["--ops-listen=", "--database=" + self.url(name), "--rpc-listen=" + self.rpc[name]]
            if self.connections is not None:
                flags += ["--%s=%d" % (bound, self.connections) for bound in ("connections-max", "connections-per-address")]
        if name in PUBLISHERS:
            flags.append("--events-listen=" + self.events[name])
        for other in PUBLISHERS:
            if other != name:
                flags += ["--%s-rpc=%s" % (other, self.rpc[other]), "--%s-events=%s" % (other, self.events[other])]
        return self._service_command(name, flags, more)

    def _service_command(self, name, flags, more):
        if name == "booking" and self.patient:
            flags = [*flags, "--reserve-timeout-ms=%d" % PATIENT_MS]
        return [BUILD / (name + "-svc") / (name + "-svc"), *flags, *more]

    def _front_command(self):
        settings = {"HTTP": self.http, "TLS": "off", "GATEWAY": "unix@" + self.gateway_socket, "FOLDER": self.folder / "front",
                    "ADDRESS_CONNECTIONS": FRONT_MAX, "ADDRESS_REQUESTS": FRONT_MAX, "ADDRESS_STREAMS": FRONT_MAX}
        return ["env", *("FRONT_%s=%s" % item for item in settings.items()), ROOT / "deploy/front/front"]

    def start(self, *names):
        """Starts the named services in parallel. Returns when every one of them is ready."""
        for name in names:
            self.children[name] = Child(self.command(name), self.folder / (name + ".log"))
        for name in names:
            self.children[name].wait_for_line("Loading success" if name == "front" or name.startswith("wires-") else "service.ready")
        return self

    def stop(self, name):
        self.children.pop(name).stop()

    def renew_history(self):
        """Gives history-svc an empty database. history-svc must be stopped."""
        self.cluster.renew(self.database("history"))

    def ask(self, name, sql):
        """Returns the first row of a query on a service's database: a number, or a tuple of numbers if the row has several
        columns."""
        if self.url(name).startswith("sqlite:"):
            with contextlib.closing(sqlite3.connect("file:%s?mode=ro" % self.url(name).removeprefix("sqlite:"), uri=True,
                                                    timeout=ASK_S)) as database:
                row = database.execute(sql).fetchone()
        else:
            row = self.cluster.ask(sql, self.database(name)).split("|")
        numbers = tuple(int(word) for word in row)
        return numbers if len(numbers) > 1 else numbers[0]

    def change(self, name, sql):
        """Executes SQL on a service's database, bypassing the service."""
        if self.url(name).startswith("sqlite:"):
            with contextlib.closing(sqlite3.connect(self.url(name).removeprefix("sqlite:"), timeout=ASK_S)) as database:
                database.execute(sql)
                database.commit()
        else:
            self.cluster.ask(sql, self.database(name))

    def pid(self, name):
        return self.children[name].process.pid

    def front_pids(self):
        """Returns the ids of HAProxy's processes: the one that was started, and the one that serves."""
        master = self.pid("front")
        with open("/proc/%d/task/%d/children" % (master, master), encoding="ascii") as children:
            return [master, *map(int, children.read().split())]
