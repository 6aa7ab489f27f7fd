"""Tests limits and last resorts of the contract: places in the queue, long polls, reasons of refusal, an unavailable database."""
import os
import signal
import subprocess
import threading
import time

from kit import rpc
from kit.marks import once
from kit.rpc import FakeService, hospital_pb2
from kit.stack import CLUSTER_URL, DEADLINE_S, PROGRAMS, Stack, psql, wait_for
from kit.world import (CONFIRMED, FORCE_CANCELLED, REJECTED, REQUESTED, book, booking_request, check_refused, day,
                       register, remaining, status_of, wait_agreement, wait_history)

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def silent(name, request):
    """Plays a hospital-svc that answers nothing."""
    del name, request


def granting(request):
    return hospital_pb2.BatchReserveResponse(results=[{"booking_id": r.booking_id} for r in request.requests])


@once
def test_a_booking_keeps_its_place_from_intent_to_reply(driver):
    with Stack(driver, without=("hospital", "history"), flags={"booking": {"queue-max": 4}}) as stack:
        go = threading.Event()

        def answer(name, request):
            return granting(request) if name == "BatchReserve" and go.wait(30) else None
        fake = FakeService(stack.address("hospital.rpc"), answer)
        waiting = stack.client("booking")
        requests = [booking_request(rpc.new_id()) for _ in range(4)]
        sent = [waiting.send("CreateBooking", **request) for request in requests]
        wait_for("four intents are committed", lambda: stack.value("booking", "SELECT COUNT(*) FROM booking") == 4)
        begun = time.monotonic()
        for call, request in (("CreateBooking", booking_request(rpc.new_id())),
                              ("CancelBooking", {"booking_id": requests[0]["booking_id"]})):
            reply = stack.booking.call(call, **request)
            check_refused(reply, rpc.RESOURCE_EXHAUSTED, "OVERLOADED")
            assert reply.retry_after_ms > 0
        assert time.monotonic() - begun < 5  # immediately, not after the others
        assert status_of(stack, requests[0]["booking_id"]) == REQUESTED  # reads do not need a place
        go.set()
        assert all(waiting.receive(one).message.status == CONFIRMED for one in sent)
        assert stack.booking.CancelBooking(booking_id=requests[0]["booking_id"]).code == rpc.OK
        fake.close()


@once
def test_with_both_queues_full_everything_else_is_refused_at_once(driver):
    """Bookings wait for hospital-svc, and reads wait for a locked table. The next read is refused, and does not wait."""
    del driver
    places = 600
    flags = {"booking": {"queue-max": places, "reserve-timeout-ms": 60000}}
    with Stack("postgresql", without=("hospital", "history"), flags=flags) as stack:
        fake = FakeService(stack.address("hospital.rpc"), silent)
        stack.booking.Check()
        clients = [stack.client("booking") for _ in range(10)]  # one connection does not get all places
        for i in range(places):
            clients[i % 10].send("CreateBooking", timeout_ms=60000, **booking_request(rpc.new_id()))
        wait_for("all places are taken", lambda: stack.value("booking", "SELECT COUNT(*) FROM booking") == places)
        lock = subprocess.Popen(["psql", stack.url("booking"), "-X", "-q", "-c", "BEGIN", "-c",
                                 "LOCK TABLE booking IN ACCESS EXCLUSIVE MODE", "-c", "SELECT pg_sleep(60)"])
        try:
            wait_for("the table is locked", lambda: stack.value(
                "booking", "SELECT COUNT(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted AND relation = "
                "'booking'::regclass"))
            reading = rpc.Client(stack.booking_svc.rpc)
            for _ in range(places + 100):
                reading.send("GetBooking", timeout_ms=60000, booking_id=rpc.new_id())
            reading.requester.pipe.sock.settimeout(DEADLINE_S)
            refused = 0
            while refused < 60:  # some answers may be failures by the lock timeout
                refused += rpc.unpack(reading.requester.pipe.receive()[4:], None).reason == "OVERLOADED"
        finally:
            stack.booking_svc.kill()
            lock.kill()
            lock.wait()
            reading.close()
            fake.close()


@once
def test_a_flood_on_one_connection_leaves_places_for_others(driver):
    flags = {"booking": {"queue-max": 80}}
    with Stack(driver, without=("hospital", "history"), flags=flags) as stack:
        fake = FakeService(stack.address("hospital.rpc"), silent)
        flood, others = rpc.Client(stack.booking_svc.rpc), [stack.client("booking") for _ in range(2)]
        for _ in range(100):
            flood.send("CreateBooking", **booking_request(rpc.new_id()))
        for _ in range(30):  # the refused ones; the others wait
            check_refused(rpc.unpack(flood.requester.pipe.receive()[4:], None), rpc.RESOURCE_EXHAUSTED, "OVERLOADED")
        for other in others:
            for _ in range(5):
                other.send("CreateBooking", **booking_request(rpc.new_id()))
        wait_for("eighty intents are committed", lambda: stack.value("booking", "SELECT COUNT(*) FROM booking") == 80)
        check_refused(stack.booking.CreateBooking(**booking_request(rpc.new_id())), rpc.RESOURCE_EXHAUSTED, "OVERLOADED")
        stack.booking_svc.kill()
        flood.close()
        fake.close()


@once
def test_a_budget_that_ends_before_the_reserve_is_sent_is_spent(driver):
    flags = {"booking": {"reserve-calls-max": 1, "reserve-timeout-ms": 4000}}
    with Stack(driver, without=("hospital", "history"), flags=flags) as stack:
        fake = FakeService(stack.address("hospital.rpc"), silent)
        blocker, late = stack.client("booking"), booking_request(rpc.new_id())
        sent = blocker.send("CreateBooking", **booking_request(rpc.new_id()))
        wait_for("the only call is under way", lambda: fake.count("BatchReserve") == 1)

        def given_up():
            """Sends a booking whose budget ends. Returns whether booking-svc has stored it. On a slow machine its intent may not be
            committed in time."""
            check_refused(stack.booking.CreateBooking(timeout_ms=200, **late), rpc.DEADLINE_EXCEEDED)
            return stack.booking.GetBooking(booking_id=late["booking_id"]).code == rpc.OK
        wait_for("a booking waits whose caller has given up", given_up)
        check_refused(blocker.receive(sent), rpc.FAILED_PRECONDITION, "HOSPITAL_UNAVAILABLE")
        wait_for("it is settled", lambda: status_of(stack, late["booking_id"]) == REJECTED)
        again = stack.booking.CreateBooking(**late)
        check_refused(again, rpc.FAILED_PRECONDITION, "BUDGET_SPENT")
        assert "new booking_id" in again.text
        asked = [item.booking_id for name, request in fake.seen if name == "BatchReserve" for item in request.requests]
        assert late["booking_id"] not in asked
        fake.close()


def test_any_other_definite_refusal_rejects_as_refused(driver):
    """The id is already reserved with another headcount, for which the contract has no reason of its own. The booking is rejected
    with REFUSED."""
    with Stack(driver) as stack:
        hospital_id = register(stack)
        request = booking_request(hospital_id)
        place = {key: request[key] for key in ("booking_id", "hospital_id", "date")}
        assert stack.hospital.Reserve(headcount=2, **place).code == rpc.OK
        for _ in range(2):
            check_refused(stack.booking.CreateBooking(**request), rpc.FAILED_PRECONDITION, "REFUSED")
        wait_agreement(stack)
        assert remaining(stack, hospital_id) == 10
        check_refused(stack.hospital.Reserve(headcount=2, **place), rpc.FAILED_PRECONDITION, "RELEASED")


def test_a_released_id_is_rejected_as_released(driver):
    with Stack(driver, without=("history",)) as stack:
        hospital_id = register(stack)
        stack.booking_svc.kill()
        request = booking_request(hospital_id)
        literal = ("X'%s'" if driver == "sqlite" else "'%s'")
        stack.execute("hospital", "INSERT INTO reservation (booking_id, hospital_id, date, headcount, state) VALUES "
                      "(%s, %s, '%s', 0, 3)" % (literal % request["booking_id"].replace("-", ""),
                                                literal % hospital_id.replace("-", ""), request["date"]))
        stack.booking_svc.start()
        check_refused(stack.booking.CreateBooking(**request), rpc.FAILED_PRECONDITION, "RELEASED")


@once
def test_the_trace_is_passed_on_to_hospital_svc_and_into_the_events(driver):
    with Stack(driver, without=("hospital", "history")) as stack:
        fake = FakeService(stack.address("hospital.rpc"),
                           lambda name, request: granting(request) if name == "BatchReserve" else None)
        request = booking_request(rpc.new_id())
        assert stack.booking.CreateBooking(metadata={"traceparent": TRACE}, **request).code == rpc.OK
        sent = [{m.key: m.value for m in e.metadata} for e in fake.envelopes if e.method.endswith("/BatchReserve")]
        assert [metadata.get("traceparent") for metadata in sent] == [TRACE]
        assert [e.traceparent for e in stack.booking.Fetch(subscriber="t").message.events] == [TRACE]
        fake.close()


@once
def test_hospital_events_carry_the_trace(driver):
    with Stack(driver, without=("booking", "history")) as stack:
        hospital_id, metadata = rpc.new_id(), {"traceparent": TRACE}
        stack.hospital.RegisterHospital(metadata=metadata, hospital_id=hospital_id, name="n")
        stack.hospital.SetCapacity(metadata=metadata, hospital_id=hospital_id, date=day(1), capacity=1)
        stack.hospital.DeleteHospital(metadata=metadata, hospital_id=hospital_id)
        assert [e.traceparent for e in stack.hospital.Fetch(subscriber="t").message.events] == [TRACE] * 3


@once
def test_a_long_poll_beyond_the_bound_is_answered_at_once(driver):
    """One connection may use 56 of the 64 places. The last eighth is reserved for connections that have fewer. A long poll that
    gets no place is answered immediately."""
    with Stack(driver, without=("booking", "history")) as stack:
        poll = {"wait_ms": 10000, "subscriber": "t", "timeout_ms": 30000}

        def wait_waiting(count):
            def waiting():
                stats = {s.name: s.value for s in stack.hospital.Stats().message.stats}
                return [value for name, value in stats.items() if name.endswith("events_long_polls")] == [count]
            wait_for("%d polls wait" % count, waiting)
        many, few = stack.client("hospital"), stack.client("hospital")
        sent = [(many, many.send("Fetch", **poll)) for _ in range(56)]
        wait_waiting(56)
        begun = time.monotonic()
        assert not many.call("Fetch", **poll).message.events
        sent += [(few, few.send("Fetch", **poll)) for _ in range(8)]
        wait_waiting(64)
        assert not stack.hospital.Fetch(**poll).message.events
        assert time.monotonic() - begun < 8
        register(stack)
        assert all(len(client.receive(one).message.events) == 1 for client, one in sent)


@once
def test_a_long_poll_ends_before_its_callers_budget_and_at_drain(driver):
    with Stack(driver, without=("booking", "history")) as stack:
        def answered_in_time():
            # The answer leaves 50 ms before the budget ends. If the machine is busy at that moment, it may be late once.
            reply = stack.hospital.Fetch(wait_ms=10000, timeout_ms=500, subscriber="t")
            assert reply.code in (rpc.OK, rpc.DEADLINE_EXCEEDED), reply
            return reply.code == rpc.OK and not reply.message.events
        wait_for("a long poll ends before its caller's budget", answered_in_time)
        polls = stack.client("hospital")
        sent = polls.send("Fetch", wait_ms=10000, timeout_ms=30000, subscriber="t")
        stack.hospital.GetAvailability(hospital_id=rpc.new_id())
        begun = time.monotonic()
        stack.hospital_svc.process.send_signal(signal.SIGTERM)
        assert polls.receive(sent).code in (rpc.OK, rpc.UNAVAILABLE)  # DRAINING if it arrived after the signal
        assert time.monotonic() - begun < 8
        assert stack.hospital_svc.process.wait(timeout=30) == 0


@once
def test_provisional_force_cancellation_follows_the_filters(driver):
    """booking-svc is down when the hospital is deleted. The history already shows the bookings as they will be."""
    with Stack(driver) as stack:
        hospital_id = register(stack)
        kept, gone = book(stack, hospital_id), book(stack, hospital_id)
        stack.booking.CancelBooking(booking_id=kept.booking_id)
        wait_agreement(stack)
        stack.booking_svc.kill()
        stack.hospital.DeleteHospital(hospital_id=hospital_id)

        def listed(status):
            reply = stack.history.ListCustomerHistory(customer_id=gone.customer_id, status=status)
            return [(s.booking.booking_id, s.booking.status, s.provisional) for s in reply.message.bookings]
        shown = [(gone.booking_id, FORCE_CANCELLED, True)]
        wait_for("it is shown provisionally", lambda: listed(FORCE_CANCELLED) == shown)
        assert listed(CONFIRMED) == []
        assert listed(4) == [(kept.booking_id, 4, False)]
        history = stack.history.GetBookingHistory(booking_id=gone.booking_id).message
        assert history.summary.provisional and history.summary.booking.status_reason == "HOSPITAL_DELETED"
        assert [entry.status for entry in history.entries] == [CONFIRMED]
        stack.booking_svc.start()
        wait_history(stack, gone.booking_id, FORCE_CANCELLED)
        assert listed(FORCE_CANCELLED) == [(gone.booking_id, FORCE_CANCELLED, False)]


@once
def test_reads_without_a_database_say_so_and_no_more(driver):
    """Reads fail with UNAVAILABLE. The text does not contain libpq's message, because that names hosts and paths."""
    del driver
    real_folder = CLUSTER_URL.split("host=")[1].split("&")[0]
    stack = Stack("postgresql", without=PROGRAMS)
    link = os.path.join(stack.folder, "pg")
    os.symlink(real_folder, link)
    for service in stack.services.values():
        service.flags["database"] = service.flags["database"].replace(real_folder, link)
    stack.without = ()
    with stack:
        booking = book(stack, register(stack))
        wait_history(stack, booking.booking_id, CONFIRMED)
        os.unlink(link)
        for database in stack.databases:
            psql(CLUSTER_URL, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '%s'" % database)
        reads = (("hospital", "ListHospitals", {}), ("hospital", "GetHospital", {"hospital_id": booking.hospital_id}),
                 ("booking", "GetBooking", {"booking_id": booking.booking_id}),
                 ("booking", "ListBookings", {"customer_id": "c"}),
                 ("history", "GetBookingHistory", {"booking_id": booking.booking_id}),
                 ("history", "ListCustomerHistory", {"customer_id": "c"}),
                 ("hospital", "Fetch", {"subscriber": "t"}), ("booking", "Fetch", {"subscriber": "t"}))
        for name, method, fields in reads:
            for _ in range(3):
                reply = stack.client(name).call(method, **fields)
                assert reply.code == rpc.UNAVAILABLE and reply.retry_after_ms > 0, (method, reply)
                assert "the database is not reachable" in reply.text, (method, reply)
        os.symlink(real_folder, link)
        for name, method, fields in reads:
            wait_for(method + " works again", lambda: stack.client(name).call(method, **fields).code == rpc.OK)
        for name in PROGRAMS:
            said = [line for line in stack.services[name].log_lines() if link in line.get("message", "")]
            assert 1 <= len(said) <= 16, said  # once per connection, not once per call


@once
def test_a_dead_letter_keeps_its_reason(driver):
    with Stack(driver) as stack:
        hospital_id = register(stack)
        psql(stack.url("history"), """SET search_path = history;
            CREATE FUNCTION poison() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no such luck'; END $$;
            CREATE TRIGGER poison BEFORE INSERT ON booking_summary FOR EACH ROW EXECUTE FUNCTION poison()""")
        book(stack, hospital_id)
        wait_for("it is a dead letter", lambda: stack.value("history", "SELECT COUNT(*) FROM dead_letter") == 1)
        (reason,), = stack.rows("history", "SELECT reason FROM dead_letter")
        assert "no such luck" in reason, reason
        assert [r for r in stack.history.Stats().message.degraded if "1 dead letter" in r]


def test_the_last_possible_dates(driver):
    with Stack(driver, without=("history",)) as stack:
        hospital_id = register(stack)
        last = "9999-12-31"
        assert stack.hospital.SetCapacity(hospital_id=hospital_id, date=last, capacity=1).code == rpc.OK
        days = stack.hospital.GetAvailability(hospital_id=hospital_id, from_date=last).message.days
        assert [d.date for d in days] == [last]
        assert book(stack, hospital_id, date=last).date == last
        assert len(stack.booking.ListBookings(hospital_id=hospital_id, date=last).message.bookings) == 1
