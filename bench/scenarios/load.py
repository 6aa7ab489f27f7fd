"""Runs screening-bench against the services and returns its report. screening-bench itself fails if the places taken afterwards do
not match the confirmed bookings."""

import itertools
import json
import signal

from bench import must, wait_until
from children import Child, run
from services import BUILD

PROGRAM = BUILD / "bench/screening-bench"
LOAD_S = 600
BUDGET_MS = 10_000  # budget of a call: far longer than a call takes, so that slow calls are measured, not abandoned
PATIENT_BUDGET_MS = 60_000  # the maximum that a service accepts
_numbers = itertools.count(1)


def _command(services, *options):
    """Returns the command that runs screening-bench, and the path of its report."""
    output = services.folder / ("load-%d.json" % next(_numbers))
    budget_ms = PATIENT_BUDGET_MS if services.patient else BUDGET_MS
    watched = [word for name in services.children for word in ("--watch", "%s-svc=%d" % (name, services.pid(name)))]
    return [PROGRAM, "--budget-ms", budget_ms, *options, *watched, "--json", output, services.rpc["hospital"], services.rpc["booking"]], output


def load(services, *options):
    """Runs the load until it ends. Returns its report."""
    command, output = _command(services, *options)
    run(command)
    return json.loads(output.read_text(encoding="utf-8"))


class Load:
    """A load that runs in parallel with the scenario: `with Load(services, OPTION...) as running:`"""

    def __init__(self, services, *options):
        command, self.output = _command(services, *options)
        self.log_path = self.output.with_suffix(".txt")
        self.child = Child(command, self.log_path)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.child.kill()

    def is_running(self):
        return self.child.process.poll() is None

    def report(self):
        """Waits until the load ends. Returns its report."""
        wait_until("the end of the load", lambda: not self.is_running(), LOAD_S)
        must(self.child.process.returncode == 0, "screening-bench: " + self.log_path.read_text(encoding="utf-8"))
        return json.loads(self.output.read_text(encoding="utf-8"))

    def finish(self):
        """Ends the load early. Returns its report of the measurements so far."""
        self.child.process.send_signal(signal.SIGINT)
        return self.report()


def only(report, *names):
    """Returns the outcomes `names`, in that order. Fails if the report contains any other outcome."""
    outcomes = report["outcomes"]
    must(set(outcomes) == set(names), "wanted only %s, there were %s" % (", ".join(names), {
        name: outcome["count"] for name, outcome in outcomes.items()}))
    return [outcomes[name] for name in names]


def cpu_us(report):
    """Returns {service: processor time per turn in microseconds}."""
    return {name: used["per_turn"]["user_us"] + used["per_turn"]["kernel_us"] for name, used in report["processes"].items()
            if name.endswith("-svc")}


def book_many(services, bookings, in_flight):
    """Makes at least this many confirmed bookings. Runs the load again for bookings that it gave up because the machine stalled, so
    there may be a few more."""
    left = bookings
    while left > 0:
        left -= load(services, "--in-flight", in_flight, "--count", left)["places"]["taken"]
