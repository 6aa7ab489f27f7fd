"""Implements the SP protocols of nng over TCP and Unix sockets, from docs/wire-protocol.md alone, without nng."""

import itertools
import os
import socket
import struct
import threading

REQ, REP, PUB, SUB = 0x30, 0x31, 0x20, 0x21


def split(address):
    """Splits an address into ("tcp", (host, port)) or ("ipc", path)."""
    if address.startswith("ipc://"):
        return "ipc", address[len("ipc://"):]
    if address.startswith("tcp://"):
        host, port = address[len("tcp://"):].rsplit(":", 1)
        return "tcp", (host, int(port))
    raise ValueError(address)


def connect_plain(address, timeout=5.0):
    """Returns a socket that is connected to the address. The handshake is left to the caller."""
    kind, where = split(address)
    sock = socket.socket(socket.AF_UNIX if kind == "ipc" else socket.AF_INET, socket.SOCK_STREAM)
    sock.settimeout(timeout)
    sock.connect(where)
    return sock


def listen_plain(address, backlog=64):
    """Returns (socket that listens at the address, actual address). Port 0 selects any free port."""
    kind, where = split(address)
    sock = socket.socket(socket.AF_UNIX if kind == "ipc" else socket.AF_INET, socket.SOCK_STREAM)
    if kind == "tcp":
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    elif os.path.exists(where):
        os.unlink(where)
    sock.bind(where)
    sock.listen(backlog)
    return sock, "tcp://%s:%d" % sock.getsockname() if kind == "tcp" else address


def read_exactly(sock, size):
    data = bytearray()
    while len(data) < size:
        piece = sock.recv(min(65536, size - len(data)))
        if not piece:
            raise ConnectionError("the peer closed the connection")
        data += piece
    return bytes(data)


class Pipe:
    """A connection that has completed the handshake. Sends and receives whole messages."""

    def __init__(self, sock, kind, ours, theirs):
        self.sock, self.kind = sock, kind
        sock.sendall(b"\0SP\0" + struct.pack(">HH", ours, 0))
        header = read_exactly(sock, 8)
        if header != b"\0SP\0" + struct.pack(">HH", theirs, 0):
            raise ConnectionError("not the expected SP header: %r" % header)

    @classmethod
    def dial(cls, address, ours, theirs, timeout=5.0, tls=None):
        """Connects to the address, by TLS if `tls` is an SSL context. The server's certificate must be for localhost."""
        sock = connect_plain(address, timeout)
        if tls:
            sock = tls.wrap_socket(sock, server_hostname="localhost")
        return cls(sock, split(address)[0], ours, theirs)

    def send(self, body):
        prefix = b"\x01" if self.kind == "ipc" else b""
        self.sock.sendall(prefix + struct.pack(">Q", len(body)) + body)

    def receive(self):
        if self.kind == "ipc" and read_exactly(self.sock, 1) != b"\x01":
            raise ConnectionError("not an ipc message")
        (size,) = struct.unpack(">Q", read_exactly(self.sock, 8))
        return read_exactly(self.sock, size)

    def close(self):
        self.sock.close()


class Requester:
    """A connection to a REP server. Any number of requests may be in flight, and their answers may come in any order."""

    _ids = itertools.count(1)

    def __init__(self, address, timeout=30.0, tls=None):
        self.pipe = Pipe.dial(address, REQ, REP, timeout, tls)
        self.lock = threading.Lock()
        self.early = {}

    def send(self, body):
        """Sends a request. Returns the request's id, with which the answer can be received."""
        request_id = next(self._ids) & 0x7FFFFFFF
        with self.lock:
            self.pipe.send(struct.pack(">I", request_id | 0x80000000) + body)
        return request_id

    def receive(self, request_id):
        while request_id not in self.early:
            message = self.pipe.receive()
            (got,) = struct.unpack(">I", message[:4])
            self.early[got & 0x7FFFFFFF] = message[4:]
        return self.early.pop(request_id)

    def request(self, body):
        return self.receive(self.send(body))

    def close(self):
        self.pipe.close()


class Listener:
    """Accepts connections of one SP protocol and calls `serve(pipe)` for each on its own thread."""

    def __init__(self, address, ours, theirs, serve):
        self.kind, _ = split(address)
        self.ours, self.theirs, self.serve = ours, theirs, serve
        self.sock, self.address = listen_plain(address)
        self.pipes = []
        self.lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                sock, _ = self.sock.accept()
            except OSError:
                return
            threading.Thread(target=self._run, args=(sock,), daemon=True).start()

    def _run(self, sock):
        try:
            pipe = Pipe(sock, self.kind, self.ours, self.theirs)
            with self.lock:
                self.pipes.append(pipe)
            self.serve(pipe)
        except OSError:
            pass
        finally:
            sock.close()

    def connections(self):
        with self.lock:
            return list(self.pipes)

    def close(self):
        """Stops listening and closes every connection."""
        self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()
        for pipe in self.connections():
            try:
                pipe.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
