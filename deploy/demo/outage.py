"""Stops history-svc and its PostgreSQL, shows that bookings continue, and that the history catches up after the restart."""

from kit import rpc
from looking import Look, count_by_status, look_until
from report import say

BOOKINGS = 50


class Outage:
    """The steps of the outage. `clinic` has days with enough places; `rush_date` is the day that has none left."""

    def __init__(self, stack, report, clinic, rush_date):
        self.stack, self.report, self.clinic, self.rush_date = stack, report, clinic, rush_date
        self.look = Look(stack.screenctl)

    def play(self):
        self._stop()
        self._book()
        self._start()

    def _health(self):
        """Returns the health of each service, by name."""
        body = self.stack.screenctl.run("--timeout", 500, "health").body
        return {service["service"]: service["status"] for service in body["services"]}

    def _stop(self):
        say("stopping history-svc and its PostgreSQL")
        self.end = self.stack.services["history"].stop()
        self.stack.stop_cluster()

    def _free_places(self):
        return {date: left for date, (left, _) in self.look.days(self.clinic).items() if left > 0 and date != self.rush_date}

    def _book(self):
        free = self._free_places()
        places = [date for date, left in free.items() for _ in range(left)][:BOOKINGS]
        self.ids = [rpc.new_id() for _ in places]
        for number, (booking_id, date) in enumerate(zip(self.ids, places), 1):
            self.stack.screenctl.run("book", "--customer", "outage-%02d" % number, "--name", "손님 %d" % number,
                                     "--hospital", self.clinic, "--date", date, "--id", booking_id)
            if number % 10 == 0:
                say("%d of %d booked while history-svc is down" % (number, BOOKINGS))
        health = self._health()
        self.report.add(
            "bookings go on without history", "history-svc and its PostgreSQL stopped, then screenctl book, %d times" % BOOKINGS,
            {"SIGTERM": "exit 0", "history-svc serves": False, "CONFIRMED": BOOKINGS, "places left": sum(free.values()) - BOOKINGS},
            {"SIGTERM": self.end, "history-svc serves": health["history-svc"] == "SERVING",
             "CONFIRMED": count_by_status(self.look.booking(one) for one in self.ids).get("CONFIRMED", 0),
             "places left": sum(self._free_places().values())})

    def _start(self):
        heads = self._log_heads()
        self.stack.start_cluster()
        self.stack.services["history"].start()
        self.stack.services["history"].wait_serving()
        expected = {"CONFIRMED": len(self.ids), **{log + " log": "%d of %d" % (head, head) for log, head in heads.items()}}

        def saw():
            stories = count_by_status({"status": self.look.story_status(one)} for one in self.ids)
            return {**stories, **self.look.projection()}
        seen, took_s = look_until(expected, saw)
        self.report.add("history catches up", "PostgreSQL and history-svc started again", expected, seen, took_s=took_s)

    def _log_heads(self):
        """Returns the number of the last event in the log of each publisher, by the publisher's name."""
        heads = {}
        for name in ("booking", "hospital"):
            stats = self.stack.screenctl.ask("call", "Stats", "{}", "--to", name)["stats"]
            heads[name] = next(int(stat["value"]) for stat in stats if stat["name"] == "events_head_seq")
        return heads
