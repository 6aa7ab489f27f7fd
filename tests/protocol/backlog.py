"""Checks that a backlog of queued bookings, as after an outage, is processed after the bookings of waiting customers.

SCREENING_BACKLOG=300000 corresponds to half an hour of rush; the default is short.
"""
import os
import time

from kit import rpc
from kit.stack import Stack, is_sanitized, wait_for
from kit.workers import Workers
from kit.world import CONFIRMED, booking_request, day, register

BACKLOG = int(os.environ.get("SCREENING_BACKLOG", "3000" if is_sanitized() else "30000"))
CAPACITY = 100000  # maximum capacity of a day
CUSTOMERS, CONTROL_S = 3, 2
# These bounds are far above the measured values, because other tests run at the same time.
RATIO, FLOOR_S = 10, 0.5
IN_WORK_MAX = 1024  # more than the settler keeps in progress at once, plus the next page

WAITING = "SELECT count(*) FROM booking WHERE status = 1"
ROWS = {
    "sqlite": "INSERT INTO booking WITH RECURSIVE n (i) AS (VALUES (0) UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {count}) "
              "SELECT randomblob(16), 'c-' || i, 'n', X'{hospital}', '{date}', 1, 1, '', 1000000 + i, 1000000 + i, 1, zeroblob(16), "
              "1, 1 FROM n",
    "postgresql": "INSERT INTO booking SELECT gen_random_uuid(), 'c-' || i, 'n', '{hospital}', '{date}', 1, 1, '', 1000000 + i, "
                  "1000000 + i, 1, decode(repeat('00', 16), 'hex'), 1, 1 FROM generate_series(0, {count} - 1) AS n (i)",
}


def insert(stack, hospital_id, offset, count):
    stack.execute("booking", ROWS[stack.driver].format(count=count, hospital=hospital_id.replace("-", ""), date=day(offset)))


class Customers(Workers):
    """Customers that keep booking. Records the failures and the duration of each call."""

    def __init__(self, stack, hospital_id):
        self.stack, self.hospital_id = stack, hospital_id
        self.failed, self.took_s = [], []
        super().__init__([(self._book, ())] * CUSTOMERS)

    def _book(self):
        client = rpc.Client(self.stack.booking_svc.rpc)
        while not self.stopping.is_set():
            begun = time.monotonic()
            reply = client.CreateBooking(timeout_ms=self.budget_ms(), **booking_request(self.hospital_id, 0))
            self.took_s.append(time.monotonic() - begun)
            if reply.code != rpc.OK or reply.message.status != CONFIRMED:
                self.failed.append(reply)
        client.close()

    @staticmethod
    def budget_ms():
        return 30000 if is_sanitized() else 2000

    def p99_s(self):
        return sorted(self.took_s)[len(self.took_s) * 99 // 100]


def test_customers_go_before_a_backlog_that_shrinks_meanwhile(driver):
    days = 1 + (BACKLOG + CAPACITY - 1) // CAPACITY
    with Stack(driver, without=("history",)) as stack:
        hospital_id = register(stack, capacity=CAPACITY, days=range(days + 1))
        with Customers(stack, hospital_id) as control:
            time.sleep(CONTROL_S)
        stack.booking_svc.stop()
        for offset in range(1, days):
            insert(stack, hospital_id, offset, min(CAPACITY, BACKLOG - (offset - 1) * CAPACITY))
        waiting = [stack.value("booking", WAITING)]
        assert waiting[0] == BACKLOG
        stack.booking_svc.start()
        with Customers(stack, hospital_id) as customers:
            while waiting[-1] > BACKLOG // 10:
                before = waiting[-1]
                wait_for("the backlog shrinks while customers book",
                         lambda: stack.value("booking", WAITING) < before - BACKLOG // 30)
                waiting.append(stack.value("booking", WAITING))
        wait_for("the backlog is worked off", lambda: stack.value("booking", WAITING) == 0)
        assert control.died == customers.died == [] and control.failed == customers.failed == [], customers.failed[:3]
        print("p99 %.1f ms alone, %.1f ms beside the backlog, %d calls" %
              (control.p99_s() * 1000, customers.p99_s() * 1000, len(customers.took_s)))
        if not is_sanitized():
            assert customers.p99_s() < max(RATIO * control.p99_s(), FLOOR_S)
        confirmed = stack.value("booking", "SELECT count(*) FROM booking WHERE status = 2")
        assert confirmed == BACKLOG + len(control.took_s) + len(customers.took_s)
        assert confirmed == stack.value("hospital", "SELECT count(*) FROM reservation WHERE state = 1")


def test_the_oldest_of_a_backlog_are_confirmed_first(driver):
    with Stack(driver, without=("history",)) as stack:
        hospital_id = register(stack, capacity=CAPACITY)
        stack.booking_svc.stop()
        insert(stack, hospital_id, 1, 4 * IN_WORK_MAX)  # the ids do not reveal the age of the bookings
        stack.booking_svc.start()
        wait_for("the backlog is worked off", lambda: stack.value("booking", WAITING) == 0)
        settled = [int(row[0]) for row in stack.rows("booking", "SELECT updated_at_us FROM booking ORDER BY created_at_us")]
        # While hospital-svc pairs, it refuses requests, which are repeated after later ones, so this checks only the older half.
        middle = len(settled) // 2
        assert sum(settled[:middle]) < sum(settled[middle:])
