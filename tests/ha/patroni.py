"""G2 with deploy/ha: Patroni makes the standby the leader, or starts the server of the leader again, while programs book. Nothing
that was acknowledged is lost, confirmations come again by themselves, and the old leader becomes the standby by itself.

Each kind of fault happens once; with SCREENING_FULL=1, 5 times. By hand: tests/kit/run tests/ha/patroni.py"""
import os
import time

from ha.bookers import Bookers, check_refused
from ha.members import Cluster, kill
from kit.marks import once
from kit.stack import Stack
from kit.world import register, wait_agreement

ROUNDS = 5 if os.environ.get("SCREENING_FULL") == "1" else 1
# The longest times without a confirmation on a machine that is busy with other tests. Patroni's ttl of 20 s is most of the first.
# docs/operations.md has the figures of an idle machine.
LEADER_KILLED_S, SWITCHOVER_S, SERVER_KILLED_S = 60, 30, 40


def kill_leader(cluster):
    """Kills Patroni first, because it would start its server again. Returns the member that is to become the standby."""
    name, *processes = cluster.named("leader")
    kill(*processes)
    return name


def kill_server(cluster):
    _, _, server = cluster.named("leader")
    kill(server)
    return cluster.named("sync_standby")[0]


def switch_over(cluster):
    name = cluster.named("leader")[0]
    cluster.run("switchover")
    return name


def play(cluster, callers, what, fault, most_s):
    """Plays one fault under load. Returns the time of the fault, and the time from which on no booking may be refused."""
    callers.wait_for_calls()
    begun = time.monotonic()
    standby = fault(cluster)
    callers.wait_for_calls()
    gap_s, back = callers.gap_since(begun)
    cluster.start()  # systemd would start Patroni again
    cluster.wait_standby(standby)
    callers.wait_for_calls()
    print("%s: %.1f s without a confirmation; %s was the standby again after %.1f s" % (
        what, gap_s, standby, time.monotonic() - begun), flush=True)
    assert gap_s < most_s, (what, gap_s)
    return begun, back


@once
def test_patroni_fails_over_and_nothing_acknowledged_is_lost(driver):
    del driver
    begun = time.monotonic()
    with Cluster() as cluster, Stack("postgresql", cluster_url=cluster.url) as stack:
        print("ready after %.1f s" % (time.monotonic() - begun), flush=True)
        with Bookers(stack, register(stack, capacity=100000)) as callers:
            spans = [play(cluster, callers, *fault) for _ in range(ROUNDS) for fault in (
                ("Patroni and server of the leader killed", kill_leader, LEADER_KILLED_S),
                ("planned switchover", switch_over, SWITCHOVER_S),
                ("server of the leader killed", kill_server, SERVER_KILLED_S))]
        print("%s; %d refused" % (callers, len(callers.refused)))
        check_refused(callers, spans)
        callers.check_stored()
        wait_agreement(stack)
