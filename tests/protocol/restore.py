"""Tests backup and restore with the commands of docs/operations.md, and the recovery when a log has diverged."""
from kit import rpc
from kit.backup import back_up, restore
from kit.stack import PROGRAMS, Stack, wait_for
from kit.world import CANCELLED, CONFIRMED, book, register, remaining, repair, wait_agreement, wait_history


def stop_all(stack):
    for name in ("booking", "hospital", "history"):
        stack.services[name].stop()


def test_backups_of_all_three_databases_restore_their_moment(driver):
    with Stack(driver) as stack:
        hospital_id = register(stack)
        kept = book(stack, hospital_id)
        wait_history(stack, kept.booking_id, CONFIRMED)
        wait_agreement(stack)
        backups = {name: back_up(stack, name) for name in PROGRAMS}
        lost = book(stack, hospital_id)
        assert stack.booking.CancelBooking(booking_id=kept.booking_id).code == rpc.OK
        wait_agreement(stack)
        stop_all(stack)
        for name, path in backups.items():
            restore(stack, name, path)
        for name in PROGRAMS:
            stack.services[name].start()
        assert stack.booking.GetBooking(booking_id=kept.booking_id).message == kept
        assert stack.booking.GetBooking(booking_id=lost.booking_id).code == rpc.NOT_FOUND
        assert remaining(stack, hospital_id) == 9
        new = book(stack, hospital_id)
        wait_history(stack, new.booking_id, CONFIRMED)
        wait_agreement(stack)
        assert not any(getattr(stack, name).Stats().message.degraded for name in PROGRAMS)


def test_a_restored_booking_database_alone_diverges_and_can_recover(driver):
    with Stack(driver) as stack:
        hospital_id = register(stack)
        kept = book(stack, hospital_id)
        wait_history(stack, kept.booking_id, CONFIRMED)
        backup = back_up(stack, "booking")
        lost = book(stack, hospital_id)
        wait_history(stack, lost.booking_id, CONFIRMED)
        stack.booking_svc.stop()
        restore(stack, "booking", backup)
        stack.booking_svc.start()
        for name in ("hospital", "history"):
            wait_for(name + " says that the log has diverged", lambda: any(
                "diverged" in reason for reason in getattr(stack, name).Stats().message.degraded))
            assert getattr(stack, name).Check().message.status == 1  # the service keeps serving
        stack.hospital_svc.stop()
        stack.hospital_svc.start(follow_log_from_start="booking")
        listed = [line for line in stack.hospital_svc.log_lines() if line.get("event") == "reservation.live"]
        assert lost.booking_id in [line["booking_id"] for line in listed]  # hospital-svc holds a place for a lost booking
        assert stack.history_svc.run_once(rebuild="true").returncode == 0
        assert stack.booking.CancelBooking(booking_id=kept.booking_id).code == rpc.OK
        wait_for("hospital-svc follows again", lambda: remaining(stack, hospital_id) == 9)
        new = book(stack, hospital_id)
        wait_history(stack, new.booking_id, CONFIRMED)
        assert stack.history.GetBookingHistory(booking_id=lost.booking_id).code == rpc.NOT_FOUND
        assert repair(stack) == {lost.booking_id: ("NONE", "HELD")}
        assert repair(stack, "--release") == {lost.booking_id: ("REJECTED", "RELEASED")}
        wait_for("its place is free", lambda: remaining(stack, hospital_id) == 9)
        wait_agreement(stack)
        assert not any(getattr(stack, name).Stats().message.degraded for name in PROGRAMS)


def bring(stack, name, path):
    service = stack.services[name]
    service.kill()
    restore(stack, name, path)
    service.start()


def test_the_right_booking_database_after_an_old_copy_needs_no_restart(driver):
    """An operator starts an old copy by mistake, and then the right database. The right database is ahead of hospital-svc, which
    follows the booking log to its end before it grants places."""
    with Stack(driver) as stack:
        hospital_id = register(stack, capacity=2)
        kept = book(stack, hospital_id)
        wait_history(stack, kept.booking_id, CONFIRMED)
        wait_agreement(stack)
        old = back_up(stack, "booking")
        cancelled = book(stack, hospital_id)
        wait_history(stack, cancelled.booking_id, CONFIRMED)
        wait_agreement(stack)
        stack.hospital_svc.kill()
        assert stack.booking.CancelBooking(booking_id=cancelled.booking_id).code == rpc.OK
        wait_history(stack, cancelled.booking_id, CANCELLED)
        right = back_up(stack, "booking")
        bring(stack, "booking", old)
        stack.hospital_svc.start()
        wait_for("hospital-svc has halted and grants nothing", lambda: set(stack.hospital.Stats().message.degraded) == {
            "booking log diverged", "no places are granted: LOG_DIVERGED"})
        wait_for("history-svc has halted", lambda: list(stack.history.Stats().message.degraded) == ["booking log diverged"])
        for name in ("hospital", "history"):  # a second answer with the same result changes nothing
            enough = stack.stat(name, "events_fetches_total") + 3
            wait_for("%s-svc asks again" % name,
                     lambda name=name, enough=enough: stack.stat(name, "events_fetches_total") >= enough)
            assert "booking log diverged" in getattr(stack, name).Stats().message.degraded
        bring(stack, "booking", right)
        stack.wait_paired()
        assert book(stack, hospital_id).status == CONFIRMED
        assert remaining(stack, hospital_id) == 0
        wait_agreement(stack)
        for name in PROGRAMS:
            assert not getattr(stack, name).Stats().message.degraded
        for name in ("hospital", "history"):
            logged = [line["event"] for line in stack.services[name].log_lines()
                    if line.get("log") == "booking" and line.get("event") in ("events.halted", "events.goes_on")]
            assert logged == ["events.halted", "events.goes_on"], (name, logged)
