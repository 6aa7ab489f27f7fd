"""Fills a disk: failed writes are answered UNAVAILABLE, nothing acknowledged is lost, and the service continues by itself once
there is space again (G2)."""
import contextlib
import os
import resource
import subprocess

from kit import rpc
from kit.marks import once
from kit.stack import PROGRAMS, Stack, wait_for
from kit.world import CONFIRMED, REJECTED, REQUESTED, book, booking_request, register, status_of, wait_agreement

ROOM = 256 * 1024  # space for some bookings, so that the disk fills up in the middle of the traffic
REFUSALS = 20  # number of refused calls after which the traffic ends
CALLS_MAX = 2000
DISK = 4 * 1024 * 1024


def file_of(stack, name):
    return stack.url(name)[len("sqlite:"):]


@contextlib.contextmanager
def limited(stack, name):
    """Limits the size of the service's files (RLIMIT_FSIZE) during a `with` block. Writes of the service then fail as on a full
    disk."""
    service = stack.services[name]
    before = resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE)
    size = os.path.getsize(file_of(stack, name) + "-wal") + ROOM
    resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE, (size, before[1]))
    yield
    resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE, before)


@contextlib.contextmanager
def filled(stack, name):
    """Fills the small disk that holds the database up to the last ROOM bytes, during a `with` block."""
    filler = os.path.join(os.path.dirname(file_of(stack, name)), "filler")
    free = os.statvfs(os.path.dirname(filler))
    with open(filler, "wb") as file:
        file.write(bytes(free.f_bavail * free.f_frsize - ROOM))
    yield
    os.unlink(filler)


@contextlib.contextmanager
def small_disk(stack, name):
    """Mounts a small file system for the service's database, during a `with` block. Yields whether this machine permits it."""
    folder = os.path.join(stack.folder, name + "-disk")
    os.mkdir(folder)
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=%d" % DISK, "tmpfs", folder], capture_output=True, text=True,
                          check=False)
    if done.returncode != 0:
        print("without a small file system, which can't be mounted here: " + done.stderr.strip())
        yield False
        return
    stack.services[name].flags["database"] = "sqlite:%s/%s.db" % (folder, name)
    try:
        yield True
    finally:
        stack.services[name].kill()
        subprocess.run(["umount", "--lazy", folder], check=True)


def traffic(stack, hospital_id, was_refused, **more):
    """Books until enough calls were refused. Returns {booking id: (request, answer)}."""
    answers, refused = {}, 0
    while refused < REFUSALS:
        assert len(answers) < CALLS_MAX, "the disk did not get full"
        request = booking_request(hospital_id, **more)
        reply = stack.booking.CreateBooking(**request)
        answers[request["booking_id"]] = (request, reply)
        refused += 1 if was_refused(reply) else 0
    return answers


def check_booking_svc(stack, hospital_id, full):
    """Fills the disk of booking-svc. Callers get UNAVAILABLE, and can repeat the request with the same id."""
    with full(stack, "booking"):
        answers = traffic(stack, hospital_id, lambda reply: reply.code == rpc.UNAVAILABLE)
        assert stack.booking_svc.process.poll() is None
    assert {reply.code for _, reply in answers.values()} == {rpc.OK, rpc.UNAVAILABLE}
    for booking_id, (request, reply) in answers.items():
        if reply.code == rpc.OK:
            assert reply.message.status == CONFIRMED and status_of(stack, booking_id) == CONFIRMED
        else:
            again = stack.booking.CreateBooking(**request)
            assert again.code == rpc.OK and again.message.status == CONFIRMED, again


def closed(reply):
    return reply.reason == "HOSPITAL_UNAVAILABLE"


def check_hospital_svc(stack, hospital_id, full):
    """Fills the disk of hospital-svc. booking-svc refuses bookings, but queues those that asked for it."""
    with full(stack, "hospital"):
        answers = traffic(stack, hospital_id, closed)
        queued = traffic(stack, hospital_id, lambda reply: reply.code == rpc.OK and reply.message.status == REQUESTED,
                         queue_if_unavailable=True)
        reply = stack.hospital.RegisterHospital(hospital_id=rpc.new_id(), name="n", address="a")
        assert reply.code == rpc.UNAVAILABLE, reply
        assert stack.hospital_svc.process.poll() is None
    assert {reply.code for _, reply in answers.values()} == {rpc.OK, rpc.FAILED_PRECONDITION}
    for booking_id, (_, reply) in answers.items():
        assert status_of(stack, booking_id) == (REJECTED if closed(reply) else CONFIRMED)
    for booking_id in queued:
        wait_for("what was queued is confirmed", lambda one=booking_id: status_of(stack, one) == CONFIRMED)


CHECKS = {"booking": check_booking_svc, "hospital": check_hospital_svc}


@once
def test_a_full_disk_refuses_and_loses_nothing(driver):
    with Stack(driver) as stack:
        hospital_id = register(stack, capacity=100000)
        for check in CHECKS.values():
            check(stack, hospital_id, limited)
            book(stack, hospital_id)
        wait_agreement(stack)


@once
def test_a_full_file_system_refuses_and_loses_nothing(driver):
    stack = Stack(driver, without=PROGRAMS)
    with stack, contextlib.ExitStack() as disks:
        if not all([disks.enter_context(small_disk(stack, name)) for name in CHECKS]):
            return
        for name in PROGRAMS:
            stack.services[name].start()
        hospital_id = register(stack, capacity=100000)
        for check in CHECKS.values():
            check(stack, hospital_id, filled)
            book(stack, hospital_id)
        wait_agreement(stack)
