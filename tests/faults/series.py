"""Plays rounds one after another and reports their results."""
import collections
import json
import os
import subprocess
import time

from faults import plan as plans
from faults.one_round import Round
from kit.stack import program

CALLS_TOLD = 40  # maximum number of calls in the output; the folder has all
IDLE_MAX = 10  # if so many rounds in a row hit nothing, something is wrong with the rounds


class Wanted(collections.namedtuple("Wanted", "kinds driver replicas each", defaults=(False, False))):
    """What a round is to be, as plan.make takes it."""

    def arguments(self):
        """Returns the arguments of tests/faults/run that ask for such a round."""
        return "--driver %s%s%s --kind %s" % (self.driver, " --replicas" if self.replicas else "", " --each" if self.each else "",
                                              ",".join(self.kinds))


# The short form plays every kind, with both drivers where they differ, and several in each round with two processes of each service.
SHORT = [Wanted(kinds.split(), "postgresql", True, True) if where == "replicas" else Wanted([kinds], where) for kinds, where in (
    ("kill", "sqlite"), ("door", "sqlite"), ("point", "postgresql"), ("database", "postgresql"), ("pubsub", "sqlite"),
    ("kill stop cut point commit", "replicas"),
    ("point", "sqlite"), ("commit", "postgresql"), ("disk", "sqlite"), ("kill", "postgresql"), ("cut", "sqlite"),
    ("pause", "postgresql"), ("pause delay pubsub", "replicas"),
    ("stop", "sqlite"), ("delay", "postgresql"), ("clock", "sqlite"), ("disk", "postgresql"),
    ("restore", "sqlite"), ("restore", "postgresql"), ("door clock database disk", "replicas"))]


def fault_points():
    """Returns the names of all fault points in this build. The list is empty if the build has none."""
    done = subprocess.run([program("booking-svc"), "--version"], env={**os.environ, "SCREENING_FAULTS": "list"},
                          capture_output=True, text=True, check=True)
    lines = done.stdout.split("\n")
    return [line for line in lines if "." in line and " " not in line]


class Series:
    """Plays the rounds. `options` are the arguments of tests/faults/run."""

    def __init__(self, options, seed, cluster):
        self.options, self.seed, self.cluster = options, seed, cluster
        self.points = fault_points()
        self.results, self.left_out = [], []
        self.begun = time.monotonic()

    def _wanted(self):
        """Yields a Wanted for each round."""
        options = self.options
        if options.short:
            # A build without fault points plays no round that has nothing else.
            yield from (one for one in SHORT if (one.replicas or not options.replicas) and (one.kinds != ["point"] or self.points))
            return
        kinds = options.kind.split(",") if options.kind else list(plans.KINDS)
        for _ in range(options.rounds):
            yield Wanted(kinds, options.driver, options.replicas, options.each)

    def _time_is_up(self):
        return self.options.seconds and time.monotonic() - self.begun > self.options.seconds

    def run(self):
        for wanted in self._wanted():
            for _ in range(IDLE_MAX):
                if self._time_is_up():
                    self.left_out.append(wanted.arguments())
                    break
                result = self._play(wanted)
                if result.counts or result.problems:
                    break
            else:
                raise AssertionError("%d rounds in a row met nothing" % IDLE_MAX)

    def _play(self, wanted):
        plan = plans.make(self.seed + len(self.results), wanted.driver, wanted.kinds, self.points, wanted.replicas, wanted.each)
        player = Round(plan, self.cluster)
        result = player.play(self.options.keep)
        self.results.append(result)
        print(result.line(len(self.results)), flush=True)
        if result.problems:
            self._print_failure(player, result, wanted.arguments())
        return result

    def _print_failure(self, player, result, arguments):
        print("---- seed %d failed; again: tests/faults/run --rounds 1 --seed %d %s" % (
            result.plan["seed"], result.plan["seed"], arguments))
        print("plan:", json.dumps(result.plan, ensure_ascii=False))
        for problem in result.problems:
            print("problem:", problem)
        for record in player.minimal_history()[:CALLS_TOLD]:
            print("call:", json.dumps(record, ensure_ascii=False))
        print("kept in:", result.folder, flush=True)

    def print_summary(self):
        """Prints the last lines of the run. Returns whether the run failed."""
        results = self.results
        kinds, struck, met, fired = (collections.Counter() for _ in range(4))
        for result in results:
            kinds.update(result.met.keys())
            struck.update(result.struck)
            met.update(result.met)
            fired.update(result.fired)
        print("rounds in which it met calls, by kind of fault:", _listing(kinds))
        print("fault points that fired:", _listing(fired))
        print("rounds with two replicas: %d, with a hospital-svc that no fault hits: %d" % (
            sum(1 for result in results if result.plan["replicas"]), sum(1 for result in results if result.plan["spared"])))
        print("%d rounds, %d calls, %d of %d kills met calls, %d fault points fired %d times, longest agreement %.1f s, "
              "longest round %.1f s, %d problems" % (
                  len(results), sum(r.calls for r in results), met["kill"], struck["kill"],
                  len({what.split(":")[0] for what in fired}), sum(fired.values()),
                  max((r.agreed_s for r in results), default=0), max((r.took_s for r in results), default=0),
                  sum(len(r.problems) for r in results)))
        if self.options.short and self.left_out:
            print("left out, since the time was up:", ", ".join(self.left_out))
        failed = sum(1 for result in results if result.problems)
        passed = sum(1 for result in results if result.counts and not result.problems)
        print("%d passed, %d failed" % (passed, failed))
        return failed > 0 or passed == 0


def _listing(counter):
    return ", ".join("%s %d" % item for item in sorted(counter.items())) or "none"
