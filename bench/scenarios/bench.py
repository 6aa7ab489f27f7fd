"""Provides what every scenario uses: the folder, the services, the seeded databases, and waiting."""

import contextlib
import shutil
import time

from children import ROOT, CompareError, interrupts, run
from services import Services

DRIVERS = ("sqlite", "postgresql")
DEADLINE_S = 120  # for operations that take seconds
LOOK_AGAIN_S = 0.005
SEEDED = 10_000_000
SEED_S = 1800
SEEDED_BYTES = 2000  # bytes of each booking in the databases of both drivers; one driver needs 1,600


class Bench:
    """A folder and a PostgreSQL for the scenarios: `with Bench(...) as bench:`. `scale` multiplies amounts and times; 1 keeps the
    values of the goals."""

    def __init__(self, folder, cluster, rounds, scale):
        self.folder, self.cluster, self.rounds, self.scale = folder, cluster, rounds, scale
        self.stack = contextlib.ExitStack()
        self.large = {}
        self.seeded_count = self.amount(SEEDED)

    def __enter__(self):
        return self

    def __exit__(self, *problem):
        return self.stack.__exit__(*problem)

    def amount(self, full):
        return max(1, round(full * self.scale))

    def seconds(self, full):
        return max(0.5, full * self.scale)

    def each_round(self, at_most=None):
        """Yields the numbers of the rounds, starting at 1. `at_most` limits the rounds of a scenario whose rounds take minutes."""
        for number in range(1, min(self.rounds, at_most or self.rounds) + 1):
            interrupts.check()
            yield number

    def services(self, driver="sqlite", kind=Services):
        """Returns services that are not running yet, for a `with` block. Their folder and databases are deleted after the block. `kind`
        is Services or a class derived from it."""
        return self._services("run", driver, kind)

    def _services(self, name, driver, kind=Services):
        return kind(self.folder / name, self.cluster, driver, patient=self.scale < 1)

    def seeded(self, driver="sqlite"):
        """Returns services whose databases contain 10,000,000 bookings; with SQLite, history-svc's database does too. No service
        runs. The databases are made once per driver, and deleted with the bench."""
        if driver not in self.large:
            free = shutil.disk_usage(self.folder).free
            must(free > self.seeded_count * SEEDED_BYTES, "%d GB are free in %s, too few for %d bookings" % (
                free // 10**9, self.folder, self.seeded_count))
            services = self.stack.enter_context(self._services("large_" + driver, driver))
            self.seed(services, self.seeded_count, history=driver == "sqlite")
            self.large[driver] = services
        return self.large[driver]

    @staticmethod
    def seed(services, count, history=False):
        """Fills the databases, which must be new, with `count` bookings. The services must be stopped."""
        names = ("hospital", "booking", "history") if history else ("hospital", "booking")
        run([ROOT / "bench/seed-bookings", "--count", count, *("--%s=%s" % (name, services.url(name)) for name in names)],
            SEED_S)


def must(holds, problem):
    """Raises CompareError(problem) unless `holds` is true, because a fast but wrong result does not count."""
    if not holds:
        raise CompareError(problem)


def wait_until(what, condition, deadline_s=DEADLINE_S):
    """Calls `condition` repeatedly until it returns a true value, and returns that value."""
    end = time.monotonic() + deadline_s
    while True:
        result = condition()
        if result:
            return result
        must(time.monotonic() < end, "waited %g s in vain for: %s" % (deadline_s, what))
        interrupts.sleep(LOOK_AGAIN_S)
