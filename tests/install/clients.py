"""What `cmake --install` gives, and the two example clients: in folders where nothing points back to this repository."""
import glob
import os
import re
import shutil
import subprocess
import tempfile

from kit import rpc
from kit.marks import once
from kit.stack import BUILD, DEADLINE_S, Stack, free_port, wait_for
from kit.world import CANCELLED, day, register, remaining, status_of

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
EXAMPLES = os.path.join(ROOT, "docs", "examples")
PROGRAMS = ("hospital-svc", "booking-svc", "history-svc", "gateway-svc", "screenctl")
COMPILER = ("cc", "-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror")
OPEN, CLOSED = 1, 3  # the clinic screens tomorrow, not in three days


def run(*words, folder, environment=None):
    return subprocess.run(words, capture_output=True, text=True, timeout=DEADLINE_S, check=False, cwd=folder,
                          stdin=subprocess.DEVNULL, env=environment)


def output(*words, folder, environment=None):
    """What it prints; it must exit with 0."""
    result = run(*words, folder=folder, environment=environment)
    assert result.returncode == 0, result
    return result.stdout


class EmptyFolder(tempfile.TemporaryDirectory):
    def __init__(self):
        super().__init__(prefix="screening-install-", dir="/tmp")


def install(folder):
    """The prefix, moved after the installation: nothing in it may depend on where that was."""
    first, prefix = os.path.join(folder, "first"), os.path.join(folder, "prefix")
    output("cmake", "--install", BUILD, "--prefix", first, folder=folder)
    os.rename(first, prefix)
    return prefix


def client_flags(prefix):
    """What pkg-config tells a compiler."""
    (description,) = glob.glob(os.path.join(prefix, "lib", "**", "screening-client.pc"), recursive=True)
    return output("pkg-config", "--cflags", "--libs", "screening-client", folder=prefix,
                  environment={**os.environ, "PKG_CONFIG_PATH": os.path.dirname(description)}).split()


def tcp_stack(driver):
    """hospital-svc and booking-svc, the latter on TCP as in production."""
    booking = "tcp://127.0.0.1:%d" % free_port()
    return Stack(driver, without=("history",),
                 flags={"booking": {"rpc-listen": booking}, "hospital": {"booking-rpc": booking}})


def check_client(driver, folder, *client):
    """It books, looks up and cancels; a refusal makes it say why, in one line, and exit with 1."""
    with tcp_stack(driver) as stack:
        hospital_id = register(stack, capacity=3, days=(OPEN,))
        said = output(*client, stack.booking_svc.rpc, hospital_id, day(OPEN), folder=folder)
        lines = re.findall(r"^(\w+): booking ([0-9a-f-]{36}) is (\w+)$", said, re.M)
        assert [(method, status) for method, _, status in lines] == [
            ("CreateBooking", "CONFIRMED"), ("GetBooking", "CONFIRMED"), ("CancelBooking", "CANCELLED")], said
        (booking_id,) = {booking for _, booking, _ in lines}
        assert status_of(stack, booking_id) == CANCELLED
        assert stack.booking.GetBooking(booking_id=booking_id).message.customer_name == "김하늘"
        wait_for("the place is free again", lambda: remaining(stack, hospital_id, OPEN) == 3)

        refused = run(*client, stack.booking_svc.rpc, hospital_id, day(CLOSED), folder=folder)
        assert refused.returncode == 1 and refused.stdout == "", refused
        assert len(refused.stderr.splitlines()) == 1 and "CreateBooking: " in refused.stderr, refused
        assert " DATE_NOT_OPEN: " in refused.stderr, refused


@once
def test_install_headers_protos_and_programs_stand_alone(driver):
    with EmptyFolder() as folder:
        prefix = install(folder)
        include = os.path.join(prefix, "include", "screening")
        headers = glob.glob(os.path.join(include, "**", "*.h"), recursive=True)
        names = {os.path.relpath(path, include) for path in headers}
        assert names >= {"base/status.h", "rpc/channel.h", "screening/v1/booking.pb-c.h"}, names
        flags = [flag for flag in client_flags(prefix) if flag.startswith("-I")]
        for header in headers:
            output(*COMPILER, *flags, "-fsyntax-only", "-x", "c", header, folder=folder)

        protos = os.path.join(prefix, "share", "screening", "proto")
        files = glob.glob(os.path.join(protos, "**", "*.proto"), recursive=True)
        assert {"booking.proto", "envelope.proto", "health.proto"} <= {os.path.basename(file) for file in files}, files
        output("protoc", "-I" + protos, "--descriptor_set_out=all", *files, folder=folder)
        for program in PROGRAMS:
            output(os.path.join(prefix, "bin", program), "--version", folder=folder)


@once
def test_install_nothing_points_back(driver):
    with EmptyFolder() as folder:
        prefix = install(folder)
        flags = " ".join(client_flags(prefix))
        assert ROOT not in flags and BUILD not in flags and folder + "/first" not in flags, flags
        for path in glob.glob(os.path.join(prefix, "**", "*"), recursive=True):
            if path.endswith((".h", ".pc", ".proto")):
                with open(path, encoding="utf-8") as file:
                    text = file.read()
                assert ROOT not in text and BUILD not in text and folder not in text, path


@once
def test_c_client_on_the_installed_library(driver):
    with EmptyFolder() as folder:
        prefix = install(folder)
        shutil.copy(os.path.join(EXAMPLES, "client.c"), folder)
        output(*COMPILER, "client.c", "-o", "client", *client_flags(prefix), folder=folder)
        check_client(driver, folder, "./client")


@once
def test_python_client_in_an_empty_folder(driver):
    with EmptyFolder() as folder:
        shutil.copy(os.path.join(EXAMPLES, "client.py"), folder)
        check_client(driver, folder, "/usr/bin/python3", "-I", "-S", "client.py")
