"""Damages a database or makes it refuse writes. Callers and operators get a clear report until it is restored."""
import os
import resource

from kit import rpc
from kit.marks import once
from kit.screenctl import screenctl
from kit.stack import PROGRAMS, Stack, wait_for
from kit.world import CANCELLED, book, booking_request, register, status_of, wait_agreement

WORDS = "is damaged: restore a backup (docs/operations.md, Restore)"
PAGE = 4096


def file_of(stack, name):
    return stack.url(name)[len("sqlite:"):]


def damage(stack, name, table):
    """Damages a table. The service must be stopped. On SQLite the table then cannot be read, on PostgreSQL it cannot be written."""
    if stack.driver == "sqlite" and name != "history":
        page = stack.value(name, "SELECT rootpage FROM sqlite_master WHERE name = '%s'" % table)
        with open(file_of(stack, name), "r+b") as file:
            file.seek((page - 1) * PAGE)
            file.write(b"\xff" * PAGE)
    else:
        stack.execute(name, "CREATE FUNCTION damaged() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                      "RAISE 'invalid page in block 7' USING ERRCODE = '%s'; END $$" % ("XX001" if name == "hospital" else "XX002"))
        stack.execute(name, "CREATE TRIGGER damaged BEFORE INSERT OR UPDATE ON %s EXECUTE FUNCTION damaged()" % table)


def refusal(done):
    plain = [line for line in done.stderr.splitlines() if not line.startswith("{")]
    assert done.returncode == 2 and len(plain) == 1, done
    return plain[0]


def damaged_lines(service):
    return [line for line in service.log_lines() if line.get("event") == "database.damaged"]


def test_a_damaged_database_is_exit_2_and_says_what_to_do(driver):
    with Stack(driver) as stack:
        for name in ("hospital", "booking"):
            stack.services[name].stop()
            damage(stack, name, "schema_version")
            line = refusal(stack.services[name].run_once())
            assert WORDS in line and (driver != "sqlite" or file_of(stack, name) in line), line


@once
def test_a_file_whose_head_is_damaged_is_exit_2(driver):
    with Stack(driver) as stack:
        for name in ("hospital", "booking"):
            stack.services[name].stop()
            with open(file_of(stack, name), "r+b") as file:
                file.write(b"\x00" * 512)
            line = refusal(stack.services[name].run_once())
            assert "%s %s" % (file_of(stack, name), WORDS) in line, line


def health(stack, name):
    return screenctl(stack, "health", name).stdout


def test_damage_found_while_running_is_reported_and_makes_no_dead_letter(driver):
    with Stack(driver, without=("history",)) as stack:
        hospital_id = register(stack)
        kept = book(stack, hospital_id)
        stack.hospital_svc.stop()
        damage(stack, "hospital", "reservation")
        stack.hospital_svc.start()
        assert stack.booking.CancelBooking(booking_id=kept.booking_id).code == rpc.OK  # makes an event for hospital-svc
        wait_for("hospital-svc meets the damage", lambda: damaged_lines(stack.hospital_svc))
        wait_for("it says so", lambda: any("damaged" in reason for reason in stack.hospital.Stats().message.degraded))
        assert "the database is damaged: restore a backup" in health(stack, "hospital")
        # While hospital-svc cannot read the booking log, it may answer RECOVERING. booking-svc then repeats the call until the
        # budget ends.
        refused = stack.booking.CreateBooking(timeout_ms=2000, **booking_request(hospital_id))
        assert refused.reason == "HOSPITAL_UNAVAILABLE" or refused.code == rpc.DEADLINE_EXCEEDED, refused
        # Calls that do not touch the damaged table succeed, and the event waits for the restore.
        assert stack.hospital.RegisterHospital(hospital_id=rpc.new_id(), name="n", address="a").code == rpc.OK
        assert stack.value("hospital", "SELECT count(*) FROM dead_letter") == 0
        assert status_of(stack, kept.booking_id) == CANCELLED
        assert len(damaged_lines(stack.hospital_svc)) <= 2  # at most once a minute


def test_callers_learn_that_the_database_is_damaged(driver):
    with Stack(driver, without=("history",)) as stack:
        hospital_id = register(stack)
        there = book(stack, hospital_id)
        stack.booking_svc.stop()
        damage(stack, "booking", "booking")
        stack.booking_svc.start()
        reply = stack.booking.CreateBooking(**booking_request(hospital_id))
        assert (reply.code, reply.reason) == (rpc.UNAVAILABLE, "DATABASE_DAMAGED"), reply
        if driver == "sqlite":
            reply = stack.booking.GetBooking(booking_id=there.booking_id)
            assert (reply.code, reply.reason) == (rpc.UNAVAILABLE, "DATABASE_DAMAGED"), reply
        assert any("damaged" in reason for reason in stack.booking.Stats().message.degraded)


@once
def test_a_service_whose_disk_is_full_stays_out_of_rotation(driver):
    """Once a write has failed, the service is not ready until a write succeeds, even if there are no calls."""
    with Stack(driver) as stack:
        hospital_id = register(stack, capacity=100000)
        service = stack.booking_svc
        before = resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE, (os.path.getsize(file_of(stack, "booking") + "-wal"),
                                                                      before[1]))
        reply = stack.booking.CreateBooking(**booking_request(hospital_id))
        assert reply.code == rpc.UNAVAILABLE, reply
        wait_for("it has looked four times", lambda: stack.stat("booking", "writer_probes_failed_total") >= 4)
        assert not service.serving()
        resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE, before)
        wait_for("it is ready again, without traffic", service.serving)
        book(stack, hospital_id)
        wait_agreement(stack)


@once
def test_health_says_why_a_service_is_not_ready(driver):
    del driver
    with Stack("postgresql", without=PROGRAMS) as stack:
        for name in PROGRAMS:
            service = stack.services[name]
            for host in ("127.0.0.1:1", "no-such-host.invalid"):
                service.flags["database"] = "postgresql://screening@%s/x?sslmode=verify-full" % host
                service.spawn()
                wait_for("it waits", lambda: any(line.get("event") == "database.waiting" and host.split(":")[0] in line["error"]
                                                 for line in service.log_lines()))
                assert "starting: the database is not there yet" in health(stack, name)
                service.stop()
