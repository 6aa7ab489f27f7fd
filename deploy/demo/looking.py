"""Reads through the public API, and returns the results in the form that the lines of the demo compare."""

import collections
import time

import interrupts

AGREE_S = 10  # the time within which all services agree (guarantee G4)


class Look:
    """Reads through screenctl, one call at a time."""

    def __init__(self, screenctl):
        self.ask, self.run = screenctl.ask, screenctl.run

    def hospitals_named(self, name):
        return self.ask("hospital", "list", "--name", name)["hospitals"]

    def days(self, hospital_id):
        """Returns {date: (remaining, capacity)} of the hospital's days, from today on."""
        return {day["date"]: (day["remaining"], day["capacity"])
                for day in self.ask("hospital", "show", hospital_id)["days"]}

    def remaining(self, hospital_id, date):
        return self.days(hospital_id)[date][0]

    def booking(self, booking_id):
        return self.ask("booking", "show", booking_id)

    def bookings(self, *by):
        """Returns the bookings of "--customer ID" or "--hospital ID". Further options narrow the list."""
        return self.ask("booking", "list", *by)["bookings"]

    def story(self, booking_id):
        """Returns what history-svc reports about a booking, or None while history-svc does not know the booking."""
        answer = self.run("history", "booking", booking_id)
        return answer.body if answer.exit_code == 0 else None

    def story_status(self, booking_id):
        """Returns the booking's status in history-svc: "CONFIRMED", "nothing yet" or "FORCE_CANCELLED (provisional)", for
        example."""
        story = self.story(booking_id)
        if story is None:
            return "nothing yet"
        return story["summary"]["booking"]["status"] + (" (provisional)" if story["summary"]["provisional"] else "")

    def timeline(self, booking_id):
        story = self.story(booking_id)
        return [entry["status"] for entry in story["entries"]] if story else []

    def projection(self):
        """Returns how many events of each log history-svc has applied, as "12 of 12"."""
        return {log["log"] + " log": "%s of %s" % (log["appliedSeq"], log["headSeq"])
                for log in self.ask("projection")["logs"]}


def count_by_status(bookings):
    return dict(sorted(collections.Counter(booking["status"] for booking in bookings).items()))


def look_until(expected, look):
    """Calls `look` until it returns `expected` or AGREE_S have passed. Returns (last result, seconds taken)."""
    begun = time.monotonic()
    while True:
        saw, took_s = look(), time.monotonic() - begun
        if saw == expected or took_s > AGREE_S:
            return saw, took_s
        interrupts.sleep(0.02)
