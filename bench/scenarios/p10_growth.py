"""Measures how much the rate of bookings falls when 10,000,000 bookings are stored instead of 10,000."""

from bench import DRIVERS
from figures import ratio_row, row
from load import load, only

FEW = 10_000
IN_FLIGHT = 64
SECONDS = 4


def rate(services, seconds):
    """Returns the number of confirmed bookings per second."""
    services.start("hospital", "booking")
    confirmed, = only(load(services, "--in-flight", IN_FLIGHT, "--seconds", seconds), "CONFIRMED")
    services.stop("booking")
    services.stop("hospital")
    return confirmed["per_s"]


def measure(bench):
    """Measures both rates. The large databases are made once and grow a little in each round. Each round makes new small
    databases."""
    rows = []
    for driver in DRIVERS:
        many, few = [], []
        large = bench.seeded(driver)
        for _ in bench.each_round():
            with bench.services(driver) as small:
                bench.seed(small, bench.amount(FEW))
                few.append(rate(small, bench.seconds(SECONDS)))
            many.append(rate(large, bench.seconds(SECONDS)))
        rows += [ratio_row("%s: rate with %d bookings stored / with %d" % (driver, bench.seeded_count, bench.amount(FEW)), many,
                           few, ">= 0.85"),
                 row("%s: with %d" % (driver, bench.seeded_count), "per s", many),
                 row("%s: with %d" % (driver, bench.amount(FEW)), "per s", few)]
    return rows
