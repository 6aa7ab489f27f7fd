"""Describes the restores of databases in a round, and decides which answers are still binding. Pure."""
import collections


class Restore:
    """The restore of the database of `victim`. begun_ns is a time before the backup was made, ended_ns the time at which the backup
    was in place. From history_ns on, history-svc shows nothing of the lost interval; None means that it may still show it."""

    def __init__(self, victim, begun_ns, ended_ns, history_ns=None):
        self.victim, self.begun_ns, self.ended_ns, self.history_ns = victim, begun_ns, ended_ns, history_ns


HISTORY = ("GetBookingHistory", "ListCustomerHistory")


def _is_void(record, restores):
    """Returns whether the answer may be about lost state, because it arrived after the backup began, and its call was sent before
    the backup was in place."""
    for restore in restores:
        ended_ns = restore.history_ns if record["op"] in HISTORY else restore.ended_ns
        if record["end_ns"] > restore.begun_ns and (ended_ns is None or record["begin_ns"] < ended_ns):
            return True
    return False


def binding(records, restores):
    """Returns the records without the answers that G2 allows booking-svc to lose. A record without its answer is an attempt with an
    unknown outcome. Every answer that arrived before the backup began, or whose call was sent after the restore, is still
    binding."""
    lost = bookings_lost(restores)
    return [{**record, "answer": None} if _is_void(record, lost) else record for record in records]


class Excess:
    """Determines by how much days may exceed their capacities after booking-svc's database was restored from a backup (G1). `lost`
    is the result of bookings_lost().

    A booking whose cancellation is lost is CONFIRMED again, and takes its place again, which may have been sold in the meantime.
    Following the log from its start does the same for a moment to every booking that was ever CONFIRMED."""

    def __init__(self, facts, snapshot, lost):
        self.facts, self.ended_ns = facts, max(restore.ended_ns for restore in lost)
        self.undone, self.ended = collections.Counter(), collections.Counter()
        for place in snapshot["reservations"]:
            cancels = facts.attempts["CancelBooking"].get(place["booking_id"], ())
            day = place["hospital_id"], place["date"]
            self.undone[day] += place["headcount"] * any(_is_void(record, lost) for record in cancels)
            self.ended[day] += place["headcount"] * any(record["begin_ns"] < self.ended_ns for record in cancels)

    def allows(self, day, too_many, taken_by):
        """Returns whether a commit that took places for the bookings `taken_by` may have left `too_many` places too many taken on
        the day (hospital id, date). A booking first requested after the last restore must not get a place that does not exist."""
        return too_many <= self.ended[day] and not any(
            (self.facts.first_begin(booking_id) or 0) >= self.ended_ns for booking_id in taken_by)

    def may_stay(self, day, too_many):
        """Returns whether the day may still exceed its capacity by `too_many` places in the end."""
        return too_many <= self.undone[day]


def bookings_lost(restores):
    """Returns the restores after which bookings may be missing, or changes of bookings undone."""
    return [restore for restore in restores if restore.victim == "booking"]
