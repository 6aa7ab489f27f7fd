"""Tests GET /events of gateway-svc: changes of free places and of bookings as server-sent events."""
import contextlib
import re
import time

from kit import rpc, sse, web
from kit.marks import once
from kit.played_log import Log
from kit.rpc import event_pb2
from kit.stack import Stack, free_port, is_sanitized, wait_for
from kit.world import CANCELLED, CONFIRMED, book, booking_request, day, register

LISTENERS = 1000


class LiveStack(Stack):
    """A stack with a gateway. It has no history-svc, because these tests do not use it."""

    def __init__(self, driver, without=("history",), **more):
        super().__init__(driver, without=without, gateway=True, **more)

    @contextlib.contextmanager
    def listen(self, **query):
        listener = sse.Listener(self.gateway_svc.http, **query)
        try:
            yield listener
        finally:
            listener.close()


def metric(address, name, labels=""):
    """Reads a metric at an ops address. Returns the sum of the samples whose labels contain the text `labels`."""
    client = web.Client(address)
    try:
        page = client.get("/metrics").body.decode()
    finally:
        client.close()
    found = re.findall(r"^%s(?:\{([^}]*)\})? ([0-9.e+]+)$" % name, page, re.M)
    return sum(float(value) for own, value in found if labels in own)


def places(listener, left, offset=1):
    """Waits until the listener receives `left` as the number of remaining places of the day. Returns the day."""
    return listener.wait("availability", lambda data: data["day"]["date"] == day(offset) and
                         data["day"]["remaining"] == left).data["day"]


def wait_for_status(listener, booking_id, status):
    """Waits until the listener receives the status of the booking. Returns the message. Drops the messages about bookings before
    it."""
    return listener.wait("booking", lambda data: (data["bookingId"], data["status"]) == (booking_id, status))


def cancel(stack, booking):
    reply = stack.booking.CancelBooking(booking_id=booking.booking_id, reason="busy")
    assert reply.code == rpc.OK and reply.message.status == CANCELLED, reply


# ---- a hospital's days

def test_days_are_sent_at_once_and_whenever_they_change(driver):
    with LiveStack(driver) as stack:
        hospital_id = register(stack, capacity=5, days=(1, 2, 40))
        with stack.listen(hospitalId=hospital_id) as listener:
            assert listener.code == 200 and listener.headers["content-type"] == "text/event-stream", listener.headers
            assert listener.headers["cache-control"] == "no-store"
            first = [listener.next() for _ in range(2)]
            assert [m.data for m in first] == [{"hospitalId": hospital_id, "day": {
                "date": day(offset), "capacity": 5, "remaining": 5, "version": "1"}} for offset in (1, 2)], first
            assert listener.retry == 2000
            booking = book(stack, hospital_id, headcount=2)
            places(listener, 3)
            cancel(stack, booking)  # its places are free only after hospital-svc has received the event
            places(listener, 5)
            stack.hospital.SetCapacity(hospital_id=hospital_id, date=day(2), capacity=9)
            assert places(listener, 9, 2)["capacity"] == 9
            stack.hospital.SetCapacity(hospital_id=hospital_id, date=day(3), capacity=4)
            places(listener, 4, 3)
            assert sse.positions(listener.position) == {"booking": 2, "hospital": 3}
            stack.hospital.DeleteHospital(hospital_id=hospital_id)
            gone = listener.wait("hospital-gone")
            assert gone.data == {"hospitalId": hospital_id, "reason": "HOSPITAL_DELETED"}, gone


@once
def test_only_the_requested_days_are_sent(driver):
    with LiveStack(driver) as stack:
        hospital_id = register(stack, capacity=5, days=(1, 2, 3, 40, 500))
        with stack.listen(hospitalId=hospital_id, **{"from": day(2)}, to=day(2)) as one, \
                stack.listen(hospitalId=hospital_id, **{"from": day(3)}, to=day(368)) as many, \
                stack.listen(hospitalId=hospital_id, **{"from": day(400)}, to=day(765)) as later:  # never read together with `many`
            for listener, wanted in ((one, [2]), (many, [3, 40]), (later, [500])):
                assert [listener.next().data["day"]["date"] for _ in wanted] == [day(offset) for offset in wanted]
            for offset, headcount in ((1, 1), (40, 2), (500, 3), (2, 4)):
                book(stack, hospital_id, offset, headcount=headcount)
            for listener, offset, left in ((one, 2, 1), (many, 40, 3), (later, 500, 2)):
                assert listener.next().data["day"] == {"date": day(offset), "capacity": 5, "remaining": left, "version": "1"}
            stack.hospital.DeleteHospital(hospital_id=hospital_id)
            for listener in (one, many, later):
                assert listener.next().event == "hospital-gone"


@once
def test_a_hospital_that_does_not_exist_yet_is_sent_once_it_does(driver):
    with LiveStack(driver) as stack:
        hospital_id = rpc.new_id()
        with stack.listen(hospitalId=hospital_id) as listener:
            assert listener.wait("hospital-gone").data["reason"] == "NOT_FOUND"
            register(stack, capacity=6, hospital_id=hospital_id)
            places(listener, 6)


@once
def test_a_listener_of_far_days_delays_no_other_listener(driver):
    """One listener asks for days from the year 1, the other for days from today. The gateway must not read the two thousand years
    between them, because it reads 366 days at a time, five times a second."""
    with LiveStack(driver) as stack:
        hospital_id = rpc.new_id()
        with stack.listen(hospitalId=hospital_id, **{"from": "0001-01-01"}) as far, stack.listen(hospitalId=hospital_id) as near:
            for listener in (far, near):
                assert listener.wait("hospital-gone").data["reason"] == "NOT_FOUND"
            register(stack, capacity=6, hospital_id=hospital_id)  # every day with a listener is read again
            places(near, 6)
            book(stack, hospital_id, 1)
            places(near, 5)


@once
def test_days_are_sent_when_hospital_svc_is_back(driver):
    with LiveStack(driver) as stack:
        hospital_id = register(stack, capacity=5)
        stack.hospital_svc.kill()
        with stack.listen(hospitalId=hospital_id) as listener:
            assert listener.code == 200
            stack.hospital_svc.start()
            places(listener, 5)
            book(stack, hospital_id)
            places(listener, 4)


@once
def test_a_day_is_read_at_most_five_times_a_second(driver):
    ops = "127.0.0.1:%d" % free_port()
    with LiveStack(driver, flags={"hospital": {"ops-listen": ops}}) as stack:
        hospital_id = register(stack, capacity=100000)

        def reads():
            return metric(ops, "rpc_server_answers_total", "HospitalService/GetAvailability")
        with stack.listen(hospitalId=hospital_id) as listener:
            places(listener, 100000)
            before, begun, booked = reads(), time.monotonic(), 0
            assert before >= 1
            while time.monotonic() < begun + 2:
                book(stack, hospital_id)
                booked += 1
            places(listener, 100000 - booked)
            asked, took = reads() - before, time.monotonic() - begun
            assert 2 <= asked <= 5 * took + 1, (asked, took, booked)


# ---- a customer's bookings

def test_a_customer_receives_their_own_bookings_only(driver):
    with LiveStack(driver) as stack:
        hospital_id = register(stack, capacity=9)
        with stack.listen(customerId="c-1") as listener:
            listener.wait_position()
            first = book(stack, hospital_id, customer_id="c-1")
            book(stack, hospital_id, customer_id="c-2")
            second = book(stack, hospital_id, customer_id="c-1", headcount=2)
            message = listener.next()
            assert message.event == "booking" and sse.positions(message.position)["booking"] == 1, message
            assert message.data == {
                "bookingId": first.booking_id, "customerId": "c-1", "customerName": first.customer_name,
                "hospitalId": hospital_id, "date": first.date, "headcount": 1, "status": "CONFIRMED", "statusReason": "",
                "createdAt": message.data["createdAt"], "updatedAt": message.data["updatedAt"], "version": "2"}, message
            message = listener.next()
            assert message.data["bookingId"] == second.booking_id and sse.positions(message.position)["booking"] == 3
            cancel(stack, first)
            message = listener.next()
            assert (message.data["bookingId"], message.data["status"], message.data["statusReason"]) == \
                (first.booking_id, "CANCELLED", "busy"), message
            stack.hospital.DeleteHospital(hospital_id=hospital_id)
            message = listener.next()
            assert (message.data["bookingId"], message.data["status"]) == (second.booking_id, "FORCE_CANCELLED"), message


@once
def test_one_listener_may_follow_a_hospital_and_a_customer(driver):
    with LiveStack(driver) as stack:
        hospital_id = register(stack, capacity=5)
        with stack.listen(hospitalId=hospital_id, customerId="c-1") as listener:
            places(listener, 5)
            booking = book(stack, hospital_id, customer_id="c-1")
            wait_for_status(listener, booking.booking_id, "CONFIRMED")
            places(listener, 4)


# ---- reconnecting

def test_a_client_that_reconnects_receives_what_it_missed(driver):
    with LiveStack(driver) as stack:
        hospital_id = register(stack, capacity=100)
        with stack.listen(customerId="c-1") as listener:
            listener.wait_position()
            seen = book(stack, hospital_id, customer_id="c-1")
            position = wait_for_status(listener, seen.booking_id, "CONFIRMED").position
        missed = [book(stack, hospital_id, customer_id=customer) for customer in ("c-1", "c-2", "c-1")]
        wanted = [missed[0].booking_id, missed[2].booking_id]
        for more in ({"last_event_id": position}, {"lastEventId": position}):
            with stack.listen(customerId="c-1", **more) as listener:
                assert [listener.next().data["bookingId"] for _ in wanted] == wanted
                wanted.append(book(stack, hospital_id, customer_id="c-1").booking_id)
                assert listener.next().data["bookingId"] == wanted[-1]
        with stack.listen(customerId="c-2", last_event_id=position) as listener:
            assert listener.next().data["bookingId"] == missed[1].booking_id


def test_a_restart_of_the_gateway_loses_nothing(driver):
    with LiveStack(driver) as stack:
        hospital_id = register(stack, capacity=100)
        with stack.listen(hospitalId=hospital_id, customerId="c-1") as listener:
            seen = book(stack, hospital_id, customer_id="c-1")
            wait_for_status(listener, seen.booking_id, "CONFIRMED")
            position = listener.wait_position()
            stack.gateway_svc.kill()
            assert not listener.wait_end()
        missed = [book(stack, hospital_id, customer_id="c-1") for _ in range(3)]
        stack.gateway_svc.start()
        with stack.listen(hospitalId=hospital_id, customerId="c-1", last_event_id=position) as listener:
            for booking in missed:
                assert listener.wait("booking").data["bookingId"] == booking.booking_id
            late = book(stack, hospital_id, customer_id="c-1")
            assert listener.wait("booking").data["bookingId"] == late.booking_id


@once
def test_everyone_who_reconnects_at_once_receives_what_they_missed_and_no_more(driver):
    with LiveStack(driver) as stack, contextlib.ExitStack() as open_listeners:
        hospital_id = register(stack, capacity=1000)
        with stack.listen(customerId="c-0") as listener:
            start = sse.positions(listener.wait_position())
        bookings = [book(stack, hospital_id, customer_id="c-%d" % (i % 10)) for i in range(50)]
        back = []
        for i in range(50):  # each position is different
            last = "booking:%d,hospital:%d" % (start["booking"] + i, start["hospital"])
            back.append(open_listeners.enter_context(stack.listen(customerId="c-%d" % (i % 10), last_event_id=last)))
        late = {booking.customer_id: booking for booking in (book(stack, hospital_id, customer_id="c-%d" % i) for i in range(10))}
        for i, listener in enumerate(back):
            wanted = [b.booking_id for b in bookings[i:] if b.customer_id == "c-%d" % (i % 10)]
            wanted.append(late["c-%d" % (i % 10)].booking_id)
            assert [listener.next().data["bookingId"] for _ in wanted] == wanted, i


@once
def test_a_client_that_reconnects_too_late_or_from_another_log_must_start_over(driver):
    events = [event_pb2.Event(seq=seq, event_id=rpc.new_id(), type="booking.confirmed", booking={"customer_id": "c-2"})
              for seq in range(1, 1003)]
    with LiveStack(driver, without=("booking", "history")) as stack, \
            contextlib.closing(Log(stack, "booking", events)) as log:
        with stack.listen(customerId="c-3") as observer:
            assert sse.positions(observer.wait_position())["booking"] == 1002
            for back, is_reset in ((1001, True), (1000, False), (0, False), (-1, True)):
                head = len(log.events)
                with stack.listen(customerId="c-1", last_event_id="booking:%d,hospital:0" % (head - back)) as listener:
                    if is_reset:
                        message = listener.next()
                        assert message.event == "reset" and sse.positions(message.position)["booking"] == head, message
                    for customer_id in ("c-1", "c-3"):
                        event = log.add(rpc.new_id(), 2, CONFIRMED, customer_id=customer_id)
                        log.publisher.publish(log.batch(event.seq, event.seq))
                    wanted = [e for e in log.events[head if is_reset else head - back:] if e.booking.customer_id == "c-1"]
                    assert len(wanted) == {1000: 2}.get(back, 1)
                    for event in wanted:
                        message = listener.next()
                        assert message.event == "booking" and message.data["bookingId"] == event.booking.booking_id, message
                observer.next()  # the gateway is at the head of the log


@once
def test_a_long_backlog_is_sent_no_faster_than_it_is_read(driver):
    events = [event_pb2.Event(seq=seq, event_id=rpc.new_id(), type="booking.confirmed", booking={
        "customer_id": "c-1", "customer_name": "\uae40" * 200, "version": seq}) for seq in range(1, 1001)]
    with LiveStack(driver, without=("booking", "history")) as stack, \
            contextlib.closing(Log(stack, "booking", events)):
        with stack.listen(customerId="c-1", last_event_id="booking:0,hospital:0") as listener:
            versions = [int(listener.next().data["version"]) for _ in events]
            assert versions == list(range(1, 1001))
        assert metric(stack.gateway_svc.ops, "http_streams_slow_total") == 0


# ---- publishers

@once
def test_lost_repeated_and_reordered_messages_are_sent_once_and_in_order(driver):
    with LiveStack(driver, without=("booking", "history")) as stack, contextlib.closing(Log(stack, "booking")) as log:
        with stack.listen(customerId="c-1") as listener:
            listener.wait_position()
            events = [log.add(rpc.new_id(), 2, CONFIRMED, customer_id="c-1") for _ in range(12)]
            for first, last in ((2, 2), (1, 1), (2, 3), (1, 2), (5, 6), (4, 4), (9, 12)):
                log.publisher.publish(log.batch(first, last))
            log.publisher.publish(event_pb2.EventBatch(log_id=log.log_id, head_seq=12, prev_event_id=events[-1].event_id))
            got = [listener.next() for _ in events]
            assert [m.data["bookingId"] for m in got] == [e.booking.booking_id for e in events]
            assert [sse.positions(m.position)["booking"] for m in got] == list(range(1, 13))


@once
def test_another_log_makes_listeners_start_over(driver):
    with LiveStack(driver, without=("booking", "history")) as stack, contextlib.closing(Log(stack, "booking")) as log:
        with stack.listen(customerId="c-1") as listener:
            listener.wait_position()
            for _ in range(3):
                log.add(rpc.new_id(), 2, CONFIRMED, customer_id="c-1")
            log.publisher.publish(log.batch(1, 3))
            assert [listener.next().event for _ in range(3)] == ["booking"] * 3
            log.log_id, log.events = rpc.new_id(), log.events[:1]
            log.publisher.publish(log.batch(1, 1))
            message = listener.next()
            assert message.event == "reset" and sse.positions(message.position)["booking"] == 1, message
            event = log.add(rpc.new_id(), 2, CONFIRMED, customer_id="c-1")
            log.publisher.publish(log.batch(2, 2))
            assert listener.next().data["bookingId"] == event.booking.booking_id


def book_when_possible(stack, hospital_id):
    """Repeats a booking until the services have reconnected and it is confirmed. Returns the booking."""
    def attempt():
        reply = stack.booking.CreateBooking(**booking_request(hospital_id, customer_id="c-1"))
        return reply.message if reply.code == rpc.OK and reply.message.status == CONFIRMED else None
    return wait_for("a booking is confirmed", attempt)


def test_publishers_that_restart_are_followed_on(driver):
    with LiveStack(driver) as stack:
        hospital_id = register(stack, capacity=100)
        with stack.listen(hospitalId=hospital_id, customerId="c-1") as listener:
            places(listener, 100)
            start = listener.wait_position()
            confirmed = [book(stack, hospital_id, customer_id="c-1")]
            for service in (stack.booking_svc, stack.hospital_svc, stack.booking_svc):
                service.restart()
                confirmed.append(book_when_possible(stack, hospital_id))
            messages = [wait_for_status(listener, booking.booking_id, "CONFIRMED") for booking in confirmed]
            seqs = [sse.positions(message.position)["booking"] for message in messages]
            assert seqs == sorted(set(seqs)), seqs
            places(listener, 100 - len(confirmed))
        with stack.listen(customerId="c-1", last_event_id=start) as listener:
            assert [wait_for_status(listener, booking.booking_id, "CONFIRMED").position for booking in confirmed] == \
                [message.position for message in messages]


# ---- many, slow and disconnected listeners

def fill(stack, hospital_id, listener, until):
    """Makes long messages for the customer c-1 until until() is true. The listener reads each forty before the next."""
    def more():
        for _ in range(20):
            booking = book(stack, hospital_id, customer_id="c-1", customer_name="\uae40" * 200)
            assert stack.booking.CancelBooking(booking_id=booking.booking_id, reason="\ud558" * 200).code == rpc.OK
        wait_for_status(listener, booking.booking_id, "CANCELLED")
        return until()
    wait_for("enough was told", more)


@once
def test_a_listener_that_does_not_read_is_ended_and_others_go_on(driver):
    with LiveStack(driver) as stack:
        ops, hospital_id = stack.gateway_svc.ops, register(stack, capacity=1000)
        slow = sse.Listener(stack.gateway_svc.http, read=False, receive_bytes=4096, customerId="c-1")
        with contextlib.closing(slow), stack.listen(customerId="c-1") as listener:
            listener.wait_position()
            wait_for("both listen", lambda: metric(ops, "live_listeners") == 2)
            fill(stack, hospital_id, listener, lambda: metric(ops, "http_streams_slow_total") == 1)
            wait_for("it is gone", lambda: metric(ops, "live_listeners") == 1)
            last = book(stack, hospital_id, customer_id="c-1", customer_name="the last")
            message = listener.next()
            assert message.data["bookingId"] == last.booking_id, message


@once
def test_a_listener_that_hangs_up_is_noticed(driver):
    with LiveStack(driver) as stack:
        ops, hospital_id = stack.gateway_svc.ops, register(stack)
        with stack.listen(hospitalId=hospital_id) as listener:
            places(listener, 10)
            assert metric(ops, "live_listeners") == 1
        wait_for("nobody listens", lambda: metric(ops, "live_listeners") == 0)
        wait_for("nothing is in flight", lambda: metric(ops, "http_requests_in_hand") == 0)


@once
def test_a_quiet_stream_is_kept_alive_beyond_all_time_limits(driver):
    with LiveStack(driver, flags={"gateway": {"idle-timeout-ms": 1000, "request-timeout-ms": 1000}}) as stack:
        with stack.listen(customerId="c-1") as listener:
            while listener.comments == 0:
                listener.pump()
            booking = book(stack, register(stack), customer_id="c-1")
            wait_for_status(listener, booking.booking_id, "CONFIRMED")


def resident_bytes(process):
    with open("/proc/%d/status" % process.pid, encoding="ascii") as status:
        return 1024 * int(re.search(r"^VmRSS:\s*(\d+) kB$", status.read(), re.M)[1])


@once
def test_a_thousand_listeners_receive_events_and_others_are_served(driver):
    with LiveStack(driver) as stack, contextlib.ExitStack() as open_listeners:
        hospital_id = register(stack, capacity=5)
        before = resident_bytes(stack.gateway_svc.process)
        listeners = [open_listeners.enter_context(stack.listen(hospitalId=hospital_id, customerId="c-%d" % i))
                     for i in range(LISTENERS)]
        for listener in listeners:
            places(listener, 5)
        grown = resident_bytes(stack.gateway_svc.process) - before
        # Each connection needs 16 KiB and some structures.
        assert is_sanitized() or grown < LISTENERS * 48 * 1024, grown
        booking = book(stack, hospital_id, customer_id="c-%d" % (LISTENERS // 2))
        assert stack.gateway.get("/bookings/" + booking.booking_id).json["status"] == "CONFIRMED"
        for listener in listeners:
            if listener is not listeners[LISTENERS // 2]:
                places(listener, 4)
        wait_for_status(listeners[LISTENERS // 2], booking.booking_id, "CONFIRMED")


@once
def test_a_stop_ends_all_streams_at_once(driver):
    with LiveStack(driver, flags={"gateway": {"http-threads": 4}}) as stack, contextlib.ExitStack() as open_listeners:
        ops, hospital_id = stack.gateway_svc.ops, register(stack, capacity=5)
        listeners = [open_listeners.enter_context(stack.listen(hospitalId=hospital_id, customerId="c-1")) for _ in range(20)]
        for listener in listeners:
            places(listener, 5)
        stuck = sse.Listener(stack.gateway_svc.http, read=False, receive_bytes=4096, customerId="c-1")
        open_listeners.enter_context(contextlib.closing(stuck))
        wait_for("all listen", lambda: metric(ops, "live_listeners") == 21)
        begun = time.monotonic()
        stack.gateway_svc.stop()
        took = time.monotonic() - begun
        assert all(listener.wait_end() for listener in listeners)
        assert took < 5, took  # far less than the ten seconds that requests in flight may take
        assert "service.drain_incomplete" not in [line.get("event") for line in stack.gateway_svc.log_lines()]


# ---- refused requests

@once
def test_a_listener_beyond_the_limit_learns_when_to_retry(driver):
    with LiveStack(driver, flags={"gateway": {"listeners-max": 2}}) as stack:
        with stack.listen(customerId="c-1"), stack.listen(customerId="c-1"), stack.listen(customerId="c-1") as third:
            assert third.code == 503 and third.headers["retry-after"] == "1", third.headers
            assert third.headers["content-type"] == "application/problem+json"
            assert third.body()["detail"] == "too many listeners"
        wait_for("there is room again", lambda: answer_code(stack, customerId="c-1") == 200)


def answer_code(stack, **query):
    with stack.listen(**query) as listener:
        return listener.code


@once
def test_wrong_parameters_of_a_listener_are_refused_by_name(driver):
    with LiveStack(driver) as stack:
        hospital_id = rpc.new_id()
        cases = [
            ({}, 422, "hospitalId, customerId: one must be given"),
            ({"hospitalId": "x"}, 422, "hospitalId: must be a UUID"),
            ({"customerId": "a b"}, 422, "customerId: "),
            ({"hospitalId": hospital_id, "from": "2026-13-01"}, 422, "from: must be an existing date, YYYY-MM-DD"),
            ({"hospitalId": hospital_id, "from": day(2), "to": day(1)}, 422, "to: must not be before from"),
            ({"customerId": "c", "to": day(1)}, 422, "to: requires hospitalId"),
            ({"hospitalId": hospital_id, "hospital_id": "x"}, 400, "hospital_id: no such parameter, or given twice"),
            ({"customerId": "c", "lastEventId": "12"}, 400, 'Last-Event-ID: must be "booking:SEQ,hospital:SEQ"'),
            ({"customerId": "c", "last_event_id": "booking:1"}, 400, 'Last-Event-ID: must be "booking:SEQ,hospital:SEQ"'),
        ]
        for query, code, detail in cases:
            with stack.listen(**query) as listener:
                assert listener.code == code, (query, listener.code)
                problem = listener.body()
                assert problem["status"] == code and problem["detail"].startswith(detail), (query, problem)
        answer = stack.gateway.post("/events?customerId=c", {})
        assert answer.code == 405 and answer.headers["Allow"] == "GET", answer
        assert metric(stack.gateway_svc.ops, "live_listeners") == 0
