"""What a caller learns about ids of others besides the answer: for an id that is hidden from the caller, a service executes the same
statements in the same order as for one that does not exist, and takes as long."""
import math
import os
import statistics
import time

from auth.v1 import access_pb2

from kit import rpc
from kit.access import HIDDEN, NO, OWN, TABLE, UNKNOWN, World, method_of, service_of
from kit.stack import BUILD, PROGRAMS, Stack
from kit.world import CONFIRMED, wait_history

FULL = os.environ.get("SCREENING_FULL") == "1"
ROLE_OF = {"lee": access_pb2.CUSTOMER, "staff_b": access_pb2.STAFF}  # the callers who may not know kim's booking at hospital A
IDS = 8  # of each kind; what a service does of its own accord at the same time only adds statements
TIMED = 2000 if FULL else 200  # calls of each kind
# The medians may differ by this part. Or the difference may be one that occurs by chance with this probability. Other work on the
# machine may disturb one kind of calls more, so there are tries.
SAME, LIKELY, TRIES = 0.03 if FULL else 0.15, 0.001, 5


class TracedStack(Stack):
    """A stack whose services write down the statements that they execute."""

    def __init__(self, driver):
        super().__init__(driver)
        for name in PROGRAMS:
            self.services[name].environment.update({"LD_PRELOAD": os.path.join(BUILD, "tests/statement_trace.so"),
                                                    "SCREENING_STATEMENTS": self.trace(name)})

    def trace(self, name):
        return os.path.join(self.folder, name + ".statements")

    def statements(self, name, call):
        """Returns call() and the statements that the service has executed meanwhile."""
        with open(self.trace(name), encoding="utf-8") as trace:
            trace.seek(0, os.SEEK_END)
            return call(), trace.read().splitlines()


class Prober:
    """A caller who asks about objects of others and about unknown ones."""

    def __init__(self, world, name, caller):
        self.world, self.name, self.method = world, name, method_of(name)
        self.service = service_of(self.method)
        self.client = rpc.Client(world.stack.address(self.service + ".clients"), token=world.tokens[caller])

    def ask(self, fields):
        reply = self.client.call(self.method, **fields)
        return reply.code, reply.reason, reply.text

    def fewest(self, known):
        """Asks about IDS objects, twice about each. Returns the answers, and the fewest statements of the first and of the second
        time."""
        answers, first, second = set(), [], []
        for booking in self.world.bookings:
            self.world.booking = booking
            fields = self.world.fields(self.name, known)
            for traces in (first, second):
                answer, statements = self.world.stack.statements(self.service, lambda: self.ask(fields))  # noqa: B023
                answers.add(answer)
                traces.append(statements)
        return answers, min(first, key=len), min(second, key=len)

    def close(self):
        self.client.close()


def world_of(stack):
    world = World(stack)
    world.bookings = [world.new_booking() for _ in range(IDS)]
    for booking in world.bookings:
        wait_history(stack, booking, CONFIRMED)
    return world


def is_decided_by_object(name, caller):
    """Returns whether a method may be called by this role, but not about this object."""
    return TABLE[name][caller] == NO and ROLE_OF[caller] in rpc.access_of(method_of(name)).roles


def test_a_hidden_object_causes_the_statements_of_an_unknown_one(driver):
    compared = 0
    with TracedStack(driver) as stack:
        world = world_of(stack)
        for name in UNKNOWN:
            for caller in ROLE_OF:
                answer = TABLE[name][caller]
                lists = answer == OWN and name.startswith("List")
                if answer != HIDDEN and not lists and not is_decided_by_object(name, caller):
                    continue
                prober = Prober(world, name, caller)
                hidden, unknown = prober.fewest(True), prober.fewest(False)
                prober.close()
                assert hidden == unknown and len(hidden[0]) == 1, (name, caller, hidden, unknown)
                assert bool(hidden[1]) == (answer != NO), (name, caller, hidden)  # a refusal by hospital needs no database
                compared += 1
    assert compared == 16, compared


# ---- time

def likelihood(first, second):
    """Returns the probability that two samples of the same distribution differ as these do (Mann-Whitney, by the normal
    approximation)."""
    ranks, position = {}, 0
    ordered = sorted(first + second)
    while position < len(ordered):
        after = position
        while after < len(ordered) and ordered[after] == ordered[position]:
            after += 1
        ranks[ordered[position]] = (position + after + 1) / 2
        position = after
    n, m = len(first), len(second)
    u = sum(ranks[value] for value in first) - n * (n + 1) / 2
    return math.erfc(abs(u - n * m / 2) / math.sqrt(n * m * (n + m + 1) / 12) / math.sqrt(2))


def times(prober, count):
    """Asks in turns about an object of somebody else and an unknown one. Returns the times in us of each kind."""
    found = ([], [])
    for number in range(count):
        prober.world.booking = prober.world.bookings[number % IDS]
        for kind in (number % 2, 1 - number % 2):
            fields = {"booking_id": prober.world.booking if kind == 0 else rpc.new_id()}
            sent = time.perf_counter_ns()
            prober.ask(fields)
            found[kind].append((time.perf_counter_ns() - sent) / 1000)
    return found


def test_a_hidden_object_takes_the_time_of_an_unknown_one(driver):
    with Stack(driver) as stack:
        world = world_of(stack)
        for name in ("GetBooking", "CancelBooking", "GetBookingHistory"):
            for caller in ROLE_OF:
                assert TABLE[name][caller] == HIDDEN
                prober = Prober(world, name, caller)
                times(prober, 50)  # warms up
                for attempt in range(TRIES):
                    hidden, unknown = times(prober, TIMED)
                    medians = statistics.median(hidden), statistics.median(unknown)
                    likely = likelihood(hidden, unknown)
                    print("%s by %s: %.1f us hidden, %.1f us unknown, p %.4f" % (name, caller, *medians, likely))
                    if likely > LIKELY or abs(medians[0] - medians[1]) <= SAME * medians[1]:
                        break
                    assert attempt < TRIES - 1, (name, caller, medians, likely)
                prober.close()
