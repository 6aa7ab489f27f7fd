"""Runs the front door, and plays a gateway behind it."""

import collections
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

from . import sandbox
from .stack import DEADLINE_S, free_port, wait_for

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = os.environ.get("SCREENING_FRONT", os.path.join(ROOT, "deploy/front/front"))
# HAProxy up to 2.6.12 may crash while it frees what belongs to connections: https://github.com/haproxy/haproxy/issues/2114
CRASHED_AT_END = 139
HOSTS = "localhost 127.0.0.1 [::1] test t"


def drains():
    """Returns whether this HAProxy reads the rest of a request after its answer, as version 3.0 and later do."""
    program = shutil.which("haproxy", path=os.environ["PATH"] + ":/usr/sbin")
    text = subprocess.run([program, "-v"], stdout=subprocess.PIPE, check=True, encoding="utf-8").stdout
    return int(re.match(r"HAProxy version (\d+)", text)[1]) >= 3


class Front:
    """Runs deploy/front/front in front of the gateway at `address`: `with Front(address, address_requests=3) as front:`. `http` and
    `tls` are its own addresses; the settings are the variables of its environment, in lower case and without FRONT_."""

    def __init__(self, address, files=None, variables=None, sandboxed=sandbox.ALWAYS, **settings):
        proto = "h2" if address.startswith("unix@") else "h1"  # a PlayedGateway speaks HTTP/1.1
        self.folder = tempfile.mkdtemp(prefix="screening-front-", dir="/tmp")
        self.run_folder, self.log_path = os.path.join(self.folder, "run"), os.path.join(self.folder, "log")
        own = {name: "127.0.0.1:%d" % free_port() for name in ("http", "tls")}
        self.settings = {**own, "gateway": address, "gateway_proto": proto, "folder": self.run_folder, "hosts": HOSTS, "drain": "5s",
                         **settings}
        self.http, self.tls = self.settings["http"], self.settings["tls"]
        self.program, self.files = PROGRAM, files  # `files`: the file descriptors that it may have
        self.sandbox = sandbox.words(sandbox.FRONT, sandboxed)
        self.variables = variables or {}  # more of its environment
        self.process, self.begun_at = None, 0  # where its part of the log begins

    def run(self, *words):
        """Starts the front door and appends its output to the log."""
        environment = {key: value for key, value in os.environ.items() if not key.startswith("FRONT_")}
        environment.update(self.variables)
        environment.update(("FRONT_" + name.upper(), str(value)) for name, value in self.settings.items())
        limited = ["prlimit", "--nofile=%d:%d" % (self.files, self.files)] if self.files else []
        with open(self.log_path, "ab") as log:
            return subprocess.Popen([*limited, *self.sandbox, self.program, *words], stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=environment,
                                    cwd=self.folder)

    def start(self):
        self.begun_at = len(self.log()) if os.path.exists(self.log_path) else 0
        self.process = self.run()
        wait_for("the door is open", self._is_open)
        return self

    def _is_open(self):
        assert self.process.poll() is None, "the door ended with %d\n%s" % (self.process.returncode, self.log())
        return "Loading success" in self.log()[self.begun_at:]

    def workers(self):
        """Returns the ids of the HAProxy processes that serve."""
        with open("/proc/%d/task/%d/children" % (self.process.pid, self.process.pid), encoding="ascii") as children:
            return {int(pid) for pid in children.read().split()}

    def reload(self):
        """Reloads the front door, and waits until a new process serves."""
        before, sent_at, reloads = self.workers(), 0, self.log().count("Reloading")

        def serves():
            nonlocal sent_at
            if self.workers() - before:
                return "Loading success" in self.log().rpartition("Reloading")[2]
            # HAProxy may lose a signal while it starts. A second one that it does not lose would lead to a second reload.
            if self.log().count("Reloading") == reloads and time.monotonic() > sent_at + 2:
                self.process.send_signal(signal.SIGUSR2)
                sent_at = time.monotonic()
            return False
        wait_for("a new process serves", serves)

    def end(self, failed):
        """Ends the front door without a drain, and removes its files."""
        while self.process.poll() is None:
            self.process.terminate()  # HAProxy may lose a signal while it starts
            try:
                self.process.wait(timeout=1)
            except subprocess.TimeoutExpired:
                pass
        self._remove(failed)

    def stop(self):
        """Drains the front door, and checks that it exits with 0, or crashes after its last answer, as HAProxy 2.6 may."""
        if self.process is None or self.process.poll() is not None:
            return
        end = time.monotonic() + DEADLINE_S
        while self.process.poll() is None:
            assert time.monotonic() < end, "the door does not end\n" + self.log()
            # HAProxy may lose a signal while it starts. A second one would kill a worker that is ending.
            if "Exiting Master process" not in self.log()[self.begun_at:]:
                self.process.send_signal(signal.SIGUSR1)
            try:
                self.process.wait(timeout=1)
            except subprocess.TimeoutExpired:
                pass
        crashes = "haproxy version is 2.6." in self.log()
        assert self.process.returncode in ((0, CRASHED_AT_END) if crashes else (0,)), "the door ended with %d\n%s" % (
            self.process.returncode, self.log())

    def close(self, failed=False):
        try:
            self.stop()
        except BaseException:
            if self.process is not None:
                self.process.kill()  # its workers notice that
                self.process.wait()
            if not failed:
                raise
        finally:
            self._remove(failed)

    def _remove(self, failed):
        if failed and os.path.exists(self.log_path):
            print("---- the end of the door's log\n" + self.log()[-6000:])
        shutil.rmtree(self.folder, ignore_errors=True)

    def open(self):
        """Starts the front door. If that fails, removes its files."""
        try:
            return self.start()
        except BaseException:
            self.close(failed=True)
            raise

    def __enter__(self):
        return self.open()

    def __exit__(self, kind, *_):
        self.close(failed=kind is not None)

    def log(self):
        with open(self.log_path, encoding="utf-8") as log:
            return log.read()

    def requests(self):
        """Returns the lines of the access log."""
        return [json.loads(line) for line in self.log().splitlines() if '"http.request"' in line]

    def wait_requests(self, count):
        wait_for("%d requests are logged" % count, lambda: len(self.requests()) >= count)
        return self.requests()

    def table(self, name):
        """Returns how many connections or streams, or requests in this second, each address has."""
        counter = "http_req_rate(1000)" if name == "requests" else "conn_cur"
        return {address: counters[counter] for address, counters in self.counters(name).items()}

    def counters(self, name):
        """Returns the rows of a stick table: {address: {counter: value}}."""
        with socket.socket(socket.AF_UNIX) as admin:
            admin.settimeout(DEADLINE_S)
            admin.connect(os.path.join(self.run_folder, "admin"))
            admin.sendall(b"show table %s\n" % name.encode())
            text = b""
            while chunk := admin.recv(65536):
                text += chunk
        rows = [dict(field.split("=", 1) for field in line.split()[1:]) for line in text.decode().splitlines() if "key=" in line]
        return {row.pop("key"): {counter: int(value) for counter, value in row.items()} for row in rows}


Request = collections.namedtuple("Request", "line fields body connection")


class PlayedGateway:
    """A gateway that answers each request with 200 and `{}`, or with a stream if it is for /events. `requests` has all requests in the
    order in which their heads arrived, each with the number of its connection; bodies are read before the answer."""

    def __init__(self, answer=b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}", delay_s=0):
        self.answer, self.delay_s = answer, delay_s
        self.requests, self.streams, self.ended_streams = [], [], 0
        self.connections, self.in_flight, self.most_in_flight = 0, 0, 0
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", free_port()), backlog=1000)
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.accepted = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # it is closed
        self.listener.close()

    def _accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            self.accepted += 1
            threading.Thread(target=self._serve, args=(sock, self.accepted), daemon=True).start()

    def _serve(self, sock, number):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self.lock:
            self.connections += 1
        try:
            with sock, sock.makefile("rb") as stream:
                while self._serve_one(sock, stream, number):
                    pass
        except OSError:
            pass  # the door closed the connection
        finally:
            with self.lock:
                self.connections -= 1

    def _serve_one(self, sock, stream, number):
        line = stream.readline().decode().rstrip("\r\n")
        if not line:
            return False
        fields = {}
        while field := stream.readline().decode().rstrip("\r\n"):
            name, _, value = field.partition(":")
            fields[name.lower()] = value.strip()
        request = Request(line, fields, [], number)
        self.requests.append(request)
        if "chunked" in fields.get("transfer-encoding", ""):
            while size := int(stream.readline(), 16):
                request.body.append(stream.read(size))
                stream.readline()
            stream.readline()
        else:
            request.body.append(stream.read(int(fields.get("content-length", 0))))
        with self.lock:
            self.in_flight += 1
            self.most_in_flight = max(self.in_flight, self.most_in_flight)
        time.sleep(self.delay_s)
        with self.lock:
            self.in_flight -= 1
        if line.split(" ")[1].startswith("/events"):
            self._stream(sock)
            return False
        sock.sendall(self.answer)
        return b"\r\n\r\n" in self.answer

    def _stream(self, sock):
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        self.streams.append(sock)
        try:
            while sock.recv(1):
                pass
        except OSError:
            pass
        with self.lock:
            self.ended_streams += 1

    def tell(self, data):
        """Sends one event to every stream."""
        event = b"data: %s\n\n" % data
        for sock in list(self.streams):
            try:
                sock.sendall(b"%x\r\n%s\r\n" % (len(event), event))
            except OSError:
                pass  # it has ended
