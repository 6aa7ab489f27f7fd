"""Crashes each service at each of its fault points while customers book and cancel. Nothing acknowledged is lost, no place is sold
twice, and in the end all services agree (G1, G2, G4)."""
from faults.arm import crash_at_each
from faults.traffic import Traffic
from kit.marks import once
from kit.stack import Stack, wait_for
from kit.world import register, wait_agreement

PLACES = 100000
ANSWERS = 20

# The number is the pass at which the point crashes. It must be 1 for a point that is passed only at a start or a reconnect.
EVERYWHERE = (("writer.before_begin", 7), ("writer.before_apply", 6), ("writer.before_commit", 5), ("writer.after_commit", 8),
              ("writer.after_replies", 4), ("writer.after_publish", 3), ("db.run", 40), ("db.commit_answer", 9),
              ("rpc.client.before_send", 1), ("rpc.client.after_send", 1), ("events.chunk.before_apply", 2),
              ("events.chunk.before_cursor", 2))
PUBLISHERS = EVERYWHERE + (("rpc.server.before_reply", 9), ("rpc.server.after_reply", 11), ("events.before_publish", 4),
                           ("events.fetch.before_answer", 1))
BOOKING = PUBLISHERS + (("reserve.before_call", 3), ("reserve.after_call", 3))


def crash_in_traffic(driver, name, points):
    with Stack(driver) as stack:
        hospital_id = register(stack, capacity=PLACES)
        with Traffic(stack, hospital_id, PLACES) as traffic:
            crash_at_each(stack.services[name], points)
            before = len(traffic.answers)
            wait_for("customers are answered again", lambda: len(traffic.answers) >= before + ANSWERS)
        wait_agreement(stack)
        traffic.check()


def test_hospital_svc_crashes_at_each_of_its_points(driver):
    crash_in_traffic(driver, "hospital", PUBLISHERS)


def test_booking_svc_crashes_at_each_of_its_points(driver):
    crash_in_traffic(driver, "booking", BOOKING)


@once
def test_history_svc_crashes_at_each_of_its_points(driver):
    crash_in_traffic(driver, "history", EVERYWHERE)
