"""Runs a PostgreSQL with the roles of deploy/postgresql/roles.sql, which asks for passwords, and services that log in to it."""
import contextlib
import os
import subprocess

from faults.cluster import Cluster
from kit.stack import DEADLINE_S, PROGRAMS, Stack

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
ROLES = os.path.join(ROOT, "deploy/postgresql/roles.sql")
OWNERS = {"hospital": "hospital_migrate", "booking": "booking_migrate", "history": "history"}
PASSWORD = "p-%s-0fA"


def psql(url, *words):
    return subprocess.run(["psql", url, "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", *words], capture_output=True, text=True,
                          timeout=DEADLINE_S, check=False)


def done(url, *words):
    ended = psql(url, *words)
    assert ended.returncode == 0, ended
    return ended.stdout


def refused(url, sql, why):
    ended = psql(url, "-c", sql)
    assert ended.returncode != 0 and why in ended.stderr, ended


def write_private(path, text):
    with open(path, "w", encoding="utf-8", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(text)


class Server(Cluster):
    """A server with the roles of all services. Only its superuser needs no password."""

    def __enter__(self):
        super().__enter__()
        try:
            for service in PROGRAMS * 2:  # the script may run again
                done(self.url, "-v", "service=" + service, "-f", ROLES)
            for role in {*PROGRAMS, *OWNERS.values()}:
                done(self.url, "-c", "ALTER ROLE %s PASSWORD '%s'" % (role, PASSWORD % role))
            with open(os.path.join(self.folder, "data/pg_hba.conf"), "w", encoding="utf-8") as file:
                file.write("local all screening trust\nlocal all all scram-sha-256\n")
            done(self.url, "-c", "SELECT pg_reload_conf()")
        except BaseException:
            self.remove()
            raise
        return self

    def of(self, role, database, passfile=None):
        """Returns the URL of a database for a role, without its password."""
        url = self.url.replace("screening@/postgres?", "%s@/%s?" % (role, database))
        return url + ("&passfile=" + passfile if passfile else "")


@contextlib.contextmanager
def services(**more):
    """Yields (server, stack, path of the file of passwords): services that do not run yet, each with its role's URL. `more` is for
    the stack."""
    with Server() as server, Stack("sqlite", without=PROGRAMS, cluster_url=server.url, **more) as stack:
        passwords = os.path.join(stack.folder, "passwords")
        write_private(passwords, "".join("*:*:*:%s:%s\n" % (role, PASSWORD % role) for role in {*PROGRAMS, *OWNERS.values()}))
        for name in PROGRAMS:
            stack.services[name].flags["database"] = server.of(name, name, passwords)
        yield server, stack, passwords


def migrate(server, stack, passwords):
    """Creates the tables as the roles that own them."""
    for name, owner in OWNERS.items():
        ended = stack.services[name].run_once(database=server.of(owner, name, passwords), migrate="true")
        assert (ended.returncode, ended.stdout) == (0, "the schema is up to date\n"), ended
