"""Streams of gRPC, most of them through the front door: reflection and Watch, their limits and their ends.

Streams are held for 3 s; with SCREENING_FULL=1, for 30 s. By hand: tests/kit/run tests/protocol/gateway_grpc_streams.py"""
import contextlib
import os
import struct
import time

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from kit import rpc
from kit.grpc_client import Client, Reflection, Watch, framed, reflection_pb2
from kit.http2 import Connection
from kit.marks import once
from kit.rpc import health_pb2
from kit.stack import BUILD, Stack, wait_for
from kit.world import CONFIRMED, day, remaining

SERVING, NOT_SERVING, SERVICE_UNKNOWN = 1, 2, 3
HOLD_S = 30 if os.environ.get("SCREENING_FULL") == "1" else 3
GRPC = [("content-type", "application/grpc"), ("te", "trailers")]
WATCH = "/grpc.health.v1.Health/Watch"
REFLECTION = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
INTERNAL_METHODS = {"Reserve", "BatchReserve", "ListReservations", "LookUpBookings", "AbandonBooking"}
SERVICES = {"screening.v1.HospitalService", "screening.v1.BookingService", "screening.v1.HistoryService", "grpc.health.v1.Health",
            "grpc.reflection.v1.ServerReflection"}
STREAMS_MAX, MESSAGES_MAX, MESSAGE_MAX, REQUESTS_MAX = 256, 100, 8192, 128


def question(**fields):
    return framed(reflection_pb2.ServerReflectionRequest(**fields))


def answers_in(body):
    """Returns the messages of an answer's body."""
    found = []
    while body:
        size = struct.unpack(">I", body[1:5])[0]
        assert body[0] == 0 and len(body) >= 5 + size, body[:20]
        found.append(reflection_pb2.ServerReflectionResponse.FromString(body[5:5 + size]))
        body = body[5 + size:]
    return found


def code_of(exchange):
    """Returns the status of an answer that has ended."""
    fields = exchange.trailers if exchange.trailers is not None else dict(exchange.headers)
    assert exchange.code == 200 and exchange.fields["content-type"] == "application/grpc", exchange.headers
    return int(fields["grpc-status"]), fields.get("grpc-message", "")


def open_stream(connection, path=REFLECTION, headers=()):
    return connection.begin(connection.head("POST", path, [*GRPC, *headers]), ended=False)


def open_streams(stack):
    """Returns the number of open streams."""
    return stack.gateway_svc.metric("grpc_streams")


@contextlib.contextmanager
def client_of(address, **more):
    client = Client(address, **more)
    try:
        yield client
    finally:
        client.close()


# ---- reflection

class Discovered:
    """A client that learns everything about the services from the gateway."""

    def __init__(self, client, version):
        self.client, self.reflection, self.pool = client, Reflection(client, version), descriptor_pool.DescriptorPool()

    def services(self):
        return {service.name for service in self.reflection.ask(list_services="").list_services_response.service}

    def service(self, name):
        known = {}
        for packed in self.reflection.ask(file_containing_symbol=name).file_descriptor_response.file_descriptor_proto:
            self.pool.AddSerializedFile(packed)
            known[descriptor_pb2.FileDescriptorProto.FromString(packed).name] = packed
        return self.pool.FindServiceByName(name)

    def call(self, service, method, **fields):
        descriptor = self.service(service).methods_by_name[method]
        factory = message_factory.MessageFactory(self.pool)
        request, response = (factory.GetPrototype(one) for one in (descriptor.input_type, descriptor.output_type))
        reply = self.client.call_path("/%s/%s" % (service, method), request(**fields), response)
        assert reply.code == rpc.OK, reply
        return reply.message


@once
def test_grpc_reflection_lets_a_client_book_that_knows_only_the_address(driver):
    with Stack(driver, gateway=True, tls=True, without=("history",)) as stack:
        port = stack.front.tls.rpartition(":")[2]
        for version, address, certificate in (("v1", stack.front.http, None), ("v1alpha", stack.front.http, None),
                                              ("v1", "localhost:" + port, stack.front.run_folder + "/certificate.pem")):
            with client_of(address, certificate=certificate) as client:
                discovered = Discovered(client, version)
                hospital, booking = sorted(name for name in discovered.services() if name.endswith(("HospitalService", "BookingService")))[::-1]
                made = discovered.call(hospital, "RegisterHospital", name="한빛", days=[{"date": day(1), "capacity": 2}])
                booked = discovered.call(booking, "CreateBooking", customer_id="c", customer_name="김하늘", hospital_id=made.hospital_id,
                                         date=day(1), headcount=1)
                assert booked.status == CONFIRMED and booked.DESCRIPTOR.file.pool is discovered.pool
                assert remaining(stack, made.hospital_id) == 1
                discovered.reflection.half_close()
                assert discovered.reflection.end() == (rpc.OK, "")


@once
def test_grpc_reflection_serves_the_files_of_public_methods(driver):
    with open(os.path.join(BUILD, "gateway-svc/screening.pb"), "rb") as file:
        packed = reflection_pb2.FileDescriptorResponse.FromString(file.read()).file_descriptor_proto  # it has the same wire format
    whole = {descriptor_pb2.FileDescriptorProto.FromString(one).name: one for one in packed}
    with Stack(driver, gateway=True, without=("hospital", "booking", "history")) as stack, client_of(stack.front.http) as client:
        reflection = Reflection(client)
        listed = reflection.ask(list_services="*")
        assert listed.valid_host == "h" and listed.original_request.list_services == "*", listed
        assert {service.name for service in listed.list_services_response.service} == SERVICES, listed
        for name, unchanged in whole.items():
            answer = reflection.ask(file_by_filename=name)
            files = list(answer.file_descriptor_response.file_descriptor_proto)
            found = [descriptor_pb2.FileDescriptorProto.FromString(one) for one in files]
            assert found[-1].name == name and answer.original_request.file_by_filename == name
            seen = set()
            for file in found:
                assert set(file.dependency) <= seen, file.name
                seen.add(file.name)
            wanted = descriptor_pb2.FileDescriptorProto.FromString(unchanged)
            hidden = 0
            for service in wanted.service:
                for method in list(service.method):
                    if method.name in INTERNAL_METHODS:
                        service.method.remove(method)
                        hidden += 1
            assert found[-1] == wanted and (hidden > 0) == (name in ("screening/v1/hospital.proto", "screening/v1/booking.proto")), name
            assert hidden > 0 or files[-1] == unchanged, name
        for symbol, name in (("screening.v1.Booking", "screening/v1/types.proto"), (WATCH[1:].replace("/", "."), "grpc/health/v1/health.proto")):
            files = reflection.ask(file_containing_symbol=symbol).file_descriptor_response.file_descriptor_proto
            assert descriptor_pb2.FileDescriptorProto.FromString(files[-1]).name == name
        reflection.cancel()


@once
def test_grpc_reflection_answers_what_it_does_not_have_with_an_error(driver):
    with Stack(driver, gateway=True, without=("hospital", "booking", "history")) as stack, client_of(stack.front.http) as client:
        reflection = Reflection(client)
        extension = {"containing_type": "screening.v1.Booking", "extension_number": 1}
        for asked, code in (({"file_by_filename": "none.proto"}, rpc.NOT_FOUND), ({"file_by_filename": ""}, rpc.NOT_FOUND),
                            ({"file_by_filename": "screening/v1/event.proto"}, rpc.NOT_FOUND),
                            ({"file_containing_symbol": "screening.v1.HospitalService.Reserve"}, rpc.NOT_FOUND),
                            ({"file_containing_symbol": "screening.v1.EventLogService"}, rpc.NOT_FOUND),
                            ({"file_containing_symbol": "없음"}, rpc.NOT_FOUND),
                            ({"file_containing_extension": extension}, rpc.UNIMPLEMENTED),
                            ({"all_extension_numbers_of_type": "screening.v1.Booking"}, rpc.UNIMPLEMENTED), ({}, rpc.UNIMPLEMENTED)):
            answer = reflection.ask(**asked)
            assert answer.error_response.error_code == code and answer.error_response.error_message, answer
            assert answer.original_request == reflection_pb2.ServerReflectionRequest(host="h", **asked)
        assert reflection.ask(list_services="").HasField("list_services_response")
        reflection.half_close()
        assert reflection.end() == (rpc.OK, "")


@once
def test_grpc_reflection_reads_messages_however_they_are_cut(driver):
    with Stack(driver, gateway=True, without=("hospital", "booking", "history")) as stack, Connection(stack.front.http) as connection:
        stream = open_stream(connection)
        exchange = connection.exchanges[stream]
        for size in (1, 4, 5, 6, 1000):
            asked = question(list_services="x" * size)
            for at in range(0, len(asked), size):
                connection.body(stream, asked[at:at + size], ended=False)
            connection.until(lambda: exchange.body and len(answers_in(exchange.body)) == 1, "the answer")
            assert answers_in(exchange.body)[0].original_request.list_services == "x" * size and not exchange.ended
            exchange.body = b""
        connection.body(stream, question(list_services="1") + question(file_by_filename="2") + question(list_services="3")[:7], ended=False)
        connection.until(lambda: len(answers_in(exchange.body)) == 2, "two answers")
        connection.body(stream, question(list_services="3")[7:])
        assert code_of(connection.wait(stream)) == (rpc.OK, "") and len(answers_in(exchange.body)) == 3
        nothing = connection.wait(connection.begin(connection.head("POST", REFLECTION, GRPC)))
        assert code_of(nothing) == (rpc.OK, "") and nothing.body == b""


@once
def test_grpc_reflection_ends_streams_that_it_cannot_read(driver):
    with Stack(driver, gateway=True, without=("hospital", "booking", "history")) as stack:
        good, too_large = question(list_services="x"), MESSAGE_MAX - 2
        with Connection(stack.front.http) as connection:
            for body, code, ended in ((good + framed(good[5:], 1), rpc.UNIMPLEMENTED, False), (good + framed(b"\xff\xff"), rpc.INVALID_ARGUMENT, False),
                                      (good + framed(b"\x3a\x01\xff"), rpc.INVALID_ARGUMENT, False), (good + good[:-1], rpc.INVALID_ARGUMENT, True),
                                      (good + b"\0\0\0", rpc.INVALID_ARGUMENT, True),
                                      (good + question(list_services="x" * too_large), rpc.RESOURCE_EXHAUSTED, False),
                                      (good + b"\0\xff\xff\xff\xff", rpc.RESOURCE_EXHAUSTED, False)):
                stream = open_stream(connection)
                connection.body(stream, body, ended=ended)
                exchange = connection.wait(stream)
                assert code_of(exchange)[0] == code and code_of(exchange)[1], (body[:30], exchange.trailers)
                assert len(answers_in(exchange.body)) == 1, body[:30]
            stream = open_stream(connection)
            connection.body(stream, question(list_services="x" * (too_large - 1)))  # the largest message
            exchange = connection.wait(stream)
            assert code_of(exchange) == (rpc.OK, "") and len(answers_in(exchange.body)) == 1
            stream = open_stream(connection)
            for _ in range(MESSAGES_MAX // 50):
                connection.body(stream, question(file_by_filename="") * 50, ended=False)
                want = len(answers_in(connection.exchanges[stream].body)) + 50
                connection.until(lambda: len(answers_in(connection.exchanges[stream].body)) == want, "the answers")  # noqa: B023
            connection.body(stream, question(list_services=""), ended=False)
            exchange = connection.wait(stream)
            assert code_of(exchange)[0] == rpc.RESOURCE_EXHAUSTED and len(answers_in(exchange.body)) == MESSAGES_MAX
            gzip = connection.wait(open_stream(connection, headers=[("grpc-encoding", "gzip")]))
            assert code_of(gzip)[0] == rpc.UNIMPLEMENTED and gzip.fields["grpc-accept-encoding"] == "identity", gzip.headers
            assert code_of(connection.wait(open_stream(connection, headers=[("grpc-timeout", "x")])))[0] == rpc.INVALID_ARGUMENT
        with Connection(stack.gateway_svc.http2, reads=False) as connection:  # which opens its windows no further
            stream = open_stream(connection)
            for _ in range(100):
                connection.body(stream, question(list_services="x" * 8000), ended=False)
            wait_for("the stream has ended", lambda: open_streams(stack) == 0)
        wait_for("nothing is open", lambda: open_streams(stack) == 0)


# ---- Watch

@once
def test_grpc_watch_tells_the_status_at_once_and_each_change(driver):
    with Stack(driver, gateway=True, without=("history",)) as stack, client_of(stack.front.http) as client:
        watches = [Watch(client, service) for service in ("", "screening.v1.BookingService", "screening.v1.HistoryService")]
        unknown = Watch(client, "none")
        assert [watch.next() for watch in watches] == [SERVING] * 3 and unknown.next() == SERVICE_UNKNOWN
        for _ in range(2):
            stack.booking_svc.stop()
            for watch in watches:
                watch.until(NOT_SERVING)
            stack.booking_svc.start()
            for watch in watches:
                watch.until(SERVING)
        assert unknown.call.is_active()
        wait_for("four are open", lambda: open_streams(stack) == 4)
        for watch in (*watches, unknown):
            watch.cancel()
        wait_for("nothing is open", lambda: open_streams(stack) == 0)


@once
def test_grpc_watch_refuses_what_is_not_one_message(driver):
    with Stack(driver, gateway=True, without=("hospital", "booking", "history")) as stack, Connection(stack.front.http) as connection:
        good = framed(health_pb2.HealthCheckRequest())
        for body, code in ((b"", rpc.UNIMPLEMENTED), (good * 2, rpc.UNIMPLEMENTED), (framed(b"", 1), rpc.UNIMPLEMENTED),
                           (framed(b"\x0a\x01\xff"), rpc.INVALID_ARGUMENT), (framed(b" " * (MESSAGE_MAX + 1)), rpc.RESOURCE_EXHAUSTED)):
            assert code_of(connection.ask("POST", WATCH, body, GRPC))[0] == code, body[:20]
        stream = connection.request("POST", WATCH, good, [*GRPC, ("grpc-timeout", "500m")])  # this client does not watch the deadline
        exchange = connection.wait(stream)
        assert code_of(exchange) == (rpc.DEADLINE_EXCEEDED, "the deadline has passed"), exchange.trailers
        assert exchange.body == framed(health_pb2.HealthCheckResponse(status=NOT_SERVING))


# ---- limits and ends

@once
def test_grpc_streams_of_one_client_and_of_all_are_bounded(driver):
    with Stack(driver, gateway=True, without=("hospital", "booking", "history"), flags={"gateway": {"http-threads": 4}}) as stack, \
            contextlib.ExitStack() as exits:
        body, begun = framed(health_pb2.HealthCheckRequest()), []

        def begin(connection, client):
            stream = connection.request("POST", WATCH, body, [*GRPC, ("x-forwarded-for", client)])
            exchange = connection.exchanges[stream]
            connection.until(lambda: exchange.body or exchange.ended, "the first message")
            return stream, code_of(exchange)[0] if exchange.ended else None
        taken = 0
        for client, most in (("192.0.2.1", STREAMS_MAX // 2), ("192.0.2.2", STREAMS_MAX // 4), ("192.0.2.3", STREAMS_MAX // 8)):
            connection, other = (exits.enter_context(Connection(stack.gateway_svc.http2)) for _ in range(2))
            for i in range(most):
                stream, ended = begin(connection, client)
                assert ended is None, (client, i)
                begun.append((connection, stream))
            taken += most
            assert open_streams(stack) == taken
            assert begin(other, client)[1] == rpc.RESOURCE_EXHAUSTED
            assert code_of(other.wait(open_stream(other, headers=[("x-forwarded-for", client)])))[0] == rpc.RESOURCE_EXHAUSTED
        connection, stream = begun[-1]
        connection.state.reset_stream(stream)
        connection.flush()
        wait_for("one has ended", lambda: open_streams(stack) == taken - 1)
        assert begin(connection, "192.0.2.3")[1] is None
        with client_of(stack.front.http) as client:  # another client, whose address the door gives
            watch = Watch(client)
            assert watch.next() == NOT_SERVING
            watch.cancel()


@once
def test_grpc_streams_end_when_the_gateway_stops(driver):
    with Stack(driver, gateway=True, without=("history",), flags={"gateway": {"http-threads": 4}}) as stack, client_of(stack.front.http) as client:
        watch, reflection = Watch(client), Reflection(client)
        assert watch.next() == SERVING and reflection.ask(list_services="").HasField("list_services_response")
        stack.gateway_svc.stop()
        for stream in (watch, reflection):
            assert stream.end() == (rpc.UNAVAILABLE, "the gateway is stopping")
        assert "service.drain_incomplete" not in {line.get("event") for line in stack.gateway_svc.log_lines()}


@once
def test_grpc_streams_that_the_client_keeps_half_open_end_too(driver):
    """The gateway ends a stream, but its client never ends its body: after a second the stream is reset, and a stop does not wait for it."""
    with Stack(driver, gateway=True, without=("history",), flags={"gateway": {"request-timeout-ms": 600000, "drain-grace-ms": 600000}}) as stack:
        with Connection(stack.gateway_svc.http2) as connection:
            stream = open_stream(connection)
            refused = connection.exchanges[stream]
            connection.body(stream, question(list_services="") + b"\1\0\0\0\0", ended=False)
            connection.until(lambda: refused.trailers and refused.reset is not None, "the trailers, then the reset")
            assert code_of(refused)[0] == rpc.UNIMPLEMENTED and open_streams(stack) == 0
            stream = open_stream(connection)
            exchange = connection.exchanges[stream]
            connection.body(stream, question(list_services=""), ended=False)
            connection.until(lambda: exchange.body, "the answer")
            stack.gateway_svc.stop()
            connection.until(lambda: exchange.trailers, "the trailers")
            assert code_of(exchange) == (rpc.UNAVAILABLE, "the gateway is stopping")
        assert "service.drain_incomplete" not in {line.get("event") for line in stack.gateway_svc.log_lines()}


@once
def test_grpc_streams_are_held_open_through_the_front_door(driver):
    with Stack(driver, gateway=True, tls=True, without=("history",)) as stack:
        port = stack.front.tls.rpartition(":")[2]
        certificate = stack.front.run_folder + "/certificate.pem"
        with client_of(stack.front.http) as clear, client_of("localhost:" + port, certificate=certificate) as secure:
            streams = [(Watch(client), Reflection(client)) for client in (clear, secure)]
            for watch, reflection in streams:
                assert watch.next() == SERVING
                assert reflection.ask(list_services="").HasField("list_services_response")
            time.sleep(HOLD_S)  # the test is that nothing ends in this time
            for _, reflection in streams:
                assert reflection.ask(file_by_filename="screening/v1/types.proto").HasField("file_descriptor_response")
            stack.booking_svc.stop()
            for watch, reflection in streams:
                watch.until(NOT_SERVING)
                reflection.half_close()
                assert reflection.end() == (rpc.OK, "")
                watch.cancel()
        wait_for("nothing is open", lambda: open_streams(stack) == 0)


@once
def test_grpc_streams_that_are_silent(driver):
    """The gateway repeats a status every 15 s, and the door ends streams that are silent for 17 s. In the long form, the gateway itself ends
    a reflection stream after a minute without a message."""
    with Stack(driver, gateway=True, without=("history",), front={"answer_timeout": "17s"}) as stack, client_of(stack.front.http) as client, \
            client_of(stack.gateway_svc.http2[3:]) as direct:
        watch, reflection = Watch(client), Reflection(direct)
        assert reflection.ask(list_services="").HasField("list_services_response")
        begun = time.monotonic()
        assert [watch.next() for _ in range(2)] == [SERVING] * 2 and time.monotonic() - begun > 14
        while time.monotonic() - begun < HOLD_S:
            assert watch.next() == SERVING
        if HOLD_S > 15:
            assert reflection.end() == (rpc.UNAVAILABLE, "no message for a minute: open another stream")
        reflection.cancel()
        watch.cancel()
