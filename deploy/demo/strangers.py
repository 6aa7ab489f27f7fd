"""Shows who is kept out: callers without a token, other customers, the staff of another hospital, and callers of methods that are
for services."""

import json

import accounts
from kit import sse
from kit.ids import new_id
from looking import Look
from problems import Refused, StackError
from screenctl import shown

NOT_PERMITTED = "PERMISSION_DENIED NOT_PERMITTED"


def _error(answer):
    """Returns code and reason of a failed run of screenctl."""
    return answer.error.split(":")[1].strip() if answer.exit_code else "served"


def another_hospital(screenctl, clinic):
    """Returns a hospital that is not the clinic, and one of its days with places left."""
    look = Look(screenctl)
    for hospital in screenctl.ask("hospital", "list")["hospitals"]:
        free = [date for date, (left, _) in look.days(hospital["hospitalId"]).items() if left >= 3]
        if hospital["hospitalId"] != clinic and free:
            return hospital["hospitalId"], free[0]
    raise Refused("no other hospital has places left")


def a_place(hospital_id, date):
    """Returns a request for a place that no booking has."""
    return {"booking_id": new_id(), "hospital_id": hospital_id, "date": date, "headcount": 1}


class Strangers:
    """The steps. `clinic` is the hospital of the staff's account."""

    def __init__(self, stack, report, clinic):
        self.stack, self.report, self.clinic = stack, report, clinic
        self.screenctl, self.look = stack.screenctl, Look(stack.screenctl)
        self.kim, self.lee, self.staff = (stack.web.with_token(accounts.token_file(name))
                                          for name in (accounts.KIM, accounts.LEE, accounts.STAFF))
        self.other, self.date = another_hospital(self.screenctl, clinic)

    def play(self):
        self._without_token()
        self._book()
        self._other_customer()
        self._listen()
        self._other_staff()
        self._methods_of_services()

    def _without_token(self):
        nobody = self.stack.web.with_token(None)
        request = ("GET", "/bookings?customerId=" + accounts.KIM)
        words = ("--token-file", "", "booking", "list", "--customer", accounts.KIM)
        answer = nobody.ask(*request)
        self.report.add(
            "nobody enters without a token", "%s; %s" % (nobody.shown(*request), shown(*words)),
            {"answered": 401, "WWW-Authenticate": "Bearer", "screenctl": "UNAUTHENTICATED TOKEN_MISSING", "public hospitals": 200},
            {"answered": answer.code, "WWW-Authenticate": answer.headers["WWW-Authenticate"],
             "screenctl": _error(self.screenctl.run(*words)), "public hospitals": nobody.ask("GET", "/hospitals").code})

    def _request(self):
        return ("POST", "/bookings", {"customerName": "손님", "hospitalId": self.other, "date": self.date})

    def _made_by(self, web):
        answer = web.ask(*self._request())
        if answer.code != 201:
            raise Refused("a customer's booking was answered %r" % answer)
        return answer.json

    def _book(self):
        """Makes the booking that the others try to reach."""
        self.booking_id = self._made_by(self.kim)["bookingId"]
        self.path = "/bookings/" + self.booking_id

    def _other_customer(self):
        cancel = ("POST", self.path + "/cancel", {})
        seen, cancelled = self.lee.ask("GET", self.path), self.lee.ask(*cancel)
        listed = self.lee.ask("GET", "/bookings?customerId=" + accounts.KIM).json.get("bookings", [])
        unknown = self.lee.ask("GET", "/bookings/" + new_id())
        self.report.add(
            "another customer sees nothing", self.lee.shown("GET", self.path) + "; " + self.lee.shown(*cancel),
            {"the customer sees it": 200, "the other sees it": 404, "cancels it": 404, "as an unknown id": True, "lists of it": 0,
             "status": "CONFIRMED"},
            {"the customer sees it": self.kim.ask("GET", self.path).code, "the other sees it": seen.code,
             "cancels it": cancelled.code, "as an unknown id": seen.json == unknown.json,
             "lists of it": sum(one["bookingId"] == self.booking_id for one in listed),
             "status": self.look.booking(self.booking_id)["status"]})

    def _listen(self):
        """Lee asks for kim's events. The first that lee receives is about a booking of lee, although one of kim came before."""
        path = "/events?customerId=" + accounts.KIM
        listener = sse.Listener(self.stack.web.address, token=accounts.read_token(self.lee.token_file), customerId=accounts.KIM)
        try:
            listener.wait_position()
            self._made_by(self.kim)
            own = self._made_by(self.lee)["bookingId"]
            event = listener.wait("booking").data
        except AssertionError as problem:
            raise StackError("%s: %s" % (path, problem)) from problem
        finally:
            listener.close()
        self.report.add("another customer hears nothing", self.lee.shown("GET", path) + ", while both customers book",
                        {"first event": "customer %s, booking %s" % (accounts.LEE, own)},
                        {"first event": "customer %s, booking %s" % (event["customerId"], event["bookingId"])})

    def _other_staff(self):
        theirs, own_date = "/hospitals/%s/days/%s" % (self.other, self.date), list(self.look.days(self.clinic))[0]
        own, kept = "/hospitals/%s/days/%s" % (self.clinic, own_date), self.look.days(self.other)[self.date]
        request = ("PUT", theirs, {"capacity": 0})
        self.report.add(
            "staff act at their hospital only", self.staff.shown(*request) + "; " + self.staff.shown("GET", self.path),
            {"places elsewhere": 403, "a booking elsewhere": 404, "its cancellation": 404, "left": "%d of %d" % kept,
             "places here": 200},
            {"places elsewhere": self.staff.ask(*request).code, "a booking elsewhere": self.staff.ask("GET", self.path).code,
             "its cancellation": self.staff.ask("POST", self.path + "/cancel", {}).code,
             "left": "%d of %d" % self.look.days(self.other)[self.date],
             "places here": self.staff.ask("PUT", own, {"capacity": self.look.days(self.clinic)[own_date][1]}).code})

    def _methods_of_services(self):
        """An administrator calls methods that are for services."""
        words = ("call", "HospitalService/Reserve", json.dumps(a_place(self.other, self.date)))
        before = self.look.remaining(self.other, self.date)
        fetched = self.screenctl.run("call", "EventLogService/Fetch", "{}", "--to", "booking")
        over_http = self.stack.web.ask("POST", "/screening.v1.HospitalService/Reserve", a_place(self.other, self.date))
        self.report.add(
            "methods for services are closed", shown(*words) + "; EventLogService/Fetch; POST /screening.v1.HospitalService/Reserve",
            {"Reserve": NOT_PERMITTED, "Fetch": NOT_PERMITTED, "over HTTP": 501, "places left": before},
            {"Reserve": _error(self.screenctl.run(*words)), "Fetch": _error(fetched), "over HTTP": over_http.code,
             "places left": self.look.remaining(self.other, self.date)})
