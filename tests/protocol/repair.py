"""Tests screenctl repair, which finds and releases places held for bookings that do not exist or have ended."""
import os
import threading

from kit import rpc
from kit.stack import Stack, wait_for
from kit.world import (CANCELLED, CONFIRMED, REJECTED, book, booking_request, check_refused, day, history_of, register, remaining,
                       repair, status_of, wait_agreement)


def reserve(stack, hospital_id, **more):
    """Reserves a place for a booking that booking-svc does not have, as if it were lost. Returns the booking's id."""
    place = {"booking_id": rpc.new_id(), "hospital_id": hospital_id, "date": day(1), "headcount": 1, **more}
    assert stack.hospital.Reserve(**place).code == rpc.OK
    return place["booking_id"]


class Between:
    """Forwards screenctl's calls to booking-svc. Calls a function before or after certain methods are served."""

    def __init__(self, stack, before=None, after=None):
        self.client, self.before, self.after = stack.client("booking"), before or {}, after or {}
        self.address = "ipc://" + os.path.join(stack.folder, "between.rpc")
        self.lock, self.service = threading.Lock(), rpc.FakeService(self.address, self._serve)

    def _serve(self, name, request):
        with self.lock:
            self.before.get(name, lambda: None)()
            reply = self.client.call(name, **{field.name: value for field, value in request.ListFields()})
            self.after.get(name, lambda: None)()
            assert reply.code == rpc.OK, reply
            return reply.message


def test_repair_lists_places_without_bookings_and_releases_them(driver):
    with Stack(driver) as stack:
        hospital_id = register(stack)
        kept = book(stack, hospital_id)
        assert repair(stack) == {}
        lost = reserve(stack, hospital_id, headcount=2)
        assert repair(stack) == {lost: ("NONE", "HELD")} == repair(stack, "--from", day(1))
        assert repair(stack, "--from", day(2)) == {}
        assert remaining(stack, hospital_id) == 7
        assert repair(stack, "--release") == {lost: ("REJECTED", "RELEASED")}
        wait_for("the place is free", lambda: remaining(stack, hospital_id) == 9)
        assert repair(stack, "--release") == {}
        abandoned = stack.booking.GetBooking(booking_id=lost).message
        assert (abandoned.status, abandoned.status_reason, abandoned.version) == (REJECTED, "ABANDONED", 2), abandoned
        assert (abandoned.customer_id, abandoned.hospital_id, abandoned.headcount) == ("", hospital_id, 2), abandoned
        wait_for("history has it", lambda: history_of(stack, lost))
        assert [(entry.version, entry.status, entry.reason) for entry in history_of(stack, lost).entries] == [
            (2, REJECTED, "ABANDONED")]
        # The content of the lost booking is unknown, so a request with any content gets this answer.
        check_refused(stack.booking.CreateBooking(**booking_request(hospital_id, booking_id=lost)), rpc.FAILED_PRECONDITION,
                      "ABANDONED")
        check_refused(stack.booking.CancelBooking(booking_id=lost), rpc.FAILED_PRECONDITION, "BOOKING_FINAL")
        assert status_of(stack, kept.booking_id) == CONFIRMED
        wait_agreement(stack)


def test_repair_keeps_the_place_of_a_booking_that_came_back_meanwhile(driver):
    """The customer repeats CreateBooking between the look-up and the release. The new booking keeps the place."""
    with Stack(driver) as stack:
        hospital_id = register(stack)
        lost = reserve(stack, hospital_id)

        def come_back():
            assert book(stack, hospital_id, booking_id=lost).status == CONFIRMED
        between = Between(stack, before={"AbandonBooking": come_back})
        assert repair(stack, "--release", booking=between.address) == {lost: ("CONFIRMED", "KEPT")}
        assert between.service.count("LookUpBookings") == between.service.count("AbandonBooking") == 1
        assert status_of(stack, lost) == CONFIRMED
        assert remaining(stack, hospital_id) == 9
        assert repair(stack, "--release") == {}
        wait_agreement(stack)


def test_repair_lists_no_booking_that_is_made_while_it_looks(driver):
    """screenctl asks hospital-svc first, so a booking that is made later cannot be among the places that it looks up."""
    with Stack(driver) as stack:
        hospital_id = register(stack)
        book(stack, hospital_id)
        made = []
        between = Between(stack, after={"LookUpBookings": lambda: made.append(book(stack, hospital_id).booking_id)})
        assert repair(stack, booking=between.address) == {}
        assert len(made) == 1
        wait_agreement(stack)


def test_repair_releases_the_place_of_a_booking_that_has_ended(driver):
    with Stack(driver) as stack:
        hospital_id = register(stack)
        ended = book(stack, hospital_id)
        assert stack.booking.CancelBooking(booking_id=ended.booking_id).code == rpc.OK
        wait_for("the place is free", lambda: remaining(stack, hospital_id) == 10)
        wait_agreement(stack)
        stack.execute("hospital", "UPDATE reservation SET state = 1, released_commit = NULL; "
                                  "UPDATE screening_day SET reserved = 1")
        assert repair(stack) == {ended.booking_id: ("CANCELLED", "HELD")}
        assert repair(stack, "--release") == {ended.booking_id: ("CANCELLED", "RELEASED")}
        wait_for("the place is free again", lambda: remaining(stack, hospital_id) == 10)
        assert [entry.status for entry in history_of(stack, ended.booking_id).entries] == [CONFIRMED, CANCELLED]
        wait_agreement(stack)


def test_repair_under_traffic_releases_only_places_without_bookings(driver):
    with Stack(driver) as stack:
        hospital_id = register(stack, capacity=100000)
        ending, ended, answers = threading.Event(), [], {}

        def customer():
            client = stack.client("booking")
            while not ending.is_set():
                request = booking_request(hospital_id)
                reply = client.CreateBooking(**request)
                assert reply.code == rpc.OK and reply.message.status == CONFIRMED, reply
                answers[request["booking_id"]] = CONFIRMED
                if len(answers) % 2:
                    assert client.CancelBooking(booking_id=request["booking_id"]).code == rpc.OK
                    answers[request["booking_id"]] = CANCELLED
            ended.append(True)
        threads = [threading.Thread(target=customer) for _ in range(4)]
        for thread in threads:
            thread.start()
        lost = set()
        try:
            for _ in range(4):
                new = {reserve(stack, hospital_id) for _ in range(3)}
                lost |= new
                assert repair(stack, "--release") == {booking_id: ("REJECTED", "RELEASED") for booking_id in new}
        finally:
            ending.set()
            for thread in threads:
                thread.join()
        assert len(ended) == 4
        for booking_id, status in answers.items():
            assert status_of(stack, booking_id) == status
        wait_agreement(stack)
        assert repair(stack) == {}
        for booking_id in lost:
            assert stack.booking.GetBooking(booking_id=booking_id).message.status_reason == "ABANDONED"


def test_reservations_are_listed_in_pages_and_looked_up_by_id(driver):
    with Stack(driver, without=("history",)) as stack:
        hospital_id = register(stack, capacity=1000)
        booked = book(stack, hospital_id)
        lost = sorted([booked.booking_id] + [reserve(stack, hospital_id) for _ in range(4)])
        seen, token, pages = [], "", 0
        while pages == 0 or token:
            reply = stack.hospital.ListReservations(page_size=2, page_token=token)
            assert reply.code == rpc.OK, reply
            seen, token, pages = seen + list(reply.message.reservations), reply.message.next_page_token, pages + 1
        assert pages == 3 and [one.booking_id for one in seen] == lost
        assert {(one.hospital_id, one.date, one.headcount) for one in seen} == {(hospital_id, day(1), 1)}
        two = stack.hospital.ListReservations(booking_ids=[lost[1], rpc.new_id(), lost[3]], page_size=1).message
        assert sorted(one.booking_id for one in two.reservations) == [lost[1], lost[3]] and not two.next_page_token
        states = stack.booking.LookUpBookings(booking_ids=[lost[4], booked.booking_id, booked.booking_id]).message.bookings
        assert [one.booking_id for one in states] == [lost[4], booked.booking_id, booked.booking_id]
        assert [one.status for one in states][1:] == [CONFIRMED, CONFIRMED]
        many = [{"booking_id": rpc.new_id(), "hospital_id": hospital_id, "date": day(1), "headcount": 1} for _ in range(600)]
        assert {result.code for result in stack.hospital.BatchReserve(requests=many).message.results} == {rpc.OK}
        assert len(repair(stack)) == 604
        for method, field, wrong in (
                (stack.hospital.ListReservations, "page_size", {"page_size": 501}),
                (stack.hospital.ListReservations, "page_token", {"page_token": "x"}),
                (stack.hospital.ListReservations, "booking_ids", {"booking_ids": ["x"]}),
                (stack.hospital.ListReservations, "booking_ids", {"booking_ids": [rpc.new_id()] * 501}),
                (stack.booking.LookUpBookings, "booking_ids", {}),
                (stack.booking.LookUpBookings, "booking_ids", {"booking_ids": ["x"]}),
                (stack.booking.LookUpBookings, "booking_ids", {"booking_ids": [rpc.new_id()] * 501}),
                (stack.booking.AbandonBooking, "booking_id", {}),
                (stack.booking.AbandonBooking, "hospital_id", {"booking_id": lost[0]}),
                (stack.booking.AbandonBooking, "date", {**many[0], "date": "2026-02-30"}),
                (stack.booking.AbandonBooking, "headcount", {**many[0], "headcount": 0}),
                (stack.booking.AbandonBooking, "headcount", {**many[0], "headcount": 101})):
            check_refused(method(**wrong), rpc.INVALID_ARGUMENT, field=field)
