"""Plays rounds with external faults, without randomness: PostgreSQL is killed under load, pub/sub messages are lost, duplicated and
reordered, clocks jump, and databases are restored from backups. Each test belongs to one guarantee."""
import re
import tempfile

from faults import plan as plans
from faults.cluster import Cluster
from faults.fault_stack import REPLICAS, FaultStack
from faults.one_round import Round
from kit import rpc
from kit.marks import once
from kit.stack import CLUSTER_URL, wait_for
from kit.world import book, booking_request, check_refused, register


def play_only(driver, faults, keep_in, **more):
    """Plays a round with exactly these faults, each after a number of calls. Returns the round."""
    plan = plans.make(seed=1, driver=driver, kinds=(), points=())
    plan.update({"clients": 8, "think_ms": 2, "capacity": [20, 200], "budget_ms": 1500, **more})
    plan["faults"] = [{"after_calls": 200, "overlaps": False, **fault} for fault in faults]
    with Cluster() as cluster:
        player = Round(plan, cluster)
        player.play(keep_in)
    return player


def play(driver, faults, **more):
    """Plays a round with exactly these faults, and checks that the round has no problem and that every fault hit calls. Returns the
    round."""
    player = play_only(driver, faults, tempfile.gettempdir(), **more)
    result = player.result
    assert not result.problems, "kept in %s: %s" % (result.folder, "\n".join(result.problems))
    assert set(result.met) == {fault["kind"] for fault in faults}, "what met calls: %r" % result.met
    return player


@once
def test_postgresql_killed_under_load_loses_nothing_acknowledged(driver):
    """G2: all three services use one PostgreSQL server, which is killed three times before it can write anything. Nothing
    acknowledged is lost."""
    del driver
    player = play("postgresql", [{"kind": "database", "how": how, "down_s": down_s}
                                 for how, down_s in (("SIGKILL", 0.0), ("SIGQUIT", 0.5), ("SIGKILL", 1.0))], deletions=2)
    assert player.result.met["database"] == 3


def test_pubsub_lost_doubled_and_out_of_order_costs_no_event(driver):
    """G4: messages are lost, duplicated and reordered between the real publishers and all of their subscribers. No subscriber
    misses an event."""
    shares = ({"drop": 1.0}, {"double": 0.6}, {"reorder": 0.6}, {"drop": 0.3, "double": 0.3, "reorder": 0.3})
    player = play(driver, [{"kind": "pubsub", "links": list(plans.EVENT_LINKS), "share": share, "seed": 1, "for_s": 1.0}
                           for share in shares], deletions=2)
    assert player.result.met["pubsub"] == len(shares)


def test_clock_steps_stop_no_booking_and_break_no_order(driver):
    """After each step of the clocks, forward or back, bookings are confirmed, versions and seqs advance by one, and nothing is
    lost."""
    steps_s = [3600, -3600, -86400 * 20, 72000, 0.5, -0.5]
    player = play(driver, [{"kind": "clock", "victims": ["hospital", "booking", "history"], "steps_s": steps_s,
                            "calls": 50, "gap_s": 0.7}], capacity=[5000, 9000])
    strikes = player.result.strikes
    assert len(strikes) == len(steps_s)
    for number, strike in enumerate(strikes):
        confirmed = [r for r in player.history if r["op"] == "CreateBooking" and strike.at_ns < r["begin_ns"]
                     and r["end_ns"] < strike.until_ns and r["answer"] and r["answer"]["code"] == rpc.OK]
        assert confirmed, "nobody could book after step %d, of %s s" % (number, steps_s[number])


def restored(victim, **more):
    return {"kind": "restore", "victim": victim, "calls": 150, "live": False, "half": False, "down_s": 0.0, **more}


def test_a_booking_database_restored_under_load_loses_its_tail_and_nothing_else(driver):
    """G1, G2: booking-svc's database is restored from a backup, once while booking-svc is killed and once while its session
    continues. An operator does everything that the services ask for. Only the changes after the backup are lost."""
    player = play(driver, [restored("booking"), restored("booking", live=True)], went_back=True, clients=5)
    assert player.result.met["restore"] == 2
    assert player.result.ways_out["follow"] and player.result.ways_out["rebuild"], player.result.ways_out


@once
def test_databases_of_two_replicas_each_restored_under_load_sell_nothing_twice(driver):
    """Both databases are restored from backups: each while one replica of its service runs and the other is killed, then
    hospital-svc's while both replicas run, and booking-svc's while none runs. No place is sold twice."""
    del driver
    player = play("postgresql", [restored("hospital", half=True), restored("booking", half=True),
                                 restored("hospital", live=True), restored("booking")], went_back=True, clients=5, replicas=True)
    assert player.result.met["restore"] == 4
    assert player.result.ways_out["follow"] and player.result.ways_out["rebuild"], player.result.ways_out


@once
def test_a_booking_rejected_while_no_hospital_svc_serves_is_reported(driver):
    """The plan claims that its faults spare one hospital-svc, but they kill both. The checker reports the bookings that were rejected
    for it, and nothing else."""
    del driver
    victims = list(REPLICAS["hospital"])
    with tempfile.TemporaryDirectory() as kept:
        player = play_only("postgresql", [{"kind": "kill", "victims": victims, "gap_s": 0, "down_s": 2.0}], kept, budget_ms=800,
                           replicas=True, spared=victims[0])
    problems = player.result.problems
    assert problems, player.result.line(1)
    for problem in problems:
        assert re.fullmatch("booking .* is stored as REJECTED .* HOSPITAL_UNAVAILABLE, though a hospital-svc served throughout", problem), problem


def test_clock_set_back_leaves_a_fresh_booking_to_its_caller(driver):
    """The settler must not mistake the new booking for one from before the start, because it would leave such a booking REQUESTED
    for another attempt. The stall keeps the booking where the settler sees it while no thread works on it."""
    with FaultStack(driver, CLUSTER_URL, flags={"booking": {"reserve-timeout-ms": 3000}}, clock=True,
                    points={"booking": ["writer.after_commit:stall=1500@1+"]}) as stack:
        wait_for("all services are ready", stack.ready)
        hospital_id = register(stack, days=(2,))
        book(stack, hospital_id, offset=2)  # takes longer than the settler's first scan
        stack.step_clock("booking", -3600)
        stack.hospital_svc.pause()
        reply = stack.booking.CreateBooking(timeout_ms=30000, **booking_request(hospital_id, offset=2))
        check_refused(reply, rpc.FAILED_PRECONDITION, "HOSPITAL_UNAVAILABLE")
        assert not stack.problems, stack.problems
