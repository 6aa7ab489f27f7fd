"""Tests the checker with a restored database of booking-svc. It must accept the losses that G2 allows, and report all others.
Starts no service."""
from faults import checker
from faults.facts import Facts
from faults.restores import Excess, Restore, bookings_lost
from faults.story import D1, Story

PLACE = {"booking_id": "b", "hospital_id": "h", "date": D1, "headcount": 2}


def problems(story, *restores):
    return checker.check(story.records, story.snapshot, restores)


def add_lost_confirmation(story):
    """Adds the record of a call that was answered CONFIRMED, for a booking that is not stored. Returns the record."""
    like = next(record for record in story.records if record["id"] == story.kept and record["op"] == "CreateBooking")
    booking_id = story.model.new_id()
    record = {**like, "id": booking_id, "request": {**like["request"], "booking_id": booking_id},
              "answer": {**like["answer"], "message": {**like["answer"]["message"], "booking_id": booking_id}}}
    story.records.append(record)
    return record


def test_answers_of_the_lost_interval_may_be_gone(_):
    story = Story()
    record = add_lost_confirmation(story)
    assert problems(story)
    assert not problems(story, Restore("booking", record["end_ns"] - 1, record["end_ns"] + 1))


def test_answers_before_the_backup_or_after_the_restore_bind(_):
    story = Story()
    record = add_lost_confirmation(story)
    for begun_ns, ended_ns in ((record["end_ns"], record["end_ns"] + 9), (1, record["begin_ns"])):
        found = problems(story, Restore("booking", begun_ns, ended_ns))
        assert any("but is not stored" in problem for problem in found), found


def test_a_restored_hospital_database_loses_no_booking(_):
    story = Story()
    record = add_lost_confirmation(story)
    found = problems(story, Restore("hospital", record["begin_ns"], record["end_ns"]))
    assert any("but is not stored" in problem for problem in found), found


def test_history_may_show_the_lost_interval_until_it_is_rebuilt(_):
    story = Story()
    record = add_lost_confirmation(story)
    record.update(op="GetBookingHistory", request={"booking_id": record["id"]})
    booking = record["answer"]["message"]
    record["answer"]["message"] = {"summary": {"booking": booking, "provisional": False}, "entries": []}
    begin_ns = record["begin_ns"]
    assert not problems(story, Restore("booking", 1, begin_ns, begin_ns + 1))
    assert problems(story, Restore("booking", 1, begin_ns, begin_ns))


def test_only_a_live_place_of_a_lost_booking_is_a_problem(_):
    story = Story()
    lost = Restore("booking", 1, 2)
    place = {**story.row("reservations", booking_id=story.cancelled), "booking_id": story.model.new_id()}
    place["released_commit"] = place["taken_commit"]
    story.snapshot["reservations"].append(place)
    assert any("does not know it" in problem for problem in problems(story))
    assert not problems(story, lost)
    place.update(state=1, released_commit=None)
    assert any("does not know it" in problem for problem in problems(story, lost))


def excess(cancel_ns):
    """Returns the Excess if booking b was cancelled at `cancel_ns`, and booking-svc's database was restored at time 20 from a
    backup begun at time 10."""
    def record(op, ident, at_ns):
        return {"client": "c", "op": op, "id": ident, "request": {}, "begin_ns": at_ns, "end_ns": at_ns + 1, "answer": None}
    facts = Facts([record("CreateBooking", "b", 1), record("CancelBooking", "b", cancel_ns), record("CreateBooking", "new", 30)])
    return Excess(facts, {"reservations": [PLACE]}, bookings_lost([Restore("booking", 10, 20), Restore("hospital", 1, 99)]))


def test_a_day_may_exceed_its_capacity_by_the_places_of_lost_cancellations(_):
    allowed, day = excess(cancel_ns=15), ("h", D1)
    assert allowed.allows(day, 2, ["b"]) and allowed.may_stay(day, 2)
    assert not allowed.allows(day, 3, ["b"]) and not allowed.may_stay(day, 3)
    assert not allowed.allows(("h", "another"), 1, ["b"])


def test_a_cancellation_that_is_in_the_backup_may_be_undone_for_a_moment_only(_):
    allowed, day = excess(cancel_ns=5), ("h", D1)
    assert allowed.allows(day, 2, ["b"]) and not allowed.may_stay(day, 1)


def test_a_booking_requested_after_the_restore_never_takes_a_place_that_does_not_exist(_):
    assert not excess(cancel_ns=15).allows(("h", D1), 1, ["b", "new"])


def test_a_cancellation_after_the_restore_explains_nothing(_):
    assert not excess(cancel_ns=25).allows(("h", D1), 1, ["b"])
