"""Attacks the real gateway from one address through the front door, while a customer at another address reads and books."""
import contextlib
import json
import threading
import time

from kit import rpc
from kit.front import Front
from kit.marks import once
from kit.raw_http import Connection, head, request
from kit.sse import Listener
from kit.stack import DEADLINE_S, Stack, is_sanitized, wait_for
from kit.web import Client
from kit.world import day, register

ATTACKER, CUSTOMER = "127.0.0.1", "127.0.0.2"
JSON = "Content-Type: application/json"
MEMORY_MIB = 256
PAUSE_S = 0.01


class Customer:
    """Reads and books over one connection after the other until it is stopped."""

    def __init__(self, address, hospital_id):
        self.address, self.hospital_id = address, hospital_id
        self.took, self.failures, self.ended = [], [], threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()

    def _run(self):
        while not self.ended.wait(PAUSE_S):
            client = Client(self.address, timeout=DEADLINE_S, source=CUSTOMER)
            try:
                self._ask(lambda: client.get("/hospitals/" + self.hospital_id), 200)
                self._ask(lambda: client.post("/bookings", {"customerId": "c", "customerName": "n", "hospitalId": self.hospital_id,
                                                            "date": day(1)}), 201)
            finally:
                client.close()

    def _ask(self, call, wanted):
        begun = time.monotonic()
        try:
            answer = call()
            if answer.code != wanted:
                self.failures.append(answer)
        except OSError as problem:
            self.failures.append(problem)
        self.took.append(time.monotonic() - begun)

    def count(self):
        return len(self.took)


def memory_mib(pids):
    total = 0
    for pid in pids:
        with open("/proc/%d/status" % pid, encoding="ascii") as status:
            total += next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) / 1024
    return total


def open_many(address, count, data):
    """Returns the connections that have sent `data` and were not refused at once."""
    opened = []
    for _ in range(count):
        try:
            opened.append(Connection(address))
            opened[-1].send(data)
        except ConnectionResetError:
            pass  # refused
    return opened


def is_forgotten(front):
    counters = front.counters("connections").get("::ffff:" + ATTACKER, {})
    return not counters.get("conn_cur") and not counters.get("conn_rate(1000)")


def silent_connections(front):
    opened = open_many(front.http, 1000, b"")
    held = front.table("connections")["::ffff:" + ATTACKER]
    assert held <= 100, held
    return opened


def half_heads(front):
    return open_many(front.http, 400, head("GET", "/hospitals")[:-2] + b"X: " + b"x" * 8000)


def unfinished_bodies(front):
    return open_many(front.http, 400, head("POST", "/bookings", JSON, "Content-Length: 262144") + b" " * 262143)


def unread_answers(front):
    return open_many(front.http, 100, 50 * request("GET", "/openapi.json"))


def streams(front):
    opened, codes = [], []
    for _ in range(60):
        try:
            opened.append(Listener(front.http, customerId="c"))
            codes.append(opened[-1].code)
        except (OSError, EOFError):
            pass  # refused
    assert codes.count(200) == 16 and set(codes) == {200, 429}, codes
    return opened


def burst(front):
    """Sends a thousand requests over one connection, a hundred at a time."""
    codes = []
    with Connection(front.http) as connection:
        for _ in range(10):
            connection.send(100 * request("GET", "/hospitals"))
            codes += [connection.reply().code for _ in range(100)]
    assert 429 in codes and codes.count(200) <= 1000, codes
    return []


def connection_flood(front):
    return open_many(front.http, 2000, request("GET", "/nowhere"))


ATTACKS = (silent_connections, half_heads, unfinished_bodies, unread_answers, streams, burst, connection_flood)


@once
def test_front_keeps_everybody_else_served_during_attacks(driver):
    """Only prints how long the customer waited, because on a busy machine that time does not depend on the door alone."""
    with Stack(driver, without=("history",), gateway=True, flags={"gateway": {"default-timeout-ms": 30000}}) as stack:
        hospital_id = register(stack, capacity=100000)
        with Front(stack.gateway_svc.behind_door, request_timeout="2s") as front:
            for attack in ATTACKS:
                with contextlib.ExitStack() as opened:
                    with Customer(front.http, hospital_id) as customer:
                        wait_for("the customer is served", lambda customer=customer: customer.count() > 10)
                        for connection in attack(front):
                            opened.callback(connection.close)
                        after = customer.count()
                        wait_for("the customer goes on", lambda customer=customer, after=after: customer.count() > after + 40)
                        used = memory_mib([stack.gateway_svc.process.pid, *front.workers()])
                took = sorted(customer.took)
                print("%s: %d requests of the customer, p50 %.1f ms, p99 %.1f ms; gateway and door %.0f MiB" % (
                    attack.__name__, len(took), 1000 * took[len(took) // 2], 1000 * took[len(took) * 99 // 100], used))
                assert not customer.failures, (attack.__name__, customer.failures[:5])
                assert used < MEMORY_MIB or is_sanitized(), (attack.__name__, used)
                wait_for("the attacker has its places again", lambda: is_forgotten(front))


@once
def test_front_executes_nothing_that_is_hidden_behind_a_length(driver):
    """A length of 20 digits once switched the gateway's own filter off for the rest of a connection."""
    with Stack(driver, without=("history",), gateway=True) as stack:
        hospital_id, hidden_ids = register(stack, capacity=100), []
        with Front(stack.gateway_svc.behind_door, request_timeout="1s") as front:
            for fields in (("Transfer-Encoding:\r\n chunked",), ("Transfer-Encoding: chun\r\n\tked",), ("X: a\nTransfer-Encoding: chunked",),
                           ("Transfer-Encoding: chunked\0x",), ("Content-Length: 0", "Transfer-Encoding: chunked")):
                hidden_ids.append(rpc.new_id())
                body = json.dumps({"bookingId": hidden_ids[-1], "customerId": "c", "customerName": "n", "hospitalId": hospital_id,
                                   "date": day(1)}).encode()
                hidden = request("POST", "/bookings", body, JSON, "Connection: close")
                prelude = head("POST", "/nowhere", "Content-Length: 000000000000000000000002") + b"{}"
                with Connection(front.http) as connection:
                    connection.send(prelude + head("POST", "/bookings", JSON, "Connection: close", *fields) + b"%x\r\n" % len(hidden) + hidden + b"\r\n0\r\n\r\n")
                    connection.rest()
            for one in hidden_ids:
                assert stack.booking.GetBooking(booking_id=one).code == rpc.NOT_FOUND, one


@once
def test_front_reads_requests_as_the_standard_says(driver):
    """Sends a target in absolute form, HEAD for a stream, a request without Host, and an invalid method."""
    with Stack(driver, without=("history",), gateway=True) as stack, Front(stack.gateway_svc.behind_door) as front:
        with Connection(front.http) as connection:
            connection.send(b"GET http://test/openapi.json HTTP/1.1\r\nHost: test\r\n\r\n")
            assert connection.reply().code == 200
            connection.send(head("HEAD", "/events?customerId=c"))
            assert connection.reply(to_head=True).code == 200
            connection.send(request("GET", "/openapi.json"))
            assert connection.reply().code == 200
        for sent, code in ((b"GET / HTTP/1.1\r\n\r\n", 421), (b"G@T / HTTP/1.1\r\nHost: test\r\n\r\n", 400)):
            with Connection(front.http) as connection:
                connection.send(sent.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
                said = connection.rest()
                assert said.count(b"HTTP/1.1 ") == 1 and said.startswith(b"HTTP/1.1 %d " % code), (sent, said)
