"""Checks that the recovery actions after a restore delete what they must, and that places that are granted too late are
released."""
import uuid

from kit import rpc
from kit.stack import Stack, wait_for
from kit.world import (CANCELLED, CONFIRMED, book, booking_request, day, history_of, register, remaining, status_of, wait_agreement,
                       wait_history)


def _id(driver, text):
    """Returns an id as an SQL literal for the driver."""
    return "X'%s'" % uuid.UUID(text).hex if driver == "sqlite" else "'%s'" % text


def _store_letter(stack, driver, name, log, kind, event=b"", schema=""):
    """Stores a dead letter of the log `log`, as if its event were in a lost tail of that log."""
    stack.execute(name, "INSERT INTO %sdead_letter (log, log_id, seq, event_id, type, reason, stored_at_us, event) SELECT "
                        "'%s', log_id, 1000, %s, '%s', 'a test', 1, %s FROM %sevent_cursor WHERE log = '%s'" % (
                            schema, log, _id(driver, rpc.new_id()), kind,
                            "X'%s'" % event.hex() if driver == "sqlite" else "'\\x%s'" % event.hex(), schema, log))


def _letters(stack, name):
    return stack.value(name, "SELECT COUNT(*) FROM dead_letter")


def test_following_the_hospital_log_from_its_start_forgets_what_only_the_lost_log_had(driver):
    """Deletions that were only in the lost log are forgotten: one that was recorded, and one that is a dead letter. A deletion that
    is in the log is recorded again."""
    with Stack(driver) as stack:
        active, deleted = register(stack), register(stack)
        kept, ended = book(stack, active), book(stack, deleted)
        assert stack.hospital.DeleteHospital(hospital_id=deleted).code == rpc.OK
        wait_history(stack, ended.booking_id, 5)
        stack.booking_svc.stop()
        stack.execute("booking", "INSERT INTO hospital_deletion (hospital_id, day, next_booking_id, done) VALUES (%s, '%s', %s, 1)" % (
            _id(driver, active), day(), _id(driver, rpc.new_id())))
        lost = rpc.event_pb2.Event(seq=1000, event_id=rpc.new_id(), type="hospital.deleted",
                                   hospital={"hospital_id": active, "status": 2})
        lost.occurred_at.GetCurrentTime()
        _store_letter(stack, driver, "booking", "hospital", "hospital.deleted", lost.SerializeToString())
        stack.booking_svc.start(follow_log_from_start="hospital")
        assert _letters(stack, "booking") == 0 and not stack.booking.Stats().message.degraded
        assert book(stack, active).status == CONFIRMED
        wait_for("the real deletion is noted again", lambda: [row for row in stack.rows(
            "booking", "SELECT hospital_id, done FROM hospital_deletion") if int(row[1]) == 1])
        stack.booking_svc.stop()
        replayed = stack.booking_svc.run_once(replay_dead_letters="true")
        assert (replayed.returncode, replayed.stdout) == (0, "0 dead letters applied, 0 left\n"), replayed
        stack.booking_svc.start()
        assert status_of(stack, kept.booking_id) == CONFIRMED
        wait_agreement(stack)


def test_following_the_booking_log_from_its_start_forgets_its_dead_letters(driver):
    with Stack(driver) as stack:
        hospital_id = register(stack)
        kept = book(stack, hospital_id)
        wait_history(stack, kept.booking_id, CONFIRMED)
        wait_for("hospital-svc has a cursor", lambda: stack.value("hospital", "SELECT COUNT(*) FROM event_cursor WHERE seq > 0"))
        stack.hospital_svc.stop()
        lost = rpc.event_pb2.Event(seq=1000, event_id=rpc.new_id(), type="booking.cancelled",
                                   booking={"booking_id": kept.booking_id, "hospital_id": hospital_id, "date": day(1)})
        _store_letter(stack, driver, "hospital", "booking", "booking.cancelled", lost.SerializeToString())
        stack.hospital_svc.start(follow_log_from_start="booking")
        assert _letters(stack, "hospital") == 0 and not stack.hospital.Stats().message.degraded
        stack.hospital_svc.stop()
        replayed = stack.hospital_svc.run_once(replay_dead_letters="true")
        assert (replayed.returncode, replayed.stdout) == (0, "0 dead letters applied, 0 left\n"), replayed
        stack.hospital_svc.start()
        assert remaining(stack, hospital_id) == 9
        wait_agreement(stack)


def test_a_rebuild_of_history_forgets_the_dead_letters_of_a_lost_log(driver):
    with Stack(driver) as stack:
        kept = book(stack, register(stack))
        wait_history(stack, kept.booking_id, CONFIRMED)
        _store_letter(stack, "postgresql", "history", "booking", "booking.cancelled", schema="history.")
        assert stack.history_svc.run_once(rebuild="true").returncode == 0
        stack.history_svc.restart()
        assert _letters(stack, "history") == 0 and not stack.history.Stats().message.degraded
        wait_agreement(stack)


def test_a_place_granted_after_its_tombstone_was_purged_is_given_back(driver):
    """A booking was cancelled while its Reserve was in flight for so long that its tombstone was purged. The place is granted, and
    then released."""
    with Stack(driver) as stack:
        hospital_id = register(stack)
        stack.hospital_svc.pause()
        request = booking_request(hospital_id)
        client = stack.client("booking")
        sent = client.send("CreateBooking", timeout_ms=30000, **request)
        wait_for("the booking is there", lambda: stack.booking.GetBooking(booking_id=request["booking_id"]).code == rpc.OK)
        assert stack.booking.CancelBooking(booking_id=request["booking_id"]).code == rpc.OK
        wait_for("it is told", lambda: stack.value("booking", "SELECT COUNT(*) FROM event_log"))
        # Pretend that hospital-svc has applied the cancellation and purged its tombstone before it receives the Reserve that waits
        # at its socket.
        stack.execute("hospital", "INSERT INTO event_cursor (log, log_id, seq, event_id) VALUES ('booking', %s, 1, %s) "
                      "ON CONFLICT (log) DO UPDATE SET seq = 1, event_id = excluded.event_id" % tuple(
                          _id(driver, text) for text in _head(stack)))
        stack.hospital_svc.resume()
        client.receive(sent)
        wait_for("the place is given back", lambda: stack.value("hospital", "SELECT COUNT(*) FROM reservation WHERE state = 2") == 1)
        assert remaining(stack, hospital_id) == 10
        assert status_of(stack, request["booking_id"]) == CANCELLED
        wait_agreement(stack)
        wait_for("history has the cancellation", lambda: history_of(stack, request["booking_id"]))
        assert [entry.status for entry in history_of(stack, request["booking_id"]).entries] == [CANCELLED]
        assert stack.value("history", "SELECT COUNT(*) FROM unknown_event") == 0


def _head(stack):
    """Returns [log_id, event_id] of the head of the booking log, as text."""
    row, = stack.rows("booking", "SELECT log_id, head_event_id FROM event_log_head")
    return [str(uuid.UUID(bytes=value)) if isinstance(value, bytes) else value for value in row]
