"""Tests PostgreSQL through a pooler, and the requirements for its settings and encoding (docs/operations.md, "PostgreSQL")."""
import os
import subprocess
import threading
from urllib.parse import quote

from kit import rpc
from kit.marks import once
from kit.pooler import Pooler
from kit.stack import BUILD, CLUSTER_URL, DEADLINE_S, PROGRAMS, Stack, psql, wait_for
from kit.world import CONFIRMED, book, day, register, wait_agreement, wait_history

IGNORE = "ignore_startup_parameters = options"


def refusal(done):
    """Checks that a start ended with exit code 2. Returns the single line of text that it printed."""
    plain = [line for line in done.stderr.splitlines() if not line.startswith("{")]
    assert done.returncode == 2 and len(plain) == 1, done
    return plain[0]


def not_started():
    return Stack("postgresql", without=PROGRAMS)


def reach_through(stack, pooler):
    """Makes the services reach their databases through the pooler. Returns the direct URL of each database, by service."""
    urls = {name: stack.url(name) for name in PROGRAMS}
    for name, url in urls.items():
        stack.services[name].flags["database"] = pooler.url(url)
    return urls


@once
def test_a_pooler_in_session_mode_works(driver):
    del driver
    with not_started() as stack, Pooler("session") as pooler:
        for name, url in reach_through(stack, pooler).items():
            psql(url, 'ALTER DATABASE "%s" SET synchronous_commit = off' % stack.databases[PROGRAMS.index(name)])
        for name in PROGRAMS:
            stack.services[name].start()
        booking = book(stack, register(stack))
        wait_history(stack, booking.booking_id, CONFIRMED)
        wait_agreement(stack)


def run_unit_tests(name, url):
    done = subprocess.run([os.path.join(BUILD, "lib/db", name)], capture_output=True, text=True, timeout=4 * DEADLINE_S,
                          check=False, env={**os.environ, "SCREENING_TEST_POSTGRESQL": url})
    assert done.returncode == 0, done.stdout + done.stderr


@once
def test_the_driver_s_own_tests_pass_through_a_pooler(driver):
    """The unit tests of lib/db check settings, timeouts, lost sessions and read-only connections. They pass through a pooler."""
    del driver
    with not_started() as stack:
        url = stack.url("hospital")
        psql(url, 'ALTER DATABASE "%s" SET synchronous_commit = off' % stack.databases[0])
        with Pooler("session", IGNORE) as pooler:
            for name in ("db_test", "migrate_test", "postgresql_test"):
                run_unit_tests(name, pooler.url(url))


@once
def test_a_pooler_that_changes_sessions_is_exit_2(driver):
    del driver
    with not_started() as stack:
        for mode in ("transaction", "statement"):
            with Pooler(mode, IGNORE) as pooler:
                for name in PROGRAMS:
                    line = refusal(stack.services[name].run_once(database=pooler.url(stack.url(name))))
                    assert "session mode" in line, line
        for name in PROGRAMS:  # nothing was left behind that would prevent a start
            stack.services[name].start()
        book(stack, register(stack))


def try_to_book(stack, hospital_id):
    """Reads, and then books in another session. Returns the answer to the booking, whatever it is."""
    stack.hospital.GetAvailability(hospital_id=hospital_id, from_date=day(1), to_date=day(1))
    return stack.booking.CreateBooking(booking_id=rpc.new_id(), customer_id="c", customer_name="n", hospital_id=hospital_id,
                                       date=day(1), headcount=1, timeout_ms=5000)


@once
def test_a_pooler_that_begins_to_change_sessions_is_not_used(driver):
    del driver
    with not_started() as stack, Pooler("session") as pooler:
        reach_through(stack, pooler)
        for name in PROGRAMS:
            stack.services[name].start()
        hospital_id = register(stack, capacity=100000)
        pooler.change("transaction")
        wait_for("hospital-svc says what is wrong", lambda: try_to_book(stack, hospital_id) and any(
            line.get("event") == "database.unsuitable" for line in stack.hospital_svc.log_lines()))
        pooler.change("session")
        for name in PROGRAMS:
            wait_for(name + "-svc is ready again", stack.services[name].serving)
        wait_for("a booking is taken", lambda: try_to_book(stack, hospital_id).code == rpc.OK)
        wait_agreement(stack)


@once
def test_options_reach_the_server_in_every_way(driver):
    """Long options reach the server, even through a pooler that drops them. A start through a pooler that refuses them fails, and
    the error names them."""
    del driver
    filler = " ".join("-c application_name=%s" % ("x" * 60) for _ in range(12))
    with not_started() as stack:
        url = stack.url("hospital")
        psql(url, "CREATE SCHEMA place")
        options = quote(filler + " -c search_path=place")
        with Pooler("session", IGNORE) as pooler:
            for times, one in enumerate((url + "&options=" + options, pooler.url(url) + "?options=" + options)):
                stack.hospital_svc.flags["database"] = one
                stack.hospital_svc.start()
                register(stack)
                stack.hospital_svc.stop()
                assert psql(url, "SELECT count(*) FROM place.hospital") == [[str(times + 1)]]
        assert psql(url, "SELECT to_regclass('public.hospital') IS NULL") == [["t"]]
        with Pooler("session") as pooler:
            line = refusal(stack.hospital_svc.run_once(database=pooler.url(url) + "?options=" + options))
            assert "options" in line, line


@once
def test_options_that_the_server_does_not_take_are_exit_2(driver):
    del driver
    with not_started() as stack:
        for options in ("-c no_such_setting=1", "-c statement_timeout=soon", "-c synchronous_commit=off",
                        "-c synchronous_commit=local", "-c synchronous_commit=remote_write"):
            for name in PROGRAMS:
                line = refusal(stack.services[name].run_once(database=stack.url(name) + "&options=" + quote(options)))
                assert "statement_timeout" in line or "no_such_setting" in line or "it must be on" in line, line


@once
def test_commits_are_as_durable_as_the_server_requires(driver):
    del driver
    with not_started() as stack:
        url, database = stack.url("hospital"), stack.databases[0]
        for preset in ("off", "local", "remote_write", "remote_apply"):
            psql(url, 'ALTER DATABASE "%s" SET synchronous_commit = %s' % (database, preset))
            stack.hospital_svc.start()
            register(stack)
            stack.hospital_svc.stop()
        # A server that waits for its standbys keeps doing so, because `on` would be weaker.
        line = refusal(stack.hospital_svc.run_once(database=url + "&options=" + quote("-c synchronous_commit=off")))
        assert "synchronous_commit is off" in line, line


@once
def test_a_database_of_another_encoding_is_exit_2(driver):
    del driver
    with not_started() as stack:
        for encoding in ("EUC_KR", "LATIN1", "SQL_ASCII"):
            names = []
            for name in PROGRAMS:
                database = "%s_%s" % (stack.databases[PROGRAMS.index(name)], encoding.lower())
                psql(CLUSTER_URL, "CREATE DATABASE \"%s\" ENCODING '%s' LOCALE 'C' TEMPLATE template0" % (database, encoding))
                stack.databases.append(database)
                names.append(CLUSTER_URL.replace("/postgres?", "/%s?" % database))
            for name, url in zip(PROGRAMS, names):
                if encoding == "SQL_ASCII":
                    stack.services[name].flags["database"] = url
                    stack.services[name].start()
                else:
                    line = refusal(stack.services[name].run_once(database=url))
                    assert encoding in line and "UTF8" in line, line
        booking = book(stack, register(stack), customer_name="똠방각하 Ĝan")
        assert stack.booking.GetBooking(booking_id=booking.booking_id).message.customer_name == "똠방각하 Ĝan"


@once
def test_a_lock_is_waited_for_briefly_through_a_pooler(driver):
    """lock_timeout is set in each session. A pooler would drop it from the startup options, and calls would then wait as long as
    the lock lasts."""
    del driver
    with not_started() as stack, Pooler("session", IGNORE) as pooler:
        urls = reach_through(stack, pooler)
        for name in PROGRAMS:
            stack.services[name].start()
        locked = subprocess.Popen(["psql", urls["hospital"], "-Xqc", "BEGIN; LOCK TABLE event_log_head; SELECT pg_sleep(600)"],
                                  stdout=subprocess.DEVNULL)
        try:
            wait_for("the lock is held", lambda: psql(urls["hospital"], "SELECT count(*) FROM pg_locks WHERE granted AND "
                     "relation = 'event_log_head'::regclass AND mode = 'AccessExclusiveLock'") == [["1"]])
            replies = []
            thread = threading.Thread(target=lambda: replies.append(stack.hospital.RegisterHospital(
                timeout_ms=60000, hospital_id=rpc.new_id(), name="n", address="a")))
            thread.start()
            thread.join(DEADLINE_S)
            assert locked.poll() is None and replies and replies[0].code == rpc.UNAVAILABLE, replies
        finally:
            locked.kill()
            locked.wait()


@once
def test_a_pooler_without_a_free_session_is_waited_for(driver):
    del driver
    with not_started() as stack, Pooler("session", "default_pool_size = 1") as pooler:
        url = stack.url("hospital")
        held = subprocess.Popen(["psql", pooler.url(url), "-Xqc", "SELECT pg_sleep(600)"], stdout=subprocess.DEVNULL)
        try:
            wait_for("the only session is held", lambda: psql(url, "SELECT count(*) FROM pg_stat_activity WHERE query LIKE "
                     "'SELECT pg_sleep%'") == [["1"]])
            stack.hospital_svc.flags["database"] = pooler.url(url)
            stack.hospital_svc.spawn()
            wait_for("hospital-svc says why it waits", lambda: [line for line in stack.hospital_svc.log_lines() if line.get(
                "event") == "database.waiting" and "no answer" in line["error"]])
            stack.hospital_svc.stop()
        finally:
            held.kill()
            held.wait()
