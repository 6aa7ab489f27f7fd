"""Checks that bad input is refused with an error that names the field and the rule, and that it changes nothing."""
from kit import rpc, sp
from kit.marks import once
from kit.stack import Stack
from kit.world import book, booking_request, check_refused, day, register, remaining, wait_agreement

TOO_LONG_AGO = "2020-02-29"


def bad_texts(longest, required):
    """Returns values that a text field of at most `longest` characters must refuse."""
    values = ["x" * (longest + 1), "한" * (longest + 1), "a\x01b", "line\nbreak", "del\x7f", "c1\x85"]
    return values + ([""] if required else [])


NIL = "00000000-0000-0000-0000-000000000000"  # every list starts after this id, so a list would omit an object with this id
BAD_IDS = ["x", "", "0190b5d0", "0190b5d0-0000-7000-8000-00000000000g", "0190b5d000007000800000000000000a", NIL]
BAD_DATES = ["", "2026-02-30", "2025-02-29", "tomorrow", "2026-13-01", "2026-1-1", "20261201", "0000-01-01",
             "2026-12-01T00:00:00Z"]


def check_all_invalid(call, base, cases):
    """Checks that each (field, value) in `cases` alone makes the request invalid, and that the error begins with the name of the
    field."""
    for field, value in cases:
        name = field if isinstance(field, str) else field[0]
        reply = call(**{**base, name: value})
        expected = field if isinstance(field, str) else field[1]
        assert reply.code == rpc.INVALID_ARGUMENT, "%s=%r: %s" % (name, value, reply)
        assert reply.text.startswith(expected + ":"), "%s=%r: %s" % (name, value, reply)


def counts(stack, name):
    tables = {"hospital": ("hospital", "screening_day", "reservation", "event_log"), "booking": ("booking", "event_log")}
    return [stack.value(name, "SELECT COUNT(*) FROM " + table) for table in tables[name]]


def test_register_hospital_refuses_bad_input(driver):
    with Stack(driver, without=("booking", "history")) as stack:
        base = {"hospital_id": rpc.new_id(), "name": "n", "address": "a", "days": [{"date": day(1), "capacity": 1}]}

        def one_day(**fields):
            return [{"date": day(2), "capacity": 1}, {"date": day(1), "capacity": 1, **fields}]
        cases = [("hospital_id", value) for value in BAD_IDS if value]
        cases += [("name", value) for value in bad_texts(200, True)]
        cases += [("address", value) for value in bad_texts(300, False)]
        cases += [(("days", "days[1].date"), one_day(date=value)) for value in BAD_DATES + [day(-1), TOO_LONG_AGO]]
        cases += [(("days", "days[1].date"), one_day(date=day(2))),
                  (("days", "days[1].capacity"), one_day(capacity=100001)),
                  (("days", "days[1].remaining"), one_day(remaining=1)),
                  (("days", "days[1].version"), one_day(version=1)),
                  ("days", [{"date": day(i), "capacity": 1} for i in range(401)])]
        before = counts(stack, "hospital")
        check_all_invalid(stack.hospital.RegisterHospital, base, cases)
        assert counts(stack, "hospital") == before
        biggest = {**base, "name": "한" * 200, "address": "a" * 300,
                   "days": [{"date": day(i), "capacity": 100000} for i in range(400)]}
        assert stack.hospital.RegisterHospital(**biggest).code == rpc.OK


def test_hospital_methods_refuse_bad_input(driver):
    with Stack(driver, without=("booking", "history")) as stack:
        hospital_id = register(stack)
        hospital = stack.hospital
        before = counts(stack, "hospital")
        for call in (hospital.GetHospital, hospital.DeleteHospital):
            check_all_invalid(call, {}, [("hospital_id", value) for value in BAD_IDS])
        check_all_invalid(hospital.SetCapacity, {"hospital_id": hospital_id, "date": day(1), "capacity": 1},
                          [("hospital_id", value) for value in BAD_IDS] +
                          [("date", value) for value in BAD_DATES + [day(-1)]] + [("capacity", 100001)])
        check_all_invalid(hospital.GetAvailability, {"hospital_id": hospital_id},
                          [("hospital_id", value) for value in BAD_IDS] +
                          [(field, value) for field in ("from_date", "to_date") for value in BAD_DATES if value])
        check_all_invalid(hospital.ListHospitals, {},
                          [("name_contains", value) for value in bad_texts(200, False)] +
                          [("date", value) for value in BAD_DATES if value] +
                          [("page_size", 501), ("page_token", "nonsense"), ("page_token", "0" * 64)])
        place = {"booking_id": rpc.new_id(), "hospital_id": hospital_id, "date": day(1), "headcount": 1}
        check_all_invalid(hospital.Reserve, place,
                          [(field, value) for field in ("booking_id", "hospital_id") for value in BAD_IDS] +
                          [("date", value) for value in BAD_DATES] + [("headcount", 0), ("headcount", 101)])
        assert counts(stack, "hospital") == before


def test_booking_methods_refuse_bad_input(driver):
    with Stack(driver, without=("history",)) as stack:
        hospital_id = register(stack)
        kept = book(stack, hospital_id)
        booking = stack.booking
        before = counts(stack, "booking") + counts(stack, "hospital")
        check_all_invalid(booking.CreateBooking, booking_request(hospital_id),
                          [("booking_id", value) for value in BAD_IDS if value] +
                          [("hospital_id", value) for value in BAD_IDS] +
                          [("customer_id", value) for value in bad_texts(64, True) + ["a b", "a\u00a0b"]] +
                          [("customer_name", value) for value in bad_texts(200, True)] +
                          [("date", value) for value in BAD_DATES + [day(-1), TOO_LONG_AGO]] +
                          [("headcount", 101), ("headcount", 4294967295)])
        check_all_invalid(booking.GetBooking, {}, [("booking_id", value) for value in BAD_IDS])
        check_all_invalid(booking.CancelBooking, {"booking_id": kept.booking_id},
                          [("booking_id", value) for value in BAD_IDS] +
                          [("reason", value) for value in bad_texts(200, False)])
        check_all_invalid(booking.ListBookings, {"hospital_id": hospital_id},
                          [("hospital_id", value) for value in BAD_IDS if value] +
                          [("date", value) for value in BAD_DATES if value] +
                          [("page_size", 501), ("page_token", "nonsense"), ("status", 6), ("status", 99)])
        check_refused(booking.ListBookings(), rpc.INVALID_ARGUMENT, field="customer_id")
        check_refused(booking.ListBookings(customer_id="c", hospital_id=hospital_id), rpc.INVALID_ARGUMENT,
                      field="customer_id")
        assert counts(stack, "booking") + counts(stack, "hospital") == before


@once
def test_history_methods_refuse_bad_input(driver):
    with Stack(driver, without=("hospital", "booking")) as stack:
        check_all_invalid(stack.history.GetBookingHistory, {}, [("booking_id", value) for value in BAD_IDS])
        check_all_invalid(stack.history.ListCustomerHistory, {"customer_id": "c"},
                          [("customer_id", value) for value in bad_texts(64, True) + ["a b"]] +
                          [(field, value) for field in ("from_date", "to_date") for value in BAD_DATES if value] +
                          [("page_size", 501), ("page_token", "nonsense"), ("status", 6)])


@once
def test_event_log_refuses_bad_input(driver):
    with Stack(driver, without=("booking", "history")) as stack:
        check_all_invalid(stack.hospital.Fetch, {"subscriber": "t"},
                          [("max_events", 1001), ("wait_ms", 10001), ("after_event_id", "x")])


def field(number, content):
    """Encodes one length-delimited protobuf field by hand."""
    size, prefix = len(content), bytearray([number << 3 | 2])
    while size > 127:
        prefix.append(size & 127 | 128)
        size >>= 7
    return bytes(prefix) + bytes([size]) + content


@once
def test_text_that_is_not_valid_names_the_field(driver):
    with Stack(driver, without=("history",)) as stack:
        hospital_id = register(stack)
        good = booking_request(hospital_id)
        names = {2: "customer_id", 3: "customer_name"}
        for number, name in names.items():
            for value in (b"\xff\xfe", b"a\0b", b"\xed\xa0\x80", b"\xc0\xaf", b"\xe2\x82"):
                payload = b"".join(
                    field(n, value if n == number else good[key].encode())
                    for n, key in ((1, "booking_id"), (2, "customer_id"), (3, "customer_name"), (4, "hospital_id"),
                                   (5, "date")))
                reply = stack.booking.raw(rpc.pack("screening.v1.BookingService/CreateBooking", payload))
                check_refused(reply, rpc.INVALID_ARGUMENT, field=name + ":")
        nested = field(2, "이름".encode()) + field(4, field(1, b"2026-12-\xff1"))
        reply = stack.hospital.raw(rpc.pack("screening.v1.HospitalService/RegisterHospital", nested))
        check_refused(reply, rpc.INVALID_ARGUMENT, field="days")
        assert stack.value("booking", "SELECT COUNT(*) FROM booking") == 0


@once
def test_garbage_gets_an_answer_and_harms_no_other_client(driver):
    with Stack(driver, without=("history",)) as stack:
        hospital_id = register(stack)
        for body in (b"", b"\xff" * 100, b"GET / HTTP/1.1\r\n\r\n", b"\x0a\xff\xff\xff\xff\x0f"):
            reply = stack.booking.raw(body)
            assert reply.code in (rpc.INVALID_ARGUMENT, rpc.UNIMPLEMENTED), reply
        for method in ("", "x", "screening.v1.BookingService", "screening.v1.BookingService/Nope", "no.Service/Create",
                       "screening.v1.HospitalService/RegisterHospital", "/", "a/b/c"):
            reply = stack.booking.raw(rpc.pack(method, b""))
            assert reply.code == rpc.UNIMPLEMENTED, "%r: %s" % (method, reply)
        reply = stack.booking.raw(rpc.pack("screening.v1.BookingService/GetBooking", b"\xff\xff"))
        check_refused(reply, rpc.INVALID_ARGUMENT)
        check_refused(stack.booking.raw(rpc.pack("screening.v1.BookingService/GetBooking", b"", timeout_ms=60001)),
                      rpc.INVALID_ARGUMENT, field="timeout_ms")
        assert stack.booking.raw(rpc.pack("rpc.v1.Introspection/Describe", b"")).code == rpc.OK  # an empty message is valid
        book(stack, hospital_id)


@once
def test_a_message_over_the_limit_closes_only_its_connection(driver):
    with Stack(driver, without=("history",)) as stack:
        hospital_id = register(stack)
        other = stack.client("booking")
        other.Describe()
        big = sp.Requester(stack.booking_svc.rpc)
        try:
            big.request(rpc.pack("screening.v1.BookingService/GetBooking", b"\x0a" + b"x" * (1 << 20)))
        except OSError:
            pass
        else:
            raise AssertionError("a message of over 1 MiB was answered")
        finally:
            big.close()
        assert other.Describe().code == rpc.OK
        book(stack, hospital_id)
        assert remaining(stack, hospital_id) == 9


def all_pages(call, field, **filters):
    """Returns the pages of a list. Each page must be small enough for a message."""
    pages, token = [], ""
    while True:
        reply = call(page_size=500, page_token=token, **filters)
        assert reply.code == rpc.OK, reply
        pages.append(list(getattr(reply.message, field)))
        token = reply.message.next_page_token
        if not token:
            return pages


SMALLEST = 256 << 10  # value of --message-max-bytes


@once
def test_pages_end_before_the_answer_is_too_large(driver):
    small = {"message-max-bytes": SMALLEST}
    with Stack(driver, flags={name: small for name in ("hospital", "booking", "history")}) as stack:
        requests = [{"hospital_id": rpc.new_id(), "name": "한" * 200, "address": "한" * 300} for _ in range(400)]
        assert all(reply.code == rpc.OK for reply in stack.hospital.call_all("RegisterHospital", requests))
        pages = all_pages(stack.hospital.ListHospitals, "hospitals")
        assert [h.hospital_id for page in pages for h in page] == [request["hospital_id"] for request in requests]
        assert len(pages) == 3, [len(page) for page in pages]

        hospital_id, customer = register(stack, capacity=1000), {"customer_id": "c" * 64, "customer_name": "한" * 200}
        requests = [booking_request(hospital_id, **customer) for _ in range(500)]
        assert all(reply.code == rpc.OK for reply in stack.booking.call_all("CreateBooking", requests))
        ids = [request["booking_id"] for request in requests]
        pages = all_pages(stack.booking.ListBookings, "bookings", hospital_id=hospital_id)
        assert [b.booking_id for page in pages for b in page] == ids
        assert len(pages) == 2, [len(page) for page in pages]
        wait_agreement(stack)  # all events have passed through the same limit
        pages = all_pages(stack.history.ListCustomerHistory, "bookings", customer_id="c" * 64)
        assert sorted(s.booking.booking_id for page in pages for s in page) == ids
        assert len(pages) == 2, [len(page) for page in pages]


@once
def test_an_answer_too_large_is_refused(driver):
    """A single object cannot be split. A hospital with more days than fit into a message is refused with RESOURCE_EXHAUSTED."""
    with Stack(driver, without=("booking", "history"), flags={"hospital": {"message-max-bytes": SMALLEST}}) as stack:
        hospital_id = register(stack)
        stack.execute("hospital", """
            WITH RECURSIVE days (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM days WHERE n < 15000)
            INSERT INTO screening_day SELECT hospital_id, date('%s', n || ' days'), 100000, 0, 1
            FROM hospital, days""" % day(1))
        check_refused(stack.hospital.GetHospital(hospital_id=hospital_id), rpc.RESOURCE_EXHAUSTED)
        assert stack.hospital.GetAvailability(hospital_id=hospital_id).code == rpc.OK
