"""Tests the limits of the gateway and of its door for callers: slow and endless requests, many connections, and calls of
internal methods."""
import json
import resource
import socket
import struct
import time

import h2.errors
from kit import http2, rpc
from kit.front import drains
from kit.marks import once
from kit.raw_http import Connection, head, request
from kit.rpc import hospital_pb2, types_pb2
from kit.stack import DEADLINE_S, Stack, wait_for
from kit.web import Client
from kit.world import CONFIRMED, day, register, remaining, status_of

TYPE = "Content-Type: application/json"
SECURITY = {"x-content-type-options": "nosniff", "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
            "referrer-policy": "no-referrer", "cache-control": "no-store"}
# The limits that these tests set, and the delay that a busy machine may add.
LIMIT_MS, SLACK_S = 1500, 20


def booking_body(hospital_id, **more):
    return {"customerId": "c", "customerName": "n", "hospitalId": hospital_id, "date": day(1), **more}


def books(stack, hospital_id):
    """Makes a booking as another caller, who must notice nothing."""
    client = Client(stack.gateway_svc.http, timeout=DEADLINE_S)
    try:
        reply = client.post("/bookings", booking_body(hospital_id))
        assert reply.code == 201 and reply.json["status"] == "CONFIRMED", reply
    finally:
        client.close()


def metric(stack, name):
    return stack.gateway_svc.metric(name)


def open_connections(stack):
    """Returns how many connections this machine has to the door."""
    return stack.front.table("connections").get("::ffff:127.0.0.1", 0)


def many_files():
    """Raises the limit of open files, so that this process can have a thousand connections too."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


# ---- slow requests


@once
def test_gateway_disconnects_trickling_and_silent_clients_while_others_book(driver):
    flags = {"gateway": {"request-timeout-ms": LIMIT_MS}}
    front = {"request_timeout": "%dms" % LIMIT_MS, "answer_timeout": "3s"}
    with Stack(driver, without=("history",), gateway=True, flags=flags, front=front) as stack:
        hospital_id = register(stack, capacity=100)
        address, endless = stack.gateway_svc.http, b"x" * 100000
        slow = {
            "nothing at all": (b"", b""),
            "a head": (b"", head("GET", "/hospitals")[:-2] + b"X: " + endless),
            "a first line": (b"", b"GET /" + endless),
            "a body": (head("POST", "/bookings", TYPE, "Content-Length: %d" % len(endless)), endless),
            "a body longer than the door waits for": (head("POST", "/hospitals", TYPE, "Content-Length: 60000") + b" " * 40000, endless),
            "a chunk": (head("POST", "/bookings", TYPE, "Transfer-Encoding: chunked") + b"ffff\r\n", endless),
            "chunk sizes": (head("POST", "/bookings", TYPE, "Transfer-Encoding: chunked"), b"1\r\nx\r\n" * len(endless)),
            "a head after an answer": (request("GET", "/openapi.json"), head("GET", "/hospitals")[:-2] + b"X: " + endless),
        }
        for name, (first, trickled) in slow.items():
            begun = time.monotonic()
            with Connection(address) as connection:
                connection.send(first)
                answered = drains() and any(word in name for word in ("body", "chunk"))
                if trickled:
                    connection.trickle(trickled, 0.05, until=lambda: time.monotonic() - begun > LIMIT_MS / 1000 + SLACK_S or
                                       answered and connection.unread)
                    books(stack, hospital_id)
                if answered:  # HAProxy 3.0 drops what still comes, and closes the connection when nothing has come for 3 s
                    assert connection.reply().code in (408, 502), name
                    wait_for("the gateway has no request", lambda: metric(stack, "http_requests_in_hand") == 0)
                while not connection.ended:  # the answer to the earlier requests may arrive first
                    connection.receive()
                took = time.monotonic() - begun
                assert LIMIT_MS / 1000 <= took < LIMIT_MS / 1000 + SLACK_S, (name, took)


@once
def test_gateway_executes_no_request_whose_body_is_cut(driver):
    """The message is whole before the cut. The door waits for small bodies, and of large ones the gateway must know the length."""
    path, proto = "/screening.v1.HospitalService/RegisterHospital", "application/proto"
    small, large = b"", (b"\x1a\x64" + b"a" * 100) * 450  # the field `address` again and again

    def shut(connection):
        connection.socket.shutdown(socket.SHUT_WR)

    def reset(connection):
        connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()

    def cancel(connection):
        connection.state.reset_stream(1, h2.errors.ErrorCodes.CANCEL)
        connection.flush()

    with Stack(driver, without=("history",), gateway=True) as stack:
        def message(hospital_id, more):
            days = [types_pb2.ScreeningDay(date=day(1), capacity=9)]
            return hospital_pb2.RegisterHospitalRequest(hospital_id=hospital_id, name="h", address="a", days=days).SerializeToString() + more

        def begin(connection, body, *fields):
            """Sends a body without its end over HTTP/2. Returns the stream."""
            stream = connection.begin(connection.head("POST", path, [("content-type", proto), *fields]), ended=False)
            connection.body(stream, body, ended=False)
            return stream

        def chunk(body):
            return head("POST", path, "Content-Type: " + proto, "Transfer-Encoding: chunked") + b"%x\r\n" % len(body) + body + b"\r\n"

        def is_registered(hospital_id):
            return stack.hospital.GetHospital(hospital_id=hospital_id).code == rpc.OK

        def in_flight(count):
            wait_for("%d requests in flight" % count, lambda: metric(stack, "http_requests_in_hand") == count)

        for more in (small, large):
            hospital_id = rpc.new_id()
            with Connection(stack.gateway_svc.http) as connection:
                connection.send(request("POST", path, message(hospital_id, more), "Content-Type: " + proto))
                assert connection.reply().code == 200 and is_registered(hospital_id)
        for protocol, cuts in ((Connection, (shut, reset, Connection.close)), (http2.Connection, (shut, reset, cancel, http2.Connection.close))):
            for cut in cuts:
                hospital_id = rpc.new_id()
                body = message(hospital_id, large)
                length = str(len(body) + 102)
                with protocol(stack.gateway_svc.http) as connection:
                    if protocol is Connection:
                        connection.send(head("POST", path, "Content-Type: " + proto, "Content-Length: " + length) + body)
                    else:
                        begin(connection, body, ("content-length", length))
                    in_flight(1)
                    cut(connection)
                    in_flight(0)
                assert not is_registered(hospital_id), (protocol, cut)
        hospital_id = rpc.new_id()
        with Connection(stack.gateway_svc.http) as connection:
            connection.send(chunk(message(hospital_id, large)))
            answer = connection.reply()
            assert answer.code == 429 and b"resource_exhausted" in answer.body, answer
        with http2.Connection(stack.gateway_svc.http) as connection:
            assert connection.wait(begin(connection, message(hospital_id, large))).code == 429
        with Connection(stack.gateway_svc.http) as connection:
            connection.send(chunk(message(hospital_id, small)))
            shut(connection)
            while not connection.ended:
                connection.receive()
        with http2.Connection(stack.gateway_svc.http) as connection:
            begin(connection, message(hospital_id, small))
            cancel(connection)
            assert connection.ask("GET", "/hospitals/" + hospital_id).code == 404
        with Connection(stack.gateway_svc.http) as connection:  # a head that leaves the door no room to wait for the body
            body = message(hospital_id, large[:8000 // 102 * 102])
            connection.send(head("POST", path, "Content-Type: " + proto, "Cookie: " + "c" * 9000, "Transfer-Encoding: chunked") +
                            b"%x\r\n" % len(body) + body + b"\r\n")
            answer = connection.reply()
            assert answer.code == 429, answer
        assert not is_registered(hospital_id)


@once
def test_gateway_serves_slow_clients_within_the_limits(driver):
    with Stack(driver, without=("history",), gateway=True) as stack:
        hospital_id = register(stack)
        whole = request("POST", "/bookings", json.dumps(booking_body(hospital_id)).encode(), TYPE)
        with Connection(stack.gateway_svc.http) as connection:
            connection.trickle(whole, 0.001)
            assert connection.reply().code == 201
            assert metric(stack, "http_timeouts_total") == 0


@once
def test_gateway_disconnects_a_client_that_does_not_read_its_answers(driver):
    with Stack(driver, without=("history",), gateway=True, front={"answer_timeout": "%dms" % LIMIT_MS}) as stack:
        hospital_id = register(stack, name="n" * 200, days=range(1, 101))
        asks = request("GET", "/hospitals/" + hospital_id)
        with Connection(stack.gateway_svc.http, receive_buffer=4096) as connection:
            connection.socket.setblocking(False)
            try:
                for _ in range(10000):  # far more answers than fit into the buffers between client and gateway
                    connection.socket.send(asks)
            except BlockingIOError:
                pass
            books(stack, hospital_id)
            wait_for("the connection is ended", lambda: open_connections(stack) == 0)
            wait_for("nothing is in flight", lambda: metric(stack, "http_requests_in_hand") == 0)


# ---- large requests

# Of 14 KiB, or 17 KiB as the gateway counts.
MANY_FIELDS = ["X%d: %s" % (i, "a" * 140) for i in range(95)]


@once
def test_gateway_refuses_heads_and_bodies_that_are_too_large(driver):
    """The door refuses heads, and the gateway bodies."""
    with Stack(driver, without=("history",), gateway=True, front={"request_timeout": "%dms" % LIMIT_MS}) as stack:
        hospital_id = register(stack, capacity=100)
        chunked = head("POST", "/bookings", TYPE, "Transfer-Encoding: chunked")
        chunk = b"400\r\n" + b" " * 1024 + b"\r\n"
        cases = (
            (400, head("GET", "/hospitals", "X: " + "a" * 20000)),
            (400, head("GET", "/hospitals", *("X%d: a" % i for i in range(4000)))),
            (400, head("GET", "/" + "a" * 20000)),
            (431, head("GET", "/hospitals", *MANY_FIELDS)),  # the door lets this head through
            (408, head("POST", "/bookings", TYPE, "Content-Length: 99999")),  # the door waits for a part of the body
            (413, head("POST", "/bookings", TYPE, "Content-Length: 99999") + b" " * 20000),
            (None, head("POST", "/bookings", TYPE, "Content-Length: 9223372036854775807")),
            (413, request("POST", "/bookings", b" " * 8193, TYPE)),
            (413, request("POST", "/bookings", b" " * 9000, TYPE)),
            (413, chunked + 9 * chunk + b"0\r\n\r\n"),
            (413, chunked + 1000 * chunk),
        )
        for code, sent in cases:
            with Connection(stack.gateway_svc.http) as connection:
                connection.send(sent)
                reply = connection.reply()
                assert (reply and reply.code) == code, (code, sent[:80], reply)
            books(stack, hospital_id)
        body = json.dumps(booking_body(hospital_id)).encode()
        with Connection(stack.gateway_svc.http) as connection:  # a body of exactly the maximum size
            connection.send(request("POST", "/bookings", body + b" " * (8192 - len(body)), TYPE))
            assert connection.reply().code == 201


# ---- many connections


CREATE_BOOKING, REGISTER_HOSPITAL = "/screening.v1.BookingService/CreateBooking", "/screening.v1.HospitalService/RegisterHospital"


@once
def test_gateway_bounds_bodies_by_the_method_that_they_call(driver):
    """The limit is that of the called method, in every encoding. A hospital with 400 days fits, even if its JSON is indented."""
    with Stack(driver, without=("history",), gateway=True) as stack:
        web, hospital_id = stack.gateway, register(stack, capacity=100)
        connect_json, connect_proto = {"Content-Type": "application/json"}, {"Content-Type": "application/proto"}
        booking = json.dumps(booking_body(hospital_id))
        days = [{"date": day(1 + i), "capacity": 100} for i in range(400)]
        hospital = json.dumps({"name": "한빛", "days": days}, indent=8)
        assert 20000 < len(hospital) < 65536
        bounds = (("POST", "/bookings", booking, 8192, 201), ("POST", CREATE_BOOKING, booking, 8192, 200),
                  ("POST", "/hospitals", hospital, 262144, 201), ("POST", REGISTER_HOSPITAL, hospital, 262144, 200),
                  ("PUT", "/hospitals/%s/days/%s" % (hospital_id, day(1)), '{"capacity": 100}', 8192, 200),
                  ("POST", "/nowhere", "{}", 8192, 404))
        for method, path, body, most, code in bounds:
            fitting = body.ljust(most).encode()
            for sent, wanted in ((fitting, code), (fitting + b" ", 429 if path.startswith("/screening") else 413)):
                answer = web.request(method, path, sent, headers=connect_json)
                assert answer.code == wanted, (method, path, len(sent), answer)
                split = chunks(head(method, path, TYPE, "Transfer-Encoding: chunked"), sent)
                with Connection(stack.gateway_svc.http) as connection:
                    connection.send(split)
                    assert connection.reply().code == wanted, (method, path, len(sent))
        unknown = b"\xfa\x06"  # field 111, followed by the number of its bytes
        for size, code in ((8000, 400), (9000, 429)):  # 8,000 bytes are parsed, and are not a booking
            body = unknown + bytes([size & 127 | 128, size >> 7]) + b"x" * size
            assert web.post(CREATE_BOOKING, body, headers=connect_proto).code == code, size


def chunks(first, body, size=1000):
    parts = [body[i:i + size] for i in range(0, len(body), size)]
    return first + b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


@once
def test_gateway_holds_a_thousand_idle_connections_and_others_book(driver):
    many_files()
    with Stack(driver, without=("history",), gateway=True) as stack:
        hospital_id = register(stack, capacity=100)
        idle = []
        try:
            for _ in range(1000):
                connection = Connection(stack.gateway_svc.http)
                idle.append(connection)
                connection.send(request("GET", "/openapi.json"))
                assert connection.reply().code == 200
            assert open_connections(stack) == 1000
            for _ in range(20):
                books(stack, hospital_id)
            for connection in idle:  # all connections are kept open
                connection.send(request("GET", "/openapi.json"))
            assert all(connection.reply().code == 200 for connection in idle)
        finally:
            for connection in idle:
                connection.close()
        wait_for("they are gone", lambda: open_connections(stack) == 0)


@once
def test_gateway_lets_connections_beyond_the_limit_wait(driver):
    with Stack(driver, without=("history",), gateway=True, flags={"gateway": {"connections-max": 8}}) as stack:
        taken = [http2.Connection(stack.gateway_svc.http2) for _ in range(8)]
        try:
            for connection in taken:
                assert connection.ask("GET", "/openapi.json").code == 200
            with http2.Connection(stack.gateway_svc.http2) as late:
                asked = late.request("GET", "/openapi.json")
                late.socket.settimeout(1)
                try:
                    late.pump()
                    raise AssertionError("the connection beyond the limit is served")
                except TimeoutError:
                    late.socket.settimeout(DEADLINE_S)
                taken.pop().close()
                assert late.wait(asked).code == 200
        finally:
            for connection in taken:
                connection.close()


@once
def test_gateway_answers_pipelined_requests_in_their_order(driver):
    with Stack(driver, without=("history",), gateway=True) as stack:
        hospital_id, booking_id = register(stack, capacity=100), rpc.new_id()
        booking = json.dumps(booking_body(hospital_id)).encode()
        with Connection(stack.gateway_svc.http) as connection:
            connection.send(
                request("GET", "/hospitals/" + hospital_id) + request("GET", "/openapi.json")
                + request("POST", "/bookings", booking, TYPE, "Idempotency-Key: " + booking_id)
                + request("GET", "/nowhere") + request("GET", "/bookings/" + booking_id)
                + request("POST", "/bookings/%s/cancel" % booking_id) + request("GET", "/bookings/" + booking_id))
            replies = [connection.reply() for _ in range(7)]
            assert [reply.code for reply in replies] == [200, 200, 201, 404, 200, 200, 200], replies
            found = [json.loads(reply.body) for reply in replies]
            assert found[0]["hospitalId"] == hospital_id and found[2]["bookingId"] == booking_id
            assert [found[i]["status"] for i in (2, 4, 5, 6)] == ["CONFIRMED", "CONFIRMED", "CANCELLED", "CANCELLED"]


@once
def test_gateway_answers_head_like_get_without_the_body(driver):
    with Stack(driver, without=("history",), gateway=True) as stack:
        for path in ("/hospitals/" + register(stack), "/openapi.json", "/hospitals/" + rpc.new_id(), "/nowhere"):
            with Connection(stack.gateway_svc.http) as connection:
                connection.send(request("GET", path) + request("HEAD", path) + request("GET", path))
                get, of_head, again = connection.reply(), connection.reply(to_head=True), connection.reply()
                assert get.code == of_head.code == again.code, path
                assert {**get.fields, "date": ""} == {**of_head.fields, "date": ""} and get.body == again.body, path


# ---- methods that only services may call


@once
def test_gateway_reaches_no_method_that_is_for_services_only(driver):
    with Stack(driver, without=("history",), gateway=True) as stack:
        hospital_id = register(stack, capacity=5)
        reserve = {"bookingId": rpc.new_id(), "hospitalId": hospital_id, "date": day(1), "headcount": 1}
        bodies = {"Reserve": reserve, "BatchReserve": {"requests": [reserve]}, "Fetch": {"maxEvents": 1},
                  "ListReservations": {}, "LookUpBookings": {"bookingIds": [rpc.new_id()]}, "AbandonBooking": reserve,
                  "Check": {}, "Stats": {}, "Describe": {}}
        services = {"Reserve": "screening.v1.HospitalService", "BatchReserve": "screening.v1.HospitalService",
                    "ListReservations": "screening.v1.HospitalService", "LookUpBookings": "screening.v1.BookingService",
                    "AbandonBooking": "screening.v1.BookingService",
                    "Fetch": "screening.v1.EventLogService", "Check": "grpc.health.v1.Health",
                    "Stats": "rpc.v1.Introspection", "Describe": "rpc.v1.Introspection"}
        for method, body in bodies.items():
            service = services[method]
            encoded = "%%%02x%s" % (ord(method[0]), method[1:])
            for path in ("/%s/%s" % (service, method), "/%s/%s" % (service, encoded), "//%s/%s" % (service, method),
                         "/./%s/%s" % (service, method), "/%s/%s/" % (service, method), "/%s%%2f%s" % (service, method),
                         "/screening.v1.BookingService/" + method, "/%s/x/../%s" % (service, method)):
                for reply in (stack.gateway.post(path, body), stack.gateway.get(path),
                              stack.gateway.get(path, query={"encoding": "json", "message": json.dumps(body)}),
                              stack.gateway.post(path, b"", headers={"Content-Type": "application/proto"})):
                    assert reply.code in ((400,) if "%2f" in path else (404, 405, 415, 501)), (path, reply)
                    assert b"bookingId" not in reply.body and b"events" not in reply.body, (path, reply)
        for path in ("/hospitals/%s/reserve" % hospital_id, "/hospitals/%s/reservations" % hospital_id, "/eventLog", "/metrics",
                     "/livez", "/readyz"):
            assert stack.gateway.post(path, reserve).code in (404, 405), path
            assert stack.gateway.get(path).code in (404, 405), path
        assert remaining(stack, hospital_id) == 5


@once
def test_gateway_reveals_no_internals_and_every_answer_has_its_security_fields(driver):
    flags = {"gateway": {"default-timeout-ms": 3000}}
    with Stack(driver, gateway=True, flags=flags) as stack:
        hospital_id, booking_id = register(stack, capacity=1), rpc.new_id()
        stack.history_svc.kill()
        good = json.dumps(booking_body(hospital_id, bookingId=booking_id)).encode()
        asked = {
            200: request("GET", "/hospitals/" + hospital_id), 201: request("POST", "/bookings", good, TYPE),
            400: request("POST", "/bookings", b"{", TYPE), 404: request("GET", "/bookings/" + rpc.new_id()),
            405: request("PATCH", "/bookings"), 409: request("POST", "/bookings", good.replace(b'"n"', b'"m"'), TYPE),
            413: request("POST", "/bookings", b" " * 100000, TYPE),
            415: request("POST", "/bookings", good, "Content-Type: text/xml"),
            422: request("POST", "/bookings", good.replace(day(1).encode(), b"2026-02-30"), TYPE),
            503: request("GET", "/bookingHistories/" + booking_id),
        }
        secrets = (stack.folder, "ipc://", "tcp://", "sqlite", "postgres", "nng", ".c:", "history-svc", "nghttp2", "haproxy")
        for code, sent in asked.items():
            with Connection(stack.gateway_svc.http) as connection:
                connection.send(sent)
                reply = connection.reply()
                assert reply.code == code, (code, reply)
                assert SECURITY.items() <= reply.fields.items(), reply
                assert not [secret for secret in secrets if secret in str(reply).lower()], reply
                assert "server" not in reply.fields and "access-control-allow-origin" not in reply.fields, reply
        # Answers that the door itself makes reveal nothing about the gateway or the request.
        for sent in (b"GET /secret\r\n\r\n", head("GET", "/", "X: " + "secret" * 5000), head("GET", "/" + "secret" * 5000)):
            with Connection(stack.gateway_svc.http) as connection:
                connection.send(sent)
                text = connection.rest().decode()
                assert "secret" not in text and not [secret for secret in secrets if secret in text.lower()], text


# ---- drain and restart


def paused_booking(stack, connection, hospital_id):
    """Pauses booking-svc and sends a booking, which stays in flight. Returns the booking's id."""
    booking_id = rpc.new_id()
    stack.booking_svc.pause()
    connection.send(request("POST", "/bookings", json.dumps(booking_body(hospital_id, bookingId=booking_id)).encode(), TYPE))
    wait_for("the request is in flight", lambda: metric(stack, "http_requests_in_hand") == 1)
    return booking_id


def is_refused(stack):
    """Returns whether the door answers a new request with 503, because the gateway accepts no more."""
    with Connection(stack.gateway_svc.http) as connection:
        connection.send(request("GET", "/openapi.json"))
        reply = connection.reply()
        # 502: the gateway ended the connection on which HAProxy sent the request.
        assert reply.code in (200, 502, 503) and (reply.code != 503 or reply.fields["retry-after"] == "1"), reply
        return reply.code == 503


@once
def test_gateway_drains_what_is_in_flight_and_accepts_no_more(driver):
    flags = {"gateway": {"default-timeout-ms": 50000, "drain-grace-ms": 50000}}
    with Stack(driver, without=("history",), gateway=True, flags=flags) as stack:
        hospital_id, gateway = register(stack), stack.gateway_svc
        with Connection(gateway.http) as idle, Connection(gateway.http) as waiting:
            idle.send(request("GET", "/openapi.json"))
            assert idle.reply().code == 200
            booking_id = paused_booking(stack, waiting, hospital_id)
            gateway.process.terminate()
            wait_for("new requests are refused", lambda: is_refused(stack))
            idle.send(request("GET", "/openapi.json"))
            assert idle.reply().code in (502, 503)
            assert gateway.process.poll() is None and waiting.silent_for(0.5)
            stack.booking_svc.resume()
            reply = waiting.reply()
            assert reply.code == 201, reply
        assert gateway.process.wait(timeout=DEADLINE_S) == 0, gateway.log_tail()
        assert status_of(stack, booking_id) == CONFIRMED
        assert "service.drain_incomplete" not in {line.get("event") for line in gateway.log_lines()}


@once
def test_gateway_answers_503_when_the_time_to_drain_is_over(driver):
    flags = {"gateway": {"default-timeout-ms": 50000, "drain-grace-ms": 300}}
    with Stack(driver, without=("history",), gateway=True, flags=flags) as stack:
        hospital_id, gateway = register(stack), stack.gateway_svc
        with Connection(gateway.http) as waiting:
            paused_booking(stack, waiting, hospital_id)
            gateway.process.terminate()
            reply = waiting.reply()
            assert reply is not None and reply.code == 503 and "retry-after" in reply.fields, reply
        assert gateway.process.wait(timeout=DEADLINE_S) == 0, gateway.log_tail()
        assert "service.drain_incomplete" in {line.get("event") for line in gateway.log_lines()}


@once
def test_gateway_restarted_serves_the_connections_that_clients_have_kept(driver):
    with Stack(driver, without=("history",), gateway=True) as stack:
        hospital_id = register(stack)
        with Connection(stack.gateway_svc.http) as held:
            asks = request("GET", "/hospitals/" + hospital_id)
            for restart in (stack.gateway_svc.stop, stack.gateway_svc.kill):
                held.send(asks)
                assert held.reply().code == 200
                restart()
                held.send(asks)
                assert held.reply().code in (502, 503)  # 502: HAProxy had not seen the end of its connection yet
                stack.gateway_svc.start()
            held.send(asks)
            assert held.reply().code == 200
            books(stack, hospital_id)
