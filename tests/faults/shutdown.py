"""Checks that a stop frees nothing that a handler may still use, even without a grace period or after a suspension that is
longer than the grace period."""
import signal
import time

from faults.arm import armed, wait_fired
from kit import rpc
from kit.marks import once
from kit.stack import DEADLINE_S, PROGRAMS, Stack, wait_for
from kit.world import booking_request, day, register, wait_agreement

POINT = "rpc.server.before_handler"
STALL_MS = 900  # far longer than a stop takes apart from its handlers
WRITE, READ, FETCH = "write", "read", "fetch"


def calls_of(name):
    """Returns, for each queue that handlers fill, (method, request, codes): a call, and the codes that it may get while the service
    stops."""
    anything = {"hospital_id": rpc.new_id()}
    if name == "hospital":
        return {WRITE: ("SetCapacity", {**anything, "date": day(1), "capacity": 1}, (rpc.NOT_FOUND,)),
                READ: ("GetHospital", anything, (rpc.NOT_FOUND,)),
                FETCH: ("Fetch", {"subscriber": "t"}, (rpc.OK,))}
    if name == "booking":
        return {WRITE: ("CreateBooking", booking_request(rpc.new_id()), (rpc.UNAVAILABLE, rpc.FAILED_PRECONDITION)),
                READ: ("GetBooking", {"booking_id": rpc.new_id()}, (rpc.NOT_FOUND,)),
                FETCH: ("Fetch", {"subscriber": "t"}, (rpc.OK,))}
    return {READ: ("GetBookingHistory", {"booking_id": rpc.new_id()}, (rpc.NOT_FOUND,))}


def freeze(service):
    """Pauses the process in the middle of a drain for longer than its grace period, as a live migration does."""
    wait_for("it drains", lambda: any(line.get("event") == "service.stopping" for line in service.log_lines()), interval_s=0.001)
    service.pause()
    time.sleep(0.3)
    service.resume()


def stop_with_a_handler_running(driver, name, grace_ms, disturb):
    for kind, (method, fields, codes) in calls_of(name).items():
        with Stack(driver, without=PROGRAMS, flags={name: {"drain-grace-ms": grace_ms}}) as stack:
            service = armed(stack.services[name], "%s:stall=%d@1" % (POINT, STALL_MS)).start()
            client = stack.client(name)
            sent = client.send(method, **fields)
            wait_fired(service, POINT)
            service.process.send_signal(signal.SIGTERM)
            disturb(service)
            reply = client.receive(sent)  # the handler has completed its work
            assert reply.code in codes, (name, kind, reply)
            assert service.process.wait(timeout=DEADLINE_S) == 0, service.log_tail()


def test_a_stop_without_grace_waits_for_handlers(driver):
    for name in ("hospital", "booking"):
        stop_with_a_handler_running(driver, name, 0, lambda service: None)


def test_a_stop_that_was_suspended_for_longer_than_its_grace_waits_for_handlers(driver):
    for name in ("hospital", "booking"):
        stop_with_a_handler_running(driver, name, 200, freeze)


@once
def test_history_svc_stops_only_when_its_handlers_have_returned(driver):
    stop_with_a_handler_running(driver, "history", 0, lambda service: None)
    stop_with_a_handler_running(driver, "history", 200, freeze)


def test_a_stop_without_grace_waits_for_what_the_handlers_began(driver):
    """A late reply, an answer and a commit are each handled on a separate thread. The stop waits for each of these threads."""
    with Stack(driver, flags={"booking": {"drain-grace-ms": 0}}) as stack:
        hospital_id = register(stack, capacity=1000)
        calls = {"reserve.before_call": "CreateBooking", "rpc.client.after_send": "CreateBooking",
                 "reserve.after_call": "CreateBooking", "writer.before_commit": "CreateBooking",
                 "rpc.server.before_reply": "GetBooking", "events.fetch.before_answer": "Fetch"}
        for point, method in calls.items():
            service = armed(stack.booking_svc, "%s:stall=%d@1-2" % (point, STALL_MS)).restart()
            fields = {"CreateBooking": booking_request(hospital_id), "GetBooking": {"booking_id": rpc.new_id()},
                      "Fetch": {"subscriber": "t"}}[method]
            stack.client("booking").send(method, **fields)
            wait_fired(service, point)
            service.process.send_signal(signal.SIGTERM)
            assert service.process.wait(timeout=DEADLINE_S) == 0, service.log_tail()
            del service.environment["SCREENING_FAULTS"]
        stack.booking_svc.start()
        wait_agreement(stack)
