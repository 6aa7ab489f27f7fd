"""Checks that the proxy of the fault tests loses, duplicates, reorders, delays, blocks and cuts as documented, and does nothing
else."""
import os
import socket
import struct
import tempfile
import threading
import time

from faults.proxy import Mangler, Proxy
from kit import sp
from kit.marks import once
from kit.stack import DEADLINE_S, wait_for


class Echo:
    """Sends back everything that it receives. `got` contains everything received."""

    def __init__(self, address):
        self.got = bytearray()
        self.sock, self.address = sp.listen_plain(address)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                sock, _ = self.sock.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        try:
            for piece in iter(lambda: sock.recv(65536), b""):
                self.got += piece
                sock.sendall(piece)
        except OSError:
            pass
        finally:
            sock.close()

    def close(self):
        self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()


def ask(sock, text):
    sock.sendall(text)
    return sp.read_exactly(sock, len(text))


def ended(sock):
    """Returns whether the other end closes or resets the connection."""
    try:
        return sock.recv(1) == b""
    except ConnectionError:
        return True


def with_echo(check):
    """Runs check(proxy, echo) over TCP and over a Unix socket."""
    with tempfile.TemporaryDirectory(prefix="screening-", dir="/tmp") as folder:
        for near, far in (("tcp://127.0.0.1:0", "tcp://127.0.0.1:0"),
                          ("ipc://%s/near" % folder, "ipc://%s/far" % folder)):
            echo = Echo(far)
            proxy = Proxy(near, echo.address)
            try:
                check(proxy, echo)
            finally:
                proxy.close()
                echo.close()


@once
def test_proxy_left_alone_changes_nothing(driver):
    del driver

    def check(proxy, echo):
        sock = sp.connect_plain(proxy.address)
        text = os.urandom(300000)
        threading.Thread(target=sock.sendall, args=(text,), daemon=True).start()
        assert sp.read_exactly(sock, len(text)) == text and bytes(echo.got) == text
        sock.close()
        wait_for("the other half is closed as well", lambda: not proxy.connections())
    with_echo(check)


@once
def test_proxy_cuts_refuses_and_heals(driver):
    del driver

    def check(proxy, echo):
        socks = [sp.connect_plain(proxy.address) for _ in range(3)]
        for sock in socks:
            assert ask(sock, b"hello") == b"hello"
        assert proxy.cut() == 3
        assert all(ended(sock) for sock in socks)
        proxy.refuse()
        assert ended(sp.connect_plain(proxy.address))
        proxy.heal()
        assert ask(sp.connect_plain(proxy.address), b"again") == b"again"
        assert bytes(echo.got) == b"hello" * 3 + b"again"
    with_echo(check)


@once
def test_proxy_without_its_target_ends_connections(driver):
    del driver

    def check(proxy, echo):
        echo.close()
        echo.close = lambda: None
        assert ended(sp.connect_plain(proxy.address))
    with_echo(check)


@once
def test_proxy_delays_and_holds(driver):
    del driver

    def check(proxy, echo):
        sock = sp.connect_plain(proxy.address)
        proxy.delay_s = 0.15
        begun = time.monotonic()
        assert ask(sock, b"slow") == b"slow"
        assert time.monotonic() - begun >= 0.3, "150 ms on each way"
        proxy.heal()
        proxy.hold()
        sock.sendall(b"held")
        sock.settimeout(0.2)
        try:
            assert not sock.recv(1), "nothing may pass"
        except TimeoutError:
            pass
        assert bytes(echo.got) == b"slow"
        sock.settimeout(DEADLINE_S)
        proxy.heal()
        assert sp.read_exactly(sock, 4) == b"held"
    with_echo(check)


@once
def test_proxy_loses_the_answer_to_a_text(driver):
    del driver

    def check(proxy, echo):
        proxy.lose_answers(b"COMMIT", 1)
        sock = sp.connect_plain(proxy.address)
        assert ask(sock, b"BEGIN") == b"BEGIN"
        sock.sendall(b"COMMIT")
        assert ended(sock), "the answer is lost"
        wait_for("the text itself has arrived", lambda: bytes(echo.got) == b"BEGINCOMMIT")
        assert ask(sp.connect_plain(proxy.address), b"COMMIT") == b"COMMIT", "only the first one"
        assert proxy.answers_lost == 1
    with_echo(check)


class Numbers:
    """A publisher of numbers, and a subscriber that receives them through the proxy. With a `folder`, they use sockets in it."""

    def __init__(self, mangler, folder=None):
        self.ready = threading.Event()
        addresses = ["ipc://%s/%s" % (folder, name) for name in ("publisher", "proxy")] if folder else ["tcp://127.0.0.1:0"] * 2
        self.publisher = sp.Listener(addresses[0], sp.PUB, sp.SUB, self._hold)
        self.proxy = Proxy(addresses[1], self.publisher.address, framed=True)
        self.proxy.mangler = mangler
        self.subscriber = sp.Pipe.dial(self.proxy.address, sp.SUB, sp.PUB)

    def _hold(self, pipe):
        self.ready.set()
        pipe.sock.settimeout(None)
        pipe.receive()

    def run(self, count):
        """Sends 0..count-1 through the mangler, then a final message. Returns the messages that arrived before the final one."""
        assert self.ready.wait(DEADLINE_S)
        (pipe,) = self.publisher.connections()
        for number in range(count):
            # The bodies have many sizes, so that messages do not arrive one per read.
            pipe.send(struct.pack(">I", number) + bytes(number * 37 % 3000))
        wait_for("all are through", lambda: self.proxy.mangler.passed == count)
        self.proxy.mangler = None
        pipe.send(b"last")
        heard = []
        while True:
            body = self.subscriber.receive()
            if body == b"last":
                break
            (number,) = struct.unpack(">I", body[:4])
            assert len(body) == 4 + number * 37 % 3000
            heard.append(number)
        self.subscriber.close()
        self.proxy.close()
        self.publisher.close()
        return heard


@once
def test_proxy_drops_messages(driver):
    del driver
    mangler = Mangler(seed=1, drop=0.3)
    heard = Numbers(mangler).run(500)
    assert heard == sorted(set(heard)), "the others come once, in order"
    assert len(heard) == 500 - mangler.dropped and 100 < mangler.dropped < 200


@once
def test_proxy_doubles_messages(driver):
    del driver
    mangler = Mangler(seed=2, double=0.3)
    heard = Numbers(mangler).run(500)
    assert heard == sorted(heard) and set(heard) == set(range(500))
    assert len(heard) == 500 + mangler.doubled and 100 < mangler.doubled < 200


@once
def test_proxy_reorders_messages(driver):
    del driver
    mangler = Mangler(seed=3, reorder=0.3)
    heard = Numbers(mangler).run(500)
    late = sum(1 for before, after in zip(heard, heard[1:]) if after < before)
    assert late == mangler.reordered and late > 60
    # The proxy may still hold back the last message.
    assert sorted(heard) in (list(range(500)), list(range(499)))


@once
def test_proxy_tells_messages_apart_on_a_socket(driver):
    """On a socket, a byte precedes the length of each message."""
    del driver
    mangler = Mangler(seed=4, drop=0.2, double=0.2)
    with tempfile.TemporaryDirectory(prefix="screening-", dir="/tmp") as folder:
        heard = Numbers(mangler, folder).run(60)  # as many as fit into the buffers of a socket
    assert heard == sorted(heard) and len(heard) == 60 - mangler.dropped + mangler.doubled
    assert mangler.dropped > 3 and mangler.doubled > 3
