"""Measures a rush of 50,000 callers for 100 places: refusals must be as fast as confirmations, and exactly 100 places are sold."""

from bench import must
from figures import ratio_row, row
from load import cpu_us, load, only

CALLERS = 50_000
PLACES = 100
IN_FLIGHT = 1024


def run_once(bench, mix, callers):
    """Starts new services and runs one load. Returns its report."""
    with bench.services() as services:
        services.start("hospital", "booking")
        return load(services, "--mix", mix, "--in-flight", bench.amount(IN_FLIGHT), "--count", callers)


def confirmations(bench, callers):
    """Returns the confirmations per second, and the processor time per confirmation of each service, in microseconds."""
    report = run_once(bench, "book", callers)
    confirmed, = only(report, "CONFIRMED")
    must(confirmed["count"] == callers, "%d of %d were confirmed" % (confirmed["count"], callers))
    return confirmed["per_s"], cpu_us(report)


def refusals(bench, callers):
    """Returns the refusals per second, and the processor time per refusal of each service, in microseconds."""
    report = run_once(bench, "sold-out", callers)
    confirmed, refused = only(report, "CONFIRMED", "FAILED_PRECONDITION SOLD_OUT")
    must(confirmed["count"] == report["places"]["taken"] == PLACES, "%d places were sold, %d of them confirmed" % (
        report["places"]["taken"], confirmed["count"]))
    must(refused["count"] == callers - PLACES, "%d callers were refused" % refused["count"])
    return refused["per_s"], cpu_us(report)


def measure(bench):
    """Measures, in turns, the same number of calls for enough places and for 100 places."""
    callers, in_flight = bench.amount(CALLERS), bench.amount(IN_FLIGHT)
    rounds = [(confirmations(bench, callers), refusals(bench, callers)) for _ in bench.each_round()]
    confirmed, refused = ([one[which][0] for one in rounds] for which in (0, 1))
    rows = [ratio_row("refusals / confirmations per s, %d callers, %d in flight" % (callers, in_flight), refused, confirmed, ">= 1"),
            row("refusals", "per s", refused), row("confirmations", "per s", confirmed)]
    for which, kind in enumerate(("confirmation", "refusal")):
        for name in ("booking-svc", "hospital-svc"):
            rows.append(row("CPU time of %s for a %s" % (name, kind), "us", [one[which][1][name] for one in rounds]))
    return rows
