"""Tests the checker with correct histories, on which it must report nothing, and with histories that contain one false answer,
which it must report. Starts no service."""
import os
import random
import tempfile
import threading

from faults import answers, checker
from faults.facts import Facts
from faults.history import History
from faults.model import play
from faults.story import D1, D2, Story, lied, refuse

SEEDS = range(30)


# ---- correct histories

def test_a_correct_story_is_fine(_):
    Story().is_fine()


def test_random_correct_runs_are_fine(_):
    for seed in SEEDS:
        problems = checker.check(*play(seed))
        assert not problems, (seed, problems)


def test_sold_out_while_a_place_is_not_yet_free_is_fine(_):
    def cancel_and_book(story):
        story.model.set_capacity(story.clinic, D1, 3)
        story.model.cancel(story.after)
        story.model.book(story.clinic, D1, 1)
    Story(cancel_and_book).is_fine()


def test_sold_out_within_a_commit_that_raises_the_capacity_is_fine(_):
    def one_commit(story):
        story.model.batch, begin = 0, story.model.tick()
        for headcount in (1, 1):
            story.model.book(story.clinic, D1, headcount, begin=begin)
        story.model.set_capacity(story.clinic, D1, 7, begin=begin)
        story.model.batch = None
    Story(one_commit).is_fine()


def test_an_answer_under_way_may_show_what_was_before(_):
    story = Story()
    record = story.model.get(story.kept)
    created = next(one for one in story.records if one["id"] == story.kept)
    record["begin_ns"] = created["end_ns"]
    record["answer"]["message"].update(status=1, version=1)
    story.is_fine()


def test_what_an_older_database_held_is_fine(_):
    """hospital-svc begins to number its commits midway. Commit 0 stands for everything before, and contradicts no answer."""
    def migrate(story):
        story.model.migrate()
        story.more = story.model.book(story.clinic, D1)
        story.model.cancel(story.kept)
        story.model.release()
        story.model.set_capacity(story.clinic, D1, 3)
        story.model.book(story.clinic, D1, 3)
        story.model.availability(story.clinic)
    Story(migrate).is_fine()


def test_what_an_older_database_does_not_explain(_):
    def migrate(story):
        story.model.migrate()
        story.model.book(story.clinic, D2)
        refuse(story.model, "SOLD_OUT")
        story.lied = story.model.book(story.clinic, D1)
    story = Story(migrate)
    story.objects("booking %s: REJECTED version 2 SOLD_OUT .*, but 1 of day", story.lied)


# ---- answers

def test_a_confirmed_booking_that_is_missing(_):
    story = Story()
    story.drop("bookings", booking_id=story.kept)
    story.objects("booking %s: was told CONFIRMED version 2 .*, but is not stored", story.kept)


def test_a_confirmed_booking_that_is_undone(_):
    story = Story()
    story.row("bookings", booking_id=story.kept).update(status=3, status_reason="SOLD_OUT")
    story.objects("booking %s: was told CONFIRMED version 2 .*, stored is REJECTED version 2 SOLD_OUT", story.kept)


def test_a_cancellation_that_is_undone(_):
    story = Story()
    story.row("bookings", booking_id=story.cancelled).update(status=2, version=2, status_reason="")
    story.objects("booking %s: was told CANCELLED version 3 .*, stored is CONFIRMED version 2", story.cancelled)


def test_a_lost_booking_that_an_operator_gave_up_has_no_customer(_):
    story = Story()
    record = story.model.get(story.kept)
    record["answer"]["message"].update(status=3, version=2, status_reason="ABANDONED", customer_id="", customer_name="")
    for lost in (True, False):
        objections = [text for text in answers.check(Facts(story.records), story.snapshot, lost) if "asked for was" in text]
        assert len(objections) == (0 if lost else 1), objections


def test_a_rejected_booking_that_lives(_):
    story = Story()
    story.row("bookings", booking_id=story.sold_out).update(status=2, status_reason="")
    story.objects("booking %s: was told REJECTED version 2 SOLD_OUT .*, stored is CONFIRMED", story.sold_out)


def test_two_answers_with_two_fates(_):
    story = Story()
    record = story.model.create_again(story.kept)
    record["answer"] = {"code": 9, "reason": "SOLD_OUT", "retry_after_ms": 0}
    story.objects("booking %s: has two fates: CONFIRMED version 2 .*, but REJECTED version 2", story.kept)


def test_two_ends_of_one_booking(_):
    story = Story()
    record = story.model.cancel(story.cancelled)
    record["answer"] = {"code": 9, "reason": "BOOKING_FINAL", "retry_after_ms": 0}
    story.objects("booking %s: has two ends: CANCELLED version 3 .*, but REJECTED/FORCE_CANCELLED", story.cancelled)


def test_a_version_that_goes_back(_):
    story = Story()
    record = story.model.get(story.cancelled)
    record["answer"]["message"].update(status=2, version=2, status_reason="")
    story.objects("booking %s: went back: CANCELLED version 3 .*, later CONFIRMED version 2", story.cancelled)


def test_a_booking_that_is_forgotten(_):
    story = Story()
    record = story.model.get(story.kept)
    record["answer"] = {"code": 5, "reason": "", "retry_after_ms": 0}
    story.objects("booking %s: was forgotten: CONFIRMED .*, later NOT_FOUND", story.kept)


def test_a_booking_that_lives_again(_):
    story = Story()
    final = story.model.cancel(story.kept)
    final["answer"] = {"code": 9, "reason": "BOOKING_FINAL", "retry_after_ms": 0}
    story.model.get(story.kept)["answer"]["message"].update(status=2, version=2, status_reason="")
    story.objects("booking %s: lives again: REJECTED/FORCE_CANCELLED .*, later CONFIRMED", story.kept)


def test_a_state_that_does_not_exist(_):
    story = Story()
    story.model.get(story.kept)["answer"]["message"].update(version=4)
    story.objects("booking %s: was told CONFIRMED version 4 .*, which no booking can be", story.kept)


def test_an_answer_with_other_content(_):
    story = Story()
    story.model.get(story.kept)["answer"]["message"].update(headcount=3)
    story.objects("booking %s: was told CONFIRMED .* of .*'headcount': 3.*, asked for was .*'headcount': 2", story.kept)


def test_a_booking_stored_with_other_content(_):
    story = Story()
    story.row("bookings", booking_id=story.kept)["date"] = D2
    story.objects("booking %s: is stored with .*, asked for was", story.kept)


def test_already_exists_for_the_same_content(_):
    story = Story()
    story.model.create_again(story.kept)["answer"] = {"code": 6, "reason": "", "retry_after_ms": 0}
    story.objects("booking %s: ALREADY_EXISTS", story.kept)


def test_a_booking_that_no_client_requested(_):
    story = Story()
    story.records[:] = [record for record in story.records if record["id"] != story.kept]
    story.objects("booking %s: is stored as CONFIRMED .*, but nobody asked for it", story.kept)


def test_a_cancellation_that_no_client_requested(_):
    story = Story()
    story.records[:] = [record for record in story.records if record["op"] != "CancelBooking"]
    story.objects("booking %s: is stored as CANCELLED .*, but nobody cancelled it", story.cancelled)


def test_a_cancellation_for_a_reason_that_no_client_gave(_):
    story = Story()
    for record in story.records:
        if record["op"] == "CancelBooking":
            record["request"]["reason"] = "other"
    story.objects("booking %s: is stored as CANCELLED version 3 변경: nobody gave that reason", story.cancelled)


def test_a_refused_attempt_that_was_executed(_):
    story = Story()
    for record in story.records:
        if record["id"] == story.late:
            record["answer"] = {"code": 14, "reason": "DRAINING", "retry_after_ms": 300}
    story.objects("booking %s: is stored as REJECTED, though every attempt was refused as not executed", story.late)


def test_a_queued_booking_that_is_rejected_for_lack_of_an_answer(_):
    story = Story()
    story.row("bookings", booking_id=story.unavailable)["queue_if_unavailable"] = 1
    story.objects("booking %s: is stored as REJECTED .* HOSPITAL_UNAVAILABLE, though it was to be queued",
                  story.unavailable)


# ---- removed and changed rows

def test_no_row_can_be_taken_away_unnoticed(_):
    choose = random.Random(7)
    for seed in SEEDS[:12]:
        records, snapshot = play(seed)
        for table, rows in snapshot.items():
            if not isinstance(rows, list) or not rows:
                continue
            snapshot[table] = list(rows)
            gone = snapshot[table].pop(choose.randrange(len(rows)))
            assert checker.check(records, snapshot), (seed, table, gone)
            snapshot[table] = rows


# A change of these columns goes unnoticed: another commit is possible if no answer fixes the order, and queueing is visible only
# when hospital-svc does not answer.
UNNOTICED = (("reservations", "taken_commit"), ("reservations", "released_commit"), ("capacity_changes", "commit_no"),
             ("bookings", "queue_if_unavailable"))


def test_no_number_can_be_changed_unnoticed(_):
    choose = random.Random(8)
    for seed in SEEDS[:12]:
        records, snapshot = play(seed)
        for table, rows in snapshot.items():
            for name in rows[0] if isinstance(rows, list) and rows else ():
                row = choose.choice(rows)
                if not isinstance(row[name], int) or (table, name) in UNNOTICED:
                    continue
                row[name] += 1
                assert checker.check(records, snapshot), (seed, table, name, row)
                row[name] -= 1


# ---- two hospital-svcs

def test_a_booking_rejected_for_want_of_an_answer_although_a_hospital_svc_served(_):
    story = Story()
    record = next(one for one in story.records if one["id"] == story.unavailable)
    begin, end = record["begin_ns"], record["end_ns"]
    for outages in ([], [begin - 1], [end + 1]):
        assert checker.check(story.records, story.snapshot, outages=outages) == [
            "booking %s: is stored as REJECTED version 2 HOSPITAL_UNAVAILABLE, though a hospital-svc served throughout" %
            story.unavailable]
    for outages in (None, [begin], [begin - 1, end]):
        assert not checker.check(story.records, story.snapshot, outages=outages)


# ---- minimal records

def test_minimal_keeps_what_concerns_the_problem(_):
    story = Story()
    story.row("bookings", booking_id=story.kept).update(status=3, status_reason="SOLD_OUT")
    reported = [problem for problem in checker.check(story.records, story.snapshot) if "was told" in problem]
    ids = checker.ids_in(reported)
    assert ids == {story.kept}, reported
    kept = checker.minimal(reversed(story.records), ids)
    assert [record["op"] for record in kept] == ["CreateBooking", "ListBookings"], kept


def test_history_is_kept_by_many_threads_and_read_back(_):
    history = History()

    def write(name):
        for number in range(200):
            history.append({"client": name, "op": "GetBooking", "id": str(number), "request": {}, "begin_ns": number,
                            "end_ns": number, "answer": None})
    threads = [threading.Thread(target=write, args=("한%d" % index,)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "history.jsonl")
        history.save(path)
        assert list(History.load(path)) == list(history) and len(history) == 800
