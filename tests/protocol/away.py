"""PostgreSQL is away for some seconds while programs book (G2, G6). A request that was not executed is answered so, and is repeated
within the budget of its caller. No booking is refused for the outage, and no breaker opens."""
import signal
import time

from faults.callers import Callers
from faults.cluster import Cluster
from kit import rpc
from kit.marks import once
from kit.replicas import backend, two_replicas
from kit.stack import Stack, is_sanitized, psql, wait_for
from kit.world import day, register, wait_agreement

BUDGET_S = 60 if is_sanitized() else 30
AWAY_S = 4
IN_FLIGHT_S = 1  # how long before the end of the server a booking in flight may have begun
CALLS_BETWEEN = 100
FLAGS = {"booking": {"reserve-timeout-ms": 600}}  # the default, which other tests raise


def check_not_executed(reply):
    assert (reply.code, reply.reason) == (rpc.UNAVAILABLE, "NOT_READY"), reply
    assert 0 < reply.retry_after_ms <= 300, reply


def check_refusals(stack, hospital_id):
    """While the database of hospital-svc is away, it says of each call that nothing was executed."""
    check_not_executed(stack.hospital.SetCapacity(hospital_id=hospital_id, date=day(1), capacity=1))
    check_not_executed(stack.hospital.GetHospital(hospital_id=hospital_id))


def check_breaker(stack):
    stats = {one.name: one.value for one in stack.booking.Stats().message.stats}
    assert stats['rpc_breaker_opened_total{peer="hospital-svc"}'] == 0, stats
    assert not [line for line in stack.booking_svc.log_lines() if line.get("event") == "breaker.opened"]


def play(stack, cluster, readers=("hospital", "history"), prepare=lambda: None):
    """Ends the server of `cluster` twice under load, for AWAY_S each time. A booking that was in flight when the server ended may
    be refused, because its transaction was lost. All others are confirmed within their budgets. Calls `prepare` under load first."""
    hospital_id = register(stack, capacity=100000)
    spans = []
    with Callers(stack, hospital_id, BUDGET_S, readers=readers) as callers:
        def wait_for_calls():
            wanted = len(callers.confirmed) + CALLS_BETWEEN
            wait_for("bookings are confirmed", lambda: len(callers.confirmed) >= wanted, BUDGET_S)

        prepare()
        for number in (signal.SIGQUIT, signal.SIGINT):
            wait_for_calls()
            before = time.monotonic()
            cluster.kill(number)
            spans.append((before - IN_FLIGHT_S, time.monotonic()))
            while time.monotonic() < before + AWAY_S:
                check_refusals(stack, hospital_id)
                time.sleep(0.05)
            cluster.start()
            wait_for_calls()
    print("%s; %d refused" % (callers, len(callers.refused)))
    assert len(callers.failed) == len(callers.refused), callers.failed[:3]
    for begun, reply in callers.refused:
        assert any(before < begun < ended for before, ended in spans), (begun, spans, reply)
    callers.check_stored()
    check_breaker(stack)
    wait_agreement(stack)


@once
def test_no_booking_is_refused_while_postgresql_is_away(driver):
    """All three databases are away."""
    del driver
    with Cluster() as cluster, Stack("postgresql", flags=FLAGS, cluster_url=cluster.url) as stack:
        play(stack, cluster)


@once
def test_no_booking_is_refused_while_the_database_of_hospital_svc_is_away(driver):
    """booking-svc has its database, so it could refuse bookings for good."""
    del driver
    with Cluster() as cluster:
        stack = Stack("postgresql", flags=FLAGS)
        psql(cluster.url, "CREATE DATABASE hospital")
        stack.hospital_svc.flags["database"] = cluster.url.replace("/postgres?", "/hospital?")
        with stack:
            play(stack, cluster)


@once
def test_no_booking_is_refused_while_the_database_is_away_and_the_other_replica_is_frozen(driver):
    """The replica that lives says when to ask again. The frozen one would keep a call until its deadline."""
    del driver
    with Cluster() as cluster:
        psql(cluster.url, "CREATE DATABASE hospital")
        database = cluster.url.replace("/postgres?", "/hospital?")
        with two_replicas((), database, reserve_timeout_ms=6000) as (stack, (_, other)):  # a call leaves the frozen one after 3 s
            other.pause()
            play(stack, cluster, readers=("history",), prepare=lambda: wait_for(
                "the frozen replica is ejected", lambda: backend(stack, "ejected", other) == 1))
