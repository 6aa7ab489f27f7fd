"""Compares the contents of the three databases with each other."""
import datetime
from collections import Counter, defaultdict

from .facts import (CANCELLED, CONFIRMED, FINAL, FORCE_CANCELLED, LIVE, NAMES, REJECTED, REQUESTED, VERSIONS, state_text)

RESERVATION_LIVE, RESERVATION_RELEASED, RESERVATION_TOMBSTONE = 1, 2, 3
RESERVATIONS = {RESERVATION_LIVE: "live", RESERVATION_RELEASED: "released", RESERVATION_TOMBSTONE: "a tombstone"}
DELETED = 2
STATUS_OF = {"booking.requested": REQUESTED, "booking.confirmed": CONFIRMED, "booking.rejected": REJECTED,
             "booking.cancelled": CANCELLED, "booking.force_cancelled": FORCE_CANCELLED}
RELEASED_EVENT = "booking.released"  # type of the event for a place that was granted too late; the booking itself does not change
NONE_YET = "00000000-0000-0000-0000-000000000000"
FOLLOWED = {"hospital": ("booking",), "booking": ("hospital",), "history": ("booking", "hospital")}
BOOKING = ("customer_id", "customer_name", "hospital_id", "date", "headcount", "status", "status_reason", "created_at_us",
           "updated_at_us", "version")


def by_id(rows, name="booking_id"):
    return {row[name]: row for row in rows}


def is_purged(snapshot, date):
    """Returns whether hospital-svc may have purged the reservations of `date` that ended, which it does 7 days later."""
    return date < (datetime.date.fromisoformat(snapshot["today"]) - datetime.timedelta(days=7)).isoformat()


def _differences(one, other, names):
    return ", ".join("%s %r against %r" % (name, one[name], other[name]) for name in names if one[name] != other[name])


# ---- logs

def check_logs(snapshot):
    for log in ("hospital", "booking"):
        events = sorted(snapshot[log + "_events"], key=lambda event: event["seq"])
        yield from _check_log(log, events, snapshot[log + "_head"])
    for service, logs in FOLLOWED.items():
        for log in logs:
            yield from _check_cursor(snapshot, service, log)
        for letter in snapshot[service + "_dead_letters"]:
            yield "%s-svc: dead letter: %s seq %s, event %s %s: %s" % (
                service, letter["log"], letter["seq"], letter["event_id"], letter["type"], letter["reason"])
    for event in snapshot["unknown_events"]:
        yield "history-svc: unknown event: %(log)s seq %(seq)s, %(type)s %(event_id)s" % event


def _check_log(log, events, heads):
    for expected, event in enumerate(events, 1):
        if event["seq"] != expected:
            yield "%s log: seq %d is missing, next is %d" % (log, expected, event["seq"])
            break
    for event_id, count in Counter(event["event_id"] for event in events).items():
        if count > 1:
            yield "%s log: event %s is there %d times" % (log, event_id, count)
    for event in events:
        packed = event["event"]
        different = _differences(event, {**packed, "occurred_at_us": packed["occurred_at"]},
                                 ("seq", "event_id", "type", "occurred_at_us"))
        if different:
            yield "%s log: seq %d and its event differ: %s" % (log, event["seq"], different)
    last = (events[-1]["seq"], events[-1]["event_id"]) if events else (0, NONE_YET)
    if len(heads) != 1 or (heads[0]["head_seq"], heads[0]["head_event_id"]) != last:
        yield "%s log: the head is %s, the last event is %d %s" % (
            log, [(head["head_seq"], head["head_event_id"]) for head in heads], *last)


def _check_cursor(snapshot, service, log):
    head = snapshot[log + "_head"][0] if snapshot[log + "_head"] else None
    cursor = by_id(snapshot[service + "_cursors"], "log").get(log)
    at = (cursor["log_id"], cursor["seq"], cursor["event_id"]) if cursor else None
    if head is None or (at is None and head["head_seq"] == 0):
        return
    if at != (head["log_id"], head["head_seq"], head["head_event_id"]):
        yield "%s-svc: its cursor in the %s log is %s, the head is %s" % (
            service, log, at, (head["log_id"], head["head_seq"], head["head_event_id"]))


# ---- the booking log, booking-svc, history-svc

def _events_of_bookings(snapshot):
    """Returns {booking id: the events of the booking log that changed the booking, in order}."""
    found = defaultdict(list)
    for event in sorted(snapshot["booking_events"], key=lambda event: event["seq"]):
        if event["event"]["booking"] is not None and event["type"] != RELEASED_EVENT:
            found[event["event"]["booking"]["booking_id"]].append(event)
    return found


def check_bookings(snapshot):
    events = _events_of_bookings(snapshot)
    summaries, bookings = by_id(snapshot["summaries"]), by_id(snapshot["bookings"])
    for event in snapshot["booking_events"]:
        if event["type"] == RELEASED_EVENT and event["event"]["booking"]["status"] not in FINAL:
            yield "booking log: seq %d releases a booking that has not ended" % event["seq"]
        elif event["type"] not in STATUS_OF and event["type"] != RELEASED_EVENT:
            yield "booking log: seq %d has the unknown type %s" % (event["seq"], event["type"])
    for booking_id in sorted(set(bookings) | set(events) | set(summaries)):
        stored = bookings.get(booking_id)
        if stored is None:
            yield "booking %s: events or history tell of it, but booking-svc does not know it" % booking_id
            continue
        if stored["status"] == REQUESTED:
            yield "booking %s: is still REQUESTED" % booking_id
        if stored["version"] not in VERSIONS.get(stored["status"], ()):
            yield "booking %s: is stored as %s" % (booking_id, state_text(stored["status"], stored["version"]))
        yield from _check_story(stored, events.get(booking_id, []))
        yield from _check_summary(stored, summaries.get(booking_id), events.get(booking_id, []))
    yield from _check_entries(snapshot, events)


def _check_story(stored, events):
    """Checks that the events of one booking lead, version by version, to the stored state."""
    name = "booking %s: " % stored["booking_id"]
    versions = [event["event"]["booking"]["version"] for event in events]
    # If no client was told about the first version of a booking, its events begin with the second.
    first = 2 - stored["announced"]
    if versions != list(range(first, stored["version"] + 1)):
        yield name + "has events of the versions %s, stored is %s%s" % (
            versions, state_text(stored["status"], stored["version"]), ", announced" if stored["announced"] else "")
    for event in events:
        booking = event["event"]["booking"]
        different = _differences(stored, booking, ("customer_id", "customer_name", "hospital_id", "date", "headcount"))
        if different:
            yield name + "seq %d tells other content: %s" % (event["seq"], different)
        if STATUS_OF.get(event["type"], booking["status"]) != booking["status"]:
            yield name + "seq %d is %s, but shows %s" % (event["seq"], event["type"], NAMES.get(booking["status"]))
        if booking["version"] not in VERSIONS.get(booking["status"], ()):
            yield name + "seq %d tells %s" % (event["seq"], state_text(booking["status"], booking["version"]))
    if events and events[-1]["event"]["booking"]["version"] == stored["version"]:
        different = _differences(stored, events[-1]["event"]["booking"], ("status", "status_reason"))
        if different:
            yield name + "its last event, seq %d, differs: %s" % (events[-1]["seq"], different)


def _check_summary(stored, summary, events):
    if summary is None:
        if events:
            yield "booking %s: is unknown to history-svc, booking-svc has %s" % (
                stored["booking_id"], state_text(stored["status"], stored["version"]))
        return
    different = _differences(stored, summary, BOOKING)
    if different:
        yield "booking %s: booking-svc and history-svc differ: %s" % (stored["booking_id"], different)


def _check_entries(snapshot, events):
    """Checks that the timeline in history-svc equals the booking log, event by event."""
    logged = {}
    for booking_id, of_booking in events.items():
        for event in of_booking:
            booking = event["event"]["booking"]
            logged[(booking_id, event["event_id"])] = (booking["version"], booking["status"], booking["status_reason"],
                                                       event["occurred_at_us"], "booking", event["seq"])
    kept = Counter((entry["booking_id"], entry["event_id"]) for entry in snapshot["entries"])
    for key, count in kept.items():
        if count > 1:
            yield "booking %s: history-svc has event %s %d times" % (*key, count)
    for key in sorted(logged.keys() - kept.keys()):
        yield "booking %s: history-svc misses event %s, seq %d" % (*key, logged[key][-1])
    for entry in snapshot["entries"]:
        key = (entry["booking_id"], entry["event_id"])
        is_kept = (entry["version"], entry["status"], entry["reason"], entry["occurred_at_us"], entry["source"],
                   entry["seq"])
        if key not in logged:
            yield "booking %s: history-svc has event %s, which the log has not" % key
        elif logged[key] != is_kept:
            yield "booking %s: history-svc has event %s as %s, the log as %s" % (*key, is_kept, logged[key])


# ---- places

def check_places(snapshot, bookings_lost=False):
    bookings, reservations = by_id(snapshot["bookings"]), by_id(snapshot["reservations"])
    ended = {booking_id: event["type"] for booking_id, events in _events_of_bookings(snapshot).items()
             for event in events if STATUS_OF.get(event["type"]) in FINAL}
    for booking_id in sorted(set(bookings) | set(reservations)):
        stored, place = bookings.get(booking_id), reservations.get(booking_id)
        name = "booking %s: " % booking_id
        if stored is None and bookings_lost and place["state"] != RESERVATION_LIVE:
            continue  # the booking was lost after it had ended
        if stored is None:
            yield name + "has a reservation that is %s, but booking-svc does not know it" % RESERVATIONS.get(
                place["state"])
            continue
        live = place is not None and place["state"] == RESERVATION_LIVE
        if stored["status"] == CONFIRMED and not live:
            yield name + "is CONFIRMED without a place: its reservation is %s" % (
                RESERVATIONS.get(place["state"]) if place else "not there")
        elif live and stored["status"] != CONFIRMED:
            yield name + "is %s, but its %d places are still taken" % (NAMES.get(stored["status"]), place["headcount"])
        if place is None and booking_id in ended and not is_purged(snapshot, stored["date"]):
            yield name + "%s was never applied at hospital-svc" % ended[booking_id]
        if place is not None:
            yield from _check_reservation(name, stored, place, ended.get(booking_id))


def _check_reservation(name, stored, place, ended):
    tombstone = place["state"] == RESERVATION_TOMBSTONE
    expected = {**stored, "headcount": 0} if tombstone else stored
    different = _differences(expected, place, ("hospital_id", "date", "headcount"))
    if different:
        yield name + "booking-svc and its reservation differ: %s" % different
    if place["state"] != RESERVATION_LIVE and ended is None:
        yield name + "its reservation is %s, but no event ended the booking" % RESERVATIONS.get(place["state"])
    taken, released = place["taken_commit"], place["released_commit"]
    if (taken is None) != tombstone or (released is None) != (place["state"] == RESERVATION_LIVE) or \
            (taken is not None and released is not None and released < taken):
        yield name + "its reservation is %s, taken in commit %s, released in commit %s" % (
            RESERVATIONS.get(place["state"]), taken, released)


# ---- deletions

def check_deletions(snapshot):
    deletions = by_id(snapshot["deletions"], "hospital_id")
    shown = by_id(snapshot["history_hospitals"], "hospital_id")
    for hospital in snapshot["hospitals"]:
        hospital_id, deleted = hospital["hospital_id"], hospital["state"] == DELETED
        deletion = deletions.get(hospital_id)
        if deleted and (deletion is None or deletion["done"] != 1):
            yield "hospital %s: is deleted, but booking-svc has %s" % (
                hospital_id, "not worked that off" if deletion else "not heard of it")
        if deletion is not None and not deleted:
            yield "hospital %s: booking-svc took it for deleted, but it is not" % hospital_id
        in_history = shown.get(hospital_id)
        day = deletion["day"] if deletion else None
        if in_history is None or in_history["name"] != hospital["name"] or in_history["deleted_day"] != day:
            yield "hospital %s: %r deleted %s, in history-svc %s" % (
                hospital_id, hospital["name"], day,
                "%r deleted %s" % (in_history["name"], in_history["deleted_day"]) if in_history else "unknown")
    for booking in snapshot["bookings"]:
        deletion = deletions.get(booking["hospital_id"])
        meant = deletion is not None and booking["date"] >= deletion["day"]
        if booking["status"] in LIVE and meant:
            yield "booking %s: is %s on %s at hospital %s, deleted on %s" % (
                booking["booking_id"], NAMES[booking["status"]], booking["date"], booking["hospital_id"],
                deletion["day"])
        if booking["status"] == FORCE_CANCELLED and not meant:
            yield "booking %s: is FORCE_CANCELLED, but its hospital %s was not deleted before its day" % (
                booking["booking_id"], booking["hospital_id"])


def check(snapshot, bookings_lost=False):
    """Returns the problems. `bookings_lost` is true if booking-svc's database was restored from a backup."""
    for part in (check_logs, check_bookings, check_deletions):
        yield from part(snapshot)
    yield from check_places(snapshot, bookings_lost)
