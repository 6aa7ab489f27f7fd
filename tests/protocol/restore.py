"""Backup and restore as docs/operations.md tells, with its commands, and the way out when a log has diverged."""
import os
import subprocess

from kit import rpc
from kit.stack import DEADLINE_S, PROGRAMS, Stack, wait_for
from kit.world import CONFIRMED, book, register, remaining, wait_agreement, wait_history


def command(*words):
    done = subprocess.run(words, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    assert done.returncode == 0, (words, done.stderr)


def back_up(stack, name):
    """While the service runs; the path of the backup."""
    path = os.path.join(stack.folder, name + ".backup")
    url = stack.url(name)
    if url.startswith("sqlite:"):
        command("sqlite3", url[len("sqlite:"):], ".backup " + path)
    else:
        command("pg_dump", "--format=custom", "--file=" + path, url)
    return path


def restore(stack, name, path):
    """While the service is stopped."""
    url = stack.url(name)
    if url.startswith("sqlite:"):
        file = url[len("sqlite:"):]
        command("rm", "-f", file, file + "-wal", file + "-shm")
        command("cp", path, file)
    else:
        if name == "history":
            command("psql", "--quiet", "--command=DROP SCHEMA IF EXISTS history CASCADE", url)
        command("pg_restore", "--clean", "--if-exists", "--single-transaction", "--dbname=" + url, path)


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
        assert not any(getattr(stack, name).Stats().message.degraded for name in PROGRAMS)
