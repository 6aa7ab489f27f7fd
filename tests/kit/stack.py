"""Runs the real services on their own addresses and databases, in their own folder."""

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

from . import rpc, web

BUILD = os.environ.get("SCREENING_BUILD", os.path.join(os.path.dirname(__file__), "../../build/release"))
CLUSTER_URL = os.environ.get("SCREENING_TEST_POSTGRESQL", "")
# for a condition that must become true: far longer than it ever takes, even under sanitizers
DEADLINE_S = int(os.environ.get("SCREENING_DEADLINE_S", "60"))

# long enough for a slow machine: only tests about slowness itself set a shorter time
PATIENT_MS = 30000

PROGRAMS = ("hospital", "booking", "history")  # those with a database
STUCK = 3  # the exit code of a service that asks to be started again (docs/operations.md)


def is_sanitized():
    """Returns whether this is a sanitizer build, whose programs are slow and keep freed memory."""
    with open(os.path.join(BUILD, "CMakeCache.txt"), encoding="utf-8") as cache:
        return any(line.startswith("SCREENING_SANITIZE:") and line.rstrip("\n").partition("=")[2] for line in cache)


def wait_for(what, condition, deadline_s=DEADLINE_S, interval_s=0.02):
    """Waits until condition() is true and returns it. Fails with the name of the condition."""
    end = time.monotonic() + deadline_s
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > end:
            raise AssertionError("waited %g s in vain for: %s" % (deadline_s, what))
        time.sleep(interval_s)


def free_port():
    """Returns a port of this machine that is free now and that the system does not assign by itself."""
    while True:
        port = random.SystemRandom().randrange(10000, 32768)
        with socket.socket() as sock:
            try:
                sock.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def program(name):
    """Returns the path of a program in the build, such as hospital-svc or screenctl."""
    return os.path.join(BUILD, "cli" if name == "screenctl" else name, name)


@functools.lru_cache(maxsize=None)
def knows(name, flag):
    """Returns whether the service in this build has the flag, because tests also run against older builds."""
    return flag in subprocess.run([program(name + "-svc"), "--help"], capture_output=True, text=True, check=True).stdout


def psql(url, sql):
    """Runs a query on PostgreSQL. Returns rows of text."""
    done = subprocess.run(["psql", url, "-X", "-q", "-A", "-t", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-c", sql],
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise AssertionError("psql: " + done.stderr)
    return [line.split("\t") for line in done.stdout.splitlines()]


class Service:
    """One process of the stack, with everything needed to restart it."""

    def __init__(self, stack, name, flags, environment=None):
        self.stack, self.name, self.flags = stack, name, dict(flags)
        self.environment = environment or {}
        self.process = None
        self.supervised = True  # a process that ends because it is stuck is started again
        self.given_up = False  # the test has ended the process, or is about to
        self.wanted = threading.RLock()  # held to start a process or give it up
        self.prefix = []  # a prefix of the command, such as setpriv
        self.log_path = os.path.join(stack.folder, name + ".log")
        self.rpc = flags.get("rpc-listen")

    def arguments(self, **more):
        flags = dict(self.flags)
        flags.update({key.replace("_", "-"): value for key, value in more.items()})
        return self.prefix + [program(self.name + "-svc")] + ["--%s=%s" % item for item in flags.items()]

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
        """Starts the service again if it ends because it is stuck, as Compose does."""
        try:
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # blocks no other thread that waits for it
        except ChildProcessError:
            pass  # another thread has waited for it
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
        """Runs the service to its end with these additional flags. Returns the finished process with its output."""
        return subprocess.run(self.arguments(**more), capture_output=True, text=True, timeout=DEADLINE_S, check=False,
                              cwd=self.stack.folder, stdin=subprocess.DEVNULL, env={**os.environ, **self.environment})

    def kill(self, number=signal.SIGKILL):
        """Kills the process and waits for its end. No process follows it."""
        with self.wanted:
            self.given_up = True
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(number)
        self.process.wait(timeout=DEADLINE_S)

    def pause(self):
        """Sends SIGSTOP and waits until all threads have stopped, because on a busy machine they keep serving for a
        while."""
        self.process.send_signal(signal.SIGSTOP)
        wait_for(self.name + "-svc stands", lambda: os.waitid(os.P_PID, self.process.pid, os.WSTOPPED | os.WNOHANG))

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def stop(self):
        """Sends SIGTERM. The process must exit with 0."""
        self.kill(signal.SIGTERM)
        if self.process is not None and self.process.returncode not in (0, STUCK):
            raise AssertionError("%s ended with %d\n%s" % (self.name, self.process.returncode, self.log_tail()))

    def restart(self, **more):
        self.kill()
        return self.start(**more)

    def log_lines(self):
        """Returns the log as dicts. A line that is not JSON becomes {"line": text}."""
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
    """gateway-svc, which speaks HTTP only. `http` and `ops` are its HOST:PORT."""

    def __init__(self, stack, flags):
        super().__init__(stack, "gateway", flags)
        self.http, self.ops = flags["http-listen"], flags["ops-listen"]

    def serving(self):
        if self.process.poll() not in (None, STUCK):
            raise AssertionError("gateway ended with %d\n%s" % (self.process.returncode, self.log_tail()))
        # Ready means connected to services that the test may play itself or start later.
        path = "/livez" if {"hospital", "booking"} & set(self.stack.without) else "/readyz"
        client = web.Client(self.ops, timeout=5)
        try:
            return client.get(path).code == 200
        except OSError:
            return False
        finally:
            client.close()


class Stack:
    """Runs hospital-svc, booking-svc and history-svc: `with Stack(driver) as stack:`. `without`: services that the test
    itself plays at their addresses, or starts later. `gateway`: whether gateway-svc runs in front of them.
    `cluster_url`: the PostgreSQL for the databases."""

    def __init__(self, driver="sqlite", without=(), flags=None, cluster_url=CLUSTER_URL, gateway=False):
        self.driver, self.cluster_url = driver, cluster_url
        self.folder = tempfile.mkdtemp(prefix="screening-", dir="/tmp")
        self.databases = []
        self.clients = []
        self.services = {}
        self.without = without
        self.with_gateway = gateway
        more = flags or {}
        for name in PROGRAMS:
            self.services[name] = Service(self, name, {**self._flags(name), **more.get(name, {})})
        self.hospital_svc, self.booking_svc, self.history_svc = (self.services[name] for name in PROGRAMS)
        if gateway:
            self.gateway_svc = self.services["gateway"] = Gateway(self, {**self._gateway_flags(), **more.get("gateway", {})})

    def address(self, name):
        return "ipc://%s/%s" % (self.folder, name)

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
        if name != "history":
            flags["events-listen"] = self.address(name + ".events")
        if name == "booking":
            flags["reserve-timeout-ms"] = PATIENT_MS
        for other in ("hospital", "booking"):
            if other != name:
                flags[other + "-events"] = self.address(other + ".events")
                flags[other + "-rpc"] = self.address(other + ".rpc")
        return flags

    def _gateway_flags(self):
        flags = {"http-listen": "127.0.0.1:%d" % free_port(), "ops-listen": "127.0.0.1:%d" % free_port()}
        for name in PROGRAMS:
            # A service that the test plays itself listens at one address only.
            of_its_own = "gateway-listen" in self.services[name].flags and name not in self.without
            flags[name + "-rpc"] = self.address(name + (".gateway" if of_its_own else ".rpc"))
            if name != "history":
                flags[name + "-events"] = self.address(name + ".events")
        return flags

    def __enter__(self):
        try:
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
        problems = []
        order = ("gateway", "booking", "hospital", "history")
        for service in (self.services[name] for name in order if name in self.services):
            with service.wanted:
                service.given_up = True
            if service.process is None or service.process.poll() is not None:
                continue
            service.resume()  # a failed test may have left it suspended
            try:
                service.stop()
            except (AssertionError, subprocess.TimeoutExpired) as problem:
                service.kill()
                problems.append("stopping %s: %s" % (service.name, problem))
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

    # ---- speaking to the services

    def client(self, name):
        client = web.Client(self.gateway_svc.http) if name == "gateway" else rpc.Client(self.services[name].rpc)
        self.clients.append(client)
        return client

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
        """Returns an HTTP client (web.Client)."""
        return self._cached("gateway")

    def _cached(self, name):
        """Returns a client of the running service, with a new connection after each start."""
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
        """Waits until hospital-svc grants places, which a build without pairing always does."""
        wait_for("hospital-svc is paired with booking-svc", lambda: self.stat("hospital", "hospital_paired") != 0)

    # ---- reading the databases

    def url(self, name):
        return self.services[name].flags["database"]

    def rows(self, name, sql):
        """Returns rows of the service's own database, as tuples of the driver's values (PostgreSQL: text)."""
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
        """Changes the database behind the service's back."""
        url = self.url(name)
        if url.startswith("sqlite:"):
            connection = sqlite3.connect(url[len("sqlite:"):], timeout=30)
            connection.executescript(sql)
            connection.close()
        else:
            psql(url, sql)
