"""Tests gRPC of gateway-svc with the stock Python client through the front door, and with frames that no client sends."""
import importlib.util
import os
import struct
import time

from kit import credentials, rpc
from kit.grpc_client import Client, framed, status_of
from kit.http2 import Connection
from kit.marks import once
from kit.rpc import FakeService, booking_pb2, envelope_pb2, types_pb2
from kit.stack import DEADLINE_S, Stack, wait_for
from kit.world import CONFIRMED, booking_request, day, register, remaining

BOOKINGS = "/screening.v1.BookingService/"
GRPC = [("content-type", "application/grpc"), ("te", "trailers")]
INTERNAL_METHODS = ("Reserve", "BatchReserve", "ListReservations", "LookUpBookings", "AbandonBooking", "Fetch")
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Both:
    """A client of a service that calls public methods by gRPC, and all others directly."""

    def __init__(self, channel, direct):
        self.channel, self.direct = channel, direct

    def __getattr__(self, name):
        service = rpc.METHODS[name][0].rpartition("/")[0] if name in rpc.METHODS else ""
        public = service.startswith("screening.v1.") and name not in INTERNAL_METHODS
        return getattr(self.channel if public else self.direct, name)

    def close(self):
        self.channel.close()
        self.direct.close()


class GrpcStack(Stack):
    """A stack whose services are called by gRPC through the front door and the gateway."""

    def __init__(self, driver, flags=None, **more):
        super().__init__(driver, gateway=True, flags={**(flags or {}), "gateway": {"default-timeout-ms": 30000, **(flags or {}).get("gateway", {})}}, **more)

    def client(self, name):
        direct = super().client(name)
        if name == "gateway":
            return direct
        client = Both(Client(self.front.http), direct)
        self.clients[-1] = client
        return client


def raw(connection, path, body, headers=(), method="POST"):
    """Returns the answer to a request with this body."""
    return connection.ask(method, path, body, [*GRPC, *headers])


def raw_head(connection, path, fields):
    """Returns the answer to a request with these fields, in this order, and without a body."""
    return connection.wait(connection.begin(connection.head("POST", path, fields)))


def in_hand(stack):
    """Returns the number of HTTP requests in flight."""
    return stack.gateway_svc.metric("http_requests_in_hand")


def test_grpc_plays_the_twelve_lines(driver):
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "seed.py")
    spec = importlib.util.spec_from_file_location("seed", path)
    seed = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(seed)
    seed.Stack = GrpcStack
    lines = sorted(name for name in dir(seed) if name.startswith("seed_"))
    assert len(lines) >= 12, lines
    for line in lines:
        begun = time.monotonic()
        getattr(seed, line)(driver)
        print("     %s (%.1f s)" % (line, time.monotonic() - begun), flush=True)


@once
def test_grpc_errors_have_their_details(driver):
    with GrpcStack(driver, without=("history",)) as stack:
        hospital_id = register(stack, capacity=1)
        booked = stack.booking.CreateBooking(**booking_request(hospital_id))
        assert booked.code == rpc.OK and booked.message.status == CONFIRMED and not booked.details, booked
        sold_out = stack.booking.CreateBooking(**booking_request(hospital_id))
        assert (sold_out.code, sold_out.reason) == (rpc.FAILED_PRECONDITION, "SOLD_OUT"), sold_out
        closed = stack.booking.CreateBooking(**booking_request(hospital_id, offset=3))
        assert (closed.code, closed.reason) == (rpc.FAILED_PRECONDITION, "DATE_NOT_OPEN"), closed
        wrong = stack.booking.CreateBooking(**booking_request(hospital_id, date="1일"))
        assert wrong.code == rpc.INVALID_ARGUMENT and wrong.text.startswith("date: ") and wrong.message is None, wrong
        missing = stack.booking.GetBooking(booking_id=rpc.new_id())
        assert missing.code == rpc.NOT_FOUND, missing


@once
def test_grpc_answers_every_code_with_its_details(driver):
    said = "100% 서울\n"
    with Stack(driver, gateway=True, without=("hospital", "booking", "history")) as stack:
        answers = {}
        fake = FakeService(stack.address("booking.rpc"), lambda name, request: answers.get(getattr(request, "booking_id", ""), None))
        wait_for("the gateway connects", fake.listener.connections)
        client = Client(stack.front.http)
        for code in range(1, 17):
            if code == 2:
                continue
            answers[str(code)] = envelope_pb2.Response(code=code, message=said, reason="A_WORD", retry_after_ms=20050)
            reply = client.GetBooking(booking_id=str(code), timeout_ms=5000)  # too short for another attempt
            assert reply.code == code and reply.reason == "A_WORD" and reply.retry_after_ms == 20050, reply
            assert (reply.text == said) == (code not in (4, 13, 14, 15)), reply
        answers["plain"] = envelope_pb2.Response(code=5, message="none")
        assert not client.GetBooking(booking_id="plain").details
        answers["large"] = types_pb2.Booking(customer_name="n" * 500000)
        assert len(client.GetBooking(booking_id="large").message.customer_name) == 500000
        answers["empty"] = types_pb2.Booking()
        assert client.GetBooking(booking_id="empty").message == types_pb2.Booking()
        client.close()
        fake.close()


@once
def test_grpc_hands_on_deadline_trace_and_authorization(driver):
    flags = {"gateway": {"default-timeout-ms": 7000, "timeout-max-ms": 20000}}
    with Stack(driver, gateway=True, without=("hospital", "booking", "history"), flags=flags) as stack:
        silent = []
        fake = FakeService(stack.address("booking.rpc"), lambda name, request: None if silent else types_pb2.Booking())
        wait_for("the gateway connects", fake.listener.connections)
        client = Client(stack.front.http, token=None)
        for timeout_ms, metadata in ((5000, (("authorization", "Bearer x y"), ("traceparent", TRACE))), (90000, (("x-other-bin", b"\xff"),))):
            assert client.GetBooking(booking_id="b", timeout_ms=timeout_ms, metadata=metadata).code == rpc.OK
            seen = fake.calls[-1]
            most = timeout_ms + timeout_ms // 100  # the client rounds up to three digits
            assert seen.timeout_ms == 20000 if timeout_ms > 20000 else 0 < seen.timeout_ms <= most, seen
            wanted = {name: value for name, value in metadata if name in ("authorization", "traceparent")}
            assert {entry.key: entry.value for entry in seen.metadata} == {**wanted, "client-address": "127.0.0.1"}, seen
        with Connection(stack.front.http) as connection:
            message = framed(booking_pb2.GetBookingRequest(booking_id="b").SerializeToString())
            assert status_of(raw(connection, BOOKINGS + "GetBooking", message)) == (0, "")
            assert fake.calls[-1].timeout_ms == 7000
            silent.append(True)
            begun = time.monotonic()
            assert status_of(raw(connection, BOOKINGS + "GetBooking", message, [("grpc-timeout", "200m")]))[0] == rpc.DEADLINE_EXCEEDED
            assert 0.2 <= time.monotonic() - begun < 30
            for wrong in ("", "5", "5s", "123456789m", "-1S"):
                assert status_of(raw(connection, BOOKINGS + "GetBooking", message, [("grpc-timeout", wrong)]))[0] == rpc.INVALID_ARGUMENT, wrong
        assert client.GetBooking(booking_id="b", timeout_ms=300).code == rpc.DEADLINE_EXCEEDED
        client.close()
        fake.close()


@once
def test_grpc_knows_no_internal_and_no_other_method(driver):
    with GrpcStack(driver, without=("history",)) as stack:
        client = Client(stack.gateway_svc.listen)  # the door refuses some of these paths itself
        for name in INTERNAL_METHODS:
            assert client.call(name).code == rpc.UNIMPLEMENTED, name
        for path in ("/screening.v1.BookingService/None", "/none.Service/CreateBooking", "/CreateBooking", "/rpc.v1.Introspection/Stats",
                     "/screening.v1.BookingService/CreateBooking/", "/screening.v1.BookingService/Create%42ooking", "/"):
            reply = client.call_path(path, b"", types_pb2.Booking)
            assert reply.code == rpc.UNIMPLEMENTED and reply.message is None, (path, reply)
        client.close()


@once
def test_grpc_answers_health_checks(driver):
    path, serving, not_serving = "/grpc.health.v1.Health/Check", 1, 2
    with GrpcStack(driver, without=("history",)) as stack:
        client = Client(stack.front.http)

        def check(service):
            return client.call_path(path, rpc.health_pb2.HealthCheckRequest(service=service), rpc.health_pb2.HealthCheckResponse)
        for service in ("", "screening.v1.BookingService", "screening.v1.HistoryService"):
            assert check(service).message.status == serving, service
        for service in ("none", "screening.v1.EventLogService", "screening.v1"):
            assert check(service).code == rpc.NOT_FOUND, service
        stack.booking_svc.stop()
        wait_for("the gateway is not ready", lambda: check("").message.status == not_serving)
        client.close()


@once
def test_grpc_refuses_what_it_does_not_read(driver):
    with Stack(driver, without=("history",), gateway=True) as stack, Connection(stack.gateway_svc.http2) as connection:
        hospital_id = register(stack)
        path, message = BOOKINGS + "CreateBooking", booking_pb2.CreateBookingRequest(**booking_request(hospital_id)).SerializeToString()
        gzip = raw(connection, path, framed(message, 1), [("grpc-encoding", "gzip")])
        assert status_of(gzip)[0] == rpc.UNIMPLEMENTED and gzip.fields["grpc-accept-encoding"] == "identity", gzip.headers
        for body in (b"", framed(message, 1), framed(message)[:-1], framed(message) + b"\0", framed(message) * 2, b"\0\xff\xff\xff\xff"):
            assert status_of(raw(connection, path, body))[0] == rpc.UNIMPLEMENTED, body[:20]
        assert status_of(raw(connection, path, framed(b"\xff\xff")))[0] == rpc.INVALID_ARGUMENT
        large = status_of(raw(connection, path, framed(b" " * 8193)))
        assert large[0] == rpc.RESOURCE_EXHAUSTED, large
        doubled = status_of(raw(connection, path, framed(message), [("grpc-timeout", "1S"), ("grpc-timeout", "2S")]))
        assert doubled == (rpc.INVALID_ARGUMENT, "grpc-timeout: must not be given twice with other values"), doubled
        for bad, code in (([("x", "a\rb")], rpc.INVALID_ARGUMENT), ([("host", "other")], rpc.INVALID_ARGUMENT),
                          ([("x", "v")] * 130, rpc.RESOURCE_EXHAUSTED), ([("x", "v" * 20000)], rpc.RESOURCE_EXHAUSTED)):
            exchange = raw_head(connection, path, [*bad, *GRPC])
            assert status_of(exchange)[0] == code, (bad[0], exchange.headers)
        for kind in ("application/grpc+json", "application/grpc+thrift", "application/grpcx"):
            exchange = connection.ask("POST", path, framed(message), [("content-type", kind)])
            assert exchange.code == 415 and exchange.body == b"", exchange.headers
        assert raw(connection, path, b"", method="GET").code == 405
        for kind in ("application/grpc+proto", "application/grpc;a=b", "Application/Grpc"):
            exchange = connection.ask("POST", path, framed(message), [("content-type", kind)])
            assert status_of(exchange) == (0, "") and exchange.trailers == {"grpc-status": "0"}, exchange.headers
            booking = types_pb2.Booking.FromString(exchange.body[5:])
            assert exchange.body == framed(exchange.body[5:]) and booking.status == CONFIRMED


@once
def test_grpc_a_cancelled_call_leaves_the_connection_usable(driver):
    with GrpcStack(driver, without=("history",)) as stack:
        hospital_id = register(stack, capacity=100)
        client = Client(stack.front.http)
        stack.booking_svc.pause()
        call = client.channel.unary_unary(BOOKINGS + "CreateBooking", request_serializer=lambda message: message.SerializeToString(),
                                          response_deserializer=types_pb2.Booking.FromString)
        futures = [call.future(booking_pb2.CreateBookingRequest(**booking_request(hospital_id)), timeout=DEADLINE_S, metadata=credentials.fields())
                   for _ in range(20)]
        wait_for("the calls are in flight", lambda: in_hand(stack) == len(futures))
        assert all(future.cancel() for future in futures)
        stack.booking_svc.resume()
        wait_for("the calls are answered", lambda: in_hand(stack) == 0)
        assert remaining(stack, hospital_id) == 100 - len(futures)  # cancelled too late to stop the bookings
        assert client.CreateBooking(**booking_request(hospital_id)).code == rpc.OK
        assert remaining(stack, hospital_id) == 100 - len(futures) - 1
        client.close()


@once
def test_grpc_serves_many_calls_on_one_channel(driver):
    with GrpcStack(driver, without=("history",)) as stack:
        hospital_id = register(stack, capacity=500)
        client = Client(stack.front.http)
        call = client.channel.unary_unary(BOOKINGS + "CreateBooking", request_serializer=lambda message: message.SerializeToString(),
                                          response_deserializer=types_pb2.Booking.FromString)
        futures = [call.future(booking_pb2.CreateBookingRequest(**booking_request(hospital_id)), timeout=DEADLINE_S, metadata=credentials.fields())
                   for _ in range(300)]
        assert {future.result().status for future in futures} == {CONFIRMED}
        days = stack.hospital.GetAvailability(hospital_id=hospital_id, from_date=day(1), to_date=day(1)).message.days
        assert days[0].remaining == 200
        client.close()
