"""Checks that a caller's trace id (W3C traceparent) appears in the logs of all three services."""
import secrets

from kit import rpc
from kit.marks import once
from kit.stack import PROGRAMS, Stack, wait_for
from kit.world import CONFIRMED, booking_request, register, wait_history


def new_trace():
    """Returns (trace id, traceparent that contains it)."""
    trace_id = secrets.token_hex(16)
    return trace_id, "00-%s-%s-01" % (trace_id, secrets.token_hex(8))


def events_of(service, trace_id):
    return [line["event"] for line in service.log_lines() if line.get("request_id") == trace_id]


def debug_stack(driver):
    return Stack(driver, flags={name: {"log-level": "debug"} for name in PROGRAMS})


@once
def test_one_trace_id_is_found_in_all_three_logs(driver):
    with debug_stack(driver) as stack:
        hospital_id = register(stack, capacity=50)
        traces, requests = [], []
        for _ in range(20):  # many concurrent bookings share one BatchReserve, which carries the trace of only the first
            trace_id, traceparent = new_trace()
            traces.append(trace_id)
            requests.append({"metadata": {"traceparent": traceparent}, **booking_request(hospital_id)})
        sent = [stack.booking.send("CreateBooking", **request) for request in requests]
        for one in sent:
            reply = stack.booking.receive(one)
            assert reply.code == rpc.OK and reply.message.status == CONFIRMED, reply
        wait_history(stack, requests[-1]["booking_id"], CONFIRMED)
        for trace_id in traces:
            wait_for("booking-svc has it", lambda: {"booking.settled", "rpc.call"} <= set(events_of(stack.booking_svc, trace_id)))
            wait_for("hospital-svc has it", lambda: "events.applied" in events_of(stack.hospital_svc, trace_id))
            wait_for("history-svc has it", lambda: "events.applied" in events_of(stack.history_svc, trace_id))
        wait_for("a BatchReserve came with its first caller's", lambda: [
            trace_id for trace_id in traces if "rpc.call" in events_of(stack.hospital_svc, trace_id)])


@once
def test_a_malformed_traceparent_is_not_taken_over(driver):
    with debug_stack(driver) as stack:
        request = booking_request(register(stack))
        reply = stack.booking.CreateBooking(metadata={"traceparent": "00-zzzz-not-a-trace-01"}, **request)
        assert reply.code == rpc.OK, reply
        wait_history(stack, request["booking_id"], CONFIRMED)
        for name in PROGRAMS:
            with open(stack.services[name].log_path, encoding="utf-8") as log:
                assert "zzzz" not in log.read(), name
