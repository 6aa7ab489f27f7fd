"""Books and cancels through the gateway, as a customer without a C program does, and checks that screenctl shows the same."""

from kit.ids import new_id
from looking import Look, look_until
from problems import Refused

CUSTOMER, CUSTOMER_NAME, HEADCOUNT = "yoon-seoah", "윤서아", 2


class OverHttp:
    """The steps over HTTP. `clinic` is a hospital with places left on some day."""

    def __init__(self, stack, report, clinic):
        self.web, self.report, self.clinic = stack.web, report, clinic
        self.look = Look(stack.screenctl)
        self.booking_id = new_id()

    def play(self):
        self.book()
        self.refuse()
        self.cancel()

    def book(self):
        days = self.look.days(self.clinic)
        self.date = max(days, key=lambda date: days[date][0])
        remaining = days[self.date][0]
        if remaining < HEADCOUNT:
            raise Refused("no day with %d places left for a booking over HTTP" % HEADCOUNT)
        bookings = len(self.look.bookings("--customer", CUSTOMER))
        request = ("POST", "/bookings", {"customerId": CUSTOMER, "customerName": CUSTOMER_NAME, "hospitalId": self.clinic,
                                         "date": self.date, "headcount": HEADCOUNT})
        answers = [self.web.ask(*request, Idempotency_Key=self.booking_id) for _ in range(2)]
        booking = self.look.booking(self.booking_id)
        self.report.add(
            "a booking over HTTP", self.web.shown(*request, Idempotency_Key=self.booking_id) + ", twice",
            {"answered": [201, 201], "Location": "bookings/" + self.booking_id, "status": "CONFIRMED", "persons": HEADCOUNT,
             "bookings of the customer": bookings + 1, "places left": remaining - HEADCOUNT},
            {"answered": [answer.code for answer in answers], "Location": answers[0].headers["Location"],
             "status": booking["status"], "persons": booking["headcount"],
             "bookings of the customer": len(self.look.bookings("--customer", CUSTOMER)),
             "places left": self.look.remaining(self.clinic, self.date)})

    def refuse(self):
        """Requests a booking for one person more than there are places left, and checks the refusal."""
        remaining = self.look.remaining(self.clinic, self.date)
        request = ("POST", "/bookings", {"customerId": CUSTOMER, "customerName": CUSTOMER_NAME, "hospitalId": self.clinic,
                                         "date": self.date, "headcount": remaining + 1})
        answer = self.web.ask(*request)
        self.report.add(
            "a refusal over HTTP", self.web.shown(*request),
            {"answered": 409, "type": "application/problem+json", "reason": "SOLD_OUT", "places left": remaining},
            {"answered": answer.code, "type": answer.headers["Content-Type"], "reason": answer.json.get("reason"),
             "places left": self.look.remaining(self.clinic, self.date)})

    def cancel(self):
        remaining = self.look.remaining(self.clinic, self.date)
        request = ("POST", "/bookings/%s/cancel" % self.booking_id, {"reason": "일정 변경"})
        answer = self.web.ask(*request)
        booking = self.look.booking(self.booking_id)
        expected = {"answered": 200, "status": "CANCELLED", "reason": "일정 변경", "places left": remaining + HEADCOUNT,
                    "history over HTTP": ["CONFIRMED", "CANCELLED"]}
        saw, took_s = look_until(expected, lambda: {
            "answered": answer.code, "status": booking["status"], "reason": booking["statusReason"],
            "places left": self.look.remaining(self.clinic, self.date), "history over HTTP": self._timeline()})
        self.report.add("a cancellation over HTTP", self.web.shown(*request), expected, saw, took_s=took_s)

    def _timeline(self):
        answer = self.web.ask("GET", "/bookingHistories/" + self.booking_id)
        return [entry["status"] for entry in answer.json.get("entries", [])]
