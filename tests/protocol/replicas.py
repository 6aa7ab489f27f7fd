"""Tests several processes on one PostgreSQL database. The test plays the second process, with a transaction that it holds open."""
import subprocess
from urllib.parse import quote

from kit import rpc
from kit.marks import once
from kit.stack import DEADLINE_S, Stack, psql, wait_for
from kit.world import (CONFIRMED, FORCE_CANCELLED, book, booking_request, check_refused, day, register, remaining,
                       status_of)


def patient_stack(without):
    """Returns a stack whose services wait for the other replica's lock as long as the test takes, instead of the usual two
    seconds."""
    stack = Stack("postgresql", without=without)
    patience = quote("-c lock_timeout=60000 -c statement_timeout=60000")
    for service in stack.services.values():
        service.flags["database"] += "&options=" + patience
    return stack


class Other:
    """A session that acts like a batch of another replica: it locks the log head, changes rows, and commits."""

    def __init__(self, url):
        self.url = url
        self.process = subprocess.Popen(["psql", url, "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.communicate(timeout=DEADLINE_S)
        assert self.process.returncode == 0

    def run(self, sql):
        self.process.stdin.write(sql + ";\n\\echo done\n")
        self.process.stdin.flush()
        while self.process.stdout.readline() not in ("done\n", ""):
            pass

    def begin(self, change):
        self.run("BEGIN; SELECT log_id FROM event_log_head FOR UPDATE; " + change)

    def wait_until_waited_for(self):
        wait_for("a batch waits for the other replica", lambda: psql(
            self.url, "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"))


@once
def test_hospital_svc_loads_nothing_before_it_holds_the_log_head(driver):
    """The other replica closes places while a Reserve waits. The Reserve must be decided on the resulting state."""
    del driver
    with patient_stack(without=("history",)) as stack:
        hospital_id = register(stack, capacity=5)
        reserve = {"booking_id": rpc.new_id(), "hospital_id": hospital_id, "date": day(1), "headcount": 4}
        client = stack.client("hospital")
        with Other(stack.url("hospital")) as other:
            other.begin("UPDATE screening_day SET capacity = 3, version = version + 1")
            sent = client.send("Reserve", **reserve)
            other.wait_until_waited_for()
            other.run("COMMIT")
        check_refused(client.receive(sent), rpc.FAILED_PRECONDITION, "SOLD_OUT")
        assert remaining(stack, hospital_id) == 3


@once
def test_booking_svc_loads_nothing_before_it_holds_the_log_head(driver):
    """The other replica force-cancels a booking while its customer cancels it. The cancellation must be decided on the resulting
    state."""
    del driver
    with patient_stack(without=("history",)) as stack:
        booking = book(stack, register(stack))
        wait_for("the hospital log is applied", lambda: stack.rows("booking", "SELECT seq FROM event_cursor WHERE seq > 0"))
        client = stack.client("booking")
        with Other(stack.url("booking")) as other:
            other.begin("UPDATE booking SET status = %d, status_reason = 'HOSPITAL_DELETED', version = version + 1"
                        % FORCE_CANCELLED)
            sent = client.send("CancelBooking", booking_id=booking.booking_id)
            other.wait_until_waited_for()
            other.run("COMMIT")
        check_refused(client.receive(sent), rpc.FAILED_PRECONDITION, "BOOKING_FINAL")
        assert status_of(stack, booking.booking_id) == FORCE_CANCELLED


# ---- the other replica delays the writer: requests that wait behind its batch (G10)

SHORT_MS = 100


def hold_up(stack, name, busy, late):
    """Sends the call `busy` = (method, fields), whose batch waits for the other replica. Meanwhile the calls `late` arrive and
    their budgets end. Returns the replies to the late calls."""
    client = stack.client(name)
    with Other(stack.url(name)) as other:
        other.begin("SELECT 1")
        sent = client.send(busy[0], **busy[1])
        other.wait_until_waited_for()
        late_sent = [client.send(method, timeout_ms=SHORT_MS, **fields) for method, fields in late]
        replies = [client.receive(one) for one in late_sent]
        other.run("COMMIT")
    assert client.receive(sent).code == rpc.OK
    # This request arrived after all of the late calls. Once it has been applied, each of them has been applied or dropped.
    assert client.call(busy[0], **busy[1]).code == rpc.OK
    return replies


@once
def test_a_booking_call_whose_budget_ended_in_the_queue_changes_nothing(driver):
    del driver
    with patient_stack(without=("history",)) as stack:
        hospital_id = register(stack)
        kept, late = book(stack, hospital_id), booking_request(hospital_id)
        wait_for("the hospital log is applied", lambda: stack.rows("booking", "SELECT seq FROM event_cursor WHERE seq > 0"))
        replies = hold_up(stack, "booking", ("CreateBooking", booking_request(hospital_id)),
                          [("CreateBooking", late), ("CancelBooking", {"booking_id": kept.booking_id})])
        assert [reply.code for reply in replies] == [rpc.DEADLINE_EXCEEDED] * 2, replies
        assert stack.booking.GetBooking(booking_id=late["booking_id"]).code == rpc.NOT_FOUND
        assert status_of(stack, kept.booking_id) == CONFIRMED


@once
def test_a_hospital_call_whose_budget_ended_in_the_queue_changes_nothing(driver):
    del driver
    with patient_stack(without=("booking", "history")) as stack:
        hospital_id, late = register(stack, capacity=5), rpc.new_id()
        busy = {"hospital_id": rpc.new_id(), "name": "n", "address": "a"}
        replies = hold_up(stack, "hospital", ("RegisterHospital", busy), [
            ("RegisterHospital", {**busy, "hospital_id": late}),
            ("SetCapacity", {"hospital_id": hospital_id, "date": day(1), "capacity": 9}),
            ("Reserve", {"booking_id": rpc.new_id(), "hospital_id": hospital_id, "date": day(1), "headcount": 1}),
            ("DeleteHospital", {"hospital_id": hospital_id})])
        assert [reply.code for reply in replies] == [rpc.DEADLINE_EXCEEDED] * 4, replies
        assert stack.hospital.GetHospital(hospital_id=late).code == rpc.NOT_FOUND
        hospital = stack.hospital.GetHospital(hospital_id=hospital_id).message
        assert hospital.status == 1 and [(d.capacity, d.remaining) for d in hospital.days] == [(5, 5)], hospital


@once
def test_a_pair_whose_budget_ended_in_the_queue_is_not_executed(driver):
    del driver
    with patient_stack(without=("history",)) as stack:
        register(stack)
        wait_for("the hospital log is applied", lambda: stack.rows("booking", "SELECT seq FROM event_cursor WHERE seq > 0"))
        (log_id, era), = stack.rows("hospital", "SELECT log_id, era FROM event_log_head")
        current = {"log_id": log_id, "era": int(era), "paired": True}
        booking_era = stack.value("booking", "SELECT era FROM event_log_head")
        replies = hold_up(stack, "booking", ("Pair", current), [("Pair", {**current, "era": int(era) ^ 1})])
        assert replies[0].code == rpc.DEADLINE_EXCEEDED, replies
        # A Pair of another era would begin a new era of booking-svc.
        assert stack.value("booking", "SELECT era FROM event_log_head") == booking_era
