"""Measures how fast history-svc answers with 10,000,000 bookings stored: alone, and while clients book and it follows the log."""

import random
import time

from asking import answer, connected, wait_applied
from bench import must
from children import interrupts
from figures import quantile, row
from load import Load, only

ASKED = 4_000  # calls of each method in each round
WARM_UP = 1_000
OTHERS_PER_S = 2_000
LONGEST_S = 120
DEADLINE_S = 60


def known_bookings(services, bookings, wanted):
    """Returns (booking_id, customer_id) of `wanted` bookings, drawn at random from the whole table."""
    percent = min(100, 100 * 4 * wanted / bookings)
    lines = services.cluster.ask("SELECT booking_id, customer_id FROM history.booking_summary TABLESAMPLE SYSTEM (%f)" % percent,
                                 services.database("history")).splitlines()
    return random.sample([line.split("|") for line in lines], min(wanted, len(lines)))


def ask(history, known):
    """Calls both methods for each booking, one call at a time. Returns the duration of each call in ms, by method."""
    took = {"GetBookingHistory": [], "ListCustomerHistory": []}
    for booking_id, customer_id in known:
        interrupts.check()
        begin = time.perf_counter()
        story = answer(history, "GetBookingHistory", booking_id=booking_id)
        between = time.perf_counter()
        page = answer(history, "ListCustomerHistory", customer_id=customer_id)
        end = time.perf_counter()
        must(story.summary.booking.booking_id == booking_id and len(story.entries) > 0, "not the history of " + booking_id)
        must(booking_id in [found.booking.booking_id for found in page.bookings], "not in its customer's history: " + booking_id)
        took["GetBookingHistory"].append((between - begin) * 1e3)
        took["ListCustomerHistory"].append((end - between) * 1e3)
    return took


def beside_load(services, history, known, applied):
    """Calls ask() while clients book. Returns (the durations, number of bookings that the clients made). `applied` is the number of
    events of the booking log that history-svc has applied before the call."""
    with Load(services, "--rate", OTHERS_PER_S, "--warm-up", 0, "--seconds", LONGEST_S) as running:
        wait_applied(history, "booking", applied + 1, DEADLINE_S)
        took = ask(history, known)
        report = running.finish()
    only(report, "CONFIRMED")
    return took, report["places"]["taken"]


def measure(bench):
    asked, warm_up = bench.amount(ASKED), bench.amount(WARM_UP)
    rounds = []
    services = bench.seeded()
    services.start("hospital", "booking", "history")
    with connected(services.rpc["history"]) as history:
        seq = bench.seeded_count
        for _ in bench.each_round():
            known = known_bookings(services, bench.seeded_count, asked + warm_up)
            ask(history, known[:warm_up])
            alone = ask(history, known[warm_up:])
            beside, booked = beside_load(services, history, known[warm_up:], seq)
            seq += booked
            wait_applied(history, "booking", seq, DEADLINE_S)
            rounds.append((alone, beside))
    for name in ("history", "booking", "hospital"):
        services.stop(name)
    rows = []
    for which, when in enumerate(("alone", "while others book %d/s" % OTHERS_PER_S)):
        for method in ("GetBookingHistory", "ListCustomerHistory"):
            for share, goal in ((0.99, "<= 5"), (0.5, None)):
                rows.append(row("%s, %d bookings, %s: p%g" % (method, bench.seeded_count, when, 100 * share), "ms",
                                [quantile(took[which][method], share) for took in rounds], goal))
    return rows
