"""Tests the ownership of databases: one writer per SQLite file, one service per database, and only the file that was opened."""
import os
import shutil
import signal
import sqlite3
import time

from kit import rpc
from kit.marks import once
from kit.stack import CLUSTER_URL, PROGRAMS, Stack, psql, wait_for
from kit.world import CONFIRMED, book, booking_request, register, status_of

WRITERS = ("hospital", "booking")  # the services with a SQLite file


def file_of(stack, name):
    return stack.url(name)[len("sqlite:"):]


def refusal(done):
    """Checks that a start ended with exit code 2. Returns the single line of text that it printed."""
    plain = [line for line in done.stderr.splitlines() if not line.startswith("{")]
    assert done.returncode == 2 and len(plain) == 1, done
    return plain[0]


def second(stack, name, **more):
    """Runs a second process of the service, at other addresses, until it ends. Returns the finished process."""
    flags = {"rpc_listen": stack.address(name + ".second.rpc"), "events_listen": stack.address(name + ".second.events"),
             "client_listen": stack.address(name + ".second.clients")}
    if name == "history":
        del flags["events_listen"]
    return stack.services[name].run_once(**{**flags, **more})


@once
def test_a_second_writer_of_a_sqlite_file_is_exit_2_and_names_the_first(driver):
    with Stack(driver) as stack:
        hospital_id = register(stack)
        for name in WRITERS:
            file, first = file_of(stack, name), stack.services[name]
            os.symlink(file, file + ".link")
            for path in (file, os.path.relpath(file, stack.folder), stack.folder + "/./" + os.path.basename(file), file + ".link"):
                line = refusal(second(stack, name, database="sqlite:" + path))
                assert "in use by process %d (%s-svc on " % (first.process.pid, name) in line and file in line, line
            line = refusal(first.run_once(replay_dead_letters="true"))
            assert str(first.process.pid) in line, line
        book(stack, hospital_id)


@once
def test_the_lock_of_a_killed_writer_is_free(driver):
    with Stack(driver) as stack:
        hospital_id = register(stack)
        for name in WRITERS:
            stack.services[name].kill(signal.SIGKILL)
            stack.services[name].start()
            stack.services[name].stop()
            done = stack.services[name].run_once(replay_dead_letters="true")
            assert done.returncode == 0, done
            stack.services[name].start()
        book(stack, hospital_id)


def test_a_database_of_another_service_is_exit_2(driver):
    with Stack(driver) as stack:
        hospital_id = register(stack)
        booking = book(stack, hospital_id)
        for name in PROGRAMS:
            stack.services[name].stop()
        for name, other in (("hospital", "booking"), ("booking", "hospital")):
            line = refusal(stack.services[name].run_once(database=stack.url(other)))
            assert "database of %s-svc; %s-svc needs one of its own" % (other, name) in line, line
        for name in PROGRAMS:
            stack.services[name].start()
        assert status_of(stack, booking.booking_id) == CONFIRMED


@once
def test_histories_and_bookings_share_a_postgresql_database(driver):
    """history-svc has its own schema, so it can share a database with booking-svc. hospital-svc and booking-svc refuse to share
    one."""
    del driver
    with Stack("postgresql", without=PROGRAMS) as stack:
        stack.services["history"].flags["database"] = stack.url("booking")
        for name in PROGRAMS:
            stack.services[name].start()
        book(stack, register(stack))
        stack.hospital_svc.stop()
        assert "booking-svc" in refusal(stack.hospital_svc.run_once(database=stack.url("booking")))


@once
def test_a_file_of_another_program_is_exit_2_and_stays_unchanged(driver):
    with Stack(driver, without=PROGRAMS) as stack:
        for name in WRITERS:
            connection = sqlite3.connect(file_of(stack, name))
            connection.executescript("CREATE TABLE bookmarks (url TEXT); INSERT INTO bookmarks VALUES ('a')")
            connection.close()
            assert "another program" in refusal(stack.services[name].run_once())
            assert stack.rows(name, "SELECT name FROM sqlite_master") == [("bookmarks",)]


@once
def test_a_folder_that_is_not_writable_is_permission_denied(driver):
    with Stack(driver, without=PROGRAMS, insecure=True) as stack:  # another user may not read the keys
        folder = os.path.join(stack.folder, "closed")
        os.mkdir(folder, mode=0o555)
        for name in WRITERS:
            service = stack.services[name]
            service.flags["database"] = "sqlite:%s/%s.db" % (folder, name)
            if os.geteuid() == 0:
                os.chmod(stack.folder, 0o777)
                service.prefix = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]
            assert "%s.db: Permission denied" % name in refusal(service.run_once())


def with_hosts(database, user="screening", count=2):
    """Returns the URL of a database at the tests' server, which it lists as `count` hosts."""
    host = CLUSTER_URL.split("host=")[1].split("&")[0]
    return "postgresql://%s@/%s?host=%s&port=%s" % (user, database, ",".join([host] * count), ",".join(["5432"] * count))


@once
def test_a_database_that_one_of_several_hosts_lacks_is_asked_for_again(driver):
    """A standby does not have a new database at once, and libpq asks no other host after such an answer."""
    del driver
    with Stack("postgresql", without=PROGRAMS) as stack:
        for name in PROGRAMS:
            service, database = stack.services[name], "%s_late" % stack.databases[PROGRAMS.index(name)]
            assert "does not exist" in refusal(service.run_once(database=with_hosts(database, count=1)))
            service.flags["database"] = with_hosts(database)
            service.spawn()
            wait_for(name + "-svc waits", lambda: [line for line in service.log_lines() if "does not exist" in str(line.get("error"))])
            psql(CLUSTER_URL, 'CREATE DATABASE "%s"' % database)
            stack.databases.append(database)
            service.wait_ready()
        book(stack, register(stack))


@once
def test_what_one_of_several_hosts_refuses_for_ten_seconds_is_exit_2(driver):
    del driver
    with Stack("postgresql", without=PROGRAMS) as stack:
        begun = time.monotonic()
        for user, database, why in (("screening", "none_such", "does not exist"), ("nobody_known", "postgres", "nobody_known")):
            line = refusal(stack.hospital_svc.run_once(database=with_hosts(database, user)))
            assert why in line, line
        assert time.monotonic() - begun >= 20


GONE = ("removed", "replaced", "log removed")


def take_away(file, how):
    """Moves the file away. If `how` is "log removed", moves the write-ahead log instead. If `how` is "replaced", also puts a copy
    in its place. Returns a function that moves the file back."""
    if how == "log removed":
        file += "-wal"
    os.rename(file, file + ".aside")
    if how == "replaced":
        shutil.copy(file + ".aside", file)
    return lambda: os.rename(file + ".aside", file)


@once
def test_a_file_that_is_gone_makes_the_service_not_ready_at_once(driver):
    with Stack(driver) as stack:
        hospital_id = register(stack)
        for name in WRITERS:
            service, client = stack.services[name], getattr(stack, name)
            for times, how in enumerate(GONE, 1):
                bring_back = take_away(file_of(stack, name), how)
                assert client.Check().message.status == 2, how  # immediately
                if name == "booking":
                    reply = client.CreateBooking(**booking_request(hospital_id))
                else:
                    reply = client.RegisterHospital(hospital_id=rpc.new_id(), name="n", address="a")
                assert (reply.code, reply.reason) == (rpc.UNAVAILABLE, "DATABASE_GONE"), reply
                assert len([line for line in service.log_lines() if line.get("event") == "database.gone"]) == times
                bring_back()
                wait_for(name + "-svc is ready again", service.serving)
        book(stack, hospital_id)
