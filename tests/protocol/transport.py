"""Tests the guarantees of the transport: deadlines, overload by one client, resends, draining (G6, G8, G9, G10)."""
import os
import signal
import socket
import struct
import threading
import time

from kit import rpc, sp
from kit.marks import once
from kit.rpc import FakeService, envelope_pb2, hospital_pb2
from kit.stack import DEADLINE_S, Stack, free_port, wait_for
from kit.world import (CONFIRMED, REJECTED, REQUESTED, all_bookings, book, booking_request, check_refused, queue, register,
                       remaining, status_of, wait_agreement)


SEED_TIMEOUT = {"booking": {"reserve-timeout-ms": 600}}  # the default, which other tests raise
SLACK_S = 5  # margin for a busy machine


@once
def test_req_never_resends(driver):
    """The connection breaks while a request is in flight. The server must not receive the request a second time."""
    with Stack(driver, without=("hospital", "history")) as stack:
        seen = []

        def serve(pipe):
            while True:
                request = envelope_pb2.Request.FromString(pipe.receive()[4:])
                if request.method.endswith("/BatchReserve"):
                    seen.append(request)
                    return  # closes the connection
        listener = sp.Listener(stack.address("hospital.rpc"), sp.REP, sp.REQ, serve)
        reply = stack.booking.CreateBooking(timeout_ms=10000, **booking_request(rpc.new_id()))
        check_refused(reply, rpc.FAILED_PRECONDITION, "HOSPITAL_UNAVAILABLE")
        # nng reconnects within half a second, and would then resend the request.
        wait_for("booking-svc has connected again", lambda: len(listener.connections()) >= 2)
        second = stack.booking.CreateBooking(timeout_ms=10000, **booking_request(rpc.new_id()))
        check_refused(second, rpc.FAILED_PRECONDITION, "HOSPITAL_UNAVAILABLE")
        asked = [item.booking_id for request in seen
                 for item in hospital_pb2.BatchReserveRequest.FromString(request.payload).requests]
        assert len(asked) == len(set(asked)) == 2, asked
        listener.close()


def is_settled(stack, request):
    """Returns whether a booking whose budget ended is REJECTED, or was never stored."""
    reply = stack.booking.GetBooking(booking_id=request["booking_id"])
    return reply.code == rpc.NOT_FOUND or reply.message.status == REJECTED


@once
def test_with_a_silent_hospital_svc_callers_are_answered_within_the_budget(driver):
    with Stack(driver, without=("hospital", "history"), flags=SEED_TIMEOUT) as stack:
        fake = FakeService(stack.address("hospital.rpc"), lambda name, request: None)
        for budget in (300, 2000, 5000):
            begun = time.monotonic()
            request = booking_request(rpc.new_id())
            reply = stack.booking.CreateBooking(timeout_ms=budget, **request)
            assert time.monotonic() - begun < budget / 1000 + SLACK_S
            # On a slow machine a short budget may end before the settling, which happens in any case, or even before hospital-svc
            # is called.
            if budget > 300:
                check_refused(reply, rpc.FAILED_PRECONDITION, "HOSPITAL_UNAVAILABLE")
            else:
                assert reply.code == rpc.DEADLINE_EXCEEDED or reply.reason in ("HOSPITAL_UNAVAILABLE", "BUDGET_SPENT"), reply
            wait_for("it is settled", lambda: is_settled(stack, request))
        queued = booking_request(rpc.new_id(), queue_if_unavailable=True)
        reply = stack.booking.CreateBooking(**queued)
        assert reply.code == rpc.OK and reply.message.status == REQUESTED
        fake.close()


def break_handshakes(path):
    """Closes connections as soon as they are accepted, so that one of them breaks before the client has written its handshake.
    Without our workaround, nng 1.5.2 mistakes this for its own close."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        listener.settimeout(DEADLINE_S)
        for _ in range(10):
            try:
                listener.accept()[0].close()
            except TimeoutError:
                break
            listener.settimeout(1.2)  # the dialer pauses for at most half a second
    os.unlink(path)


def is_connected(path):
    """Returns whether a connection to the listener at `path` exists."""
    with open("/proc/net/unix", encoding="ascii", errors="replace") as sockets:
        return any(words[-1] == path and words[5] == "03" for words in map(str.split, sockets))


@once
def test_a_peer_that_died_during_the_handshake_is_found_again(driver):
    with Stack(driver, without=("hospital", "history")) as stack:
        paths = [sp.split(stack.address("hospital." + what))[1] for what in ("rpc", "events")]
        for path in paths:
            break_handshakes(path)
        stack.hospital_svc.start()
        for path in paths:
            wait_for("booking-svc is connected to " + path, lambda: is_connected(path))
        hospital_id = register(stack)
        wait_for("a booking is confirmed", lambda: stack.booking.CreateBooking(
            timeout_ms=1000, **booking_request(hospital_id)).code == rpc.OK)


@once
def test_without_hospital_svc_callers_are_answered_within_the_budget(driver):
    with Stack(driver, without=("hospital", "history")) as stack:
        request = booking_request(rpc.new_id())
        begun = time.monotonic()
        reply = stack.booking.CreateBooking(timeout_ms=2000, **request)
        assert 0.3 < time.monotonic() - begun < 2 + SLACK_S  # it was retried while the budget lasted
        if reply.code == rpc.DEADLINE_EXCEEDED:  # on a slow machine the settling follows the end of the budget
            wait_for("it is settled", lambda: status_of(stack, request["booking_id"]) == REJECTED)
            reply = stack.booking.CreateBooking(**request)
        check_refused(reply, rpc.FAILED_PRECONDITION, "HOSPITAL_UNAVAILABLE")


@once
def test_a_call_that_hospital_svc_did_not_execute_is_sent_again(driver):
    """If hospital-svc refuses a booking because of a drain or overload, the booking is neither rejected nor forgotten while its
    budget lasts."""
    with Stack(driver, without=("hospital", "history")) as stack:
        refusals = [envelope_pb2.Response(code=rpc.UNAVAILABLE, reason="DRAINING", retry_after_ms=300),
                    envelope_pb2.Response(code=rpc.RESOURCE_EXHAUSTED, reason="OVERLOADED", retry_after_ms=50)]
        times = []

        def answer(name, request):
            if name != "BatchReserve":
                return None
            times.append(time.monotonic())
            if len(times) <= len(refusals):
                return refusals[len(times) - 1]
            return hospital_pb2.BatchReserveResponse(results=[{"booking_id": r.booking_id} for r in request.requests])
        fake = FakeService(stack.address("hospital.rpc"), answer)
        reply = stack.booking.CreateBooking(**booking_request(rpc.new_id()))
        assert reply.code == rpc.OK and reply.message.status == CONFIRMED, reply
        assert len(times) == 3 and times[1] - times[0] >= 0.3 and times[2] - times[1] >= 0.05, times
        fake.close()


@once
def test_an_item_without_a_definite_answer_leaves_its_booking_open(driver):
    with Stack(driver, without=("hospital", "history")) as stack:
        def answer(name, request):
            if name != "BatchReserve":
                return None
            return hospital_pb2.BatchReserveResponse(
                results=[{"booking_id": r.booking_id, "code": codes[r.booking_id]} for r in request.requests])
        codes = {rpc.new_id(): code for code in (rpc.UNAVAILABLE, rpc.DEADLINE_EXCEEDED, rpc.INTERNAL)}
        fake = FakeService(stack.address("hospital.rpc"), answer)
        hospital_id = rpc.new_id()
        for booking_id, code in codes.items():
            request = booking_request(hospital_id, booking_id=booking_id, queue_if_unavailable=True)
            reply = stack.booking.CreateBooking(**request)
            assert reply.code == rpc.OK and reply.message.status == REQUESTED, (code, reply)
        fake.close()


@once
def test_queued_booking_is_confirmed_when_hospital_svc_is_back(driver):
    with Stack(driver) as stack:
        hospital_id = register(stack)
        stack.hospital_svc.kill()
        requests = [booking_request(hospital_id, queue_if_unavailable=True) for _ in range(5)]
        stack.booking.call_all("CreateBooking", requests, timeout_ms=700)
        for request in requests:
            queue(stack, request)
        stack.hospital_svc.start()
        for request in requests:
            wait_for("the settler confirms it", lambda: status_of(stack, request["booking_id"]) == CONFIRMED)
        wait_agreement(stack)
        entries = stack.history.GetBookingHistory(booking_id=requests[0]["booking_id"]).message.entries
        assert [(e.version, e.status) for e in entries] == [(1, REQUESTED), (2, CONFIRMED)]
        assert remaining(stack, hospital_id) == 5


@once
def test_a_place_granted_to_a_rejected_booking_is_given_back(driver):
    """hospital-svc takes the place, but its answer arrives too late. The booking is rejected, and the place is released."""
    with Stack(driver, flags={"booking": {"reserve-timeout-ms": 2000}}) as stack:
        hospital_id = register(stack)
        book(stack, hospital_id)
        stack.hospital_svc.pause()
        try:
            request = booking_request(hospital_id)
            check_refused(stack.booking.CreateBooking(**request), rpc.FAILED_PRECONDITION, "HOSPITAL_UNAVAILABLE")
        finally:
            stack.hospital_svc.resume()
        # From now on the Reserve takes no place, even if it is still in flight.
        wait_for("hospital-svc has heard of it", lambda: stack.value(
            "hospital", "SELECT COUNT(*) FROM reservation WHERE state <> 1") == 1)
        wait_agreement(stack)
        assert status_of(stack, request["booking_id"]) == REJECTED
        assert remaining(stack, hospital_id) == 9


def spent_calls(stack, hospital_id):
    """Sends bookings with a budget of 1 ms, which ends before their turn, because the writer is busy with the earlier ones. Returns
    (requests, replies)."""
    requests = [booking_request(hospital_id) for _ in range(300)]
    sent = [stack.booking.send("CreateBooking", timeout_ms=1, **request) for request in requests]
    return requests, [stack.booking.receive(one) for one in sent]


def test_an_expired_deadline_changes_nothing_or_is_settled(driver):
    with Stack(driver) as stack:
        hospital_id = register(stack, capacity=1000)
        codes, refused = set(), []
        for _ in range(10):
            requests, replies = spent_calls(stack, hospital_id)
            codes.update(r.code for r in replies)
            for request, reply in zip(requests, replies):
                if reply.code == rpc.FAILED_PRECONDITION:
                    assert reply.reason in ("BUDGET_SPENT", "HOSPITAL_UNAVAILABLE"), reply
                elif reply.code == rpc.RESOURCE_EXHAUSTED:
                    # The budget was not spent on arrival, but was shorter than the wait at the queue's current rate.
                    assert reply.reason == "OVERLOADED", reply
                    refused.append(request["booking_id"])
                else:
                    assert reply.code in (rpc.OK, rpc.DEADLINE_EXCEEDED), reply
        assert rpc.DEADLINE_EXCEEDED in codes
        stored = {booking.booking_id for booking in all_bookings(stack, hospital_id)}
        assert not stored.intersection(refused)
        wait_agreement(stack)  # no booking is left between two states, and no place is lost


@once
def test_a_client_that_never_reads_hurts_only_itself(driver):
    with Stack(driver, without=("history",)) as stack:
        hospital_id = register(stack, capacity=100000)
        deaf = sp.Requester(stack.booking_svc.rpc)
        body = rpc.pack("screening.v1.BookingService/ListBookings", b"\x0a\x01c", timeout_ms=60000)
        deaf.pipe.sock.settimeout(0.5)
        sent = 0
        try:
            while sent < 200000:
                deaf.send(body)
                sent += 1
        except OSError:
            pass  # the buffers are full, or the server has closed the connection
        for _ in range(50):
            book(stack, hospital_id)
        deaf.close()


@once
def test_bad_peers_do_not_disturb(driver):
    port = free_port()
    address = "tcp://127.0.0.1:%d" % port
    flags = {"booking": {"client-listen": address}}
    with Stack(driver, without=("history",), flags=flags) as stack:
        hospital_id = register(stack)
        for attack in range(200):
            sock = socket.create_connection(("127.0.0.1", port), timeout=5)
            if attack % 4 == 0:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")  # makes close send RST
            elif attack % 4 == 1:
                sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            elif attack % 4 == 2:
                sock.sendall(b"\0SP\0\0\x30\0\0" + b"\0\0\0\x02\0\0\0\0")  # announces 8 GiB
            sock.close()
        book(stack, hospital_id)


def connect_and_leave(address, count):
    """Opens `count` connections that end before the service completes the handshake: they are closed, reset, or reset after a
    half-close."""
    kind, where = sp.split(address)
    for index in range(count):
        with socket.socket(socket.AF_UNIX if kind == "ipc" else socket.AF_INET) as sock:
            sock.connect(where)
            if kind == "tcp":
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                if index % 2:
                    sock.shutdown(socket.SHUT_WR)


@once
def test_clients_that_leave_before_the_handshake_shut_out_nobody(driver):
    listeners = ({"rpc-listen": "tcp://127.0.0.1:%d" % free_port(), "events-listen": "tcp://127.0.0.1:%d" % free_port()}, {})
    for flags in listeners:
        with Stack(driver, without=("booking", "history"), flags={"hospital": flags}, insecure=bool(flags)) as stack:
            for listener in ("rpc-listen", "events-listen"):
                connect_and_leave(stack.hospital_svc.flags[listener], 1000)
            client = rpc.Client(stack.hospital_svc.rpc, timeout=DEADLINE_S)
            assert client.Check().code == rpc.OK
            client.close()
            subscriber = rpc.Subscriber(stack.hospital_svc.flags["events-listen"], timeout=DEADLINE_S)
            assert subscriber.receive()[0] == "hospital"  # a heartbeat
            subscriber.close()


def test_overload_is_refused_at_once(driver):
    with Stack(driver, flags={"booking": {"queue-max": 8}}) as stack:
        hospital_id = register(stack, capacity=1000)
        requests = [booking_request(hospital_id) for _ in range(400)]
        replies = stack.booking.call_all("CreateBooking", requests)
        refused = [r for r in replies if r.code == rpc.RESOURCE_EXHAUSTED]
        accepted = [r for r in replies if r.code == rpc.OK]
        assert refused and accepted and len(refused) + len(accepted) == 400, replies[:3]
        assert all(r.retry_after_ms > 0 for r in refused)
        again = stack.booking.call_all("CreateBooking", requests[:4])  # the same ids, once there are places in the queue
        assert all(r.code == rpc.OK for r in again)
        wait_agreement(stack)


def test_drain_answers_what_is_in_flight(driver):
    with Stack(driver) as stack:
        hospital_id = register(stack, capacity=100000)
        outcome = {"lost": 0, "ok": 0, "draining": 0}
        stop = threading.Event()

        def run():
            client = rpc.Client(stack.booking_svc.rpc)
            try:
                while not stop.is_set():
                    for reply in client.call_all("CreateBooking", [booking_request(hospital_id) for _ in range(20)]):
                        if reply.code == rpc.OK:
                            outcome["ok"] += 1
                        elif reply.reason == "DRAINING" and reply.retry_after_ms == 300:
                            outcome["draining"] += 1
                            stop.set()
                        else:
                            outcome["lost"] += 1
            except OSError:
                outcome["lost"] += 1
            client.close()
        thread = threading.Thread(target=run)
        thread.start()
        wait_for("bookings are under way", lambda: outcome["ok"] > 100)
        stack.booking_svc.stop()
        thread.join()
        assert outcome["lost"] == 0 and outcome["draining"] > 0, outcome
        stack.booking_svc.start()
        assert stack.value("booking", "SELECT COUNT(*) FROM booking WHERE status = 2") == outcome["ok"]
        wait_agreement(stack)


@once
def test_second_signal_ends_at_once(driver):
    with Stack(driver, without=("hospital", "history")) as stack:
        fake = FakeService(stack.address("hospital.rpc"), lambda name, request: None)
        stack.booking_svc.restart()
        client = stack.client("booking")
        client.send("CreateBooking", timeout_ms=60000, **booking_request(rpc.new_id()))
        wait_for("a call is in hand", lambda: fake.count("BatchReserve") > 0)
        stack.booking_svc.process.send_signal(signal.SIGTERM)
        wait_for("it drains", lambda: [line for line in stack.booking_svc.log_lines()
                                       if line.get("event") == "service.stopping"])
        stack.booking_svc.process.send_signal(signal.SIGTERM)
        assert stack.booking_svc.process.wait(timeout=30) == 1
        fake.close()
