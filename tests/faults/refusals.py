"""Compares hospital-svc's answers with the replay of its days. Every answer must have been possible at some moment.

No clock is needed, because commits are numbered. If an answer arrived before a call began, the commit of that answer is a lower
bound for the commits that the call saw. If a call began after an answer had arrived, the commit of that call is an upper bound for
the commits that the answer saw."""
from bisect import bisect_left, bisect_right

from .facts import CONFIRMED, OK, REJECTED
from .replay import Day
from .stored import DELETED, by_id

NEVER = float("inf")


class Bounds:
    """Finds out which commits can have been the last one at the time of a decision."""

    def __init__(self, facts, snapshot):
        self.taken = {place["booking_id"]: place["taken_commit"] for place in snapshot["reservations"]
                      if place["taken_commit"] is not None}
        self.commit_of = {(change["hospital_id"], change["date"], change["version"]): change["commit_no"]
                          for change in snapshot["capacity_changes"]}
        known = sorted(self._known(facts))
        self.known_end = [end for end, _ in known]
        self.known_commit = self._running(max, [commit for _, commit in known])
        started = sorted((facts.first_begin(booking_id), commit) for booking_id, commit in self.taken.items()
                         if facts.first_begin(booking_id) is not None)
        self.started_begin = [begin for begin, _ in started]
        self.started_commit = self._running(min, [commit for _, commit in reversed(started)])[::-1]

    @staticmethod
    def _running(choose, values):
        found = []
        for value in values:
            found.append(choose(found[-1], value) if found else value)
        return found

    def _known(self, facts):
        """Yields (end of an answer, number of a commit that had been made by then)."""
        for booking_id, reports in facts.reports.items():
            if booking_id in self.taken:
                for one in reports:
                    if one.version and one.status == CONFIRMED:
                        yield one.end, self.taken[booking_id]
        for record, hospital_id, day in reported_days(facts):
            commit = self.commit_of.get((hospital_id, day["date"], day["version"]))
            if commit is not None:
                yield record["end_ns"], commit

    def low(self, begin):
        """Returns the last commit that is known to have been made before `begin` (ns)."""
        at = bisect_left(self.known_end, begin)
        return self.known_commit[at - 1] if at else 0

    def high(self, end):
        """Returns the first commit that is known to have been made after `end` (ns)."""
        at = bisect_right(self.started_begin, end)
        return self.started_commit[at] if at < len(self.started_commit) else NEVER


def reported_days(facts):
    """Yields (record, hospital id, day as shown) of every answer that shows days."""
    for op in ("RegisterHospital", "GetHospital", "GetAvailability", "SetCapacity"):
        for hospital_id, records in facts.attempts[op].items():
            for record in records:
                if record["answer"] is None or record["answer"]["code"] != OK:
                    continue
                message = record["answer"]["message"]
                for day in message["days"] if "days" in message else [{"date": record["request"]["date"], **message}]:
                    yield record, hospital_id, day


class Answers:
    def __init__(self, facts, snapshot, days):
        self.facts, self.snapshot, self.days = facts, snapshot, days
        self.bounds = Bounds(facts, snapshot)
        self.hospitals = by_id(snapshot["hospitals"], "hospital_id")
        self.bookings = by_id(snapshot["bookings"])
        self.capacity_of = {(change["hospital_id"], change["date"], change["version"]): change["capacity"]
                            for change in snapshot["capacity_changes"]}

    def check(self):
        yield from self._check_order()
        for booking_id, creates in sorted(self.facts.attempts["CreateBooking"].items()):
            yield from self._check_refused(booking_id, creates)
        yield from self._check_days()
        yield from self._check_hospitals()

    def _day(self, hospital_id, date):
        return self.days.get((hospital_id, date)) or Day(hospital_id, date, {})

    def _check_order(self):
        """Checks that a booking that was requested after another commit had been reported took its place in a later commit."""
        for booking_id, taken in sorted(self.bounds.taken.items()):
            begin = self.facts.first_begin(booking_id)
            if begin is not None and taken and taken <= self.bounds.low(begin):
                yield "booking %s: was first asked for at %s, but took its place in commit %d; commit %d was over then" % (
                    booking_id, self.facts.when(begin, begin), taken, self.bounds.low(begin))

    def _refusal(self, booking_id):
        """Returns (reason, time, text) of a booking that is rejected, or was reported to be. The time is that of the first answer
        with the reason, or NEVER; the text describes that answer, or the stored row."""
        reports = [one for one in self.facts.reports.get(booking_id, ()) if one.status == REJECTED and one.reason]
        if reports:
            first = min(reports, key=lambda one: one.end)
            return first.reason, first.end, self.facts.text(first)
        booking = self.bookings.get(booking_id)
        if booking is not None and booking["status"] == REJECTED:
            return booking["status_reason"], NEVER, "stored as REJECTED " + booking["status_reason"]
        return None, NEVER, ""

    def _check_refused(self, booking_id, creates):
        reason, end, text = self._refusal(booking_id)
        if reason is None:
            return
        begin = min(record["begin_ns"] for record in creates)
        low, high = self.bounds.low(begin), self.bounds.high(end)
        why = self._objection(reason, creates, low, high, begin, end)
        if why:
            yield "booking %s: %s, %s (commits %s to %s)" % (booking_id, text, why, low, high)

    def _objection(self, reason, creates, low, high, begin, end):
        """Returns a text that shows that the reason was not true at any moment between the bounds. Returns None if it may have been
        true."""
        request = creates[0]["request"]
        hospital_id = request["hospital_id"].lower()
        day = self._day(hospital_id, request["date"])
        if reason in ("SOLD_OUT", "DATE_NOT_OPEN") and day.is_unknown(low):
            return None
        if reason == "SOLD_OUT":
            headcount = request.get("headcount") or 1
            least = day.least_remaining(low, high)
            return "but %d of %s were always left" % (least, day.name()) if least >= headcount else None
        if reason == "DATE_NOT_OPEN":
            passed = request["date"] < self.snapshot["today"]
            return None if passed or day.was_closed(low, high) else "but %s was always open" % day.name()
        if reason == "HOSPITAL_DELETED":
            asked = [record for record in self.facts.attempts["DeleteHospital"].get(hospital_id, ())
                     if record["begin_ns"] < end]
            deleted = self.hospitals.get(hospital_id, {}).get("state") == DELETED
            return None if asked and deleted else "but hospital %s was not deleted" % hospital_id
        if reason == "HOSPITAL_NOT_FOUND":
            known = any(record["end_ns"] < begin for record in self.facts.answered("RegisterHospital", hospital_id))
            return "but hospital %s was registered before" % hospital_id if known else None
        if reason in ("RELEASED", "REFUSED"):
            return "but nothing had ended it before, and it was in order"
        return None

    def _check_days(self):
        """Checks that each day that was shown in an answer had that state at some moment of the call."""
        for record, hospital_id, shown in reported_days(self.facts):
            day = self._day(hospital_id, shown["date"])
            if day.is_unknown(self.bounds.low(record["begin_ns"])):
                continue
            state = shown["capacity"], shown["remaining"], shown["version"]
            if record["op"] in ("GetHospital", "GetAvailability"):
                states = day.states_in(self.bounds.low(record["begin_ns"]), self.bounds.high(record["end_ns"]))
                fits = state in ((capacity, max(0, capacity - reserved), version) for capacity, reserved, version in states)
            else:  # an answer from within a commit, in which other bookings took an unknown number of places
                fits = 0 <= shown["remaining"] <= shown["capacity"]
            if not fits or shown["capacity"] != self._capacity(hospital_id, shown):
                yield "%s: was told as capacity %d, remaining %d, version %d (%s %s %s), which it never was then" % (
                    day.name(), *state, record["client"], record["op"],
                    self.facts.when(record["begin_ns"], record["end_ns"]))

    def _capacity(self, hospital_id, shown):
        """Returns the capacity that the day had in the version that was shown. A day that was never opened has version 0."""
        return self.capacity_of.get((hospital_id, shown["date"], shown["version"]), None if shown["version"] else 0)

    def _check_hospitals(self):
        """Checks that every registration or deletion that was answered OK is stored."""
        for op, done in (("RegisterHospital", (1, DELETED)), ("DeleteHospital", (DELETED,))):
            for hospital_id in sorted(self.facts.attempts[op]):
                answers = self.facts.answered(op, hospital_id)
                if answers and self.hospitals.get(hospital_id, {}).get("state") not in done:
                    yield "hospital %s: %s was answered OK at %s, but is not stored" % (
                        hospital_id, op, self.facts.when(answers[0]["begin_ns"], answers[0]["end_ns"]))
        for hospital_id, hospital in sorted(self.hospitals.items()):
            if hospital["state"] == DELETED and hospital_id not in self.facts.attempts["DeleteHospital"]:
                yield "hospital %s: is deleted, but nobody asked for it" % hospital_id


def check(facts, snapshot, days):
    return Answers(facts, snapshot, days).check()
