"""Tests a log that no process reads, and callers that try to fill a log. Neither makes a service unavailable to others."""
import os
import pty
import signal
import socket
import subprocess
import time

from kit import rpc
from kit.marks import once
from kit.stack import DEADLINE_S, PROGRAMS, Stack, free_port, is_sanitized, wait_for
from kit.web import Client
from kit.workers import Workers
from kit.world import CONFIRMED, book, day, register, wait_history

# The calls log more lines than fit into a pipe, a terminal or a socket, because each logs one line at level debug.
CALLS = 4000
# Calls that wait for a thread in parallel. With many more, a brief stall of the machine would make a service estimate that the last
# of them would wait too long, and refuse it.
AT_ONCE = 10
# The number of lines per event: in a burst, and per second (lib/base/log.c).
BURST, PER_S, DEBUG_BURST, DEBUG_PER_S = 200, 20, 1000, 200
# These bounds are far above the measured values, because other tests run at the same time.
RATIO, FLOOR_S = 10, 0.5


def pipe(_):
    return os.pipe()


def fifo(folder):
    path = os.path.join(folder, "fifo")
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    return reader, os.open(path, os.O_WRONLY)


def terminal(_):
    return pty.openpty()


def stream(_):
    return tuple(end.detach() for end in socket.socketpair())


def datagrams(_):
    return tuple(end.detach() for end in socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM))


def spawn(service, stderr):
    service.process = subprocess.Popen(service.arguments(log_level="debug"), stdin=subprocess.DEVNULL, stderr=stderr,
                                       stdout=subprocess.DEVNULL, cwd=service.stack.folder, env={**os.environ, **service.environment})


def lost(stack, name):
    client = Client(stack.services[name].flags["ops-listen"])
    try:
        lines = client.get("/metrics").body.decode().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("log_lines_lost_total "))
    finally:
        client.close()


def with_ops():
    return {name: {"ops-listen": "127.0.0.1:%d" % free_port()} for name in PROGRAMS}


@once
def test_a_log_that_nobody_reads_stops_no_call_and_no_stop(driver):
    for make in (pipe, fifo, terminal, stream, datagrams):
        with Stack(driver, without=PROGRAMS, flags=with_ops()) as stack:
            reader, writer = make(stack.folder)
            spawn(stack.hospital_svc, writer)
            stack.hospital_svc.wait_ready()
            client = stack.client("hospital")
            for _ in range(CALLS // 100):
                replies = client.call_all("Check", [{}] * 100)
                assert all(reply.code == rpc.OK for reply in replies), (make.__name__, replies)
            assert client.ListHospitals().code == rpc.OK
            assert lost(stack, "hospital") > 0, make.__name__
            assert os.get_blocking(writer), "the flags of a description that others share were changed"
            stack.hospital_svc.stop()
            os.close(reader)
            os.close(writer)


@once
def test_every_service_goes_on_and_ends_while_its_log_is_full(driver):
    with Stack(driver, without=(*PROGRAMS, "gateway"), flags=with_ops(), gateway=True) as stack:
        stack.gateway_svc.flags.update((name + "-rpc", stack.address(name + ".gateway")) for name in PROGRAMS)
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        while True:  # fills the log before they start
            try:
                os.write(writer, b"x" * 4096)
            except BlockingIOError:
                break
        os.set_blocking(writer, True)
        for service in stack.services.values():
            spawn(service, writer)
        for service in stack.services.values():
            service.wait_ready()
        wait_history(stack, book(stack, register(stack)).booking_id, CONFIRMED)
        wait_for("gateway-svc is connected", lambda: stack.gateway.get("/hospitals").code == 200)
        for name in (*PROGRAMS, "gateway"):
            wait_for(name + "-svc counts lost lines", lambda name=name: lost(stack, name) > 0)
            stack.services[name].stop()
        wrong = subprocess.Popen(stack.hospital_svc.arguments(log_level="loud"), stderr=writer)
        assert wrong.wait(timeout=DEADLINE_S) == 2
        os.close(reader)
        os.close(writer)


class Calls(Workers):
    """A normal client. Records the failures and the duration of each call."""

    def __init__(self, stack, *more):
        self.stack, self.failed, self.took_s = stack, [], []
        super().__init__([(self._ask, ()), *((job, (self,)) for job in more)])

    def _ask(self):
        client = rpc.Client(self.stack.hospital_svc.rpc)
        while not self.stopping.is_set():
            begun = time.monotonic()
            reply = client.ListHospitals(timeout_ms=30000)
            self.took_s.append(time.monotonic() - begun)
            if reply.code != rpc.OK:
                self.failed.append(reply)
        client.close()

    def p99_s(self):
        return sorted(self.took_s)[len(self.took_s) * 99 // 100]


@once
def test_a_caller_cannot_fill_the_log(driver):
    with Stack(driver, without=("booking", "history")) as stack:
        register(stack)
        with Calls(stack) as control:
            time.sleep(1)
        begun = time.monotonic()
        asked = [0]

        def flood(calls):
            """Sends cursors that match no log, each from a subscriber with another name."""
            client = rpc.Client(stack.hospital_svc.for_services)
            while not calls.stopping.is_set() and asked[0] < 50 * BURST:
                requests = [{"after_seq": 1000000, "subscriber": "s-%d" % (asked[0] + i)} for i in range(AT_ONCE)]
                replies = client.call_all("Fetch", requests)
                assert all(reply.code == rpc.DATA_LOSS for reply in replies), replies
                asked[0] += len(replies)
            client.close()
        with Calls(stack, flood) as beside:
            wait_for("the flood is over", lambda: asked[0] >= 50 * BURST or beside.died)
        took_s = time.monotonic() - begun
        assert control.died == beside.died == [] and control.failed == beside.failed == []
        print("p99 %.1f ms alone, %.1f ms beside the flood" % (control.p99_s() * 1000, beside.p99_s() * 1000))
        if not is_sanitized():
            assert beside.p99_s() < max(RATIO * control.p99_s(), FLOOR_S)
        lines = [line for line in stack.hospital_svc.log_lines() if line.get("event") == "events.subscriber_diverged"]
        assert 0 < len(lines) <= BURST + PER_S * (took_s + 1), len(lines)

        # Only the first line of each name is logged within a minute, however slowly the calls arrive.
        for _ in range(3):
            assert stack.hospital.Fetch(after_seq=1000000, subscriber="slow").code == rpc.DATA_LOSS
        wait_for("the next line says how many were left out", lambda: stack.hospital.Fetch(
            after_seq=1000000, subscriber="other-%f" % time.monotonic()).code == rpc.DATA_LOSS and any(
                line.get("suppressed", 0) > 0 for line in stack.hospital_svc.log_lines()
                if line.get("event") == "events.subscriber_diverged"))
        named = [line for line in stack.hospital_svc.log_lines() if line.get("subscriber") == "slow"]
        assert len(named) <= 1, named


@once
def test_calls_that_fail_inside_fill_no_log(driver):
    """Each call fails with INTERNAL and logs two lines, until the number of lines is limited."""
    with Stack(driver, without=("booking", "history")) as stack:
        stack.execute("hospital", "ALTER TABLE hospital RENAME TO gone")
        begun, client = time.monotonic(), stack.client("hospital")
        for _ in range(10 * BURST // AT_ONCE):
            replies = client.call_all("ListHospitals", [{}] * AT_ONCE)
            assert all(reply.code == rpc.INTERNAL for reply in replies), replies
        took_s = time.monotonic() - begun
        for event in ("rpc.internal_error", "reader.failed"):
            count = sum(1 for line in stack.hospital_svc.log_lines() if line["event"] == event)
            assert 0 < count <= BURST + PER_S * (took_s + 1), (event, count)


@once
def test_calls_fill_no_log_at_level_debug(driver):
    with Stack(driver, without=PROGRAMS) as stack:
        stack.hospital_svc.start(log_level="debug")
        begun = time.monotonic()
        client = stack.client("hospital")
        for _ in range(5 * DEBUG_BURST // 100):
            client.call_all("GetAvailability", [{"hospital_id": rpc.new_id(), "from_date": day(), "to_date": day()}] * 100,
                            timeout_ms=30000)
        took_s = time.monotonic() - begun
        counts = {}
        for line in stack.hospital_svc.log_lines():
            counts[line["event"]] = counts.get(line["event"], 0) + 1
        assert counts["rpc.call"] > 0
        assert all(count <= DEBUG_BURST + DEBUG_PER_S * (took_s + 1) for count in counts.values()), counts
        stack.hospital_svc.kill(signal.SIGTERM)
