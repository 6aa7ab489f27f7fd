"""Checks the limits that the front door sets for one address, and that they do not affect other addresses."""
import contextlib
import ipaddress
import os
import socket
import subprocess
import time

from kit.front import Front, PlayedGateway
from kit.marks import once
from kit.raw_http import Connection, head, request
from kit.sse import Listener
from kit.stack import DEADLINE_S, free_port, wait_for
from kit.web import Client

OTHER = "127.0.0.2"


def get(address, path="/hospitals", source=""):
    client = Client(address, timeout=DEADLINE_S, source=source)
    try:
        return client.get(path)
    finally:
        client.close()


def too_many(answer, retry_after):
    assert answer.code == 429 and answer.headers["Retry-After"] == retry_after, answer
    assert answer.headers["Content-Type"] == "application/problem+json" and answer.json["status"] == 429, answer


@contextlib.contextmanager
def listeners(address, count, source=""):
    """Yields `count` listeners of /events, and closes them afterwards."""
    with contextlib.ExitStack() as stack:
        found = []
        for _ in range(count):
            found.append(Listener(address, customerId="c", source=source))
            stack.callback(found[-1].close)
        yield found


def refused(address, source=""):
    """Returns whether the door closes a new connection without an answer."""
    try:
        with Connection(address, source=source) as connection:
            connection.send(request("OPTIONS", "/"))
            return connection.reply() is None
    except ConnectionResetError:
        return True  # it was closed at once


@once
def test_front_bounds_the_connections_of_an_address(driver):
    del driver
    with PlayedGateway() as gateway, Front(gateway.address, address_connections=3) as front, contextlib.ExitStack() as opened:
        held = [opened.enter_context(Connection(front.http)) for _ in range(3)]
        wait_for("they are counted", lambda: front.table("connections")["::ffff:127.0.0.1"] == 3)
        assert refused(front.http)
        assert get(front.http, source=OTHER).code == 200
        held[0].close()
        wait_for("its place is free", lambda: not refused(front.http))


@once
def test_front_bounds_the_connections_of_an_address_in_a_second(driver):
    del driver
    with PlayedGateway() as gateway:
        front = Front(gateway.address, address_requests=5, wide_requests=20)
        front.settings["wide"] = os.path.join(front.folder, "wide")
        with open(front.settings["wide"], "w", encoding="ascii") as file:
            file.write("127.0.0.5\n")
        with front:
            for source, most in (("127.0.0.4", 5), ("127.0.0.5", 20)):
                begun = time.monotonic()
                served = [not refused(front.http, source) for _ in range(most + 3)]
                assert served[:most] == [True] * most, (source, served)
                assert not all(served) or time.monotonic() - begun > 0.5, (source, served)
                assert get(front.http, source=OTHER).code == 200


@once
def test_front_bounds_the_requests_of_an_address_in_a_second(driver):
    del driver
    with PlayedGateway() as gateway, Front(gateway.address, address_requests=5) as front:
        client = Client(front.http)
        answers = [client.get("/hospitals") for _ in range(20)]
        client.close()
        assert answers[0].code == 200
        too_many(next(answer for answer in answers if answer.code != 200), "1")
        assert get(front.http, source=OTHER).code == 200
        wait_for("the second is over", lambda: get(front.http).code == 200, interval_s=1.5)  # refused requests count too


@once
def test_front_bounds_the_streams_of_an_address(driver):
    del driver
    with PlayedGateway() as gateway, Front(gateway.address, address_streams=2) as front:
        with listeners(front.http, 2) as held:
            too_many(get(front.http, "/events?customerId=c"), "5")
            assert get(front.http).code == 200  # only streams are bounded
            with listeners(front.http, 1, OTHER) as others:
                assert others[0].code == 200
            held[0].close()
            wait_for("its place is free", lambda: front.table("streams")["::ffff:127.0.0.1"] == 1)
            with listeners(front.http, 1) as again:
                assert again[0].code == 200


@once
def test_front_counts_each_stream_of_one_http2_connection(driver):
    del driver
    with PlayedGateway() as gateway, Front(gateway.address, address_streams=2, address_connections=1) as front:
        asked = ["https://%s/events?customerId=%d" % (front.tls, number) for number in range(4)]
        said = subprocess.run(["curl", "-skN", "--http2", "--parallel", "--max-time", "2", "-w", "%{http_code}\\n"] +
                              [word for url in asked for word in ("-o", "/dev/null", url)], capture_output=True, text=True, check=False)
        assert sorted(said.stdout.split()) == ["200", "200", "429", "429"], said
        assert {line["version"] for line in front.wait_requests(4)} == {"HTTP/2.0"}


@once
def test_front_gives_wide_addresses_limits_of_their_own(driver):
    del driver
    with PlayedGateway() as gateway:
        front = Front(gateway.address, address_connections=2, address_requests=3, address_streams=1, wide_connections=9,
                      wide_requests=20, wide_streams=3)
        front.settings["wide"] = os.path.join(front.folder, "wide")
        with open(front.settings["wide"], "w", encoding="ascii") as file:
            file.write("# one hospital\n127.0.0.0/30\n")
        with front:
            with listeners(front.http, 3) as held:  # which are three connections, too
                assert [one.code for one in held] == [200] * 3
                too_many(get(front.http, "/events?customerId=c"), "5")
                client = Client(front.http)
                answers = [client.get("/hospitals") for _ in range(40)]
                client.close()
                assert [answer.code for answer in answers[:10]] == [200] * 10
                too_many(next(answer for answer in answers if answer.code != 200), "1")
                with contextlib.ExitStack() as opened:
                    for _ in range(6):
                        opened.enter_context(Connection(front.http))
                    wait_for("they are counted", lambda: front.table("connections")["::ffff:127.0.0.1"] == 9)
                    assert refused(front.http)
            with listeners(front.http, 1, "127.0.0.9"):  # not in the list
                too_many(get(front.http, "/events?customerId=c", "127.0.0.9"), "5")


def address_of_ipv6():
    """Returns an IPv6 address of this machine, if possible a global one, otherwise that of loopback; "" if it has none."""
    try:
        with open("/proc/net/if_inet6", encoding="ascii") as lines:
            rows = [line.split() for line in lines]
    except OSError:
        return ""
    found = {scope: str(ipaddress.IPv6Address(int(address, 16))) for address, _, _, scope, _, _ in rows}
    return found.get("00") or found.get("10", "")  # global, or the loopback interface


@once
def test_front_counts_a_network_of_ipv6_as_one_address(driver):
    del driver
    address, port = address_of_ipv6(), str(free_port())
    if not address:
        return  # a machine without IPv6
    network = str(ipaddress.IPv6Network(address + "/64", strict=False).network_address)
    # HAProxy 3.0 takes ::1 for an address of IPv4 that is written as one of IPv6
    wanted = ([network], ["::ffff:0.0.0.1"] if address == "::1" else [network])
    with PlayedGateway() as gateway, Front(gateway.address, http="[::]:" + port) as front:
        with socket.create_connection((address, int(port)), DEADLINE_S, (address, 0)) as sock:
            sock.sendall(head("GET", "/events"))
            for name in ("connections", "requests", "streams"):
                wait_for("it is counted", lambda name=name: front.table(name))
                assert list(front.table(name)) in wanted, (name, front.table(name))
        try:
            raise AssertionError("IPv4 at an address of IPv6: %s" % get("127.0.0.1:" + port))
        except ConnectionRefusedError:
            pass  # otherwise an address of IPv4 would have two names


@once
def test_front_bounds_all_connections(driver):
    del driver
    with PlayedGateway() as gateway, Front(gateway.address, connections=20) as front, contextlib.ExitStack() as opened:
        for number in range(20):
            listener = Listener(front.http, customerId="c", source="127.0.1.%d" % (number + 1))
            opened.callback(listener.close)
        with Connection(front.http) as late:
            late.send(request("GET", "/"))
            assert late.silent_for(0.5)
            listener.close()
            assert late.reply().code == 200


@once
def test_front_bounds_its_connections_to_the_gateway(driver):
    del driver
    with PlayedGateway(delay_s=0.3) as gateway, Front(gateway.address, gateway_connections=2) as front, contextlib.ExitStack() as opened:
        clients = [opened.enter_context(Connection(front.http)) for _ in range(6)]
        for client in clients:
            client.send(request("GET", "/hospitals"))
        assert [client.reply().code for client in clients] == [200] * 6
        assert gateway.most_in_flight == 2


@once
def test_front_keeps_few_idle_connections_to_the_gateway(driver):
    """The gateway has a limit on connections, whether they are used or not."""
    del driver
    with PlayedGateway(delay_s=1) as gateway, Front(gateway.address) as front, contextlib.ExitStack() as opened:
        clients = [opened.enter_context(Connection(front.http)) for _ in range(90)]
        for client in clients:
            client.send(request("GET", "/hospitals"))
        assert [client.reply().code for client in clients] == [200] * 90
        wait_for("most are closed", lambda: gateway.connections <= 64, deadline_s=3)


@once
def test_front_logs_no_more_than_a_few_refused_requests_of_an_address(driver):
    """A caller must not be able to fill the disk."""
    del driver
    with PlayedGateway() as gateway, Front(gateway.address, address_requests=5) as front, Connection(front.http) as connection:
        begun = time.monotonic()
        for _ in range(300):
            connection.send(request("GET", "/hospitals"))
            assert connection.reply().code in (200, 429)
        seconds = time.monotonic() - begun + 1
        assert get(front.http, source=OTHER).code == 200
        wait_for("the last one is logged", lambda: any(line["client"] == OTHER for line in front.requests()))
        refused_lines = [line for line in front.requests() if line["code"] == 429]
        assert 0 < len(refused_lines) <= 2 * 5 * seconds + 5, (len(refused_lines), seconds)
