"""Checks that the number of elements of a message is bounded before it is unpacked: repeated and unknown fields, metadata, JSON
values."""
import itertools
import time

from kit import rpc, sp
from kit.flood import Flood, check_unharmed
from kit.marks import once
from kit.rpc import FakePublisher, FakeService, envelope_pb2, event_pb2
from kit.stack import Stack, wait_for
from kit.web import Client
from kit.world import CONFIRMED, book, booking_request, check_refused, day, register, wait_history

ELEMENTS_MAX, METADATA_MAX, ANSWER_MAX = 8192, 128, 131072
MESSAGE_BYTES = 1000000
UNKNOWN = b"\xf8\x3f\x01"  # field 1023 as a varint
RULE = "%s: the message has more than %d repeated or unknown elements"


def raw_call(client, method, payload):
    return client.raw(rpc.pack(rpc.METHODS[method][0], payload, timeout_ms=50000))


def check_bounded(client, method, element, name, first=0):
    """Checks that the documented number of elements reaches the handler, and that one more is refused. The first `first` elements
    do not count."""
    for count in (ELEMENTS_MAX + first + 1, MESSAGE_BYTES // len(element)):
        reply = raw_call(client, method, element * count)
        check_refused(reply, rpc.INVALID_ARGUMENT)
        assert reply.text == RULE % (name, ELEMENTS_MAX), (method, reply)
    reply = raw_call(client, method, element * (ELEMENTS_MAX + first))
    assert "elements" not in reply.text, (method, reply)


@once
def test_requests_of_too_many_elements_are_refused_by_name(driver):
    with Stack(driver) as stack:
        clients = {name: stack.client(name) for name in ("hospital", "booking", "history")}
        for service, method in (("hospital", "RegisterHospital"), ("hospital", "ListHospitals"), ("hospital", "Fetch"),
                                ("hospital", "BatchReserve"), ("booking", "CreateBooking"), ("booking", "CancelBooking"),
                                ("booking", "GetBooking"), ("booking", "Fetch"), ("booking", "Check"), ("booking", "Stats"),
                                ("history", "GetBookingHistory"), ("history", "ListCustomerHistory")):
            check_bounded(clients[service], method, UNKNOWN, "field 1023")
        check_bounded(clients["hospital"], "RegisterHospital", b"\x22\x00", "days", first=1)
        check_bounded(clients["hospital"], "BatchReserve", b"\x0a\x00", "requests", first=1)
        check_bounded(clients["booking"], "CreateBooking", b"\x0a\x00", "booking_id", first=1)  # a repeated singular field

        def batch(unknown_each):
            item = UNKNOWN * unknown_each
            return raw_call(clients["hospital"], "BatchReserve", (b"\x0a" + bytes([len(item)]) + item) * 1024)
        assert batch(8).text == RULE % ("requests.field 1023", ELEMENTS_MAX)
        assert batch(7).code == rpc.OK  # the largest batch, from a later version with seven additional fields


@once
def test_metadata_is_bounded(driver):
    with Stack(driver, without=("booking", "history")) as stack:
        client = rpc.Client(stack.hospital_svc.rpc, token=None)  # which would be one more entry

        def check_with(entries):
            return client.Check(metadata={"k%d" % i: "v" for i in range(entries)})
        assert check_with(METADATA_MAX + 1).code == rpc.OK
        for entries in (METADATA_MAX + 2, 50000):
            reply = check_with(entries)
            check_refused(reply, rpc.INVALID_ARGUMENT)
            assert reply.text == RULE % ("metadata", METADATA_MAX), reply
        client.close()


# ---- calls during an attack, compared with calls without the attack

RATIO = 20  # limit of the ratio of the p99 values
PER_S = 20  # enough to occupy both decoding threads if the messages are unpacked


class Paced(Flood):
    """Sends a fixed number of requests per second. The number is harmless, but the size of the requests is not."""

    def _run(self):
        requester = sp.Requester(self.address)
        for body in itertools.cycle(self.bodies):
            requester.request(body)
            self.answered.value += 1
            time.sleep(1 / PER_S)


@once
def test_large_requests_of_small_elements_harm_no_other_caller(driver):
    with Stack(driver, without=("history",)) as stack:
        hospital_id = register(stack, capacity=100000)
        bodies = [rpc.pack(rpc.METHODS[method][0], payload * (MESSAGE_BYTES // len(payload)), timeout_ms=50000)
                  for method, payload in (("CreateBooking", UNKNOWN), ("CreateBooking", b"\x0a\x00"), ("GetBooking", UNKNOWN))]
        client = stack.client("booking")

        def books():
            reply = client.CreateBooking(timeout_ms=5000, **booking_request(hospital_id))
            return reply.code == rpc.OK and reply.message.status == CONFIRMED
        check_unharmed(books, lambda: Paced(stack.booking_svc.rpc, bodies, 1), RATIO)


@once
def test_large_requests_of_small_elements_to_hospital_svc_harm_no_booking(driver):
    with Stack(driver, without=("history",)) as stack:
        hospital_id = register(stack, capacity=100000)
        bodies = [rpc.pack(rpc.METHODS[method][0], payload * (MESSAGE_BYTES // len(payload)), timeout_ms=50000)
                  for method, payload in (("RegisterHospital", b"\x22\x00"), ("BatchReserve", b"\x0a\x00"))]
        client = stack.client("booking")

        def books():
            reply = client.CreateBooking(timeout_ms=5000, **booking_request(hospital_id))
            return reply.code == rpc.OK and reply.message.status == CONFIRMED
        check_unharmed(books, lambda: Paced(stack.hospital_svc.rpc, bodies, 1), RATIO)


# ---- the gateway


@once
def test_gateway_bounds_the_values_of_a_body_before_it_reads_them(driver):
    with Stack(driver, without=("history",), gateway=True) as stack:
        register(stack)
        client = stack.client("gateway")
        for path, most in (("/hospitals", 4096), ("/screening.v1.HospitalService/RegisterHospital", 4096), ("/bookings", 128),
                           ("/screening.v1.BookingService/CreateBooking", 128)):
            bodies = [b"[" + b"[]," * most + b"[]]", b'{"days":[' + b"{}," * most + b"{}]}", b"{" + b'"a":0,' * most + b'"b":0}']
            for body in bodies:
                reply = client.post(path, body, headers={"Content-Type": "application/json"})
                assert reply.code == 400 and "JSON: more than %d values, line 1" % most in reply.body.decode(), (path, reply)
        reply = client.post("/screening.v1.HospitalService/RegisterHospital", b"\x22\x00" * 30000,
                            headers={"Content-Type": "application/proto"})
        assert reply.code == 400 and RULE % ("days", ELEMENTS_MAX) in reply.body.decode(), reply
        # Real requests have far fewer elements. This is the maximum number of days of a hospital.
        days = [{"date": day(offset), "capacity": 1} for offset in range(400)]
        reply = client.post("/hospitals", {"name": "n", "address": "a", "days": days})
        assert reply.code == 201 and len(reply.json["days"]) == 400, reply.code


# ---- messages between services


@once
def test_an_answer_of_too_many_elements_is_no_answer(driver):
    with Stack(driver, without=("hospital", "booking", "history"), gateway=True) as stack:
        elements = []
        fakes = [FakeService(stack.address(name + ".rpc"), lambda name, request: envelope_pb2.Response(
            payload=b"\x0a\x00" * elements[0]) if name == "ListBookings" else None) for name in ("hospital", "booking")]
        client = Client(stack.gateway_svc.http)
        wait_for("the gateway connects", fakes[1].listener.connections)
        for count, code in ((100, 200), (ANSWER_MAX + 2, 500)):
            elements[:] = [count]
            reply = client.get("/bookings?customerId=c")
            assert reply.code == code, (count, reply.code)
        client.close()
        for fake in fakes:
            fake.close()


@once
def test_events_of_too_many_elements_are_skipped(driver):
    """history-svc receives a batch that no publisher can have sent. It skips the batch and continues with the events in the log."""
    with Stack(driver, without=("history",)) as stack:
        fake = FakePublisher(stack.address("fake.events"), "booking")
        stack.history_svc.flags["booking-events"] = fake.listener.address
        stack.history_svc.start()
        wait_for("history-svc listens", fake.subscribers)
        hospital_id = register(stack)
        for _ in range(3):
            fake.publish(event_pb2.EventBatch.FromString(b""))
            for pipe in fake.listener.connections():
                pipe.send(b"booking\n" + b"\x22\x00" * 500000)
        wait_history(stack, book(stack, hospital_id).booking_id, CONFIRMED)
        fake.close()
