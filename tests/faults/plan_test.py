"""Tests the plans of rounds. Starts no service."""
from faults import plan as plans
from faults.fault_stack import REPLICAS

SEEDS = range(400)
PAIRS = {one for pair in REPLICAS.values() for one in pair}


def rounds(**more):
    return [plans.make(seed, "both", list(plans.KINDS), list(plans.POINTS), **more) for seed in SEEDS]


def hits(plan):
    """Returns the processes that faults of the plan can hit, and the processes that they freeze."""
    found, frozen = set(plan["points"]), set()
    for link in plans.links(plan):
        found.update(link.partition(".")[0].split(">"))
    for fault in plan["faults"]:
        found.update(fault.get("victims", ()))
        found.update(fault.get("victim", "").split())
        if fault["kind"] == "pause":
            frozen.update(fault["victims"])
    return found, frozen


def test_faults_spare_one_hospital_svc_and_the_database(_):
    spared = [plan for plan in rounds(replicas=True) if plan["spared"]]
    assert {plan["spared"] for plan in spared} == set(REPLICAS["hospital"])
    for plan in spared:
        found, frozen = hits(plan)
        assert plan["spared"] not in found and not frozen & set(REPLICAS["booking"]), plan
        assert not set(plans.kinds_of(plan)) & set(plans.OF_ALL_REPLICAS), plan
    met = set().union(*(hits(plan)[0] for plan in spared))
    assert met & PAIRS == PAIRS, met  # by turns, every process is hit
    kinds = set().union(*(plans.kinds_of(plan) for plan in spared))
    assert kinds == set(plans.KINDS) - set(plans.OF_ALL_REPLICAS), kinds


def test_faults_hit_one_replica_and_sometimes_both(_):
    both = {name: 0 for name in REPLICAS}
    for plan in rounds(replicas=True):
        assert plan["driver"] == "postgresql" and plan["replicas"]
        for fault in plan["faults"]:
            for name, pair in REPLICAS.items():
                both[name] += set(pair) <= set(fault.get("victims", ()))
    assert all(0 < count < len(SEEDS) for count in both.values()), both


def test_each_kind_once(_):
    kinds = ["kill", "cut", "point", "commit"]
    for seed in SEEDS:
        plan = plans.make(seed, "both", kinds, list(plans.POINTS), replicas=True, each=True)
        assert plans.kinds_of(plan) == sorted(kinds) and plan["spared"], plan


def test_without_replicas_faults_hit_the_only_processes(_):
    for plan in rounds():
        assert not plan["replicas"] and not plan["spared"]
        assert not hits(plan)[0] & {second for _, second in REPLICAS.values()}, plan
