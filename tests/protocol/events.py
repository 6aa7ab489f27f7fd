"""Tests the event logs: lost, repeated, reordered and late messages, divergence, dead letters, and rebuilds."""
import contextlib
import re
import uuid

from kit import rpc
from kit.backup import back_up, restore
from kit.marks import once
from kit.played_log import Log
from kit.rpc import Subscriber, event_pb2
from kit.screenctl import screenctl
from kit.stack import Stack, psql, wait_for
from kit.world import (CANCELLED, CONFIRMED, FORCE_CANCELLED, book, booking_request, check_refused, history_of, register,
                       remaining, status_of, wait_agreement, wait_history)


# ---- guarantees of a publisher

def test_fetch_pages_through_the_log(driver):
    with Stack(driver, without=("booking", "history")) as stack:
        for _ in range(7):
            register(stack)
        first = stack.hospital.Fetch(after_seq=0, max_events=5, subscriber="t").message
        assert [e.seq for e in first.events] == [1, 2, 3, 4, 5]
        assert first.head_seq == 7 and first.first_seq == 1 and uuid.UUID(first.log_id)
        assert {e.type for e in first.events} == {"hospital.registered"}
        last = first.events[-1]
        rest = stack.hospital.Fetch(after_seq=5, after_event_id=last.event_id, subscriber="t").message
        assert [e.seq for e in rest.events] == [6, 7] and rest.log_id == first.log_id
        assert not stack.hospital.Fetch(after_seq=7, after_event_id=rest.events[-1].event_id).message.events
        for where in ({"after_seq": 5, "after_event_id": rest.events[0].event_id}, {"after_seq": 8}):
            check_refused(stack.hospital.Fetch(**where), rpc.DATA_LOSS, "LOG_DIVERGED")


def test_fetch_waits_for_the_next_event(driver):
    with Stack(driver, without=("booking", "history")) as stack:
        waiting = stack.client("hospital")
        sent = waiting.send("Fetch", after_seq=0, wait_ms=10000, subscriber="t", timeout_ms=20000)
        hospital_id = register(stack)
        events = waiting.receive(sent).message.events
        assert [e.hospital.hospital_id for e in events] == [hospital_id]
        assert not stack.hospital.Fetch(after_seq=1, wait_ms=50, subscriber="t").message.events


def test_every_change_is_sent_once_in_order(driver):
    with Stack(driver) as stack:
        hospital_id = register(stack, capacity=2)
        stack.hospital.SetCapacity(hospital_id=hospital_id, date=booking_request(hospital_id)["date"], capacity=3)
        traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        request = booking_request(hospital_id)
        stack.booking.CreateBooking(metadata={"traceparent": traceparent}, **request)
        stack.booking.CreateBooking(**booking_request(hospital_id, headcount=9))
        stack.booking.CancelBooking(booking_id=request["booking_id"])
        forced = book(stack, hospital_id)
        stack.hospital.DeleteHospital(hospital_id=hospital_id)
        wait_for("force-cancelled", lambda: status_of(stack, forced.booking_id) == FORCE_CANCELLED)
        fetched = stack.hospital.Fetch(subscriber="t").message.events
        assert [e.type for e in fetched] == ["hospital.registered", "hospital.capacity_set", "hospital.deleted"]
        assert len(fetched[0].hospital.days) == 1 and fetched[1].day.day.capacity == 3
        fetched = stack.booking.Fetch(subscriber="t").message.events
        assert [e.type for e in fetched] == ["booking.confirmed", "booking.rejected", "booking.cancelled",
                                             "booking.confirmed", "booking.force_cancelled"]
        assert fetched[0].traceparent == traceparent and fetched[0].booking.version == 2
        assert fetched[2].booking.version == 3 and fetched[2].booking.status == CANCELLED
        assert len({e.event_id for e in fetched}) == 5


def test_pub_sub_carries_events_and_heartbeats(driver):
    with Stack(driver, without=("booking", "history")) as stack:
        subscriber = Subscriber(stack.address("hospital.events"))
        topic, beat = subscriber.receive()
        assert topic == "hospital" and not beat.events and beat.head_seq == 0
        hospital_id = register(stack)
        wait_for("the event is published", lambda: [
            e for e in subscriber.receive()[1].events if e.hospital.hospital_id == hospital_id])
        _, beat = subscriber.receive()
        fetched = stack.hospital.Fetch(subscriber="t").message
        assert (beat.log_id, beat.head_seq, beat.prev_event_id) == \
            (fetched.log_id, 1, fetched.events[0].event_id)
        subscriber.close()


@once
def test_an_event_whose_commit_fails_is_not_published(driver):
    """The cancellation fails only at COMMIT, so its event must not be published. A subscriber that received the event would free a
    place that is still taken."""
    del driver
    with Stack("postgresql", without=("history",)) as stack:
        hospital_id = register(stack)
        booking = book(stack, hospital_id)
        subscriber = Subscriber(stack.address("booking.events"))
        subscriber.receive()
        stack.execute("booking", """
            CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'late'; END $$;
            CREATE CONSTRAINT TRIGGER late AFTER UPDATE ON booking DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
            WHEN (NEW.status = 4) EXECUTE FUNCTION late()""")
        assert stack.booking.CancelBooking(booking_id=booking.booking_id).code == rpc.INTERNAL
        stack.execute("booking", "DROP TRIGGER late ON booking")
        after = booking_request(hospital_id)
        reply = stack.booking.CreateBooking(timeout_ms=5000, **after)  # makes an event, whatever the outcome of the booking
        fetched = []
        while not fetched or fetched[-1].booking.booking_id != after["booking_id"]:
            fetched += subscriber.receive()[1].events
        assert "booking.cancelled" not in [event.type for event in fetched], fetched
        assert reply.code == rpc.OK and reply.message.status == CONFIRMED, reply
        assert remaining(stack, hospital_id) == 8
        subscriber.close()


# ---- a subscriber on a bad network: history-svc and hospital-svc follow a publisher that the test plays

def applied(stack, log="booking"):
    status = {entry.log: entry for entry in stack.history.GetProjectionStatus().message.logs}
    return status[log].applied_seq, status[log].state


@contextlib.contextmanager
def history_behind():
    """Runs history-svc alone. history-svc follows a booking log that the test plays. Yields (stack, log)."""
    with Stack("sqlite", without=("hospital", "booking")) as stack:
        log = Log(stack, "booking")
        try:
            wait_for("history-svc follows",
                     lambda: log.publisher.subscribers() == 1 and log.service.count("Fetch") > 0)
            yield stack, log
        finally:
            log.close()


@once
def test_lost_repeated_reordered_late_messages_apply_once(driver):
    del driver
    with history_behind() as (stack, log):
        ids = [rpc.new_id() for _ in range(6)]
        for booking_id in ids:
            log.add(booking_id, 2, CONFIRMED)
        for booking_id in ids:
            log.add(booking_id, 3, CANCELLED)
        orders = [(1, 1), (3, 4), (3, 4), (2, 2), (1, 1), (6, 6), (5, 12), (2, 3)]  # 7 to 12 arrive in other batches, or by Fetch
        for first, last in orders:
            log.publisher.publish(log.batch(first, last))
        log.publisher.publish(event_pb2.EventBatch(log_id=log.log_id, head_seq=12,
                                                   prev_event_id=log.events[-1].event_id))
        wait_for("all twelve are applied", lambda: applied(stack)[0] == 12)
        assert stack.value("history", "SELECT COUNT(*) FROM timeline_entry") == 12
        assert stack.value("history", "SELECT COUNT(*) FROM booking_summary WHERE status = 4 AND version = 3") == 6


@once
def test_a_lower_version_never_moves_the_status_back(driver):
    del driver
    with history_behind() as (stack, log):
        booking_id = rpc.new_id()
        for version, status in ((3, CANCELLED), (2, CONFIRMED), (1, 1)):
            log.add(booking_id, version, status)
        log.publisher.publish(log.batch(1, 3))
        wait_for("all are applied", lambda: applied(stack)[0] == 3)
        found = history_of(stack, booking_id)
        assert found.summary.booking.status == CANCELLED
        assert [e.version for e in found.entries] == [1, 2, 3]


@once
def test_unknown_event_types_are_kept_and_not_fatal(driver):
    del driver
    with history_behind() as (stack, log):
        log.add(rpc.new_id(), 2, CONFIRMED).type = "booking.teleported"
        after = rpc.new_id()
        log.add(after, 2, CONFIRMED)
        log.publisher.publish(log.batch(1, 2))
        wait_history(stack, after, CONFIRMED)
        assert stack.value("history", "SELECT COUNT(*) FROM dead_letter") == 0
        assert applied(stack)[0] == 2


@once
def test_another_log_stops_the_subscriber_until_rebuild(driver):
    del driver
    with history_behind() as (stack, log):
        log.add(rpc.new_id(), 2, CONFIRMED)
        log.publisher.publish(log.batch(1, 1))
        wait_for("it is applied", lambda: applied(stack)[0] == 1)
        log.log_id = str(uuid.uuid4())
        log.add(rpc.new_id(), 2, CONFIRMED)
        log.publisher.publish(log.batch(2, 2))
        wait_for("the log is seen to have diverged", lambda: applied(stack) == (1, "DIVERGED"))
        assert stack.history.Stats().message.degraded
        assert stack.history.Check().message.status == 1  # degraded, but still ready
        assert stack.value("history", "SELECT COUNT(*) FROM timeline_entry") == 1


@once
def test_a_changed_tail_is_divergence(driver):
    del driver
    with history_behind() as (stack, log):
        log.add(rpc.new_id(), 2, CONFIRMED)
        log.publisher.publish(log.batch(1, 1))
        wait_for("it is applied", lambda: applied(stack)[0] == 1)
        log.events[0].event_id = rpc.new_id()
        log.add(rpc.new_id(), 2, CONFIRMED)
        log.publisher.publish(log.batch(2, 2))
        wait_for("the log is seen to have diverged", lambda: applied(stack) == (1, "DIVERGED"))


def test_a_diverged_log_and_its_recovery(driver):
    """hospital-svc's subscriber finds another booking log than the one it has followed. --follow-log-from-start makes it follow the
    other log from its start."""
    with Stack(driver, without=("history",)) as stack:
        hospital_id = register(stack)
        booking = book(stack, hospital_id)
        cancelled = book(stack, hospital_id)
        stack.booking.CancelBooking(booking_id=cancelled.booking_id)
        wait_for("the place is free", lambda: remaining(stack, hospital_id) == 9)
        stack.booking_svc.kill()
        stack.execute("booking", "UPDATE event_log_head SET log_id = %s" % (
            "X'%s'" % uuid.uuid4().hex if driver == "sqlite" else "'%s'" % uuid.uuid4()))
        stack.booking_svc.start()
        stack.booking.CancelBooking(booking_id=booking.booking_id)
        wait_for("hospital-svc is degraded", lambda: stack.hospital.Stats().message.degraded)
        assert stack.hospital.Check().message.status == 1
        assert remaining(stack, hospital_id) == 9  # no event of a diverged log is applied
        stack.hospital_svc.stop()
        stack.hospital_svc.start(follow_log_from_start="booking")
        wait_for("the cancellation is applied", lambda: remaining(stack, hospital_id) == 10)
        assert not stack.hospital.Stats().message.degraded
        wait_agreement(stack, with_history=False)


# ---- events that cannot be applied

def poison(stack, name, table, condition):
    """Makes the database refuse rows of `table` for which `condition` holds. Returns the SQL that removes this rule."""
    if stack.url(name).startswith("sqlite:"):
        for event in ("INSERT", "UPDATE"):
            stack.execute(name, "CREATE TRIGGER poison_%s BEFORE %s ON %s WHEN %s BEGIN SELECT RAISE(ABORT, 'poison'); END"
                          % (event.lower(), event, table, condition))
        return "DROP TRIGGER poison_insert; DROP TRIGGER poison_update"
    stack.execute(name, """
        CREATE FUNCTION poison() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'poison'; END $$;
        CREATE TRIGGER poison BEFORE INSERT OR UPDATE ON %s FOR EACH ROW WHEN (%s) EXECUTE FUNCTION poison()"""
                  % (table, condition))
    return "DROP TRIGGER poison ON %s; DROP FUNCTION poison()" % table


def test_a_poison_command_in_a_full_batch_fails_alone(driver):
    with Stack(driver) as stack:
        hospital_id = register(stack, capacity=1000)
        poison(stack, "booking", "booking", "NEW.customer_id = 'poison'")
        requests = [booking_request(hospital_id, customer_id="poison" if i % 100 == 50 else "c") for i in range(400)]
        replies = stack.booking.call_all("CreateBooking", requests)
        for request, reply in zip(requests, replies):
            if request["customer_id"] == "poison":
                assert reply.code == rpc.INTERNAL, reply
                assert "poison" not in reply.text
            else:
                assert reply.code == rpc.OK and reply.message.status == CONFIRMED, reply
        assert remaining(stack, hospital_id) == 1000 - 396
        wait_agreement(stack)


def id_literal(driver, text):
    return "X'%s'" % text.replace("-", "") if driver == "sqlite" else "'%s'::uuid" % text


def test_a_poison_event_goes_to_the_dead_letters_and_comes_back(driver):
    with Stack(driver) as stack:
        hospital_id = register(stack, capacity=10)
        bookings = [book(stack, hospital_id) for _ in range(5)]
        heal = poison(stack, "hospital", "reservation",
                      "NEW.state <> 1 AND NEW.booking_id = " + id_literal(driver, bookings[2].booking_id))
        stack.booking.call_all("CancelBooking", [{"booking_id": b.booking_id} for b in bookings])
        wait_for("the others are freed", lambda: remaining(stack, hospital_id) == 9)
        wait_for("one is a dead letter", lambda: stack.value("hospital", "SELECT COUNT(*) FROM dead_letter") == 1)
        wait_for("hospital-svc says so", lambda: stack.hospital.Stats().message.degraded)
        assert stack.hospital.Check().message.status == 1
        stack.hospital_svc.stop()
        failed = stack.hospital_svc.run_once(replay_dead_letters="true")
        assert failed.returncode == 1 and "1 left" in failed.stdout, failed
        stack.execute("hospital", heal)
        replayed = stack.hospital_svc.run_once(replay_dead_letters="true")
        assert replayed.returncode == 0 and "1 dead letter" in replayed.stdout, replayed
        stack.hospital_svc.start()
        assert remaining(stack, hospital_id) == 10
        wait_agreement(stack)


def test_a_deletion_that_was_a_dead_letter_is_completed_after_its_replay(driver):
    with Stack(driver) as stack:
        hospital_id = register(stack)
        booking = book(stack, hospital_id)
        heal = poison(stack, "booking", "hospital_deletion",
                      "NEW.hospital_id = " + id_literal(driver, hospital_id))
        assert stack.hospital.DeleteHospital(hospital_id=hospital_id).code == rpc.OK
        wait_for("it is a dead letter", lambda: stack.value("booking", "SELECT COUNT(*) FROM dead_letter") == 1)
        stack.booking_svc.stop()
        stack.execute("booking", heal)
        replayed = stack.booking_svc.run_once(replay_dead_letters="true")
        assert replayed.returncode == 0 and "1 dead letter" in replayed.stdout, replayed
        stack.booking_svc.start()
        wait_for("the job has ended", lambda: status_of(stack, booking.booking_id) == FORCE_CANCELLED)
        wait_agreement(stack)


def test_a_dead_letter_of_a_lost_event_is_not_replayed(driver):
    """booking-svc could not apply a deletion. Then hospital-svc's database is restored to a state without the deletion, so the dead
    letter is not replayed."""
    with Stack(driver, without=("history",)) as stack:
        hospital_id = register(stack, capacity=5)
        booked = book(stack, hospital_id)
        wait_for("booking-svc has heard of the hospital", lambda: stack.rows("booking", "SELECT seq FROM event_cursor"))
        backup = back_up(stack, "hospital")
        heal = poison(stack, "booking", "hospital_deletion", "NEW.hospital_id = " + id_literal(driver, hospital_id))
        stack.hospital.DeleteHospital(hospital_id=hospital_id)
        wait_for("it is a dead letter", lambda: stack.value("booking", "SELECT COUNT(*) FROM dead_letter") == 1)
        stack.execute("booking", heal)
        stack.hospital_svc.kill()
        restore(stack, "hospital", backup)
        stack.hospital_svc.start()
        stack.wait_paired()
        assert stack.value("booking", "SELECT COUNT(*) FROM dead_letter") == 0
        wait_for("booking-svc is not degraded", lambda: not stack.booking.Stats().message.degraded)
        stack.booking_svc.stop()
        replayed = stack.booking_svc.run_once(replay_dead_letters="true")
        assert replayed.returncode == 0 and "0 dead letters" in replayed.stdout, replayed
        stack.booking_svc.start()
        stack.wait_paired()
        assert book(stack, hospital_id).status == CONFIRMED and status_of(stack, booked.booking_id) == CONFIRMED


@once
def test_a_poison_event_in_history(driver):
    with Stack(driver) as stack:
        hospital_id = register(stack)
        good, bad = book(stack, hospital_id), booking_request(hospital_id, customer_id="poison")
        wait_history(stack, good.booking_id, CONFIRMED)
        url = stack.url("history")
        psql(url, """SET search_path = history;
            CREATE FUNCTION poison() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'poison'; END $$;
            CREATE TRIGGER poison BEFORE INSERT ON booking_summary FOR EACH ROW WHEN (NEW.customer_id = 'poison')
            EXECUTE FUNCTION poison()""")
        stack.booking.CreateBooking(**bad)
        after = book(stack, hospital_id)
        wait_history(stack, after.booking_id, CONFIRMED)
        status = {log.log: log for log in stack.history.GetProjectionStatus().message.logs}
        assert status["booking"].dead_letters == 1 and stack.history.Stats().message.degraded
        psql(url, "SET search_path = history; DROP TRIGGER poison ON booking_summary; DROP FUNCTION poison()")
        done = stack.history_svc.run_once(replay_dead_letters="true")
        assert done.returncode == 0, done
        wait_history(stack, bad["booking_id"], CONFIRMED)
        wait_agreement(stack)


# ---- rebuild

DUMP = {
    "booking_summary": "booking_id", "timeline_entry": "event_id", "unknown_event": "log, seq", "hospital": "hospital_id", "event_cursor": "log",
    "dead_letter": "log, seq",
}


def dump(stack):
    return {table: stack.rows("history", "SELECT * FROM %s ORDER BY %s" % (table, key)) for table, key in DUMP.items()}


@once
def test_rebuild_gives_the_same_tables_beside_a_running_service(driver):
    with Stack(driver) as stack:
        keep, gone = register(stack, capacity=500, days=(1, 2)), register(stack, capacity=500)
        bookings = [book(stack, keep if i % 2 else gone) for i in range(60)]
        stack.booking.call_all("CancelBooking", [{"booking_id": b.booking_id} for b in bookings[:20]])
        stack.hospital.DeleteHospital(hospital_id=gone)
        wait_agreement(stack)
        wait_for("the hospital log is followed", lambda: applied(stack, "hospital")[0] == 3)
        before = dump(stack)
        done = stack.history_svc.run_once(rebuild="true")
        assert done.returncode == 0, done
        assert dump(stack) == before
        more = book(stack, keep)  # the running service continues with the new tables
        wait_history(stack, more.booking_id, CONFIRMED)
        wait_agreement(stack)


@once
def test_rebuild_follows_a_log_that_diverged(driver):
    with Stack(driver) as stack:
        hospital_id = register(stack)
        booking = book(stack, hospital_id)
        wait_history(stack, booking.booking_id, CONFIRMED)
        stack.booking_svc.kill()
        stack.execute("booking", "UPDATE event_log_head SET log_id = X'%s'" % uuid.uuid4().hex)
        stack.hospital_svc.kill()
        stack.hospital_svc.start(follow_log_from_start="booking")
        stack.booking_svc.start()
        wait_for("history-svc has stopped", lambda: applied(stack)[1] == "DIVERGED")
        shown = screenctl(stack, "projection").stdout
        assert re.search(r"^booking +DIVERGED +\d+ +\d+ +- +0$", shown, re.MULTILINE), shown
        assert stack.history_svc.run_once(rebuild="true").returncode == 0
        wait_for("history-svc follows the log without a restart", lambda: applied(stack)[1] == "FOLLOWING")
        after = book(stack, hospital_id)
        wait_history(stack, after.booking_id, CONFIRMED)
        wait_agreement(stack)
