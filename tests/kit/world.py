"""Provides steps that most tests use, and the check that all services agree in the end."""

import datetime
import json
import subprocess
import zoneinfo

from . import rpc
from .stack import DEADLINE_S, PROGRAMS, program, wait_for

# A test that runs past midnight at the clinic continues with the days that it has opened.
BEGUN = datetime.datetime.now(datetime.timezone.utc)

REQUESTED, CONFIRMED, REJECTED, CANCELLED, FORCE_CANCELLED = 1, 2, 3, 4, 5
DELETED = 2


def day(offset=0, zone="Asia/Seoul"):
    """Returns the date at the clinic, `offset` days after the start of the tests."""
    return (BEGUN.astimezone(zoneinfo.ZoneInfo(zone)) + datetime.timedelta(days=offset)).date().isoformat()


def register(stack, capacity=10, days=(1,), name="한빛검진센터", **more):
    """Registers a hospital with these days, given as offsets from today. Returns the hospital's id."""
    hospital_id = more.pop("hospital_id", None) or rpc.new_id()
    reply = stack.hospital.RegisterHospital(
        hospital_id=hospital_id, name=name, address="서울",
        days=[{"date": day(offset), "capacity": capacity} for offset in days], **more)
    assert reply.code == rpc.OK, reply
    return hospital_id


def booking_request(hospital_id, offset=1, **more):
    request = {"booking_id": rpc.new_id(), "customer_id": "c-1", "customer_name": "김하늘", "hospital_id": hospital_id,
               "date": day(offset), "headcount": 1}
    request.update(more)
    return request


def book(stack, hospital_id, offset=1, **more):
    """Creates a booking, which must be CONFIRMED, and returns it."""
    reply = stack.booking.CreateBooking(**booking_request(hospital_id, offset, **more))
    assert reply.code == rpc.OK and reply.message.status == CONFIRMED, reply
    return reply.message


def queue(stack, request):
    """Books while hospital-svc does not answer, and repeats the call until the answer is that the booking is queued. On a slow
    machine the budget may end before the booking is committed."""
    def waits():
        reply = stack.booking.CreateBooking(timeout_ms=1000, **request)
        if reply.code == rpc.DEADLINE_EXCEEDED:
            return False
        assert reply.code == rpc.OK and reply.message.status == REQUESTED, reply
        return True
    assert request["queue_if_unavailable"]
    wait_for("the booking is queued", waits)


def remaining(stack, hospital_id, offset=1):
    reply = stack.hospital.GetAvailability(hospital_id=hospital_id, from_date=day(offset), to_date=day(offset))
    assert reply.code == rpc.OK, reply
    return reply.message.days[0].remaining


def status_of(stack, booking_id):
    reply = stack.booking.GetBooking(booking_id=booking_id)
    assert reply.code == rpc.OK, reply
    return reply.message.status


def history_of(stack, booking_id):
    """Returns history-svc's answer about a booking, or None if history-svc does not know the booking yet or is not available."""
    reply = stack.history.GetBookingHistory(booking_id=booking_id)
    if reply.code in (rpc.NOT_FOUND, rpc.UNAVAILABLE):
        return None
    assert reply.code == rpc.OK, reply
    return reply.message


def history_shows(stack, booking_id, status):
    found = history_of(stack, booking_id)
    return found is not None and not found.summary.provisional and found.summary.booking.status == status


def wait_history(stack, booking_id, status):
    wait_for("history shows booking %s with status %d" % (booking_id, status),
             lambda: history_shows(stack, booking_id, status))


def all_bookings(stack, hospital_id, **filters):
    found, token = [], ""
    while True:
        reply = stack.booking.ListBookings(hospital_id=hospital_id, page_size=500, page_token=token, **filters)
        assert reply.code == rpc.OK, reply
        found.extend(reply.message.bookings)
        token = reply.message.next_page_token
        if not token:
            return found


def check_refused(reply, code, reason="", field=""):
    assert reply.code == code, reply
    assert reply.reason == reason, reply
    if field:
        assert reply.text.startswith(field), reply


def repair(stack, *words, booking=None):
    """Runs `screenctl repair`. Returns {booking_id: (state of the booking, outcome)}."""
    done = subprocess.run([program("screenctl"), "--json", "--timeout", "50000", "--hospital", stack.hospital_svc.rpc,
                           "--booking", booking or stack.booking_svc.rpc, "repair", *words], capture_output=True, text=True,
                          timeout=2 * DEADLINE_S, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == 0 and done.stderr == "", done
    return {place["bookingId"]: (place["booking"], place["outcome"]) for place in json.loads(done.stdout)["places"]}


# ---- agreement

BOOKINGS = "SELECT booking_id, status, version, headcount FROM booking ORDER BY booking_id"
SUMMARIES = "SELECT booking_id, status, version, headcount FROM booking_summary ORDER BY booking_id"


def _plain(rows):
    return [tuple(value.hex() if isinstance(value, bytes) else str(value).replace("-", "") for value in row)
            for row in rows]


def disagreements(stack, with_history=True, overcommitted=False):
    """Returns the mismatches between the databases as text. The list is empty if all services agree (G1, G4). If `overcommitted` is
    true, a day may have more reserved places than capacity."""
    problems = []
    for row in stack.rows("hospital", """
            SELECT d.capacity, d.reserved, COALESCE((SELECT SUM(r.headcount) FROM reservation r
            WHERE r.hospital_id = d.hospital_id AND r.date = d.date AND r.state = 1), 0) FROM screening_day d"""):
        capacity, reserved, held = (int(value) for value in row)
        if reserved != held or (held > capacity and not overcommitted):
            problems.append("a day with capacity %d, reserved %d, held by live reservations %d" % (capacity, reserved, held))
    live = {row[0] for row in _plain(stack.rows("hospital", "SELECT booking_id FROM reservation WHERE state = 1"))}
    bookings = _plain(stack.rows("booking", BOOKINGS))
    confirmed = {row[0] for row in bookings if row[1] == str(CONFIRMED)}
    requested = {row[0] for row in bookings if row[1] == str(REQUESTED)}
    if confirmed - live:
        problems.append("%d bookings are CONFIRMED without a place" % len(confirmed - live))
    if live - confirmed:
        problems.append("%d places are taken by no CONFIRMED booking" % len(live - confirmed))
    if requested:
        problems.append("%d bookings are still REQUESTED" % len(requested))
    if with_history and _plain(stack.rows("history", SUMMARIES)) != bookings:
        problems.append("history-svc and booking-svc list different bookings")
    for name in ("hospital", "booking") + (("history",) if with_history else ()):
        if stack.value(name, "SELECT COUNT(*) FROM dead_letter"):
            problems.append("%s-svc has dead letters" % name)
    for name in ("hospital", "booking"):
        if stack.value(name, "SELECT COUNT(*) FROM event_log") != \
                stack.value(name, "SELECT COALESCE(MAX(seq), 0) FROM event_log"):
            problems.append("the %s log has a gap" % name)
    return problems


def behind(stack):
    """Returns, as text, the subscribers that have not read a log to its end."""
    heads = {log: stack.value(log, "SELECT head_seq FROM event_log_head") for log in ("hospital", "booking")}
    problems = []
    for name in PROGRAMS:
        read = {log: int(seq) for log, seq in stack.rows(name, "SELECT log, seq FROM event_cursor")}
        problems += ["%s-svc has read the %s log to %d of %d" % (name, log, read.get(log, 0), head)
                     for log, head in heads.items() if log != name and read.get(log, 0) != head]
    return problems


def wait_agreement(stack, with_history=True):
    last = []

    def agree():
        last[:] = disagreements(stack, with_history)
        return not last
    try:
        wait_for("the services agree", agree, interval_s=0.1)
    except AssertionError as error:
        raise AssertionError("%s: %s" % (error, "; ".join(last))) from None
