"""Replays each screening day, commit by commit, with the places that each commit took and freed, the capacity that it set, and the
resulting state.

Commit 0 stands for everything before the numbering began. Its result is known, but not its steps. For days from which reservations
may have been purged, the replay shows fewer changes than there were, but no wrong ones. Only the state of such a day at a given
moment is unknown."""
from bisect import bisect_right
from collections import defaultdict

from .stored import RESERVATION_RELEASED, RESERVATION_TOMBSTONE, is_purged


class Commit:
    """The changes of one commit to a day: headcounts, and the capacities that it set, in order."""

    def __init__(self):
        self.taken = self.released = self.taken_and_released = 0
        self.capacities = []  # (version, capacity)
        self.bookings = []


class Day:
    """The states of a day. From the commit numbers[i] until the next commit, the state is states[i] = (capacity, reserved,
    version)."""

    def __init__(self, hospital_id, date, commits, purged=False):
        self.hospital_id, self.date = hospital_id, date
        self.seeded, self.purged = 0 in commits, purged
        self.numbers, self.states, self.lowest, self.capacities, self.bookings = [], [], [], [], []
        capacity = version = reserved = 0
        for number in sorted(commits):
            commit = commits[number]
            during = [capacity] + [value for _, value in sorted(commit.capacities)]
            reserved += commit.taken - commit.released
            if commit.capacities:
                version, capacity = max(commit.capacities)
            self.numbers.append(number)
            self.states.append((capacity, reserved, version))
            # Within a commit, events come first. In the worst case all places were therefore taken while the capacity was lowest.
            self.lowest.append(min(during) - reserved - commit.taken_and_released)
            self.capacities.append(during)
            self.bookings.append(commit.bookings)

    def name(self):
        return "day %s of hospital %s" % (self.date, self.hospital_id)

    def is_unknown(self, low):
        """Returns whether the states since the commit `low` are unknown, because some may be from before the numbering or have been
        purged."""
        return self.purged or (self.seeded and low == 0)

    def _at(self, number):
        """Returns the index of the state after the commit `number`, or -1 before the first commit of the day."""
        return bisect_right(self.numbers, number) - 1

    @staticmethod
    def _left(state):
        return state[0] - state[1]

    def states_in(self, low, high):
        """Returns the states after each commit c, low <= c < high."""
        first, last = self._at(low), self._at(high - 1)
        return ([(0, 0, 0)] if first < 0 else []) + self.states[max(first, 0):last + 1]

    def least_remaining(self, low, high):
        """Returns the smallest number of places left after some commit c, low <= c < high, or within some commit c, low < c <
        high."""
        first, last = self._at(low), self._at(high - 1)
        after = [self._left(self.states[first])] if first >= 0 else [0]
        return min(after + self.lowest[first + 1:last + 1] + [self._left(one) for one in self.states[first + 1:last + 1]])

    def was_closed(self, low, high):
        """Returns whether the day's capacity was 0 after some commit c, low <= c < high, or within some commit c, low < c < high
        (as in least_remaining)."""
        first, last = self._at(low), self._at(high - 1)
        closed = first < 0 or self.states[first][0] == 0
        return closed or any(0 in during for during in self.capacities[first + 1:last + 1])


def days_of(snapshot):
    """Returns {(hospital_id, date): Day} of the snapshot."""
    commits = defaultdict(lambda: defaultdict(Commit))
    for change in snapshot["capacity_changes"]:
        commit = commits[change["hospital_id"], change["date"]][change["commit_no"]]
        commit.capacities.append((change["version"], change["capacity"]))
    for place in snapshot["reservations"]:
        if place["state"] == RESERVATION_TOMBSTONE or place["taken_commit"] is None:
            continue
        day, taken, released = commits[place["hospital_id"], place["date"]], place["taken_commit"], None
        if place["state"] == RESERVATION_RELEASED:
            released = place["released_commit"]
        if released == taken:
            day[taken].taken_and_released += place["headcount"] if taken else 0
            continue
        day[taken].taken += place["headcount"]
        day[taken].bookings.append(place["booking_id"])
        if released is not None:
            day[released].released += place["headcount"]
    return {key: Day(*key, story, is_purged(snapshot, key[1])) for key, story in commits.items()}


def check_days(days, snapshot, excess):
    """G1: checks that 0 <= reserved <= capacity after each commit, unless `excess` allows more, and that the replay ends in the
    stored state."""
    stored = {(day["hospital_id"], day["date"]): day for day in snapshot["days"]}
    for key in sorted(set(days) | set(stored)):
        story = days.get(key) or Day(*key, {})
        for number, (capacity, reserved, _), bookings in zip(story.numbers, story.states, story.bookings):
            if not 0 <= reserved <= capacity and not (
                    excess and reserved > 0 and excess.allows(key, reserved - capacity, bookings)):
                yield "%s: after commit %d %d of %d places were reserved%s" % (
                    story.name(), number, reserved, capacity,
                    "; it took places for booking " + ", ".join(sorted(bookings)[:5]) if bookings else "")
                break
        last = story.states[-1] if story.states else None
        if key not in stored:
            yield "%s: has a story, but is not stored" % story.name()
            continue
        day = stored[key]
        if last != (day["capacity"], day["reserved"], day["version"]):
            yield "%s: stored is capacity %d, reserved %d, version %d, by its story it is %s" % (
                story.name(), day["capacity"], day["reserved"], day["version"],
                "capacity %d, reserved %d, version %d" % last if last else "unknown")
        if not 0 <= day["reserved"] <= day["capacity"] and not (
                excess and day["reserved"] > 0 and excess.may_stay(key, day["reserved"] - day["capacity"])):
            yield "%s: %d of %d places are reserved" % (story.name(), day["reserved"], day["capacity"])


def check_counter(snapshot, bookings_lost):
    """Checks that every commit number is used, unless reservations were purged, and that no number exceeds the counter. If bookings
    were lost, a number may be unused: a released place that is taken again because the cancellation was lost forgets its earlier
    numbers."""
    if len(snapshot["commit_counter"]) != 1:
        yield "hospital-svc: has %d commit counters" % len(snapshot["commit_counter"])
        return
    counter = snapshot["commit_counter"][0]["commit_no"]
    used = {change["commit_no"] for change in snapshot["capacity_changes"]}
    for place in snapshot["reservations"]:
        used |= {place["taken_commit"], place["released_commit"]}
    used -= {None, 0}
    missing = sorted(set(range(1, counter + 1)) - used)
    if missing and not bookings_lost and not any(is_purged(snapshot, day["date"]) for day in snapshot["days"]):
        yield "hospital-svc: nothing is left of commit %d (of %d such)" % (missing[0], len(missing))
    if used and max(used) > counter:
        yield "hospital-svc: commit %d is beyond the counter, %d" % (max(used), counter)


def check_capacity_events(snapshot):
    """Checks that the hospital log contains the capacities in the order of their commits, and that nothing follows the deletion of
    a hospital."""
    published, deleted = [], set()
    for event in sorted(snapshot["hospital_events"], key=lambda event: event["seq"]):
        hospital, changed = event["event"]["hospital"], event["event"]["day"]
        days = [changed["day"]] if changed else hospital["days"] if event["type"] == "hospital.registered" else []
        hospital_id = changed["hospital_id"] if changed else hospital["hospital_id"]
        if hospital_id in deleted:
            yield "hospital %s: seq %d, %s, follows its deletion" % (hospital_id, event["seq"], event["type"])
        if event["type"] == "hospital.deleted":
            deleted.add(hospital_id)
        published.extend(((hospital_id, day["date"], day["version"]), day["capacity"], event["seq"]) for day in days)
    kept = {(change["hospital_id"], change["date"], change["version"]): change
            for change in snapshot["capacity_changes"]}
    seeded = {key[:2]: key[2] for key, change in kept.items() if change["commit_no"] == 0}
    last = 0
    for key, capacity, seq in published:
        change = kept.pop(key, None)
        if change is None:
            if key[2] >= seeded.get(key[:2], 0):
                yield "hospital %s: seq %d opens %s with version %d, which is not stored" % (key[0], seq, *key[1:])
            continue
        if change["capacity"] != capacity or change["commit_no"] < last:
            yield "hospital %s: seq %d sets %s to %d, stored for version %d is %d in commit %d, the one before is %d" % (
                key[0], seq, key[1], capacity, key[2], change["capacity"], change["commit_no"], last)
        last = max(last, change["commit_no"])
    for hospital_id, date, version in sorted(kept):
        yield "hospital %s: no event tells version %d of %s" % (hospital_id, version, date)
    for hospital in snapshot["hospitals"]:
        if (hospital["state"] == 2) != (hospital["hospital_id"] in deleted):
            yield "hospital %s: has the state %d, but %s event tells its deletion" % (
                hospital["hospital_id"], hospital["state"], "an" if hospital["hospital_id"] in deleted else "no")


def check(days, snapshot, excess=None):
    """Returns the problems. `excess` is a restores.Excess if booking-svc's database was restored from a backup, else None."""
    yield from check_days(days, snapshot, excess)
    yield from check_counter(snapshot, excess is not None)
    yield from check_capacity_events(snapshot)
