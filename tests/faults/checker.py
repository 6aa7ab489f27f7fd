"""Compares the answers to clients (records, see history.py) and the contents of the databases (see snapshot.py) with the contract.
The checker is pure, shares no code with the services and trusts none of them."""
import re

from . import answers, refusals, replay, restores as gone, stored
from .facts import Facts

_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def check(records, snapshot, restores=(), outages=None):
    """Returns the problems. Each is a text with the id, the answers with their times, and the stored state. The list is empty if
    there is no problem.

    `restores` lists the restores from backups (restores.Restore). If there are any, refusals are not checked against commit
    numbers, because a place that was lost and taken again is stored with the number of the later commit, not of the commit that
    first granted it.

    If a hospital-svc served throughout, `outages` has the times (ns) at which another one lost its database, and no booking that was
    not in flight then may be rejected because hospital-svc did not answer. None means that none had to serve throughout."""
    lost = gone.bookings_lost(restores)
    facts = Facts(gone.binding(records, restores))
    days = replay.days_of(snapshot)
    problems = [*answers.check(facts, snapshot, bool(lost), outages), *stored.check(snapshot, bool(lost)),
                *replay.check(days, snapshot, gone.Excess(facts, snapshot, lost) if lost else None)]
    if not restores:
        problems += refusals.check(facts, snapshot, days)
    return list(dict.fromkeys(problems))


def ids_in(problems):
    """Returns the ids that occur in the problems."""
    return {found for problem in problems for found in _ID.findall(problem)}


def minimal(records, ids):
    """Returns the records that concern one of the ids, in order of their start. They are the part of a failed run that people need
    to read."""
    def concerns(record):
        if record["id"].lower() in ids:
            return True
        message = (record["answer"] or {}).get("message") or {}
        return any(booking.get("booking", booking).get("booking_id") in ids for booking in message.get("bookings", ()))
    return sorted((record for record in records if concerns(record)), key=lambda record: record["begin_ns"])
