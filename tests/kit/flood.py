"""A caller that takes all it can get, beside a normal one whose calls are measured with and without it."""

import itertools
import multiprocessing
import time

from . import sp
from .stack import is_sanitized

ROUNDS = 3  # a machine that is busy elsewhere can spoil a round, a defect spoils each


class Flood:
    """A process of its own that keeps so many requests under way on one connection, reading the answers: `with Flood(...)`.
    `bodies`: packed requests (rpc.pack), sent in turn."""

    def __init__(self, address, bodies, in_flight):
        self.address, self.bodies, self.in_flight = address, bodies, in_flight
        context = multiprocessing.get_context("fork")
        self.answered = context.Value("Q", 0)
        self.process = context.Process(target=self._run, daemon=True)

    def _run(self):
        requester = sp.Requester(self.address)
        bodies = itertools.cycle(self.bodies)
        for _ in range(self.in_flight):
            requester.send(next(bodies))
        while True:
            requester.pipe.receive()
            self.answered.value += 1
            requester.send(next(bodies))

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


class Figures:
    """Calls one after the other: how many succeeded, and how long the slowest of a hundred took."""

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
    """call() is true while attack() goes on, and takes at most `ratio` times as long as without it, in one round of three.
    A sanitizer's build is asked for success only."""
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
