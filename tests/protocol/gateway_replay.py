"""Tests GET /events: clients that reconnect again and again, streams that are open when a new day begins, and a client that speaks
HTTP/2 to the door."""
import contextlib
import os
import struct
import time

from kit import rpc, sse
from kit.marks import once
from kit.stack import BUILD, Stack, is_sanitized, wait_for
from kit.workers import Workers
from kit.world import CONFIRMED, book, booking_request, day, register

EVENTS, BACK, ATTACKERS, TRIES = 1000, 990, 4, 15
# These bounds are far above the measured values, because other tests run at the same time.
RATIO, FLOOR_S = 20, 1.5


class LiveStack(Stack):
    def __init__(self, driver, **more):
        super().__init__(driver, without=("history",), gateway=True, **more)

    def listen(self, **query):
        return contextlib.closing(sse.Listener(self.gateway_svc.http, **query))


def come_back(stack, hospital_id, after):
    """Makes three bookings of a customer who then reconnects at the position `after`. Returns (seconds until the customer has
    received them, new position)."""
    for _ in range(3):
        book(stack, hospital_id, customer_id="c-1")
    begun = time.monotonic()
    with stack.listen(customerId="c-1", last_event_id=after) as listener:
        messages = [listener.next() for _ in range(3)]
        assert [message.event for message in messages] == ["booking"] * 3, messages
        return time.monotonic() - begun, messages[-1].position


def worst_of_many(stack, hospital_id):
    with stack.listen(customerId="c-1") as listener:
        position = listener.wait_position()
    worst_s = 0
    for _ in range(TRIES):
        took_s, position = come_back(stack, hospital_id, position)
        worst_s = max(worst_s, took_s)
    return worst_s


@once
def test_clients_that_reconnect_from_far_behind_starve_no_others(driver):
    with LiveStack(driver) as stack:
        hospital_id = register(stack, capacity=100000)
        for _ in range(EVENTS // 100):
            replies = stack.booking.call_all(
                "CreateBooking", [booking_request(hospital_id, customer_id="c-2") for _ in range(100)], timeout_ms=30000)
            assert all(r.code == rpc.OK and r.message.status == CONFIRMED for r in replies)
        alone_s = worst_of_many(stack, hospital_id)
        came_back = [0]

        def attack():
            """Reconnects from a position far behind, reads the beginning of the answer, and repeats this."""
            while not attackers.stopping.is_set():
                head = stack.value("booking", "SELECT head_seq FROM event_log_head")
                with stack.listen(customerId="c-2", read=False,
                                  last_event_id="booking:%d,hospital:0" % (head - BACK)) as listener:
                    listener.sock.recv(1000)
                came_back[0] += 1
        attackers = Workers([(attack, ())] * ATTACKERS)
        with attackers:
            wait_for("the attack has begun", lambda: came_back[0] > ATTACKERS or attackers.died)
            before, begun = came_back[0], time.monotonic()
            beside_s = worst_of_many(stack, hospital_id)
            rate = (came_back[0] - before) / (time.monotonic() - begun)
        assert not attackers.died, attackers.died
        print("told after %.0f ms at most alone, %.0f ms beside %.0f that came back per second" %
              (alone_s * 1000, beside_s * 1000, rate))
        if not is_sanitized():
            assert beside_s < max(RATIO * alone_s, FLOOR_S)


@once
def test_a_customer_who_reconnects_too_often_must_start_over(driver):
    """The number of events that are sent again to a customer is bounded. Other customers at the same address still receive
    theirs."""
    with LiveStack(driver) as stack:
        hospital_id = register(stack, capacity=100000)
        with stack.listen(customerId="c-1") as listener:
            start = listener.wait_position()
        for _ in range(9):
            stack.booking.call_all("CreateBooking", [booking_request(hospital_id, customer_id="c-2") for _ in range(100)],
                                   timeout_ms=30000)
        booking = book(stack, hospital_id, customer_id="c-1")

        def must_start_over():
            with stack.listen(customerId="c-2", last_event_id=start) as listener:
                for _ in range(900):
                    if listener.next().event == "reset":
                        return True
            return False
        wait_for("the budget is spent", must_start_over)
        with stack.listen(customerId="c-1", last_event_id=start) as listener:
            assert listener.next().data["bookingId"] == booking.booking_id
        with stack.listen(customerId="c-2", last_event_id=start) as listener:
            late = book(stack, hospital_id, customer_id="c-2")  # all listeners receive new events
            listener.wait("booking", lambda data: data["bookingId"] == late.booking_id)


# ---- a new day

class Clock:
    """The wall clock of gateway-svc, which can be stepped. The wall clock of hospital-svc stays correct."""

    def __init__(self, stack):
        self.path = os.path.join(stack.folder, "clock")
        self.step(0)
        asan = os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"
        stack.gateway_svc.environment.update({"LD_PRELOAD": os.path.join(BUILD, "tests/clock_step.so"),
                                              "SCREENING_CLOCK_STEP": self.path, "ASAN_OPTIONS": asan})

    def step(self, days):
        # The file is changed in place, because the process has mapped it.
        with open(self.path, "r+b" if os.path.exists(self.path) else "wb") as file:
            file.write(struct.pack("=q", int(days * 86400 * 10**9)))


def dates(listener, *offsets):
    """Checks that the next messages of the listener are about exactly the days at these offsets."""
    messages = [listener.next() for _ in offsets]
    assert [message.event for message in messages] == ["availability"] * len(offsets), messages
    assert sorted(message.data["day"]["date"] for message in messages) == [day(offset) for offset in offsets], messages


@once
def test_a_stream_without_from_moves_with_the_day(driver):
    stack = LiveStack(driver, insecure=True)  # services whose clocks differ refuse each other's tokens
    clock = Clock(stack)
    with stack:
        hospital_id = register(stack, capacity=5, days=(0, 1, 30, 31, 33))

        def set_capacity(offset, capacity):
            assert stack.hospital.SetCapacity(hospital_id=hospital_id, date=day(offset), capacity=capacity).code == rpc.OK
        with stack.listen(hospitalId=hospital_id) as moving, \
                stack.listen(hospitalId=hospital_id, **{"from": day()}) as fixed, \
                stack.listen(hospitalId=hospital_id, **{"from": day(31)}, to=day(31)) as other, \
                stack.listen(hospitalId=hospital_id, to=day(1)) as ending:
            dates(moving, 0, 1, 30)
            dates(fixed, 0, 1, 30)
            dates(other, 31)  # so that the gateway knows the day before it sends it to the others
            dates(ending, 0, 1)
            clock.step(1)
            dates(moving, 31)
            set_capacity(0, 6)
            dates(fixed, 0)
            set_capacity(1, 7)
            for listener in (moving, fixed, ending):  # `moving` and `ending` receive nothing about the day before
                dates(listener, 1)
            set_capacity(31, 8)
            for listener in (moving, other):
                dates(listener, 31)
            clock.step(3)
            dates(moving, 33)
            set_capacity(1, 9)
            dates(fixed, 1)
            set_capacity(30, 10)
            for listener in (moving, fixed):  # `ending` receives nothing, because its last day is over
                dates(listener, 30)
            assert not ending.messages
            clock.step(0)  # sets the clock back
            dates(moving, 0, 1, 30)
            set_capacity(1, 11)
            for listener in (moving, fixed, ending):
                dates(listener, 1) if listener is not ending else dates(listener, 0, 1)


# ---- HTTP/2

@once
def test_a_client_that_speaks_http2_to_the_door_receives_events(driver):
    with LiveStack(driver) as stack:
        hospital_id = register(stack, capacity=5)
        with contextlib.closing(sse.Listener("h2:" + stack.gateway_svc.http, hospitalId=hospital_id, customerId="c-1")) as listener:
            dates(listener, 1)
            booking = book(stack, hospital_id, customer_id="c-1")
            listener.wait("booking", lambda data: data["bookingId"] == booking.booking_id)
            listener.wait("availability", lambda data: data["day"]["remaining"] == 4)
            stack.gateway_svc.stop()
            assert listener.wait_end()
