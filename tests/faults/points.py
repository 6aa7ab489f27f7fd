"""Tests fault points that fail or stall, and crashes in the middle of operations with several steps."""
import os
import re
import subprocess
import time

from faults.arm import armed, fired, wait_crashed, wait_fired
from faults.traffic import Traffic
from kit import rpc
from kit.marks import once
from kit.stack import PROGRAMS, Stack, program, wait_for
from kit.world import (CONFIRMED, FORCE_CANCELLED, all_bookings, behind, book, booking_request, day, history_of, queue, register,
                       remaining, status_of, wait_agreement, wait_history)

PLACES = 100000
WRITERS = ("hospital", "booking")  # the services that use the driver of the test
CHUNK = 128  # the value of FORCE_CANCEL_CHUNK
LIVE, RELEASED = 1, 2  # states of a reservation; the third is a tombstone


def survive(driver, faults, points):
    """Runs traffic while hospital-svc and booking-svc have `faults` armed, until each point has fired as often as `points` gives
    for it. Returns the log lines by service."""
    with Stack(driver) as stack:
        hospital_id = register(stack, capacity=PLACES)
        with Traffic(stack, hospital_id, PLACES) as traffic:
            for name in WRITERS:
                stack.services[name].kill()
                armed(stack.services[name], faults).start()
            for name in WRITERS:
                for point, times in points.items():
                    wait_fired(stack.services[name], point, times)
        wait_agreement(stack)
        traffic.check()
        return {name: stack.services[name].log_lines() for name in WRITERS}


# ---- arming fault points

@once
def test_programs_list_their_points_and_refuse_wrong_entries(driver):
    del driver

    def run(name, faults):
        return subprocess.run([program(name), "--version"], capture_output=True, text=True, check=False,
                              env={**os.environ, "SCREENING_FAULTS": faults})
    with open(os.path.join(os.path.dirname(__file__), "../../docs/fault-points.md"), encoding="utf-8") as page:
        listed = re.findall(r"^\| `([a-z_]+\.[a-z_.]+)` \|", page.read(), re.M)
    for name in PROGRAMS:
        done = run(name + "-svc", "list")
        assert (done.returncode, done.stderr, done.stdout.split()) == (0, "", listed), done
        for wrong in ("writer.before_comit:crash", "db.run:fail=PERHAPS", "writer.before_commit:fail", "db.run:crash@0"):
            done = run(name + "-svc", wrong)
            assert done.returncode == 2 and done.stdout == "" and len(done.stderr.splitlines()) == 1, done
            assert wrong.split(":")[0] in done.stderr, done


# ---- the database fails

def test_a_commit_whose_answer_is_lost_is_done_once(driver):
    logs = survive(driver, "db.commit_answer:fail@40-43;db.commit_answer:fail@60", {"db.commit_answer": 5})
    for name, lines in logs.items():
        assert any(line.get("event") == "writer.commit_unknown" for line in lines), name


def test_capacities_set_in_a_lost_commit_are_not_refused(driver):
    """Two capacities are set in a row, and the second request expects the version of the first. Mostly both are in one batch,
    because the stalls gather them. Neither is refused, although the answer to the commit is lost."""
    with Stack(driver, without=("booking", "history")) as stack:
        hospital_id = register(stack, capacity=1)
        stack.hospital_svc.kill()
        armed(stack.hospital_svc, "writer.before_begin:stall=50@1+;db.commit_answer:fail@10-12;db.commit_answer:fail@20").start()
        version, client = 1, stack.client("hospital")
        while len(fired(stack.hospital_svc, "db.commit_answer")) < 4:
            requests = [{"hospital_id": hospital_id, "date": day(1), "capacity": 10 * expected, "expected_version": expected}
                        for expected in (version, version + 1)]
            for reply, request in zip(client.call_all("SetCapacity", requests), requests):
                overtook = re.search(r"the day has version (\d+), not (\d+)", reply.text)
                if overtook and int(overtook[1]) < int(overtook[2]):
                    continue  # this request was executed before the first, because calls on one connection have no order
                version += 1
                assert reply.code == rpc.OK and reply.message.version == version, (reply, request)
                assert reply.message.capacity == request["capacity"], (reply, request)
        published = stack.value("hospital", "SELECT COUNT(*) FROM event_log WHERE type = 'hospital.capacity_set'")
        assert published == version - 1, (published, version)


def test_a_commit_that_was_lost_before_it_was_done_is_done_again(driver):
    survive(driver, "db.commit:fail=UNKNOWN@40-42;db.commit:fail=ABORTED@60-61", {"db.commit": 5})


def test_a_database_that_fails_at_any_step_loses_nothing(driver):
    survive(driver, "db.begin:fail@40-42;db.run:fail@300-303;db.commit:fail@80-82", {"db.begin": 3, "db.run": 4, "db.commit": 3})


def test_a_slow_commit_is_waited_for(driver):
    survive(driver, "writer.before_commit:stall=40@10-25;db.commit_answer:stall=40@50-60",
            {"writer.before_commit": 16, "db.commit_answer": 11})


def test_a_statement_that_fails_in_itself_is_internal_and_changes_nothing(driver):
    with Stack(driver) as stack:
        hospital_id = register(stack)

        def hit():
            """Makes the fault fire. Returns the bookings that failed. The list is empty if the fault hit a statement of the settler
            or of a subscriber."""
            before, failed = len(fired(stack.booking_svc, "db.run")), []
            stack.booking_svc.kill()
            armed(stack.booking_svc, "db.run:fail=INTERNAL@60").start()
            while len(fired(stack.booking_svc, "db.run")) == before:
                request = booking_request(hospital_id, date="2000-01-01")  # the rules refuse it, so no settle follows
                if stack.booking.CreateBooking(**request).code == rpc.INTERNAL:
                    failed.append(request["booking_id"])
            assert stack.booking_svc.process.poll() is None
            return failed
        failed = wait_for("a booking meets the fault", hit)
        assert len(failed) == 1, failed
        assert stack.booking.GetBooking(booking_id=failed[0]).code == rpc.NOT_FOUND
        again = stack.booking.CreateBooking(**booking_request(hospital_id, booking_id=failed[0]))
        assert again.code == rpc.OK and again.message.status == CONFIRMED, again
        wait_agreement(stack)


# ---- messages are lost, events fail

@once
def test_batches_that_are_never_published_are_fetched(driver):
    with Stack(driver, without=WRITERS) as stack:
        for name in WRITERS:
            armed(stack.services[name], "events.before_publish:fail@1+").start()
        hospital_id = register(stack)
        bookings = [book(stack, hospital_id) for _ in range(3)]
        assert stack.booking.CancelBooking(booking_id=bookings[0].booking_id).code == rpc.OK
        wait_agreement(stack)
        for name in WRITERS:
            assert fired(stack.services[name], "events.before_publish"), name


def check_dead_letter(driver, name):
    """Checks that an event becomes a dead letter if it fails in the service's transaction, first with its batch and then alone, and
    that the service can replay the dead letter."""
    with Stack(driver) as stack:
        service = stack.services[name]
        hospital_id = register(stack)
        kept = book(stack, hospital_id)
        wait_agreement(stack)
        wait_for("everybody has read the logs to their ends", lambda: not behind(stack))
        service.kill()
        armed(service, "events.chunk.before_apply:fail@1+").start()
        assert stack.booking.CancelBooking(booking_id=kept.booking_id).code == rpc.OK
        wait_for("the event is a dead letter", lambda: stack.value(name, "SELECT COUNT(*) FROM dead_letter") == 1)
        assert fired(service, "events.chunk.before_apply")
        service.stop()
        done = armed(service, "").run_once(replay_dead_letters="true")
        assert done.returncode == 0, done
        service.start()
        wait_agreement(stack)


def test_an_event_that_fails_in_hospital_svc_is_kept_and_replayed(driver):
    check_dead_letter(driver, "hospital")


@once
def test_an_event_that_fails_in_history_svc_is_kept_and_replayed(driver):
    check_dead_letter(driver, "history")


# ---- stalls

@once
def test_a_caller_is_answered_in_time_while_the_writer_is_stalled(driver):
    stall_ms = 6000
    with Stack(driver) as stack:
        hospital_id = register(stack)
        stack.booking_svc.kill()
        armed(stack.booking_svc, "reserve.before_call:stall=%d" % stall_ms).start()
        request = booking_request(hospital_id)
        begun = time.monotonic()
        reply = stack.booking.CreateBooking(timeout_ms=200, **request)
        assert reply.code == rpc.DEADLINE_EXCEEDED, reply
        assert time.monotonic() - begun < stall_ms / 2000
        wait_fired(stack.booking_svc, "reserve.before_call")
        wait_for("it is settled all the same", lambda: status_of(stack, request["booking_id"]) != 1)
        wait_agreement(stack)


@once
def test_an_answer_that_comes_too_late_takes_no_place(driver):
    """hospital-svc has taken the place, but its answer arrives after booking-svc gave up. The place becomes free again."""
    with Stack(driver, flags={"booking": {"reserve-timeout-ms": 200}}) as stack:
        hospital_id = register(stack)
        stack.hospital_svc.kill()
        armed(stack.hospital_svc, "writer.after_commit:stall=500@1+").start()

        refused = 0

        def taken_and_freed():
            """Requests a booking, which is refused. Returns how many places were taken and released. It may be 0, because a Reserve
            that waits behind another stall may not be executed."""
            nonlocal refused
            reply = stack.booking.CreateBooking(**booking_request(hospital_id))
            assert (reply.code, reply.reason) == (rpc.FAILED_PRECONDITION, "HOSPITAL_UNAVAILABLE"), reply
            refused += 1
            return stack.value("hospital", "SELECT COUNT(*) FROM reservation WHERE state = %d" % RELEASED)
        wait_for("a place was taken for a booking that was refused, and freed", taken_and_freed)
        # From now on, a Reserve that is still in flight takes no place.
        wait_for("hospital-svc has heard of every refusal", lambda: stack.value(
            "hospital", "SELECT COUNT(*) FROM reservation WHERE state <> %d" % LIVE) == refused)
        wait_agreement(stack)
        assert remaining(stack, hospital_id) == 10


# ---- crashes in the middle of operations with several steps

def test_a_crash_in_a_migration_leaves_what_the_next_start_migrates(driver):
    with Stack(driver, without=PROGRAMS) as stack:
        for name in PROGRAMS:
            for number in (1, 2):  # number of the migration; the crash rolls the first one back
                armed(stack.services[name], "migrate.step:crash@%d" % number).spawn()
                wait_crashed(stack.services[name], "migrate.step")
            armed(stack.services[name], "").start()
            assert len(fired(stack.services[name], "migrate.step")) == 2
        booking = book(stack, register(stack))
        wait_history(stack, booking.booking_id, CONFIRMED)
        wait_agreement(stack)


def test_crashes_in_a_forced_cancellation_lose_and_repeat_nothing(driver):
    count = 2 * CHUNK + 50
    with Stack(driver) as stack:
        hospital_id = register(stack, capacity=count)
        replies = stack.booking.call_all("CreateBooking", [booking_request(hospital_id) for _ in range(count)])
        assert all(reply.code == rpc.OK for reply in replies)
        service = stack.booking_svc
        service.kill()
        armed(service, "force_cancel.chunk:crash@2").start()
        assert stack.hospital.DeleteHospital(hospital_id=hospital_id).code == rpc.OK
        wait_crashed(service, "force_cancel.chunk")
        assert stack.value("booking", "SELECT COUNT(*) FROM booking WHERE status = 5") == CHUNK
        armed(service, "force_cancel.after_chunk:crash").spawn()
        wait_crashed(service, "force_cancel.after_chunk")
        assert stack.value("booking", "SELECT COUNT(*) FROM booking WHERE status = 5") == 2 * CHUNK
        armed(service, "").start()
        wait_for("every booking is force-cancelled",
                 lambda: len(all_bookings(stack, hospital_id, status=FORCE_CANCELLED)) == count)
        wait_agreement(stack)
        assert stack.value("booking", "SELECT COUNT(*) FROM event_log WHERE type = 'booking.force_cancelled'") == count


def test_a_crash_of_the_settler_leaves_the_booking_to_the_next(driver):
    """The settler crashes twice on a queued booking whose customer does not wait. The settler of the next start confirms the
    booking."""
    with Stack(driver, flags={"booking": {"reserve-timeout-ms": 100}}) as stack:
        hospital_id, service = register(stack), stack.booking_svc
        request = booking_request(hospital_id, queue_if_unavailable=True)
        stack.hospital_svc.pause()
        queue(stack, request)
        service.kill()
        for _ in range(2):
            armed(service, "settler.take_up:crash").spawn()
            wait_crashed(service, "settler.take_up")
        assert len(fired(service, "settler.take_up")) == 2
        armed(service, "").start()
        stack.hospital_svc.resume()
        wait_for("the booking is confirmed", lambda: status_of(stack, request["booking_id"]) == CONFIRMED)
        wait_agreement(stack)
        assert remaining(stack, hospital_id) == 9


@once
def test_a_crash_before_the_swap_of_a_rebuild_leaves_the_old_tables(driver):
    with Stack(driver) as stack:
        booking = book(stack, register(stack))
        wait_history(stack, booking.booking_id, CONFIRMED)
        before = history_of(stack, booking.booking_id)
        done = armed(stack.history_svc, "rebuild.before_swap:crash").run_once(rebuild="true")
        assert done.returncode == -9 and "rebuild.before_swap" in done.stderr, done
        assert history_of(stack, booking.booking_id) == before
        assert armed(stack.history_svc, "").run_once(rebuild="true").returncode == 0
        wait_history(stack, booking.booking_id, CONFIRMED)
        wait_agreement(stack)
