"""Runs programs that book while the database fails over, and checks what was refused."""
import time

from faults.callers import Callers
from kit.stack import wait_for
from kit.world import CONFIRMED

BUDGET_S = 60
CALLS_BETWEEN = 100


class Bookers(Callers):
    """Callers that remember when bookings were confirmed."""

    def __init__(self, stack, hospital_id):
        super().__init__(stack, hospital_id, BUDGET_S)
        self.confirmed_at = []

    def _ask(self, line, name, **request):
        message = super()._ask(line, name, **request)
        if name == "CreateBooking" and message is not None and message.status == CONFIRMED:
            self.confirmed_at.append(time.monotonic())
        return message

    def wait_for_calls(self):
        wanted = len(self.confirmed_at) + CALLS_BETWEEN
        wait_for("bookings", lambda: len(self.confirmed_at) >= wanted, BUDGET_S)

    def gap_since(self, moment):
        """Returns (length, end) of the longest time without a confirmation since `moment`."""
        times = [moment] + [one for one in self.confirmed_at if one > moment]
        return max((end - begun, end) for begun, end in zip(times, times[1:]))


def check_refused(callers, spans):
    """Checks that bookings were refused only while the database was away, and only because hospital-svc did not answer. `spans` has
    the begin and the end of each of these times."""
    others = [failed for failed in callers.failed if "HOSPITAL_UNAVAILABLE" not in failed]
    assert not others, others[:3]
    for begun, reply in callers.refused:
        assert any(fault - BUDGET_S < begun < back for fault, back in spans), (begun, spans, reply)
