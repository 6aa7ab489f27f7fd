"""Ends the processes and removes the files that a killed demo left behind. Needs neither a build nor Debian's Python modules."""

import json
import os
import shutil
import signal
import time

from places import CLUSTER, DEMO, PIDS, VAR, private_postgres
from problems import StackError
from report import say

DRAIN_S = 15


def _link(pid, name):
    """Returns the target of /proc/PID/NAME, even if that file was replaced. Returns None if the process has ended or is not
    visible."""
    try:
        return os.readlink("/proc/%d/%s" % (pid, name)).removesuffix(" (deleted)")
    except OSError:
        return None


def _is_ours(entry):
    """Returns whether the recorded process is one of the demo's. Its program and folder must match too, because the pid may have
    been reused."""
    return _link(entry["pid"], "exe") == entry["exe"] and _link(entry["pid"], "cwd") == str(DEMO)


def _recorded():
    if not PIDS.exists():
        return []
    entries = []
    for line in PIDS.read_text().splitlines():
        try:
            entries.append(json.loads(line))
        except ValueError:
            say("%s: skipped a line that is no record: %s" % (PIDS, line))
    return entries


def _end(entry):
    say("stopping %s, left by an earlier demo (process %d)" % (entry["name"], entry["pid"]))
    os.kill(entry["pid"], signal.SIGTERM)
    deadline = time.monotonic() + DRAIN_S
    while _is_ours(entry):
        if time.monotonic() > deadline:
            os.kill(entry["pid"], signal.SIGKILL)
            return
        time.sleep(0.05)


def end_leftovers():
    """Ends those services recorded in var/demo/pids that still run, then stops the cluster."""
    for entry in _recorded():
        if _is_ours(entry):
            _end(entry)
    if CLUSTER.exists():
        private_postgres("stop", CLUSTER)


def clean():
    """Runs `./demo --clean`: ends every process and deletes every file of earlier demos. Returns the exit code."""
    try:
        end_leftovers()
        private_postgres("remove", CLUSTER)
        if VAR.exists():
            shutil.rmtree(VAR)
    except (OSError, StackError) as problem:
        say("could not clean up: %s" % problem)
        return 1
    say("%s is removed; build/ is kept" % VAR)
    return 0
