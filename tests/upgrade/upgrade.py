"""Runs the current programs on the databases, the packed events and the packed requests of every earlier stage."""
import json
import lzma
import os
import shutil
import struct
import subprocess
import time

from google.protobuf.json_format import MessageToDict

from kit import rpc
from kit.stack import BUILD, PROGRAMS, Stack, wait_for
from kit.world import CONFIRMED, FORCE_CANCELLED, REQUESTED, all_bookings, book, register, wait_agreement, wait_history

HERE = os.path.dirname(os.path.abspath(__file__))
STAGES = sorted(name for name in os.listdir(HERE) if os.path.exists(os.path.join(HERE, name, "calls.json")))
CLOCK_STEP = os.path.join(BUILD, "tests/clock_step.so")
KEY = "SELECT booking_id, status, version FROM booking ORDER BY booking_id"


def golden_calls(stage):
    with open(os.path.join(HERE, stage, "calls.json"), encoding="utf-8") as file:
        return json.load(file)


class GoldenStack(Stack):
    """A stack on the databases of a stage. Its services see the time at which the databases were made."""

    def __init__(self, stage, kind, driver, **more):
        super().__init__(driver, **more)
        clock = os.path.join(self.folder, "clock-step")
        with open(clock, "wb") as file:
            file.write(struct.pack("=q", golden_calls(stage)["made_at_us"] * 1000 - time.time_ns()))
        asan = os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"
        for name in PROGRAMS:
            self.services[name].environment.update(
                {"LD_PRELOAD": CLOCK_STEP, "SCREENING_CLOCK_STEP": clock, "ASAN_OPTIONS": asan})
            self._load(name, os.path.join(HERE, stage, driver, kind, name))

    def _load(self, name, path):
        url = self.url(name)
        if url.startswith("sqlite:"):
            with lzma.open(path + ".db.xz") as source, open(url[len("sqlite:"):], "wb") as target:
                shutil.copyfileobj(source, target)
            return
        with lzma.open(path + ".sql.xz") as source:
            subprocess.run(["psql", url, "-X", "-q", "-v", "ON_ERROR_STOP=1"], input=source.read(), check=True,
                           stdout=subprocess.DEVNULL)


def for_each_stage(kind, driver, check, before=lambda stack: None):
    assert STAGES
    for stage in STAGES:
        print("stage %s" % stage, flush=True)
        stack = GoldenStack(stage, kind, driver)
        before(stack)
        old = {tuple(row[:1]): (int(row[1]), int(row[2])) for row in stack.rows("booking", KEY)}
        with stack:
            check(stack, stage, old)


def history_tables(stack):
    return {table: stack.rows("history", "SELECT * FROM %s ORDER BY %s" % (table, key)) for table, key in (
        ("booking_summary", "booking_id"), ("timeline_entry", "event_id"), ("hospital", "hospital_id"))}


def degraded(stack):
    return [reason for name in PROGRAMS for reason in getattr(stack, name).Stats().message.degraded]


def test_whole_databases_upgrade_agree_and_serve(driver):
    def check(stack, stage, old):
        del stage
        # Bookings in progress get their outcome. Bookings that have ended do not change.
        wait_agreement(stack)
        assert not degraded(stack), degraded(stack)
        new = {tuple(row[:1]): (int(row[1]), int(row[2])) for row in stack.rows("booking", KEY)}
        assert set(new) == set(old)
        changed = {key for key in old if old[key][0] != REQUESTED and new[key] != old[key]}
        assert not changed, changed
        waiting = [key for key in old if old[key][0] == REQUESTED]
        assert waiting and all(new[key][0] == CONFIRMED for key in waiting), [new[key] for key in waiting]
        # The clinic's work continues, at an old hospital and at a new one.
        hospital_id = register(stack, capacity=9)
        first = book(stack, hospital_id)
        wait_history(stack, first.booking_id, CONFIRMED)
        hospitals = stack.hospital.ListHospitals(page_size=500).message.hospitals
        kept = [b for h in hospitals for b in all_bookings(stack, h.hospital_id, status=CONFIRMED)]
        for booking in kept[:20]:
            assert stack.booking.CancelBooking(booking_id=booking.booking_id).code == rpc.OK
        doomed = next(h for h in hospitals if h.hospital_id not in {b.hospital_id for b in kept[:20]}
                      and any(b.hospital_id == h.hospital_id for b in kept) and h.hospital_id != hospital_id)
        assert stack.hospital.DeleteHospital(hospital_id=doomed.hospital_id).code == rpc.OK
        victim = next(b for b in kept if b.hospital_id == doomed.hospital_id)
        wait_history(stack, victim.booking_id, FORCE_CANCELLED)
        wait_agreement(stack)
        # All events, old and new, give the same history.
        before = history_tables(stack)
        done = stack.history_svc.run_once(rebuild="true")
        assert done.returncode == 0, done
        after = history_tables(stack)
        assert after == before, [table for table in before if before[table] != after[table]]
    for_each_stage("whole", driver, check)


def test_an_upgrade_that_is_killed_again_and_again_ends_whole(driver):
    """A start takes about 30 ms, so the kills come before, during and after the migrations. In the end the upgrade is complete."""
    def kill_starts(stack):
        for name in PROGRAMS:
            for ms in (5, 10, 15, 20, 25, 30, 40, 60, 90):
                stack.services[name].spawn()
                time.sleep(ms / 1000)
                stack.services[name].kill()

    def check(stack, stage, old):
        del stage
        wait_agreement(stack)
        new = {tuple(row[:1]): (int(row[1]), int(row[2])) for row in stack.rows("booking", KEY)}
        assert set(new) == set(old)
        assert not degraded(stack), degraded(stack)
    for_each_stage("whole", driver, check, before=kill_starts)


def includes(new, old):
    """Returns whether `new` contains everything in `old`. `new` may have additional fields."""
    if isinstance(old, dict):
        return isinstance(new, dict) and all(key in new and includes(new[key], old[key]) for key in old)
    if isinstance(old, list):
        return isinstance(new, list) and len(new) == len(old) and all(map(includes, new, old))
    return new == old


def test_old_requests_are_answered_as_they_were(driver):
    def check(stack, stage, old):
        del old
        wait_agreement(stack)
        for call in golden_calls(stage)["calls"][driver]:
            reply = stack.client(call["service"]).raw(rpc.pack(call["method"], bytes.fromhex(call["payload"]), 20000))
            assert (reply.code, reply.reason) == (call["code"], call["reason"]), (call["method"], call["reason"], reply)
            output = rpc.message_class(rpc.METHODS[call["method"].split("/")[1]][1].output_type)
            then, now = (MessageToDict(output.FromString(packed)) for packed in (bytes.fromhex(call["answer"]), reply.payload))
            for changes in ("headSeq", "era"):  # the log has grown since, and every database session begins an era
                then.pop(changes, None), now.pop(changes, None)
            assert includes(now, then), (call["method"], then, now)
    for_each_stage("whole", driver, check)


def test_troubled_databases_upgrade_and_the_documented_recovery_works(driver):
    def check(stack, stage, old):
        del stage, old
        wait_for("history-svc reports that the hospital log has diverged", lambda: any(
            "diverged" in reason for reason in stack.history.Stats().message.degraded))
        wait_for("booking-svc has followed the log from its start by itself", lambda: stack.rows(
            "booking", "SELECT seq, event_id FROM event_cursor WHERE log = 'hospital'") == stack.rows(
                "hospital", "SELECT head_seq, head_event_id FROM event_log_head"))
        wait_for("hospital-svc reports its dead letter", lambda: any(
            "1 dead letter" in reason for reason in stack.hospital.Stats().message.degraded))
        stack.booking_svc.stop()
        stack.hospital_svc.stop()
        done = stack.hospital_svc.run_once(replay_dead_letters="true")
        assert done.returncode == 0 and "1 dead letter" in done.stdout, done
        stack.hospital_svc.start()
        done = stack.booking_svc.run_once(replay_dead_letters="true")
        assert done.returncode == 0, done
        stack.booking_svc.start()
        stack.history_svc.stop()
        assert stack.history_svc.run_once(rebuild="true").returncode == 0
        stack.history_svc.start()
        wait_agreement(stack)
        hospital_id = register(stack)
        wait_history(stack, book(stack, hospital_id).booking_id, CONFIRMED)
        wait_agreement(stack)
        assert not degraded(stack), degraded(stack)
    for_each_stage("troubled", driver, check)
