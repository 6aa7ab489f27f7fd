"""Kills each service with SIGKILL at a random moment of a rush. Nothing acknowledged is lost, and no place is sold twice (G1, G2,
G4, G5)."""
import os
import random

from kit import rpc
from kit.marks import once
from kit.stack import CLUSTER_URL, PROGRAMS, Stack, psql, wait_for
from kit.workers import Connection, Workers
from kit.world import (CANCELLED, CONFIRMED, FORCE_CANCELLED, REJECTED, REQUESTED, all_bookings, book, booking_request,
                       day, history_of, register, remaining, status_of, wait_agreement, wait_history)

CALLS, WORKERS, PLACES = 2000, 8, 1500


class Rush(Workers):
    """Makes 2,000 calls for eight concurrent customers. Each customer repeats a call until the answer is definite."""

    def __init__(self, stack, hospital_id, seed):
        self.stack, self.hospital_id = stack, hospital_id
        self.answers = {}  # booking_id -> definite answer to CreateBooking
        self.cancelled = set()  # booking_ids whose cancellation was acknowledged
        self.done = 0
        self.problems = []
        super().__init__([(self._work, (random.Random(seed * 1000 + index),)) for index in range(WORKERS)])

    def join(self):
        super().join()
        problems = self.died + self.problems
        assert not problems, problems[:3]

    def _work(self, randoms):
        connection = Connection(self.stack.booking_svc.rpc)
        for _ in range(CALLS // WORKERS):
            request = booking_request(self.hospital_id, queue_if_unavailable=randoms.random() < 0.3)
            reply = connection.ask("CreateBooking", **request)
            self.answers[request["booking_id"]] = reply
            self.done += 1
            if reply.code == rpc.OK and randoms.random() < 0.2:
                cancel = connection.ask("CancelBooking", booking_id=request["booking_id"], reason="r")
                # A queued booking may have been refused in the meantime.
                if cancel.code == rpc.OK:
                    self.cancelled.add(request["booking_id"])
                elif cancel.reason != "BOOKING_FINAL":
                    self.problems.append(cancel)
        connection.close()

    def check(self):
        """Compares the answers that the customers received with the stored bookings."""
        bookings = {b.booking_id: b for b in all_bookings(self.stack, self.hospital_id)}
        assert len(self.answers) == CALLS
        for booking_id, reply in self.answers.items():
            status = bookings[booking_id].status
            if booking_id in self.cancelled:
                assert status == CANCELLED, (reply, status)
            elif reply.code == rpc.OK and reply.message.status == CONFIRMED:
                assert status == CONFIRMED, (reply, status)
            elif reply.code == rpc.OK and reply.message.status == REQUESTED:
                assert status in (CONFIRMED, REJECTED), (reply, status)
            else:
                assert reply.code == rpc.FAILED_PRECONDITION and status == REJECTED, (reply, status)
        confirmed = sum(1 for b in bookings.values() if b.status == CONFIRMED)
        assert confirmed <= PLACES
        assert remaining(self.stack, self.hospital_id) == PLACES - confirmed


def kill_during_rush(driver, victim):
    seed = int.from_bytes(os.urandom(4), "big")
    randoms = random.Random(seed)
    print("seed", seed)
    with Stack(driver) as stack:
        hospital_id = register(stack, capacity=PLACES)
        rush = Rush(stack, hospital_id, seed).start()
        for kill in range(3):
            mark = (kill + randoms.random()) * CALLS / 4
            wait_for("the rush has come to %d" % mark, lambda: rush.done >= mark or rush.problems, deadline_s=120)
            in_time = rush.done < CALLS
            stack.services[victim].restart()
            assert in_time, "the kill came after the rush"
        rush.join()
        wait_agreement(stack)
        rush.check()


def test_kill_hospital_svc_three_times_in_a_rush(driver):
    kill_during_rush(driver, "hospital")


def test_kill_booking_svc_three_times_in_a_rush(driver):
    kill_during_rush(driver, "booking")


def test_kill_history_svc_three_times_in_a_rush(driver):
    kill_during_rush(driver, "history")


def test_kill_in_the_middle_of_a_forced_cancellation(driver):
    with Stack(driver) as stack:
        hospital_id = register(stack, capacity=5000)
        requests = [booking_request(hospital_id) for _ in range(3000)]
        for first in range(0, 3000, 500):
            replies = stack.booking.call_all("CreateBooking", requests[first:first + 500])
            assert all(r.code == rpc.OK for r in replies)
        stack.hospital.DeleteHospital(hospital_id=hospital_id)
        wait_for("the job has begun",
                 lambda: stack.value("booking", "SELECT COUNT(*) FROM booking WHERE status = 5") > 0, interval_s=0.001)
        stack.booking_svc.restart()
        wait_for("every booking is force-cancelled",
                 lambda: len(all_bookings(stack, hospital_id, status=FORCE_CANCELLED)) == 3000)
        wait_agreement(stack)
        assert stack.value("booking", "SELECT COUNT(*) FROM event_log WHERE type = 'booking.force_cancelled'") == 3000


def test_a_crash_between_intent_and_settle_is_settled(driver):
    """The intent is committed, but booking-svc never receives hospital-svc's answer. The settler determines the outcome."""
    with Stack(driver, flags={"booking": {"reserve-timeout-ms": 30000}}) as stack:
        hospital_id = register(stack)
        stack.hospital_svc.pause()
        request = booking_request(hospital_id)
        stack.client("booking").send("CreateBooking", timeout_ms=30000, **request)
        wait_for("the intent is committed", lambda: stack.value("booking", "SELECT COUNT(*) FROM booking") == 1)
        stack.booking_svc.kill()
        stack.hospital_svc.resume()
        stack.booking_svc.start()
        wait_for("it is confirmed", lambda: status_of(stack, request["booking_id"]) == CONFIRMED)
        wait_agreement(stack)
        types = [e.type for e in stack.booking.Fetch(subscriber="t").message.events]
        assert types == ["booking.requested", "booking.confirmed"]


@once
def test_no_booking_fails_while_history_and_its_database_are_down(driver):
    with Stack(driver) as stack:
        hospital_id = register(stack, capacity=100)
        stack.history_svc.kill()
        bookings = [book(stack, hospital_id) for _ in range(30)]
        stack.booking.call_all("CancelBooking", [{"booking_id": b.booking_id} for b in bookings[:10]])
        stack.history_svc.start()
        wait_agreement(stack)


def settings_of_connections(stack, name):
    return "datname = '%s'" % stack.url(name).split("/")[3].split("?")[0]


@once
def test_history_survives_losing_its_connections(driver):
    with Stack(driver) as stack:
        hospital_id = register(stack, capacity=100)
        for _ in range(5):
            booking = book(stack, hospital_id)
            psql(stack.url("history"), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> "
                 "pg_backend_pid() AND " + settings_of_connections(stack, "history"))
            wait_history(stack, booking.booking_id, CONFIRMED)
        wait_agreement(stack)


def test_deletion_while_others_book_agrees_in_the_end(driver):
    """Cancellations, bookings and the deletion overtake each other in every order. In the end all services agree."""
    with Stack(driver) as stack:
        hospital_id = register(stack, capacity=3000)
        first = [booking_request(hospital_id) for _ in range(300)]
        stack.booking.call_all("CreateBooking", first)
        late = [booking_request(hospital_id) for _ in range(300)]
        creating, cancelling = stack.client("booking"), stack.client("booking")
        sent = [creating.send("CreateBooking", **request) for request in late[:150]]
        cancels = [cancelling.send("CancelBooking", booking_id=r["booking_id"]) for r in first[:100]]
        assert stack.hospital.DeleteHospital(hospital_id=hospital_id).code == rpc.OK
        sent += [creating.send("CreateBooking", **request) for request in late[150:]]
        replies = [creating.receive(one) for one in sent]
        cancelled = [cancelling.receive(one) for one in cancels]
        assert all(r.code == rpc.OK or r.reason == "HOSPITAL_DELETED" for r in replies), replies[:3]
        assert all(r.code == rpc.OK or r.reason == "BOOKING_FINAL" for r in cancelled), cancelled[:3]
        wait_for("no booking is live", lambda: not all_bookings(stack, hospital_id, status=CONFIRMED))
        wait_agreement(stack)
        for request, reply in zip(first[:100], cancelled):
            expected = CANCELLED if reply.code == rpc.OK else FORCE_CANCELLED
            assert status_of(stack, request["booking_id"]) == expected
            assert history_of(stack, request["booking_id"]).summary.booking.status == expected


def test_old_tombstones_and_released_reservations_are_purged(driver):
    with Stack(driver, without=("booking", "history")) as stack:
        register(stack)
        stack.hospital_svc.stop()
        for age, state in ((8, 2), (8, 3), (8, 1), (6, 2), (6, 3)):
            ids = [("X'%s'" if driver == "sqlite" else "'%s'") % rpc.new_id().replace("-", "") for _ in range(2)]
            stack.execute("hospital", "INSERT INTO reservation (booking_id, hospital_id, date, headcount, state) "
                          "VALUES (%s, %s, '%s', 1, %d)" % (ids[0], ids[1], day(-age), state))
        stack.hospital_svc.start()
        wait_for("the two ended ones are purged",
                 lambda: stack.value("hospital", "SELECT COUNT(*) FROM reservation") == 3)
        assert stack.value("hospital", "SELECT COUNT(*) FROM reservation WHERE state = 1") == 1


@once
def test_a_database_that_was_unavailable_is_used_again_without_traffic(driver):
    """The services reach the database through a link to its socket folder. The link is removed and made again. The services use the
    database again without any call."""
    del driver
    real_folder = CLUSTER_URL.split("host=")[1].split("&")[0]
    stack = Stack("postgresql", without=PROGRAMS)
    link = os.path.join(stack.folder, "pg")
    os.symlink(real_folder, link)
    urls = {}
    for name, service in stack.services.items():
        urls[name] = service.flags["database"]
        service.flags["database"] = urls[name].replace(real_folder, link)
    stack.without = ()
    with stack:
        hospital_id = register(stack)
        os.unlink(link)
        for name in ("hospital", "booking"):
            psql(urls[name], "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND "
                 + settings_of_connections(stack, name))
        wait_for("hospital-svc is not ready, though nobody asks it for anything", lambda: not stack.hospital_svc.serving())
        request = booking_request(hospital_id)
        reply = stack.booking.CreateBooking(timeout_ms=2000, **request)
        assert reply.code in (rpc.UNAVAILABLE, rpc.DEADLINE_EXCEEDED), reply
        wait_for("booking-svc is not ready", lambda: not stack.booking_svc.serving())
        os.symlink(real_folder, link)
        wait_for("booking-svc is ready again", stack.booking_svc.serving)
        wait_for("hospital-svc too: else the booking may be REJECTED, for good", stack.hospital_svc.serving)
        wait_for("the booking is taken", lambda: stack.booking.CreateBooking(**request).code == rpc.OK)
