"""Measures the named goals, one after the other. bench/run runs this package after the build."""

import importlib
import json
import os
import pathlib
import platform
import shutil
import subprocess
import sys
import tempfile
import time

import paths  # noqa: F401  first, because it sets the paths of the other imports
from children import CompareError, interrupts

interrupts.install()

from bench import Bench  # noqa: E402  from here on, a signal only sets a flag
from cluster import Cluster  # noqa: E402
from figures import line_of  # noqa: E402
from options import read_options  # noqa: E402

SCENARIOS = {
    "P7": "p7_sold_out", "P8": "p8_event_lag", "P9": "p9_catch_up", "P9b": "p9b_live_history", "P10": "p10_growth",
    "P11": "p11_history_queries", "P12": "p12_memory", "P13": "p13_start_stop", "P14": "p14_deletion",
    "P15": "p15_http", "P16": "p16_siege", "P17": "p17_backlog",
    "P18": "p18_security", "P19": "p19_replicas"}
# P10 and P11 share 10,000,000 bookings. Every other goal has its own PostgreSQL.
TOGETHER = (("P7",), ("P8",), ("P9",), ("P9b",), ("P10", "P11"), ("P12",), ("P13",), ("P14",), ("P15",), ("P16",), ("P17",),
            ("P18",), ("P19",))

# These are usual settings for a database with many writes that has the machine's memory to itself.
POSTGRESQL = {"shared_buffers": "1GB", "max_wal_size": "4GB"}


def about(options):
    """Returns the circumstances of the measurement, which a later reader of the figures needs."""
    return {"time": time.strftime("%Y-%m-%dT%H:%M:%S%z"), "kernel": platform.release(), "cpus": os.cpu_count(),
            "load_before": os.getloadavg()[0], "scale": options.scale, "postgresql": POSTGRESQL}


def save(goal, rows, circumstances, folder):
    """Writes a file for each row: GOAL.json, GOAL.2.json and so on. Removes the goal's files of an earlier run."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in (*folder.glob(goal + ".json"), *folder.glob(goal + ".[0-9]*.json")):
        path.unlink()
    for number, figures in enumerate(rows, 1):
        name = goal + ("" if number == 1 else ".%d" % number) + ".json"
        text = json.dumps({"goal": goal, "command": "bench/run " + goal, **figures, "about": circumstances}, indent=1)
        (folder / name).write_text(text + "\n", encoding="utf-8")


def run_goal(goal, bench, options):
    """Measures the goal, and prints and stores its figures."""
    circumstances = about(options)
    begin = time.monotonic()
    scenario = importlib.import_module(SCENARIOS[goal])
    print("\n%-4s %s" % (goal, scenario.__doc__.splitlines()[0]), flush=True)
    rows = scenario.measure(bench)
    circumstances["took_s"] = round(time.monotonic() - begin, 1)
    save(goal, rows, circumstances, options.output)
    for figures in rows:
        print("     " + line_of(figures), flush=True)


def run_together(goals, options, folder):
    """Measures goals one after the other, with one PostgreSQL. Returns the goals that could not be measured."""
    failed = list(goals)
    try:
        with Cluster(folder / "pg") as cluster, Bench(folder, cluster, options.rounds, options.scale) as bench:
            cluster.set(POSTGRESQL)
            for goal in goals:
                run_goal(goal, bench, options)
                failed.remove(goal)
    except (CompareError, AssertionError, OSError, subprocess.SubprocessError) as problem:
        print("%s FAILED: %s" % (", ".join(failed or goals), problem), file=sys.stderr, flush=True)
        return failed or list(goals)
    return []


def run_goals(options):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="screening-run-"))
    folder.chmod(0o755)  # PostgreSQL, which does not run as root, keeps its cluster beside the SQLite files
    failed = []
    try:
        for together in TOGETHER:
            wanted = [goal for goal in together if goal in options.goals]
            failed += run_together(wanted, options, folder) if wanted else []
    finally:
        shutil.rmtree(folder)
    print("\nThe figures with all rounds: %s" % options.output)
    if failed:
        print("run: these failed: %s" % ", ".join(failed), file=sys.stderr)
    return 1 if failed else 0


def main():
    options = read_options()
    try:
        return run_goals(options)
    except interrupts.Interrupted as interrupted:
        print("run: interrupted; everything that was started has been stopped", file=sys.stderr)
        return interrupted.exit_code


sys.exit(main())
