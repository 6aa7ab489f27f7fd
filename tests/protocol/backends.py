"""Tests two hospital-svc on one PostgreSQL database behind the channel of one booking-svc: a list of addresses, and a name."""
import contextlib
import socket
import threading
import time

from kit import rpc
from kit.hosts import Hosts
from kit.marks import once
from kit.replicas import backend, closing, replica_of, two_replicas, wait_connected
from kit.stack import DEADLINE_S, PATIENT_MS, Stack, wait_for
from kit.workers import Workers
from kit.world import CONFIRMED, booking_request, register, wait_agreement

CUSTOMERS = 6
BUDGET_MS = 5000


class Customers:
    """Customers who book without a pause, each on a connection of its own. `wrong` has the replies that are no confirmed booking."""

    def __init__(self, stack, hospital_id, budget_ms=BUDGET_MS):
        self.stack, self.hospital_id, self.budget_ms = stack, hospital_id, budget_ms
        self.count, self.wrong, self.lock = 0, [], threading.Lock()
        self.workers = Workers([(self._book, ())] * CUSTOMERS)

    def _book(self):
        client = rpc.Client(self.stack.services["booking"].rpc, timeout=DEADLINE_S)
        while not self.workers.stopping.is_set():
            reply = client.CreateBooking(timeout_ms=self.budget_ms, **booking_request(self.hospital_id))
            with self.lock:
                self.count += 1
                if reply.code != rpc.OK or reply.message.status != CONFIRMED:
                    self.wrong.append((time.monotonic(), reply))
        client.close()

    def wait_for(self, more):
        """Waits until so many more calls have been answered."""
        wanted = self.count + more
        wait_for("customers have booked", lambda: self.count >= wanted)

    def __enter__(self):
        self.workers.start()
        return self

    def __exit__(self, *_):
        self.workers.stop()
        assert not self.workers.died, self.workers.died


@once
def test_a_rolling_restart_of_each_replica_fails_no_call(driver):
    del driver
    with two_replicas() as (stack, replicas):
        hospital_id = register(stack, capacity=100000)
        with Customers(stack, hospital_id) as customers:
            customers.wait_for(20)
            for service in replicas * 2:
                service.stop()
                customers.wait_for(20)
                service.start()
                wait_connected(stack, service)
                customers.wait_for(20)
        assert not customers.wrong, customers.wrong[:3]
        wait_agreement(stack, with_history=False)


@once
def test_a_killed_replica_rejects_no_booking(driver):
    del driver
    with two_replicas() as (stack, replicas):
        hospital_id = register(stack, capacity=100000)
        with Customers(stack, hospital_id) as customers:
            for service in replicas * 3:
                customers.wait_for(20)
                service.kill()
                customers.wait_for(20)
                service.start()
                wait_connected(stack, service)
        assert not customers.wrong, customers.wrong[:3]
        wait_agreement(stack, with_history=False)


@once
def test_a_frozen_replica_is_ejected_and_returns(driver):
    del driver
    # A call leaves the frozen replica after 3 s. The other one then has 3 s, which are enough on a machine under load.
    with two_replicas(reserve_timeout_ms=6000) as (stack, replicas):
        hospital_id = register(stack, capacity=100000)
        frozen = replicas[1]
        with Customers(stack, hospital_id, budget_ms=PATIENT_MS) as customers:
            customers.wait_for(20)
            frozen.pause()
            wait_for("the frozen replica is ejected", lambda: backend(stack, "ejected", frozen) == 1)
            customers.wait_for(100)
            frozen.resume()
            wait_for("the replica is back", lambda: backend(stack, "ejected", frozen) == 0)
            customers.wait_for(20)
        assert backend(stack, "ejected_total", frozen) >= 1
        assert not customers.wrong, customers.wrong[:3]
        wait_agreement(stack, with_history=False)


def shared_port(hosts):
    """Returns a port that is free on each of these hosts now."""
    while True:
        with contextlib.ExitStack() as sockets:
            first = sockets.enter_context(socket.socket())
            first.bind((hosts[0], 0))
            port = first.getsockname()[1]
            try:
                for host in hosts[1:]:
                    sockets.enter_context(socket.socket()).bind((host, port))
            except OSError:
                continue
            return port


def unresolved(stack):
    return [line for line in stack.booking_svc.log_lines() if line.get("event") == "names.unresolved"]


def reserves(stack):
    """Returns the number of Reserves that the stack's own hospital-svc has answered."""
    return sum(stat.value for stat in stack.hospital.Stats().message.stats
               if stat.name.startswith("rpc_server_answers_total") and "Reserve" in stat.name)


@once
def test_a_name_stands_for_all_of_its_addresses(driver):
    del driver
    numbers = ["127.0.0.2", "127.0.0.3", "127.0.0.4"]
    port = shared_port(numbers)
    stack = Stack("postgresql", without=("history", "hospital"), insecure=True)  # calls to a host name
    hosts = Hosts(stack, stack.booking_svc, "hsvc")
    replicas = [replica_of(stack, "hospital-%d" % i, rpc_listen="tcp://%s:%d" % (host, port)) for i, host in enumerate(numbers)]
    replicas[0].flags["events-listen"] = stack.hospital_svc.flags["events-listen"]
    stack.without += tuple(stack.services)[-len(numbers):]
    stack.services["hospital"] = stack.hospital_svc = replicas[0]
    stack.booking_svc.flags["hospital-rpc"] = "tcp://hsvc:%d" % port
    with stack, closing(*replicas):
        for replica in replicas:
            replica.start()
        wait_for("the name is logged", lambda: unresolved(stack))
        assert stack.stat("booking", "name_lookups_failed_total") > 0
        hosts.write(*numbers[:2])
        wait_connected(stack, *replicas[:2])
        hospital_id = register(stack, capacity=100000)
        wait_for("places are granted", lambda: stack.stat("hospital", "hospital_paired") == 1)
        with Customers(stack, hospital_id) as customers:
            customers.wait_for(20)
            replicas[1].kill()
            customers.wait_for(20)
            hosts.write(numbers[0], numbers[2])
            wait_connected(stack, replicas[2])
            customers.wait_for(20)
            hosts.write()  # resolves to nothing: the backends stay
            wait_for("the name does not resolve again", lambda: len(unresolved(stack)) == 2)
            wait_connected(stack, replicas[0], replicas[2])
            customers.wait_for(20)
            hosts.write(numbers[2])

            def gets_no_call():
                before = reserves(stack)
                customers.wait_for(20)
                return reserves(stack) == before
            assert reserves(stack) > 0
            wait_for("the removed one gets no call", gets_no_call, deadline_s=10)
            replicas[0].kill()
            wait_for("it is closed, as it has no connection", lambda: backend(stack, "connected", replicas[0]) == 0)
            customers.wait_for(20)
        assert not customers.wrong, customers.wrong[:3]
        assert len(unresolved(stack)) == 2, unresolved(stack)  # once each time that it began


@once
def test_a_wrong_part_of_a_list_is_named(driver):
    del driver
    with Stack("sqlite", without=("hospital", "booking", "history")) as stack:
        for value, message in (
                ("tcp://127.0.0.1:1,", "part 2 is empty"),
                ("tcp://127.0.0.1:1,tcp://hsvc", "part 2 (tcp://hsvc): must be tcp://HOST:PORT (port 1 to 65535) or ipc://PATH"),
                ("tcp://127.0.0.1:1,tcp://127.0.0.1:1", "part 2 (tcp://127.0.0.1:1) is already part 1")):
            ended = stack.booking_svc.run_once(hospital_rpc=value)
            assert ended.returncode == 2 and ended.stderr == "booking-svc: --hospital-rpc: %s\n" % message, ended
