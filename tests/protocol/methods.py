"""Tests the success and the refusals of every method."""
from kit import rpc
from kit.marks import once
from kit.stack import Stack, wait_for
from kit.world import (CANCELLED, CONFIRMED, DELETED, REJECTED, all_bookings, book, booking_request, check_refused, day,
                       history_of, register, remaining, status_of, wait_agreement, wait_history)


# ---- HospitalService

def test_register_without_id_makes_one(driver):
    with Stack(driver, without=("booking", "history")) as stack:
        made = stack.hospital.RegisterHospital(name="n", days=[]).message
        assert stack.hospital.GetHospital(hospital_id=made.hospital_id).message.name == "n"
        assert made.created_at.seconds > 1_600_000_000 and made.status == 1


def test_get_hospital_shows_days_from_today_in_order(driver):
    with Stack(driver, without=("booking", "history")) as stack:
        hospital_id = register(stack, days=(3, 0, 1))
        days = stack.hospital.GetHospital(hospital_id=hospital_id).message.days
        assert [d.date for d in days] == [day(0), day(1), day(3)]
        assert all(d.version == 1 for d in days)


def test_unknown_ids_are_not_found(driver):
    with Stack(driver) as stack:
        unknown = rpc.new_id()
        check_refused(stack.hospital.GetHospital(hospital_id=unknown), rpc.NOT_FOUND)
        check_refused(stack.hospital.DeleteHospital(hospital_id=unknown), rpc.NOT_FOUND)
        check_refused(stack.hospital.GetAvailability(hospital_id=unknown), rpc.NOT_FOUND)
        check_refused(stack.hospital.SetCapacity(hospital_id=unknown, date=day(1), capacity=1), rpc.NOT_FOUND)
        check_refused(stack.booking.GetBooking(booking_id=unknown), rpc.NOT_FOUND)
        check_refused(stack.booking.CancelBooking(booking_id=unknown), rpc.NOT_FOUND)
        check_refused(stack.history.GetBookingHistory(booking_id=unknown), rpc.NOT_FOUND)


def test_list_hospitals_filters_and_pages(driver):
    with Stack(driver, without=("booking", "history")) as stack:
        ids = [register(stack, name="한빛 %d" % i, days=(i % 2 + 1,)) for i in range(7)]
        register(stack, name="100% 센터", days=(5,))
        stack.hospital.DeleteHospital(hospital_id=ids[6])

        def listed(**filters):
            found, token = [], ""
            while True:
                reply = stack.hospital.ListHospitals(page_size=3, page_token=token, **filters)
                assert reply.code == rpc.OK, reply
                assert len(reply.message.hospitals) <= 3
                found.extend(reply.message.hospitals)
                token = reply.message.next_page_token
                if not token:
                    return found
        assert [h.hospital_id for h in listed(name_contains="한빛")] == ids[:6]
        assert [h.hospital_id for h in listed(name_contains="한빛", include_deleted=True)] == ids
        assert not listed()[0].days
        on_day = listed(name_contains="한빛", date=day(1))
        assert [h.hospital_id for h in on_day] == ids[0:6:2]
        assert all([d.date for d in h.days] == [day(1)] for h in on_day)
        assert [h.name for h in listed(name_contains="100%")] == ["100% 센터"]
        assert listed(name_contains="한_빛") == []


def test_page_token_of_another_query_is_invalid(driver):
    with Stack(driver, without=("booking", "history")) as stack:
        for _ in range(2):
            register(stack)
        token = stack.hospital.ListHospitals(page_size=1).message.next_page_token
        assert token
        check_refused(stack.hospital.ListHospitals(page_size=1, page_token=token, name_contains="x"),
                      rpc.INVALID_ARGUMENT, field="page_token")


def test_set_capacity_opens_raises_lowers_closes(driver):
    with Stack(driver, without=("history",)) as stack:
        hospital_id = register(stack, capacity=5, days=(1,))

        def set_capacity(offset, capacity, **more):
            return stack.hospital.SetCapacity(hospital_id=hospital_id, date=day(offset), capacity=capacity, **more)
        opened = set_capacity(2, 8).message
        assert (opened.date, opened.capacity, opened.remaining, opened.version) == (day(2), 8, 8, 1)
        book(stack, hospital_id, 1, headcount=3)
        raised = set_capacity(1, 9).message
        assert (raised.capacity, raised.remaining, raised.version) == (9, 6, 2)
        check_refused(set_capacity(1, 2), rpc.FAILED_PRECONDITION, "CAPACITY_BELOW_RESERVED")
        check_refused(set_capacity(1, 0), rpc.FAILED_PRECONDITION, "CAPACITY_BELOW_RESERVED")
        lowered = set_capacity(1, 3).message
        assert (lowered.capacity, lowered.remaining, lowered.version) == (3, 0, 3)
        assert set_capacity(2, 0).message.capacity == 0
        reply = stack.booking.CreateBooking(**booking_request(hospital_id, 2))
        check_refused(reply, rpc.FAILED_PRECONDITION, "DATE_NOT_OPEN")


def test_set_capacity_checks_the_expected_version(driver):
    with Stack(driver, without=("booking", "history")) as stack:
        hospital_id = register(stack, capacity=5)
        where = {"hospital_id": hospital_id, "date": day(1)}
        assert stack.hospital.SetCapacity(capacity=6, expected_version=1, **where).message.version == 2
        check_refused(stack.hospital.SetCapacity(capacity=7, expected_version=1, **where), rpc.FAILED_PRECONDITION,
                      "VERSION_MISMATCH")
        again = stack.hospital.SetCapacity(capacity=6, expected_version=1, **where)
        assert again.code == rpc.OK and again.message.version == 2  # a repeat: the day already has this capacity
        stack.hospital.DeleteHospital(hospital_id=hospital_id)
        check_refused(stack.hospital.SetCapacity(capacity=9, **where), rpc.FAILED_PRECONDITION, "HOSPITAL_DELETED")


def test_availability_has_defaults_and_limits(driver):
    with Stack(driver, without=("booking", "history")) as stack:
        hospital_id = register(stack, days=(0, 30, 31, 365))

        def dates(**range_):
            return [d.date for d in stack.hospital.GetAvailability(hospital_id=hospital_id, **range_).message.days]
        assert dates() == [day(0), day(30)]
        assert dates(from_date=day(1)) == [day(30), day(31)]
        assert dates(from_date=day(0), to_date=day(365)) == [day(0), day(30), day(31), day(365)]
        for range_ in ({"from_date": day(0), "to_date": day(366)}, {"from_date": day(2), "to_date": day(1)}):
            check_refused(stack.hospital.GetAvailability(hospital_id=hospital_id, **range_), rpc.INVALID_ARGUMENT,
                          field="to_date")


def test_delete_hospital_twice_answers_the_same(driver):
    with Stack(driver, without=("booking", "history")) as stack:
        hospital_id = register(stack)
        first = stack.hospital.DeleteHospital(hospital_id=hospital_id).message
        second = stack.hospital.DeleteHospital(hospital_id=hospital_id).message
        assert first == second and first.status == DELETED
        assert stack.value("hospital", "SELECT COUNT(*) FROM event_log") == 2


def test_reserve_takes_repeats_and_refuses(driver):
    with Stack(driver, without=("history",)) as stack:
        hospital_id, booking_id = register(stack, capacity=3), rpc.new_id()
        place = {"booking_id": booking_id, "hospital_id": hospital_id, "date": day(1), "headcount": 2}
        assert stack.hospital.Reserve(**place).message.remaining == 1
        assert stack.hospital.Reserve(**place).message.remaining == 1  # a repeat takes no place
        check_refused(stack.hospital.Reserve(**{**place, "headcount": 1}), rpc.ALREADY_EXISTS)
        other = {**place, "booking_id": rpc.new_id()}
        check_refused(stack.hospital.Reserve(**other), rpc.FAILED_PRECONDITION, "SOLD_OUT")
        check_refused(stack.hospital.Reserve(**{**other, "date": day(2)}), rpc.FAILED_PRECONDITION, "DATE_NOT_OPEN")
        check_refused(stack.hospital.Reserve(**{**other, "date": day(-1)}), rpc.FAILED_PRECONDITION, "DATE_NOT_OPEN")
        check_refused(stack.hospital.Reserve(**{**other, "hospital_id": rpc.new_id()}), rpc.FAILED_PRECONDITION,
                      "HOSPITAL_NOT_FOUND")
        stack.hospital.DeleteHospital(hospital_id=hospital_id)
        check_refused(stack.hospital.Reserve(**{**other, "headcount": 1}), rpc.FAILED_PRECONDITION, "HOSPITAL_DELETED")
        assert stack.hospital.Reserve(**place).code == rpc.OK  # granted earlier, so still answered OK


def test_batch_reserve_answers_in_order(driver):
    with Stack(driver, without=("history",)) as stack:
        hospital_id = register(stack, capacity=2)
        items = [{"booking_id": rpc.new_id(), "hospital_id": hospital_id, "date": day(1), "headcount": 1}
                 for _ in range(4)]
        items.insert(2, {**items[0], "booking_id": "no uuid"})
        items.append(items[0])
        results = stack.hospital.BatchReserve(requests=items).message.results
        assert [r.booking_id for r in results] == [i["booking_id"] for i in items]
        assert [r.code for r in results] == [0, 0, rpc.INVALID_ARGUMENT, 9, 9, 0]
        assert [r.reason for r in results] == ["", "", "", "SOLD_OUT", "SOLD_OUT", ""]
        assert [r.remaining for r in results][:2] == [1, 0]
        check_refused(stack.hospital.BatchReserve(requests=[]), rpc.INVALID_ARGUMENT, field="requests")
        check_refused(stack.hospital.BatchReserve(requests=[items[0]] * 1025), rpc.INVALID_ARGUMENT, field="requests")
        full = [{**items[0], "booking_id": rpc.new_id()} for _ in range(1024)]
        assert len(stack.hospital.BatchReserve(requests=full).message.results) == 1024


# ---- BookingService

def test_booking_refusals_say_why(driver):
    with Stack(driver, without=("history",)) as stack:
        hospital_id = register(stack, capacity=1)
        check_refused(stack.booking.CreateBooking(**booking_request(rpc.new_id())), rpc.FAILED_PRECONDITION,
                      "HOSPITAL_NOT_FOUND")
        check_refused(stack.booking.CreateBooking(**booking_request(hospital_id, 2)), rpc.FAILED_PRECONDITION,
                      "DATE_NOT_OPEN")
        check_refused(stack.booking.CreateBooking(**booking_request(hospital_id, headcount=2)),
                      rpc.FAILED_PRECONDITION, "SOLD_OUT")
        book(stack, hospital_id)
        refused = booking_request(hospital_id)
        check_refused(stack.booking.CreateBooking(**refused), rpc.FAILED_PRECONDITION, "SOLD_OUT")
        stored = stack.booking.GetBooking(booking_id=refused["booking_id"]).message
        assert (stored.status, stored.status_reason, stored.version) == (REJECTED, "SOLD_OUT", 2)


def test_booking_without_id_and_headcount_gets_defaults(driver):
    with Stack(driver, without=("history",)) as stack:
        request = booking_request(register(stack), booking_id="", headcount=0)
        booking = stack.booking.CreateBooking(**request).message
        assert booking.headcount == 1 and len(booking.booking_id) == 36
        assert stack.booking.GetBooking(booking_id=booking.booking_id).message == booking


def test_same_customer_may_book_the_same_day_twice(driver):
    with Stack(driver, without=("history",)) as stack:
        hospital_id = register(stack, capacity=2)
        book(stack, hospital_id)
        book(stack, hospital_id)
        assert remaining(stack, hospital_id) == 0


def test_list_bookings_filters_and_pages(driver):
    with Stack(driver, without=("history",)) as stack:
        hospital_id = register(stack, capacity=100, days=(1, 2))
        bookings = [book(stack, hospital_id, 1 + i % 2, customer_id="c-%d" % (i % 3)) for i in range(12)]
        stack.booking.CancelBooking(booking_id=bookings[0].booking_id)
        ids = [b.booking_id for b in bookings]

        def listed(**filters):
            found, token = [], ""
            while True:
                reply = stack.booking.ListBookings(page_size=5, page_token=token, **filters)
                assert reply.code == rpc.OK, reply
                found.extend(b.booking_id for b in reply.message.bookings)
                token = reply.message.next_page_token
                if not token:
                    return found
        assert listed(hospital_id=hospital_id) == ids
        assert listed(hospital_id=hospital_id, date=day(2)) == ids[1::2]
        assert listed(hospital_id=hospital_id, status=CANCELLED) == ids[:1]
        assert listed(hospital_id=hospital_id, date=day(1), status=CONFIRMED) == ids[2::2]
        assert listed(customer_id="c-1") == ids[1::3]
        assert listed(customer_id="c-1", date=day(1)) == [i for i in ids[1::3] if i in ids[0::2]]
        assert listed(customer_id="nobody") == []
        assert len(all_bookings(stack, hospital_id)) == 12


def test_cancel_again_keeps_the_first_reason(driver):
    with Stack(driver, without=("history",)) as stack:
        booking = book(stack, register(stack))
        first = stack.booking.CancelBooking(booking_id=booking.booking_id, reason="one").message
        second = stack.booking.CancelBooking(booking_id=booking.booking_id, reason="two").message
        assert first == second and second.status_reason == "one"


def test_cancel_of_a_final_booking_is_refused(driver):
    with Stack(driver, without=("history",)) as stack:
        hospital_id = register(stack, capacity=1)
        refused = booking_request(hospital_id, headcount=5)
        stack.booking.CreateBooking(**refused)
        check_refused(stack.booking.CancelBooking(booking_id=refused["booking_id"]), rpc.FAILED_PRECONDITION,
                      "BOOKING_FINAL")
        booking = book(stack, hospital_id)
        stack.hospital.DeleteHospital(hospital_id=hospital_id)
        wait_for("force-cancelled", lambda: status_of(stack, booking.booking_id) == 5)
        check_refused(stack.booking.CancelBooking(booking_id=booking.booking_id), rpc.FAILED_PRECONDITION,
                      "BOOKING_FINAL")


EARLY, LATE = "Etc/GMT+12", "Pacific/Kiritimati"  # 26 hours apart: today in the one zone was yesterday in the other


def test_a_day_that_has_passed_in_the_clinics_zone(driver):
    zone = {name: {"time-zone": EARLY} for name in ("hospital", "booking", "history")}
    with Stack(driver, flags=zone) as stack:
        today = day(0, EARLY)
        hospital_id = rpc.new_id()
        days = [{"date": today, "capacity": 5}]
        assert stack.hospital.RegisterHospital(hospital_id=hospital_id, name="n", days=days).code == rpc.OK
        request = booking_request(hospital_id, date=today)
        assert stack.booking.CreateBooking(**request).code == rpc.OK
        cancelled = booking_request(hospital_id, date=today)
        stack.booking.CreateBooking(**cancelled)
        stack.booking.CancelBooking(booking_id=cancelled["booking_id"])
        for service in (stack.hospital_svc, stack.booking_svc):
            service.flags["time-zone"] = LATE
            service.restart()
        stack.wait_paired()
        check_refused(stack.booking.CancelBooking(booking_id=request["booking_id"]), rpc.FAILED_PRECONDITION,
                      "DATE_PASSED")
        # Checks that depend on the clock run after the look-up of the id.
        assert stack.booking.CancelBooking(booking_id=cancelled["booking_id"]).message.status == CANCELLED
        assert stack.booking.CreateBooking(**request).message.status == CONFIRMED
        again = stack.hospital.RegisterHospital(hospital_id=hospital_id, name="n", days=days)
        assert again.code == rpc.OK
        check_refused(stack.booking.CreateBooking(**booking_request(hospital_id, date=today)), rpc.INVALID_ARGUMENT,
                      field="date")
        place = {"booking_id": rpc.new_id(), "hospital_id": hospital_id, "date": today, "headcount": 1}
        check_refused(stack.hospital.Reserve(**place), rpc.FAILED_PRECONDITION, "DATE_NOT_OPEN")


# ---- HistoryService

@once
def test_customer_history_filters_and_pages(driver):
    with Stack(driver) as stack:
        hospital_id = register(stack, capacity=100, days=(1, 2, 3))
        bookings = [book(stack, hospital_id, 1 + i % 3, customer_id="me") for i in range(9)]
        stack.booking.CancelBooking(booking_id=bookings[0].booking_id)
        wait_agreement(stack)

        def listed(**filters):
            found, token = [], ""
            while True:
                reply = stack.history.ListCustomerHistory(customer_id="me", page_size=4, page_token=token, **filters)
                assert reply.code == rpc.OK, reply
                found.extend(s.booking.booking_id for s in reply.message.bookings)
                token = reply.message.next_page_token
                if not token:
                    return found
        newest_first = [b.booking_id for b in reversed(bookings)]
        assert listed() == newest_first
        assert listed(status=CANCELLED) == [bookings[0].booking_id]
        assert listed(from_date=day(2)) == [b.booking_id for b in reversed(bookings) if b.date >= day(2)]
        assert listed(from_date=day(2), to_date=day(2)) == \
            [b.booking_id for b in reversed(bookings) if b.date == day(2)]


@once
def test_projection_status_reaches_the_head(driver):
    with Stack(driver) as stack:
        booking = book(stack, register(stack))
        wait_history(stack, booking.booking_id, CONFIRMED)

        def followed():
            logs = {log.log: log for log in stack.history.GetProjectionStatus().message.logs}
            return all(logs[name].applied_seq == logs[name].head_seq == 1 and logs[name].state == "FOLLOWING" and
                       logs[name].lag_ms == 0 and logs[name].dead_letters == 0 for name in ("booking", "hospital"))
        wait_for("both logs are followed to their heads", followed)
        assert history_of(stack, booking.booking_id).entries[0].seq == 1


# ---- methods of every server

@once
def test_describe_stats_and_health_on_every_service(driver):
    with Stack(driver) as stack:
        own = {"hospital": "HospitalService", "booking": "BookingService", "history": "HistoryService"}
        for name, service in own.items():
            client = stack.client(name)
            described = client.Describe().message
            assert described.program == name + "-svc"
            methods = {m.name for s in described.services for m in s.methods}
            expected = {full for full, method in rpc.METHODS.values()
                        if method.containing_service.name in (service, "Health", "Introspection")}
            assert expected <= methods, expected - methods
            stats = client.Stats().message
            assert not stats.degraded and any(s.value > 0 for s in stats.stats)
            assert client.Check(service="screening.v1." + service).message.status == 1
            check_refused(client.Check(service="no.such.Service"), rpc.NOT_FOUND)
