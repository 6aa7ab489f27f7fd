"""Tests events of an interval that a database has lost, which are still in flight when the restored database is in place. Their
seqs follow the applied ones, but they belong to a lost tail of the log. A place that they freed, or a cursor that they moved, would
stay wrong."""
import threading
import time
import uuid

from kit import rpc, sp
from kit.backup import back_up, restore, restore_live
from kit.rpc import FakeService, envelope_pb2
from kit.stack import DEADLINE_S, PATIENT_MS, Stack, wait_for
from kit.world import (CANCELLED, CONFIRMED, DELETED, FORCE_CANCELLED, book, booking_request, check_refused, day, register,
                       remaining, status_of, wait_history)

# The time that a subscriber waits for an answer to Fetch, minus the time to forward the answer.
IN_TIME_S, ATTEMPTS = 1.7, 8


class Between(FakeService):
    """Forwards calls to a service. Holds back requests or answers that a test selects, until the test releases them."""

    def __init__(self, address, real):
        self.real, self.gate = real, None
        super().__init__(address, self._forward)

    def hold(self, where, wanted):
        """Holds back the next message for which `wanted`(method name, message) is true. `where` is "request" or "answer". Only one
        message is held at a time."""
        self.gate = (where, wanted, threading.Event(), threading.Event())

    def wait_held(self):
        wait_for("it is kept back", self.gate[2].is_set)
        return time.monotonic()

    def let_go(self):
        gate, self.gate = self.gate, None
        gate[3].set()

    def _pass(self, where, name, message):
        gate = self.gate
        if gate is not None and gate[0] == where and gate[1](name, message):
            gate[2].set()
            gate[3].wait(DEADLINE_S)

    def _forward(self, name, request):
        self._pass("request", name, request)
        try:
            requester = sp.Requester(self.real)
            try:
                packed = requester.request(rpc.pack(rpc.METHODS[name][0], request.SerializeToString(), PATIENT_MS))
            finally:
                requester.close()
        except OSError:
            return None  # the service is down
        answer = envelope_pb2.Response.FromString(packed)
        self._pass("answer", name, rpc.message_class(rpc.METHODS[name][1].output_type).FromString(answer.payload))
        return answer


def stack_with(driver, subscriber, publisher, by_fetch_only=False):
    """Returns (stack, between). The subscriber reaches the publisher only through `between`, a Between."""
    stack = Stack(driver, without=("history",))
    between = Between(stack.address("between.rpc"), stack.services[publisher].for_services)
    stack.services[subscriber].flags[publisher + "-rpc"] = stack.address("between.rpc")
    if by_fetch_only:
        stack.services[subscriber].flags[publisher + "-events"] = stack.address("nobody.events")
    return stack, between


def degraded(stack, name):
    return list(getattr(stack, name).Stats().message.degraded)


def cursor_of(stack, name):
    rows = stack.rows(name, "SELECT seq FROM event_cursor")
    return int(rows[0][0]) if rows else 0


def wait_followed(stack, name, seq):
    wait_for("%s-svc has applied event %d" % (name, seq), lambda: cursor_of(stack, name) == seq)


def halted(stack, name):
    """Returns how many times the service has stopped following a log, according to its log output."""
    return sum(line.get("event") == "events.halted" for line in stack.services[name].log_lines())


def refused(stack, name):
    """Returns whether the service has refused events because the log at its cursor had changed, according to its log output."""
    return any(line.get("event") == "events.apply_failed" and line["status"] == "ABORTED"
               for line in stack.services[name].log_lines())


def brings_events(name, message):
    return name == "Fetch" and len(message.events) > 0


def until_in_time(attempt):
    """Calls attempt() until it returns True. attempt() returns False if the machine was so slow that the subscriber gave up before
    the held answer was released."""
    for _ in range(ATTEMPTS):
        if attempt():
            return
    raise AssertionError("the machine is too slow for this test")


def sold_out(stack):
    reply = stack.booking.CreateBooking(timeout_ms=PATIENT_MS, **booking_request(stack.hospital_id))
    check_refused(reply, rpc.FAILED_PRECONDITION, "SOLD_OUT")


def test_a_booking_database_that_goes_back_while_pair_is_under_way_sells_nothing_twice(driver):
    """hospital-svc sends its position, and then applies one more event, which frees a place. Then booking-svc's database is
    restored to a state before that event, and booking-svc answers that it knows the position of hospital-svc. hospital-svc must not
    sell the place again."""
    stack, between = stack_with(driver, "hospital", "booking")
    with stack:
        stack.hospital_id = register(stack, capacity=1)
        early = book(stack, stack.hospital_id)
        wait_followed(stack, "hospital", 1)
        backup = back_up(stack, "booking")
        between.hold("request", lambda name, _: name == "Pair")
        stack.hospital_svc.restart()
        between.wait_held()
        stack.booking.CancelBooking(booking_id=early.booking_id)
        wait_for("the place is free", lambda: remaining(stack, stack.hospital_id) == 1)
        restore_live(stack, "booking", backup)
        assert status_of(stack, early.booking_id) == CONFIRMED
        between.let_go()
        stuck = "no places are granted: LOG_DIVERGED"
        wait_for("hospital-svc has decided",
                 lambda: stack.stat("hospital", "hospital_paired") or stuck in degraded(stack, "hospital"))
        assert stuck in degraded(stack, "hospital") and not stack.stat("hospital", "hospital_paired")
        place = {"booking_id": rpc.new_id(), "hospital_id": stack.hospital_id, "date": day(1), "headcount": 1}
        check_refused(stack.hospital.Reserve(**place), rpc.UNAVAILABLE, "RECOVERING")
        stack.hospital_svc.stop()
        stack.hospital_svc.start(follow_log_from_start="booking")
        stack.wait_paired()
        sold_out(stack)
    between.close()


def test_a_place_that_only_lost_events_free_is_not_sold_again(driver):
    """hospital-svc fetches a cancellation, but the answer is held until booking-svc's database has been restored to a state before
    the cancellation and both services have paired again. hospital-svc must not apply the cancellation."""
    def attempt():
        stack, between = stack_with(driver, "hospital", "booking", by_fetch_only=True)
        with stack:
            stack.hospital_id = register(stack, capacity=1)
            early = book(stack, stack.hospital_id)
            wait_followed(stack, "hospital", 1)
            backup = back_up(stack, "booking")
            between.hold("answer", brings_events)
            stack.booking.CancelBooking(booking_id=early.booking_id)
            held_at = between.wait_held()
            restore_live(stack, "booking", backup)
            sold_out(stack)  # in another era
            in_time = time.monotonic() - held_at < IN_TIME_S
            fetches = between.count("Fetch")
            between.let_go()
            if in_time:
                wait_for("it asks again", lambda: between.count("Fetch") > fetches)
                assert remaining(stack, stack.hospital_id) == 0
                sold_out(stack)
                wait_followed(stack, "hospital", stack.value("booking", "SELECT head_seq FROM event_log_head"))
                assert not degraded(stack, "hospital")
                stack.booking.CancelBooking(booking_id=early.booking_id)
                wait_for("the place is free", lambda: remaining(stack, stack.hospital_id) == 1)
        between.close()
        return in_time
    until_in_time(attempt)


def test_lost_events_of_the_hospital_log_do_not_stop_those_that_follow(driver):
    """booking-svc fetches an event, but the answer is held until hospital-svc's database has been restored to a state before the
    event and both services have paired again. booking-svc must not apply the event, but must apply a later deletion."""
    def attempt():
        stack, between = stack_with(driver, "booking", "hospital", by_fetch_only=True)
        with stack:
            hospital_id = register(stack, capacity=3)
            wait_followed(stack, "booking", 1)
            backup = back_up(stack, "hospital")
            between.hold("answer", brings_events)
            stack.hospital.SetCapacity(hospital_id=hospital_id, date=day(1), capacity=4)
            held_at = between.wait_held()
            restore_live(stack, "hospital", backup)
            booked = book(stack, hospital_id)  # in another era
            in_time = time.monotonic() - held_at < IN_TIME_S
            fetches = between.count("Fetch")
            between.let_go()
            if in_time:
                wait_for("it asks again", lambda: between.count("Fetch") > fetches)
                assert cursor_of(stack, "booking") == 1
                stack.hospital.DeleteHospital(hospital_id=hospital_id)
                wait_for("the deletion is heard of", lambda: status_of(stack, booked.booking_id) == FORCE_CANCELLED)
                assert not [reason for reason in degraded(stack, "booking") if "diverged" in reason]
        between.close()
        return in_time
    until_in_time(attempt)


def log_of(stack, name):
    """Returns the log id and the era of a service's log, as fields of a Pair."""
    (log_id, era), = stack.rows(name, "SELECT log_id, era FROM event_log_head")
    return {"log_id": log_id if isinstance(log_id, str) else str(uuid.UUID(bytes=bytes(log_id))), "era": int(era)}


def test_a_lost_deletion_that_a_late_pair_lets_in_is_repeated(driver):
    """booking-svc fetches a deletion, but the answer is held until hospital-svc's database has been restored to a state before the
    deletion and both services have paired again. Then a Pair of the previous era is executed, so booking-svc applies the deletion.
    hospital-svc must repeat the deletion."""
    def attempt():
        stack, between = stack_with(driver, "booking", "hospital", by_fetch_only=True)
        with stack:
            hospital_id = register(stack, capacity=5)
            wait_followed(stack, "booking", 1)
            late = log_of(stack, "hospital")
            backup = back_up(stack, "hospital")
            between.hold("answer", brings_events)
            stack.hospital.DeleteHospital(hospital_id=hospital_id)
            held_at = between.wait_held()
            restore_live(stack, "hospital", backup)
            booked = book(stack, hospital_id)  # in another era
            assert stack.booking.Pair(**late, paired=True).code == rpc.OK
            in_time = time.monotonic() - held_at < IN_TIME_S
            between.let_go()
            wait_for("the lost deletion is applied, or refused by a later Pair",
                     lambda: status_of(stack, booked.booking_id) == FORCE_CANCELLED or refused(stack, "booking"))
            in_time = in_time and not refused(stack, "booking")
            if in_time:
                check_refused(stack.booking.CreateBooking(timeout_ms=PATIENT_MS, **booking_request(hospital_id)),
                              rpc.FAILED_PRECONDITION, "HOSPITAL_DELETED")
                assert stack.hospital.GetHospital(hospital_id=hospital_id).message.status == DELETED
                wait_followed(stack, "booking", 2)
                assert not [reason for reason in degraded(stack, "booking") if "diverged" in reason]
        between.close()
        return in_time
    until_in_time(attempt)


def test_a_hospital_database_that_goes_back_and_forth_is_followed_from_its_start(driver):
    """hospital-svc's database is restored from an early backup, changes, and is then restored from a late backup. Neither contains
    the event that booking-svc applied in between, although the late one reaches past booking-svc's cursor. booking-svc
    follows the log from its start."""
    with Stack(driver, without=("history",)) as stack:
        hospital_id = register(stack, capacity=5)
        booked = book(stack, hospital_id)
        wait_followed(stack, "booking", 1)
        early = back_up(stack, "hospital")
        for capacity in (6, 7):
            stack.hospital.SetCapacity(hospital_id=hospital_id, date=day(1), capacity=capacity)
        wait_followed(stack, "booking", 3)
        late = back_up(stack, "hospital")
        for path, head in ((early, 1), (late, 3)):
            stack.hospital_svc.kill()
            restore(stack, "hospital", path)
            stack.hospital_svc.start()
            stack.wait_paired()
            assert stack.value("hospital", "SELECT head_seq FROM event_log_head") == head
            if path is early:
                stack.hospital.SetCapacity(hospital_id=hospital_id, date=day(1), capacity=9)
                wait_followed(stack, "booking", 2)
        wait_followed(stack, "booking", 3)
        stack.hospital.DeleteHospital(hospital_id=hospital_id)
        wait_for("the deletion is heard of", lambda: status_of(stack, booked.booking_id) == FORCE_CANCELLED)
        assert not degraded(stack, "booking")


class OldCopy(Between):
    """Answers the next Fetch of each selected subscriber as an old copy of the database would. Forwards all other calls."""
    misled = ()

    def mislead(self, *subscribers):
        self.misled = set(subscribers)

    def _forward(self, name, request):
        if name == "Fetch" and request.subscriber in self.misled:
            self.misled.discard(request.subscriber)
            return envelope_pb2.Response(code=rpc.DATA_LOSS, reason="LOG_DIVERGED", message="the log ends before after_seq")
        return super()._forward(name, request)


def test_one_answer_of_an_old_copy_stops_no_follower(driver):
    """After a failover, each subscriber gets one answer to Fetch from the old primary. No subscriber stays halted, and hospital-svc
    stays paired, because it must receive the events that free places."""
    stack = Stack(driver)
    between = OldCopy(stack.address("between.rpc"), stack.booking_svc.for_services)
    for name in ("hospital", "history"):
        stack.services[name].flags["booking-rpc"] = between.address
        stack.services[name].flags["booking-events"] = stack.address("nobody.events")
    with stack:
        hospital_id = register(stack, capacity=1)
        booked = book(stack, hospital_id)
        wait_followed(stack, "hospital", 1)
        wait_history(stack, booked.booking_id, CONFIRMED)
        between.mislead("hospital-svc", "history-svc")
        for name in ("hospital", "history"):
            wait_for("the %s-svc's log says that it has halted" % name, lambda name=name: halted(stack, name) == 1)
        stack.booking.CancelBooking(booking_id=booked.booking_id)
        wait_for("the place is free", lambda: remaining(stack, hospital_id) == 1)
        wait_history(stack, booked.booking_id, CANCELLED)
        for name in ("hospital", "history"):
            assert not degraded(stack, name) and halted(stack, name) == 1
    between.close()
