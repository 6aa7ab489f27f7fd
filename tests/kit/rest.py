"""Provides a stack and steps for the tests of REST."""

from . import openapi
from .stack import PATIENT_MS, Stack
from .world import day


class RestStack(Stack):
    """A stack with a gateway, and `rest`, a client of the gateway. A call without an explicit budget has a long one."""

    def __init__(self, driver, flags=None, **more):
        gateway = {"default-timeout-ms": PATIENT_MS, **(flags or {}).get("gateway", {})}
        super().__init__(driver, gateway=True, flags={**(flags or {}), "gateway": gateway}, **more)

    def __enter__(self):
        super().__enter__()
        try:
            self.rest = openapi.Client(self.gateway_svc.http)
        except BaseException:
            self.close(failed=True)
            raise
        self.clients.append(self.rest)
        return self

    def hospital_path(self, capacity=10, offsets=(1,), name="한빛검진센터"):
        """Registers a hospital and returns the path of the hospital."""
        days = [{"date": day(offset), "capacity": capacity} for offset in offsets]
        answer = self.rest.post("/hospitals", {"name": name, "address": "서울", "days": days})
        assert answer.code == 201, answer
        assert answer.headers["Location"] == "hospitals/" + answer.json["hospitalId"]
        return answer.place


def booking_of(hospital_path, offset=1, **more):
    return {"customerId": "c-1", "customerName": "김하늘", "hospitalId": hospital_path.rpartition("/")[2],
            "date": day(offset), **more}


def id_of(path):
    return path.rpartition("/")[2]


def check_problem(answer, code, reason=None, detail=None):
    assert answer.code == code, answer
    problem = answer.json
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert problem["status"] == code and problem["title"], problem
    assert problem.get("reason") == reason, problem
    if detail is not None:
        assert problem["detail"].startswith(detail), problem
