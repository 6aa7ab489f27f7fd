"""Runs the real services with their own addresses and databases, in their own folder."""

import functools
import json
import os
import random
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import threading
import time

from . import credentials, rpc, sandbox, web
from .deadline import DEADLINE_S

BUILD = os.environ.get("SCREENING_BUILD", os.path.join(os.path.dirname(__file__), "../../build/release"))
CLUSTER_URL = os.environ.get("SCREENING_TEST_POSTGRESQL", "")
# A timeout that is long enough for a slow machine. Only tests of slowness itself set a shorter one.
PATIENT_MS = 30000

PROGRAMS = ("hospital", "booking", "history")  # the services with a database
STUCK = 3  # exit code of a service that asks to be started again (docs/operations.md)
HTTP_FLAG = "http-listen"  # gateway-svc's flag for the address on which it serves the front door

# Limits of the front door that no client of a test reaches.
WIDE = {"address_connections": 100000, "address_requests": 1000000, "address_streams": 100000}


def is_sanitized():
    """Returns whether this is a sanitizer build. Its programs are slow and keep freed memory."""
    with open(os.path.join(BUILD, "CMakeCache.txt"), encoding="utf-8") as cache:
        return any(line.startswith("SCREENING_SANITIZE:") and line.rstrip("\n").partition("=")[2] for line in cache)


def wait_for(what, condition, deadline_s=DEADLINE_S, interval_s=0.02):
    """Calls condition() until it returns a true value, and returns that value. After `deadline_s`, fails with the message
    `what`."""
    end = time.monotonic() + deadline_s
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > end:
            raise AssertionError("waited %g s in vain for: %s" % (deadline_s, what))
        time.sleep(interval_s)


_reserved = []  # sockets whose names reserve the ports that this process has got


def free_port():
    """Returns a port of this machine that is free at the moment, that the system does not assign to clients, and that no other call in
    any process of the tests returns until this process ends."""
    while True:
        port = random.SystemRandom().randrange(10000, 32768)
        name = socket.socket(socket.AF_UNIX)
        try:
            name.bind("\0screening-port-%d" % port)
            with socket.socket() as sock:
                sock.bind(("127.0.0.1", port))
        except OSError:
            name.close()
            continue
        _reserved.append(name)
        return port


def program(name):
    """Returns the path of a program in the build, such as hospital-svc or screenctl."""
    return os.path.join(BUILD, "cli" if name == "screenctl" else name, name)


@functools.lru_cache(maxsize=None)
def knows(name, flag):
    """Returns whether the service in this build has the flag. Tests also run against older builds, which lack some flags."""
    return flag in subprocess.run([program(name + "-svc"), "--help"], capture_output=True, text=True, check=True).stdout


def psql(url, sql):
    """Runs a query on PostgreSQL. Returns the rows as lists of text."""
    done = subprocess.run(["psql", url, "-X", "-q", "-A", "-t", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-c", sql],
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise AssertionError("psql: " + done.stderr)
    return [line.split("\t") for line in done.stdout.splitlines()]


class Service:
    """A service of the stack: its process, and everything that is needed to restart it."""

    def __init__(self, stack, name, flags, environment=None):
        self.stack, self.name, self.flags = stack, name, dict(flags)
        # Without a keyring, the stack is insecure. Earlier versions ignore the variable.
        self.environment = {**({} if stack.keyring else {"SCREENING_INSECURE": "true"}), **(environment or {})}
        self.process = None
        self.supervised = True  # whether the process is started again if it ends because it is stuck
        self.given_up = False  # whether the test has ended the process, or is about to
        self.wanted = threading.RLock()  # held while a process is started or given up
        self.prefix = []  # words in front of the command, such as setpriv
        self.log_path = os.path.join(stack.folder, name + ".log")
        self.for_services = flags.get("rpc-listen")  # the address at which services call
        self.rpc = flags.get("client-listen", self.for_services)  # the address at which everybody else calls

    def arguments(self, **more):
        flags = dict(self.flags)
        flags.update({key.replace("_", "-"): value for key, value in more.items()})
        return self.prefix + sandbox.words(sandbox.SERVICE, self.stack.sandboxed) + [program(self.name + "-svc")] + ["--%s=%s" % item for item in flags.items()]

    def spawn(self, **more):
        with self.wanted, open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self.arguments(**more), stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                            cwd=self.stack.folder, env={**os.environ, **self.environment})
            self.given_up = False
            if self.supervised:
                threading.Thread(target=self._supervise, args=(self.process, more), daemon=True).start()
        return self

    def start(self, **more):
        self.spawn(**more)
        self.wait_ready()
        return self

    def _supervise(self, process, more):
        """Waits until the process ends, and starts the service again if it was stuck, as Compose does."""
        try:
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # blocks no other thread that waits for the process
        except ChildProcessError:
            pass  # another thread has waited for the process
        stuck = process.wait() == STUCK
        with self.wanted:
            if stuck and self.process is process and not self.given_up:
                self.spawn(**more)

    def serving(self):
        if self.process.poll() not in (None, STUCK):
            raise AssertionError("%s ended with %d\n%s" % (self.name, self.process.returncode, self.log_tail()))
        try:
            client = rpc.Client(self.rpc, timeout=5)  # callers wait for this answer in any case
        except OSError:
            return False
        try:
            reply = client.Check()
            return reply.code == rpc.OK and reply.message.status == 1
        except OSError:
            return False
        finally:
            client.close()

    def wait_ready(self):
        wait_for(self.name + "-svc is ready", self.serving)

    def run_once(self, **more):
        """Runs the service with these additional flags until it ends. Returns the finished process with its output."""
        return subprocess.run(self.arguments(**more), capture_output=True, text=True, timeout=DEADLINE_S, check=False,
                              cwd=self.stack.folder, stdin=subprocess.DEVNULL, env={**os.environ, **self.environment})

    def kill(self, number=signal.SIGKILL):
        """Sends a signal to the process and waits until it ends. The process is not started again."""
        with self.wanted:
            self.given_up = True
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(number)
        self.process.wait(timeout=DEADLINE_S)

    def pause(self):
        """Sends SIGSTOP and waits until all threads have stopped, because on a busy machine threads continue for a while."""
        self.process.send_signal(signal.SIGSTOP)
        wait_for(self.name + "-svc stands", lambda: os.waitid(os.P_PID, self.process.pid, os.WSTOPPED | os.WNOHANG))

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def stop(self):
        """Sends SIGTERM and waits until the process ends. It must exit with 0."""
        self.kill(signal.SIGTERM)
        if self.process is not None and self.process.returncode not in (0, STUCK):
            raise AssertionError("%s ended with %d\n%s" % (self.name, self.process.returncode, self.log_tail()))

    def restart(self, **more):
        self.kill()
        return self.start(**more)

    def log_lines(self):
        """Returns the lines of the log as dicts. A line that is not JSON becomes {"line": text}."""
        result = []
        if os.path.exists(self.log_path):
            with open(self.log_path, encoding="utf-8", errors="replace") as log:
                for line in log:
                    try:
                        result.append(json.loads(line))
                    except ValueError:
                        result.append({"line": line.rstrip("\n")})
        return result

    def log_tail(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as log:
            return "".join(log.readlines()[-30:])


class Gateway(Service):
    """gateway-svc, which has no RPC. `http` is the address at which clients reach it: that of the front door, which opens when it
    is first asked for. The gateway's own addresses are `ops`, as HOST:PORT, and `listen`, the unix socket at `path`; `http2` is `listen`
    for kit/http2.py, and `behind_door` for kit/front.py."""

    def __init__(self, stack, flags):
        super().__init__(stack, "gateway", flags)
        self.ops, self.listen = flags["ops-listen"], flags[HTTP_FLAG]
        self.path = self.listen[len("unix:"):]
        self.http2, self.behind_door = "h2:" + self.listen, "unix@" + self.path

    @property
    def http(self):
        return self.stack.front.http

    def metric(self, name):
        """Returns the value of a metric without labels."""
        client = web.Client(self.ops, timeout=DEADLINE_S)
        try:
            page = client.get("/metrics").body.decode()
        finally:
            client.close()
        return int([line for line in page.splitlines() if line.startswith(name + " ")][0].split()[1])

    def serving(self):
        if self.process.poll() not in (None, STUCK):
            raise AssertionError("gateway ended with %d\n%s" % (self.process.returncode, self.log_tail()))
        # /readyz requires connections to services that the test may play itself or start later.
        path = "/livez" if {"hospital", "booking"} & set(self.stack.without) else "/readyz"
        client = web.Client(self.ops, timeout=5)
        try:
            return client.get(path).code == 200
        except OSError:
            return False
        finally:
            client.close()


class Stack:
    """Runs hospital-svc, booking-svc and history-svc: `with Stack(driver) as stack:`. `without` names the services that the test
    itself plays at their addresses, or starts later. If `gateway` is true, gateway-svc runs too, and the front door before it; `front`
    has settings of the door (kit/front.py), whose limits for an address are wide, and `tls` opens its TLS port too. The services check
    tokens, which `keyring` issues, and each has a listener for clients; if `insecure` is true, they trust every caller. If `wires` is true, each service calls and follows
    the others through wire doors, by TLS; the test's own clients connect to the services' sockets. `doors` has the doors by service.
    `cluster_url` is the URL of the PostgreSQL for the databases. `sandboxed` runs all of them under the filters of their
    systemd units (kit/sandboxed)."""

    def __init__(self, driver="sqlite", without=(), flags=None, cluster_url=CLUSTER_URL, gateway=False, front=None,
                 tls=False, insecure=False, wires=False, sandboxed=sandbox.ALWAYS):
        self.driver, self.cluster_url = driver, cluster_url
        self.folder = tempfile.mkdtemp(prefix="screening-", dir="/tmp")
        self.databases = []
        self.clients = []
        self.services = {}
        self.without = without
        self.with_gateway, self.with_wires, self.sandboxed = gateway, wires, sandboxed
        self.keyring = None
        if not insecure and knows("hospital", "--issuers"):
            from .tokens import Keyring  # needs a package that ./demo, which imports this module, does not
            self.keyring = Keyring(os.path.join(self.folder, "keys"))
        more = flags or {}
        for name in PROGRAMS:
            self.services[name] = Service(self, name, {**self._flags(name), **more.get(name, {})})
        self.hospital_svc, self.booking_svc, self.history_svc = (self.services[name] for name in PROGRAMS)
        if gateway:
            self.gateway_svc = self.services["gateway"] = Gateway(self, {**self._gateway_flags(), **more.get("gateway", {})})
        self.doors = {}
        if wires:
            from .wires import doors_of  # which imports this module
            self.doors = doors_of(self)
        self.outer_credentials = credentials.take(credentials.Credentials(self.keyring))
        self.front_settings = {**({} if tls else {"tls": "off"}), **WIDE, **(front or {})}

    @functools.cached_property
    def front(self):
        """Returns the front door. The first use opens it."""
        from .front import Front  # which imports this module
        return Front(self.gateway_svc.behind_door, sandboxed=self.sandboxed, **self.front_settings).open()

    def address(self, name):
        return "ipc://%s/%s" % (self.folder, name)

    def _peer(self, caller, name):
        """Returns the address at which `caller` reaches the address `name` of another service."""
        return self.address(os.path.join("wires-" + caller, name) if self.with_wires else name)

    def _database(self, name):
        if self.driver == "sqlite" and name != "history":
            return "sqlite:%s/%s.db" % (self.folder, name)
        database = "%s_%s" % (os.path.basename(self.folder).replace("-", "_").lower(), name)
        psql(self.cluster_url, 'CREATE DATABASE "%s"' % database)
        self.databases.append(database)
        return self.cluster_url.replace("/postgres?", "/%s?" % database)

    def _flags(self, name):
        flags = {"rpc-listen": self.address(name + ".rpc"), "ops-listen": "", "database": self._database(name)}
        if self.with_gateway and knows(name, "--gateway-listen"):
            flags["gateway-listen"] = self.address(name + ".gateway")
        if self.keyring:
            # A wire door speaks nng's tcp framing with clients.
            clients = "tcp://127.0.0.1:%d" % free_port() if self.with_wires else self.address(name + ".clients")
            flags.update(self._security_flags(name), **{"client-listen": clients})
        if name != "history":
            flags["events-listen"] = self.address(name + ".events")
        if name == "booking":
            flags["reserve-timeout-ms"] = PATIENT_MS
        for other in ("hospital", "booking"):
            if other != name:
                flags[other + "-events"] = self._peer(name, other + ".events")
                flags[other + "-rpc"] = self._peer(name, other + ".rpc")
        return flags

    def _security_flags(self, name):
        wide = dict.fromkeys(("changes-per-s", "changes-burst", "reads-per-s", "reads-burst"), 1000000) if name != "gateway" else {}
        return {**wide, "issuers": self.keyring.issuers_path, "token-key": self.keyring.key_path(name + "-svc")}

    def _gateway_flags(self):
        flags = {HTTP_FLAG: "unix:%s/gateway.http" % self.folder, "ops-listen": "127.0.0.1:%d" % free_port()}
        if self.keyring:
            flags.update(self._security_flags("gateway"))
        for name in PROGRAMS:
            # A service that the test plays itself listens at one address only.
            of_its_own = "gateway-listen" in self.services[name].flags and name not in self.without and not self.with_wires
            flags[name + "-rpc"] = self._peer("gateway", name + (".gateway" if of_its_own else ".rpc"))
            if name != "history":
                flags[name + "-events"] = self._peer("gateway", name + ".events")
        return flags

    def __enter__(self):
        try:
            for door in self.doors.values():
                door.start()
            wanted = [service for name, service in self.services.items() if name not in self.without]
            for service in wanted:
                service.spawn()
            for service in wanted:
                service.wait_ready()
            if not {"hospital", "booking"} & set(self.without):
                self.wait_paired()
        except BaseException:
            self.close(failed=True)
            raise
        return self

    def __exit__(self, kind, *_):
        self.close(failed=kind is not None)

    def close(self, failed=False):
        for client in self.clients:
            client.close()
        credentials.take(self.outer_credentials)
        problems = []
        if "front" in self.__dict__:
            self.front.end(failed)
        order = ("gateway", "booking", "hospital", "history")
        for service in (self.services[name] for name in order if name in self.services):
            with service.wanted:
                service.given_up = True
            if service.process is None or service.process.poll() is not None:
                continue
            service.resume()  # a test that failed may have left the process paused
            try:
                service.stop()
            except (AssertionError, subprocess.TimeoutExpired) as problem:
                service.kill()
                problems.append("stopping %s: %s" % (service.name, problem))
        for door in self.doors.values():
            door.close(failed)
        problems += self._sanitizer_reports()
        if failed:
            for service in self.services.values():
                if os.path.exists(service.log_path):
                    print("---- the end of %s-svc's log\n%s" % (service.name, service.log_tail()))
        for database in self.databases:
            psql(self.cluster_url, 'DROP DATABASE "%s" WITH (FORCE)' % database)
        shutil.rmtree(self.folder, ignore_errors=True)
        if problems and not failed:
            raise AssertionError("\n".join(problems))

    def _sanitizer_reports(self):
        reports = []
        for service in self.services.values():
            for line in service.log_lines():
                text = line.get("line", "")
                if "ERROR: AddressSanitizer" in text or "WARNING: ThreadSanitizer" in text or "runtime error:" in text \
                        or "ERROR: LeakSanitizer" in text:
                    with open(service.log_path, encoding="utf-8", errors="replace") as log:
                        reports.append("%s-svc: %s\n%s" % (service.name, text, log.read()[-6000:]))
                    break
        return reports

    # ---- calling the services

    def client(self, name):
        client = web.Client(self.gateway_svc.http) if name == "gateway" else self._rpc_client(name)
        self.clients.append(client)
        return client

    def _rpc_client(self, name):
        """Returns a client of a service. With tokens, it calls methods that only services call at the listener for services."""
        if not self.keyring:
            return rpc.Client(self.services[name].rpc)
        return rpc.SecureClient(self.services[name].rpc, self.services[name].for_services)

    @property
    def hospital(self):
        return self._cached("hospital")

    @property
    def booking(self):
        return self._cached("booking")

    @property
    def history(self):
        return self._cached("history")

    @property
    def gateway(self):
        """Returns an HTTP client (web.Client) of the gateway."""
        return self._cached("gateway")

    def _cached(self, name):
        """Returns a client of the running service. Each process of the service gets a new connection."""
        cache = self.__dict__.setdefault("_cache", {})
        process = self.services[name].process
        if name not in cache or cache[name][0] is not process:
            cache[name] = (process, self.client(name))
        return cache[name][1]

    def stat(self, name, metric):
        """Returns the current value of a service's metric, or None if the service has no such metric."""
        found = [stat.value for stat in getattr(self, name).Stats().message.stats if stat.name == metric]
        return found[0] if found else None

    def wait_paired(self):
        """Waits until hospital-svc is paired and grants places. A build without pairing always grants them."""
        wait_for("hospital-svc is paired with booking-svc", lambda: self.stat("hospital", "hospital_paired") != 0)

    def made_files(self):
        """Returns the names of what the services have made in the folder, besides their logs."""
        return sorted(name for name in os.listdir(self.folder) if name != "keys" and not name.endswith(".log"))

    # ---- reading the databases

    def url(self, name):
        return self.services[name].flags["database"]

    def rows(self, name, sql):
        """Returns the rows of a query on the service's database, as tuples. With PostgreSQL, all values are text."""
        url = self.url(name)
        if url.startswith("sqlite:"):
            with sqlite3.connect("file:%s?mode=ro" % url[len("sqlite:"):], uri=True, timeout=30) as connection:
                return connection.execute(sql).fetchall()
        if name == "history":
            sql = "SET search_path = history; " + sql
        return [tuple(row) for row in psql(url, sql)]

    def value(self, name, sql):
        return int(self.rows(name, sql)[0][0])

    def execute(self, name, sql):
        """Executes SQL on the service's database, bypassing the service."""
        url = self.url(name)
        if url.startswith("sqlite:"):
            connection = sqlite3.connect(url[len("sqlite:"):], timeout=30)
            connection.executescript(sql)
            connection.close()
        else:
            psql(url, sql)
