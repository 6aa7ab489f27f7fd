"""Runs the demo's stack: the three services, their PostgreSQL, the gateway and the front door."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import threading
import time

import accounts
import cleaning
import interrupts
import ports
from places import BUILD, CLUSTER, DEMO, PIDS, ROOT, environment, private_postgres, program
from problems import StackError
from report import say
from screenctl import Screenctl

sys.path[:0] = [str(BUILD / "tests/python"), str(ROOT / "tests")]
from kit import rpc  # noqa: E402  the protocol tests' client; the build makes its messages
from kit.stack import HTTP_FLAG  # noqa: E402
from web import Web  # noqa: E402  it needs the kit too

READY_S = 30
RUSH_CALLS = 10000
CRASHED_AT_END = 139  # exit code of HAProxy 2.6.12 if it crashes while it frees its memory
STUCK = 3  # exit code of a service that only a new process can replace (docs/operations.md)
NAMES = ("hospital", "booking", "history")
PUBLISHERS = ("hospital", "booking")  # the services with a log of events
PRIVATE = "private"  # the folder of the sockets for services; its mode must be 0700, otherwise the services refuse it
GATEWAY_SOCKET = "gateway.http"  # where the front door reaches the gateway, relative to var/demo


class Service:
    """One of our processes. It writes NAME.log in the folder of its database."""

    def __init__(self, name, flags, address):
        self.name, self.flags, self.address = name + "-svc", flags, address
        self.log = DEMO / (self.name + ".log")
        self.process = None
        self.stopping = False
        self.lock = threading.Lock()  # held while the process is started, and while it is marked as stopping

    def start(self):
        """Starts the process in its own session. The terminal's Ctrl-C reaches only the demo, which then stops the processes in
        order."""
        with self.lock:
            self.stopping = False
            self._start()

    def _start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self._command(), cwd=DEMO, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            start_new_session=True, env=self._environment())
        with open(PIDS, "a", encoding="utf-8") as pids:
            pids.write(json.dumps({"name": self.name, "pid": self.process.pid, "exe": str(self._executable())}) + "\n")
        threading.Thread(target=self._supervise, args=(self.process,), daemon=True).start()

    def _executable(self):
        return program(self.name)

    def _command(self):
        return [self._executable()] + ["--%s=%s" % item for item in self.flags.items()]

    def _environment(self):
        return environment()

    def _supervise(self, process):
        """Waits until the process ends, and starts a new one if the process was stuck."""
        if process.wait() != STUCK:
            return
        with self.lock:
            if not self.stopping:
                say("%s was stuck and is being restarted" % self.name)
                self._start()

    def running(self):
        """Returns whether the process runs, or is about to be started again."""
        return self.process is not None and self.process.poll() in (None, STUCK)

    def fail(self, what):
        tail = self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:]
        raise StackError("%s %s; the end of %s:\n%s" % (self.name, what, self.log, "\n".join(tail)))

    def serving(self):
        """Returns whether grpc.health.v1.Health/Check answers SERVING."""
        try:
            client = rpc.Client(self.address, timeout=5)
        except OSError:
            return False  # the service does not listen yet
        try:
            reply = client.Check()
            return reply.code == rpc.OK and reply.message.status == 1
        except OSError:
            return False  # the service has ended or was too slow; the waiting caller decides when to give up
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
        """Sends SIGTERM and waits. Returns the result; "exit 0" means that the service drained."""
        if not self.running():
            return "had ended with %d" % self.process.returncode if self.process else "was not started"
        with self.lock:
            self.stopping = True
        try:
            return "exit %d" % self._drain()
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return "did not drain within %d s" % cleaning.DRAIN_S


    def _drain(self):
        """Returns the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=cleaning.DRAIN_S)


class Gateway(Service):
    """The gateway. It has no RPC methods, so it counts as serving once it reaches the other services."""

    def serving(self):
        try:
            return Web(self.flags["ops-listen"]).ask("GET", "/readyz").code == 200
        except (OSError, StackError):
            return False  # it does not listen yet, or has ended; the waiting caller decides when to give up


class Front(Service):
    """HAProxy in front of the gateway; its settings are variables, and its folder is var/demo/front."""

    def __init__(self, settings, address):
        super().__init__("front", settings, address)
        self.name, self.log = "front", DEMO / "front.log"

    def _executable(self):
        return pathlib.Path(shutil.which("haproxy", path=os.environ.get("PATH", "") + ":/usr/sbin") or "haproxy").resolve()

    def _command(self):
        return [ROOT / "deploy/front/front"]

    def _environment(self):
        return {**environment(), **self.flags}

    def serving(self):
        """Returns whether the door and the gateway behind it answer."""
        try:
            return Web(self.flags["FRONT_HTTP"]).ask("GET", "/").code == 200
        except (OSError, StackError):
            return False

    def _drain(self):
        """HAProxy drains at SIGUSR1, which it may lose while it starts. It may crash after its last answer (docs/operations.md)."""
        deadline = time.monotonic() + cleaning.DRAIN_S
        while True:
            self.process.send_signal(signal.SIGUSR1)
            try:
                code = self.process.wait(timeout=1)
                return 0 if code == CRASHED_AT_END else code
            except subprocess.TimeoutExpired:
                if time.monotonic() > deadline:
                    raise


class Stack:
    """hospital-svc and booking-svc on SQLite, history-svc on a private PostgreSQL, the gateway and the front door. Their files are
    in var/demo."""

    def __init__(self, chosen=None):
        """`chosen` maps each listener to its port. If `chosen` is None, free ports are used, and only the gateway has an ops port,
        which shows whether it is ready."""
        self.must_check, self.ports = chosen is not None, chosen or ports.free()
        self.rpc = {name: "tcp://127.0.0.1:%d" % self.ports[name] for name in NAMES}  # for clients; services use sockets
        self.ops = {name: "127.0.0.1:%d" % self.ports[name + " ops"] if chosen or name == "gateway" else ""
                    for name in (*NAMES, "gateway")}
        self.admin = accounts.token_file(accounts.ADMIN)
        self.web, self.tls = (Web("127.0.0.1:%d" % self.ports[name], self.admin) for name in ("front", "front tls"))
        self.services = {}
        self.cluster_started = False
        self.screenctl = Screenctl(self.rpc, self.admin)

    @staticmethod
    def socket(name, purpose):
        """Returns the address, relative to var/demo, of a socket for services. A relative path works for any name of the project's
        folder. The purpose is rpc, events or gateway, where the service trusts the gateway's word for the address of a client."""
        return "ipc://%s/%s.%s" % (PRIVATE, name, purpose)

    @staticmethod
    def _security(name):
        keys = accounts.PKI.relative_to(DEMO)
        flags = {"issuers": keys / "issuers.json", "token-key": keys / (name + "-svc") / "token.key.json"}
        if name in ("hospital", "gateway"):
            flags["public-catalogue"] = "true"
        if name != "gateway":  # the customers of the rush share the administrator's token
            flags.update({"changes-burst": RUSH_CALLS, "reads-burst": RUSH_CALLS})
        return flags

    def _flags(self, name):
        flags = {"client-listen": self.rpc[name], "rpc-listen": self.socket(name, "rpc"),
                 "gateway-listen": self.socket(name, "gateway"), "ops-listen": self.ops[name], **self._security(name)}
        flags["database"] = private_postgres("url", CLUSTER, "history") if name == "history" else "sqlite:%s.db" % name
        if name in PUBLISHERS:
            flags["events-listen"] = self.socket(name, "events")
        for other in PUBLISHERS:
            if other != name:
                flags[other + "-rpc"] = self.socket(other, "rpc")
                flags[other + "-events"] = self.socket(other, "events")
        return flags

    def _gateway_flags(self):
        flags = {HTTP_FLAG: "unix:" + GATEWAY_SOCKET, "ops-listen": self.ops["gateway"], **self._security("gateway")}
        flags.update({name + "-rpc": self.socket(name, "gateway") for name in NAMES})
        flags.update({name + "-events": self.socket(name, "events") for name in PUBLISHERS})
        return flags

    def _front_settings(self):
        return {"FRONT_HTTP": self.web.address, "FRONT_TLS": self.tls.address,
                "FRONT_GATEWAY": "unix@" + GATEWAY_SOCKET, "FRONT_DRAIN": "10s"}

    def prepare(self):
        """Ends the processes that an earlier demo left running, recreates var/demo, and makes the keys and the administrator's
        token."""
        cleaning.end_leftovers()
        if self.must_check:
            ports.check(self.ports)
        if DEMO.exists():
            shutil.rmtree(DEMO)
        DEMO.mkdir(parents=True)
        (DEMO / PRIVATE).mkdir(mode=0o700)
        accounts.make_keys()
        accounts.open_account(accounts.ADMIN)

    def start(self):
        self.start_cluster()
        self._make_history_database()
        for name in NAMES:
            self.services[name] = Service(name, self._flags(name), self.rpc[name])
        self.services["gateway"] = Gateway("gateway", self._gateway_flags(), str((DEMO / GATEWAY_SOCKET).relative_to(ROOT)))
        self.services["front"] = Front(self._front_settings(), "http://%s and https://%s" % (self.web.address, self.tls.address))
        for service in self.services.values():
            interrupts.check()
            service.start()
        for service in self.services.values():
            service.wait_serving()

    @staticmethod
    def open_accounts(clinic):
        """Issues the tokens of the staff of one hospital and of two customers."""
        accounts.open_account(accounts.STAFF, clinic)
        for customer in (accounts.KIM, accounts.LEE):
            accounts.open_account(customer)

    def start_cluster(self):
        interrupts.check()
        self.cluster_started = True  # set before the start, so that a start that fails halfway is stopped too
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
        """Returns a pipelining client of one service, with the administrator's token. The caller closes the client."""
        return rpc.Client(self.rpc[name], token=accounts.read_token(self.admin))

    def close(self):
        """Ends everything that runs, in any state. Returns the result of stop() of each service, in the order in which they were
        stopped. The gateway is stopped first, because it ends the streams for which the front door would wait."""
        ends = {}
        for name in ("gateway", "front", "history", "booking", "hospital"):
            if name in self.services and self.services[name].running():
                ends[self.services[name].name] = self.services[name].stop()
        if self.cluster_started:
            self.stop_cluster()
        return ends
