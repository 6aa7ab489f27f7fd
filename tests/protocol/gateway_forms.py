"""Tests the form of REST requests (repeated and empty values, encodings, numbers of an enum), the texts of refusals, and links that
work behind a proxy."""
import gzip
import json
import urllib.parse

from kit import raw_http, rpc, web
from kit.marks import once
from kit.rest import RestStack, booking_of, check_problem, id_of
from kit.stack import Stack
from kit.world import day

JSON = "application/json"


def ask(stack, method, path, fields, body=b""):
    """Sends a request. A header field may occur more than once in `fields`."""
    with raw_http.Connection(stack.gateway_svc.http) as connection:
        connection.send(raw_http.request(method, path, body, *("%s: %s" % field for field in fields)))
        reply = connection.reply()
        return reply.code, reply.body.decode()


@once
def test_forms_header_given_twice_must_say_the_same(driver):
    with RestStack(driver, without=("history",)) as stack:
        path = stack.hospital_path(capacity=5)
        body = json.dumps(booking_of(path)).encode()
        put, capacity = "%s/days/%s" % (path, day(1)), b'{"capacity": 6}'
        connect = "/screening.v1.BookingService/GetBooking"
        for method, target, fields, content in (
                ("POST", "/bookings", (("Idempotency-Key", "a"), ("Idempotency-Key", "b")), body),
                ("POST", "/bookings", (("Idempotency-Key", "a"), ("idempotency-key", "")), body),
                ("PUT", put, (("If-Match", "*"), ("If-Match", '"999"')), capacity),
                ("PUT", put, (("Request-Timeout-Ms", "1000"), ("Request-Timeout-Ms", "2000")), capacity),
                ("GET", path, (("Authorization", "Bearer a"), ("Authorization", "Bearer b")), b""),
                ("GET", "/events?customerId=c", (("Last-Event-ID", "booking:1,hospital:1"), ("Last-Event-ID", "")), b""),
                ("POST", "/bookings", (("Content-Type", JSON), ("Content-Type", "text/plain")), body),
                ("POST", connect, (("Connect-Timeout-Ms", "1000"), ("Connect-Timeout-Ms", "2000")), b"{}"),
                ("POST", connect, (("Content-Encoding", "identity"), ("Content-Encoding", "gzip")), b"{}")):
            given = fields if any(name == "Content-Type" for name, _ in fields) else fields + (("Content-Type", JSON),)
            code, text = ask(stack, method, target, given, content)
            assert code == 400, (fields, code, text)
            assert fields[0][0] + ": must not be given twice with other values" in text, text
        assert stack.value("booking", "SELECT COUNT(*) FROM booking") == 0
        assert stack.rest.get(path + "/availability").json["days"][0]["capacity"] == 5
        code, _ = ask(stack, "POST", "/bookings", (("Idempotency-Key", "a"), ("Idempotency-Key", "a"), ("Content-Type", JSON)), body)
        assert code == 201


@once
def test_forms_parameter_given_twice_must_say_the_same(driver):
    with RestStack(driver, without=("history",)) as stack:
        rest = stack.rest
        for query in ("customerId=a&customerId=b", "customerId=a&customer_id=b", "customerId=a&pageSize=0&pageSize=5",
                      "customerId=a&pageSize=5&page_size=0", "customerId=a&date=&date=2026-12-01", "customerId=a&status=4&status=CONFIRMED"):
            name = query.split("&")[-1].split("=")[0]
            camel = "".join(part if i == 0 else part.capitalize() for i, part in enumerate(name.split("_")))
            check_problem(rest.get("/bookings?" + query), 400, detail=camel + ": must not be given twice with other values")
        assert rest.get("/bookings?customerId=a&customerId=a&pageSize=5&page_size=5").code == 200
        connect, path = web.Client(stack.gateway_svc.http), "/screening.v1.BookingService/ListBookings?encoding=json&"
        message = urllib.parse.quote('{"customerId": "c-1"}')
        answer = connect.get("%smessage=%s&message=%%7B%%7D" % (path, message))
        assert answer.code == 400 and answer.json["message"].startswith("message: must not be given twice"), answer
        assert connect.get("%smessage=%s&connect=v1&message=%s&connect=v1" % (path, message, message)).code == 200
        connect.close()


@once
def test_forms_empty_parameters_are_ignored(driver):
    with RestStack(driver, without=("history",)) as stack:
        rest, path = stack.rest, stack.hospital_path()
        for query in ("?&customerId=c", "?customerId=c&&pageSize=5", "?customerId=c&", "?&&customerId=c&&", "?=&customerId=c"):
            assert rest.get("/bookings" + query).code == 200, query
        assert rest.get(path + "?&").code == 200 and rest.get(path + "?").code == 200
        assert rest.post("/bookings?&&", booking_of(path)).code == 201
        rest.post("/bookings", booking_of(path))
        link = rest.get("/bookings?&customerId=c-1&&pageSize=1&").headers["Link"]
        assert link.startswith("<?customerId=c-1&pageSize=1&pageToken="), link
        check_problem(rest.get("/bookings?customerId=c&=x"), 400, detail="is not a parameter here")
        connect = web.Client(stack.gateway_svc.http)
        message = urllib.parse.quote('{"customerId": "c-1"}')
        assert connect.get("/screening.v1.BookingService/ListBookings?&encoding=json&&message=" + message).code == 200
        assert connect.get("/events?&&from=x").json["detail"].startswith("hospitalId, customerId: one must be given")
        connect.close()


@once
def test_forms_enum_is_taken_by_name_and_number(driver):
    with RestStack(driver) as stack:
        rest, path = stack.rest, stack.hospital_path()
        place = rest.post("/bookings", booking_of(path)).place
        rest.delete(place)
        kept = rest.post("/bookings", booking_of(path)).place
        for status in ("CANCELLED", "4"):
            found = rest.get("/bookings", query={"customerId": "c-1", "status": status}).json["bookings"]
            assert [b["bookingId"] for b in found] == [id_of(place)], status
        for status in ("0", "BOOKING_STATUS_UNSPECIFIED"):
            found = rest.get("/bookings", query={"customerId": "c-1", "status": status}).json["bookings"]
            assert {b["bookingId"] for b in found} == {id_of(place), id_of(kept)}, status
        for target in ("/bookings?customerId=c-1", "/bookingHistories?customerId=c-1"):
            assert rest.get(target + "&status=2").code == 200
            for status in ("6", "-1", "2147483647"):
                check_problem(rest.get(target + "&status=" + status), 422, "INVALID_ARGUMENT", "status: ")
            for status in ("4294967300", "cancelled", "4x", "", "4.5", "04", "+4"):
                check_problem(rest.get("%s&status=%s" % (target, urllib.parse.quote(status))), 400, detail="status: ")
        connect = web.Client(stack.gateway_svc.http)
        for status in (4, "4", "CANCELLED"):
            answer = connect.post("/screening.v1.BookingService/ListBookings", {"customerId": "c-1", "status": status})
            assert [b["bookingId"] for b in answer.json["bookings"]] == [id_of(place)], answer
        answer = connect.post("/screening.v1.BookingService/ListBookings", {"customerId": "c-1", "status": 6})
        assert answer.code == 400 and answer.json["message"].startswith("status: "), answer
        connect.close()


@once
def test_forms_encoded_body_is_refused(driver):
    with RestStack(driver, without=("history",)) as stack:
        rest, path = stack.rest, stack.hospital_path()
        plain = json.dumps(booking_of(path)).encode()
        for coding, body in (("gzip", gzip.compress(plain)), ("gzip", plain), ("br", plain), ("identity, gzip", plain)):
            answer = rest.post("/bookings", body, headers={"Content-Type": JSON, "Content-Encoding": coding})
            check_problem(answer, 415, detail="Content-Encoding: ")
            assert answer.headers["Accept-Encoding"] == "identity", answer.headers
        for coding in ("identity", "Identity"):
            assert rest.post("/bookings", plain, headers={"Content-Type": JSON, "Content-Encoding": coding}).code == 201
        place = rest.post("/bookings", plain, headers={"Content-Type": JSON}).place
        answer = rest.post(place + "/cancel", b"{}", headers={"Content-Type": JSON, "Content-Encoding": "deflate"})
        check_problem(answer, 415, detail="Content-Encoding: ")


@once
def test_forms_refusals_have_the_words_of_rest(driver):
    with RestStack(driver) as stack:
        rest, path = stack.rest, stack.hospital_path()
        place = rest.post("/bookings", booking_of(path)).place
        for answer, detail in (
                (rest.post("/bookings", booking_of(path, phone="1")), "phone: is not a field of a booking"),
                (rest.post("/hospitals", {"name": "n", "phone": 1}), "phone: is not a field of a hospital"),
                (rest.post("/hospitals", {"name": "n", "days": [{"places": 1}]}), "days[0].places: is not a field of a screening day"),
                (rest.put("%s/days/%s" % (path, day(1)), {"places": 1}), "places: is not a field of a screening day"),
                (rest.post(place + "/cancel", {"why": 1}), "why: is not a field of a cancellation"),
                (rest.post("/bookings", {"customerId": "x"}), "customerName: must have 1 to 200 characters"),
                (rest.post("/bookings", {"customer_id": 5}), "customerId: must be a string"),
                (rest.get("/bookings?pageSize=1000&customerId=c"), "pageSize: "),
                (rest.get("/bookings?pageSize=x&customerId=c"), "pageSize: must be an integer"),
                (rest.get("/bookings"), "customerId: exactly one of customerId and hospitalId must be given"),
                (rest.get("/bookings?status=GONE"), "status: must be a name or number of BookingStatus"),
                (rest.get("/bookingHistories?customerId=c&fromDate=2026-12-02&toDate=2026-12-01"),
                 "toDate: must not be before fromDate"),
                (rest.get(path + "/availability?toDate=x"), "toDate: "),
                (rest.get("/hospitals/" + rpc.new_id()), "hospitalId: "),
                (rest.get("/bookings/x"), "bookingId: must be a UUID"),
                (rest.get("/bookings?customerId=c&pageToken=x"), "pageToken: "),
                (rest.request("PATCH", place), "this path takes GET, HEAD, DELETE"),
                (rest.request("PUT", "/hospitals"), "this path takes POST, GET, HEAD")):
            assert answer.code >= 400 and answer.json["detail"].startswith(detail), answer
            assert not {"customer_id", "hospital_id", "booking_id", "from_date"} & set(answer.json["detail"].split()), answer


@once
def test_forms_references_hold_behind_a_prefix(driver):
    with RestStack(driver, without=("history",)) as stack:
        rest, path = stack.rest, stack.hospital_path()
        outside = "https://clinic.example/api/v1"  # the URL under which a proxy serves the gateway
        made = rest.post("/bookings", booking_of(path))
        rest.post("/bookings", booking_of(path))
        location = urllib.parse.urljoin(outside + "/bookings", made.headers["Location"])
        assert location == "%s/bookings/%s" % (outside, made.json["bookingId"])
        for target in ("/bookings?customerId=c-1&pageSize=1", "/hospitals?pageSize=1"):
            stack.hospital_path()
            link = rest.get(target).headers["Link"].partition(">")[0][1:]
            following = urllib.parse.urljoin(outside + target, link)
            assert following.startswith(outside + target + "&pageToken="), following
            assert rest.get(following[len(outside):]).code == 200


@once
def test_forms_root_names_the_documents(driver):
    with RestStack(driver, without=("hospital", "booking", "history")) as stack:
        shown, head = stack.rest.get("/"), stack.rest.request("HEAD", "/")
        assert shown.code == head.code == 200 and head.body == b"" and head.headers["Link"] == shown.headers["Link"]
        assert '<openapi.json>; rel="service-desc"' in shown.headers["Link"]
        assert stack.rest.get("/?x=1").code == 200
        gateway = stack.gateway
        assert gateway.get("/" + shown.json["openapi"]).json["openapi"].startswith("3.1")
        for path in ("/" + shown.json["documentation"], "/docs/wire-protocol.md"):
            page = gateway.get(path)
            assert page.code == 200 and page.headers["Content-Type"] == "text/markdown; charset=utf-8", page.headers
            assert page.body.startswith(b"# ")
            assert gateway.post(path).code == 405
