"""Tests REST through the gateway: routes, ids, entity tags, pages, and requests refused for their form. Every answer is checked
against the OpenAPI document."""
import json
import urllib.parse
import uuid

from kit import rpc
from kit.marks import once
from kit.rest import RestStack, booking_of, check_problem, id_of
from kit.world import CANCELLED, CONFIRMED, day, wait_history

KEYS = uuid.UUID("06b838db-ec70-49bf-9b06-09ba93f03ad3")  # namespace of the ids made from keys that are not UUIDs


# ---- routes

def test_rest_books_and_cancels(driver):
    with RestStack(driver, without=("history",)) as stack:
        rest, path = stack.rest, stack.hospital_path(capacity=5)
        assert path.startswith("/hospitals/")
        hospital = rest.get(path).json
        assert hospital["name"] == "한빛검진센터" and hospital["status"] == "ACTIVE"
        assert hospital["days"] == [{"date": day(1), "capacity": 5, "remaining": 5, "version": "1"}]
        made = rest.post("/bookings", booking_of(path, headcount=2))
        assert made.code == 201 and made.json["status"] == "CONFIRMED", made
        place = made.place
        assert place == "/bookings/" + made.json["bookingId"] and made.headers["Location"] == place[1:]
        assert rest.get(place).json == made.json
        assert rest.get(path + "/availability").json == \
            {"days": [{"date": day(1), "capacity": 5, "remaining": 3, "version": "1"}]}
        cancelled = rest.post(place + "/cancel", {"reason": "이사"})
        assert cancelled.code == 200 and cancelled.json["status"] == "CANCELLED", cancelled
        assert cancelled.json["statusReason"] == "이사"
        assert rest.post(place + "/cancel").json == rest.delete(place).json == cancelled.json
        other = rest.post("/bookings", booking_of(path)).place
        deleted = rest.delete(other + "?reason=rain")
        assert (deleted.code, deleted.json["status"], deleted.json["statusReason"]) == (200, "CANCELLED", "rain")
        gone = rest.delete(path)
        assert gone.code == 200 and gone.json["status"] == "DELETED" and rest.delete(path).json == gone.json
        assert [h["status"] for h in rest.get("/hospitals?includeDeleted=true").json["hospitals"]] == ["DELETED"]
        assert rest.get("/hospitals?includeDeleted=false").json["hospitals"] == []


@once
def test_rest_opens_and_changes_days(driver):
    with RestStack(driver, without=("booking", "history")) as stack:
        rest, path = stack.rest, stack.hospital_path()
        opened = rest.put("%s/days/%s" % (path, day(2)), {"capacity": 8})
        assert opened.code == 200 and opened.headers["ETag"] == '"1"'
        assert opened.json == {"date": day(2), "capacity": 8, "remaining": 8, "version": "1"}
        assert rest.put("%s/days/%s" % (path, day(2)), {"capacity": 9}).json["version"] == "2"
        found = rest.get(path + "/availability", query={"fromDate": day(2), "toDate": day(2)}).json["days"]
        assert [(d["date"], d["capacity"]) for d in found] == [(day(2), 9)]
        with_day = rest.get("/hospitals", query={"date": day(2), "nameContains": "한빛"}).json["hospitals"]
        assert [d["date"] for d in with_day[0]["days"]] == [day(2)]


@once
def test_rest_shows_histories(driver):
    with RestStack(driver) as stack:
        rest, path = stack.rest, stack.hospital_path()
        places = [rest.post("/bookings", booking_of(path, customerId="me&you")).place for _ in range(2)]
        rest.delete(places[0])
        wait_history(stack, id_of(places[0]), CANCELLED)
        wait_history(stack, id_of(places[1]), CONFIRMED)
        story = rest.get("/bookingHistories/" + id_of(places[0])).json
        assert [e["status"] for e in story["entries"]] == ["CONFIRMED", "CANCELLED"]
        assert story["summary"]["hospitalName"] == "한빛검진센터"
        listed = rest.get("/bookingHistories", query={"customerId": "me&you"}).json["bookings"]
        assert [one["booking"]["bookingId"] for one in listed] == [id_of(places[1]), id_of(places[0])]
        listed = rest.get("/bookingHistories", query={"customerId": "me&you", "status": "CANCELLED"}).json["bookings"]
        assert [one["booking"]["bookingId"] for one in listed] == [id_of(places[0])]


@once
def test_rest_answers_head_as_get_without_a_body(driver):
    with RestStack(driver, without=("history",)) as stack:
        path = stack.hospital_path()
        place = stack.rest.post("/bookings", booking_of(path)).place
        shown, head = stack.rest.get(place), stack.rest.request("HEAD", place)
        assert head.code == 200 and head.body == b""
        for name in ("Content-Type", "Content-Length", "ETag"):
            assert head.headers[name] == shown.headers[name], name


@once
def test_rest_paths_and_methods_that_do_not_exist(driver):
    with RestStack(driver, without=("hospital", "booking", "history")) as stack:
        rest = stack.rest
        for path in ("/booking", "/bookings/", "/bookings/1/2", "/hospitals/1/days", "/bookings//cancel",
                     "/hospitals/1/Reserve", "/openapi"):
            check_problem(rest.get(path), 404)
        for method, path, allow in (("PUT", "/bookings", "POST, GET, HEAD"), ("POST", "/bookings/1", "GET, HEAD, DELETE"),
                                    ("GET", "/bookings/1/cancel", "POST"), ("POST", "/openapi.json", "GET, HEAD"), ("PUT", "/", "GET, HEAD"),
                                    ("OPTIONS", "/hospitals", "POST, GET, HEAD")):
            answer = rest.request(method, path)
            check_problem(answer, 405)
            assert answer.headers["Allow"] == allow and allow in answer.json["detail"], answer.headers


# ---- ids

@once
def test_rest_idempotency_key_is_the_id(driver):
    """Without tokens, the ids made from keys are those of earlier versions; with tokens they belong to the caller (tokens.py)."""
    with RestStack(driver, without=("history",), insecure=True) as stack:
        rest, path, key = stack.rest, stack.hospital_path(), rpc.new_id()

        def book(key, **more):
            return rest.post("/bookings", booking_of(path, **more), headers={"Idempotency-Key": key})
        first = book(key)
        assert first.code == 201 and first.json["bookingId"] == key, first
        again = book(key.upper())
        assert again.code == 201 and again.json == first.json and again.headers["Location"] == first.headers["Location"]
        check_problem(book(key, headcount=2), 409, "ALREADY_EXISTS")
        for text in ("order 17", "주문-17", "x" * 255):
            made = book(text.encode())
            assert made.json["bookingId"] == str(uuid.uuid5(KEYS, text)), made
        assert book('"order 17"').json["bookingId"] == str(uuid.uuid5(KEYS, "order 17"))
        assert len(rest.get("/bookings", query={"customerId": "c-1"}).json["bookings"]) == 4
        named = rpc.new_id()
        assert book(named, bookingId=named).json["bookingId"] == named
        for key, in_body in ((named, named.upper()), (named.upper(), named), (named.upper(), named.upper())):
            assert book(key, bookingId=in_body).json["bookingId"] == named
        check_problem(book(rpc.new_id(), bookingId=named), 400, detail="bookingId: ")
        check_problem(book("order 18", booking_id=named), 400, detail="bookingId: ")
        check_problem(book(""), 400, detail="Idempotency-Key: ")
        check_problem(book("x" * 256), 400, detail="Idempotency-Key: ")
        check_problem(book(str(uuid.UUID(int=0))), 422, "INVALID_ARGUMENT", "bookingId: ")


@once
def test_rest_idempotency_key_of_a_hospital(driver):
    with RestStack(driver, without=("booking", "history"), insecure=True) as stack:
        rest = stack.rest
        made = [rest.post("/hospitals", {"name": "n"}, headers={"Idempotency-Key": "first"}) for _ in range(2)]
        assert made[0].code == made[1].code == 201 and made[0].json == made[1].json
        assert made[0].json["hospitalId"] == str(uuid.uuid5(KEYS, "first"))
        check_problem(rest.post("/hospitals", {"name": "m"}, headers={"Idempotency-Key": "first"}), 409, "ALREADY_EXISTS")


@once
def test_rest_without_a_key_makes_an_id_each_time(driver):
    with RestStack(driver, without=("history",)) as stack:
        path = stack.hospital_path()
        ids = {stack.rest.post("/bookings", booking_of(path)).json["bookingId"] for _ in range(3)}
        assert len(ids) == 3 and {uuid.UUID(one).version for one in ids} == {7}


# ---- entity tags

@once
def test_rest_answers_304_until_the_booking_changes(driver):
    with RestStack(driver, without=("history",)) as stack:
        rest, path = stack.rest, stack.hospital_path()
        made = rest.post("/bookings", booking_of(path))
        place, tag = made.place, made.headers["ETag"]
        assert tag == '"%s"' % made.json["version"]
        for known in (tag, "W/" + tag, '"1", %s' % tag, "*"):
            answer = rest.get(place, headers={"If-None-Match": known})
            assert answer.code == 304 and answer.body == b"" and answer.headers["ETag"] == tag, (known, answer)
        for known in ('"1"', '"%s0"' % made.json["version"], "nonsense"):
            assert rest.get(place, headers={"If-None-Match": known}).json == made.json
        cancelled = rest.delete(place, headers={"If-None-Match": '"3"'})  # only a GET is conditional on it
        assert cancelled.code == 200 and cancelled.headers["ETag"] == '"3"'
        changed = rest.get(place, headers={"If-None-Match": tag})
        assert changed.code == 200 and changed.json["status"] == "CANCELLED"


@once
def test_rest_if_match_is_the_expected_version(driver):
    with RestStack(driver, without=("booking", "history")) as stack:
        rest, place = stack.rest, "%s/days/%s" % (stack.hospital_path(), day(1))

        def put(capacity, match, **more):
            return rest.put(place, {"capacity": capacity, **more}, headers={"If-Match": match})
        assert put(11, '"1"').headers["ETag"] == '"2"'
        check_problem(put(12, '"1"'), 412, "VERSION_MISMATCH")
        assert put(11, '"1"').code == 200  # a repeat: the day already has this capacity
        assert put(12, "*").headers["ETag"] == '"3"'
        check_problem(put(13, 'W/"2"'), 412, "VERSION_MISMATCH")
        assert put(13, 'W/"3"', expectedVersion=3).headers["ETag"] == '"4"'  # a tag as a compressing proxy marks it
        check_problem(put(14, '"4"', expectedVersion="3"), 400, detail="expectedVersion: ")
        check_problem(rest.put(place, {"capacity": 14, "expectedVersion": 3}), 412, "VERSION_MISMATCH")
        for match in ("4", 'w/"4"', 'W/ "4"', 'W/4', '"4", "5"', '"x"', '""', '"0"', '"04"', '"4', '"%d"' % 10 ** 20, '"%d"' % 2 ** 64):
            check_problem(put(14, match), 400)
        assert rest.put(place, {"capacity": 13}).headers["ETag"] == '"4"'  # none of the refused requests changed anything
        # A condition that a method does not support is refused, not ignored.
        check_problem(rest.delete(stack.hospital_path(), headers={"If-Match": '"77"'}), 400, detail="If-Match: ")
        assert rest.get(stack.hospital_path(), headers={"If-Match": '"77"'}).json["status"] == "ACTIVE"


# ---- pages

@once
def test_rest_links_lead_through_all_pages(driver):
    with RestStack(driver, without=("history",)) as stack:
        rest, name = stack.rest, "한빛 & 50% + <x>/?="
        paths = [stack.hospital_path(capacity=50, name=name + str(i)) for i in range(5)]

        def walk(path, member, query):
            answer, found, pages = rest.get(path, query=query), [], 1
            while True:
                assert answer.code == 200 and len(answer.json[member]) <= 2, answer
                found += answer.json[member]
                link = answer.headers["Link"]
                assert (link is None) == (answer.json["nextPageToken"] == ""), answer
                if link is None:
                    return found, pages
                target, _, relation = link.partition("; ")
                assert relation == 'rel="next"' and target[0] == "<" and target[-1] == ">", link
                answer, pages = rest.get(urllib.parse.urljoin(path, target[1:-1])), pages + 1
        found, pages = walk("/hospitals", "hospitals", {"nameContains": name, "pageSize": 2})
        assert [h["hospitalId"] for h in found] == [id_of(path) for path in paths] and pages == 3
        places = [rest.post("/bookings", booking_of(paths[0], customerId="c&=+%")).place for _ in range(4)]
        found, pages = walk("/bookings", "bookings", {"customerId": "c&=+%", "pageSize": 2})
        assert [b["bookingId"] for b in found] == [id_of(place) for place in places] and pages <= 3
        token = rest.get("/bookings", query={"customerId": "c&=+%", "pageSize": 2}).json["nextPageToken"]
        check_problem(rest.get("/bookings", query={"customerId": "other", "pageToken": token}), 422, "INVALID_ARGUMENT",
                      "pageToken: ")


# ---- requests refused for their form

@once
def test_rest_refuses_bodies_that_are_not_json(driver):
    with RestStack(driver, without=("history",)) as stack:
        rest, path = stack.rest, stack.hospital_path()
        good = json.dumps(booking_of(path)).encode()
        bodies = [b"", b"{", b"[]", b"null", b"17", b'"x"', good + b"x", good[:-1], b"{'a':1}", b"\xff", b'{"customerId":"\xff"}',
                  b'{"customerId":"\\u0000"}', good[:-1] + b',"date":"2026-12-01"}', b"{" * 3000, b"[" * 8000,
                  b'{"headcount":"many"}', b'{"headcount":-1}', b'{"headcount":1e99}', b'{"queueIfUnavailable":"yes"}',
                  b'{"customerId":5}', b'{"customerId":{}}', b"{}\0"]
        for body in bodies:
            for target in ("/bookings", "/hospitals"):
                if target == "/bookings" or b'"' not in body:
                    check_problem(rest.post(target, body, headers={"Content-Type": "application/json"}), 400)
        assert rest.get("/bookings", query={"customerId": "c-1"}).json["bookings"] == []


@once
def test_rest_names_the_field_that_is_unknown(driver):
    with RestStack(driver, without=("history",)) as stack:
        rest, path = stack.rest, stack.hospital_path()
        place = rest.post("/bookings", booking_of(path)).place
        check_problem(rest.post("/bookings", booking_of(path, price=5)), 400, detail="price: ")
        check_problem(rest.post("/hospitals", {"name": "n", "days": [{"date": day(1), "places": 5}]}), 400,
                      detail="days[0].places: ")
        check_problem(rest.post(place + "/cancel", {"reasons": "x"}), 400, detail="reasons: ")
        for target, name in (("/bookings?customerId=c-1&page=2", "page"), (place + "?fields=status", "fields"),
                             ("/hospitals?days=1", "days"), (path + "/availability?date=x", "date")):
            check_problem(rest.get(target), 400, detail=name + ": ")
        check_problem(rest.post("/bookings?dryRun=true", booking_of(path)), 400, detail="dryRun: ")
        check_problem(rest.post("/bookings?customerId=c-1", booking_of(path)), 400, detail="customerId: ")
        check_problem(rest.get("/bookings?customerId=c-1&pageSize=many"), 400, detail="pageSize: ")
        check_problem(rest.get("/hospitals?includeDeleted=1"), 400, detail="includeDeleted: ")
        check_problem(rest.get("/bookings?customerId=c-1&status=GONE"), 400, detail="status: ")
        check_problem(rest.get("/bookings?customerId=c-1&customerId=c-2"), 400, detail="customerId: ")
        check_problem(rest.get("/bookings?customerId=%ff"), 400, detail="customerId: ")
        check_problem(rest.get("/bookings?customerId=c&%ff%01=1"), 400, detail="?")
        check_problem(rest.post("/bookings?%ff", {}), 400, detail="?: is not a parameter here")


@once
def test_rest_path_and_body_must_agree(driver):
    with RestStack(driver, without=("history",)) as stack:
        rest, path = stack.rest, stack.hospital_path()
        place = rest.post("/bookings", booking_of(path)).place
        days = "%s/days/%s" % (path, day(1))
        assert rest.put(days, {"capacity": 9, "hospitalId": id_of(path), "date": day(1)}).code == 200
        check_problem(rest.put(days, {"capacity": 8, "date": day(2)}), 400, detail="date: ")
        check_problem(rest.put(days, {"capacity": 8, "hospital_id": rpc.new_id()}), 400, detail="hospitalId: ")
        check_problem(rest.post(place + "/cancel", {"bookingId": rpc.new_id()}), 400, detail="bookingId: ")
        check_problem(rest.get(place + "?bookingId=" + rpc.new_id()), 400, detail="bookingId: ")
        assert rest.post(place + "/cancel", {"bookingId": id_of(place)}).json["status"] == "CANCELLED"


@once
def test_rest_takes_json_only(driver):
    with RestStack(driver, without=("history",)) as stack:
        rest, path = stack.rest, stack.hospital_path()
        body = json.dumps(booking_of(path)).encode()
        for kind in ("text/plain", "application/jsonx", "application/x-www-form-urlencoded", "json", "application/json; charset=euc-kr",
                     "application/json;charset=utf-16", "application/json; x=y; Charset=latin1", "application/json x",
                     "application/json; charset = euc-kr", "application/json; charset"):
            check_problem(rest.post("/bookings", body, headers={"Content-Type": kind}), 415, detail="Content-Type: ")
        check_problem(rest.post("/bookings", body), 415, detail="Content-Type: ")
        for kind in ("application/json", "Application/JSON", "application/json; charset=utf-8", "application/json;x=y",
                     'application/json ; x=y ; charset="UTF-8"'):
            assert rest.post("/bookings", body, headers={"Content-Type": kind}).code == 201
        place = rest.post("/bookings", body, headers={"Content-Type": "application/json"}).place
        for method, target in (("GET", place), ("DELETE", place), ("DELETE", path)):
            answer = rest.request(method, target, b"{}", headers={"Content-Type": "application/json"})
            check_problem(answer, 400, detail="the request must not have a body")
        assert rest.get(place).json["status"] == "CONFIRMED"


@once
def test_rest_refuses_a_body_that_is_too_large(driver):
    with RestStack(driver, without=("history",)) as stack:
        path = stack.hospital_path()
        check_problem(stack.rest.post("/bookings", booking_of(path, customerName="x" * 8192)), 413)
        assert stack.rest.post("/bookings", booking_of(path, customerName="x" * 200)).code == 201


# ---- requests refused by a service

@once
def test_rest_says_why_a_service_refuses(driver):
    with RestStack(driver) as stack:
        rest, path, unknown = stack.rest, stack.hospital_path(capacity=1), rpc.new_id()
        nowhere = booking_of("/hospitals/" + unknown)
        for target in ("/hospitals/", "/bookings/", "/bookingHistories/"):
            check_problem(rest.get(target + unknown), 404, "NOT_FOUND")
            check_problem(rest.get(target + "no-uuid"), 422, "INVALID_ARGUMENT")
        check_problem(rest.delete("/hospitals/" + unknown), 404, "NOT_FOUND")
        check_problem(rest.post("/bookings/%s/cancel" % unknown), 404, "NOT_FOUND")
        check_problem(rest.delete("/bookings/" + unknown), 404, "NOT_FOUND")
        check_problem(rest.get("/hospitals/%s/availability" % unknown), 404, "NOT_FOUND")
        check_problem(rest.put("/hospitals/%s/days/%s" % (unknown, day(1)), {"capacity": 1}), 404, "NOT_FOUND")
        check_problem(rest.get("/bookings"), 422, "INVALID_ARGUMENT")
        check_problem(rest.get("/bookingHistories"), 422, "INVALID_ARGUMENT", "customerId: ")
        check_problem(rest.post("/bookings", {}), 422, "INVALID_ARGUMENT", "customerId: ")
        check_problem(rest.post("/bookings", booking_of(path, date="2026-02-30")), 422, "INVALID_ARGUMENT", "date: ")
        check_problem(rest.post("/bookings", nowhere), 409, "HOSPITAL_NOT_FOUND")
        check_problem(rest.post("/bookings", booking_of(path, 2)), 409, "DATE_NOT_OPEN")
        key = {"Idempotency-Key": rpc.new_id()}
        for _ in range(2):  # a repeat gets the same answer
            check_problem(rest.post("/bookings", booking_of(path, headcount=2), headers=key), 409, "SOLD_OUT")
        check_problem(rest.delete("/bookings/" + key["Idempotency-Key"]), 409, "BOOKING_FINAL")
        rest.post("/bookings", booking_of(path))
        check_problem(rest.put("%s/days/%s" % (path, day(1)), {"capacity": 0}), 409, "CAPACITY_BELOW_RESERVED")
        rest.delete(path)
        check_problem(rest.get(path + "/availability"), 409, "HOSPITAL_DELETED")
