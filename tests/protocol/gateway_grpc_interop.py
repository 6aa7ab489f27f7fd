"""gRPC through the front door: the unary cases of gRPC's interoperability tests with our methods, and calls that are not as they must be."""
import contextlib
import struct
import time

from kit import rpc
from kit.grpc_client import Client, framed, grpc, status_of
from kit.http2 import Connection
from kit.marks import once
from kit.rpc import FakeService, booking_pb2, envelope_pb2, hospital_pb2, types_pb2
from kit.stack import DEADLINE_S, Stack, wait_for
from kit.world import CONFIRMED, booking_request, register, remaining

GET, CREATE = "/screening.v1.BookingService/GetBooking", "/screening.v1.BookingService/CreateBooking"
GRPC = [("content-type", "application/grpc"), ("te", "trailers")]
BODY_MAX = 8192  # largest message of every method except RegisterHospital (gateway-svc/request_bounds.c)


def padded(message, size):
    """Returns the packed message, made `size` bytes long by a field of text that no version knows."""
    packed = message.SerializeToString()
    length = size - len(packed) - 4
    assert 128 <= length < 16384
    return packed + b"\x82\x7d" + bytes((length & 0x7f | 0x80, length >> 7)) + b"x" * length


@contextlib.contextmanager
def front_stack(driver, *ways, **more):
    """Runs a stack and opens a client for each of the ways, "clear" or "tls"."""
    with Stack(driver, gateway=True, tls=True, **more) as stack, contextlib.ExitStack() as exits:
        clients = []
        for way in ways:
            address = stack.front.http if way == "clear" else "localhost:" + stack.front.tls.rpartition(":")[2]
            clients.append(Client(address, stack.front.run_folder + "/certificate.pem" if way == "tls" else None))
            exits.callback(clients[-1].close)
        yield (stack, *clients)


@contextlib.contextmanager
def played_booking_service(driver, handler, flags=None):
    """Runs a gateway whose booking-svc is played: `handler` answers. Opens a client in cleartext and one over TLS."""
    with front_stack(driver, "clear", "tls", without=("hospital", "booking", "history"), flags=flags) as (stack, *clients):
        fake = FakeService(stack.address("booking.rpc"), handler)
        wait_for("the gateway connects", fake.listener.connections)
        yield (stack, fake, *clients)
        fake.close()


def in_flight(stack):
    """Returns the number of HTTP requests in flight."""
    return stack.gateway_svc.metric("http_requests_in_hand")


# ---- the cases of interoperability

@once
def test_grpc_interop_empty_and_large_messages(driver):
    with front_stack(driver, "clear", "tls", without=("history",)) as (stack, *clients):
        hospital_id = register(stack, capacity=10)
        for client in clients:
            empty = client.call_path("/screening.v1.HospitalService/ListHospitals", b"", hospital_pb2.ListHospitalsResponse)
            assert [one.hospital_id for one in empty.message.hospitals] == [hospital_id], empty
            request = booking_pb2.CreateBookingRequest(**booking_request(hospital_id))
            largest = client.call_path(CREATE, padded(request, BODY_MAX), types_pb2.Booking)
            assert largest.code == rpc.OK and largest.message.status == CONFIRMED, largest
            for size in (BODY_MAX + 1, 2 * BODY_MAX, 100 * BODY_MAX):
                too_large = client.call_path(CREATE, padded(request, BODY_MAX) + b"x" * (size - BODY_MAX), types_pb2.Booking)
                assert too_large.code == rpc.RESOURCE_EXHAUSTED and too_large.text == "the body is too large", too_large
        assert remaining(stack, hospital_id) == 8


@once
def test_grpc_interop_large_and_empty_answers(driver):
    answers = {"large": types_pb2.Booking(customer_name="가" * 300000), "empty": types_pb2.Booking()}
    with played_booking_service(driver, lambda _, request: answers[request.booking_id]) as (_, _, *clients):
        for client in clients:
            for name, answer in answers.items():
                reply = client.GetBooking(booking_id=name)
                assert reply.code == rpc.OK and reply.message == answer, (name, reply.code)


@once
def test_grpc_interop_custom_metadata_is_accepted_and_not_echoed(driver):
    metadata = (("x-grpc-test-echo-initial", "test_initial_metadata_value"), ("x-grpc-test-echo-trailing-bin", b"\x0a\x0b\x0a\x0b\x0a\x0b"),
                ("x-binary-bin", bytes(range(256))), ("x-many", "1"), ("x-many", "2"))
    with played_booking_service(driver, lambda *_: types_pb2.Booking()) as (_, fake, *clients):
        for client in clients:
            call = client.channel.unary_unary(GET, request_serializer=lambda message: message.SerializeToString(),
                                              response_deserializer=types_pb2.Booking.FromString)
            _, done = call.with_call(booking_pb2.GetBookingRequest(booking_id="b"), timeout=DEADLINE_S, metadata=metadata)
            sent_back = {name for name, _ in (*done.initial_metadata(), *done.trailing_metadata())}
            assert not {name for name in sent_back if name.startswith("x-grpc-test") or name in ("x-binary-bin", "x-many")}, sent_back
            assert {entry.key for entry in fake.calls[-1].metadata} == {"client-address"}, fake.calls[-1]


@once
def test_grpc_interop_status_codes_and_special_messages(driver):
    texts = ["\t\ntest with whitespace\r\nand Unicode BMP \u263a and non-BMP \U0001f608\t\n", "예약이 마감되었습니다: 100%", "%41%zz%",
             "\x01\x1f\x7f", " edges ", "~", "가" * 60]
    texts = {str(number): text for number, text in enumerate(texts)}
    with played_booking_service(driver, lambda _, request: envelope_pb2.Response(
            code=rpc.FAILED_PRECONDITION, message=texts[request.booking_id], reason="A_WORD")) as (stack, _, *clients):
        for client in clients:
            for name, text in texts.items():
                reply = client.GetBooking(booking_id=name)
                assert (reply.code, reply.text, reply.reason) == (rpc.FAILED_PRECONDITION, text, "A_WORD"), (text, reply)
        with Connection(stack.front.http) as connection:
            message = framed(booking_pb2.GetBookingRequest(booking_id="1").SerializeToString())
            encoded = status_of(connection.ask("POST", GET, message, GRPC))[1]
            assert encoded.startswith("%EC%98%88") and encoded.endswith(": 100%25") and encoded.isascii(), encoded


@once
def test_grpc_interop_unimplemented_methods_and_services(driver):
    with front_stack(driver, "clear", "tls", without=("hospital", "booking", "history")) as (_, *clients):
        for client in clients:
            for path in ("/screening.v1.BookingService/UnimplementedCall", "/grpc.testing.UnimplementedService/UnimplementedCall",
                         "/screening.v1.HospitalService/Reserve", "/grpc.health.v1.Health/None",
                         "/grpc.reflection.v1beta.ServerReflection/ServerReflectionInfo"):
                reply = client.call_path(path, b"", types_pb2.Booking)
                assert (reply.code, reply.text) == (rpc.UNIMPLEMENTED, "there is no such method"), (path, reply)


@once
def test_grpc_interop_cancel_before_and_after_the_answer(driver):
    silent = [True]
    with played_booking_service(driver, lambda *_: None if silent else types_pb2.Booking(booking_id="b"),
                                flags={"gateway": {"default-timeout-ms": 60000, "drain-grace-ms": 200}}) as (stack, fake, *clients):
        for client in clients:
            call = client.channel.unary_unary(GET, request_serializer=lambda message: message.SerializeToString(),
                                              response_deserializer=types_pb2.Booking.FromString)
            seen = fake.count("GetBooking")
            before = call.future(booking_pb2.GetBookingRequest(booking_id="b"))
            wait_for("the call arrives", lambda: fake.count("GetBooking") > seen)  # noqa: B023
            assert before.cancel() and before.code() == grpc.StatusCode.CANCELLED
            silent.clear()
            after = call.future(booking_pb2.GetBookingRequest(booking_id="b"), timeout=DEADLINE_S)
            assert after.result().booking_id == "b"
            assert not after.cancel() and after.code() == grpc.StatusCode.OK
            assert client.GetBooking(booking_id="b").code == rpc.OK  # the channel is usable
            silent.append(True)
        assert in_flight(stack) == len(clients)  # the gateway waits for the answers to the cancelled calls


@once
def test_grpc_interop_timeouts(driver):
    with played_booking_service(driver, lambda *_: None) as (stack, _, *clients):
        for client in clients:
            begun = time.monotonic()
            assert client.GetBooking(booking_id="b", timeout_ms=300).code == rpc.DEADLINE_EXCEEDED
            assert 0.3 <= time.monotonic() - begun < 30
        with Connection(stack.front.http) as connection:  # here the gateway's deadline counts, not the client's
            message = framed(booking_pb2.GetBookingRequest(booking_id="b").SerializeToString())
            begun = time.monotonic()
            assert status_of(connection.ask("POST", GET, message, [*GRPC, ("grpc-timeout", "300m")]))[0] == rpc.DEADLINE_EXCEEDED
            assert 0.3 <= time.monotonic() - begun < 30
        wait_for("nothing is in flight", lambda: in_flight(stack) == 0)


# ---- frames by hand

@once
def test_grpc_raw_bodies_that_are_not_one_message(driver):
    with played_booking_service(driver, lambda *_: types_pb2.Booking()) as (stack, fake, *_), Connection(stack.front.http) as connection:
        message = booking_pb2.GetBookingRequest(booking_id="b").SerializeToString()
        good = framed(message)
        assert status_of(connection.ask("POST", GET, good, GRPC)) == (rpc.OK, "")
        for body in (b"", b"\0", good[:4], good[:5], good[:-1], good + b"\0", good * 2, framed(message, 1), framed(message, 255),
                     struct.pack(">BI", 0, len(message) + 1) + message, struct.pack(">BI", 0, len(message) - 1) + message,
                     b"\0\xff\xff\xff\xff" + message, struct.pack(">BI", 0, 2**31) + message):
            code, text = status_of(connection.ask("POST", GET, body, GRPC))
            assert code == rpc.UNIMPLEMENTED and text, body
        for payload in (b"\xff", b"\x0a\x05b", b"\x0a\x01\xff", b"\x0b"):
            assert status_of(connection.ask("POST", GET, framed(payload), GRPC))[0] == rpc.INVALID_ARGUMENT, payload
        assert fake.count("GetBooking") == 1


@once
def test_grpc_raw_heads_that_are_not_as_they_must_be(driver):
    with played_booking_service(driver, lambda *_: types_pb2.Booking()) as (stack, fake, *_), Connection(stack.front.http) as connection:
        good = framed(booking_pb2.GetBookingRequest(booking_id="b").SerializeToString())

        def ask(*headers, kind="application/grpc", method="POST"):
            return connection.ask(method, GET, good, [("content-type", kind), *headers])
        for headers in ((), [("te", "trailers")], [("grpc-encoding", "identity")], [("grpc-accept-encoding", "gzip")], [("user-agent", "x")]):
            assert status_of(ask(*headers)) == (rpc.OK, ""), headers  # te: trailers is not required
        served = fake.count("GetBooking")
        for encoding in ("gzip", "deflate", "snappy", "", "identity,gzip"):
            exchange = ask(("grpc-encoding", encoding))
            assert status_of(exchange)[0] == rpc.UNIMPLEMENTED and exchange.fields["grpc-accept-encoding"] == "identity", encoding
        for timeout in ("", "1", "S", "1s", "1H1", "-1S", "+1S", "1.5S", "1 S", "0x1S", "123456789S", "1SS", "1S,2S", "99999999999999999999S", "１S"):
            assert status_of(ask(("grpc-timeout", timeout)))[0] == rpc.INVALID_ARGUMENT, timeout
        for timeout in ("0S", "0n", "00000000H"):
            assert status_of(ask(("grpc-timeout", timeout)))[0] == rpc.DEADLINE_EXCEEDED, timeout
        for kind in ("application/grpcx", "application/grp", "application/grpc-web", "application/grpc+json", "application/grpc+proto2", "text/plain"):
            exchange = ask(kind=kind)
            assert exchange.code == 415 and exchange.body == b"", (kind, exchange.headers)
        assert connection.ask("GET", GET, b"", GRPC).code == 405 and connection.ask("PUT", GET, good, GRPC).code == 405
        assert fake.count("GetBooking") == served
