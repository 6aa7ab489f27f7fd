"""Tests the checker with days whose history is impossible, and with refusals that cannot have been true. It must report each.
Starts no service."""
from faults.story import D1, D2, Story, lied, refuse


# ---- the replay

def test_a_day_whose_reserved_places_are_wrong(_):
    for difference in (-1, 1):
        story = Story()
        story.row("days", hospital_id=story.clinic, date=D1)["reserved"] += difference
        story.objects("day %s of hospital %s: stored is capacity 4, reserved %d, version 1, by its story it is capacity 4, "
                      "reserved 3", D1, story.clinic, 3 + difference)


def test_a_day_that_was_oversold_for_a_moment(_):
    """All final sums are right, but the place was sold again before it was free. The checker reports that commit."""
    story = Story()
    freed = story.row("reservations", booking_id=story.cancelled)
    again = story.row("reservations", booking_id=story.after)
    freed["released_commit"], again["taken_commit"] = again["taken_commit"], freed["released_commit"]
    story.objects("day %s of hospital %s: after commit . 5 of 4 places were reserved; it took places for booking %s", D1,
                  story.clinic, story.after)


def test_a_capacity_below_what_was_taken(_):
    story = Story()
    story.row("capacity_changes", hospital_id=story.clinic, date=D1)["capacity"] = 1
    story.objects("day %s of hospital %s: after commit . 2 of 1 places were reserved", D1, story.clinic)


def test_a_commit_that_left_no_change(_):
    story = Story()
    story.drop("capacity_changes", hospital_id=story.clinic, date=D2, version=2)
    story.objects("hospital-svc: nothing is left of commit .* ")
    story.objects("hospital %s: seq 3 opens %s with version 2, which is not stored", story.clinic, D2)


def test_what_was_purged_is_not_reported_as_missing(_):
    """Reservations that ended are purged 7 days after their date, or earlier by a service whose clock is ahead. The checker does
    not report them as missing."""
    story = Story()
    story.snapshot["today"] = "2026-12-20"
    for booking_id in (story.cancelled, story.sold_out, story.early):
        story.drop("reservations", booking_id=booking_id)
    story.is_fine()
    story.drop("reservations", booking_id=story.kept)
    story.objects("booking %s: is CONFIRMED without a place", story.kept)


def test_a_commit_beyond_the_counter(_):
    story = Story()
    story.row("reservations", booking_id=story.kept)["taken_commit"] = 99
    story.objects("hospital-svc: commit 99 is beyond the counter")


def test_a_capacity_without_its_event(_):
    story = Story()
    del story.snapshot["hospital_events"][2]
    story.objects("hospital %s: no event tells version 2 of %s", story.clinic, D2)


def test_commits_against_the_order_of_the_log(_):
    story = Story()
    story.row("capacity_changes", hospital_id=story.closing, date=D1)["commit_no"] = 20
    story.objects("hospital %s: seq 3 sets %s to 9, stored for version 2 is 9 in commit ., the one before is 20",
                  story.clinic, D2)


# ---- hospital-svc's answers

def test_sold_out_while_places_were_left(_):
    story = lied("SOLD_OUT")
    story.objects("booking %s: REJECTED version 2 SOLD_OUT .*, but 1 of day %s of hospital %s were always left", story.lied,
                  D1, story.clinic)


def test_sold_out_where_a_smaller_booking_would_have_fitted_is_fine(_):
    """Three of four places are taken. SOLD_OUT is true for a booking for two persons, although a booking for one would fit."""
    lied("SOLD_OUT", headcount=2).is_fine()


def test_sold_out_after_places_were_seen_free_again(_):
    """The day was full once, but not any more when the call began, so SOLD_OUT is false."""
    def full_and_free_again(story):
        full = story.model.book(story.clinic, D1, 1)
        story.model.cancel(full)
        story.model.release()
        story.model.book(story.clinic, D2, 1)  # the commit of this booking is later than that of the release
        refuse(story.model, "SOLD_OUT")
        story.lied = story.model.book(story.clinic, D1, 1)
    story = Story(full_and_free_again)
    story.objects("booking %s: REJECTED version 2 SOLD_OUT .*, but 1 of day", story.lied)


def test_sold_out_before_the_places_were_taken(_):
    """The day is full in the end, but the booking that fills it was requested after the refusal, so SOLD_OUT is false."""
    def fill_later(story):
        refuse(story.model, "SOLD_OUT")
        story.lied = story.model.book(story.clinic, D1, 1)
        story.model.book(story.clinic, D1, 1)
    story = Story(fill_later)
    story.objects("booking %s: REJECTED version 2 SOLD_OUT .*, but 1 of day", story.lied)


def test_sold_out_that_only_the_database_shows(_):
    story = lied("SOLD_OUT")
    story.answer("CreateBooking", story.lied).update(code=4, reason="")
    story.records[:] = [record for record in story.records if record["op"] != "ListBookings"]
    story.objects("booking %s: stored as REJECTED SOLD_OUT, but 1 of day", story.lied)


def test_other_refusals_that_can_not_be_true(_):
    for reason, words in (("DATE_NOT_OPEN", "but day .* was always open"), ("HOSPITAL_DELETED", "was not deleted"),
                          ("HOSPITAL_NOT_FOUND", "was registered before"), ("RELEASED", "nothing had ended it"),
                          ("REFUSED", "it was in order")):
        story = lied(reason)
        story.objects("booking %s: REJECTED version 2 %s .*%s", story.lied, reason, words)


def test_a_refusal_for_a_deletion_that_came_later(_):
    story = lied("HOSPITAL_DELETED")
    story.model.delete(story.clinic)
    story.snapshot = story.model.finish()
    story.objects("booking %s: REJECTED version 2 HOSPITAL_DELETED .*, but hospital %s was not deleted", story.lied,
                  story.clinic)


def test_places_taken_against_real_time(_):
    """A booking was confirmed before another one was requested, but its commit is the later one. The checker reports it."""
    story = Story()
    first = story.row("reservations", booking_id=story.after)
    second = story.row("reservations", booking_id=story.queued)
    first["taken_commit"], second["taken_commit"] = second["taken_commit"], first["taken_commit"]
    story.objects("booking %s: was first asked for at .*, but took its place in commit 7; commit 8 was over then",
                  story.queued)


def test_a_day_that_never_was_as_reported(_):
    for name, value in (("remaining", 3), ("capacity", 5), ("version", 2)):
        story = Story()
        story.answer("GetAvailability", story.clinic)["message"]["days"][0][name] = value
        story.objects("day %s of hospital %s: was told as .*, which it never was then", D1, story.clinic)


def test_a_capacity_that_was_set_and_is_gone(_):
    story = Story()
    story.answer("SetCapacity", story.clinic)["message"].update(version=3)
    story.objects("day %s of hospital %s: was told as capacity 9, .* version 3 .*, which it never was then", D2,
                  story.clinic)


def test_a_hospital_that_was_registered_and_is_gone(_):
    story = Story()
    story.drop("hospitals", hospital_id=story.clinic)
    story.objects("hospital %s: RegisterHospital was answered OK at .*, but is not stored", story.clinic)
