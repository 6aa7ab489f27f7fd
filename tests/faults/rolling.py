"""G9 on one machine: restarts each service repeatedly under load. No call fails for clients that retry as the answers ask, as long
as a restart takes less time than their budget and than booking-svc waits for hospital-svc.

Restarts each service twice, with budgets that a busy machine keeps. With SCREENING_FULL=1, which needs a quiet machine, 20 times, with
budgets of 5 s and the default --reserve-timeout-ms. By hand: tests/kit/run tests/faults/rolling.py"""
import os
import time

from faults.callers import Callers
from faults.fault_stack import FaultStack
from kit.marks import once
from kit.stack import CLUSTER_URL, PROGRAMS, Stack, wait_for
from kit.world import register, wait_agreement

FULL = os.environ.get("SCREENING_FULL") == "1"
RESTARTS = 20 if FULL else 2
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


@once
def test_a_rolling_restart_of_two_replicas_fails_no_call(driver):
    """Each start begins an era of a database that another process uses. The clients know the addresses of both replicas, and no
    call fails."""
    del driver
    with FaultStack("postgresql", CLUSTER_URL, flags=FLAGS, replicas=True) as stack:
        wait_for("all services are ready", stack.ready)
        hospital_id = register(stack, capacity=100000)
        with Callers(stack, hospital_id, BUDGET_S) as callers:
            for _ in range(RESTARTS):
                for name in stack.names:
                    wanted = callers.calls + CALLS_BETWEEN
                    wait_for("calls after a restart", lambda: callers.calls >= wanted or callers.failed)
                    stack.stop_and_start(name)
                    wait_for("all services are ready again", stack.ready)
        print(callers)
        callers.check()
        wait_agreement(stack)
        stack.end_all()
        assert not stack.problems, stack.problems
