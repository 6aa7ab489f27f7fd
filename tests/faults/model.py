"""Models correct services in one thread and in memory, for the tests of the checker. The model executes calls one after the other,
and stores the answers that the clients would get and the rows that the databases would contain."""
import random
from collections import defaultdict

from .facts import (CANCELLED, CONFIRMED, FAILED_PRECONDITION, FINAL, FORCE_CANCELLED, NOT_FOUND, OK, REJECTED, REQUESTED)

TODAY = "2026-12-01"
DAYS = ("2026-12-02", "2026-12-03")
EVENTS = {REQUESTED: "booking.requested", CONFIRMED: "booking.confirmed", REJECTED: "booking.rejected",
          CANCELLED: "booking.cancelled", FORCE_CANCELLED: "booking.force_cancelled"}
LIVE, RELEASED, TOMBSTONE = 1, 2, 3
TICK_NS = 1000000


class Log:
    def __init__(self, model, name):
        self.model, self.name, self.events = model, name, []
        self.log_id = model.new_id()

    def append(self, kind, **body):
        seq, at = len(self.events) + 1, self.model.now // 1000
        event = {"seq": seq, "event_id": self.model.new_id(), "type": kind, "occurred_at": at, "traceparent": "",
                 "booking": None, "hospital": None, "day": None, **body}
        self.events.append({"seq": seq, "event_id": event["event_id"], "type": kind, "occurred_at_us": at, "event": event})
        return self.events[-1]

    def head(self):
        last = self.events[-1] if self.events else {"seq": 0, "event_id": "00000000-0000-0000-0000-000000000000"}
        return {"log_id": self.log_id, "head_seq": last["seq"], "head_event_id": last["event_id"]}

    def cursor(self):
        head = self.head()
        return {"log": self.name, "log_id": self.log_id, "seq": head["head_seq"], "event_id": head["head_event_id"]}


class Model:
    def __init__(self):
        self.ids = self.now = self.counter = 0
        self.records = []
        self.tables = {name: [] for name in ("capacity_changes", "entries")}
        self.hospitals, self.days, self.reservations, self.bookings, self.deletions = {}, {}, {}, {}, {}
        self.logs = {name: Log(self, name) for name in ("hospital", "booking")}
        self.unreleased, self.requested = [], []
        self.batch = None  # number of the open commit: 0 before its first change, None if no commit is open

    def new_id(self):
        self.ids += 1
        return "00000000-0000-7000-8000-%012x" % self.ids

    def tick(self):
        self.now += TICK_NS
        return self.now

    def commit(self):
        """Returns the number of the commit that contains the current change."""
        if self.batch:
            return self.batch
        self.counter += 1
        if self.batch is not None:
            self.batch = self.counter
        return self.counter

    def record(self, op, entity_id, request, begin, client, code=OK, reason="", message=None):
        answer = {"code": code, "reason": reason, "retry_after_ms": 0}
        if code == OK:
            answer["message"] = message
        record = {"client": client, "op": op, "id": entity_id, "request": request, "begin_ns": begin,
                  "end_ns": self.tick(), "answer": answer}
        self.records.append(record)
        return record

    # ---- hospitals

    def _set(self, hospital_id, date, capacity):
        day = self.days.setdefault((hospital_id, date), {"hospital_id": hospital_id, "date": date, "capacity": 0,
                                                         "remaining": 0, "version": 0})
        day["remaining"] += capacity - day["capacity"]
        day["capacity"], day["version"] = capacity, day["version"] + 1
        self.tables["capacity_changes"].append({"hospital_id": hospital_id, "date": date, "version": day["version"],
                                                "capacity": capacity, "commit_no": self.commit()})
        return {name: day[name] for name in ("date", "capacity", "remaining", "version")}

    def register(self, capacity, client="admin"):
        begin, hospital_id, outer = self.tick(), self.new_id(), self.batch
        self.batch = 0 if outer is None else outer
        request = {"hospital_id": hospital_id, "days": [{"date": date, "capacity": capacity} for date in DAYS]}
        days = [self._set(hospital_id, date, capacity) for date in DAYS]
        self.batch = None if outer is None else self.batch
        self.hospitals[hospital_id] = {"hospital_id": hospital_id, "name": "한빛", "state": 1}
        shown = {"hospital_id": hospital_id, "name": "한빛", "status": 1, "days": days}
        self.logs["hospital"].append("hospital.registered", hospital=shown)
        self.record("RegisterHospital", hospital_id, request, begin, client, message=shown)
        return hospital_id

    def set_capacity(self, hospital_id, date, capacity, client="admin", begin=None):
        begin, day = begin or self.tick(), self.days[hospital_id, date]
        request = {"hospital_id": hospital_id, "date": date, "capacity": capacity}
        if self.hospitals[hospital_id]["state"] != 1 or capacity < day["capacity"] - day["remaining"]:
            reason = "CAPACITY_BELOW_RESERVED" if self.hospitals[hospital_id]["state"] == 1 else "HOSPITAL_DELETED"
            return self.record("SetCapacity", hospital_id, request, begin, client, FAILED_PRECONDITION, reason)
        if capacity == day["capacity"]:
            shown = {name: day[name] for name in ("date", "capacity", "remaining", "version")}
        else:
            shown = self._set(hospital_id, date, capacity)
            self.logs["hospital"].append("hospital.capacity_set", day={"hospital_id": hospital_id, "day": dict(shown)})
        return self.record("SetCapacity", hospital_id, request, begin, client, message=shown)

    def availability(self, hospital_id, client="admin"):
        begin = self.tick()
        days = [{name: self.days[hospital_id, date][name] for name in ("date", "capacity", "remaining", "version")}
                for date in DAYS]
        return self.record("GetAvailability", hospital_id, {"hospital_id": hospital_id}, begin, client,
                           message={"days": days})

    def delete(self, hospital_id, client="admin"):
        begin = self.tick()
        if self.hospitals[hospital_id]["state"] == 1:
            self.hospitals[hospital_id]["state"] = 2
            self.logs["hospital"].append("hospital.deleted", hospital={"hospital_id": hospital_id, "days": []})
        return self.record("DeleteHospital", hospital_id, {"hospital_id": hospital_id}, begin, client,
                           message={"hospital_id": hospital_id, "status": 2, "days": []})

    def work_off_deletions(self):
        for hospital_id, hospital in self.hospitals.items():
            if hospital["state"] == 2:
                self.deletions[hospital_id] = {"hospital_id": hospital_id, "day": TODAY, "done": 1}
        for booking in self.bookings.values():
            if booking["hospital_id"] in self.deletions and booking["status"] not in FINAL:
                self._move(booking, FORCE_CANCELLED, "HOSPITAL_DELETED")

    # ---- places

    def reserve(self, booking):
        day = self.days.get((booking["hospital_id"], booking["date"]))
        if self.hospitals[booking["hospital_id"]]["state"] != 1:
            return "HOSPITAL_DELETED"
        if day is None or day["capacity"] == 0:
            return "DATE_NOT_OPEN"
        if day["remaining"] < booking["headcount"]:
            return "SOLD_OUT"
        day["remaining"] -= booking["headcount"]
        self.reservations[booking["booking_id"]] = {
            "booking_id": booking["booking_id"], "hospital_id": booking["hospital_id"], "date": booking["date"],
            "headcount": booking["headcount"], "state": LIVE, "taken_commit": self.commit(), "released_commit": None}
        return ""

    def release(self):
        """Makes hospital-svc process the events of the bookings that have ended."""
        for booking in self.unreleased:
            place = self.reservations.get(booking["booking_id"])
            if place is None:
                self.reservations[booking["booking_id"]] = {
                    "booking_id": booking["booking_id"], "hospital_id": booking["hospital_id"], "date": booking["date"],
                    "headcount": 0, "state": TOMBSTONE, "taken_commit": None, "released_commit": self.commit()}
            else:
                self.days[place["hospital_id"], place["date"]]["remaining"] += place["headcount"]
                place["state"], place["released_commit"] = RELEASED, self.commit()
        self.unreleased = []

    # ---- bookings

    def _publish(self, booking):
        event = self.logs["booking"].append(EVENTS[booking["status"]], booking=self.shown(booking))
        self.tables["entries"].append({
            "booking_id": booking["booking_id"], "version": booking["version"], "event_id": event["event_id"],
            "status": booking["status"], "reason": booking["status_reason"], "occurred_at_us": event["occurred_at_us"],
            "source": "booking", "seq": event["seq"]})

    @staticmethod
    def shown(booking):
        return {name: value for name, value in booking.items() if name not in ("queue_if_unavailable", "announced")}

    def _move(self, booking, status, reason=""):
        booking.update(status=status, status_reason=reason, version=booking["version"] + 1, updated_at_us=self.now // 1000)
        self._publish(booking)
        if status in FINAL:
            self.unreleased.append(booking)

    def _settle(self, booking):
        reason = self.reserve(booking)
        self._move(booking, REJECTED if reason else CONFIRMED, reason)

    def settle(self):
        """Makes the settler process the queued bookings."""
        for booking in self.requested:
            if booking["status"] == REQUESTED:
                self._settle(booking)
        self.requested = []

    def book(self, hospital_id, date=DAYS[0], headcount=1, client="c1", queued=False, unavailable=False, begin=None):
        begin, booking_id = begin or self.tick(), self.new_id()
        request = {"booking_id": booking_id, "customer_id": client, "customer_name": "김하늘", "hospital_id": hospital_id,
                   "date": date, "headcount": headcount, "queue_if_unavailable": queued}
        booking = {**request, "status": REQUESTED, "status_reason": "", "created_at_us": self.now // 1000,
                   "updated_at_us": self.now // 1000, "version": 1, "announced": int(queued and unavailable)}
        self.bookings[booking_id] = booking
        if not unavailable:
            self._settle(booking)
        elif queued:
            self._publish(booking)
            self.requested.append(booking)
        else:
            self._move(booking, REJECTED, "HOSPITAL_UNAVAILABLE")
        self.create_again(booking_id, client, begin, request)
        return booking_id

    def create_again(self, booking_id, client="c1", begin=None, request=None):
        booking = self.bookings[booking_id]
        request = request or {**self.shown(booking), "queue_if_unavailable": booking["queue_if_unavailable"]}
        begin = begin or self.tick()
        if booking["status"] == REJECTED:
            return self.record("CreateBooking", booking_id, request, begin, client, FAILED_PRECONDITION,
                               booking["status_reason"])
        return self.record("CreateBooking", booking_id, request, begin, client, message=self.shown(booking))

    def cancel(self, booking_id, reason="변경", client="c1", begin=None):
        begin, booking = begin or self.tick(), self.bookings.get(booking_id)
        request = {"booking_id": booking_id, "reason": reason}
        if booking is None:
            return self.record("CancelBooking", booking_id, request, begin, client, NOT_FOUND)
        if booking["status"] in (REJECTED, FORCE_CANCELLED):
            return self.record("CancelBooking", booking_id, request, begin, client, FAILED_PRECONDITION, "BOOKING_FINAL")
        if booking["status"] != CANCELLED:
            self._move(booking, CANCELLED, reason)
        return self.record("CancelBooking", booking_id, request, begin, client, message=self.shown(booking))

    def get(self, booking_id, client="c2"):
        begin = self.tick()
        return self.record("GetBooking", booking_id, {"booking_id": booking_id}, begin, client,
                           message=self.shown(self.bookings[booking_id]))

    def list(self, client="c1"):
        begin = self.tick()
        found = [self.shown(booking) for booking in self.bookings.values() if booking["customer_id"] == client]
        return self.record("ListBookings", client, {"customer_id": client}, begin, client, message={"bookings": found})

    # ---- migration and end of a run

    def migrate(self):
        """Resets the numbering, as if hospital-svc had not numbered its commits so far."""
        self.counter = 0
        for place in self.reservations.values():
            for name in ("taken_commit", "released_commit"):
                place[name] = None if place[name] is None else 0
        self.tables["capacity_changes"][:] = [
            {**{name: day[name] for name in ("hospital_id", "date", "version", "capacity")}, "commit_no": 0}
            for day in self.days.values()]

    def _stored_days(self):
        for day in self.days.values():
            yield {**{name: day[name] for name in ("hospital_id", "date", "capacity", "version")},
                   "reserved": day["capacity"] - day["remaining"]}

    def finish(self):
        """Completes all pending work. Returns the snapshot."""
        self.settle()
        self.work_off_deletions()
        self.release()
        copies = {name: [dict(row) for row in rows] for name, rows in (
            ("hospitals", self.hospitals.values()), ("days", self._stored_days()),
            ("reservations", self.reservations.values()), ("deletions", self.deletions.values()),
            ("bookings", self.bookings.values()))}
        snapshot = {**copies, **self.tables, "commit_counter": [{"commit_no": self.counter}], "today": TODAY,
                    "unknown_events": []}
        for name, log in self.logs.items():
            snapshot[name + "_events"], snapshot[name + "_head"] = log.events, [log.head()]
        for service, logs in (("hospital", ["booking"]), ("booking", ["hospital"]), ("history", ["booking", "hospital"])):
            snapshot[service + "_cursors"] = [self.logs[name].cursor() for name in logs]
            snapshot[service + "_dead_letters"] = []
        published = {event["event"]["booking"]["booking_id"] for event in self.logs["booking"].events}
        snapshot["summaries"] = [self.shown(booking) for booking in self.bookings.values() if booking["booking_id"] in published]
        snapshot["history_hospitals"] = [
            {"hospital_id": hospital_id, "name": hospital["name"],
             "deleted_day": self.deletions.get(hospital_id, {}).get("day")}
            for hospital_id, hospital in self.hospitals.items()]
        return snapshot


def play(seed, steps=120):
    """Plays a random run with calls that overlap and answers that come late or never. Returns (records, snapshot)."""
    model, choose = Model(), random.Random(seed)
    hospitals = [model.register(choose.randint(0, 6)) for _ in range(3)]
    late = defaultdict(list)
    for step in range(steps):
        begin = max(model.now - choose.randint(0, 8) * TICK_NS, 1)
        before = len(model.records)
        _step(model, choose, hospitals, begin)
        for record in model.records[before:]:
            if choose.random() < 0.3:
                late[step + choose.randint(1, 6)].append(record)
        for record in late.pop(step, ()):
            record["end_ns"] = model.tick()
            if choose.random() < 0.3:
                record["answer"] = None
    return model.records, model.finish()


def _step(model, choose, hospitals, begin):
    hospital_id, date = choose.choice(hospitals), choose.choice(DAYS)
    known = list(model.bookings) or [model.new_id()]
    number = choose.randint(0, 19)
    if number < 8:
        model.book(hospital_id, date, choose.randint(1, 3), "c%d" % choose.randint(1, 4), choose.random() < 0.5,
                   choose.random() < 0.2, begin)
    elif number < 9:
        model.batch = 0
        for _ in range(3):
            model.book(hospital_id, date, begin=begin)
        model.set_capacity(hospital_id, date, choose.randint(0, 8), begin=begin)
        model.book(hospital_id, date, begin=begin)
        model.batch = None
    elif number < 12:
        model.cancel(choose.choice(known), begin=begin)
    elif number < 14:
        model.release()
    elif number < 15:
        model.set_capacity(hospital_id, date, choose.randint(0, 8), begin=begin)
    elif number < 16:
        model.settle()
    elif number < 17 and choose.random() < 0.2:
        model.delete(hospital_id)
    elif number < 18 and model.bookings:
        model.get(choose.choice(known))
        model.create_again(choose.choice(known))
    else:
        model.availability(hospital_id)
        model.list("c%d" % choose.randint(1, 4))
