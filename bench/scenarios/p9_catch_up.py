"""Measures how fast history-svc processes a backlog of 1,000,000 events: with empty tables, and with --rebuild."""

import time

from asking import connected, wait_applied
from bench import must
from children import interrupts, run
from figures import row
from load import book_many

BOOKINGS = 1_000_000  # each booking makes one event, when it is confirmed
IN_FLIGHT = 256
DEADLINE_S = 300


def check_tables(services, events):
    """Checks that history-svc has stored every event once, and has as many confirmed bookings as booking-svc."""
    found = services.ask("history", "SELECT (SELECT count(*) FROM history.timeline_entry), (SELECT count(DISTINCT seq) FROM "
                         "history.timeline_entry), (SELECT count(*) FROM history.dead_letter)")
    must(found == (events, events, 0), "history-svc does not have the %d events: %s" % (events, found))
    confirmed = [services.ask(name, "SELECT count(*) FROM %s WHERE status = 2" % table)
                 for name, table in (("booking", "booking"), ("history", "history.booking_summary"))]
    must(confirmed[0] == confirmed[1], "history-svc has %d confirmed bookings, booking-svc %d" % (confirmed[1], confirmed[0]))


def catch_up(services, events):
    """Starts history-svc. Returns the events per second, measured from the start of the process until all events are applied."""
    begin = time.monotonic()
    services.start("history")
    with connected(services.rpc["history"]) as history:
        wait_applied(history, "booking", events, DEADLINE_S)
        took_s = time.monotonic() - begin
    services.stop("history")
    return events / took_s


def rebuild(services, events):
    """Runs `history-svc --rebuild`. Returns the events per second, measured from the start of the process to its end."""
    begin = time.monotonic()
    output = run(services.command("history", "--rebuild"))
    took_s = time.monotonic() - begin
    must("rebuilt: %d booking events" % events in output and ", 0 dead letters" in output, "not rebuilt: " + output)
    return events / took_s


def measure(bench):
    """Measures the rounds. The backlog is made once, and history-svc has a new database in each round."""
    caught_up, rebuilt = [], []
    with bench.services() as services:
        services.start("hospital", "booking")
        book_many(services, bench.amount(BOOKINGS), IN_FLIGHT)
        events = services.ask("booking", "SELECT count(*) FROM event_log")
        for _ in bench.each_round():
            caught_up.append(catch_up(services, events))
            check_tables(services, events)
            rebuilt.append(rebuild(services, events))
            check_tables(services, events)
            services.renew_history()
            interrupts.check()
    return [row("catch-up with %d events" % events, "per s", caught_up, ">= 100000"),
            row("--rebuild of %d events" % events, "per s", rebuilt, ">= 100000")]
