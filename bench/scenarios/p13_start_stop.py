"""Measures the time of an idle service from its start until it is ready, and from SIGTERM until it has ended."""

import contextlib
import signal
import subprocess
import time

from bench import DRIVERS, must
from children import environment, interrupts
from figures import row

TIMES = 20
IDLE_S = 0.5  # time for the other services to reconnect, because a stop waits for their calls
NAMES = {"sqlite": ("hospital", "booking"), "postgresql": ("hospital", "booking", "history")}


def start_and_stop(command, log_path):
    """Starts the service and stops it. Returns (ms from the start to the line service.ready, ms from SIGTERM to the end of the
    process)."""
    begin = time.monotonic()
    process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE, start_new_session=True, env=environment())
    with process, open(log_path, "wb") as log:
        try:
            for line in process.stderr:
                log.write(line)
                if b"service.ready" in line:
                    break
            ready = time.monotonic()
            interrupts.sleep(IDLE_S)
            stop = time.monotonic()
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=30)
            ended = time.monotonic()
        finally:
            process.kill()
    must(process.returncode == 0, "%s ended with %d: see its log" % (command[0], process.returncode))
    return (ready - begin) * 1e3, (ended - stop) * 1e3


def alone(services, name, times):
    """Restarts one service `times` times while the others run. The service's database is new before the first start. Returns ([ms
    of each start], [ms of each stop])."""
    took = []
    for _ in range(times):
        interrupts.check()
        took.append(start_and_stop(services.command(name), services.folder / (name + ".log")))
    return [start for start, _ in took], [stop for _, stop in took]


def measure(bench):
    rows = []
    times = bench.amount(TIMES)
    for driver, names in NAMES.items():
        for name in names:
            with bench.services(driver) as services:
                services.start(*(other for other in names if other != name))
                starts, stops = alone(services, name, times)
            for what, values in (("start to ready", starts), ("SIGTERM to its end", stops)):
                rows.append(row("%s-svc, %s: %s" % (name, driver, what), "ms", values, "<= 300"))
    return rows
