"""Plays a small run that covers everything. Each test of the checker breaks one part of it."""
import re

from . import checker
from .model import DAYS, Model

D1, D2 = DAYS


class Story:
    """A small run that covers everything, with names for its parts. `broken`, if given, is called with the story before the end of
    the run."""

    def __init__(self, broken=None):
        self.model = model = Model()
        self.clinic, self.closing = model.register(4), model.register(5)
        self.kept = model.book(self.clinic, D1, 2)
        self.cancelled = model.book(self.clinic, D1, 2, client="c2")
        self.sold_out = model.book(self.clinic, D1, 2, client="c3")
        model.availability(self.clinic)
        model.cancel(self.cancelled, client="c2")
        model.release()
        self.after = model.book(self.clinic, D1, 1)
        self.queued = model.book(self.clinic, D2, 1, queued=True, unavailable=True)
        model.settle()
        model.get(self.queued)
        self.early = model.book(self.clinic, D2, 1, queued=True, unavailable=True)
        model.cancel(self.early)
        self.unavailable = model.book(self.clinic, D2, 1, unavailable=True)
        model.set_capacity(self.clinic, D2, 9)
        self.forced = model.book(self.closing, D1, 1)
        if broken is not None:
            broken(self)
        model.delete(self.closing)
        self.late = model.book(self.closing, D1)
        model.list()
        self.snapshot = model.finish()
        self.records = model.records

    def row(self, table, **key):
        found = [row for row in self.snapshot[table] if all(row[name] == value for name, value in key.items())]
        assert found, (table, key)
        return found[0]

    def drop(self, table, **key):
        self.snapshot[table].remove(self.row(table, **key))

    def answer(self, op, entity_id):
        return next(record for record in self.records if record["op"] == op and record["id"] == entity_id)["answer"]

    def event(self, booking_id, status):
        def content_of(event):
            booking = event["event"]["booking"]
            return booking["booking_id"], booking["status"]
        return next(event for event in self.snapshot["booking_events"] if content_of(event) == (booking_id, status))

    def objects(self, pattern, *words):
        """Checks that the checker reports a problem that matches the pattern. `words` fill the placeholders of the pattern."""
        problems = checker.check(self.records, self.snapshot)
        pattern = pattern % words if words else pattern
        assert any(re.search(pattern, problem) for problem in problems), (pattern, problems)

    def is_fine(self):
        problems = checker.check(self.records, self.snapshot)
        assert not problems, problems


def refuse(model, reason):
    """Makes hospital-svc refuse the next booking with `reason`, whether it is true or not."""
    reserve = model.reserve

    def refuse_once(_):
        model.reserve = reserve
        return reason
    model.reserve = refuse_once


def lied(reason, **request):
    def book(story):
        refuse(story.model, reason)
        story.lied = story.model.book(story.clinic, D1, **request)
    return Story(book)
