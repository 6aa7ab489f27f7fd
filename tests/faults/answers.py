"""Compares the answers that clients received with each other and with booking-svc's table."""
from .facts import (ALREADY_EXISTS, CANCELLED, CONFIRMED, FINAL, FORCE_CANCELLED, NAMES, REJECTED, RESOURCE_EXHAUSTED,
                    UNAVAILABLE, VERSIONS, state_text)

# With these reasons a booking is rejected although hospital-svc did not refuse it. A booking that may be queued waits instead.
FOR_WANT_OF_ANSWER = ("HOSPITAL_UNAVAILABLE", "BUDGET_SPENT")
CONTENT = ("customer_id", "customer_name", "hospital_id", "date", "headcount")


def _wanted(request):
    """Returns the content of a CreateBooking request, as a booking shows it."""
    wanted = {name: request.get(name, "") for name in CONTENT}
    wanted["headcount"] = request.get("headcount") or 1
    wanted["hospital_id"] = wanted["hospital_id"].lower()
    return wanted


def _content(booking):
    """Returns the fields named in CONTENT that are present in `booking`."""
    return {name: booking[name] for name in CONTENT if name in booking}


def _fits(booking, requests):
    content = _content(booking)
    return any(content.items() <= wanted.items() for wanted in requests)


class Fates:
    """Checks the bookings one by one, and appends what it finds to `problems`."""

    def __init__(self, facts, snapshot, bookings_lost, outages):
        self.facts, self.snapshot, self.bookings_lost, self.outages = facts, snapshot, bookings_lost, outages
        self.bookings = {booking["booking_id"]: booking for booking in snapshot["bookings"]}
        self.problems = []

    def check(self):
        attempts = self.facts.attempts
        for booking_id in sorted(set(self.facts.reports) | set(self.bookings)):
            reports = self.facts.reports.get(booking_id, [])
            self._check_legal(booking_id, reports)
            self._check_one_fate(booking_id, reports)
            for source in ("booking", "history"):
                self._check_order(booking_id, [one for one in reports if one.source == source])
            self._check_stored(booking_id, reports)
        for booking_id, creates in attempts["CreateBooking"].items():
            self._check_creates(booking_id, creates)
        every_id_known = "" not in attempts["CreateBooking"]
        for booking in self.snapshot["bookings"]:
            self._check_requested(booking, every_id_known)
        return self.problems

    def _object(self, booking_id, text, *arguments):
        self.problems.append("booking %s: " % booking_id + text % arguments)

    def _is_given_up(self, status, reason):
        """Returns whether this is the state of a lost booking, without a customer, whose place `screenctl repair --release` released."""
        return self.bookings_lost and (status, reason) == (REJECTED, "ABANDONED")

    def _check_legal(self, booking_id, reports):
        """Checks that the state machine allows the state in each answer, and that the booking in it is the requested one."""
        wanted = [_wanted(record["request"]) for record in self.facts.attempts["CreateBooking"].get(booking_id, ())]
        for one in reports:
            if one.status is not None and one.version is not None and one.version not in VERSIONS.get(one.status, ()):
                self._object(booking_id, "was told %s, which no booking can be", self.facts.text(one))
            if one.booking is not None and wanted and not _fits(one.booking, wanted) and not self._is_given_up(one.status, one.reason):
                self._object(booking_id, "was told %s of %s, asked for was %s", self.facts.text(one),
                             _content(one.booking), wanted[0])

    def _check_one_fate(self, booking_id, reports):
        """Checks that each version of the booking has the same status and reason in every answer."""
        first = {}
        for one in reports:
            if one.version is None:
                continue
            other = first.setdefault(one.version, one)
            if (other.status, other.reason) != (one.status, one.reason):
                self._object(booking_id, "has two fates: %s, but %s", self.facts.text(other), self.facts.text(one))
        finals = [one for one in reports if one.final]
        for one in finals[1:]:
            if not set(one.statuses) & set(finals[0].statuses):
                self._object(booking_id, "has two ends: %s, but %s", self.facts.text(finals[0]), self.facts.text(one))
                break

    def _check_order(self, booking_id, reports):
        """Checks that the answer to a call is at least as recent as every answer that arrived before that call began."""
        by_end = sorted(reports, key=lambda one: one.end)
        highest = known = final = None
        done = 0
        for one in sorted(reports, key=lambda one: one.begin):
            while done < len(by_end) and by_end[done].end < one.begin:
                earlier = by_end[done]
                done += 1
                if earlier.version and (highest is None or earlier.version > highest.version):
                    highest = earlier
                known = known or (earlier if earlier.statuses else None)
                final = final or (earlier if earlier.final else None)
            if highest and one.version and one.version < highest.version:
                self._object(booking_id, "went back: %s, later %s", self.facts.text(highest), self.facts.text(one))
            elif known and not one.statuses:
                self._object(booking_id, "was forgotten: %s, later %s", self.facts.text(known), self.facts.text(one))
            elif final and one.statuses and not one.final:
                self._object(booking_id, "lives again: %s, later %s", self.facts.text(final), self.facts.text(one))

    def _check_stored(self, booking_id, reports):
        """Checks that the booking is stored if an answer reported it, and that it contradicts no answer. Reports only the problem
        with the latest version."""
        stored = self.bookings.get(booking_id)
        for one in sorted(reports, key=lambda one: -(one.version or 0)):
            if not one.statuses:
                continue
            if stored is None:
                self._object(booking_id, "was told %s, but is not stored", self.facts.text(one))
                return
            if self._is_kept(one, stored):
                continue
            self._object(booking_id, "was told %s, stored is %s", self.facts.text(one),
                         state_text(stored["status"], stored["version"], stored["status_reason"]))
            return

    @staticmethod
    def _is_kept(one, stored):
        if one.version is None:
            return stored["status"] in one.statuses
        if one.version == stored["version"]:
            return (one.status, one.reason) == (stored["status"], stored["status_reason"])
        if one.version > stored["version"] or one.final:
            return False
        return one.status != CONFIRMED or stored["status"] in (CANCELLED, FORCE_CANCELLED)

    def _check_creates(self, booking_id, creates):
        contents = [_wanted(record["request"]) for record in creates]
        for record in self.facts.answered("CreateBooking", booking_id, ALREADY_EXISTS):
            if all(content == contents[0] for content in contents):
                self._object(booking_id, "ALREADY_EXISTS at %s, though it was never asked for with other content",
                             self.facts.when(record["begin_ns"], record["end_ns"]))
        stored = self.bookings.get(booking_id)
        if stored is not None and all(self._not_executed(record) for record in creates):
            self._object(booking_id, "is stored as %s, though every attempt was refused as not executed",
                         NAMES.get(stored["status"]))

    @staticmethod
    def _not_executed(record):
        answer = record["answer"]
        return answer is not None and (answer["code"] == RESOURCE_EXHAUSTED or
                                       (answer["code"] == UNAVAILABLE and answer["reason"] == "DRAINING"))

    def _check_requested(self, booking, every_id_known):
        """Checks that clients requested everything that happened to the booking."""
        booking_id, creates = booking["booking_id"], self.facts.attempts["CreateBooking"].get(booking["booking_id"], ())
        stored = state_text(booking["status"], booking["version"], booking["status_reason"])
        if not creates:
            if every_id_known:
                self._object(booking_id, "is stored as %s, but nobody asked for it", stored)
            return
        if self._is_given_up(booking["status"], booking["status_reason"]):
            return
        wanted = [_wanted(record["request"]) for record in creates]
        if not _fits(booking, wanted):
            self._object(booking_id, "is stored with %s, asked for was %s", _content(booking), wanted[0])
        cancels = self.facts.attempts["CancelBooking"].get(booking_id, ())
        if booking["status"] == CANCELLED and not cancels:
            self._object(booking_id, "is stored as %s, but nobody cancelled it", stored)
        elif booking["status"] == CANCELLED and booking["status_reason"] not in [
                record["request"].get("reason", "") for record in cancels]:
            self._object(booking_id, "is stored as %s: nobody gave that reason", stored)
        if booking["status"] == REJECTED and booking["queue_if_unavailable"] and \
                booking["status_reason"] in FOR_WANT_OF_ANSWER:
            self._object(booking_id, "is stored as %s, though it was to be queued", stored)
        if self.outages is not None and (booking["status"], booking["status_reason"]) == (REJECTED, "HOSPITAL_UNAVAILABLE") and \
                not self._met_outage(booking_id):
            self._object(booking_id, "is stored as %s, though a hospital-svc served throughout", stored)
        if booking["status"] in FINAL and booking["status"] != CANCELLED and not booking["status_reason"]:
            self._object(booking_id, "is stored as %s without a reason", stored)

    def _met_outage(self, booking_id):
        """Returns whether the booking was in flight when a hospital-svc lost its database."""
        begin = self.facts.first_begin(booking_id)
        end = min((one.end for one in self.facts.reports[booking_id] if one.status == REJECTED), default=float("inf"))
        return any(begin <= at_ns <= end for at_ns in self.outages)


def check(facts, snapshot, bookings_lost=False, outages=None):
    """Returns the problems. `bookings_lost` is true if booking-svc's database was restored from a backup, so that the places of
    lost bookings were released. `outages`: see checker.check."""
    return Fates(facts, snapshot, bookings_lost, outages).check()
