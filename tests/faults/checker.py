"""The checker. It compares the answers to clients (records, see history.py) and the contents of the databases (see
snapshot.py) with the contract. It is pure, shares no code with the services and trusts none of them."""
import re

from . import answers, refusals, replay, restores as gone, stored
from .facts import Facts

_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def check(records, snapshot, restores=()):
    """Returns the problems. Each is a text with the id, the answers with their times, and the stored state. An empty
    list means that there is no problem.

    restores: the databases that went back (restores.Restore). A place that was lost and taken again then has the number
    of a later commit than the one that granted it, so answers cannot be compared with commits."""
    lost = gone.bookings_lost(restores)
    facts = Facts(gone.binding(records, restores))
    days = replay.days_of(snapshot)
    problems = [*answers.check(facts, snapshot, bool(lost)), *stored.check(snapshot, bool(lost)),
                *replay.check(days, snapshot, gone.Excess(facts, snapshot, lost) if lost else None)]
    if not restores:
        problems += refusals.check(facts, snapshot, days)
    return list(dict.fromkeys(problems))


def ids_in(problems):
    """Returns the ids that the problems name."""
    return {found for problem in problems for found in _ID.findall(problem)}


def minimal(records, ids):
    """Returns the records about one of these ids, in order of their start. They are the relevant part of a failed run,
    for people to read."""
    def concerns(record):
        if record["id"].lower() in ids:
            return True
        message = (record["answer"] or {}).get("message") or {}
        return any(booking.get("booking", booking).get("booking_id") in ids for booking in message.get("bookings", ()))
    return sorted((record for record in records if concerns(record)), key=lambda record: record["begin_ns"])
