"""Follows the set-up and the runbooks of docs/operations.md on three machines, with services that book: an etcd is lost, then the
majority of them, then the machine of the leader, which comes back. Nothing that was acknowledged is lost.

The machines are namespaces (three.py), so this needs root. By hand: tests/kit/run tests/ha/machines.py; with SCREENING_FULL=1, 3
rounds, and the majority is away for a minute."""
import os
import time

from ha.bookers import Bookers, check_refused
from ha.three import Three
from kit.marks import once
from kit.stack import Stack, wait_for
from kit.world import register, wait_agreement

FULL = os.environ.get("SCREENING_FULL") == "1"
ROUNDS = 3 if FULL else 1
# Without failsafe_mode the leader steps down after retry_timeout (6 s) and one loop (2 s), and nobody confirms from then on.
MAJORITY_AWAY_S = 60 if FULL else 15
ETCD_LOST_S, LEADER_LOST_S, BACK_S = 15, 60, 120
FAILSAFE = "because failsafe mode is enabled and all members are accessible"


def lose_etcd(three, callers):
    """Kills the etcd of the leader's machine, then another one, so that no majority is left. The leader stays, and so do bookings."""
    leader = three.leader()
    others = [machine for machine in three.machines if machine != leader]
    begun = time.monotonic()
    leader.kill("etcd")
    callers.wait_for_calls()
    print("one etcd lost: %.1f s without a confirmation" % callers.gap_since(begun)[0], flush=True)
    lost = time.monotonic()
    others[0].kill("etcd")
    wait_for("the leader notices", lambda: FAILSAFE in leader.log("patroni"), MAJORITY_AWAY_S)
    while time.monotonic() < lost + MAJORITY_AWAY_S:
        callers.wait_for_calls()
    gap_s, back = callers.gap_since(lost)
    print("the majority of etcd lost for %.0f s: %.1f s without a confirmation" % (time.monotonic() - lost, gap_s), flush=True)
    assert gap_s < ETCD_LOST_S, gap_s
    assert not others[0].log("patroni").count("promoted self to leader") + others[1].log("patroni").count("promoted self to leader")
    for machine in (leader, others[0]):
        machine.run("systemctl start etcd")
    wait_for("three serve again", lambda: three.is_whole() and three.leader() == leader, BACK_S, 0.5)
    return begun, back


def lose_leader(three, callers):
    """Switches the machine of the leader off, and on again. It becomes a standby."""
    old, standby = three.leader(), three.named("sync_standby")
    begun = time.monotonic()
    old.switch_off()
    wait_for("the synchronous standby is the leader", lambda: three.leader() == standby, LEADER_LOST_S, 0.2)
    callers.wait_for_calls()
    gap_s, back = callers.gap_since(begun)
    print("the machine of the leader lost: %.1f s without a confirmation" % gap_s, flush=True)
    assert gap_s < LEADER_LOST_S, gap_s
    returned = time.monotonic()
    old.boot()
    old.run("systemctl start etcd; systemctl start patroni")
    wait_for("the old leader is a standby", lambda: three.is_whole() and three.leader() == standby, BACK_S, 0.5)
    print("the old leader was a standby again after %.1f s" % (time.monotonic() - returned), flush=True)
    callers.wait_for_calls()
    return begun, back


@once
def test_three_machines_outlive_etcd_and_the_leader(driver):
    del driver
    begun = time.monotonic()
    with Three() as three, Stack("postgresql", cluster_url=three.url) as stack:
        print("ready after %.1f s" % (time.monotonic() - begun), flush=True)
        with Bookers(stack, register(stack, capacity=100000)) as callers:
            callers.wait_for_calls()
            spans = [fault(three, callers) for _ in range(ROUNDS) for fault in (lose_etcd, lose_leader)]
        print("%s; %d refused" % (callers, len(callers.refused)))
        check_refused(callers, spans)
        callers.check_stored()
        wait_agreement(stack)
