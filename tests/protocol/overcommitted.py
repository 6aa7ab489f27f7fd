"""Tests days with more reserved places than capacity, as a restored database may have."""
import json
import subprocess

from kit import rpc
from kit.stack import DEADLINE_S, Stack, program, wait_for
from kit.world import CONFIRMED, book, booking_request, check_refused, day, register, remaining


def _metric(stack, name):
    return {one.name: one.value for one in stack.hospital.Stats().message.stats}[name]


def _degraded(stack):
    return list(stack.hospital.Stats().message.degraded)


def test_an_overcommitted_day_grants_nothing_until_it_fits(driver):
    with Stack(driver) as stack:
        hospital_id = register(stack, capacity=4)
        bookings = [book(stack, hospital_id) for _ in range(4)]
        assert _degraded(stack) == []
        # Two days are overcommitted, but the second is in the past and is not reported.
        stack.execute("hospital", "UPDATE screening_day SET capacity = 1; INSERT INTO screening_day (hospital_id, date, "
                                  "capacity, reserved, version) SELECT hospital_id, '%s', 1, 2, 1 FROM hospital" % day(-1))
        wait_for("the day is told", lambda: _degraded(stack) == ["1 day overcommitted"])
        assert _metric(stack, "hospital_dates_overcommitted") == 1
        health = subprocess.run([program("screenctl"), "--json", "--hospital", stack.hospital_svc.rpc, "health", "hospital"],
                                capture_output=True, text=True, timeout=DEADLINE_S, check=True)
        assert json.loads(health.stdout)["services"][0]["degraded"] == ["1 day overcommitted"], health
        assert remaining(stack, hospital_id) == 0
        check_refused(stack.hospital.SetCapacity(hospital_id=hospital_id, date=day(1), capacity=0), rpc.FAILED_PRECONDITION,
                      "CAPACITY_BELOW_RESERVED")
        raised = stack.hospital.SetCapacity(hospital_id=hospital_id, date=day(1), capacity=2)
        assert raised.code == rpc.OK and (raised.message.capacity, raised.message.remaining) == (2, 0), raised
        for booking in bookings[:2]:
            assert stack.booking.CancelBooking(booking_id=booking.booking_id).code == rpc.OK
        wait_for("both are freed", lambda: stack.value("hospital", "SELECT count(*) FROM reservation WHERE state = 2") == 2)
        assert stack.value("hospital", "SELECT reserved FROM screening_day WHERE capacity = 2") == 2
        check_refused(stack.booking.CreateBooking(**booking_request(hospital_id)), rpc.FAILED_PRECONDITION, "SOLD_OUT")
        wait_for("all is well", lambda: _degraded(stack) == [])
        assert stack.booking.CancelBooking(booking_id=bookings[2].booking_id).code == rpc.OK
        wait_for("one place is left", lambda: remaining(stack, hospital_id) == 1)
        assert book(stack, hospital_id).status == CONFIRMED


def test_places_of_a_day_never_opened_count_once_it_is_opened(driver):
    """No call shows a day on which places were reserved before it was opened. When it is opened, the reserved places count."""
    with Stack(driver, without=("booking", "history")) as stack:
        hospital_id = register(stack, capacity=4)
        stack.execute("hospital", "INSERT INTO screening_day (hospital_id, date, capacity, reserved, version) "
                                  "SELECT hospital_id, '%s', 0, 3, 0 FROM hospital" % day(2))
        assert [one.date for one in stack.hospital.GetHospital(hospital_id=hospital_id).message.days] == [day(1)]
        assert [one.date for one in stack.hospital.GetAvailability(hospital_id=hospital_id).message.days] == [day(1)]
        wait_for("the day is told", lambda: _degraded(stack) == ["1 day overcommitted"])
        opened = stack.hospital.SetCapacity(hospital_id=hospital_id, date=day(2), capacity=5)
        assert opened.code == rpc.OK, opened
        assert (opened.message.capacity, opened.message.remaining, opened.message.version) == (5, 2, 1), opened
        again = stack.hospital.GetAvailability(hospital_id=hospital_id, from_date=day(2), to_date=day(2)).message.days[0]
        assert (again.capacity, again.remaining) == (5, 2), again
