"""Runs the private PostgreSQL of a comparison. Every run gets its own databases, which are deleted after the run."""

import contextlib

from children import ROOT, CompareError, step

PRIVATE_POSTGRES = ROOT / "deploy/private-postgres"


class Cluster:
    """A private PostgreSQL cluster that runs during a `with` block: `with Cluster(folder) as cluster:`"""

    def __init__(self, folder):
        self.folder = folder

    def __enter__(self):
        try:
            step([PRIVATE_POSTGRES, "start", self.folder])
            if self.ask("SHOW fsync") != "on" or self.ask("SHOW synchronous_commit") != "on":
                raise CompareError("PostgreSQL does not sync its commits")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        step([PRIVATE_POSTGRES, "remove", self.folder])

    def pid(self):
        """Returns the pid of PostgreSQL's first process, whose child processes do the work."""
        return int((self.folder.resolve() / "data/postmaster.pid").read_text(encoding="utf-8").split()[0])

    def url(self, database="postgres"):
        return step([PRIVATE_POSTGRES, "url", self.folder, database])

    def ask(self, sql, database="postgres"):
        return step(["psql", self.url(database), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", sql])

    @contextlib.contextmanager
    def database(self, name, schema=None):
        """Creates a database for a `with` block and yields the database's URL. `schema` is the path of an SQL file."""
        self.ask('CREATE DATABASE "%s"' % name)
        try:
            if schema is not None:
                step(["psql", self.url(name), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", schema])
            yield self.url(name)
        finally:
            self.ask('DROP DATABASE "%s" WITH (FORCE)' % name)

    def renew(self, name):
        """Empties the database `name`, which must not be in use."""
        self.ask('DROP DATABASE "%s"' % name)
        self.ask('CREATE DATABASE "%s"' % name)

    def set(self, settings):
        """Changes settings of PostgreSQL and restarts it. `settings` maps names to values."""
        for name, value in settings.items():
            self.ask("ALTER SYSTEM SET %s = '%s'" % (name, value))
        step([PRIVATE_POSTGRES, "stop", self.folder])
        step([PRIVATE_POSTGRES, "start", self.folder])
