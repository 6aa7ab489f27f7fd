"""Reads the committed figures: bench/results/*.json, written by bench/compare (also with --sweep and --profile) and by bench/run
all."""

import json
import pathlib
import re
import statistics
import sys

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "comparison"))
from rows import Rounds  # noqa: E402

GOALS = {
    "P1": "confirmed bookings per second, 64 in flight, against the gRPC peer",
    "P2": "the same against raw nng echo",
    "P3": "the same with 256 and 1,024 in flight",
    "P4": "PostgreSQL against SQLite, and against the gRPC peer",
    "P5": "one booking at a time",
    "P6": "open loop at half of the peak",
    "P7": "sold-out rush",
    "P8": "event lag",
    "P9": "catch-up and rebuild of the history",
    "P9b": "what live history costs the bookings",
    "P10": "growth",
    "P11": "history queries",
    "P12": "memory",
    "P13": "start and stop",
    "P14": "deletion of a hospital with many bookings",
    "P15": "what a call costs over HTTP",
    "P16": "siege through the gateway",
    "P17": "a backlog behind customers",
    "P18": "what tokens and TLS cost",
    "P19": "what replicas cost",
}
IN_FLIGHT = 64  # the default of bench/compare
SCENARIO = re.compile(r"(P[0-9]+b?)(?:\.([0-9]+))?\.json")


class Figures:
    """The committed figures. `compare`, `sweep` and `profile` are Rounds, or None if nothing was measured. `about` maps the name of
    each file to its circumstances."""

    def __init__(self, folder):
        self.compare, self.sweep, self.profile, self.about = None, None, None, {}
        self.other_ratios = []
        self.goals = {goal: [] for goal in GOALS}
        for name in ("compare", "sweep", "profile"):
            path = folder / (name + ".json")
            if path.exists():
                kept = self._read(path)
                if kept["about"]["in_flight"] != IN_FLIGHT:
                    sys.exit("%s: the page tells of runs with --in-flight %d" % (path, IN_FLIGHT))
                setattr(self, name, Rounds(kept["runs"]))
                self._sort(kept.get("ratios", ()))
        for path in sorted(folder.glob("P*.json"), key=self._order):
            row = self._read(path)
            self.goals[row["goal"]].append(row)

    def _sort(self, rows):
        for row in rows:
            (self.other_ratios if row["goal"] is None else self.goals[row["goal"]]).append(row)

    def _read(self, path):
        kept = json.loads(path.read_text(encoding="utf-8"))
        self.about[path.name] = {"command": kept.get("command"), **kept["about"]}
        return kept

    @staticmethod
    def _order(path):
        goal, number = SCENARIO.fullmatch(path.name).groups()
        return list(GOALS).index(goal), int(number or 1)


def per_booking(rounds, name):
    """Returns {process: {figure: median}}: the resources that each process uses for one booking, in the runs called `name`."""
    runs = [run["processes"] for run in rounds.runs if run["name"] == name]
    return {process: {figure: statistics.median(run[process]["per_turn"][figure] for run in runs)
                      for figure in runs[0][process]["per_turn"]}
            for process in runs[0]}


def memory_mib(rounds, name):
    """Returns {process: (RSS at the end in MiB, peak of the RSS in MiB)}: the maximum of the runs called `name`."""
    runs = [run["processes"] for run in rounds.runs if run["name"] == name]
    return {process: tuple(max(run[process][figure] for run in runs) / 1024 for figure in ("rss_kib", "rss_peak_kib"))
            for process in runs[0]}


def parts(rounds, name):
    """Returns {(process, threads, owner of the code): median of µs per booking} of the profiled runs called `name`."""
    runs = [{(part["process"], part["threads"], part["owner"]): part["us"] for part in run["parts"]}
            for run in rounds.runs if run["name"] == name]
    return {key: statistics.median(run.get(key, 0) for run in runs) for key in sorted({key for run in runs for key in run})}
