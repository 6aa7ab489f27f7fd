"""Arranges a history for the checks: the answers about each booking and each day, with their times."""
from collections import defaultdict

REQUESTED, CONFIRMED, REJECTED, CANCELLED, FORCE_CANCELLED = 1, 2, 3, 4, 5
LIVE = (REQUESTED, CONFIRMED)
FINAL = (REJECTED, CANCELLED, FORCE_CANCELLED)
NAMES = {REQUESTED: "REQUESTED", CONFIRMED: "CONFIRMED", REJECTED: "REJECTED", CANCELLED: "CANCELLED",
         FORCE_CANCELLED: "FORCE_CANCELLED"}
# The versions that a booking can have in each status.
VERSIONS = {REQUESTED: (1,), CONFIRMED: (2,), REJECTED: (2,), CANCELLED: (2, 3), FORCE_CANCELLED: (2, 3)}

OK, INVALID_ARGUMENT, NOT_FOUND, ALREADY_EXISTS, RESOURCE_EXHAUSTED, FAILED_PRECONDITION, UNAVAILABLE = \
    0, 3, 5, 6, 8, 9, 14
REJECTIONS = ("SOLD_OUT", "HOSPITAL_NOT_FOUND", "HOSPITAL_DELETED", "DATE_NOT_OPEN", "RELEASED", "HOSPITAL_UNAVAILABLE",
              "BUDGET_SPENT", "REFUSED")


def state_text(status, version, reason=""):
    return "%s version %s%s" % (NAMES.get(status, status), version, " " + reason if reason else "")


class Report:
    """The content of one answer about one booking. `statuses` are the statuses that the answer allows. It is empty if the answer
    was that there is no such booking."""

    def __init__(self, record, statuses, version=None, reason=None, booking=None, source="booking"):
        self.record, self.statuses, self.version, self.reason = record, statuses, version, reason
        self.booking, self.source = booking, source
        self.begin, self.end = record["begin_ns"], record["end_ns"]

    @property
    def status(self):
        """Returns the status if the answer allows exactly one, else None."""
        return self.statuses[0] if len(self.statuses) == 1 else None

    @property
    def final(self):
        return bool(self.statuses) and all(status in FINAL for status in self.statuses)


def _report_of(record, booking, source="booking"):
    return Report(record, (booking["status"],), booking["version"], booking["status_reason"], booking, source)


def _read_booking_answer(record):
    """Yields (booking id, Report) of an answer to CreateBooking, CancelBooking or GetBooking."""
    answer, booking_id = record["answer"], record["id"].lower()
    code, reason = answer["code"], answer["reason"]
    if code == OK:
        yield booking_id, _report_of(record, answer["message"])
    elif code == NOT_FOUND and record["op"] != "CreateBooking":
        yield booking_id, Report(record, ())
    elif code == FAILED_PRECONDITION and record["op"] == "CreateBooking" and reason in REJECTIONS:
        yield booking_id, Report(record, (REJECTED,), 2, reason)
    elif code == FAILED_PRECONDITION and reason == "BOOKING_FINAL":
        yield booking_id, Report(record, (REJECTED, FORCE_CANCELLED))


def _read_summary(record, summary):
    if not summary["provisional"]:
        yield summary["booking"]["booking_id"], _report_of(record, summary["booking"], "history")


def _read_history_answer(record):
    message = record["answer"]["message"]
    if record["op"] == "ListCustomerHistory":
        for summary in message["bookings"]:
            yield from _read_summary(record, summary)
        return
    yield from _read_summary(record, message["summary"])
    booking_id = message["summary"]["booking"]["booking_id"]
    for entry in message["entries"]:
        yield booking_id, Report(record, (entry["status"],), entry["version"], entry["reason"], source="entry")


def _read_answer(record):
    if record["answer"] is None:
        return
    if record["op"] in ("CreateBooking", "CancelBooking", "GetBooking"):
        yield from _read_booking_answer(record)
    elif record["answer"]["code"] != OK:
        return
    elif record["op"] == "ListBookings":
        for booking in record["answer"]["message"]["bookings"]:
            yield booking["booking_id"], _report_of(record, booking)
    elif record["op"] in ("GetBookingHistory", "ListCustomerHistory"):
        yield from _read_history_answer(record)


class Facts:
    """The facts of a history. `reports` maps each booking id to the Reports about the booking. `attempts` maps each method and each
    id to the records. `origin` is the time (in ns) of the first request, from which the times in texts are measured."""

    def __init__(self, records):
        self.records = list(records)
        self.reports = defaultdict(list)
        self.attempts = defaultdict(lambda: defaultdict(list))
        self.origin = min((record["begin_ns"] for record in self.records), default=0)
        for record in self.records:
            self.attempts[record["op"]][record["id"].lower()].append(record)
            for booking_id, report in _read_answer(record):
                self.reports[booking_id].append(report)

    def when(self, begin, end):
        return "%.4f-%.4f s" % ((begin - self.origin) / 1e9, (end - self.origin) / 1e9)

    def text(self, report):
        """Returns the report as text, such as "CONFIRMED version 2 (c3 CreateBooking 1.2000-1.2100 s)"."""
        said = "NOT_FOUND" if not report.statuses else "/".join(NAMES.get(s, str(s)) for s in report.statuses)
        said += " version %d" % report.version if report.version else ""
        said += " " + report.reason if report.reason else ""
        return "%s (%s %s %s)" % (said, report.record["client"], report.record["op"], self.when(report.begin, report.end))

    def first_begin(self, booking_id):
        """Returns the time (in ns) of the first request for the booking, or None if no client requested it."""
        return min((record["begin_ns"] for record in self.attempts["CreateBooking"].get(booking_id, ())), default=None)

    def answered(self, op, entity_id, code=OK):
        """Returns the attempts of the method `op` for `entity_id` that were answered with `code`."""
        return [record for record in self.attempts[op].get(entity_id, ())
                if record["answer"] is not None and record["answer"]["code"] == code]
