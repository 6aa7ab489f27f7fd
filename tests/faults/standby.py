"""Runs two PostgreSQL servers for one test: a primary and its synchronous standby, which takes over when the primary is killed."""
import contextlib
import os
import shutil
import signal
import subprocess
import time

from faults.cluster import Cluster
from kit.stack import psql, wait_for


class Node(Cluster):
    """One of the two servers."""

    def __init__(self, name):
        super().__init__()
        self.name = name  # by this name a primary identifies its standby

    def _run_as_server(self, *words):
        """Runs a command as the owner of the folder, because the server does not run as root."""
        owner = os.stat(os.path.dirname(self.data))
        as_user = {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []} if os.getuid() == 0 else {}
        done = subprocess.run(words, capture_output=True, text=True, check=False, cwd="/", **as_user)
        assert done.returncode == 0, (words, done.stderr)

    @property
    def data(self):
        return os.path.join(os.path.realpath(self.folder), "data")

    @property
    def host(self):
        return os.path.realpath(self.folder)

    def follow(self, primary):
        """Discards this server's data and makes it the standby of `primary`, which from now on commits a transaction only once both
        have it."""
        programs = os.path.dirname(os.readlink("/proc/%d/exe" % primary.postmaster()))
        self._take_folder(primary)
        self._run_as_server(os.path.join(programs, "pg_basebackup"), "-D", self.data, "-R", "-c", "fast", "-d",
                            "host=%s user=screening application_name=%s" % (primary.host, self.name))
        with open(os.path.join(self.data, "postgresql.auto.conf"), "a", encoding="utf-8") as settings:
            settings.write("unix_socket_directories = '%s'\nsynchronous_standby_names = ''\n" % self.host)
        self.start()
        primary.set_standbys(self.name)
        wait_for("the standby is synchronous", lambda: psql(
            primary.url, "SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'"))

    def _take_folder(self, primary):
        """Makes an empty folder that belongs to the server's user, like the folder of `primary`."""
        shutil.rmtree(self.host, ignore_errors=True)
        os.mkdir(self.folder, 0o700)
        owner = os.stat(primary.host)
        os.chown(self.folder, owner.st_uid, owner.st_gid)

    def set_standbys(self, names):
        psql(self.url, "ALTER SYSTEM SET synchronous_standby_names = '%s'" % names)
        psql(self.url, "SELECT pg_reload_conf()")

    def _signal_all(self, number):
        postmaster = self.postmaster()
        with open("/proc/%d/task/%d/children" % (postmaster, postmaster), encoding="utf-8") as file:
            pids = [postmaster] + [int(pid) for pid in file.read().split()]
        for pid in pids:
            os.kill(pid, number)

    @contextlib.contextmanager
    def frozen(self):
        """Stops the processes of the server during a `with` block, as if its machine hung: its connections stay open and nothing is
        answered."""
        self._signal_all(signal.SIGSTOP)
        try:
            yield
        finally:
            self._signal_all(signal.SIGCONT)

    def promote(self):
        assert psql(self.url, "SELECT pg_promote(true, 60)") == [["t"]]


class Replicated:
    """A primary and its standby during a `with` block: `with Replicated() as servers:`. servers.url always leads to the current
    primary."""

    def __init__(self):
        self.primary, self.standby = Node("one"), Node("two")
        nodes = (self.primary, self.standby)
        self.nodes = nodes

    def __enter__(self):
        try:
            self.primary.__enter__()
            self.standby.follow(self.primary)
        except BaseException:
            self.remove()
            raise
        self.url = "postgresql://screening@/postgres?host=%s&port=5432,5432&target_session_attrs=read-write" % ",".join(
            node.host for node in self.nodes)
        return self

    def __exit__(self, *_):
        self.remove()

    def remove(self):
        for node in self.nodes:
            node.remove()

    def fail_over(self):
        """Kills the primary and promotes its standby. Afterwards there is no standby. Returns (time of the kill, time of the
        promotion)."""
        self.primary.kill()
        killed = time.monotonic()
        self.standby.promote()
        self.primary, self.standby = self.standby, self.primary
        return killed, time.monotonic()

    def restore_standby(self):
        """Makes the killed server the standby of the current primary."""
        self.standby.follow(self.primary)
