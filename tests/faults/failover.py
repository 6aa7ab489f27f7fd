"""G2: kills the primary of all three databases under load, and promotes its synchronous standby. Nothing that was acknowledged is
lost, and calls that begin after the promotion do not fail. A booking in flight may be refused because hospital-svc did not answer,
as after a broken connection.

Plays one failover; with SCREENING_FULL=1, 10. By hand: tests/kit/run tests/faults/failover.py"""
import os
import statistics

from faults.callers import Callers
from faults.standby import Replicated
from kit.marks import once
from kit.stack import Stack, is_sanitized, wait_for
from kit.world import register, wait_agreement

FULL = os.environ.get("SCREENING_FULL") == "1"
FAILOVERS = 10 if FULL else 1
BUDGET_S = 60 if is_sanitized() else 30
CALLS_BETWEEN = 100
# The bound is for the pairing alone, on a machine that may be busy. docs/guarantees.md has the figures.
UNPAIRED_MAX_US = 2000000


def paired_us(stack):
    """Returns how long hospital-svc was unpaired in each of its eras, in microseconds from its first batch on the database until it
    grants places."""
    return [line["unpaired_us"] for line in stack.hospital_svc.log_lines() if line.get("event") == "pairing.paired"]


def check_failed(callers, spans):
    """Checks that only bookings that began before the end of a promotion were refused, and only because hospital-svc did not
    answer. `spans` lists (time of the kill, time of the promotion) of each failover."""
    others = [failed for failed in callers.failed if "HOSPITAL_UNAVAILABLE" not in failed]
    assert not others, others[:3]
    assert len(callers.failed) == len(callers.refused)
    for begun, reply in callers.refused:
        assert any(killed - BUDGET_S < begun < promoted for killed, promoted in spans), (begun, spans, reply)


@once
def test_a_failover_to_a_synchronous_standby_loses_nothing(driver):
    del driver
    with Replicated() as servers, Stack("postgresql", cluster_url=servers.url) as stack:
        hospital_id = register(stack, capacity=100000)
        first = len(paired_us(stack))
        with Callers(stack, hospital_id, BUDGET_S) as callers:
            def wait_for_calls():
                wanted = callers.calls + CALLS_BETWEEN
                wait_for("calls before and after a failover", lambda: callers.calls >= wanted or callers.failed)

            spans = []
            for number in range(FAILOVERS):
                if number > 0:
                    servers.restore_standby()
                wait_for_calls()
                spans.append(servers.fail_over())
                wait_for_calls()
        print(callers)
        check_failed(callers, spans)
        callers.check_stored()
        wait_agreement(stack)
        took_us = sorted(paired_us(stack)[first:])
        assert len(took_us) >= FAILOVERS, took_us
        print("unpaired for, in ms: %s; median %.1f" % (
            ", ".join("%.1f" % (us / 1000) for us in took_us), statistics.median(took_us) / 1000))
        assert statistics.median(took_us) < UNPAIRED_MAX_US, took_us
        assert not stack.hospital.Stats().message.degraded, stack.hospital.Stats().message.degraded
