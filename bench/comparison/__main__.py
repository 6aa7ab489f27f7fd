"""Measures our system and the other systems in turns, round by round. bench/compare runs this package after the build."""

import functools
import json
import os
import pathlib
import platform
import shutil
import sys
import tempfile
import time

from children import ROOT, CompareError, interrupts, step

interrupts.install()

from arguments import read_arguments  # noqa: E402  from here on, a signal only sets a flag
from cluster import Cluster  # noqa: E402
from ours import MANY_DAYS, Ours  # noqa: E402
from peers import Peers  # noqa: E402
from rows import Rounds, goal_rows, other_rows, show_goals, show_runs  # noqa: E402

WARM_UP_SHARE = 1 / 3  # duration of the warm-up, as a share of the measured time
SWEEP = (1, 4, 16, 64, 256, 1024)  # numbers of calls in flight
PROFILED = (64, 256)


def plan(ours, peers, in_flight, seconds):
    """Returns a (name, function) for each run of a round. Runs that are compared with each other are close together."""
    times = (seconds * WARM_UP_SHARE, seconds)
    more, most = 4 * in_flight, 16 * in_flight
    runs = [
        ("grpc hot %d" % in_flight, lambda: peers.grpc(1, in_flight, *times)),
        ("sqlite %d" % in_flight, lambda: ours.closed("sqlite", in_flight, *times)),
        ("echo %d" % in_flight, lambda: peers.echo(in_flight, *times)),
        ("postgresql %d" % in_flight, lambda: ours.closed("postgresql", in_flight, *times)),
        ("pgbench hot %d" % in_flight, lambda: peers.pgbench(1, in_flight, *times)),
        ("sqlite %d days %d" % (MANY_DAYS, in_flight), lambda: ours.many_days("sqlite", in_flight, *times)),
        ("grpc %d days %d" % (MANY_DAYS, in_flight), lambda: peers.grpc(MANY_DAYS, in_flight, *times)),
        ("pgbench %d days %d" % (MANY_DAYS, in_flight), lambda: peers.pgbench(MANY_DAYS, in_flight, *times)),
        ("sqlite %d" % more, lambda: ours.closed("sqlite", more, *times)),
        ("echo %d" % more, lambda: peers.echo(more, *times)),
        ("postgresql %d" % more, lambda: ours.closed("postgresql", more, *times)),
        ("sqlite %d" % most, lambda: ours.closed("sqlite", most, *times)),
        ("echo %d" % most, lambda: peers.echo(most, *times)),
        ("sqlite open", lambda: ours.open("sqlite", ours.fastest["sqlite"] / 2, *times)),
    ]
    if in_flight > 1:
        runs += [("sqlite 1", lambda: ours.closed("sqlite", 1, *times)), ("echo 1", lambda: peers.echo(1, *times))]
    return runs + [("commit", peers.commit)]


def sweep_plan(ours, seconds):
    """Returns the runs of our system alone, with each number of calls in flight. The format is that of plan()."""
    times = (seconds * WARM_UP_SHARE, seconds)
    return [("%s %d" % (driver, in_flight), functools.partial(ours.closed, driver, in_flight, *times))
            for in_flight in SWEEP for driver in ("sqlite", "postgresql")]


def profile_plan(ours, seconds):
    """Returns the runs of our system under perf. perf slows the system a little, so compare the shares, not the rates."""
    times = (seconds * WARM_UP_SHARE, seconds)
    return [("%s %d" % (driver, in_flight), functools.partial(ours.profiled, driver, in_flight, *times))
            for driver in ("sqlite", "postgresql") for in_flight in PROFILED]


def plan_of(arguments, ours, peers):
    if arguments.kind == "sweep":
        return sweep_plan(ours, arguments.seconds)
    if arguments.kind == "profile":
        return profile_plan(ours, arguments.seconds)
    return plan(ours, peers, arguments.in_flight, arguments.seconds)


def measure(arguments, folder):
    runs = []
    with Cluster(folder / "pg") as cluster:
        todo = plan_of(arguments, Ours(folder, cluster), Peers(folder, cluster))
        for number in range(1, arguments.rounds + 1):
            for name, what in todo:
                interrupts.check()
                os.sync()  # the pending writes of the previous run must not slow down the next run
                figures = what()
                runs.append({"round": number, "name": name, **figures})
                print("round %d  %-22s %9.0f/s  p50 %8.2f ms" % (number, name, figures["per_s"], figures["p50_ms"]),
                      flush=True)
    return runs


def circumstances(arguments, folder):
    """Returns the circumstances of the measurement, which a later reader of the figures needs."""
    filesystem = step(["stat", "-f", "-c", "%T", folder])
    if filesystem == "tmpfs":
        print("compare: %s is in memory: a commit costs nothing there; set TMPDIR" % folder, file=sys.stderr)
    command = "bench/compare" + ("" if arguments.kind == "compare" else " --" + arguments.kind)
    return {"command": command, "rounds": arguments.rounds, "seconds": arguments.seconds, "in_flight": arguments.in_flight,
            "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"), "kernel": platform.release(), "cpus": os.cpu_count(),
            "filesystem": filesystem, "load_before": os.getloadavg()[0]}


def compare(arguments):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="screening-compare-"))
    folder.chmod(0o755)  # PostgreSQL, which does not run as root, keeps its cluster beside the SQLite files
    try:
        about = circumstances(arguments, folder)
        runs = measure(arguments, folder)
    finally:
        shutil.rmtree(folder)
    rounds = Rounds(runs)
    show_runs(rounds)
    kept = {"about": about, "runs": runs}
    if arguments.kind == "compare":
        kept["ratios"] = goal_rows(rounds, arguments.in_flight) + other_rows(rounds, arguments.in_flight)
        show_goals(kept["ratios"])
    arguments.output.mkdir(parents=True, exist_ok=True)
    path = arguments.output / (arguments.kind + ".json")
    path.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    print("\nEvery run: %s" % path)


def main():
    arguments = read_arguments()
    try:
        compare(arguments)
    except interrupts.Interrupted as interrupted:
        print("compare: interrupted; everything that was started has been stopped", file=sys.stderr)
        return interrupted.exit_code
    except CompareError as problem:
        print("compare: %s" % problem, file=sys.stderr)
        return 1
    return 0


sys.exit(main())
