"""Ends what an earlier demo left behind: a killed demo cannot do that itself. Needs neither a build nor Debian's modules."""

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
    """Returns what /proc says about a process, even if its file was replaced; None if it has ended or is not
    visible."""
    try:
        return os.readlink("/proc/%d/%s" % (pid, name)).removesuffix(" (deleted)")
    except OSError:
        return None


def _is_ours(entry):
    """Returns whether the process is ours. The pid may have been reused, so the program and its folder must match
    too."""
    return _link(entry["pid"], "exe") == entry["exe"] and _link(entry["pid"], "cwd") == str(DEMO)


def _recorded():
    if not PIDS.exists():
        return []
    entries = []
    for line in PIDS.read_text().splitlines():
        try:
            entries.append(json.loads(line))
        except ValueError:
            say("%s: not a record, left out: %s" % (PIDS, line))
    return entries


def _end(entry):
    say("ending %s, left by an earlier demo (process %d)" % (entry["name"], entry["pid"]))
    os.kill(entry["pid"], signal.SIGTERM)
    deadline = time.monotonic() + DRAIN_S
    while _is_ours(entry):
        if time.monotonic() > deadline:
            os.kill(entry["pid"], signal.SIGKILL)
            return
        time.sleep(0.05)


def end_leftovers():
    """Ends the services recorded in var/demo/pids that still run, then the cluster."""
    for entry in _recorded():
        if _is_ours(entry):
            _end(entry)
    if CLUSTER.exists():
        private_postgres("stop", CLUSTER)


def clean():
    """Runs `./demo --clean`: afterwards no process and no file of a demo is left. Returns the exit code."""
    try:
        end_leftovers()
        private_postgres("remove", CLUSTER)
        if VAR.exists():
            shutil.rmtree(VAR)
    except (OSError, StackError) as problem:
        say("could not clean up: %s" % problem)
        return 1
    say("%s is gone; build/ is left" % VAR)
    return 0
