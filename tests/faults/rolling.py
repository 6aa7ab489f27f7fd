"""G9 on one machine: restarts each service repeatedly under load. No call fails for clients that retry as the answers ask, as long
as a restart takes less time than their budget and than booking-svc waits for hospital-svc.

Restarts each service twice and kills a replica 4 times, with budgets that a busy machine keeps. With SCREENING_FULL=1, which needs a
quiet machine, 20 times and 50 times, with budgets of 5 s and the default --reserve-timeout-ms. By hand:
tests/kit/run tests/faults/rolling.py"""
import contextlib
import os
import random
import time

from faults.callers import Callers
from faults.fault_stack import FaultStack
from kit.marks import once
from kit.stack import CLUSTER_URL, PROGRAMS, Stack, wait_for
from kit.world import register, wait_agreement

FULL = os.environ.get("SCREENING_FULL") == "1"
RESTARTS, KILLS, FROZEN_S = (20, 50, 10) if FULL else (2, 4, 5)
WRONG_MAX = 0.01 if FULL else 0.2  # part of the calls that may fail from a second after the freeze on
BUDGET_S = 5 if FULL else 30
FLAGS = {"booking": {"reserve-timeout-ms": 600}} if FULL else {}  # the default, which the kit raises
CALLS_BETWEEN = 40  # so many that all callers are served again before the next service stops


def restart(service):
    """Stops the service with SIGTERM and starts it again. Returns how long it was away, in seconds."""
    begun = time.monotonic()
    service.stop()
    service.start()
    return time.monotonic() - begun


def test_a_rolling_restart_under_load_fails_no_call(driver):
    with Stack(driver, flags=FLAGS) as stack:
        hospital_id = register(stack, capacity=100000)
        away = {name: [] for name in PROGRAMS}
        with Callers(stack, hospital_id, BUDGET_S) as callers:
            for _ in range(RESTARTS):
                for name in PROGRAMS:
                    wanted = callers.calls + CALLS_BETWEEN
                    wait_for("calls after a restart", lambda: callers.calls >= wanted or callers.failed)
                    away[name].append(restart(stack.services[name]))
        for name in PROGRAMS:
            print("%s-svc: %d restarts, away for %.2f to %.2f s" % (name, len(away[name]), min(away[name]), max(away[name])))
        print(callers)
        callers.check()
        wait_agreement(stack)


@contextlib.contextmanager
def two_of_each(**more):
    """Runs two processes of each service on one PostgreSQL, with Callers that know all addresses, for a `with` block. Checks after the
    block that the services agree and end as they should."""
    with FaultStack("postgresql", CLUSTER_URL, flags=FLAGS, replicas=True) as stack:
        wait_for("all services are ready", stack.ready)
        with Callers(stack, register(stack, capacity=100000), BUDGET_S, **more) as callers:
            yield stack, callers
        print(callers)
        callers.check_stored()
        wait_agreement(stack)
        stack.end_all()
        assert not stack.problems, stack.problems


def wait_for_calls(callers):
    wanted = callers.calls + CALLS_BETWEEN
    wait_for("calls after a fault", lambda: callers.calls >= wanted or callers.failed)


def wait_connected(stack):
    """Waits until each booking-svc is connected to each hospital-svc."""
    wanted = ['rpc_backend_connected{peer="hospital-svc",backend="%s"}' % stack.services[name].for_services
              for name in stack.replicas_of("hospital")]
    for name in stack.replicas_of("booking"):
        client = stack.client(name)

        def connected(client=client):
            stats = {one.name: one.value for one in client.Stats().message.stats}
            return all(stats.get(name) == 1 for name in wanted)
        wait_for(name + " is connected", connected)


@once
def test_a_rolling_restart_of_two_replicas_fails_no_call(driver):
    """Each start begins an era of a database that another process uses. The clients know the addresses of both replicas, and no
    call fails."""
    del driver
    with two_of_each() as (stack, callers):
        for _ in range(RESTARTS):
            for name in stack.names:
                wait_for_calls(callers)
                stack.stop_and_start(name)
                wait_for("all services are ready again", stack.ready)
    assert not callers.failed, callers.failed[:3]


@once
def test_killed_replicas_fail_no_call(driver):
    """Also a booking that was in flight at the killed replica is confirmed, as another one serves. The next kill waits until booking-svc
    is connected again, because a call whose only connection is lost is not repeated."""
    del driver
    randoms = random.Random(15)
    with two_of_each() as (stack, callers):
        for _ in range(KILLS):
            wait_for_calls(callers)
            name = randoms.choice(stack.names)
            stack.kill([name])
            wait_for_calls(callers)
            stack.revive(name)
            wait_for("all services are ready again", stack.ready)
            wait_connected(stack)
    assert not callers.failed, callers.failed[:3]


@once
def test_a_frozen_hospital_replica_fails_few_bookings(driver):
    """A booking that meets it may be rejected at first. It gets no more calls once it has left three of them without an answer."""
    del driver
    with two_of_each(readers=()) as (stack, callers):
        wait_for_calls(callers)
        stack.services["hospital2"].pause()
        time.sleep(1)
        later, calls = time.monotonic(), callers.calls
        time.sleep(FROZEN_S - 1)
        calls = callers.calls - calls
        stack.services["hospital2"].resume()
        wait_for("all services are ready again", stack.ready)
        wrong = len([begun for begun, _ in callers.refused if begun > later])
        print("%d calls from the second second on, %d of them failed" % (calls, wrong))
        assert calls > 0 and wrong <= WRONG_MAX * calls, (wrong, calls, callers.failed[:3])
