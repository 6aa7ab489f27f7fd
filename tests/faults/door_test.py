"""Tests the customers of the front door without services."""
import json

from faults.door import DoorCustomers, read_answer
from kit import rpc
from kit.marks import once
from kit.web import Answer

ID, OTHER = "01890000-0000-7000-8000-000000000001", "01890000-0000-7000-8000-000000000002"
PROBLEM = {"Content-Type": "application/problem+json"}


class PlannedLoad:
    plan = {"seed": 1, "think_ms": 0}


def problem(code, **more):
    return Answer(code, PROBLEM, json.dumps({"status": code, **more}).encode())


@once
def test_door_every_key_must_have_exactly_one_booking(driver):
    del driver
    customers = DoorCustomers("", PlannedLoad())
    assert customers.check({"bookings": []}) == ["no booking was made through the front door"]
    customers.keys["door-0-1"] = ("order 1", ID)
    for booked, is_right in (([ID], True), ([], False), ([OTHER], False), ([ID, OTHER], False)):
        bookings = [{"customer_id": "door-0-1", "booking_id": one} for one in booked] + [{"customer_id": "c", "booking_id": OTHER}]
        assert (customers.check({"bookings": bookings}) == []) == is_right, booked


@once
def test_door_answers_are_read_as_the_checker_expects(driver):
    del driver
    booking = {"bookingId": ID, "status": "CONFIRMED", "version": "2", "createdAt": "2026-12-01T00:00:00Z"}
    read = read_answer(Answer(201, {}, json.dumps(booking).encode()))
    assert read["code"] == rpc.OK and read["message"]["booking_id"] == ID and read["message"]["status"] == 2, read
    for answer, code, reason in ((problem(409, reason="SOLD_OUT"), rpc.FAILED_PRECONDITION, "SOLD_OUT"),
                                 (problem(503, reason="HOSPITAL_UNAVAILABLE"), rpc.FAILED_PRECONDITION, "HOSPITAL_UNAVAILABLE"),
                                 (problem(503, reason="UNAVAILABLE"), rpc.UNAVAILABLE, ""),
                                 (problem(429, reason="OVERLOADED"), rpc.RESOURCE_EXHAUSTED, "OVERLOADED"),
                                 (problem(502), rpc.UNAVAILABLE, ""), (problem(504), rpc.DEADLINE_EXCEEDED, ""),
                                 (Answer(503, {}, b""), rpc.UNAVAILABLE, "")):
        read = read_answer(answer)
        assert (read["code"], read["reason"]) == (code, reason), (answer, read)
    for answer in (problem(400, detail="x"), problem(404), problem(409, reason="ALREADY_EXISTS"), problem(421)):
        try:
            read_answer(answer)
        except AssertionError:
            continue
        raise AssertionError("accepted: %r" % answer)
