"""Measures how long booking-svc takes to process 300,000 queued bookings while others book, and how much this slows them.

The backlog is what booking-svc finds in its database after an outage."""

import datetime
import time
import uuid

from asking import answer, connected
from bench import DRIVERS, must, wait_until
from children import interrupts
from figures import ratio_row, row
from load import Load, load, only

BACKLOG = 300_000
CAPACITY = 100_000  # places of a day
OTHERS_PER_S = 1_000
BEFORE_S = 5
WARM_UP_S = 0.5
LONGEST_S = 600
LOOK_S = 0.5
LEFT = 0.1  # share of the backlog that remains when the other customers stop
WAITING = "SELECT count(*) FROM booking WHERE status = 1"
INSERT = {
    "sqlite": "INSERT INTO booking WITH RECURSIVE n (i) AS (VALUES (0) UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {count}) "
              "SELECT randomblob(16), 'c-' || i, 'name', X'{hospital}', '{date}', 1, 1, '', 1000000 + i, 1000000 + i, 1, "
              "zeroblob(16), 1, 1 FROM n",
    "postgresql": "INSERT INTO booking SELECT gen_random_uuid(), 'c-' || i, 'name', '{hospital}', '{date}', 1, 1, '', "
                  "1000000 + i, 1000000 + i, 1, decode(repeat('00', 16), 'hex'), 1, 1 FROM generate_series(0, {count} - 1) AS n (i)",
}


def others(seconds):
    """Returns the options of the load that plays the other customers."""
    return "--rate", OTHERS_PER_S, "--warm-up", WARM_UP_S, "--seconds", seconds


def queue(services, bookings):
    """Inserts queued bookings into booking-svc's database. booking-svc must be stopped."""
    hospital_id = str(uuid.uuid4())
    today = datetime.date.today()
    days = [(today + datetime.timedelta(days=10 + number)).isoformat() for number in range(-(-bookings // CAPACITY))]
    with connected(services.rpc["hospital"]) as client:
        answer(client, "RegisterHospital", hospital_id=hospital_id, name="backlog",
               days=[{"date": date, "capacity": CAPACITY} for date in days])
    for number, date in enumerate(days):
        services.change("booking", INSERT[services.driver].format(
            count=min(CAPACITY, bookings - number * CAPACITY), hospital=hospital_id.replace("-", ""), date=date))
    must(services.ask("booking", WAITING) == bookings, "not all bookings are queued")


def waiting(services):
    """Returns how many bookings are still queued. Call it rarely, because counting costs the database more than a booking."""
    interrupts.sleep(LOOK_S)
    return services.ask("booking", WAITING)


def round_of(bench, driver, bookings):
    """Returns (seconds until all bookings are confirmed, the others' p99 without the backlog in ms, the others' p99 with it in
    ms)."""
    with bench.services(driver) as services:
        services.start("hospital", "booking")
        before, = only(load(services, *others(bench.seconds(BEFORE_S))), "CONFIRMED")
        services.stop("booking")
        queue(services, bookings)
        begun = time.monotonic()
        services.start("booking")
        with Load(services, *others(LONGEST_S)) as running:
            wait_until("nearly all of the backlog is worked off",
                       lambda: waiting(services) < LEFT * bookings, LONGEST_S)
            beside, = only(running.finish(), "CONFIRMED")
        wait_until("the rest", lambda: waiting(services) == 0)
        took_s = time.monotonic() - begun
        confirmed = services.ask("booking", "SELECT count(*) FROM booking WHERE status = 2")
        must(confirmed == services.ask("hospital", "SELECT count(*) FROM reservation WHERE state = 1"), "places are missing")
    return took_s, before["latency"]["p99_ms"], beside["latency"]["p99_ms"]


def measure(bench):
    rows = []
    bookings = bench.amount(BACKLOG)
    for driver in DRIVERS:
        took, before, beside = zip(*(round_of(bench, driver, bookings) for _ in bench.each_round(3)))
        rows += [row("%s: a backlog of %d bookings" % (driver, bookings), "s", took),
                 ratio_row("%s: others' p99 beside it / without it" % driver, beside, before, "<= 3"),
                 row("%s: others' p99 without it" % driver, "ms", before),
                 row("%s: others' p99 beside it" % driver, "ms", beside)]
    return rows
