"""Runs customers that book and cancel until stopped, repeat each call until its answer is definite, and remember the answers.
Meanwhile the hospital opens days."""
import random
import time

from kit import rpc
from kit.workers import Connection, Workers
from kit.world import CANCELLED, CONFIRMED, REJECTED, REQUESTED, all_bookings, booking_request, day, remaining

PAUSE_S = 0.02  # pause between two days that the hospital opens


class Traffic(Workers):
    """Runs the customers: `with Traffic(stack, hospital_id, places) as traffic: ...`. At the end of the block, waits until the
    services agree and checks the answers."""

    def __init__(self, stack, hospital_id, places, workers=4):
        self.stack, self.hospital_id, self.places = stack, hospital_id, places
        self.answers, self.cancelled, self.problems = {}, set(), []
        jobs = [(self._work, (self._book, "booking", seed)) for seed in range(workers)]
        super().__init__(jobs + [(self._work, (self._open_days, "hospital", workers))])

    def _work(self, task, name, seed):
        connection, randoms = Connection(self.stack.services[name].rpc), random.Random(seed)
        while not self.stopping.is_set():
            task(connection, randoms)
        connection.close()

    def _book(self, connection, randoms):
        request = booking_request(self.hospital_id, queue_if_unavailable=randoms.random() < 0.5)
        reply = connection.ask("CreateBooking", **request)
        self.answers[request["booking_id"]] = reply
        if reply.code == rpc.OK and randoms.random() < 0.3:
            cancel = connection.ask("CancelBooking", booking_id=request["booking_id"])
            if cancel.code == rpc.OK:
                self.cancelled.add(request["booking_id"])
            elif cancel.reason != "BOOKING_FINAL":  # a queued booking may have been refused in the meantime
                self.problems.append(repr(cancel))

    def _open_days(self, connection, randoms):
        reply = connection.ask("SetCapacity", hospital_id=self.hospital_id, date=day(randoms.randrange(2, 300)),
                               capacity=randoms.randrange(1, 1000))
        if reply.code != rpc.OK:
            self.problems.append(repr(reply))
        time.sleep(PAUSE_S)

    def check(self):
        """Compares the answers with the final state. Call it once the services agree."""
        problems = self.died + self.problems
        assert not problems, problems[:3]
        assert self.answers, "nobody was answered"
        is_now = {b.booking_id: b.status for b in all_bookings(self.stack, self.hospital_id)}
        for booking_id, reply in self.answers.items():
            assert is_now[booking_id] in self._allowed(booking_id, reply), (booking_id, reply, is_now[booking_id])
        confirmed = sum(1 for status in is_now.values() if status == CONFIRMED)
        assert remaining(self.stack, self.hospital_id) == self.places - confirmed >= 0

    def _allowed(self, booking_id, reply):
        if booking_id in self.cancelled:
            return (CANCELLED,)
        if reply.code != rpc.OK:
            assert reply.code == rpc.FAILED_PRECONDITION, reply
            return (REJECTED,)
        return (CONFIRMED, REJECTED) if reply.message.status == REQUESTED else (CONFIRMED,)
