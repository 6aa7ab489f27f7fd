"""A rush of 50,000 callers for 100 places: refusals are as fast as confirmations, and exactly 100 are sold."""

from bench import must
from figures import ratio_row, row
from load import load, only

CALLERS = 50_000
PLACES = 100
IN_FLIGHT = 1024


def run_once(bench, mix, callers):
    """Fresh services and one load; what it reports."""
    with bench.services() as services:
        services.start("hospital", "booking")
        return load(services, "--mix", mix, "--in-flight", IN_FLIGHT, "--count", callers)


def confirmations(bench, callers):
    confirmed, = only(run_once(bench, "book", callers), "CONFIRMED")
    must(confirmed["count"] == callers, "%d of %d were confirmed" % (confirmed["count"], callers))
    return confirmed["per_s"]


def refusals(bench, callers):
    report = run_once(bench, "sold-out", callers)
    confirmed, refused = only(report, "CONFIRMED", "FAILED_PRECONDITION SOLD_OUT")
    must(confirmed["count"] == report["places"]["taken"] == PLACES, "%d places were sold, %d of them confirmed" % (
        report["places"]["taken"], confirmed["count"]))
    must(refused["count"] == callers - PLACES, "%d callers were refused" % refused["count"])
    return refused["per_s"]


def measure(bench):
    """As many calls for 100 places as for more than enough of them, alternately."""
    callers = bench.amount(CALLERS)
    confirmed, refused = [], []
    for _ in bench.each_round():
        confirmed.append(confirmations(bench, callers))
        refused.append(refusals(bench, callers))
    return [ratio_row("refusals / confirmations per s, %d callers, %d in flight" % (callers, IN_FLIGHT), refused, confirmed,
                      ">= 1"),
            row("refusals", "per s", refused), row("confirmations", "per s", confirmed)]
