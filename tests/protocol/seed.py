"""Tests the twelve lines of the specification through the public API, each in one test."""
from kit import rpc
from kit.stack import Stack, wait_for
from kit.world import (CANCELLED, CONFIRMED, DELETED, FORCE_CANCELLED, all_bookings, book, booking_request, day,
                       history_of, history_shows, register, remaining, status_of, wait_agreement, wait_history)


def seed_01_register_hospital(driver):
    with Stack(driver) as stack:
        hospital_id = register(stack, capacity=30, days=(1, 2), name="서울한빛검진센터")
        hospital = stack.hospital.GetHospital(hospital_id=hospital_id).message
        assert hospital.name == "서울한빛검진센터"
        assert [(d.date, d.capacity, d.remaining) for d in hospital.days] == [(day(1), 30, 30), (day(2), 30, 30)]


def seed_02_customer_requests_booking(driver):
    with Stack(driver) as stack:
        request = booking_request(register(stack), headcount=2)
        booking = stack.booking.CreateBooking(**request).message
        for field in ("booking_id", "customer_id", "customer_name", "hospital_id", "date", "headcount"):
            assert getattr(booking, field) == request[field], field


def seed_03_capacity_goes_down_in_the_same_call(driver):
    with Stack(driver) as stack:
        hospital_id = register(stack, capacity=10)
        assert remaining(stack, hospital_id) == 10
        book(stack, hospital_id, headcount=3)
        assert remaining(stack, hospital_id) == 7


def seed_04_booking_is_confirmed_in_the_same_call(driver):
    with Stack(driver) as stack:
        booking = book(stack, register(stack))
        assert booking.status == CONFIRMED and booking.version == 2
        assert status_of(stack, booking.booking_id) == CONFIRMED


def seed_05_history_registers_the_confirmation(driver):
    with Stack(driver) as stack:
        booking = book(stack, register(stack, name="한빛"))
        wait_history(stack, booking.booking_id, CONFIRMED)
        wait_for("history knows the hospital", lambda: history_of(stack, booking.booking_id).summary.hospital_name)
        found = history_of(stack, booking.booking_id)
        assert found.summary.booking == booking
        assert found.summary.hospital_name == "한빛"
        assert [(e.version, e.status, e.source) for e in found.entries] == [(2, CONFIRMED, "booking")]


def seed_06_customer_cancels(driver):
    with Stack(driver) as stack:
        booking = book(stack, register(stack))
        reply = stack.booking.CancelBooking(booking_id=booking.booking_id, reason="일정 변경")
        assert reply.code == rpc.OK
        assert reply.message.status == CANCELLED and reply.message.status_reason == "일정 변경"
        assert reply.message.version == 3


def seed_07_cancellation_frees_the_place(driver):
    with Stack(driver) as stack:
        hospital_id = register(stack, capacity=5)
        booking = book(stack, hospital_id, headcount=4)
        assert remaining(stack, hospital_id) == 1
        stack.booking.CancelBooking(booking_id=booking.booking_id)
        wait_for("the places are free again", lambda: remaining(stack, hospital_id) == 5)


def seed_08_history_shows_the_cancellation(driver):
    with Stack(driver) as stack:
        booking = book(stack, register(stack))
        stack.booking.CancelBooking(booking_id=booking.booking_id, reason="plans")
        wait_history(stack, booking.booking_id, CANCELLED)
        entries = history_of(stack, booking.booking_id).entries
        assert [(e.version, e.status, e.reason) for e in entries] == [(2, CONFIRMED, ""), (3, CANCELLED, "plans")]


def seed_09_delete_hospital(driver):
    with Stack(driver) as stack:
        hospital_id = register(stack)
        assert stack.hospital.DeleteHospital(hospital_id=hospital_id).message.status == DELETED
        assert stack.hospital.GetHospital(hospital_id=hospital_id).message.status == DELETED
        # A booking that coincides with the deletion may be force-cancelled. After the deletion, all bookings are refused.
        wait_for("bookings are refused", lambda: stack.booking.CreateBooking(
            **booking_request(hospital_id)).reason == "HOSPITAL_DELETED")


def seed_10_deletion_changes_its_bookings(driver):
    with Stack(driver) as stack:
        hospital_id, other = register(stack, capacity=1000, days=(0, 1)), register(stack)
        kept = book(stack, other)
        requests = [booking_request(hospital_id, offset=i % 2) for i in range(600)]
        assert all(r.code == rpc.OK for r in stack.booking.call_all("CreateBooking", requests))
        stack.hospital.DeleteHospital(hospital_id=hospital_id)
        wait_for("all 600 are force-cancelled",
                 lambda: len(all_bookings(stack, hospital_id, status=FORCE_CANCELLED)) == 600)
        assert all_bookings(stack, hospital_id)[0].status_reason == "HOSPITAL_DELETED"
        assert status_of(stack, kept.booking_id) == CONFIRMED
        wait_agreement(stack)


def seed_11_history_shows_the_forced_cancellation(driver):
    with Stack(driver) as stack:
        hospital_id = register(stack)
        booking = book(stack, hospital_id)
        wait_history(stack, booking.booking_id, CONFIRMED)
        stack.hospital.DeleteHospital(hospital_id=hospital_id)
        wait_for("history shows it at once, be it provisionally",
                 lambda: history_of(stack, booking.booking_id).summary.booking.status == FORCE_CANCELLED)
        wait_for("then by the booking's own event", lambda: history_shows(stack, booking.booking_id, FORCE_CANCELLED))
        assert history_of(stack, booking.booking_id).entries[-1].status == FORCE_CANCELLED


def seed_12_customer_looks_up(driver):
    with Stack(driver) as stack:
        hospital_id = register(stack, capacity=10, days=(1, 2))
        first = book(stack, hospital_id, 1, customer_id="me")
        second = book(stack, hospital_id, 2, customer_id="me")
        book(stack, hospital_id, 1, customer_id="somebody-else")
        stack.booking.CancelBooking(booking_id=first.booking_id)
        wait_history(stack, first.booking_id, CANCELLED)
        wait_history(stack, second.booking_id, CONFIRMED)
        mine = stack.booking.ListBookings(customer_id="me").message.bookings
        assert [b.booking_id for b in mine] == [first.booking_id, second.booking_id]
        story = stack.history.ListCustomerHistory(customer_id="me").message.bookings
        assert [(s.booking.booking_id, s.booking.status) for s in story] == \
            [(second.booking_id, CONFIRMED), (first.booking_id, CANCELLED)]
