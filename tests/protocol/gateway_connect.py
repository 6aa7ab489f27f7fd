"""Tests the Connect protocol of gateway-svc with requests that the official client never sends. tests/connect/run has the
others."""
import base64
import json
import time
import urllib.parse

from google.protobuf import json_format

from kit import rpc
from kit.marks import once
from kit.rpc import FakeService, booking_pb2, envelope_pb2, types_pb2
from kit.stack import PATIENT_MS, Stack, wait_for
from kit.world import CONFIRMED, book, booking_request, register

JSON, PROTO = "application/json", "application/proto"
CREATE, GET, LIST = ("/screening.v1.BookingService/" + name for name in ("CreateBooking", "GetBooking", "ListBookings"))
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def call(stack, path, body=b"{}", media_type=JSON, **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return stack.gateway.post(path, body if isinstance(body, bytes) else json.dumps(body).encode(),
                              headers={"Content-Type": media_type, **named})


def check_error(answer, http_code, code, said=""):
    """Checks an error of the Connect protocol, which must contain no other fields than those of the protocol. Returns the error."""
    assert answer.code == http_code and answer.headers["Content-Type"] == JSON, answer
    assert answer.json["code"] == code and said in answer.json["message"], answer
    assert set(answer.json) <= {"code", "message", "details"} and answer.body.endswith(b"}\n"), answer
    return answer.json


def check_bare(answer, http_code, header, value):
    """Checks a refusal on the level of HTTP, whose body must not look like a message."""
    assert answer.code == http_code and answer.headers[header] == value, (answer, answer.headers)
    assert answer.body == b"" and "Content-Type" not in answer.headers, answer


def play_booking(stack, handler):
    """Plays a booking-svc to which the gateway is already connected, so that connecting takes no part of a budget."""
    fake = FakeService(stack.address("booking.rpc"), handler)
    wait_for("the gateway connects", fake.listener.connections)
    return fake


def camel(name):
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def in_json(fields):
    return {camel(name): value for name, value in fields.items()}


@once
def test_connect_speaks_json_and_binary(driver):
    with Stack(driver, gateway=True) as stack:
        request = booking_request(register(stack))
        for media_type in (JSON, "Application/JSON;charset=UTF-8", 'application/json ; charset="utf-8"'):
            answer = call(stack, CREATE, in_json(request), media_type)
            assert answer.code == 200 and answer.headers["Content-Type"] == JSON, answer
            assert answer.json["status"] == "CONFIRMED" and answer.json["version"] == "2", answer
            assert "statusReason" not in answer.json, answer  # canonical JSON omits defaults
            assert answer.body.endswith(b"}\n"), answer
        # The request names a field as the .proto file does, and contains an unknown field.
        asked = call(stack, GET, {"booking_id": request["booking_id"], "colour": {"of": ["the", 1]}})
        assert asked.json == answer.json, asked
        packed = booking_pb2.GetBookingRequest(booking_id=request["booking_id"]).SerializeToString()
        for more in (b"", b"\xfa\x06\x05other"):  # field 111
            binary = call(stack, GET, packed + more, PROTO)
            assert binary.code == 200 and binary.headers["Content-Type"] == PROTO, binary
            message = rpc.message_class(rpc.METHODS["GetBooking"][1].output_type).FromString(binary.body)
            assert message.status == CONFIRMED and message.booking_id == request["booking_id"], message
            assert json_format.MessageToDict(message) == answer.json, message


@once
def test_connect_makes_the_id_that_a_creation_lacks(driver):
    with Stack(driver, without=("history",), gateway=True) as stack:
        request = booking_request(register(stack), booking_id="")
        made = [call(stack, CREATE, in_json(request)).json["bookingId"] for _ in range(2)]
        assert made[0] != made[1] and all(stack.booking.GetBooking(booking_id=each).code == rpc.OK for each in made), made


@once
def test_connect_refuses_other_methods_and_types_of_http(driver):
    with Stack(driver, without=("hospital", "booking", "history"), gateway=True) as stack:
        for method in ("GET", "PUT", "DELETE", "PATCH", "OPTIONS"):
            check_bare(stack.gateway.request(method, CREATE + "?encoding=json&message=%7B%7D"), 405, "Allow", "POST")
        check_bare(stack.gateway.request("PUT", GET, {}), 405, "Allow", "GET, POST")
        for media_type in ("text/plain", "application/jsonx", "application/json; charset=latin1", "application/json; q=1",
                           "application/proto; v=1", "application/connect+json", ""):
            check_bare(call(stack, CREATE, b"{}", media_type), 415, "Accept-Post", "application/json, application/proto")
        check_bare(stack.gateway.post(CREATE, b"{}"), 415, "Accept-Post", "application/json, application/proto")
        for encoding in ("?message=%7B%7D", "?encoding=xml&message=%7B%7D", "?encoding&message=%7B%7D"):
            check_bare(stack.gateway.get(GET + encoding), 415, "Accept-Post", "application/json, application/proto")


@once
def test_connect_knows_no_internal_and_no_other_method(driver):
    with Stack(driver, without=("history",), gateway=True) as stack:
        for path in ("HospitalService/Reserve", "HospitalService/BatchReserve", "EventLogService/Fetch",
                     "HospitalService/ListReservations", "BookingService/LookUpBookings", "BookingService/AbandonBooking",
                     "BookingService/Nothing", "BookingService/CreateBooking/", "BookingService/createBooking",
                     "BookingService/", "BookingService", "Booking/GetBooking", "HistoryService/CreateBooking", ""):
            for answer in (call(stack, "/screening.v1." + path), call(stack, "/screening.v1." + path, b"", PROTO),
                           stack.gateway.get("/screening.v1.%s?encoding=json&message=%%7B%%7D" % path)):
                check_error(answer, 501, "unimplemented")


@once
def test_connect_checks_version_timeout_and_compression(driver):
    with Stack(driver, without=("history",), gateway=True) as stack:
        booking = book(stack, register(stack))
        known = {"bookingId": booking.booking_id}
        for headers in ({"Connect_Protocol_Version": "1"}, {"Connect_Timeout_Ms": "5000"}, {"Content_Encoding": "identity"},
                        {"Connect_Timeout_Ms": "0000005000"}, {"Connect_Timeout_Ms": "9999999999"},
                        {"Accept_Encoding": "gzip, br"}):
            answer = call(stack, GET, known, **headers)
            assert answer.code == 200 and "Content-Encoding" not in answer.headers, (headers, answer)
        for version in ("2", "v1", "", "1.0"):
            check_error(call(stack, GET, known, Connect_Protocol_Version=version), 400, "invalid_argument",
                        "Connect-Protocol-Version: must be 1")
        for timeout in ("0", "", "-1", "+1", "1.5", "1e3", "5s", "0x10", "00000005000", "99999999999", "1,2", "1 2"):
            check_error(call(stack, GET, known, Connect_Timeout_Ms=timeout), 400, "invalid_argument", "Connect-Timeout-Ms:")
        for compression in ("gzip", "br", "zstd", "identity, gzip"):
            answer = call(stack, GET, known, Content_Encoding=compression)
            check_error(answer, 501, "unimplemented", "identity")
            assert answer.headers["Accept-Encoding"] == "identity", answer.headers


def get(stack, path, **query):
    return stack.gateway.get(path + "?" + urllib.parse.urlencode(query))


@once
def test_connect_get_reads_its_query(driver):
    with Stack(driver, without=("history",), gateway=True) as stack:
        booking = book(stack, register(stack))
        known = json.dumps({"bookingId": booking.booking_id}).encode()
        packed = booking_pb2.GetBookingRequest(booking_id=booking.booking_id).SerializeToString()
        asked = call(stack, GET, known)
        padded = base64.urlsafe_b64encode(packed).decode()
        assert padded.endswith("=")
        for query in ({"connect": "v1", "encoding": "json", "message": known},
                      {"message": known, "utm": "x", "encoding": "json"},
                      {"encoding": "json", "base64": "1", "message": base64.urlsafe_b64encode(known)},
                      {"encoding": "json", "base64": "yes", "compression": "identity", "message": known}):
            answer = get(stack, GET, **query)
            assert answer.code == 200 and answer.body == asked.body, (query, answer)
        for message in (padded, padded.rstrip("=")):
            answer = get(stack, GET, encoding="proto", base64="1", message=message)
            assert answer.code == 200 and answer.body == call(stack, GET, packed, PROTO).body, answer
        assert stack.gateway.request("HEAD", GET + "?encoding=json&message=" + urllib.parse.quote(known)).code == 200
        nothing = get(stack, LIST, encoding="proto", message="")
        check_error(nothing, 400, "invalid_argument", "customer_id")  # the empty message lacks this field
        for query, said in (({"connect": "v2", "message": "{}"}, "connect: must be v1"),
                            ({}, "message: must be given"),
                            ({"message": ""}, "JSON"),
                            ({"base64": "1", "message": "!"}, "message: must be base64"),
                            ({"encoding": "proto", "message": packed}, "base64=1")):
            check_error(get(stack, GET, **{"encoding": "json", **query}), 400, "invalid_argument", said)
        answer = get(stack, GET, encoding="json", base64="1", compression="gzip", message="e30")
        check_error(answer, 501, "unimplemented", "identity")


@once
def test_connect_names_what_is_wrong_with_a_message(driver):
    with Stack(driver, without=("history",), gateway=True) as stack:
        for body, said in ((b"", "JSON"), (b"{", "JSON"), (b"[]", ""), (b"null", ""), (b'{"headcount": -1}', "headcount"),
                           (b'{"headcount": "many"}', "headcount"), (b'{"date": 1}', "date"), (b'{"date": "\xff"}', "JSON"),
                           (b'{"date": "a\\u0000"}', "date"), (b'{"date": "a", "date": "b"}', "JSON"),
                           (b'{"bookingId": "a", "booking_id": "b"}', "booking_id"), (b"{}{}", "JSON"),
                           (b'{"bookingId": "' + b"x" * 100 + b'"}', "booking_id")):
            check_error(call(stack, CREATE, body), 400, "invalid_argument", said)
        for body, said in ((b"\x0a", "CreateBookingRequest"), (b"\x0a\x05ab", "CreateBookingRequest"),
                           (b"\xff" * 20, "CreateBookingRequest"), (b"\x2a\x02a\x00", "date: "), (b"\x2a\x01\xff", "date: "),
                           (b"\x35\x01\x00\x00\x00", "")):
            check_error(call(stack, CREATE, body, PROTO), 400, "invalid_argument", said)
        assert stack.value("booking", "SELECT COUNT(*) FROM booking") == 0
        check_error(call(stack, LIST, {"customerId": "c", "status": "LOST"}), 400, "invalid_argument", "status")


@once
def test_connect_hands_on_budget_trace_and_authorization(driver):
    flags = {"gateway": {"default-timeout-ms": 7000, "timeout-max-ms": 20000}}
    with Stack(driver, without=("hospital", "booking", "history"), flags=flags, gateway=True) as stack:
        fake = play_booking(stack, lambda name, request: types_pb2.Booking())
        stack.gateway.token = None
        for headers, budget_ms, metadata in (
                ({}, 7000, {}),
                ({"Connect_Timeout_Ms": "5000", "Authorization": "Bearer x y"}, 5000, {"authorization": "Bearer x y"}),
                ({"Connect_Timeout_Ms": "9999999999", "Traceparent": TRACE}, 20000, {"traceparent": TRACE}),
                ({"Traceparent": TRACE.upper(), "X_Other": "1"}, 7000, {})):
            answer = call(stack, GET, {"bookingId": "b"}, **headers)
            assert answer.code == 200 and answer.json == {}, answer
            seen = fake.calls[-1]
            assert seen.timeout_ms == budget_ms, (headers, seen)
            assert {entry.key: entry.value for entry in seen.metadata} == {**metadata, "client-address": "127.0.0.1"}, (headers, seen)
        fake.close()


@once
def test_connect_answers_every_code_as_the_protocol_prescribes(driver):
    """The HTTP codes and the names of codes are those in the table of the Connect specification. Answers contain nothing that
    services report to their operators only."""
    table = {1: (499, "canceled"), 3: (400, "invalid_argument"), 4: (504, "deadline_exceeded"), 5: (404, "not_found"),
             6: (409, "already_exists"), 7: (403, "permission_denied"), 8: (429, "resource_exhausted"),
             9: (400, "failed_precondition"), 10: (409, "aborted"), 11: (400, "out_of_range"), 12: (501, "unimplemented"),
             13: (500, "internal"), 14: (503, "unavailable"), 15: (500, "data_loss"), 16: (401, "unauthenticated")}
    kept = {4, 13, 14, 15}
    said = "database: insert into tcp://10.0.0.7"
    flags = {"gateway": {"default-timeout-ms": PATIENT_MS}}
    with Stack(driver, without=("hospital", "booking", "history"), flags=flags, gateway=True) as stack:
        answers = {}
        fake = play_booking(stack, lambda name, request: answers[request.booking_id])
        for code, (http_code, word) in table.items():
            # The last of several attempts could come too late for its own answer, so there is only one.
            retry_after_ms = 2 * PATIENT_MS if code == rpc.UNAVAILABLE else 0
            answers[str(code)] = envelope_pb2.Response(code=code, message=said, reason="A_WORD", retry_after_ms=retry_after_ms)
            error = check_error(call(stack, GET, {"bookingId": str(code)}), http_code, word)
            assert (error["message"] == said) == (code not in kept) and ("tcp" in error["message"]) == (code not in kept), error
            assert len(error["details"]) == (2 if retry_after_ms else 1), error
            detail = error["details"][0]
            assert detail["debug"] == {"reason": "A_WORD", "domain": "screening.v1"}, detail
        answers["none"] = None
        begun = time.monotonic()
        error = check_error(call(stack, GET, {"bookingId": "none"}, Connect_Timeout_Ms="200"), 504, "deadline_exceeded")
        assert 0.2 <= time.monotonic() - begun < 30 and "ipc" not in error["message"], error
        fake.close()


@once
def test_connect_reveals_no_addresses_when_a_service_is_down(driver):
    with Stack(driver, without=("history",), gateway=True) as stack:
        answer = call(stack, "/screening.v1.HistoryService/GetProjectionStatus")
        error = check_error(answer, 503, "unavailable", "not available")
        assert stack.folder not in str(error) and "ipc" not in str(error), error


@once
def test_connect_refuses_a_body_that_is_too_large_and_keeps_the_connection(driver):
    """The gateway refuses a body that is too large before its end. It reads and drops the rest, so that no client loses the answer."""
    max_bytes = 8192  # limit of this method
    with Stack(driver, without=("history",), gateway=True) as stack:
        known = json.dumps({"bookingId": book(stack, register(stack)).booking_id})
        assert call(stack, GET, known.ljust(max_bytes).encode()).code == 200
        for size in (max_bytes + 1, 15 * 256 * 1024):
            check_error(call(stack, GET, known.ljust(size).encode()), 429, "resource_exhausted", "too large")
        assert call(stack, GET, known.encode()).code == 200


@once
def test_connect_answers_heads_of_any_length(driver):
    """The gateway answers every head that the door lets through. The door refuses heads of more than 15 KiB."""
    with Stack(driver, without=("hospital", "booking", "history"), gateway=True) as stack:
        refused = []
        for length in range(14000, 18000, 100):
            answer = stack.gateway.get(GET + "?encoding=json&message=" + "x" * length)
            refused.append(answer.headers["Content-Type"] == "text/html")
            if refused[-1]:
                assert answer.code == 400, answer
            else:
                check_error(answer, 400, "invalid_argument")
        assert 5 < refused.index(True) < 20 and refused == sorted(refused), refused
