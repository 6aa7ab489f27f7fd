"""A database that went back: restored from a backup, or a standby that lacked its tail. The services notice nothing special
and heal all the same: no place is sold twice, and what was promised is kept."""
import os
import sqlite3
import subprocess

from kit import rpc
from kit.stack import DEADLINE_S, Stack, psql, wait_for
from kit.world import (CANCELLED, CONFIRMED, FORCE_CANCELLED, all_bookings, book, booking_request, check_refused, day,
                       register, remaining, status_of)


def command(*words):
    done = subprocess.run(words, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    assert done.returncode == 0, (words, done.stderr)


def back_up(stack, name):
    """While the service runs; the path of the backup."""
    path = os.path.join(stack.folder, "%s.%s.backup" % (name, rpc.new_id()))
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
        command("pg_restore", "--clean", "--if-exists", "--single-transaction", "--dbname=" + url, path)


def restore_live(stack, name, path):
    """Under the service, which keeps its session."""
    url = stack.url(name)
    if url.startswith("sqlite:"):
        with sqlite3.connect(path) as source, sqlite3.connect(url[len("sqlite:"):], timeout=30) as target:
            source.backup(target)
    else:
        restore(stack, name, path)


def go_back(stack, name, path, **flags):
    service = stack.services[name]
    service.kill()
    restore(stack, name, path)
    service.start(**flags)


def degraded(stack, name):
    return list(getattr(stack, name).Stats().message.degraded)


def live_headcount(stack):
    return stack.value("hospital", "SELECT COALESCE(SUM(headcount), 0) FROM reservation WHERE state = 1")


def confirmed_headcount(stack):
    return stack.value("booking", "SELECT COALESCE(SUM(headcount), 0) FROM booking WHERE status = %d" % CONFIRMED)


def wait_same(stack):
    """Every CONFIRMED booking holds its places, and nothing else does."""
    def ids(name, sql):
        return sorted(str(row[0]) if isinstance(row[0], str) else row[0].hex() for row in stack.rows(name, sql))
    wait_for("places and bookings agree", lambda: (
        ids("hospital", "SELECT booking_id FROM reservation WHERE state = 1") ==
        ids("booking", "SELECT booking_id FROM booking WHERE status = %d" % CONFIRMED)))
    reserved = stack.value("hospital", "SELECT COALESCE(SUM(reserved), 0) FROM screening_day")
    assert reserved == live_headcount(stack) == confirmed_headcount(stack)


def test_places_lost_with_a_restored_database_are_not_sold_again(driver):
    """Ten of ten places are taken, and lost: nothing is told by events of the hospital log."""
    with Stack(driver, without=("history",)) as stack:
        hospital_id = register(stack, capacity=10)
        backup = back_up(stack, "hospital")
        for _ in range(10):
            book(stack, hospital_id)
        go_back(stack, "hospital", backup)
        reply = stack.booking.CreateBooking(**booking_request(hospital_id))
        check_refused(reply, rpc.FAILED_PRECONDITION, "SOLD_OUT")
        assert remaining(stack, hospital_id) == 0
        wait_same(stack)
        told = degraded(stack, "hospital")
        assert told == ["the database went back: 10 confirmed bookings had no place"], told
        assert stack.stat("hospital", "hospital_places_reinstated_total") == 10
        stack.hospital_svc.restart()  # nobody has acknowledged it
        stack.wait_paired()
        assert degraded(stack, "hospital") == told
        stack.hospital_svc.stop()
        stack.hospital_svc.start(acknowledge_recovery="true")
        stack.wait_paired()
        assert not degraded(stack, "hospital")


def test_a_restart_is_paired_without_a_trace(driver):
    with Stack(driver, without=("history",)) as stack:
        hospital_id = register(stack, capacity=10)
        for _ in range(3):
            book(stack, hospital_id)
        for _ in range(5):
            for name in ("hospital", "booking"):
                stack.services[name].kill()
                stack.services[name].start()
            stack.wait_paired()
            book(stack, hospital_id)
        assert stack.stat("hospital", "hospital_places_reinstated_total") == 0
        assert not degraded(stack, "hospital") and not degraded(stack, "booking")
        assert remaining(stack, hospital_id) == 2
        wait_same(stack)
