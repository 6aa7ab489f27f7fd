"""Measures how long it takes to delete a hospital with 100,000 bookings while others book, and how much this slows them."""

import datetime
import json
import time

from asking import answer, connected
from bench import DRIVERS, must, wait_until
from children import interrupts
from figures import ratio_row, row
from load import Load, book_many, load, only

BOOKINGS = 100_000
IN_FLIGHT = 256
OTHERS_PER_S = 2_000
BEFORE_S = 5
WARM_UP_S = 0.5
LONGEST_S = 120
FORCE_CANCELLED, LIVE = 5, 1


def others(seconds):
    """Returns the options of the load that plays the other customers."""
    return "--rate", OTHERS_PER_S, "--warm-up", WARM_UP_S, "--seconds", seconds


def hospitals(services):
    with connected(services.rpc["hospital"]) as client:
        return [hospital.hospital_id for hospital in answer(client, "ListHospitals", include_deleted=True).hospitals]


def delete(services, hospital_id):
    """Deletes the hospital. Returns the seconds from the call until booking-svc has processed every booking of the hospital."""
    begin = time.time()
    with connected(services.rpc["hospital"]) as client:
        answer(client, "DeleteHospital", hospital_id=hospital_id)
    line = json.loads(services.children["booking"].wait_for_line("deletion.finished", LONGEST_S))
    return datetime.datetime.fromisoformat(line["ts"]).timestamp() - begin


def check(services, bookings):
    cancelled = services.ask("booking", "SELECT count(*) FROM booking WHERE status = %d" % FORCE_CANCELLED)
    must(cancelled == bookings, "%d bookings were force-cancelled, not %d" % (cancelled, bookings))
    live = services.ask("booking", "SELECT count(*) FROM booking WHERE status = 2")
    wait_until("hospital-svc has freed the places of all bookings that are not live", lambda: services.ask(
        "hospital", "SELECT count(*) FROM reservation WHERE state = %d" % LIVE) == live)


def round_of(bench, driver, bookings):
    """Returns (duration of the deletion in s, the others' p99 before the deletion in ms, the others' p99 during it in ms)."""
    with bench.services(driver) as services:
        services.start("hospital", "booking")
        book_many(services, bookings, IN_FLIGHT)
        doomed, = hospitals(services)
        before, = only(load(services, *others(bench.seconds(BEFORE_S))), "CONFIRMED")
        known = len(hospitals(services))
        with Load(services, *others(LONGEST_S)) as running:
            wait_until("the others' hospital", lambda: len(hospitals(services)) > known)
            interrupts.sleep(WARM_UP_S)  # measurements during the warm-up do not count
            took_s = delete(services, doomed)
            during, = only(running.finish(), "CONFIRMED")
        check(services, bookings)
    return took_s, before["latency"]["p99_ms"], during["latency"]["p99_ms"]


def measure(bench):
    rows = []
    bookings = bench.amount(BOOKINGS)
    for driver in DRIVERS:
        took, before, during = zip(*(round_of(bench, driver, bookings) for _ in bench.each_round()))
        rows += [row("%s: deletion with %d live bookings" % (driver, bookings), "s", took, "<= 15"),
                 ratio_row("%s: others' p99 during it / before it" % driver, during, before, "<= 3"),
                 row("%s: others' p99 before it" % driver, "ms", before),
                 row("%s: others' p99 during it" % driver, "ms", during)]
    return rows
