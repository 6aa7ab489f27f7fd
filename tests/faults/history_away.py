"""G5: stops history-svc and its PostgreSQL for a while under load. No booking fails. After both have started again, the lag
vanishes by itself, and all services agree.

The outage lasts 10 s; with SCREENING_FULL=1, a minute. By hand: tests/kit/run tests/faults/history_away.py"""
import os
import shutil
import subprocess
import tempfile
import time

from faults.callers import Callers
from kit import rpc
from kit.marks import once
from kit.stack import Stack, is_sanitized, wait_for
from kit.world import register, wait_agreement

FULL = os.environ.get("SCREENING_FULL") == "1"
AWAY_S = 60 if FULL else 10
BUDGET_S = 15 if is_sanitized() else 5
CURRENT_MS = 1000  # a smaller lag is normal under load, because the newest events are in flight
SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../deploy/private-postgres")


class OwnCluster:
    """A PostgreSQL for history-svc alone, which can be stopped without disturbing other tests."""

    def __init__(self):
        self.parent = tempfile.mkdtemp(prefix="screening-away-", dir="/var/tmp")
        os.chmod(self.parent, 0o711)  # the server's user must be able to enter the folder
        self.folder = os.path.join(self.parent, "pg")

    def run(self, word):
        return subprocess.run([SCRIPT, word, self.folder], capture_output=True, text=True, check=True).stdout.strip()

    def __enter__(self):
        self.run("start")
        return self

    def __exit__(self, *_):
        self.run("remove")
        shutil.rmtree(self.parent)


def lag(client):
    """Returns (longest lag in ms, number of events not yet applied) as history-svc reports them, or None if it cannot answer."""
    try:
        reply = client().GetProjectionStatus(timeout_ms=2000)
    except OSError:
        return None
    if reply.code != rpc.OK or len(reply.message.logs) != 2:
        return None
    return (max(log.lag_ms for log in reply.message.logs),
            sum(log.head_seq - log.applied_seq for log in reply.message.logs))


@once
def test_history_and_its_postgresql_are_down_under_load(driver):
    with OwnCluster() as cluster, Stack(driver, flags={"history": {"database": cluster.run("url")}}) as stack:
        hospital_id = register(stack, capacity=100000)
        with Callers(stack, hospital_id, BUDGET_S, readers=("hospital",)) as callers:
            wait_for("bookings", lambda: len(callers.confirmed) > 100 or callers.failed)
            begun = time.monotonic()
            cluster.run("stop")  # history-svc first loses its database, and is then killed too
            time.sleep(AWAY_S / 3)
            stack.history_svc.kill()
            time.sleep(AWAY_S / 3)
            stack.history_svc.spawn()  # starts before its database does
            time.sleep(max(0, begun + AWAY_S - time.monotonic()))
            missed = len(callers.confirmed) + len(callers.cancelled)
            cluster.run("start")
            back = time.monotonic()
            stack.history_svc.wait_ready()
            first = wait_for("history-svc tells its lag", lambda: lag(lambda: stack.history))
            wait_for("the lag goes under load", lambda: (lag(lambda: stack.history) or (CURRENT_MS, 0))[0] < CURRENT_MS)
            caught_up_s = time.monotonic() - back
        wait_for("no lag at all", lambda: lag(lambda: stack.history) == (0, 0))
        print("away for %.1f s, %d bookings meanwhile; first lag %d ms, %d events; caught up %.2f s after PostgreSQL was back"
              % (back - begun, missed, *first, caught_up_s))
        print(callers)
        callers.check()
        wait_agreement(stack)
