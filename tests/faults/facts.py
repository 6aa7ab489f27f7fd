"""A history, arranged for the checks: the answers about each booking and each day, with their times."""
from collections import defaultdict

REQUESTED, CONFIRMED, REJECTED, CANCELLED, FORCE_CANCELLED = 1, 2, 3, 4, 5
LIVE = (REQUESTED, CONFIRMED)
FINAL = (REJECTED, CANCELLED, FORCE_CANCELLED)
NAMES = {REQUESTED: "REQUESTED", CONFIRMED: "CONFIRMED", REJECTED: "REJECTED", CANCELLED: "CANCELLED",
         FORCE_CANCELLED: "FORCE_CANCELLED"}
# the possible versions of a booking in each status
VERSIONS = {REQUESTED: (1,), CONFIRMED: (2,), REJECTED: (2,), CANCELLED: (2, 3), FORCE_CANCELLED: (2, 3)}

OK, INVALID_ARGUMENT, NOT_FOUND, ALREADY_EXISTS, RESOURCE_EXHAUSTED, FAILED_PRECONDITION, UNAVAILABLE = \
    0, 3, 5, 6, 8, 9, 14
REJECTIONS = ("SOLD_OUT", "HOSPITAL_NOT_FOUND", "HOSPITAL_DELETED", "DATE_NOT_OPEN", "RELEASED", "HOSPITAL_UNAVAILABLE",
              "BUDGET_SPENT", "REFUSED")


def state_text(status, version, reason=""):
    return "%s version %s%s" % (NAMES.get(status, status), version, " " + reason if reason else "")


class Told:
    """The content of one answer about one booking. `statuses` are those that match the answer. It is empty if there is
    no such booking."""

    def __init__(self, record, statuses, version=None, reason=None, booking=None, source="booking"):
        self.record, self.statuses, self.version, self.reason = record, statuses, version, reason
        self.booking, self.source = booking, source
        self.begin, self.end = record["begin_ns"], record["end_ns"]

    @property
    def status(self):
        """Returns the status if the answer leaves only one possibility."""
        return self.statuses[0] if len(self.statuses) == 1 else None

    @property
    def final(self):
        return bool(self.statuses) and all(status in FINAL for status in self.statuses)


def _booking_told(record, booking, source="booking"):
    return Told(record, (booking["status"],), booking["version"], booking["status_reason"], booking, source)


def _read_booking_answer(record):
    """Yields pairs of booking id and Told for CreateBooking, CancelBooking and GetBooking."""
    answer, booking_id = record["answer"], record["id"].lower()
    code, reason = answer["code"], answer["reason"]
    if code == OK:
        yield booking_id, _booking_told(record, answer["message"])
    elif code == NOT_FOUND and record["op"] != "CreateBooking":
        yield booking_id, Told(record, ())
    elif code == FAILED_PRECONDITION and record["op"] == "CreateBooking" and reason in REJECTIONS:
        yield booking_id, Told(record, (REJECTED,), 2, reason)
    elif code == FAILED_PRECONDITION and reason == "BOOKING_FINAL":
        yield booking_id, Told(record, (REJECTED, FORCE_CANCELLED))


def _read_summary(record, summary):
    if not summary["provisional"]:
        yield summary["booking"]["booking_id"], _booking_told(record, summary["booking"], "history")


def _read_history_answer(record):
    message = record["answer"]["message"]
    if record["op"] == "ListCustomerHistory":
        for summary in message["bookings"]:
            yield from _read_summary(record, summary)
        return
    yield from _read_summary(record, message["summary"])
    booking_id = message["summary"]["booking"]["booking_id"]
    for entry in message["entries"]:
        yield booking_id, Told(record, (entry["status"],), entry["version"], entry["reason"], source="entry")


def _read_answer(record):
    if record["answer"] is None:
        return
    if record["op"] in ("CreateBooking", "CancelBooking", "GetBooking"):
        yield from _read_booking_answer(record)
    elif record["answer"]["code"] != OK:
        return
    elif record["op"] == "ListBookings":
        for booking in record["answer"]["message"]["bookings"]:
            yield booking["booking_id"], _booking_told(record, booking)
    elif record["op"] in ("GetBookingHistory", "ListCustomerHistory"):
        yield from _read_history_answer(record)


class Facts:
    """The facts of a history. told: booking id -> its Tolds; attempts: op -> id -> records; origin: the instant from
    which texts count."""

    def __init__(self, records):
        self.records = list(records)
        self.told = defaultdict(list)
        self.attempts = defaultdict(lambda: defaultdict(list))
        self.origin = min((record["begin_ns"] for record in self.records), default=0)
        for record in self.records:
            self.attempts[record["op"]][record["id"].lower()].append(record)
            for booking_id, told in _read_answer(record):
                self.told[booking_id].append(told)

    def when(self, begin, end):
        return "%.4f-%.4f s" % ((begin - self.origin) / 1e9, (end - self.origin) / 1e9)

    def text(self, told):
        """Returns a text such as "CONFIRMED version 2 (c3 CreateBooking 1.2000-1.2100 s)"."""
        said = "NOT_FOUND" if not told.statuses else "/".join(NAMES.get(s, str(s)) for s in told.statuses)
        said += " version %d" % told.version if told.version else ""
        said += " " + told.reason if told.reason else ""
        return "%s (%s %s %s)" % (said, told.record["client"], told.record["op"], self.when(told.begin, told.end))

    def first_begin(self, booking_id):
        """Returns when the booking was first requested, or None if it never was."""
        return min((record["begin_ns"] for record in self.attempts["CreateBooking"].get(booking_id, ())), default=None)

    def answered(self, op, entity_id, code=OK):
        """Returns the attempts of that operation that were answered with this code."""
        return [record for record in self.attempts[op].get(entity_id, ())
                if record["answer"] is not None and record["answer"]["code"] == code]
