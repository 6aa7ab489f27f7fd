"""Runs deploy/ha/cluster for one test, and kills its processes."""
import os
import shutil
import signal
import subprocess
import tempfile

from kit.marks import Skipped
from kit.stack import wait_for

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SCRIPT = os.path.join(ROOT, "deploy/ha/cluster")
NEEDED = {"/usr/bin/patroni": "patroni", "/usr/bin/etcd": "etcd-server", "/usr/lib/python3/dist-packages/etcd": "python3-etcd"}
# How long a member that was killed, or that was the leader, may take to be the synchronous standby.
STANDBY_S = 120


class Cluster:
    """The cluster during a `with` block: `with Cluster() as cluster:`. cluster.url leads to the current leader."""

    def __enter__(self):
        for path, package in NEEDED.items():
            if not os.path.exists(path):
                raise Skipped("the package %s is not installed" % package)
        self.folder = os.path.join(tempfile.mkdtemp(prefix="screening-ha-", dir="/var/tmp"), "cluster")
        os.chmod(os.path.dirname(self.folder), 0o711)
        try:
            self.start()
            self.url = self.run("url").strip()
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(self, kind, *_):
        if kind is not None:
            self._show_logs()
        self.remove()

    def run(self, word):
        done = subprocess.run([SCRIPT, word, self.folder], capture_output=True, text=True, check=False)
        assert done.returncode == 0, (word, done.stderr)
        return done.stdout

    def start(self):
        """Starts what does not run, and waits until there is a synchronous standby."""
        self.run("start")

    def members(self):
        """Returns {name: (role, state, Patroni's process, the server's process)}; "-" for a process that does not run."""
        rows = [line.split() for line in self.run("list").splitlines()[1:]]
        return {name: tuple(rest) for name, *rest in rows}

    def named(self, role):
        """Returns (name, Patroni's process, the server's process) of the member with this role, or None."""
        for name, (its_role, _, patroni, server) in self.members().items():
            if its_role == role and "-" not in (patroni, server):
                return name, int(patroni), int(server)
        return None

    def wait_standby(self, name):
        """Waits until the member is the synchronous standby."""
        wait_for("%s is the synchronous standby" % name, lambda: (self.named("sync_standby") or (None,))[0] == name, STANDBY_S,
                 interval_s=0.2)

    def _show_logs(self):
        for name in ("etcd", "one", "two"):
            path = os.path.join(self.folder, name + ".log")
            if os.path.exists(path):
                with open(path, encoding="utf-8", errors="replace") as log:
                    print("---- the end of %s.log\n%s" % (name, "".join(log.readlines()[-30:])))

    def remove(self):
        try:
            subprocess.run([SCRIPT, "remove", self.folder], check=True)
        finally:
            shutil.rmtree(os.path.dirname(self.folder), ignore_errors=True)


def kill(*processes):
    for process in processes:
        os.kill(process, signal.SIGKILL)
