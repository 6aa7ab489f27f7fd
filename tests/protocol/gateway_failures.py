"""Tests REST when a service behind the gateway fails: the form of each failure, budgets, and queued bookings. Also tests pages of
other origins."""
from kit import rpc
from kit.marks import once
from kit.rest import RestStack, booking_of, check_problem, id_of
from kit.rpc import FakeService, booking_pb2, envelope_pb2, types_pb2
from kit.stack import Stack, wait_for
from kit.world import CONFIRMED, history_shows

UNAUTHENTICATED, PERMISSION_DENIED, ABORTED = 16, 7, 10
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class FakeBookings(FakeService):
    """Plays booking-svc, and answers as the test specifies."""

    def __init__(self, stack):
        self.answer = booking_pb2.ListBookingsResponse()
        super().__init__(stack.services["booking"].for_services, lambda name, request: self.answer)


class BookingsPlayed(RestStack):
    """A gateway that calls a FakeBookings."""

    def __enter__(self):
        self.fake = FakeBookings(self)
        super().__enter__()
        # Otherwise the first call would wait for the connection.
        wait_for("the gateway reaches the fake", lambda: self.rest.get("/bookings?customerId=c").code == 200)
        return self

    def close(self, failed=False):
        super().close(failed)
        self.fake.close()


def played(driver, default_timeout_ms=2000):
    return BookingsPlayed(driver, without=("hospital", "booking", "history"),
                          flags={"gateway": {"default-timeout-ms": default_timeout_ms}})


def answer_in_time(ask):
    """Repeats ask() until the answer is not 504: on a busy machine, the last attempt of the gateway may come too late."""
    def asked():
        answer = ask()
        return answer if answer.code != 504 else None
    return wait_for("an answer in time", asked)


@once
def test_rest_every_status_has_its_code(driver):
    secret = "tcp://10.1.2.3:7201: relation \"booking\" does not exist"
    with played(driver) as stack:
        for code, reason, retry_after_ms, http, shown, retry in (
                (rpc.INVALID_ARGUMENT, "", 0, 422, "INVALID_ARGUMENT", None),
                (rpc.DEADLINE_EXCEEDED, "", 0, 504, "DEADLINE_EXCEEDED", None),
                (rpc.NOT_FOUND, "", 0, 404, "NOT_FOUND", None),
                (rpc.ALREADY_EXISTS, "", 0, 409, "ALREADY_EXISTS", None),
                (PERMISSION_DENIED, "", 0, 403, "PERMISSION_DENIED", None),
                (rpc.RESOURCE_EXHAUSTED, "OVERLOADED", 1200, 429, "OVERLOADED", "2"),
                (rpc.RESOURCE_EXHAUSTED, "", 0, 429, "RESOURCE_EXHAUSTED", None),
                (rpc.FAILED_PRECONDITION, "BOOKING_FINAL", 0, 409, "BOOKING_FINAL", None),
                (rpc.FAILED_PRECONDITION, "HOSPITAL_UNAVAILABLE", 4100, 503, "HOSPITAL_UNAVAILABLE", "5"),
                (ABORTED, "", 0, 409, "ABORTED", None),
                (rpc.UNIMPLEMENTED, "", 0, 501, "UNIMPLEMENTED", None),
                (rpc.INTERNAL, "", 0, 500, "INTERNAL", None),
                (rpc.UNAVAILABLE, "", 0, 503, "UNAVAILABLE", "1"),
                (rpc.DATA_LOSS, "LOG_DIVERGED", 0, 500, "LOG_DIVERGED", None),
                (UNAUTHENTICATED, "", 0, 401, "UNAUTHENTICATED", None)):
            hidden = code in (rpc.INTERNAL, rpc.DATA_LOSS, rpc.UNAVAILABLE, rpc.DEADLINE_EXCEEDED)
            stack.fake.answer = envelope_pb2.Response(code=code, reason=reason, retry_after_ms=retry_after_ms,
                                                      message=secret if hidden else "field: rule")
            def cancel():
                return stack.rest.delete("/bookings/" + rpc.new_id())
            answer = cancel() if http == 504 else answer_in_time(cancel)
            check_problem(answer, http, shown)
            assert answer.headers["Retry-After"] == retry, (code, answer.headers)
            assert answer.json.get("retry_after_ms", 0) == retry_after_ms, answer
            if hidden:
                assert "tcp" not in answer.json["detail"] and "booking\"" not in answer.json["detail"], answer
            else:
                assert answer.json["detail"] == "field: rule", answer


@once
def test_rest_an_invalid_answer_is_a_fault(driver):
    with played(driver) as stack:
        stack.fake.answer = envelope_pb2.Response(payload=b"\xff\xff\xff")
        check_problem(stack.rest.get("/bookings/" + rpc.new_id()), 500, "INTERNAL")
        # A time after the year 9999 cannot be written as JSON.
        stack.fake.answer = types_pb2.Booking(booking_id=rpc.new_id(), created_at={"seconds": 2 ** 60})
        check_problem(stack.rest.get("/bookings/" + rpc.new_id()), 500, "INTERNAL")


@once
def test_rest_passes_budget_trace_and_authorization_on(driver):
    with played(driver, default_timeout_ms=20000) as stack:
        stack.fake.answer = envelope_pb2.Response(code=rpc.NOT_FOUND)
        place, stack.rest.token = "/bookings/" + rpc.new_id(), None

        def sent(**headers):
            stack.rest.get(place, headers={name.replace("_", "-"): value for name, value in headers.items()})
            envelope = stack.fake.calls[-1]
            return envelope.timeout_ms, {one.key: one.value for one in envelope.metadata}
        timeout_ms, metadata = sent(Request_Timeout_Ms="10000", traceparent=TRACE, Authorization="Bearer abc")
        assert 0 < timeout_ms <= 10000
        assert metadata == {"client-address": "127.0.0.1", "traceparent": TRACE, "authorization": "Bearer abc"}
        timeout_ms, metadata = sent(traceparent=TRACE.upper())
        assert 10000 < timeout_ms <= 20000 and metadata == {"client-address": "127.0.0.1"}
        assert 20000 < sent(Request_Timeout_Ms="60000")[0] <= 60000
        before = len(stack.fake.calls)
        for bad in ("0", "-1", "", "1.5", "1s", "60001", "99999999999999999999", " "):
            answer = stack.rest.get(place, headers={"Request-Timeout-Ms": bad})
            check_problem(answer, 400, detail="Request-Timeout-Ms: must be an integer from 1 to 60000")
        assert len(stack.fake.calls) == before


@once
def test_rest_answers_when_the_budget_ends(driver):
    with played(driver) as stack:
        stack.fake.answer = None
        check_problem(stack.rest.get("/bookings/" + rpc.new_id(), headers={"Request-Timeout-Ms": "100"}), 504,
                      "DEADLINE_EXCEEDED")


@once
def test_rest_creation_has_one_id_however_often_it_is_sent(driver):
    with played(driver) as stack:
        stack.fake.answer = envelope_pb2.Response(code=rpc.UNAVAILABLE)
        answer = stack.rest.post("/bookings", booking_of("/hospitals/" + rpc.new_id()))
        assert answer.code in (503, 504), answer
        ids = [request.booking_id for name, request in stack.fake.seen if name == "CreateBooking"]
        assert len(set(ids)) == 1 and len(ids[0]) == 36, ids


@once
def test_rest_waiting_booking_is_accepted(driver):
    with RestStack(driver, without=("history",)) as stack:
        path = stack.hospital_path()
        stack.hospital_svc.kill()
        key = {"Idempotency-Key": rpc.new_id(), "Request-Timeout-Ms": "1000"}
        body = booking_of(path, queueIfUnavailable=True)

        def accepted():
            answer = stack.rest.post("/bookings", body, headers=key)
            assert answer.code in (202, 504), answer  # the budget may end before the answer that the booking is queued
            return answer if answer.code == 202 else None
        waiting = wait_for("the booking waits", accepted)
        assert waiting.json["status"] == "REQUESTED"
        assert waiting.headers["Location"] == "bookings/" + key["Idempotency-Key"]
        stack.hospital_svc.start()
        wait_for("the booking is confirmed",
                 lambda: stack.rest.get(waiting.place).json["status"] == "CONFIRMED")
        again = stack.rest.post("/bookings", body, headers=key)
        assert again.code == 201 and again.json["status"] == "CONFIRMED", again


@once
def test_rest_hospital_that_does_not_answer_is_503(driver):
    with RestStack(driver, without=("history",), flags={"booking": {"reserve-timeout-ms": 200}}) as stack:
        path = stack.hospital_path()
        stack.hospital_svc.pause()
        answer = stack.rest.post("/bookings", booking_of(path), headers={"Request-Timeout-Ms": "20000"})
        stack.hospital_svc.resume()
        check_problem(answer, 503, "HOSPITAL_UNAVAILABLE")
        assert int(answer.headers["Retry-After"]) >= 1 and answer.json["retry_after_ms"] > 0
        assert "ipc:" not in answer.json["detail"], answer


@once
def test_rest_books_while_history_is_down(driver):
    with RestStack(driver) as stack:
        path = stack.hospital_path()
        stack.history_svc.kill()
        place = stack.rest.post("/bookings", booking_of(path)).place
        assert stack.rest.get(place).json["status"] == "CONFIRMED"
        hurry = {"Request-Timeout-Ms": "300"}
        wait_for("the gateway has lost it",
                 lambda: stack.rest.get("/bookingHistories?customerId=c-1", headers=hurry).code == 503)
        for target in ("/bookingHistories/" + id_of(place), "/bookingHistories?customerId=c-1"):
            answer = stack.rest.get(target, headers=hurry)
            check_problem(answer, 503, "UNAVAILABLE")
            assert answer.headers["Retry-After"] == "1" and "ipc:" not in answer.json["detail"]
        assert stack.rest.delete(place).json["status"] == "CANCELLED"
        other = stack.rest.post("/bookings", booking_of(path)).place
        stack.history_svc.start()
        wait_for("history-svc catches up", lambda: history_shows(stack, id_of(other), CONFIRMED))

        def statuses():
            answer = stack.rest.get("/bookingHistories/" + id_of(place))
            return answer.code == 200 and [e["status"] for e in answer.json["entries"]]
        assert wait_for("the gateway reaches it again", statuses) == ["CONFIRMED", "CANCELLED"]


# ---- pages of another origin

ORIGIN = "https://clinic.example"
CONNECT = "/screening.v1.BookingService/GetBooking"


def cors_of(answer):
    return {name.title(): value for name, value in answer.headers.items() if name.lower().startswith("access-control-")}


@once
def test_cors_is_off_unless_an_origin_is_set(driver):
    with RestStack(driver, without=("hospital", "booking", "history")) as stack:
        ask = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}
        for path in ("/bookings", CONNECT):
            answer = stack.gateway.request("OPTIONS", path, headers=ask)
            assert answer.code == 405 and cors_of(answer) == {}, answer
        answer = stack.gateway.get("/openapi.json", headers={"Origin": ORIGIN})
        assert cors_of(answer) == {} and answer.headers["Vary"] is None


@once
def test_cors_origin_that_no_page_has_is_refused_at_start(driver):
    with Stack(driver, without=("hospital", "booking", "history"), gateway=True) as stack:
        for origin in ("*", "null", "clinic.example", "https://", "https://clinic.example/", "https://clinic.example/x", "https://*.example",
                       "https://Clinic.example", "HTTPS://clinic.example", "https://clinic.example:", "https://clinic.example:443",
                       "http://clinic.example:80", "https://a.example,https://b.example", "https://a.example https://b.example",
                       "ftp://clinic.example", "https://user@clinic.example", "https://[::1", "https://clinic.example:x"):
            refused = stack.gateway_svc.run_once(cors_origin=origin)
            assert refused.returncode == 2 and "cors-origin: must be one origin" in refused.stderr, (origin, refused)


@once
def test_cors_lets_exactly_one_origin_in(driver):
    with RestStack(driver, without=("hospital", "booking", "history"), flags={"gateway": {"cors-origin": ORIGIN}}) as stack:
        gateway = stack.gateway
        for path in ("/bookings", CONNECT, "/events"):
            ask = {"Origin": ORIGIN, "Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "if-match"}
            answer = gateway.request("OPTIONS", path, headers=ask)
            assert answer.code == 204 and answer.body == b"", answer
            allowed = cors_of(answer)
            assert allowed["Access-Control-Allow-Origin"] == ORIGIN
            assert "PUT" in allowed["Access-Control-Allow-Methods"].split(", ")
            names = allowed["Access-Control-Allow-Headers"].lower().split(", ")
            assert {"content-type", "if-match", "idempotency-key", "connect-protocol-version", "last-event-id", "cache-control"} <= set(names)
            answer = gateway.request("OPTIONS", path, headers={**ask, "Origin": "https://evil.example"})
            assert answer.code != 204 and cors_of(answer) == {} and answer.headers["Vary"] == "Origin", answer
        for path, code in (("/openapi.json", 200), ("/nowhere", 404), ("/hospitals?x=1", 400)):
            answer = gateway.get(path, headers={"Origin": ORIGIN})
            assert answer.code == code and answer.headers["Access-Control-Allow-Origin"] == ORIGIN, answer
            exposed = answer.headers["Access-Control-Expose-Headers"].split(", ")
            assert {"ETag", "Link", "Location", "Retry-After"} <= set(exposed)
            for other in ("https://clinic.example.evil", "http://clinic.example", "null", ORIGIN + "/", ORIGIN.upper()):
                assert cors_of(gateway.get(path, headers={"Origin": other})) == {}, other
            assert cors_of(gateway.get(path)) == {}
        # The request is refused before the route is looked up.
        answer = gateway.post("/bookings", b"x" * 300000, headers={"Origin": ORIGIN})
        assert answer.code == 413 and answer.headers["Access-Control-Allow-Origin"] == ORIGIN
