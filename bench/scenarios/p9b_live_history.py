"""Measures how much slower bookings are when history-svc follows them live on the same machine."""

import statistics

from asking import connected, log_states, wait_applied
from children import interrupts
from figures import row
from load import Load, load, only

IN_FLIGHT = (64, 256)
SECONDS = 4
DEADLINE_S = 60
LOOK_S = 0.1


def alone(bench, in_flight, seconds):
    """Returns the confirmed bookings per s without history-svc."""
    with bench.services() as services:
        services.start("hospital", "booking")
        return only(load(services, "--in-flight", in_flight, "--seconds", seconds), "CONFIRMED")[0]["per_s"]


def followed(bench, in_flight, seconds):
    """Returns (confirmed bookings per s, maximum lag of the history in ms)."""
    lag_ms = 0
    with bench.services() as services:
        services.start("hospital", "booking", "history")
        with connected(services.rpc["history"]) as history, \
                Load(services, "--in-flight", in_flight, "--seconds", seconds) as running:
            while running.is_running():
                lag_ms = max(lag_ms, log_states(history)["booking"].lag_ms)
                interrupts.sleep(LOOK_S)
            report = running.report()
            wait_applied(history, "booking", report["places"]["taken"], DEADLINE_S)
        return only(report, "CONFIRMED")[0]["per_s"], lag_ms


def measure(bench):
    rows = []
    seconds = bench.seconds(SECONDS)
    for in_flight in IN_FLIGHT:
        without, beside, lags = [], [], []
        for _ in bench.each_round():
            without.append(alone(bench, in_flight, seconds))
            rate, lag_ms = followed(bench, in_flight, seconds)
            beside.append(rate)
            lags.append(lag_ms)
        rows.append(row("%d in flight: bookings lost to a live history" % in_flight, "%",
                        [100 * (1 - with_it / without_it) for with_it, without_it in zip(beside, without, strict=True)], "<= 20",
                        100 * (1 - statistics.median(beside) / statistics.median(without))))
        rows.append(row("%d in flight: without history" % in_flight, "per s", without))
        rows.append(row("%d in flight: with history" % in_flight, "per s", beside))
        rows.append(row("%d in flight: how far history was behind at most" % in_flight, "ms", lags))
    return rows
