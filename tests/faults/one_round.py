"""One round: the stack is started and loaded, faults come as planned, everything is healed, the services agree, all is
stopped and checked."""
import json
import os
import time
import traceback

from faults import checker, plan as plans, snapshot
from faults.fault_stack import FaultStack
from faults.history import History
from faults.inject import Injector, calls_met
from faults.load import Load
from kit.stack import PROGRAMS, wait_for
from kit.world import disagreements

AGREE_S = 60  # G4 says 10 s on a machine that has nothing else to do; the round tells how long it took


class Result:
    """What a round has to tell."""

    def __init__(self, plan):
        self.plan = plan
        self.problems, self.strikes, self.met, self.fired = [], [], {}, {}
        self.calls = self.kills = self.kills_met = 0
        self.agreed_s = self.took_s = 0.0
        self.folder = ""

    @property
    def counts(self):
        return bool(self.met or self.fired)

    def line(self, number):
        fired = ",".join("%s*%d" % item for item in sorted(self.fired.items())) or "-"
        return ("round %d seed %d %s %s: %d calls, %d of %d kills met calls, fired %s, agreed in %.1f s, took %.1f s: "
                "%s") % (
            number, self.plan["seed"], self.plan["driver"], "+".join(plans.kinds_of(self.plan)), self.calls,
            self.kills_met, self.kills, fired, self.agreed_s, self.took_s,
            "FAILED" if self.problems else "ok" if self.counts else "met nothing, does not count")


class Round:
    def __init__(self, plan, cluster):
        self.plan, self.cluster = plan, cluster
        self.history = History()
        self.result = Result(plan)
        self.snapshot = None

    def play(self, keep_in):
        """Plays it; the Result. What a failed round leaves behind is moved into the folder keep_in."""
        begun = time.monotonic()
        plan = self.plan
        with FaultStack(plan["driver"], flags=plan["flags"], links=plans.links(plan), points=plan["points"],
                        clock=any(fault["kind"] == "clock" for fault in plan["faults"])) as stack:
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
        load = Load(self.plan, {name: stack.client_address(name) if name != "history" else stack.services[name].rpc
                                for name in PROGRAMS}, self.history)
        injector = Injector(stack, self.cluster, load)
        self.result.strikes = injector.strikes
        wait_for("all services are ready", stack.ready)
        load.start()
        injector.run(self.plan["faults"])
        injector.load_on(self.plan["load_s"])
        stack.heal()
        wait_for("all services are ready again", stack.ready)
        load.end()
        self.result.agreed_s = self._wait_agreement(stack)
        load.look_at_all(100)
        self.result.problems += load.problems
        stack.end_all()
        self.snapshot = snapshot.read(stack)
        self.result.problems += checker.check(list(self.history), self.snapshot)

    def _wait_agreement(self, stack):
        """From now, or from the end of the last deletion's job, until all agree: in seconds."""
        begun, last = time.monotonic(), []

        def jobs_done():
            return stack.value("booking", "SELECT COUNT(*) FROM hospital_deletion WHERE done = 0") == 0

        def agree():
            nonlocal begun
            if not jobs_done():
                begun = time.monotonic()
            last[:] = disagreements(stack)
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
            met = calls_met(strike, records)
            if met or strike.sure:
                result.met[strike.kind] = result.met.get(strike.kind, 0) + 1
            if strike.kind == "kill":
                result.kills += 1
                result.kills_met += met > 0
        for name in PROGRAMS:
            for line in stack.services[name].log_lines():
                if line.get("event") == "fault.fired":
                    what = "%s:%s" % (line["point"], line["action"])
                    result.fired[what] = result.fired.get(what, 0) + 1

    def _keep(self, stack, keep_in):
        folder = os.path.join(keep_in, "seed-%d" % self.plan["seed"])
        self.result.folder = folder
        self.history.save(os.path.join(stack.folder, "history.jsonl"))
        with open(os.path.join(stack.folder, "plan.json"), "w", encoding="utf-8") as file:
            json.dump(self.plan, file, ensure_ascii=False, indent=1)
        if self.snapshot is not None:
            snapshot.save(self.snapshot, os.path.join(stack.folder, "snapshot.json"))
        stack.keep(folder)

    def minimal_history(self):
        """The calls about what the problems name first."""
        firsts = set()
        for problem in self.result.problems:
            firsts.update(sorted(checker.ids_in([problem]), key=problem.index)[:1])
        return checker.minimal(self.history, firsts)
