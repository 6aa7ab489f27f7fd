"""Measures the calls of a normal caller with and without a greedy caller."""

import itertools
import multiprocessing
import re
import selectors
import socket
import time

from . import sp
from .stack import is_sanitized

ROUNDS = 3  # other activity on the machine can spoil one round, but a defect spoils every round


class _Process:
    """A process that repeats an operation during a `with` block. `answered` counts the answers."""

    def __init__(self):
        context = multiprocessing.get_context("fork")
        self.answered = context.Value("Q", 0)
        self.process = context.Process(target=self._run, daemon=True)

    def _run(self):
        raise NotImplementedError

    def __enter__(self):
        self.process.start()
        while self.answered.value == 0:
            if not self.process.is_alive():
                raise AssertionError("the flood has ended")
            time.sleep(0.01)
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.join()


class Flood(_Process):
    """Keeps `in_flight` requests in flight on one connection and reads the answers. `bodies` are packed requests (rpc.pack), which
    are sent in turn."""

    def __init__(self, address, bodies, in_flight):
        super().__init__()
        self.address, self.bodies, self.in_flight = address, bodies, in_flight

    def _run(self):
        requester = sp.Requester(self.address)
        bodies = itertools.cycle(self.bodies)
        for _ in range(self.in_flight):
            requester.send(next(bodies))
        while True:
            requester.pipe.receive()
            self.answered.value += 1
            requester.send(next(bodies))


class HttpFlood(_Process):
    """Keeps one request in flight on each of several HTTP connections: sends the same request again after each answer. `source` is
    the local address of the connections; all of 127.0.0.0/8 is this machine."""

    def __init__(self, address, request, connections, source):
        super().__init__()
        host, port = address.rsplit(":", 1)
        self.where, self.request, self.connections, self.source = (host, int(port)), request, connections, source

    def _run(self):
        selector = selectors.DefaultSelector()
        for _ in range(self.connections):
            sock = socket.create_connection(self.where, source_address=(self.source, 0))
            sock.sendall(self.request)
            selector.register(sock, selectors.EVENT_READ, 0)
        while True:
            for key, _ in selector.select():
                self._read(selector, key)

    def _read(self, selector, key):
        """Reads from a connection. `key.data` is the number of bytes that an incomplete answer still lacks. The head must arrive in
        one piece."""
        data, missing = key.fileobj.recv(1 << 20), key.data
        if not data:
            raise ConnectionError("the gateway has closed the connection")
        if missing == 0:
            head, _, data = data.partition(b"\r\n\r\n")
            missing = int(re.search(rb"(?i)\r\ncontent-length: (\d+)", head)[1])
        missing -= len(data)
        if missing == 0:
            self.answered.value += 1
            key.fileobj.sendall(self.request)
        selector.modify(key.fileobj, selectors.EVENT_READ, missing)


class Figures:
    """The figures of consecutive calls: how many succeeded, and the 99th percentile of their durations."""

    def __init__(self, call, seconds):
        self.calls = self.good = 0
        took = []
        end = time.monotonic() + seconds
        while time.monotonic() < end or self.calls < 20:
            begun = time.monotonic()
            self.good += bool(call())
            took.append(time.monotonic() - begun)
            self.calls += 1
        self.p99_s = sorted(took)[len(took) * 99 // 100]

    def __repr__(self):
        return "%d of %d good, p99 %.2f ms" % (self.good, self.calls, 1000 * self.p99_s)


def check_unharmed(call, attack, ratio, seconds=1.0):
    """Checks that call() keeps succeeding during attack(), and takes at most `ratio` times as long as without attack() in at least
    one round of three. With a sanitizer build, checks only that it succeeds."""
    wrong = []
    for _ in range(ROUNDS):
        control = Figures(call, seconds)
        with attack() as flood:
            beside = Figures(call, seconds)
            answered = flood.answered.value
        print("alone: %s; beside %d calls of another: %s" % (control, answered, beside), flush=True)
        wrong = []
        if control.good < control.calls or beside.good < beside.calls:
            wrong.append("calls failed")
        if beside.p99_s > ratio * control.p99_s and not is_sanitized():
            wrong.append("p99 is %.0f times that of the control run" % (beside.p99_s / control.p99_s))
        if not wrong:
            return
    raise AssertionError("%s, in each of %d rounds" % (", ".join(wrong), ROUNDS))
