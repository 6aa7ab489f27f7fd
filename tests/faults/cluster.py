"""Runs a PostgreSQL of the fault tests' own, which they may kill and restart at any time."""
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SCRIPT = os.path.join(ROOT, "deploy/private-postgres")
START_S = 60


def _runs(pid):
    try:
        with open("/proc/%d/stat" % pid, encoding="utf-8") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"  # a zombie does not run
    except FileNotFoundError:
        return False


class Cluster:
    """A PostgreSQL that runs during a `with` block: `with Cluster() as cluster:`. cluster.url is its URL."""

    def __init__(self):
        self.folder = os.path.join(tempfile.mkdtemp(prefix="screening-faults-", dir="/var/tmp"), "pg")
        # The server does not run as root, and its user must be able to enter the folder.
        os.chmod(os.path.dirname(self.folder), 0o711)
        self.url = ""
        self.lock = threading.Lock()  # held by the thread that kills the server, until the server runs again

    def __enter__(self):
        try:
            self.start()
            # Written data survives the end of the server's processes. Only a crash of the machine would lose it, and no test causes
            # one. Without fsync, creating and dropping a database takes a tenth of the time.
            self._psql("ALTER SYSTEM SET fsync = off")
            self._psql("SELECT pg_reload_conf()")
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(self, *_):
        self.remove()

    def _script(self, word):
        done = subprocess.run([SCRIPT, word, self.folder], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise AssertionError("private-postgres %s: %s" % (word, done.stderr))
        return done.stdout

    def _psql(self, sql):
        done = subprocess.run(["psql", self.url, "-X", "-q", "-c", sql], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise AssertionError("psql: " + done.stderr)

    def postmaster(self):
        with open(os.path.join(self.folder, "data/postmaster.pid"), encoding="utf-8") as file:
            return int(file.readline())

    def runs(self):
        try:
            return _runs(self.postmaster())
        except FileNotFoundError:
            return False

    def start(self):
        """Starts the server if it is not running, and waits until it answers. A killed server may be in the way for a moment: it
        seems to run until its parent has reaped it, and its processes keep its memory a little longer."""
        end = time.monotonic() + START_S
        while True:
            try:
                self._script("start")
                self.url = self._script("url").strip()
                self._psql("SELECT 1")
                return
            except AssertionError as problem:
                if time.monotonic() > end:
                    raise AssertionError("PostgreSQL does not start: %s" % problem) from problem
                time.sleep(0.02)

    def kill(self, number=signal.SIGKILL):
        """Ends the server before it can write anything. `number` is SIGKILL to the postmaster, or SIGQUIT, which is its immediate
        shutdown."""
        postmaster = self.postmaster()
        os.kill(postmaster, number)
        end = time.monotonic() + START_S
        while _runs(postmaster):
            if time.monotonic() > end:
                raise AssertionError("PostgreSQL does not end by signal %d" % number)
            time.sleep(0.005)

    def limit_files(self, size):
        """Limits the size in bytes of every file of the server from now on, like a full disk. "unlimited" lifts the limit."""
        postmaster = self.postmaster()
        with open("/proc/%d/task/%d/children" % (postmaster, postmaster), encoding="utf-8") as file:
            pids = [str(postmaster)] + file.read().split()
        owner = os.stat("/proc/%d" % postmaster)
        # Run prlimit as the server's user, because root may lack the permission.
        as_user = {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []} if os.getuid() == 0 else {}
        for pid in pids:
            # The process of a connection may have just ended.
            subprocess.run(["prlimit", "--pid", pid, "--fsize=%s:unlimited" % size], stderr=subprocess.DEVNULL, cwd="/",
                           check=pid == pids[0], **as_user)

    def remove(self):
        """Stops the server and deletes all its data."""
        try:
            self._script("remove")
        finally:
            shutil.rmtree(os.path.dirname(self.folder), ignore_errors=True)
