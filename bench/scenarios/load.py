"""screening-bench: runs it against the services and gives what it reports. It fails by itself if the places taken afterwards are
not those of the bookings confirmed."""

import itertools
import json
import signal

from bench import must, wait_until
from children import Child, run
from services import BUILD

PROGRAM = BUILD / "bench/screening-bench"
LOAD_S = 600
BUDGET_MS = 10_000  # of a call: far more than it takes, so that slow ones are measured, not given up
PATIENT_BUDGET_MS = 60_000  # the most that a service takes
_numbers = itertools.count(1)


def _command(services, *options):
    """And where its report will be."""
    output = services.folder / ("load-%d.json" % next(_numbers))
    budget_ms = PATIENT_BUDGET_MS if services.patient else BUDGET_MS
    watched = [word for name in services.children for word in ("--watch", "%s-svc=%d" % (name, services.pid(name)))]
    return [PROGRAM, "--budget-ms", budget_ms, *options, *watched, "--json", output, services.rpc["hospital"], services.rpc["booking"]], output


def load(services, *options):
    """Runs it to its end; its report."""
    command, output = _command(services, *options)
    run(command)
    return json.loads(output.read_text(encoding="utf-8"))


class Load:
    """One that runs beside what the scenario does: `with Load(services, OPTION...) as running:`."""

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
        """Waits for its end."""
        wait_until("the end of the load", lambda: not self.is_running(), LOAD_S)
        must(self.child.process.returncode == 0, "screening-bench: " + self.log_path.read_text(encoding="utf-8"))
        return json.loads(self.output.read_text(encoding="utf-8"))

    def finish(self):
        """Ends it before its time; what was measured until now."""
        self.child.process.send_signal(signal.SIGINT)
        return self.report()


def only(report, *names):
    """The outcomes of these names, in order; others must not have happened."""
    outcomes = report["outcomes"]
    must(set(outcomes) == set(names), "wanted only %s, there were %s" % (", ".join(names), {
        name: outcome["count"] for name, outcome in outcomes.items()}))
    return [outcomes[name] for name in names]


def cpu_us(report):
    """Of the services, per turn."""
    return {name: used["per_turn"]["user_us"] + used["per_turn"]["kernel_us"] for name, used in report["processes"].items()
            if name.endswith("-svc")}


def book_many(services, bookings, in_flight):
    """At least so many bookings, confirmed: where the machine holds everything up for a while, a few more are made for those that
    were given up."""
    left = bookings
    while left > 0:
        left -= load(services, "--in-flight", in_flight, "--count", left)["places"]["taken"]
