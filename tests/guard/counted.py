"""Runs a stack with one service under callgrind, and counts the instructions from one mark to the next.

A mark is a call of Introspection/Describe. Whenever the service enters the function that answers this call, callgrind writes its
counts and starts again from zero, so no other process has to control callgrind.
"""
import glob
import os
import re
import sqlite3
import subprocess
import time

from kit.stack import Stack, wait_for
from kit.world import book, register

MARK = "describe"  # the handler of Describe in lib/rpc/introspection.c
PLACES = 100000
PROFILE_LINES = 70


class Cursor:
    """Reads how far a service has followed the booking log. It reads the service's database, so that the service executes no
    instruction for it."""

    def __init__(self, stack, name):
        url, self.sql = stack.url(name), "SELECT COALESCE(MAX(seq), 0) FROM event_cursor WHERE log = 'booking'"
        self.file = self.psql = None
        if url.startswith("sqlite:"):
            self.file = sqlite3.connect("file:%s?mode=ro" % url[len("sqlite:"):], uri=True, timeout=30, isolation_level=None)
        else:
            self.psql = subprocess.Popen(["psql", url, "-X", "-q", "-A", "-t"], text=True, stdin=subprocess.PIPE,
                                         stdout=subprocess.PIPE)
            self.sql = self.sql.replace("FROM ", "FROM history.") + ";\n"

    def seq(self):
        if self.file:
            return self.file.execute(self.sql).fetchone()[0]
        self.psql.stdin.write(self.sql)
        self.psql.stdin.flush()
        return int(self.psql.stdout.readline())

    def close(self):
        if self.file:
            self.file.close()
        else:
            self.psql.communicate()


class CountedStack(Stack):
    """A stack with one service under callgrind, which is `counted`. history-svc runs only if it is that service."""

    def __init__(self, counted, cluster_url):
        super().__init__("sqlite", without=() if counted == "history" else ("history",), cluster_url=cluster_url, insecure=True)
        self.counted, self.dumps = self.services[counted], os.path.join(self.folder, "callgrind.out")
        plain = self.counted.arguments
        self.counted.arguments = lambda **more: [
            "valgrind", "--quiet", "--tool=callgrind", "--vgdb=no", "--fair-sched=yes", "--dump-before=" + MARK,
            "--callgrind-out-file=" + self.dumps, *plain(**more)]
        self.cursors, self.booked = [], 0

    def __enter__(self):
        super().__enter__()
        self.hospital_id = register(self, capacity=PLACES)
        self.marker = self.client(self.counted.name)
        self.cursors = [Cursor(self, name) for name in ("hospital", "history") if name not in self.without]
        return self

    def close(self, failed=False):
        for cursor in self.cursors:
            cursor.close()
        self.counted.kill()  # its shutdown takes long and does not matter here
        super().close(failed)

    def book(self, count, pause_s=0.0):
        """Makes bookings one at a time. Each begins after every service has finished the previous one, so that the same steps
        always happen together."""
        for _ in range(count):
            book(self, self.hospital_id)
            self.booked += 1
            for cursor in self.cursors:
                wait_for("the event is applied", lambda one=cursor: one.seq() >= self.booked, interval_s=0.0005)
            time.sleep(pause_s)

    def count(self, bookings, pause_s=0.0):
        """Returns (instructions, seconds) that this many bookings took."""
        self._mark()
        begun = time.monotonic()
        self.book(bookings, pause_s)
        self._mark()
        return total(self.dumped()[-1]), time.monotonic() - begun

    def _mark(self):
        before = len(self.dumped())
        assert self.marker.Describe().message.program
        assert len(self.dumped()) == before + 1, self.dumped()

    def dumped(self):
        """Returns the paths of the files that callgrind wrote, in order. There is one per mark."""
        return sorted(glob.glob(self.dumps + ".*"), key=lambda path: int(path.rpartition(".")[2]))


def total(dump):
    """Returns the number of instructions in a dump, of all threads."""
    with open(dump, encoding="utf-8", errors="replace") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(("summary:", "totals:")))


def profile(dump, bookings):
    """Yields lines that show how the instructions of a dump divide among the functions, per booking: first each function with its
    callees, then each function alone. The first list also contains functions that did not return in the time of the dump, such as
    the loop of a thread."""
    for title, words in (("with all it calls", ["--inclusive=yes"]), ("alone", ["--inclusive=no"])):
        done = subprocess.run(["callgrind_annotate", "--auto=no", "--threshold=100", *words, dump], capture_output=True,
                              text=True, check=True)
        yield "---- instructions per booking, a function %s" % title
        rows = re.findall(r"^ *([\d,]+) *\( *[\d.]+%\) +(.+)$", done.stdout, re.M)
        for count, what in rows[1:PROFILE_LINES]:
            where = re.sub(r"^(?:\S*/)?([^/]+?:\S+)(?: \[(?:.*/)?(.*)\])?$", r"\1 [\2]", what)
            yield "%9d  %s" % (int(count.replace(",", "")) / bookings, where)
