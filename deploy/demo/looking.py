"""What the demo reads through the public API, in the form that its lines compare."""

import collections
import time

import interrupts

AGREE_S = 10  # guarantee G4: by then all services agree


class Look:
    """Reads through screenctl, one call at a time."""

    def __init__(self, screenctl):
        self.ask, self.run = screenctl.ask, screenctl.run

    def hospitals_named(self, name):
        return self.ask("hospital", "list", "--name", name)["hospitals"]

    def days(self, hospital_id):
        """Returns date to (remaining, capacity), from today on."""
        return {day["date"]: (day["remaining"], day["capacity"])
                for day in self.ask("hospital", "show", hospital_id)["days"]}

    def remaining(self, hospital_id, date):
        return self.days(hospital_id)[date][0]

    def booking(self, booking_id):
        return self.ask("booking", "show", booking_id)

    def bookings(self, *by):
        """Returns the bookings of "--customer ID" or "--hospital ID", with further options to narrow them."""
        return self.ask("booking", "list", *by)["bookings"]

    def story(self, booking_id):
        """Returns what history-svc reports about a booking; None while it does not know the booking."""
        answer = self.run("history", "booking", booking_id)
        return answer.body if answer.exit_code == 0 else None

    def story_status(self, booking_id):
        """Returns "CONFIRMED", "nothing yet" or "FORCE_CANCELLED (provisional)"."""
        story = self.story(booking_id)
        if story is None:
            return "nothing yet"
        return story["summary"]["booking"]["status"] + (" (provisional)" if story["summary"]["provisional"] else "")

    def timeline(self, booking_id):
        story = self.story(booking_id)
        return [entry["status"] for entry in story["entries"]] if story else []

    def projection(self):
        """Returns how far history-svc has followed each log: "12 of 12"."""
        return {log["log"] + " log": "%s of %s" % (log["appliedSeq"], log["headSeq"])
                for log in self.ask("projection")["logs"]}


def count_by_status(bookings):
    return dict(sorted(collections.Counter(booking["status"] for booking in bookings).items()))


def look_until(expected, look):
    """Reads until the result is as expected or AGREE_S have passed; returns (last result, seconds taken)."""
    begun = time.monotonic()
    while True:
        saw, took_s = look(), time.monotonic() - begun
        if saw == expected or took_s > AGREE_S:
            return saw, took_s
        interrupts.sleep(0.02)
