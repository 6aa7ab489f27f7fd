"""Checks that the connections to the ports of calls and of events are bounded: their number, and the bytes of unfinished
messages."""
import contextlib
import socket
import struct
import time
import types

from kit import rpc, sp
from kit.flood import Flood, check_unharmed
from kit.marks import once
from kit.stack import DEADLINE_S, Stack, free_port, is_sanitized, wait_for
from kit.world import register

ATTACKER = "127.0.0.2"  # the customers connect from 127.0.0.1
MAX, PER_ADDRESS, TIMEOUT_MS, BYTES_MAX = 128, 64, 1000, 4 << 20
LIMITS = {"connections-max": MAX, "connections-per-address": PER_ADDRESS, "receive-timeout-ms": TIMEOUT_MS,
          "receive-bytes-max": BYTES_MAX}
MESSAGE_BYTES = 1 << 20
RATIO = 20  # limit of the ratio of the p99 values


def tcp_stack(driver, **more):
    """Returns a stack with hospital-svc and history-svc on TCP, with a low limit of connections. Events are published over TCP only if
    the stack is insecure."""
    def flags():
        return {"rpc-listen": "tcp://127.0.0.1:%d" % free_port(), **LIMITS, **more}
    return Stack(driver, without=("booking",), flags={
        "hospital": {"events-listen": "tcp://127.0.0.1:%d" % free_port(), **flags()}, "history": flags()}, insecure=True)


def connect(address, source=ATTACKER, timeout=5.0):
    kind, where = sp.split(address)
    if kind == "ipc":
        return sp.connect_plain(address, timeout)
    return socket.create_connection(where, timeout=timeout, source_address=(source, 0))


def greeting(protocol):
    return b"\0SP\0" + struct.pack(">HH", protocol, 0)


def unfinished(protocol, size=MESSAGE_BYTES, part=MESSAGE_BYTES - 1):
    return greeting(protocol) + struct.pack(">Q", size) + bytes(part)


def is_closed(sock):
    sock.setblocking(False)
    try:
        while True:
            if not sock.recv(65536):
                return True
    except BlockingIOError:
        return False
    except OSError:
        return True


class Holding:
    """An attacker that opens many connections, first sends `begin` on each, and keeps those that the server leaves open."""

    def __init__(self, address, count, begin=b"", source=ATTACKER):
        self.address, self.count, self.begin, self.source = address, count, begin, source
        self.answered = types.SimpleNamespace(value=0)
        self.socks = []

    def __enter__(self):
        for _ in range(self.count):
            try:
                sock = connect(self.address, self.source)
                self.socks.append(sock)
                sock.setblocking(False)
                sock.send(self.begin)  # sends as much as the kernel accepts
            except OSError:
                pass  # the connection was refused, or is already closed
            self.answered.value += 1
        return self

    def __exit__(self, *_):
        for sock in self.socks:
            sock.close()

    def held(self):
        return sum(not is_closed(sock) for sock in self.socks)


class Opening(Flood):
    """An attacker that keeps opening connections, and holds the last KEPT of them."""

    KEPT = 4 * MAX

    def _run(self):
        socks = []
        while True:
            with contextlib.suppress(OSError):
                sock = connect(self.address)
                sock.setblocking(False)
                socks.append(sock)
                sock.send(self.bodies[0])
            for gone in socks[:-self.KEPT]:
                gone.close()
            del socks[:-self.KEPT]
            self.answered.value += 1
            time.sleep(0.001)


def status_kib(service, field):
    with open("/proc/%d/status" % service.process.pid, encoding="ascii") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith(field + ":"))


PAUSE_S = 0.005  # pause between customers, because nng closes connections one after the other


def new_client_is_served(service):
    time.sleep(PAUSE_S)
    client = rpc.Client(service.rpc, timeout=DEADLINE_S)
    try:
        return client.Check(timeout_ms=5000).code == rpc.OK
    finally:
        client.close()


def new_subscriber_hears(address):
    subscriber = rpc.Subscriber(address, timeout=DEADLINE_S)
    try:
        return subscriber.receive()[0] == "hospital"
    finally:
        subscriber.close()


def check_ports(stack, attack):
    """Checks that a customer can connect, call and disconnect on each port during attack(address, protocol)."""
    hospital, history = stack.hospital_svc, stack.history_svc
    events = hospital.flags["events-listen"]
    for address, protocol, call in ((hospital.rpc, sp.REQ, lambda: new_client_is_served(hospital)),
                                    (history.rpc, sp.REQ, lambda: new_client_is_served(history)),
                                    (events, sp.SUB, lambda: new_subscriber_hears(events))):
        # A subscriber receives a heartbeat twice a second.
        check_unharmed(call, lambda where=address, what=protocol: attack(where, what), RATIO, seconds=1.0)


@once
def test_idle_connections_shut_out_nobody(driver):
    with tcp_stack(driver) as stack:
        check_ports(stack, lambda address, protocol: Holding(address, 4 * MAX, greeting(protocol)))


@once
def test_connections_that_say_nothing_shut_out_nobody(driver):
    with tcp_stack(driver) as stack:
        check_ports(stack, lambda address, protocol: Holding(address, 4 * MAX))


@once
def test_connections_that_keep_coming_shut_out_nobody(driver):
    with tcp_stack(driver) as stack:
        check_ports(stack, lambda address, protocol: Opening(address, [greeting(protocol)], 1))
        check_ports(stack, lambda address, protocol: Opening(address, [unfinished(protocol, part=5000)], 1))


@once
def test_unfinished_messages_shut_out_nobody(driver):
    with tcp_stack(driver) as stack:
        check_ports(stack, lambda address, protocol: Holding(address, 4 * MAX, unfinished(protocol, part=100)))


@once
def test_an_address_keeps_no_more_connections_than_its_share(driver):
    with tcp_stack(driver, **{"receive-timeout-ms": 600000}) as stack:
        service = stack.hospital_svc
        for address in (service.rpc, service.flags["events-listen"]):
            with Holding(address, 3 * PER_ADDRESS, greeting(sp.REQ if address == service.rpc else sp.SUB)) as attack:
                wait_for("the others are ended", lambda: attack.held() <= PER_ADDRESS)
                assert attack.held() == PER_ADDRESS
                assert new_client_is_served(service)
        said = [line for line in service.log_lines() if line.get("event") == "rpc.connections_bounded"]
        assert len(said) <= 1, said


@once
def test_an_unfinished_message_is_ended_on_every_port_and_transport(driver):
    for limits in (tcp_stack(driver), Stack(driver, without=("booking",), flags={"hospital": LIMITS, "history": LIMITS})):
        with limits as stack:
            events = stack.hospital_svc.flags["events-listen"]
            for address, protocol in ((stack.hospital_svc.rpc, sp.REQ), (stack.history_svc.rpc, sp.REQ), (events, sp.SUB)):
                mark = b"\x01" if sp.split(address)[0] == "ipc" else b""
                parts = [b"", greeting(protocol)[:5], greeting(protocol) + mark, greeting(protocol) + mark + b"\0\0\0",
                         greeting(protocol) + mark + struct.pack(">Q", 1000) + b"x" * 10]
                if not mark:
                    parts.remove(greeting(protocol) + mark)
                with contextlib.ExitStack() as closing:
                    socks = [closing.enter_context(connect(address)) for _ in parts]
                    idle = closing.enter_context(connect(address))
                    idle.sendall(greeting(protocol))
                    for sock, part in zip(socks, parts):
                        sock.sendall(part)
                    for sock, part in zip(socks, parts):
                        wait_for("the connection with %r is ended" % part, lambda: is_closed(sock))
                    assert not is_closed(idle)
            assert new_client_is_served(stack.hospital_svc) and new_client_is_served(stack.history_svc)


@once
def test_unfinished_messages_take_no_more_memory_than_their_budget(driver):
    with tcp_stack(driver, **{"receive-timeout-ms": 600000, "connections-per-address": MAX}) as stack:
        service = stack.hospital_svc
        new_client_is_served(service)
        before = status_kib(service, "VmRSS")
        with Holding(service.rpc, MAX, greeting(sp.REQ)) as attack:
            for sock in attack.socks:
                sock.settimeout(0.5)
                with contextlib.suppress(OSError):
                    sock.sendall(unfinished(sp.REQ)[8:])
            wait_for("most are ended", lambda: attack.held() <= MAX - (MAX - BYTES_MAX // MESSAGE_BYTES))
            assert attack.held() > 0
            grown = status_kib(service, "VmHWM") - before
            # The service ends connections after it has read from them, so on a busy machine it exceeds the budget for a moment.
            assert grown < MAX * MESSAGE_BYTES // 1024 // 4 or is_sanitized(), grown
            assert new_client_is_served(service)


@once
def test_callers_never_exhaust_the_files_of_a_service(driver):
    """The service may open 300 files in total. While 400 connections stay open, it still serves new clients."""
    with Stack(driver, without=("hospital", "booking", "history")) as stack:
        service = stack.hospital_svc
        service.flags["client-listen"] = service.rpc = "tcp://127.0.0.1:%d" % free_port()
        arguments = service.arguments
        service.arguments = lambda **more: ["prlimit", "--nofile=300:300"] + arguments(**more)
        service.start()
        hospital_id = register(stack)
        begun = time.monotonic()
        with Holding(service.rpc, 400, greeting(sp.REQ)):
            for _ in range(5):
                assert new_client_is_served(service)
            assert stack.hospital.GetHospital(hospital_id=hospital_id).code == rpc.OK
            wait_for("it is logged", lambda: any(line.get("event") == "rpc.connections_bounded" for line in service.log_lines()))
        assert time.monotonic() - begun < DEADLINE_S
        lowered = [line for line in service.log_lines() if line.get("event") == "service.connections_max_lowered"]
        assert len(lowered) == 1 and lowered[0]["open_files"] == 300, lowered
        said = [line for line in service.log_lines() if line.get("event") == "rpc.connections_bounded"]
        assert len(said) == 1 and said[0]["without_file"] == 0, said
