"""Checks the wire doors of services that have several replicas: a socket for each address of a name."""
import contextlib
import os

from grpc.health.v1 import health_pb2

from kit import rpc
from kit.dns import Names
from kit.marks import once
from kit.stack import DEADLINE_S, free_port, wait_for
from kit.wires import Wires, dials_in_vain, folder_with_pki


class Replica:
    """A replica of booking-svc with its wire door, which listens at `host`. `called` is the number of its calls."""

    def __init__(self, folder, pki, host, port):
        self.called = 0
        self.server = rpc.FakeService("ipc://%s/%s" % (folder, host), self._answer)
        self.door = Wires(pki, "booking-svc", os.path.join(folder, "door-" + host), rpc="%s:%d" % (host, port),
                          to_rpc=os.path.join(folder, host)).start()

    def _answer(self, name, request):
        del name, request
        self.called += 1
        return health_pb2.HealthCheckResponse(status=1)

    def close(self):
        self.door.close()
        self.server.close()


@contextlib.contextmanager
def two_replicas(names, **settings):
    """Runs replicas at 127.0.0.1 and 127.0.0.2, and the door of a caller that looks for three. Gives them in this order."""
    port = free_port()
    with folder_with_pki() as (folder, pki), contextlib.ExitStack() as stack:
        first, second = (stack.enter_context(contextlib.closing(Replica(folder, pki, host, port))) for host in ("127.0.0.1", "127.0.0.2"))
        door = stack.enter_context(Wires(pki, "history-svc", os.path.join(folder, "caller"), booking_rpc="booking.invalid:%d" % port,
                                         replicas=3, resolver=names.address, **settings))
        yield first, second, door


def sockets(door):
    return [door.socket("booking.rpc.%d" % number) for number in (1, 2, 3)]


def leading_somewhere(door):
    return [address for address in sockets(door) if not dials_in_vain(address)]


def call(address):
    client = rpc.Client(address, timeout=DEADLINE_S)
    try:
        assert client.Check().message.status == 1
    finally:
        client.close()


@once
def test_wires_have_a_socket_for_each_address_of_a_name(driver):
    del driver
    with contextlib.closing(Names()) as names, two_replicas(names) as (first, second, door):
        assert leading_somewhere(door) == []
        assert '"wires.connection"' not in door.log(), door.log()
        names.addresses = ["127.0.0.1", "127.0.0.2"]
        wait_for("both are found", lambda: len(leading_somewhere(door)) == 2)
        for address in leading_somewhere(door):
            call(address)
        assert (first.called, second.called) == (1, 1)


@once
def test_wires_follow_a_name_whose_addresses_change(driver):
    del driver
    with contextlib.closing(Names(["127.0.0.1"])) as names, two_replicas(names) as (first, second, door):
        wait_for("the first is found", lambda: len(leading_somewhere(door)) == 1)
        [address] = leading_somewhere(door)
        client = rpc.Client(address, timeout=DEADLINE_S)
        # An address that is added leads to another socket, and the first keeps its own.
        names.addresses = ["127.0.0.2", "127.0.0.1"]
        wait_for("the second is found", lambda: len(leading_somewhere(door)) == 2)
        call(address)
        assert (first.called, second.called) == (1, 0)
        # One that is gone takes no new connection, and keeps those that it has.
        names.addresses = ["127.0.0.2"]
        wait_for("the first is gone", lambda: dials_in_vain(address))
        assert client.Check().message.status == 1 and first.called == 2
        client.close()
        # While the name server knows nothing, what was found stays.
        names.addresses, asked = [], names.asked
        wait_for("the door has asked for both kinds of addresses, and once more", lambda: names.asked >= asked + 3)
        [other] = leading_somewhere(door)
        call(other)
        assert second.called == 1


@once
def test_wires_refuse_replicas_without_a_name(driver):
    del driver
    with folder_with_pki() as (folder, pki):
        for settings, words in (({"replicas": 17}, "WIRES_REPLICAS=17: must be a number from 1 to 16"),
                                ({"replicas": 2, "hospital_rpc": "10.0.0.1:7101"},
                                 "WIRES_HOSPITAL_RPC=10.0.0.1:7101: must be NAME:PORT, because WIRES_REPLICAS is set"),
                                ({"replicas": 2, "hospital_rpc": "hospital\nlisten x:7101"}, "because WIRES_REPLICAS is set")):
            check = Wires(pki, "booking-svc", os.path.join(folder, "door"), **settings).run("--check")
            assert check.returncode == 2 and words in check.stderr, (settings, check)
        good = Wires(pki, "booking-svc", os.path.join(folder, "door"), replicas=2, hospital_rpc="hospital.invalid:7101").run("--check")
        assert good.returncode == 0, good
