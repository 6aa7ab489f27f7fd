"""Runs a real pgbouncer in front of the tests' PostgreSQL."""
import os
import shutil
import signal
import subprocess
import tempfile

from .stack import CLUSTER_URL, free_port, wait_for

PROGRAM = "/usr/sbin/pgbouncer"
SETTINGS = """[databases]
* = host=%(socket)s port=5432 user=screening
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %(port)d
unix_socket_dir =
auth_type = any
default_pool_size = 40
pool_mode = %(mode)s
%(more)s
"""


class Pooler:
    """A pgbouncer that runs during a `with` block: `with Pooler("session") as pooler:`. `pooler.url(database_url)` is the
    URL through the pooler."""

    def __init__(self, mode, more=""):
        # Not the folder of the stack, which only its user may enter.
        self.folder = tempfile.mkdtemp(prefix="screening-pooler-", dir="/tmp")
        self.path = os.path.join(self.folder, "pgbouncer.ini")
        self.more, self.port = more, free_port()
        self.socket = os.path.realpath(CLUSTER_URL.split("host=")[1].split("&")[0])
        self.process = None
        self._write(mode)

    def _write(self, mode):
        with open(self.path, "w", encoding="utf-8") as file:
            file.write(SETTINGS % {"socket": self.socket, "port": self.port, "mode": mode, "more": self.more})

    def __enter__(self):
        as_user = []
        if os.geteuid() == 0:  # pgbouncer refuses to run as root
            os.chmod(self.folder, 0o755)
            as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        self.process = subprocess.Popen([*as_user, PROGRAM, "-q", self.path], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for("pgbouncer answers", self._answers)
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder)

    def _answers(self):
        done = subprocess.run(["psql", self.url(CLUSTER_URL), "-Atc", "SELECT 1"], capture_output=True, check=False)
        return done.returncode == 0

    def change(self, mode):
        """Changes pool_mode to `mode` while clients stay connected."""
        self._write(mode)
        self.process.send_signal(signal.SIGHUP)

    def url(self, url):
        database = url.split("?")[0].rsplit("/", 1)[1]
        return "postgresql://screening@127.0.0.1:%d/%s" % (self.port, database)
