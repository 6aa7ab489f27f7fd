"""Measures the memory of each service: its RSS after 1,000,000 bookings, and what a connected client costs."""

import contextlib
import resource

from asking import connected
from bench import DRIVERS, must
from children import interrupts
from figures import row
from kit import rpc
from load import book_many

BOOKINGS = 1_000_000
CLIENTS = 10_000
IN_FLIGHT = 256
NAMES = ("hospital", "booking", "history")
SPARE_FILES = 200  # descriptors that this process needs in addition to those of the clients


def rss_kib(pid):
    with open("/proc/%d/status" % pid, encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))


def clients_possible(wanted):
    """Returns how many of the `wanted` clients the limit of descriptors allows. A service reserves two descriptors per connection,
    because nng may still be closing as many earlier connections."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return wanted if hard == resource.RLIM_INFINITY else min(wanted, hard // 2 - 2 * SPARE_FILES)


def raise_file_limit(wanted):
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    must(hard == resource.RLIM_INFINITY or hard >= wanted, "%d open files are needed, the hard limit is %d" % (wanted, hard))
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted if hard == resource.RLIM_INFINITY else hard, hard))


def client_kib(services, name, clients):
    """Returns the memory (RSS, in KiB) that one more client costs the service. Each client has its own connection and has received
    one answer."""
    with connected(services.rpc[name]) as first:
        must(first.Check().code == rpc.OK, name + "-svc does not answer")
        before = rss_kib(services.pid(name))
        with contextlib.ExitStack() as stack:
            for _ in range(clients):
                interrupts.check()
                must(stack.enter_context(connected(services.rpc[name])).Check().code == rpc.OK, name + "-svc does not answer")
            grown = rss_kib(services.pid(name)) - before
        must(first.Check().code == rpc.OK, name + "-svc does not answer any more")
    return grown / clients


def measure(bench):
    """Measures one round per driver, because a round takes minutes and memory hardly differs between rounds."""
    rows = []
    bookings, clients = bench.amount(BOOKINGS), clients_possible(bench.amount(CLIENTS))
    raise_file_limit(clients + SPARE_FILES)
    for driver in DRIVERS:
        with bench.services(driver) as services:
            services.connections = clients + SPARE_FILES
            services.start(*NAMES)
            book_many(services, bookings, IN_FLIGHT)
            for name in NAMES:
                rows.append(row("%s-svc (%s), RSS after %d bookings" % (name, driver, bookings), "MiB",
                                [rss_kib(services.pid(name)) / 1024], "<= 64"))
            for name in NAMES:
                rows.append(row("%s-svc (%s), each of %d clients" % (name, driver, clients), "KiB",
                                [client_kib(services, name, clients)], "<= 64"))
    return rows
