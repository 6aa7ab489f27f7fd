"""Books and cancels while services are killed, remembers every answer, and later compares the answers with the services."""

import collections
import signal
import threading
import time

from kit.ids import new_id
from looking import Look, look_until
from problems import StackError
from report import say

WORKERS = 4
CAPACITY = 100000
ANSWER_S = 120  # without a definite answer after this time, a service has not recovered
SHOWN_EVERY = 50


def _code(answer):
    """Returns the code of an error, such as "FAILED_PRECONDITION" of "screenctl: FAILED_PRECONDITION SOLD_OUT: ..."."""
    _, _, rest = answer.error.partition(": ")
    return rest.partition(":")[0].partition(" ")[0]


class Load:
    """A load of one customer at one hospital on one day. `told` maps each booking's id to the status in the last answer."""

    def __init__(self, screenctl):
        self.screenctl = screenctl
        self.customer = "load-" + new_id()
        self.hospital_id = new_id()
        self.told, self.problem, self.stop = {}, None, threading.Event()
        self.lock = threading.Lock()

    def register(self):
        answer = self.screenctl.ask("hospital", "register", "--name", "부하시험센터", "--id", self.hospital_id, "--day",
                                    "+1=%d" % CAPACITY)
        self.date = answer["days"][0]["date"]

    def _definite(self, *words):
        """Repeats the same request with the same id until its outcome is known. Returns the status, or None for a refusal."""
        deadline = time.monotonic() + ANSWER_S
        while time.monotonic() < deadline:
            answer = self.screenctl.run(*words)
            if answer.exit_code == 0 and answer.body["status"] != "REQUESTED":
                return answer.body["status"]
            if _code(answer) == "FAILED_PRECONDITION":
                return None
            self.stop.wait(0.05)
        raise StackError("no definite answer within %d s: %s: %s" % (ANSWER_S, answer.command, answer.error))

    def _book(self, booking_id):
        return self._definite("book", "--customer", self.customer, "--name", "김하늘", "--hospital", self.hospital_id,
                              "--date", self.date, "--id", booking_id) or "REJECTED"

    def _work(self):
        try:
            number = 0
            while not self.stop.is_set():
                number += 1
                booking_id = new_id()
                status = self._book(booking_id)
                if status == "CONFIRMED" and number % 3 == 0:
                    status = self._definite("booking", "cancel", booking_id) or "refused to cancel"
                self._note(booking_id, status)
        except (StackError, OSError, ValueError) as problem:
            self.problem = problem
            self.stop.set()

    def _note(self, booking_id, status):
        with self.lock:
            self.told[booking_id] = status
            if len(self.told) % SHOWN_EVERY == 0:
                say("%d bookings answered" % len(self.told))

    def run(self):
        """Books and cancels until SIGTERM."""
        signal.signal(signal.SIGTERM, lambda number, frame: self.stop.set())
        workers = [threading.Thread(target=self._work) for _ in range(WORKERS)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        if self.problem is not None:
            raise StackError(str(self.problem))


def _compare(load, listed):
    """Returns the number of listed bookings by status, and how many bookings differ from the last answer to the customer."""
    return {**dict(sorted(collections.Counter(listed.values()).items())),
            "not as told": sum(listed.get(one) != status for one, status in load.told.items())}


def play(stack, report):
    load, look = Load(stack.screenctl), Look(stack.screenctl)
    load.register()
    say("booking with %d workers until SIGTERM" % WORKERS)
    load.run()
    expected = _compare(load, load.told)

    def by_booking():
        return _compare(load, {one["bookingId"]: one["status"] for one in look.bookings("--customer", load.customer)})

    def by_history():
        bookings = (one["booking"] for one in look.ask("history", "customer", load.customer)["bookings"])
        return _compare(load, {one["bookingId"]: one["status"] for one in bookings})

    did = "%d bookings, each until its answer was definite" % len(load.told)
    report.add("booking-svc has its answers", did, expected, by_booking())
    saw, took_s = look_until(expected, by_history)
    report.add("history-svc agrees with them", did, expected, saw, took_s=took_s)
    places = {"places left": CAPACITY - expected.get("CONFIRMED", 0)}
    saw, took_s = look_until(places, lambda: {"places left": look.remaining(load.hospital_id, load.date)})
    report.add("as many places are taken as are CONFIRMED", did, places, saw, took_s=took_s)
