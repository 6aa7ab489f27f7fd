"""Tests the PostgreSQL roles of deploy/postgresql/roles.sql and passwords in files, on a server that asks for passwords."""
import os
import re

from hardening.logins import OWNERS, PASSWORD, ROOT, done, migrate, refused, services, write_private
from kit.marks import once
from kit.stack import PROGRAMS, wait_for
from kit.world import CONFIRMED, book, register, wait_agreement, wait_history


@once
def test_services_run_as_roles_that_own_no_table(driver):
    del driver
    with services() as (server, stack, passwords):
        for name in ("hospital", "booking"):
            ended = stack.services[name].run_once()
            assert ended.returncode == 2 and "permission denied for schema " + name in ended.stderr, ended
        migrate(server, stack, passwords)
        for name in PROGRAMS:
            stack.services[name].spawn()
        for name in PROGRAMS:
            stack.services[name].wait_ready()
        stack.wait_paired()
        booking = book(stack, register(stack))
        wait_history(stack, booking.booking_id, CONFIRMED)
        ended = stack.history_svc.run_once(rebuild="true")
        assert ended.returncode == 0, ended
        wait_agreement(stack)
        assert stack.hospital_svc.run_once(migrate="true").returncode == 0  # nothing is left to do, beside the running service

        for table in ("booking.booking", "booking.event_log"):
            refused(server.of("booking", "booking", passwords), "DROP TABLE " + table, "must be owner")
        refused(server.of("booking", "booking", passwords), "CREATE TABLE booking.mine (n int)", "permission denied for schema booking")


@once
def test_no_role_reads_the_tables_of_another_service(driver):
    del driver
    with services() as (server, stack, passwords):
        migrate(server, stack, passwords)
        tables = {"hospital": "hospital.reservation", "booking": "booking.booking", "history": "history.booking_summary"}
        for name, table in tables.items():
            sql = "SELECT count(*) FROM " + table
            assert done(server.of(name, name, passwords), "-c", sql) == "0\n"
            strangers = {*PROGRAMS, *OWNERS.values()} - {name, OWNERS[name]}
            assert len(strangers) >= 3
            for role in strangers:
                refused(server.of(role, name, passwords), sql, 'permission denied for database "%s"' % name)
            # Even a role that may enter the database may not enter the schema.
            role = sorted(strangers)[0]
            done(server.url, "-c", "GRANT CONNECT ON DATABASE %s TO %s" % (name, role))
            refused(server.of(role, name, passwords), sql, "permission denied for schema " + name)


@once
def test_a_file_of_passwords_must_be_private_and_right(driver):
    del driver
    with services() as (server, stack, passwords):
        wrong = os.path.join(stack.folder, "wrong")
        write_private(wrong, "*:*:*:*:%s\n" % (PASSWORD % "nobody"))
        ended = stack.hospital_svc.run_once(database=server.of("hospital", "hospital", wrong), migrate="true")
        assert ended.returncode == 2 and "password authentication failed" in ended.stderr, ended
        assert PASSWORD % "nobody" not in ended.stderr

        os.chmod(passwords, 0o640)
        ended = stack.hospital_svc.run_once(migrate="true")
        assert (ended.returncode, ended.stderr) == (
            2, "hospital-svc: database: passfile: %s: its mode is 0640: only its owner may read it (chmod 600)\n" % passwords), ended


@once
def test_the_documented_line_lets_history_svc_log_in_on_debian(driver):
    del driver
    with open(os.path.join(ROOT, "docs/operations.md"), encoding="utf-8") as file:
        line = re.search(r"^local +history +history .*\n", file.read(), re.M)[0]
    debian = "local all postgres peer\nlocal all all peer\n"
    with services() as (server, stack, _):
        def allow(lines):
            with open(os.path.join(server.folder, "data/pg_hba.conf"), "w", encoding="utf-8") as file:
                file.write("local all screening trust\n" + lines)
            done(server.url, "-c", "SELECT pg_reload_conf()")

        def log_in():
            return stack.history_svc.run_once(migrate="true")
        allow(debian)
        wait_for("only the role of the user's name is let in", lambda: "Peer authentication failed" in log_in().stderr)
        allow(line + debian)
        wait_for("history-svc logs in", lambda: log_in().returncode == 0)
        # Every other role is left to the user of its name.
        ended = stack.booking_svc.run_once(migrate="true")
        assert ended.returncode == 2 and "Peer authentication failed" in ended.stderr, ended
