"""Restores either database to its state before and after every kind of event, while the other one is not restored. No place is sold
twice, and anything that is not repaired automatically is reported.

A story has an event of each kind. Both databases are backed up at each point between two events. A case is the pair of points from
which the two services continue. Each test restores one database to points of the story, while the other stays at the end of the
story. In some cases the database is restored while its service runs. On SQLite, a test uses all points. On PostgreSQL, one test
uses every other point, and the other test the rest. With SCREENING_FULL=1, every pair of points is used, in both directions."""
import os
import re

from kit import rpc
from kit.backup import back_up, restore, restore_live
from kit.stack import Stack, wait_for
from kit.world import (CONFIRMED, DELETED, FORCE_CANCELLED, REJECTED, REQUESTED, book, booking_request, check_refused, day, queue,
                       register, remaining, repair, status_of)

FULL = os.environ.get("SCREENING_FULL") == "1"
PROBE_MS = 300
LOST_EVENTS = "the database went back: events %d to %d of the hospital log are lost"


def plain(booking_id):
    return booking_id.hex() if isinstance(booking_id, bytes) else booking_id.replace("-", "")


def ids(stack, name, sql):
    return {plain(row[0]) for row in stack.rows(name, sql)}


def statuses(stack):
    """Returns {booking id: status} of booking-svc's database."""
    return {plain(row[0]): int(row[1]) for row in stack.rows("booking", "SELECT booking_id, status FROM booking")}


def live(stack):
    return ids(stack, "hospital", "SELECT booking_id FROM reservation WHERE state = 1")


def confirmed(stack):
    return ids(stack, "booking", "SELECT booking_id FROM booking WHERE status = %d" % CONFIRMED)


def reasons(stack, name):
    return list(getattr(stack, name).Stats().message.degraded)


def is_followed(stack, name, log):
    """Returns whether the service `name` has applied the log of the service `log` to its end."""
    head = stack.rows(log, "SELECT head_seq FROM event_log_head")[0][0]
    applied = stack.rows(name, "SELECT seq FROM event_cursor WHERE log = '%s'" % log)
    return int(head) == (int(applied[0][0]) if applied else 0)


class Point:
    """Backups of both databases between two events, and the facts that the checks need."""

    def __init__(self, stack):
        self.backups = {name: back_up(stack, name) for name in ("hospital", "booking")}
        self.live, self.status = live(stack), statuses(stack)
        self.confirmations = stack.value("booking", "SELECT COUNT(*) FROM event_log WHERE type = 'booking.confirmed'")
        self.hospital_head = stack.value("hospital", "SELECT head_seq FROM event_log_head")
        self.hospital_applied = stack.value("booking", "SELECT COALESCE(MAX(seq), 0) FROM event_cursor")

    def confirmed(self):
        return {booking_id for booking_id, status in self.status.items() if status == CONFIRMED}


class Story:
    """The events in order: one of each kind, and those that are needed in between."""

    def __init__(self, stack):
        self.stack = stack
        self.probe, self.closing = register(stack, capacity=100000), register(stack, capacity=3)
        self.forced = book(stack, self.closing)
        self.clinic, self.queued = rpc.new_id(), None
        self.points = [self._point()]
        self.after = {}  # name of each event -> index of the point after it
        for event in (self.registered, self.day_opened, self.capacity_changed, self.requested, self.confirmed, self.filled,
                      self.rejected, self.cancelled, self.sold_again, self.deleted, self.force_cancelled):
            event()
            self.points.append(self._point())
            self.after[event.__name__] = len(self.points) - 1

    def _point(self):
        """Waits until each running service has applied the other's log, then backs up both databases. Returns the Point."""
        for name, log in (("hospital", "booking"), ("booking", "hospital")):
            if self.stack.services[name].process.poll() is None:
                wait_for("%s-svc has applied the %s log" % (name, log), lambda: is_followed(self.stack, name, log))
        return Point(self.stack)

    def registered(self):
        register(self.stack, capacity=2, hospital_id=self.clinic)

    def day_opened(self):
        self._set_capacity(2, 2)

    def capacity_changed(self):
        self._set_capacity(1, 3)

    def _set_capacity(self, offset, capacity):
        reply = self.stack.hospital.SetCapacity(hospital_id=self.clinic, date=day(offset), capacity=capacity)
        assert reply.code == rpc.OK, reply

    def requested(self):
        self.queued = booking_request(self.clinic, queue_if_unavailable=True)
        self.stack.hospital_svc.kill()
        queue(self.stack, self.queued)

    def confirmed(self):
        self.stack.hospital_svc.start()
        wait_for("the queued booking is confirmed", lambda: status_of(self.stack, self.queued["booking_id"]) == CONFIRMED)

    def filled(self):
        for _ in range(2):
            book(self.stack, self.clinic)

    def rejected(self):
        check_refused(self.stack.booking.CreateBooking(**booking_request(self.clinic)), rpc.FAILED_PRECONDITION, "SOLD_OUT")

    def cancelled(self):
        assert self.stack.booking.CancelBooking(booking_id=self.queued["booking_id"]).code == rpc.OK
        wait_for("the place is free", lambda: remaining(self.stack, self.clinic) == 1)

    def sold_again(self):
        book(self.stack, self.clinic)

    def deleted(self):
        self.stack.booking_svc.kill()
        assert self.stack.hospital.DeleteHospital(hospital_id=self.closing).code == rpc.OK

    def force_cancelled(self):
        self.stack.booking_svc.start()
        wait_for("it is heard of", lambda: status_of(self.stack, self.forced.booking_id) == FORCE_CANCELLED)


class Case:
    """One case: hospital-svc continues from point h, booking-svc from point b."""

    def __init__(self, story, h, b, is_live):
        self.story, self.stack, self.h, self.b, self.is_live = story, story.stack, h, b, is_live
        self.hospital, self.booking = story.points[h], story.points[b]

    def play(self):
        try:
            self._go_back()
            self._heal()
            self._check_places()
            self._check_bookings()
            self._check_reasons()
            self._check_day()
        except Exception as problem:
            raise AssertionError("hospital-svc from point %d, booking-svc from point %d, %s: %s" % (
                self.h, self.b, "live" if self.is_live else "stopped", problem)) from problem

    def _go_back(self):
        """Restores each database to its point (h or b). If `is_live` is true, first restores both to the later of the two points
        and starts both services, and then restores the database with the earlier point while its service runs."""
        begin = max(self.h, self.b)
        for name, point in (("hospital", self.h), ("booking", self.b)):
            self.stack.services[name].kill()
            restore(self.stack, name, self.story.points[begin if self.is_live else point].backups[name])
        for name in ("hospital", "booking"):
            self.stack.services[name].spawn()
        for name in ("hospital", "booking"):
            self.stack.services[name].wait_ready()
        if not self.is_live:
            return
        self.stack.wait_paired()
        for name, point in (("hospital", self.h), ("booking", self.b)):
            if point != begin:
                restore_live(self.stack, name, self.story.points[point].backups[name])

    def _heal(self):
        """Does what docs/operations.md instructs for the reasons that hospital-svc reports, until a place is granted."""
        def granted():
            reply = self.stack.booking.CreateBooking(timeout_ms=PROBE_MS, **booking_request(self.story.probe))
            if reply.code == rpc.OK:
                return reply.message.status == CONFIRMED
            if "no places are granted: LOG_DIVERGED" in reasons(self.stack, "hospital"):
                assert self.b < self.h, "the booking log did not go back"
                self.stack.hospital_svc.stop()
                self.stack.hospital_svc.start(follow_log_from_start="booking")
            return False
        wait_for("places are granted, or hospital-svc says why not", granted)
        wait_for("all is settled", lambda: is_followed(self.stack, "hospital", "booking") and not ids(
            self.stack, "booking", "SELECT booking_id FROM booking WHERE status = %d" % REQUESTED))
        wait_for("the deletions are done", lambda: is_followed(self.stack, "booking", "hospital") and not self.stack.value(
            "booking", "SELECT COUNT(*) FROM hospital_deletion WHERE done = 0"))
        for booking_id, (state, outcome) in repair(self.stack, "--release").items():
            assert (state, outcome) == ("REJECTED", "RELEASED"), (booking_id, state, outcome)
            assert plain(booking_id) not in self.booking.status, "%s was known" % booking_id

    def _check_places(self):
        wait_for("places and bookings agree", lambda: live(self.stack) == confirmed(self.stack))
        rows = self.stack.rows("hospital", """
            SELECT d.reserved, COALESCE((SELECT SUM(r.headcount) FROM reservation r WHERE r.hospital_id = d.hospital_id
            AND r.date = d.date AND r.state = 1), 0) FROM screening_day d""")
        assert all(int(reserved) == int(held) for reserved, held in rows), rows

    def _is_deleted(self):
        return self.h >= self.story.after["deleted"] or self.b >= self.story.after["force_cancelled"]

    def _check_bookings(self):
        """Checks that every booking has the status that it had in booking-svc's database, and that a deletion that either database
        knows is known everywhere."""
        forced = plain(self.story.forced.booking_id)
        now = statuses(self.stack)
        for booking_id, status in self.booking.status.items():
            allowed = (CONFIRMED, REJECTED) if status == REQUESTED else (status,)
            if booking_id == forced:
                allowed = (FORCE_CANCELLED,) if self._is_deleted() else (CONFIRMED,)
            assert now.get(booking_id) in allowed, (booking_id, now.get(booking_id), allowed)
        found = self.stack.hospital.GetHospital(hospital_id=self.story.closing).message
        assert (found.status == DELETED) == self._is_deleted(), found

    def _check_reasons(self):
        given = reasons(self.stack, "hospital")
        lost = [text for text in given if text.endswith("of the hospital log are lost")]
        if self.hospital.hospital_head < self.booking.hospital_applied:
            assert lost == [LOST_EVENTS % (self.hospital.hospital_head + 1, self.booking.hospital_applied)], given
        else:
            assert not lost, given
        reinstated = [int(found[1]) for found in (re.match(
            r"the database went back: (\d+) confirmed bookings had no place", text) for text in given) if found]
        least, most = 0, 0
        if self.h < self.b:
            least = len(self.booking.confirmed() - self.hospital.live)
            most = self.booking.confirmations - self.hospital.confirmations
        assert least <= sum(reinstated) <= most, (given, least, most)
        days = self.stack.value("hospital", "SELECT COUNT(*) FROM screening_day WHERE reserved > capacity")
        wait_for("%d days are named as overcommitted" % days, lambda: sum(
            int(text.split()[0]) for text in reasons(self.stack, "hospital") if text.endswith("overcommitted")) == days)
        others = [text for text in given if not text.startswith("the database went back:") and not text.endswith("overcommitted")]
        assert not others and not reasons(self.stack, "booking"), (given, reasons(self.stack, "booking"))

    def _check_day(self):
        """Checks that as many bookings are confirmed as there are remaining places, and no more."""
        request = booking_request(self.story.clinic)
        if self.h < self.story.after["registered"]:
            check_refused(self.stack.booking.CreateBooking(**request), rpc.FAILED_PRECONDITION, "HOSPITAL_NOT_FOUND")
            return
        for _ in range(remaining(self.stack, self.story.clinic)):
            book(self.stack, self.story.clinic)
        check_refused(self.stack.booking.CreateBooking(**request), rpc.FAILED_PRECONDITION, "SOLD_OUT")
        self._check_places()


def play(driver, cases):
    """Plays the cases that cases(story) returns. Each is (h, b, is_live)."""
    with Stack(driver, without=("history",)) as stack:
        story = Story(stack)
        for h, b, is_live in cases(story):
            Case(story, h, b, is_live).play()


def pairs(driver, story, first):
    """Returns (older, newer, is_live) of each case: all pairs, or the short form, which on PostgreSQL begins at point `first`. At a
    point at which a service was down, is_live is False, because a running service would continue from there before the other
    database is restored."""
    last = len(story.points) - 1
    if FULL:
        down = (story.after["requested"], story.after["deleted"])
        return [(old, new, is_live) for new in range(last + 1) for old in range(new)
                for is_live in ((False,) if new in down else (False, True))]
    olds = range(last) if driver == "sqlite" else range(first, last, 2)
    return [(old, last, number % 2 == 1) for number, old in enumerate(olds)]


def test_a_hospital_database_restored_around_every_kind_of_event(driver):
    play(driver, lambda story: pairs(driver, story, 1))


def test_a_booking_database_restored_around_every_kind_of_event(driver):
    play(driver, lambda story: [(new, old, is_live) for old, new, is_live in pairs(driver, story, 0)])
