"""Runs client programs that book, cancel and look up, and retry as the contract requires. Each call has a budget. As long as the
budget lasts, the program repeats the request after every answer for which the contract allows a retry."""
import random
import threading
import time

from kit import rpc
from kit.stack import PROGRAMS
from kit.workers import Workers
from kit.world import CANCELLED, CONFIRMED, REQUESTED, booking_request, day, status_of

RECONNECT_PAUSE_S = 0.02
AGAIN = (rpc.UNAVAILABLE, rpc.RESOURCE_EXHAUSTED, rpc.DEADLINE_EXCEEDED)


class Line:
    """The connection of one program to one service. After a failure the program reconnects, to the next replica if the current one
    is not available."""

    def __init__(self, addresses, budget_s):
        self.addresses, self.budget_s = addresses, budget_s
        self.client = None
        self.attempts = 0

    def call(self, name, **request):
        """Returns the answer, or a text that describes the attempts if the budget has ended."""
        end, met = time.monotonic() + self.budget_s, []
        while True:
            left_s = end - time.monotonic()
            if left_s < 0.001:
                return "%s within %g s: %s" % (name, self.budget_s, "; ".join(met[-8:]))
            self.attempts += 1
            reply = self._attempt(name, left_s, request)
            if not isinstance(reply, str) and reply.code not in AGAIN:
                return reply
            if not isinstance(reply, str) and reply.code == rpc.UNAVAILABLE and len(self.addresses) > 1:
                self.close()
            met.append("%.3f s before the end: %s" % (left_s, reply))
            pause_s = RECONNECT_PAUSE_S if isinstance(reply, str) else reply.retry_after_ms / 1000
            time.sleep(max(0, min(pause_s, end - time.monotonic())))

    def _attempt(self, name, left_s, request):
        """Returns the answer, or a text that describes how the connection failed."""
        try:
            if self.client is None:
                self.client = rpc.Client(self.addresses[0], timeout=left_s)
            self.client.requester.pipe.sock.settimeout(left_s + 1)
            return self.client.call(name, timeout_ms=int(left_s * 1000), **request)
        except OSError as problem:
            self.close()
            return repr(problem)

    def close(self):
        if self.client is not None:
            self.client.close()
        self.client = None
        self.addresses = self.addresses[1:] + self.addresses[:1]


class Callers(Workers):
    """Runs programs that book and look up continuously: `with Callers(stack, hospital_id) as callers: ...`. Four programs book, and
    cancel every fourth booking. Two programs look up, one at hospital-svc and one at history-svc. `callers.failed` describes each
    call that did not succeed within its budget. `callers.refused` lists (start time, answer or text) of each call that was
    not answered OK."""

    def __init__(self, stack, hospital_id, budget_s=5, bookers=4, readers=("hospital", "history"), pause_s=0.002):
        self.stack, self.hospital_id, self.budget_s, self.pause_s = stack, hospital_id, budget_s, pause_s
        self.confirmed, self.cancelled, self.failed, self.refused = set(), set(), [], []
        self.calls = self.attempts = 0
        self.longest_s = 0.0
        self.lock = threading.Lock()
        self.addresses = {name: [service.rpc for service in stack.services.values() if service.name == name]
                          for name in PROGRAMS}
        work = [(self._book, "booking", seed) for seed in range(bookers)]
        work += [(getattr(self, "_look_at_" + name), name, bookers) for name in readers]
        super().__init__([(self._work, arguments) for arguments in work])

    def _work(self, task, name, seed):
        line, randoms = Line(self.addresses[name], self.budget_s), random.Random(seed)
        try:
            while not self.stopping.is_set():
                task(line, randoms)
                time.sleep(self.pause_s)  # a customer's pause between two calls
        except Exception as problem:
            self.failed.append(repr(problem))
        line.close()
        with self.lock:
            self.attempts += line.attempts

    def _ask(self, line, name, **request):
        """Returns the message of a successful answer, or None after any other answer."""
        begun = time.monotonic()
        reply = line.call(name, **request)
        with self.lock:
            self.calls += 1
            self.longest_s = max(self.longest_s, time.monotonic() - begun)
            if isinstance(reply, str) or reply.code != rpc.OK:
                self.failed.append("%s %s: %s" % (name, request.get("booking_id", ""), reply))
                self.refused.append((begun, reply))
                return None
        return reply.message

    def _book(self, line, randoms):
        request = booking_request(self.hospital_id, customer_id="c-%d" % randoms.randrange(1000))
        end = time.monotonic() + self.budget_s
        booking = self._ask(line, "CreateBooking", **request)
        while booking is not None and booking.status == REQUESTED and time.monotonic() < end:
            time.sleep(RECONNECT_PAUSE_S)  # another replica has the intent of one that was killed, and settles it
            booking = self._ask(line, "CreateBooking", **request)
        if booking is None:
            return
        if booking.status != CONFIRMED:
            self.failed.append("CreateBooking %s: status %d" % (booking.booking_id, booking.status))
            return
        with self.lock:
            self.confirmed.add(booking.booking_id)
        if randoms.random() < 0.25 and self._ask(line, "CancelBooking", booking_id=booking.booking_id) is not None:
            with self.lock:
                self.confirmed.discard(booking.booking_id)
                self.cancelled.add(booking.booking_id)

    def _look_at_hospital(self, line, _):
        self._ask(line, "GetAvailability", hospital_id=self.hospital_id, from_date=day(1))

    def _look_at_history(self, line, randoms):
        self._ask(line, "ListCustomerHistory", customer_id="c-%d" % randoms.randrange(1000))

    def check(self):
        """Checks that no call failed, and that booking-svc has stored what it answered. Call it after the load has ended."""
        assert not self.failed, "%d of %d calls failed, for example %s" % (len(self.failed), self.calls, self.failed[:3])
        self.check_stored()

    def check_stored(self):
        """Checks that booking-svc has stored what it answered, whether or not calls failed."""
        for ids, status in ((self.confirmed, CONFIRMED), (self.cancelled, CANCELLED)):
            for booking_id in sorted(ids)[:200]:
                assert status_of(self.stack, booking_id) == status, (booking_id, status)
        found = {status: self.stack.value("booking", "SELECT COUNT(*) FROM booking WHERE status = %d" % status)
                 for status in (CONFIRMED, CANCELLED)}
        assert found == {CONFIRMED: len(self.confirmed), CANCELLED: len(self.cancelled)}, found

    def __str__(self):
        return "%d calls in %d attempts, the longest %.2f s; %d failed; %d bookings stand, %d cancelled" % (
            self.calls, self.attempts, self.longest_s, len(self.failed), len(self.confirmed), len(self.cancelled))
