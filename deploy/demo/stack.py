"""The three services, their PostgreSQL and the gateway, as the demo runs them."""

import json
import shutil
import signal
import subprocess
import sys
import threading
import time

import cleaning
import interrupts
import ports
from places import BUILD, CLUSTER, DEMO, PIDS, ROOT, environment, private_postgres, program
from problems import StackError
from report import say
from screenctl import Screenctl

sys.path[:0] = [str(BUILD / "tests/python"), str(ROOT / "tests")]
from kit import rpc  # noqa: E402  the protocol tests' client; its messages are made by the build
from web import Web  # noqa: E402  which needs the kit too

READY_S = 30
STUCK = 3  # the exit code of a service that only a new process can replace (docs/operations.md)
NAMES = ("hospital", "booking", "history")
GATEWAY_FOLDER = "gateway"  # of mode 0700, otherwise the services refuse it


class Service:
    """One of our processes; it writes NAME.log beside its database."""

    def __init__(self, name, flags, address):
        self.name, self.flags, self.address = name + "-svc", flags, address
        self.log = DEMO / (self.name + ".log")
        self.process = None
        self.stopping = False
        self.lock = threading.Lock()  # held to start a process or to stop it for good

    def start(self):
        """Starts the process in a separate session: the terminal's Ctrl-C reaches only the demo, which then stops it
        in order."""
        with self.lock:
            self.stopping = False
            self._start()

    def _start(self):
        path = program(self.name)
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([path] + ["--%s=%s" % item for item in self.flags.items()], cwd=DEMO,
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                                            env=environment())
        with open(PIDS, "a", encoding="utf-8") as pids:
            pids.write(json.dumps({"name": self.name, "pid": self.process.pid, "exe": str(path)}) + "\n")
        threading.Thread(target=self._supervise, args=(self.process,), daemon=True).start()

    def _supervise(self, process):
        """Starts it again if it ends because it is stuck."""
        if process.wait() != STUCK:
            return
        with self.lock:
            if not self.stopping:
                say("%s was stuck and is started again" % self.name)
                self._start()

    def running(self):
        """Whether it runs, or is about to be started again."""
        return self.process is not None and self.process.poll() in (None, STUCK)

    def fail(self, what):
        tail = self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:]
        raise StackError("%s %s; the end of %s:\n%s" % (self.name, what, self.log, "\n".join(tail)))

    def serving(self):
        """Returns whether grpc.health.v1.Health/Check answers SERVING."""
        try:
            client = rpc.Client(self.address, timeout=5)
        except OSError:
            return False  # it does not listen yet
        try:
            reply = client.Check()
            return reply.code == rpc.OK and reply.message.status == 1
        except OSError:
            return False  # it has ended or was too slow: the caller that waits decides when to give up
        finally:
            client.close()

    def wait_serving(self):
        deadline = time.monotonic() + READY_S
        while not self.serving():
            if not self.running():
                self.fail("ended with %d" % self.process.returncode)
            if time.monotonic() > deadline:
                self.fail("was not SERVING within %d s" % READY_S)
            interrupts.sleep(0.02)
        say("%s is SERVING at %s" % (self.name, self.address))

    def stop(self):
        """Sends SIGTERM; returns the result: "exit 0" means that the service drained."""
        if not self.running():
            return "had ended with %d" % self.process.returncode if self.process else "was not started"
        with self.lock:
            self.stopping = True
        self.process.send_signal(signal.SIGTERM)
        try:
            return "exit %d" % self.process.wait(timeout=cleaning.DRAIN_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return "did not drain within %d s" % cleaning.DRAIN_S


class Gateway(Service):
    """The gateway has no RPC methods: it is serving once it reaches the other services."""

    def serving(self):
        try:
            return Web(self.flags["ops-listen"]).ask("GET", "/readyz").code == 200
        except (OSError, StackError):
            return False  # it does not listen yet, or has ended: the caller that waits decides when to give up


class Stack:
    """hospital-svc and booking-svc on SQLite, history-svc on a private PostgreSQL, the gateway in front; all in var/demo."""

    def __init__(self, chosen=None):
        """`chosen`: the port of each listener; without it, free ports are used, and only the gateway has a page for
        operators, whose readiness is checked there."""
        self.must_check, self.ports = chosen is not None, chosen or ports.free()
        self.rpc = {name: "tcp://127.0.0.1:%d" % self.ports[name] for name in NAMES}
        self.events = {name: "tcp://127.0.0.1:%d" % self.ports[name + " events"] for name in NAMES if name + " events" in self.ports}
        self.ops = {name: "127.0.0.1:%d" % self.ports[name + " ops"] if chosen or name == "gateway" else ""
                    for name in (*NAMES, "gateway")}
        self.web = Web("127.0.0.1:%d" % self.ports["gateway"])
        self.services = {}
        self.cluster_started = False
        self.screenctl = Screenctl(self.rpc)

    @staticmethod
    def gateway_calls(name):
        """Returns the address at which the gateway calls a service, which trusts the addresses of HTTP clients
        there; relative to var/demo."""
        return "ipc://%s/%s" % (GATEWAY_FOLDER, name)

    def _flags(self, name):
        flags = {"rpc-listen": self.rpc[name], "ops-listen": self.ops[name], "gateway-listen": self.gateway_calls(name)}
        # relative to var/demo, whatever the project's folder is called
        flags["database"] = private_postgres("url", CLUSTER, "history") if name == "history" else "sqlite:%s.db" % name
        if name in self.events:
            flags["events-listen"] = self.events[name]
        for other in self.events:
            if other != name:
                flags[other + "-rpc"] = self.rpc[other]
                flags[other + "-events"] = self.events[other]
        return flags

    def _gateway_flags(self):
        flags = {"http-listen": self.web.address, "ops-listen": self.ops["gateway"]}
        flags.update({name + "-rpc": self.gateway_calls(name) for name in NAMES})
        flags.update({name + "-events": self.events[name] for name in self.events})
        return flags

    def prepare(self):
        """Ends what an earlier demo left, and recreates var/demo."""
        cleaning.end_leftovers()
        if self.must_check:
            ports.check(self.ports)
        if DEMO.exists():
            shutil.rmtree(DEMO)
        DEMO.mkdir(parents=True)
        (DEMO / GATEWAY_FOLDER).mkdir(mode=0o700)

    def start(self):
        self.start_cluster()
        self._make_history_database()
        for name in NAMES:
            self.services[name] = Service(name, self._flags(name), self.rpc[name])
        self.services["gateway"] = Gateway("gateway", self._gateway_flags(), "http://" + self.web.address)
        for service in self.services.values():
            interrupts.check()
            service.start()
        for service in self.services.values():
            service.wait_serving()

    def start_cluster(self):
        interrupts.check()
        self.cluster_started = True  # set before the start, so that a start that fails half-way is stopped too
        private_postgres("start", CLUSTER)
        say("PostgreSQL is up in %s" % CLUSTER.resolve())

    def stop_cluster(self):
        private_postgres("stop", CLUSTER)
        self.cluster_started = False

    def _make_history_database(self):
        done = subprocess.run(["psql", private_postgres("url", CLUSTER), "-X", "-q", "-v", "ON_ERROR_STOP=1",
                               "-c", "DROP DATABASE IF EXISTS history WITH (FORCE)", "-c", "CREATE DATABASE history"],
                              check=False, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, start_new_session=True, env=environment())
        if done.returncode != 0:
            raise StackError("psql: %s" % done.stdout.strip())

    def client(self, name):
        """Returns a pipelining client of one service; the caller closes it."""
        return rpc.Client(self.rpc[name])

    def close(self):
        """Ends everything that runs, in any state; returns how each service reacted to SIGTERM, in that order."""
        ends = {}
        for name in ("gateway", "history", "booking", "hospital"):
            if name in self.services and self.services[name].running():
                ends[self.services[name].name] = self.services[name].stop()
        if self.cluster_started:
            self.stop_cluster()
        return ends
