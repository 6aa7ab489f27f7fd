"""A proxy between two ends of a connection, over TCP or a Unix socket. It delays, blocks, cuts and refuses connections, loses the
answer to data that contains given bytes, and drops, duplicates and reorders the messages of a publisher."""
import random
import socket
import struct
import threading
import time

from kit import sp

class Mangler:
    """Decides at random, with the given shares and seed, what happens to each message on its way to a subscriber."""

    def __init__(self, seed, drop=0.0, double=0.0, reorder=0.0):
        self.drop, self.double, self.reorder = drop, double, reorder
        self.random = random.Random(seed)
        self.lock = threading.Lock()
        self.passed = self.dropped = self.doubled = self.reordered = 0

    def route(self, message, held):
        """Returns (messages to send now, messages held back until the next call). `held` are the messages that the last call held
        back."""
        with self.lock:
            drawn = self.random.random()
            self.passed += 1
            if drawn < self.drop:
                self.dropped += 1
                return held, []
            drawn -= self.drop
            if drawn < self.double:
                self.doubled += 1
                return [message, message] + held, []
            drawn -= self.double
            if drawn < self.reorder and not held:
                self.reordered += 1
                return [], [message]
            return [message] + held, []

    def count(self):
        return self.dropped + self.doubled + self.reordered


class Connection:
    """A connection that the proxy accepted, and its own connection to the target."""

    def __init__(self, proxy, near):
        self.proxy, self.near = proxy, near
        self.far = sp.connect_plain(proxy.target)
        self.lock, self.ended = threading.Lock(), False
        self.mute = False  # if true, nothing more passes to the caller, because it may answer data that was just sent to the target
        for sock in (near, self.far):
            sock.settimeout(None)

    def start(self):
        for pump in (self._forward, self._messages if self.proxy.framed else self._backward):
            threading.Thread(target=self._run, args=(pump,), daemon=True).start()

    def _run(self, pump):
        try:
            pump()
        except OSError:
            pass  # one end has closed the connection, or the test cut it
        finally:
            self.cut()

    def _forward(self):
        while True:
            piece = self.near.recv(65536)
            if not piece:
                return
            self.proxy.wait()
            self.mute = self.proxy.takes_answer_of(piece)
            self.far.sendall(piece)
            if self.mute:
                return

    def _backward(self):
        while True:
            piece = self.far.recv(65536)
            if not piece:
                return
            self.proxy.wait()
            if self.mute:
                return
            self.near.sendall(piece)

    def _messages(self):
        """Forwards the SP handshake, then whole messages: on a socket one byte, then 8 bytes of length, big-endian, and the body."""
        kind_bytes = 1 if self.proxy.target.startswith("ipc:") else 0
        self.near.sendall(sp.read_exactly(self.far, 8))
        held = []
        while True:
            head = sp.read_exactly(self.far, kind_bytes + 8)
            message = head + sp.read_exactly(self.far, struct.unpack(">Q", head[kind_bytes:])[0])
            self.proxy.wait()
            mangler = self.proxy.mangler
            now, held = mangler.route(message, held) if mangler else ([message] + held, [])
            if now:
                self.near.sendall(b"".join(now))

    def cut(self):
        """Closes both halves of the connection now. Data in flight is lost."""
        with self.lock:
            if self.ended:
                return
            self.ended = True
        for sock in (self.near, self.far):
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # the other end has already closed it
            sock.close()
        self.proxy.forget(self)


class Proxy:
    """Listens at `address` and connects each caller to `target`. `framed` is true if the target is a publisher.

    `delay_s` delays each piece of data, in both directions. `mangler` is a Mangler, or None. Any thread may set `delay_s` and
    `mangler`."""

    def __init__(self, address, target, framed=False):
        self.target, self.framed = target, framed
        self.delay_s, self.mangler = 0.0, None
        self.cuts = self.answers_lost = 0
        self._lose_after, self._lose_count = b"", 0
        self._passing = threading.Event()
        self._passing.set()
        self._refusing = False
        self._lock = threading.Lock()
        self._connections = set()
        self._sock, self.address = sp.listen_plain(address, backlog=128)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                near, _ = self._sock.accept()
            except OSError:
                return  # the listener is closed
            threading.Thread(target=self._connect, args=(near,), daemon=True).start()

    def _connect(self, near):
        try:
            if self._refusing:
                raise ConnectionRefusedError
            connection = Connection(self, near)
        except OSError:
            near.close()  # the target does not listen, or connections are to be refused
            return
        with self._lock:
            self._connections.add(connection)
        connection.start()

    def forget(self, connection):
        with self._lock:
            self._connections.discard(connection)

    def connections(self):
        with self._lock:
            return list(self._connections)

    def wait(self):
        """Waits while the proxy holds all data, then for the delay. A connection calls it before it forwards a piece of data."""
        self._passing.wait()
        if self.delay_s:
            time.sleep(self.delay_s)

    def takes_answer_of(self, piece):
        """Returns whether the connection that carries this piece must be cut once the piece has reached the target."""
        if not self._lose_count or self._lose_after not in piece:
            return False
        with self._lock:
            if not self._lose_count:
                return False
            self._lose_count -= 1
            self.answers_lost += 1
            return True

    # ---- the interface for tests

    def lose_answers(self, after, count):
        """Cuts a connection once a piece that contains the bytes `after` has reached the target. Does so for the next `count` such
        pieces."""
        with self._lock:
            self._lose_after, self._lose_count = after, count

    def cut(self):
        """Cuts every connection. Returns the number of connections."""
        connections = self.connections()
        for connection in connections:
            connection.cut()
        self.cuts += len(connections)
        return len(connections)

    def refuse(self, on=True):
        """Makes the proxy close new connections immediately, until it is called with False."""
        self._refusing = on

    def hold(self, on=True):
        """Makes the proxy forward no data, until it is called with False. The connections stay open."""
        if on:
            self._passing.clear()
        else:
            self._passing.set()

    def heal(self):
        """Removes all faults."""
        self.delay_s, self.mangler = 0.0, None
        self.lose_answers(b"", 0)
        self.refuse(False)
        self.hold(False)

    def close(self):
        self.heal()
        self._sock.shutdown(socket.SHUT_RDWR)
        self._sock.close()
        self.cut()
