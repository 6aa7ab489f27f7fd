"""Tests the checker with databases that do not match each other. It must report each mismatch. Starts no service."""
from faults.story import D1, D2, Story


# ---- logs, cursors, dead letters

def test_a_gap_in_a_log(_):
    story = Story()
    del story.snapshot["booking_events"][3]
    story.objects("booking log: seq 4 is missing, next is 5")


def test_an_event_id_twice_in_a_log(_):
    story = Story()
    first, second = story.snapshot["hospital_events"][:2]
    second["event_id"] = second["event"]["event_id"] = first["event_id"]
    story.objects("hospital log: event %s is there 2 times", first["event_id"])


def test_a_head_that_is_not_the_last_event(_):
    story = Story()
    story.snapshot["booking_head"][0]["head_seq"] += 1
    story.objects("booking log: the head is .*, the last event is")


def test_a_row_of_a_log_that_differs_from_its_event(_):
    story = Story()
    story.snapshot["booking_events"][0]["event"]["seq"] = 7
    story.objects("booking log: seq 1 and its event differ: seq 1 against 7")


def test_a_cursor_that_is_behind(_):
    story = Story()
    story.row("hospital_cursors", log="booking")["seq"] -= 1
    story.objects("hospital-svc: its cursor in the booking log is .*, the head is")


def test_a_dead_letter(_):
    story = Story()
    story.snapshot["history_dead_letters"].append({"log": "booking", "seq": 3, "event_id": story.kept,
                                                   "type": "booking.confirmed", "reason": "malformed"})
    story.objects("history-svc: dead letter: booking seq 3, event %s booking.confirmed: malformed", story.kept)


def test_an_event_of_unknown_type(_):
    story = Story()
    event = story.snapshot["booking_events"][0]
    event["type"] = event["event"]["type"] = "booking.sold"
    story.objects("booking log: seq 1 has the unknown type booking.sold")


# ---- booking-svc and history-svc

def test_a_booking_that_is_still_requested(_):
    story = Story()
    story.row("bookings", booking_id=story.queued).update(status=1, version=1)
    story.objects("booking %s: is still REQUESTED", story.queued)


def test_a_transition_without_its_event(_):
    story = Story()
    story.snapshot["booking_events"].remove(story.event(story.cancelled, 2))
    story.objects(r"booking %s: has events of the versions \[3\], stored is CANCELLED version 3", story.cancelled)


def test_a_transition_with_two_events(_):
    story = Story()
    story.snapshot["booking_events"].append(story.event(story.kept, 2))
    story.objects(r"booking %s: has events of the versions \[2, 2\]", story.kept)


def test_an_event_that_shows_another_status(_):
    story = Story()
    story.event(story.kept, 2)["event"]["booking"] = {**story.event(story.kept, 2)["event"]["booking"], "status": 3}
    story.objects("booking %s: seq . is booking.confirmed, but shows REJECTED", story.kept)


def test_a_status_that_differs_in_history(_):
    story = Story()
    story.row("summaries", booking_id=story.cancelled).update(status=2, version=2, status_reason="")
    story.objects("booking %s: booking-svc and history-svc differ: status 4 against 2", story.cancelled)


def test_a_headcount_a_customer_and_a_date_that_differ_in_history(_):
    for name, value in (("headcount", 7), ("customer_id", "c9"), ("date", D2), ("status_reason", "x")):
        story = Story()
        story.row("summaries", booking_id=story.kept)[name] = value
        story.objects("booking %s: booking-svc and history-svc differ: %s .* against %r", story.kept, name, value)


def test_a_booking_that_history_does_not_know(_):
    story = Story()
    story.drop("summaries", booking_id=story.kept)
    story.objects("booking %s: is unknown to history-svc", story.kept)


def test_an_event_that_history_misses_has_twice_or_made_up(_):
    story = Story()
    entry = story.row("entries", booking_id=story.kept)
    story.snapshot["entries"].append(dict(entry))
    story.objects("booking %s: history-svc has event %s 2 times", story.kept, entry["event_id"])
    story.snapshot["entries"][:] = [one for one in story.snapshot["entries"] if one["booking_id"] != story.kept]
    story.objects("booking %s: history-svc misses event %s", story.kept, entry["event_id"])
    story.snapshot["entries"].append({**entry, "event_id": story.clinic})
    story.objects("booking %s: history-svc has event %s, which the log has not", story.kept, story.clinic)


def test_an_event_that_history_changed(_):
    story = Story()
    story.row("entries", booking_id=story.kept)["version"] = 1
    story.objects("booking %s: history-svc has event .* as .*, the log as", story.kept)


# ---- places

def test_a_confirmed_booking_without_a_place(_):
    story = Story()
    story.drop("reservations", booking_id=story.kept)
    story.objects("booking %s: is CONFIRMED without a place: its reservation is not there", story.kept)


def test_an_event_that_was_never_applied(_):
    story = Story()
    story.drop("reservations", booking_id=story.sold_out)
    story.objects("booking %s: booking.rejected was never applied at hospital-svc", story.sold_out)


def test_a_place_that_was_never_freed(_):
    story = Story()
    story.row("reservations", booking_id=story.cancelled).update(state=1, released_commit=None)
    story.objects("booking %s: is CANCELLED, but its 2 places are still taken", story.cancelled)


def test_a_place_that_was_freed_without_an_event(_):
    story = Story()
    story.row("reservations", booking_id=story.kept).update(state=2, released_commit=3)
    story.objects("booking %s: its reservation is released, but no event ended the booking", story.kept)


def test_a_place_that_nobody_booked(_):
    story = Story()
    place = {**story.row("reservations", booking_id=story.kept), "booking_id": story.clinic}
    story.snapshot["reservations"].append(place)
    story.objects("booking %s: has a reservation that is live, but booking-svc does not know it", story.clinic)


def test_a_reservation_of_other_content(_):
    story = Story()
    story.row("reservations", booking_id=story.kept)["headcount"] = 1
    story.objects("booking %s: booking-svc and its reservation differ: headcount 2 against 1", story.kept)


# ---- deletions

def test_a_deletion_that_is_not_completed(_):
    story = Story()
    story.row("deletions", hospital_id=story.closing)["done"] = 0
    story.objects("hospital %s: is deleted, but booking-svc has not worked that off", story.closing)
    story.drop("deletions", hospital_id=story.closing)
    story.objects("hospital %s: is deleted, but booking-svc has not heard of it", story.closing)


def test_a_booking_that_outlives_its_hospital(_):
    story = Story()
    story.row("bookings", booking_id=story.forced).update(status=2, version=2, status_reason="")
    story.objects("booking %s: is CONFIRMED on %s at hospital %s, deleted on", story.forced, D1, story.closing)


def test_a_forced_cancellation_without_a_deletion(_):
    story = Story()
    story.row("bookings", booking_id=story.kept).update(status=5, version=3, status_reason="HOSPITAL_DELETED")
    story.objects("booking %s: is FORCE_CANCELLED, but its hospital %s was not deleted", story.kept, story.clinic)


def test_a_deletion_that_history_does_not_show(_):
    story = Story()
    story.row("history_hospitals", hospital_id=story.closing)["deleted_day"] = None
    story.objects("hospital %s: .* in history-svc .* deleted None", story.closing)


def test_a_deletion_that_is_undone(_):
    story = Story()
    story.row("hospitals", hospital_id=story.closing)["state"] = 1
    story.objects("hospital %s: DeleteHospital was answered OK at .*, but is not stored", story.closing)
