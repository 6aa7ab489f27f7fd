"""Tests the checker with the real services. It reports nothing after a run of several clients, and it reports every later change
made directly in the databases."""
import random
import re
import threading

from faults import checker, snapshot
from faults.history import History
from kit import rpc
from kit.marks import once
from kit.stack import Service, Stack, wait_for
from kit.world import behind, day, wait_agreement

CLIENTS, CALLS = 6, 60


class Customer:
    """A client of all three services. It books, repeats, cancels and looks up, and occasionally manages hospitals."""

    def __init__(self, stack, history, name, hospitals, seed, hospital_svc="hospital"):
        self.history, self.name, self.hospitals = history, name, hospitals
        self.random = random.Random(seed)
        self.clients = {"hospital": stack.client(hospital_svc), "booking": stack.client("booking"),
                        "history": stack.client("history")}
        self.booked = []

    def call(self, service, op, **request):
        return self.history.call(self.name, self.clients[service], op, **request)

    def book(self):
        request = {"booking_id": rpc.new_id(), "customer_id": self.name, "customer_name": "김하늘",
                   "hospital_id": self.random.choice(self.hospitals), "date": day(self.random.randint(1, 2)),
                   "headcount": self.random.randint(1, 3), "queue_if_unavailable": self.random.random() < 0.3}
        for _ in range(self.random.choice((1, 1, 2))):
            self.call("booking", "CreateBooking", **request)
        self.booked.append(request["booking_id"])

    def cancel(self):
        if self.booked:
            self.call("booking", "CancelBooking", booking_id=self.random.choice(self.booked), reason="일정 \"변경\"")

    def look(self):
        self.call("hospital", "GetAvailability", hospital_id=self.random.choice(self.hospitals))
        self.call("booking", "ListBookings", customer_id=self.name)
        if self.booked:
            self.call("booking", "GetBooking", booking_id=self.random.choice(self.booked))
            self.call("history", "GetBookingHistory", booking_id=self.random.choice(self.booked))

    def manage(self):
        self.call("hospital", "SetCapacity", hospital_id=self.random.choice(self.hospitals), date=day(1),
                  capacity=self.random.randint(0, 50))

    def run(self, calls=CALLS):
        for _ in range(calls):
            self.random.choice((self.book, self.book, self.book, self.cancel, self.look, self.manage))()


def _run(stack, hospital_svcs=("hospital",)):
    """Runs customers, spread over the services `hospital_svcs`, and deletes one of three hospitals. Returns (records, snapshot)."""
    history, hospitals = History(), [rpc.new_id() for _ in range(3)]
    customers = [Customer(stack, history, "c%d" % index, hospitals, index, hospital_svcs[index % len(hospital_svcs)])
                 for index in range(CLIENTS)]
    admin = Customer(stack, history, "admin", hospitals, CLIENTS)
    for hospital_id in hospitals:
        admin.call("hospital", "RegisterHospital", hospital_id=hospital_id, name="한빛", address="서울",
                          days=[{"date": day(offset), "capacity": 40} for offset in (1, 2)])
    threads = [threading.Thread(target=customer.run) for customer in customers]
    for thread in threads:
        thread.start()
    wait_for("half of the calls are made", lambda: len(history) > CLIENTS * CALLS // 2)
    admin.call("hospital", "DeleteHospital", hospital_id=hospitals[0])
    for thread in threads:
        thread.join()
    wait_agreement(stack)
    wait_for("everybody has read the logs to their ends", lambda: not behind(stack))
    return list(history), snapshot.read(stack)


TAMPERINGS = (
    ("hospital", "UPDATE screening_day SET reserved = reserved + 1 WHERE reserved < capacity", "day .*, by its story it is"),
    ("hospital", "DELETE FROM event_log WHERE seq = 2", "hospital log: seq 2 is missing"),
    ("hospital", "DELETE FROM reservation WHERE state = 1", "is CONFIRMED without a place"),
    ("booking", "DELETE FROM event_log WHERE seq = 5", "booking log: seq 5 is missing"),
    ("booking", "UPDATE booking SET status = 1, version = 1 WHERE status = 4", "was told CANCELLED .*, stored is REQUESTED"),
    ("booking", "DELETE FROM booking WHERE status = 2", "was told CONFIRMED .*, but is not stored"),
    ("history", "DELETE FROM history.timeline_entry WHERE seq = 3", "history-svc misses event .*, seq 3"),
    ("history", "UPDATE history.booking_summary SET headcount = headcount + 1", "differ: headcount"),
)


def test_checker_objects_to_a_real_run_only_when_it_was_changed(driver):
    with Stack(driver) as stack:
        records, whole = _run(stack)
        problems = checker.check(records, whole)
        assert not problems, "\n".join(problems[:20])
        for service, change, pattern in TAMPERINGS:
            stack.execute(service, change)
            problems = checker.check(records, snapshot.read(stack))
            assert any(re.search(pattern, problem) for problem in problems), (change, problems[:20])


@once
def test_checker_finds_nothing_with_two_hospital_svcs_on_one_database(_driver):
    """Two hospital-svcs number their commits in the same row. The checker accepts their answers."""
    with Stack("postgresql") as stack:
        flags = {**stack.hospital_svc.flags, "rpc-listen": stack.address("replica.rpc"),
                 "client-listen": stack.address("replica.clients"), "events-listen": stack.address("replica.events")}
        replica = stack.services["replica"] = Service(stack, "hospital", flags)
        replica.log_path += ".replica"
        replica.start()
        try:
            records, whole = _run(stack, ("hospital", "replica"))
            problems = checker.check(records, whole)
            assert not problems, "\n".join(problems[:20])
        finally:
            replica.stop()
