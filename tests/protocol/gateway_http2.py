"""HTTP/2 of gateway-svc: its limits, what it refuses, and how it stops."""
import contextlib
import json
import os
import socket
import stat
import struct
import subprocess
import urllib.parse

import h2.errors
import h2.settings
from kit import credentials, rpc
from kit.http2 import Connection
from kit.marks import once
from kit.rpc import FakeService, booking_pb2, types_pb2
from kit.stack import DEADLINE_S, HTTP_FLAG, PROGRAMS, Stack, free_port, wait_for
from kit.world import CONFIRMED, day, register, remaining, status_of

JSON = [("content-type", "application/json")]
REQUESTS_MAX, FLOOD = 128, 700
CALM, REFUSED, CANCEL, PROTOCOL, INTERNAL = (h2.errors.ErrorCodes[name] for name in (
    "ENHANCE_YOUR_CALM", "REFUSED_STREAM", "CANCEL", "PROTOCOL_ERROR", "INTERNAL_ERROR"))


class Http2Stack(Stack):
    """A stack with a gateway that is used over HTTP/2."""

    def __init__(self, driver, without=("history",), flags=None):
        super().__init__(driver, without=without, gateway=True, flags={"gateway": flags or {}})

    def connect(self, **more):
        return Connection(self.gateway_svc.http2, **more)


def booking(hospital_id, **more):
    return json.dumps({"customerId": "c", "customerName": "n", "hospitalId": hospital_id, "date": day(1), **more}).encode()


def book(connection, hospital_id, **more):
    answer = connection.ask("POST", "/bookings", booking(hospital_id, **more), JSON)
    assert answer.code == 201, (answer.headers, answer.body)


def metric(stack, name):
    return stack.gateway_svc.metric(name)


def frame(kind, flags, stream_id, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes((kind, flags)) + struct.pack(">I", stream_id) + payload


# ---- the protocol

@once
def test_http2_serves_curl(driver):
    with Http2Stack(driver) as stack:
        hospital_id = register(stack)

        def curl(path, *options):
            command = ["curl", "-sS", "--http2-prior-knowledge", "--unix-socket", stack.gateway_svc.path,
                       "-w", "\n%{http_version} %{http_code}", "-H", "%s: %s" % credentials.fields()[0], *options, "http://localhost" + path]
            body, _, status = subprocess.run(command, capture_output=True, text=True, check=True, timeout=DEADLINE_S).stdout.rpartition("\n")
            return status, body
        assert curl("/hospitals/" + hospital_id, "--compressed")[0] == "2 200"
        assert curl("/hospitals/" + hospital_id, "-I")[0] == "2 200"
        assert curl("/bookings", "--json", booking(hospital_id).decode())[0] == "2 201"
        assert curl("/bookings", "-H", "Expect: 100-continue", "--json", booking(hospital_id).decode())[0] == "2 201"
        status, body = curl("/bookings", "--json", booking(hospital_id, customerName="n" * 90000).decode())
        assert status == "2 413" and json.loads(body)["status"] == 413, (status, body)


@once
def test_http2_serves_many_requests_on_one_connection(driver):
    with Http2Stack(driver) as stack, stack.connect() as connection:
        hospital_id = register(stack, capacity=1000)
        streams = [connection.request("POST", "/bookings", booking(hospital_id), JSON) for _ in range(100)]
        assert [connection.wait(one).code for one in streams] == [201] * 100
        assert remaining(stack, hospital_id) == 900
        document = connection.ask("GET", "/openapi.json")
        assert json.loads(document.body)["openapi"] and document.fields["Content-Length"] == str(len(document.body))
        head = connection.ask("HEAD", "/openapi.json")
        assert (head.code, head.body, head.fields["Content-Length"]) == (200, b"", str(len(document.body)))
        assert head.fields["Date"].endswith(" GMT") and head.fields["X-Content-Type-Options"] == "nosniff"


@once
def test_http2_answers_expect_and_reads_trailers(driver):
    with Http2Stack(driver) as stack, stack.connect() as connection:
        hospital_id = register(stack)
        stream = connection.begin(connection.head("POST", "/bookings", [*JSON, ("expect", "100-continue")]), ended=False)
        exchange = connection.exchanges[stream]
        connection.until(lambda: exchange.informational, "100")
        assert exchange.informational == [100] and exchange.headers is None
        connection.body(stream, booking(hospital_id), ended=False)
        connection.state.send_headers(stream, [("x-checksum", "1")], end_stream=True)
        connection.flush()
        assert connection.wait(stream).code == 201


@once
def test_http2_paths_are_compared_as_they_were_sent(driver):
    with Http2Stack(driver) as stack, stack.connect() as connection:
        hospital_id = register(stack)
        encoded = "%%%02x%s" % (ord(hospital_id[0]), hospital_id[1:])
        for path, code in (("/hospitals/" + encoded, 200), ("/hospitals%2f" + hospital_id, 404), ("/hospital%73", 404),
                           ("/hospitals/%2f" + hospital_id, 422), ("/hospitals/" + hospital_id + "%00", 422),
                           ("/hospitals/%zz", 422), ("/hospitals?nameContains=%ED%95%9C+&pageSize=%31", 200)):
            assert connection.ask("GET", path).code == code, path
        assert connection.ask("OPTIONS", "*").code == 404
        found = connection.ask("GET", "/hospitals?nameContains=" + urllib.parse.quote("한빛"))
        assert [one["hospitalId"] for one in json.loads(found.body)["hospitals"]] == [hospital_id]


@once
def test_http2_refuses_ambiguous_and_malformed_heads(driver):
    with Http2Stack(driver) as stack, stack.connect() as connection:
        hospital_id = register(stack)
        path, head = "/hospitals/" + hospital_id, connection.head

        def code(fields):
            exchange = connection.wait(connection.begin(fields))
            return exchange.reset if exchange.headers is None else exchange.code
        assert code(head("GET", path, [("authorization", "a"), ("authorization", "a")])) == 401
        assert code(head("GET", path, [("authorization", "a"), ("authorization", "b")])) == 400
        assert code(head("GET", path, [("host", connection.authority)])) == 200
        assert code(head("GET", path, [("host", "other")])) == 400
        for value in ("a\rb", "a\nb", "a\0b", " a", "a ", "\ta"):
            assert code(head("GET", path, [("x", value)])) == 400, repr(value)
        for name in ("x y", "x\0", "x\n", "x:y"):
            assert code(head("GET", path, [(name, "a")])) == 400, repr(name)
        assert code([*head("GET", path), ("X", "a")]) == PROTOCOL
        for bad in ("/a b", "/a\n", "/a\0", " /a"):
            assert code(head("GET", bad)) == PROTOCOL, repr(bad)
        assert code(head("GET", path, [("content-length", "1"), ("content-length", "2")])) == PROTOCOL
        for bad in ([("connection", "close")], [("transfer-encoding", "chunked")], [("te", "gzip")]):
            assert code(head("GET", path, bad)) == PROTOCOL, bad
        for name in (":path", ":method", ":scheme"):
            assert code([field for field in head("GET", path) if field[0] != name]) == PROTOCOL, name
        assert code([(":method", "CONNECT"), (":authority", "x")]) == 400
        assert code(head("GET", path)) == 200


@once
def test_http2_refuses_heads_and_bodies_that_are_too_large(driver):
    with Http2Stack(driver) as stack, stack.connect() as connection:
        hospital_id = register(stack)
        for size, code in ((15000, 200), (17000, 431), (60000, 431)):
            answer = connection.ask("GET", "/hospitals/" + hospital_id, headers=[("x-%d" % i, "v" * 1000) for i in range(size // 1000)])
            assert answer.code == code, (size, answer.headers)
        many = [("x-%d" % (i % 3), "v" * 1000) for i in range(70)]
        assert connection.wait(connection.request("GET", "/hospitals/" + hospital_id, headers=many)).reset == INTERNAL
        trailed = connection.begin(connection.head("POST", "/bookings", JSON), ended=False)
        connection.body(trailed, booking(hospital_id), ended=False)
        connection.state.send_headers(trailed, many, end_stream=True)
        connection.flush()
        assert connection.wait(trailed).reset == INTERNAL
        for fields, code in ((100, 200), (130, 431)):
            answer = connection.ask("GET", "/hospitals/" + hospital_id, headers=[("x", "v")] * fields)
            assert answer.code == code, (fields, answer.headers)
        for parameters, code in ((64, 200), (65, 400), (7500, 400)):
            answer = connection.ask("GET", "/openapi.json?" + "a&" * parameters)
            assert answer.code == code, (parameters, answer.headers)
        declared = connection.begin(connection.head("POST", "/bookings", [*JSON, ("content-length", "8193")]), ended=False)
        assert connection.wait(declared).code == 413
        grown = connection.begin(connection.head("POST", "/bookings", JSON), ended=False)
        connection.body(grown, b" " * 8193, ended=False)
        assert connection.wait(grown).code == 413
        fits = connection.ask("POST", "/bookings", booking(hospital_id).ljust(8192), JSON)
        assert fits.code == 201
        lies = connection.begin(connection.head("POST", "/bookings", [*JSON, ("content-length", "500")]), ended=False)
        connection.body(lies, booking(hospital_id))
        assert connection.wait(lies).reset == PROTOCOL
        assert remaining(stack, hospital_id) == 9


@once
def test_gateway_refuses_requests_that_pages_of_other_sites_send(driver):
    evil, own = "https://evil.example", "https://clinic.example"
    with Http2Stack(driver, flags={"cors-origin": own}) as stack:
        hospital_id = register(stack, capacity=100)
        client = stack.gateway

        def book_from(**headers):
            return client.post("/bookings", booking(hospital_id), headers={"Content-Type": "application/json", **{
                name.replace("_", "-"): value for name, value in headers.items()}})
        place = book_from().place
        for headers in ({"Origin": evil}, {"Origin": "null"}, {"Sec_Fetch_Site": "cross-site"},
                        {"Origin": evil, "Sec_Fetch_Site": "same-origin"}):
            refused = book_from(**headers)
            assert refused.code == 403 and refused.json["status"] == 403, (headers, refused)
            assert client.get(place, headers={name.replace("_", "-"): value for name, value in headers.items()}).code == 200
        assert book_from(Origin=own, Sec_Fetch_Site="cross-site").code == 201
        assert book_from(Sec_Fetch_Site="same-origin").code == 201
        for kind in ("application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain"):
            assert client.post(place + "/cancel", headers={"Content-Type": kind}).code == 415, kind
        refused = client.post("/screening.v1.BookingService/CreateBooking", booking(hospital_id),
                              headers={"Content-Type": "application/json", "Origin": evil})
        assert refused.code == 403 and refused.json["code"] == "permission_denied", refused
        assert client.get(place).json["status"] == "CONFIRMED"


# ---- abuse

@once
def test_http2_ends_connections_that_flood_and_serves_others(driver):
    with Http2Stack(driver) as stack, stack.connect() as other:
        hospital_id = register(stack, capacity=100)
        get = "/hospitals/" + hospital_id
        floods = {
            "PING": lambda _: frame(6, 0, 0, bytes(8)),
            "SETTINGS": lambda _: frame(4, 0, 0),
            "PRIORITY": lambda _: frame(2, 0, 1, bytes(4) + b"\x10"),
            "empty DATA": lambda stream: frame(0, 0, stream),
            "padded empty DATA": lambda stream: frame(0, 8, stream, b"\x03\0\0\0"),
        }
        for name, flood in floods.items():
            with stack.connect() as connection:
                assert connection.ask("GET", get).code == 200, name
                stream = connection.begin(connection.head("POST", "/bookings", JSON), ended=False)
                connection.send(b"".join(flood(stream) for _ in range(FLOOD)))
                assert connection.wait_end() == CALM, name
            book(other, hospital_id)
        with stack.connect() as connection:
            for _ in range(FLOOD):
                stream = connection.state.get_next_available_stream_id()
                connection.state.send_headers(stream, connection.head("GET", get), end_stream=True)
                connection.state.reset_stream(stream, CANCEL)
            connection.flush()  # all at once, so that the speed does not matter
            assert connection.wait_end() == CALM
        assert other.ask("GET", get).code == 200
        with socket.socket(socket.AF_UNIX) as plain:
            plain.settimeout(DEADLINE_S)
            plain.connect(stack.gateway_svc.path)
            plain.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            received = b""
            with contextlib.suppress(ConnectionError):
                while True:
                    data = plain.recv(4096)
                    if not data:
                        break
                    received += data
            assert b"HTTP/1" not in received
        wait_for("nothing is in flight", lambda: metric(stack, "http_requests_in_hand") == 0)


@once
def test_http2_counts_reset_requests_until_they_are_answered(driver):
    with Http2Stack(driver, flags={"default-timeout-ms": 50000}) as stack, stack.connect() as connection, stack.connect() as other:
        hospital_id = register(stack, capacity=1000)
        stack.booking_svc.pause()
        for _ in range(REQUESTS_MAX):
            stream = connection.request("POST", "/bookings", booking(hospital_id), JSON)
            connection.state.reset_stream(stream, CANCEL)
            connection.flush()
        wait_for("they are in flight", lambda: metric(stack, "http_requests_in_hand") == REQUESTS_MAX)
        assert connection.wait(connection.request("GET", "/")).reset == REFUSED
        assert other.ask("GET", "/").code == 200
        stack.booking_svc.resume()
        wait_for("they are answered", lambda: metric(stack, "http_requests_in_hand") == 0)
        book(connection, hospital_id)


@once
def test_http2_bounds_the_bodies_in_flight(driver):
    """Unfinished bodies of one client take half of 64 MiB. Then it gets 503, but may read, and other clients may do both."""
    greedy, other = ([*JSON, ("x-forwarded-for", "192.0.2." + last)] for last in "78")
    with Http2Stack(driver, flags={"request-timeout-ms": 600000}) as stack, stack.connect() as small:
        hospital_id = register(stack)
        piece = b" " * 65536
        with contextlib.ExitStack() as kept:
            for _ in range(9):
                connection = kept.enter_context(stack.connect())
                streams = [connection.begin(connection.head("POST", "/hospitals", greedy), ended=False) for _ in range(REQUESTS_MAX)]
                for stream in streams:
                    connection.body(stream, piece, ended=False)
            wait_for("a body is refused", lambda: small.ask("POST", "/hospitals", piece, greedy).code == 503)
            answer = small.ask("POST", "/hospitals", piece, greedy)
            assert answer.code == 503 and answer.fields["Retry-After"] == "1", answer.headers
            assert small.ask("GET", "/hospitals/" + hospital_id, headers=greedy[1:]).code == 200
            assert small.ask("POST", "/hospitals", piece, other).code == 400
            assert small.ask("POST", "/bookings", booking(hospital_id), other).code == 201
        wait_for("the budget is free", lambda: small.ask("POST", "/hospitals", piece, greedy).code == 400)
        book(small, hospital_id)


@once
def test_http2_lists_that_a_client_does_not_read_leave_the_memory_to_others(driver):
    """Of many lists that wait for their turn, those are refused for whose answers there is no room when the turn comes."""
    def answer(name, request):
        if name == "GetBooking":
            return types_pb2.Booking()
        one = types_pb2.Booking(booking_id=rpc.new_id(), customer_name="n" * 400)
        return booking_pb2.ListBookingsResponse(bookings=[one] * 500)
    with Stack(driver, without=PROGRAMS, gateway=True) as stack, contextlib.closing(FakeService(stack.address("booking.rpc"), answer)) as fake:
        wait_for("the gateway connects", fake.listener.connections)
        with Connection(stack.gateway_svc.http2) as greedy, Connection(stack.gateway_svc.http2) as other:
            greedy.state.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 0})
            streams = [greedy.request("GET", "/bookings?customerId=c&pageSize=500") for _ in range(REQUESTS_MAX)]
            exchanges = [greedy.exchanges[stream] for stream in streams]
            greedy.until(lambda: all(one.headers is not None for one in exchanges), "the heads of the answers")
            served = [one.code for one in exchanges].count(200)
            assert {one.code for one in exchanges} <= {200, 429, 503, 504} and 16 < served < 100, [one.code for one in exchanges]
            answers = other.ask("GET", "/bookings/" + rpc.new_id(), headers=[("x-forwarded-for", "192.0.2.8")])
            assert answers.code == 200, answers.headers


@once
def test_http2_ends_what_is_late(driver):
    flags = {"request-timeout-ms": 700, "idle-timeout-ms": 2000}
    with Http2Stack(driver, flags=flags) as stack:
        hospital_id = register(stack)

        def timeouts():
            return metric(stack, "http_timeouts_total")
        with stack.connect() as connection:
            late = connection.begin(connection.head("POST", "/bookings", JSON), ended=False)
            connection.body(late, b"{", ended=False)
            assert connection.wait(late).reset == CANCEL and timeouts() == 1
            book(connection, hospital_id)
            assert connection.wait_end() == 0 and timeouts() == 2  # idle
        with stack.connect() as silent:
            assert silent.wait_end() == 0 and timeouts() == 3
        with stack.connect(reads=False) as connection:  # the window of the stream stays full
            stalled = connection.request("GET", "/docs/http-api.md")
            others = [connection.request("GET", "/openapi.json") for _ in range(3)]
            connection.until(lambda: all(connection.exchanges[one].reset == CANCEL or connection.exchanges[one].ended
                                         for one in (stalled, *others)), "the resets")
            resets = [connection.exchanges[one].reset for one in (stalled, *others)].count(CANCEL)
            assert resets > 0 and timeouts() == 3 + resets
        wait_for("nothing is left", lambda: metric(stack, "http_connections") == 0)
        stack.gateway_svc.stop()
        stack.gateway_svc.start(idle_timeout_ms=600000)
        with stack.connect() as connection:  # a head without its end, which is no idle connection
            assert connection.ask("GET", "/hospitals/" + hospital_id).code == 200  # the client has no frame of its own to send any more
            connection.send(frame(1, 1, 3, b"\x82"))
            connection.wait_end()
            assert connection.closed and timeouts() == 1


# ---- the socket

@once
def test_http2_believes_forwarded_addresses_on_its_unix_socket_only(driver):
    with Stack(driver, without=("hospital", "booking", "history"), gateway=True) as stack:
        path = stack.gateway_svc.path
        stack.gateway_svc.stop()
        with socket.socket(socket.AF_UNIX) as stale:
            stale.bind(path)  # left behind by a process that was killed
        fake = FakeService(stack.address("booking.rpc"), lambda name, request: types_pb2.Booking())
        for address, seen in (("unix:" + path, {"192.0.2.7": "192.0.2.7", "1.2.3.4, 2001:db8::1": "2001:db8::/64", "x": "unknown", "": "unknown"}),
                              ("127.0.0.1:%d" % free_port(), {"192.0.2.7": "127.0.0.1"})):
            stack.gateway_svc.start(**{HTTP_FLAG: address})
            wait_for("the gateway connects", fake.listener.connections)
            if address.startswith("unix:"):
                assert stat.S_IMODE(os.stat(path).st_mode) == 0o660
            with Connection("h2:" + address) as connection:
                for forwarded, client in seen.items():
                    headers = [*JSON, ("x-forwarded-for", forwarded)]
                    assert connection.ask("GET", "/bookings/" + rpc.new_id(), headers=headers).code == 200
                    metadata = {entry.key: entry.value for entry in fake.calls[-1].metadata}
                    assert metadata.get("client-address") == client, (forwarded, metadata)
            stack.gateway_svc.stop()
            assert not os.path.exists(path)
        fake.close()


# ---- the end

@once
def test_http2_drains_what_is_in_flight_and_accepts_no_more(driver):
    with Http2Stack(driver, flags={"default-timeout-ms": 50000, "drain-grace-ms": 50000}) as stack:
        hospital_id, gateway, booking_id = register(stack), stack.gateway_svc, rpc.new_id()
        with stack.connect() as idle, stack.connect() as waiting, stack.connect() as listener:
            assert idle.ask("GET", "/").code == 200
            events = listener.request("GET", "/events?customerId=c")
            listener.until(lambda: listener.exchanges[events].body, "the first bytes")
            stack.booking_svc.pause()
            stream = waiting.request("POST", "/bookings", booking(hospital_id, bookingId=booking_id), JSON)
            wait_for("the request is in flight", lambda: metric(stack, "http_requests_in_hand") == 2)
            gateway.process.terminate()
            assert idle.wait_end() == 0 and listener.wait(events).ended
            with contextlib.suppress(OSError):
                stack.connect().close()
                raise AssertionError("a new connection was accepted")
            waiting.until(lambda: len(waiting.goaways) == 2, "both GOAWAYs")
            assert waiting.goaways[-1] == (0, stream) and gateway.process.poll() is None
            stack.booking_svc.resume()
            assert waiting.wait(stream).code == 201
            assert waiting.wait_end() == 0
        assert gateway.process.wait(timeout=DEADLINE_S) == 0, gateway.log_tail()
        assert status_of(stack, booking_id) == CONFIRMED
        assert "service.drain_incomplete" not in {line.get("event") for line in gateway.log_lines()}


@once
def test_http2_stops_with_whole_answers_and_a_last_goaway(driver):
    """A client reads its answer only after the gateway has handed it to the system, and another has no request."""
    with Http2Stack(driver) as stack, stack.connect() as idle, stack.connect(receive_bytes=4096) as slow:
        gateway = stack.gateway_svc
        whole = idle.ask("GET", "/openapi.json")
        assert whole.code == 200 and len(whole.body) > 30000
        stream = slow.request("GET", "/openapi.json")
        answered = 'http_requests_total{method="GET",route="/openapi.json",code="200"}'
        wait_for("the answer is handed over", lambda: metric(stack, answered) == 2 and metric(stack, "http_requests_in_hand") == 0)
        gateway.process.terminate()
        idle.until(lambda: len(idle.goaways) == 2, "both GOAWAYs")
        assert idle.goaways == [(0, 2**31 - 1), (0, 1)] and idle.wait_end() == 0
        assert slow.wait(stream).body == whole.body
        slow.until(lambda: len(slow.goaways) == 2, "both GOAWAYs")
        assert slow.goaways[-1] == (0, stream) and slow.wait_end() == 0
        assert gateway.process.wait(timeout=DEADLINE_S) == 0, gateway.log_tail()


@once
def test_http2_answers_503_when_the_time_to_drain_is_over(driver):
    with Http2Stack(driver, flags={"default-timeout-ms": 50000, "drain-grace-ms": 300}) as stack, stack.connect() as waiting:
        hospital_id = register(stack)
        stack.booking_svc.pause()
        stream = waiting.request("POST", "/bookings", booking(hospital_id), JSON)
        wait_for("the request is in flight", lambda: metric(stack, "http_requests_in_hand") == 1)
        stack.gateway_svc.process.terminate()
        answer = waiting.wait(stream)
        assert answer.code == 503 and answer.fields["Retry-After"] == "1", answer.headers
        assert stack.gateway_svc.process.wait(timeout=DEADLINE_S) == 0, stack.gateway_svc.log_tail()
        stack.booking_svc.resume()
