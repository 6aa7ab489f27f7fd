"""Checks that the rows of bench/seed-bookings are like those that the services write."""
import os
import subprocess

from faults import replay, snapshot, stored
from kit import rpc
from kit.stack import BUILD, DEADLINE_S, Stack
from kit.world import CONFIRMED, day, register, wait_agreement

SEED = os.path.join(os.path.dirname(__file__), "../../bench/seed-bookings")
COUNT = 3000


def _seed(stack, *names):
    urls = ["--%s=%s" % (name, stack.url(name)) for name in names]
    return subprocess.run([SEED, "--count", str(COUNT), "--hospitals", "3", "--days", "4", *urls], capture_output=True,
                          text=True, check=False, timeout=DEADLINE_S, env={**os.environ, "SCREENING_BUILD": BUILD})


def _check(stack):
    found = snapshot.read(stack)
    problems = [*stored.check(found), *replay.check(replay.days_of(found), found)]
    assert not problems, problems[:20]


def test_seeded_bookings_are_as_the_services_make_them(driver):
    stack = Stack(driver)
    try:
        done = _seed(stack, "hospital", "booking", "history")
        assert done.returncode == 0, done.stderr
        stack.__enter__()
        page = stack.history.ListCustomerHistory(customer_id="seed-7").message
        assert len(page.bookings) == COUNT // (COUNT // 10)
        seeded = page.bookings[0].booking
        request = {"booking_id": seeded.booking_id, "customer_id": seeded.customer_id, "customer_name": seeded.customer_name,
                   "hospital_id": seeded.hospital_id, "date": seeded.date}
        repeated = stack.booking.CreateBooking(**request)
        assert repeated.code == rpc.OK and repeated.message == seeded, repeated
        assert stack.booking.CreateBooking(**{**request, "headcount": 2}).code == rpc.ALREADY_EXISTS
        assert stack.booking.CancelBooking(booking_id=seeded.booking_id, reason="t").code == rpc.OK
        booked = stack.booking.CreateBooking(booking_id=rpc.new_id(), customer_id="c", customer_name="n", date=day(2),
                                             hospital_id=seeded.hospital_id)
        assert booked.message.status == CONFIRMED, booked
        register(stack)
        wait_agreement(stack)
        _check(stack)
        for service in stack.services.values():
            service.stop()
        again = _seed(stack, "hospital", "booking", "history")
        assert again.returncode != 0 and "not empty" in again.stderr, again
    finally:
        stack.close()


def test_a_backlog_is_applied_by_a_new_history(driver):
    stack = Stack(driver)
    try:
        done = _seed(stack, "hospital", "booking")
        assert done.returncode == 0, done.stderr
        stack.__enter__()
        wait_agreement(stack)
        _check(stack)
    finally:
        stack.close()
