"""Backup and restore as docs/operations.md tells, with its commands, and the way out when a log has diverged."""
from kit import rpc
from kit.backup import back_up, restore
from kit.stack import PROGRAMS, Stack, wait_for
from kit.world import CONFIRMED, book, register, remaining, repair, wait_agreement, wait_history


def stop_all(stack):
    for name in ("booking", "hospital", "history"):
        stack.services[name].stop()


def test_backups_of_all_three_bring_their_moment_back(driver):
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


def test_a_restored_booking_database_alone_diverges_and_there_is_a_way_out(driver):
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
            assert getattr(stack, name).Check().message.status == 1  # it goes on serving
        stack.hospital_svc.stop()
        stack.hospital_svc.start(follow_log_from_start="booking")
        listed = [line for line in stack.hospital_svc.log_lines() if line.get("event") == "reservation.live"]
        assert lost.booking_id in [line["booking_id"] for line in listed]  # it holds a place that nobody has
        assert stack.history_svc.run_once(rebuild="true").returncode == 0
        stack.history_svc.restart()
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
