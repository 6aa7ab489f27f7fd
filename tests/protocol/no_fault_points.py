"""Checks that a release build has no fault points: no binary contains the name of one, and the environment cannot arm any."""
import os
import re
import subprocess

from kit.marks import once
from kit.stack import PROGRAMS, Stack, program
from kit.world import CONFIRMED, book, register, wait_history

TABLE = os.path.join(os.path.dirname(__file__), "../../lib/base/fault_point.c")
BINARIES = tuple(name + "-svc" for name in PROGRAMS) + ("screenctl",)


def point_names():
    with open(TABLE, encoding="utf-8") as file:
        return re.findall(r'\{"([a-z_.]+)", STATUS_\w+\}', file.read())


@once
def test_no_fault_point_is_in_a_release_binary(driver):
    del driver
    names = point_names()
    assert len(names) > 20 and "writer.before_commit" in names, names
    for binary in BINARIES:
        with open(program(binary), "rb") as file:
            content = file.read()
        found = [name for name in names + ["SCREENING_FAULTS", "fault.fired"] if name.encode() in content]
        assert found == [], (binary, found)


@once
def test_a_release_binary_ignores_screening_faults(driver):
    for binary in BINARIES:
        for text in ("list", "nonsense"):
            done = subprocess.run([program(binary), "--version"], capture_output=True, text=True, check=False,
                                  env={**os.environ, "SCREENING_FAULTS": text})
            assert done.returncode == 0 and done.stdout.startswith(binary) and not done.stderr, (binary, done)
    stack = Stack(driver)
    for service in stack.services.values():
        service.environment["SCREENING_FAULTS"] = ";".join(name + ":crash@1+" for name in point_names())
    with stack:
        booking = book(stack, register(stack))
        wait_history(stack, booking.booking_id, CONFIRMED)
