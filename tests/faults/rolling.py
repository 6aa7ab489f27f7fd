"""G9 on one machine: each service is restarted repeatedly under load. Clients with a budget of 5 s that retry as the
answers ask see no call fail.

Restarts each service twice; with SCREENING_FULL=1, 20 times. By hand: tests/kit/run tests/faults/rolling.py"""
import os
import time

from faults.callers import Callers
from faults.fault_stack import FaultStack
from kit.marks import once
from kit.stack import CLUSTER_URL, PROGRAMS, Stack, is_sanitized, wait_for
from kit.world import register, wait_agreement

FULL = os.environ.get("SCREENING_FULL") == "1"
RESTARTS = 20 if FULL else 2
BUDGET_S = 15 if is_sanitized() else 5  # under a sanitizer a service takes seconds to start and to stop
CALLS_BETWEEN = 40  # all callers are served again before the next service stops


def restart(service):
    """Restarts with SIGTERM. Returns how long the service was away, in seconds."""
    begun = time.monotonic()
    service.stop()
    service.start()
    return time.monotonic() - begun


def test_a_rolling_restart_under_load_fails_no_call(driver):
    flags = {} if is_sanitized() else {"booking": {"reserve-timeout-ms": 600}}  # the default, which the kit raises
    with Stack(driver, flags=flags) as stack:
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
    """Each start begins an era of a database that another process uses. Clients know the addresses of both."""
    del driver
    flags = {} if is_sanitized() else {"booking": {"reserve-timeout-ms": 600}}
    with FaultStack("postgresql", CLUSTER_URL, flags=flags, replicas=True) as stack:
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
