"""Checks that a program that is started without standard descriptors does not use their numbers for other files."""
import os
import subprocess

from kit.marks import once
from kit.stack import BUILD, PROGRAMS, Stack, program, wait_for
from kit.world import CONFIRMED, book, register, wait_history

STANDARD = (0, 1, 2)


def close_standard():
    for number in STANDARD:
        os.close(number)


def spawn_without(arguments, folder):
    return subprocess.Popen(arguments, cwd=folder, preexec_fn=close_standard, env={**os.environ, "SCREENING_INSECURE": "true"})


def descriptors(process):
    """Returns {number: target} of the open descriptors of the process."""
    folder = "/proc/%d/fd" % process.pid
    found = {}
    for name in os.listdir(folder):
        try:
            found[int(name)] = os.readlink(os.path.join(folder, name))
        except FileNotFoundError:
            pass  # closed in the meantime
    return found


def check_null(name, process):
    found = descriptors(process)
    for number in STANDARD:
        assert found.get(number) == "/dev/null", (name, found)


@once
def test_services_without_standard_descriptors_open_them_on_dev_null(driver):
    with Stack(driver, without=(*PROGRAMS, "gateway"), gateway=True) as stack:
        for name in (*PROGRAMS, "gateway"):
            service = stack.services[name]
            service.process = spawn_without(service.arguments(), stack.folder)
        for service in stack.services.values():
            service.wait_ready()
        hospital_id = register(stack)
        wait_history(stack, book(stack, hospital_id).booking_id, CONFIRMED)
        for name, service in stack.services.items():
            check_null(name, service.process)


@once
def test_clients_without_standard_descriptors_open_them_on_dev_null(driver):
    with Stack(driver, without=("booking", "history")) as stack:
        stack.hospital_svc.pause()
        address = stack.hospital_svc.rpc
        bench = [os.path.join(BUILD, "bench/screening-bench"), address, address]
        for name, arguments in (("screenctl", [program("screenctl"), "--hospital", address, "hospital", "list"]),
                                ("screening-bench", bench)):
            process = spawn_without(arguments, stack.folder)
            try:
                wait_for(name + " has a connection",
                         lambda: any(what.startswith("socket:") for what in descriptors(process).values()))
                check_null(name, process)
            finally:
                process.kill()
                process.wait()
