"""Plays one round: starts the stack and the load, injects the planned faults, waits until the services agree, stops everything, and
runs the checker."""
import collections
import datetime
import json
import os
import time
import traceback

from faults import checker, plan as plans, snapshot
from faults.door import DoorCustomers
from faults.fault_stack import FaultStack
from faults.history import History
from faults.inject import Injector, calls_met
from faults.load import Load
from faults.ways_out import Operator
from kit.stack import PROGRAMS, wait_for
from kit.world import behind, disagreements

AGREE_S = 60  # G4 promises 10 s on an otherwise idle machine; the round reports the measured time


class Result:
    """The report of a round. `struck` and `met` count, by kind of fault, how many times the fault occurred and how many times it hit
    calls in flight. `fired` counts how many times each fault point fired, by its name and action."""

    def __init__(self, plan):
        self.plan = plan
        self.problems, self.strikes = [], []
        self.struck, self.met, self.fired = collections.Counter(), collections.Counter(), collections.Counter()
        self.ways_out = collections.Counter()  # actions that an operator had to take
        self.calls = 0
        self.agreed_s = self.took_s = 0.0
        self.folder = ""

    @property
    def counts(self):
        return bool(self.met or self.fired)

    def line(self, number):
        met = ", ".join("%s %d of %d" % (kind, self.met[kind], count) for kind, count in sorted(self.struck.items()))
        fired = ", ".join("%s*%d" % item for item in sorted(self.fired.items()))
        verdict = "FAILED" if self.problems else "ok" if self.counts else "met nothing, does not count"
        taken = "; ways out: " + ", ".join("%s*%d" % item for item in sorted(self.ways_out.items())) if self.ways_out else ""
        replicas = ", two replicas" if self.plan["replicas"] else ""
        replicas += ", %s spared" % self.plan["spared"] if self.plan["spared"] else ""
        return "round %d seed %d %s%s: %d calls; met calls: %s; fired: %s%s; agreed in %.1f s, took %.1f s: %s" % (
            number, self.plan["seed"], self.plan["driver"], replicas, self.calls,
            met or "-", fired or "-", taken, self.agreed_s, self.took_s, verdict)


class Round:
    def __init__(self, plan, cluster):
        self.plan, self.cluster = plan, cluster
        self.history = History()
        self.result = Result(plan)
        self.snapshot = None

    def play(self, keep_in):
        """Plays a round and returns its Result. Moves the files of a failed round into the folder `keep_in`."""
        begun = time.monotonic()
        plan = self.plan
        with FaultStack(plan["driver"], self.cluster.url, flags=plan["flags"], links=plans.links(plan),
                        points=plan["points"], clock="clock" in plans.kinds_of(plan), replicas=plan["replicas"],
                        door="door" in plans.kinds_of(plan)) as stack:
            try:
                self._run(stack)
            except Exception:
                self.result.problems.append(traceback.format_exc())
            self.result.problems += stack.problems
            self._count(stack)
            self.result.took_s = time.monotonic() - begun
            if self.result.problems:
                self._keep(stack, keep_in)
        return self.result

    def _run(self, stack):
        load = Load(self.plan, {name: [stack.client_address(one) for one in stack.replicas_of(name)] for name in PROGRAMS},
                    self.history)
        door = DoorCustomers(stack.door.http, load) if stack.door else None
        operator = Operator(stack, load)
        injector = Injector(stack, self.cluster, load, operator)
        self.result.strikes = injector.strikes
        wait_for("all services are ready", stack.ready)
        if self.plan["went_back"]:
            operator.prepare()
        load.start()
        if door:
            door.start()
        injector.run(self.plan["faults"])
        injector.load_on(self.plan["load_s"])
        stack.heal()
        wait_for("all services are ready again", stack.ready)
        load.end()
        if door:
            door.join()
        if self.plan["went_back"]:
            operator.finish()
        self.result.agreed_s = self._wait_agreement(stack)
        load.look_at_all(100)
        self.result.problems += load.problems
        if self.plan["went_back"]:
            operator.check_reasons()
        self.result.ways_out.update(+operator.taken)
        stack.end_all()
        self.snapshot = snapshot.read(stack)
        self.result.problems += checker.check(list(self.history), self.snapshot, operator.restores,
                                              self._outages(stack) if self.plan["spared"] else None)
        if door:
            self.result.problems += door.problems + door.check(self.snapshot)

    @staticmethod
    def _outages(stack):
        """Returns the times (ns, by the clock of the records) at which a hospital-svc lost its database, as its log says. Its session
        ends in the middle of a batch, for example, if the process was frozen then."""
        to_monotonic_ns = time.monotonic_ns() - time.time_ns()
        lines = [line for name in stack.replicas_of("hospital") for line in stack.services[name].log_lines()]
        return [int(datetime.datetime.fromisoformat(line["ts"]).timestamp() * 1000000) * 1000 + to_monotonic_ns
                for line in lines if line.get("event") == "writer.database_lost"]

    def _wait_agreement(self, stack):
        """Waits until all services agree. Returns how many seconds that took, measured from the end of the last deletion job if one
        was still running."""
        begun, last = time.monotonic(), []

        def agree():
            nonlocal begun
            if stack.value("booking", "SELECT COUNT(*) FROM hospital_deletion WHERE done = 0"):
                begun = time.monotonic()
            # The checker decides which days may be overcommitted after a restore.
            last[:] = behind(stack) or disagreements(stack, overcommitted=self.plan["went_back"])
            return not last
        try:
            wait_for("the services agree", agree, deadline_s=AGREE_S, interval_s=0.05)
        except AssertionError as problem:
            raise AssertionError("%s: %s" % (problem, "; ".join(last))) from None
        return time.monotonic() - begun

    def _count(self, stack):
        result, records = self.result, list(self.history)
        result.calls = len(records)
        for strike in result.strikes:
            result.struck[strike.kind] += 1
            result.met[strike.kind] += strike.sure or calls_met(strike, records) > 0
        result.met = +result.met
        for service in stack.services.values():
            for line in service.log_lines():
                if line.get("event") == "fault.fired":
                    result.fired["%s:%s" % (line["point"], line["action"])] += 1

    def _keep(self, stack, keep_in):
        # The name of the stack's folder makes this folder's name unique.
        folder = os.path.join(keep_in, "seed-%d-%s" % (self.plan["seed"], os.path.basename(stack.folder)))
        self.result.folder = folder
        self.history.save(os.path.join(stack.folder, "history.jsonl"))
        with open(os.path.join(stack.folder, "plan.json"), "w", encoding="utf-8") as file:
            json.dump(self.plan, file, ensure_ascii=False, indent=1)
        if self.snapshot is not None:
            snapshot.save(self.snapshot, os.path.join(stack.folder, "snapshot.json"))
        stack.keep(folder)

    def minimal_history(self):
        """Returns the records that concern the first id in each problem."""
        firsts = set()
        for problem in self.result.problems:
            firsts.update(sorted(checker.ids_in([problem]), key=problem.index)[:1])
        return checker.minimal(self.history, firsts)
