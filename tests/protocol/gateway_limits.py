"""What callers cannot do to gateway-svc: slow and endless requests, many connections, calls of internal methods."""
import json
import re
import resource
import time

from kit import rpc
from kit.marks import once
from kit.raw_http import Connection, head, request
from kit.stack import DEADLINE_S, Stack, wait_for
from kit.web import Client
from kit.world import CONFIRMED, day, register, remaining, status_of

TYPE = "Content-Type: application/json"
SECURITY = {"x-content-type-options": "nosniff", "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
            "referrer-policy": "no-referrer", "cache-control": "no-store"}
# the limits set for these tests, and the delay that a busy machine may add
LIMIT_MS, SLACK_S = 1500, 20


def booking_body(hospital_id, **more):
    return {"customerId": "c", "customerName": "n", "hospitalId": hospital_id, "date": day(1), **more}


def books(stack, hospital_id):
    """Plays another caller, who must notice nothing."""
    client = Client(stack.gateway_svc.http, timeout=DEADLINE_S)
    try:
        reply = client.post("/bookings", booking_body(hospital_id))
        assert reply.code == 201 and reply.json["status"] == "CONFIRMED", reply
    finally:
        client.close()


def metric(stack, name):
    client = Client(stack.gateway_svc.ops, timeout=DEADLINE_S)
    try:
        return int(re.search(r"^%s (\d+)$" % name, client.get("/metrics").body.decode(), re.M)[1])
    finally:
        client.close()


def many_files():
    """Allows a thousand connections in this process too."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


# ---- slow


@once
def test_gateway_ends_who_trickles_or_is_silent_while_others_book(driver):
    flags = {"gateway": {"idle-timeout-ms": LIMIT_MS, "request-timeout-ms": LIMIT_MS}}
    with Stack(driver, without=("history",), gateway=True, flags=flags) as stack:
        hospital_id = register(stack, capacity=100)
        address, endless = stack.gateway_svc.http, b"x" * 100000
        slow = {
            "nothing at all": (b"", b""),
            "a head": (b"", head("GET", "/hospitals")[:-2] + b"X: " + endless),
            "a first line": (b"", b"GET /" + endless),
            "a body": (head("POST", "/bookings", TYPE, "Content-Length: %d" % len(endless)), endless),
            "a chunk": (head("POST", "/bookings", TYPE, "Transfer-Encoding: chunked") + b"ffff\r\n", endless),
            "chunk sizes": (head("POST", "/bookings", TYPE, "Transfer-Encoding: chunked"), b"1\r\nx\r\n" * len(endless)),
            "a head after an answer": (request("GET", "/openapi.json"), head("GET", "/hospitals")[:-2] + b"X: " + endless),
        }
        for name, (first, trickled) in slow.items():
            begun = time.monotonic()
            with Connection(address) as connection:
                connection.send(first)
                if trickled:
                    connection.trickle(trickled, 0.05, until=lambda: time.monotonic() - begun > LIMIT_MS / 1000 + SLACK_S)
                    books(stack, hospital_id)
                while not connection.ended:  # an answer to the requests sent so far may come first
                    connection.receive()
                took = time.monotonic() - begun
                assert LIMIT_MS / 1000 <= took < LIMIT_MS / 1000 + SLACK_S, (name, took)
        assert metric(stack, "http_timeouts_total") == len(slow)


@once
def test_gateway_serves_who_is_slow_within_the_limits(driver):
    with Stack(driver, without=("history",), gateway=True) as stack:
        hospital_id = register(stack)
        whole = request("POST", "/bookings", json.dumps(booking_body(hospital_id)).encode(), TYPE)
        with Connection(stack.gateway_svc.http) as connection:
            connection.trickle(whole, 0.001)
            assert connection.reply().code == 201
            assert metric(stack, "http_timeouts_total") == 0


@once
def test_gateway_ends_who_does_not_read_its_answers(driver):
    flags = {"gateway": {"idle-timeout-ms": LIMIT_MS, "request-timeout-ms": LIMIT_MS}}
    with Stack(driver, without=("history",), gateway=True, flags=flags) as stack:
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
            wait_for("the connection is ended", lambda: metric(stack, "http_connections") == 0)
            assert metric(stack, "http_timeouts_total") == 1


# ---- large


@once
def test_gateway_refuses_heads_and_bodies_that_are_too_large(driver):
    flags = {"gateway": {"body-max-bytes": 2048}}
    with Stack(driver, without=("history",), gateway=True, flags=flags) as stack:
        hospital_id = register(stack, capacity=100)
        chunked = head("POST", "/bookings", TYPE, "Transfer-Encoding: chunked")
        chunk = b"400\r\n" + b" " * 1024 + b"\r\n"
        cases = (
            (431, head("GET", "/hospitals", "X: " + "a" * 20000)),
            (431, head("GET", "/hospitals", *("X%d: a" % i for i in range(4000)))),
            (431, head("GET", "/" + "a" * 20000)),
            (414, head("GET", "/" + "a" * 40000)),
            (413, head("POST", "/bookings", TYPE, "Content-Length: 99999")),  # at once, without waiting for the body
            (413, head("POST", "/bookings", TYPE, "Content-Length: 9223372036854775807")),
            (413, request("POST", "/bookings", b" " * 2049, TYPE)),
            (413, request("POST", "/bookings", b" " * 3000, TYPE)),
            (413, chunked + 3 * chunk + b"0\r\n\r\n"),
        )
        for code, sent in cases:
            with Connection(stack.gateway_svc.http) as connection:
                connection.send(sent)
                reply = connection.reply()
                assert reply is not None and reply.code == code, (code, sent[:80], reply)
                connection.rest()  # and the server closes the connection
            books(stack, hospital_id)
        with Connection(stack.gateway_svc.http) as connection:  # without an end, the body cannot be answered
            connection.send(chunked + 1000 * chunk)
            assert b"HTTP/1.1 2" not in connection.rest()
        body = json.dumps(booking_body(hospital_id)).encode()
        with Connection(stack.gateway_svc.http) as connection:  # exactly as large as allowed
            connection.send(request("POST", "/bookings", body + b" " * (2048 - len(body)), TYPE))
            assert connection.reply().code == 201


# ---- many


CREATE_BOOKING, REGISTER_HOSPITAL = "/screening.v1.BookingService/CreateBooking", "/screening.v1.HospitalService/RegisterHospital"


@once
def test_gateway_bounds_bodies_by_the_method_that_they_call(driver):
    """This is checked in every encoding. 400 days fit, whatever the indentation."""
    with Stack(driver, without=("history",), gateway=True) as stack:
        web, hospital_id = stack.gateway, register(stack, capacity=100)
        connect_json, connect_proto = {"Content-Type": "application/json"}, {"Content-Type": "application/proto"}
        booking = json.dumps(booking_body(hospital_id))
        days = [{"date": day(1 + i), "capacity": 100} for i in range(400)]
        hospital = json.dumps({"name": "한빛", "days": days}, indent=8)
        assert 20000 < len(hospital) < 65536
        bounds = (("POST", "/bookings", booking, 8192, 201), ("POST", CREATE_BOOKING, booking, 8192, 200),
                  ("POST", "/hospitals", hospital, 65536, 201), ("POST", REGISTER_HOSPITAL, hospital, 65536, 200),
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
        unknown = b"\xfa\x06"  # field 111, with the given number of bytes
        for size, code in ((8000, 400), (9000, 429)):  # not a booking, but it is parsed
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
            assert metric(stack, "http_connections") == 1000
            for _ in range(20):
                books(stack, hospital_id)
            for connection in idle:  # all of them are kept alive
                connection.send(request("GET", "/openapi.json"))
            assert all(connection.reply().code == 200 for connection in idle)
        finally:
            for connection in idle:
                connection.close()
        wait_for("they are gone", lambda: metric(stack, "http_connections") == 0)


@once
def test_gateway_answers_any_number_of_requests_that_come_at_once(driver):
    """libmicrohttpd takes 128 events from the system at a time. If it gets exactly that many, it first waits for
    another."""
    with Stack(driver, without=("history",), gateway=True) as stack:
        for count in (127, 128, 129, 256):
            connections = [Connection(stack.gateway_svc.http) for _ in range(count)]
            try:
                for connection in connections:
                    connection.send(request("GET", "/nowhere"))
                    assert connection.reply().code == 404
                stack.gateway_svc.pause()
                for connection in connections:
                    connection.send(request("GET", "/nowhere"))
                stack.gateway_svc.resume()
                assert all(connection.reply().code == 404 for connection in connections), count
            finally:
                for connection in connections:
                    connection.close()


@once
def test_gateway_lets_connections_beyond_the_most_wait(driver):
    flags = {"gateway": {"connections-max": 8}}
    with Stack(driver, without=("history",), gateway=True, flags=flags) as stack:
        asks = request("GET", "/openapi.json")
        taken = [Connection(stack.gateway_svc.http) for _ in range(8)]
        try:
            for connection in taken:
                connection.send(asks)
                assert connection.reply().code == 200
            with Connection(stack.gateway_svc.http) as late:
                late.send(asks)
                assert late.silent_for(1)
                taken.pop().close()
                assert late.reply().code == 200
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


# ---- methods that are not for callers


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
                    assert reply.code in (404, 405, 415, 501), (path, reply)
                    assert b"bookingId" not in reply.body and b"events" not in reply.body, (path, reply)
        for path in ("/hospitals/%s/reserve" % hospital_id, "/hospitals/%s/reservations" % hospital_id, "/eventLog", "/metrics",
                     "/livez", "/readyz"):
            assert stack.gateway.post(path, reserve).code in (404, 405), path
            assert stack.gateway.get(path).code in (404, 405), path
        assert remaining(stack, hospital_id) == 5


@once
def test_gateway_tells_no_internals_and_every_answer_has_its_security_fields(driver):
    flags = {"gateway": {"default-timeout-ms": 3000}}
    with Stack(driver, gateway=True, flags=flags) as stack:
        hospital_id, booking_id = register(stack, capacity=1), rpc.new_id()
        stack.history_svc.kill()
        good = json.dumps(booking_body(hospital_id, bookingId=booking_id)).encode()
        asked = {
            200: request("GET", "/hospitals/" + hospital_id), 201: request("POST", "/bookings", good, TYPE),
            400: request("POST", "/bookings", b"{", TYPE), 404: request("GET", "/bookings/" + rpc.new_id()),
            405: request("PATCH", "/bookings"), 409: request("POST", "/bookings", good.replace(b'"n"', b'"m"'), TYPE),
            413: head("POST", "/bookings", TYPE, "Content-Length: 99999999"),
            415: request("POST", "/bookings", good, "Content-Type: text/xml"),
            422: request("POST", "/bookings", good.replace(day(1).encode(), b"2026-02-30"), TYPE),
            503: request("GET", "/bookingHistories/" + booking_id),
        }
        secrets = (stack.folder, "ipc://", "tcp://", "sqlite", "postgres", "nng", ".c:", "history-svc", "libmicrohttpd")
        for code, sent in asked.items():
            with Connection(stack.gateway_svc.http) as connection:
                connection.send(sent)
                reply = connection.reply()
                assert reply.code == code, (code, reply)
                assert SECURITY.items() <= reply.fields.items(), reply
                assert not [secret for secret in secrets if secret in str(reply).lower()], reply
                assert "server" not in reply.fields and "access-control-allow-origin" not in reply.fields, reply
        # answers that libmicrohttpd makes by itself reveal nothing about the gateway or the request
        for sent in (b"GET /secret\r\n\r\n", head("GET", "/", "X: " + "secret" * 5000), head("GET", "/" + "secret" * 5000)):
            with Connection(stack.gateway_svc.http) as connection:
                connection.send(sent)
                text = connection.rest().decode()
                assert "secret" not in text and not [secret for secret in secrets if secret in text.lower()], text


# ---- the end


def paused_booking(stack, connection, hospital_id):
    """Sends a booking that booking-svc does not answer for now. Returns its id."""
    booking_id = rpc.new_id()
    stack.booking_svc.pause()
    connection.send(request("POST", "/bookings", json.dumps(booking_body(hospital_id, bookingId=booking_id)).encode(), TYPE))
    wait_for("the request is in hand", lambda: metric(stack, "http_requests_in_hand") == 1)
    return booking_id


def refuses(address):
    try:
        with Connection(address):
            return False
    except ConnectionError:
        return True


@once
def test_gateway_drains_what_is_in_hand_and_accepts_no_more(driver):
    flags = {"gateway": {"default-timeout-ms": 50000, "drain-grace-ms": 50000}}
    with Stack(driver, without=("history",), gateway=True, flags=flags) as stack:
        hospital_id, gateway = register(stack), stack.gateway_svc
        with Connection(gateway.http) as idle, Connection(gateway.http) as waiting:
            idle.send(request("GET", "/openapi.json"))
            assert idle.reply().code == 200
            booking_id = paused_booking(stack, waiting, hospital_id)
            gateway.process.terminate()
            wait_for("new connections are refused", lambda: refuses(gateway.http))
            assert gateway.process.poll() is None and waiting.silent_for(0.5)
            stack.booking_svc.resume()
            reply = waiting.reply()
            assert reply.code == 201 and reply.fields["connection"].lower() == "close", reply
            assert waiting.rest() == b"" and idle.rest() == b""
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
            assert waiting.rest() == b""
        assert gateway.process.wait(timeout=DEADLINE_S) == 0, gateway.log_tail()
        assert "service.drain_incomplete" in {line.get("event") for line in gateway.log_lines()}


@once
def test_gateway_restarted_serves_at_the_same_address(driver):
    with Stack(driver, without=("history",), gateway=True) as stack:
        hospital_id = register(stack)
        with Connection(stack.gateway_svc.http) as held:  # the server closes first, so the port stays in TIME_WAIT
            held.send(request("GET", "/hospitals/" + hospital_id))
            assert held.reply().code == 200
            stack.gateway_svc.stop()
            stack.gateway_svc.start()
            books(stack, hospital_id)
