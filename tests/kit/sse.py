"""Listens to GET /events: server-sent events over a separate connection."""

import json
import socket
import time
import urllib.parse

from . import credentials
from .deadline import DEADLINE_S


class Message:
    """An event: its name, its data as JSON, and the position of the listener after it."""

    def __init__(self, event, position, data):
        self.event, self.position = event, position
        self.data = json.loads(data)

    def __repr__(self):
        return "%s %s %s" % (self.event, self.position, self.data)


class Listener:
    """A listener of GET /events. Connects and reads the head of the answer, whose status is `code`. If `read` is False, sends the
    request but reads nothing."""

    def __init__(self, address, last_event_id=None, read=True, receive_bytes=None, source="", token=credentials.DEFAULT, **query):
        self.http2 = None  # (connection, exchange)
        self.token = token
        path = "/events?" + urllib.parse.urlencode(query)
        self.raw, self.text = b"", b""
        if address.startswith("h2:"):
            self._connect_http2(address, path, last_event_id, read, receive_bytes)
        else:
            self._connect(address, path, last_event_id, receive_bytes, source)
        self.position, self.retry, self.comments = None, None, 0
        self.ended = False  # whether the body has ended with its last chunk
        self.messages = []  # received, but not yet returned
        if read:
            self._read_head()

    def _connect(self, address, path, last_event_id, receive_bytes, source):
        host, port = address.rsplit(":", 1)
        self.sock = socket.socket()
        if receive_bytes:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self.sock.settimeout(DEADLINE_S)
        if source:
            self.sock.bind((source, 0))
        self.sock.connect((host, int(port)))
        head = "GET %s HTTP/1.1\r\nHost: %s\r\nAccept: text/event-stream\r\n" % (path, address)
        for field in credentials.fields(token=self.token):
            head += "%s: %s\r\n" % field
        if last_event_id:
            head += "Last-Event-ID: %s\r\n" % last_event_id
        self.sock.sendall((head + "\r\n").encode())

    def _connect_http2(self, address, path, last_event_id, read, receive_bytes):
        from . import http2

        connection = http2.Connection(address, receive_bytes=receive_bytes, reads=read, token=self.token)
        headers = [("accept", "text/event-stream")] + ([("last-event-id", last_event_id)] if last_event_id else [])
        self.http2 = connection, connection.exchanges[connection.request("GET", path, headers=headers)]
        self.sock = connection.socket

    def _read_head(self):
        if self.http2:
            connection, exchange = self.http2
            connection.until(lambda: exchange.headers is not None or exchange.reset is not None, "the head")
            self.code, self.headers = exchange.code, {name.lower(): value for name, value in exchange.fields.items()}
            self._take_exchange()
            return
        while b"\r\n\r\n" not in self.raw:
            self._receive()
        head, _, self.raw = self.raw.partition(b"\r\n\r\n")
        status, *fields = head.decode().split("\r\n")
        self.code = int(status.split(" ")[1])
        self.headers = {name.lower(): value for name, value in (field.split(": ", 1) for field in fields)}
        if self.headers.get("transfer-encoding") == "chunked":
            self._take_chunks()

    def _take_exchange(self):
        """Moves what has arrived over HTTP/2."""
        exchange = self.http2[1]
        data, exchange.body, self.ended = exchange.body, b"", exchange.ended
        if self.headers["content-type"] == "text/event-stream":
            self.text += data
            self._take_blocks()
        else:
            self.raw += data

    def _receive(self):
        if self.http2:
            self.http2[0].pump()
            self._take_exchange()
            if self.http2[1].reset is not None:
                raise ConnectionResetError("the stream was reset")
            return
        data = self.sock.recv(65536)
        if not data:
            raise EOFError("the connection ended")
        self.raw += data

    def _take_chunks(self):
        if self.http2:
            return
        while b"\r\n" in self.raw and not self.ended:
            size, _, rest = self.raw.partition(b"\r\n")
            length = int(size, 16)
            if len(rest) < length + 2:
                break
            assert rest[length:length + 2] == b"\r\n", rest[:length + 2]
            self.ended = length == 0
            self.text += rest[:length]  # may end in the middle of a character
            self.raw = rest[length + 2:]
        self._take_blocks()

    def _take_blocks(self):
        while b"\n\n" in self.text:
            block, _, self.text = self.text.partition(b"\n\n")
            self._take_block(block.decode())

    def _take_block(self, block):
        event, data = "message", None
        for line in block.split("\n"):
            name, _, value = line.partition(":")
            value = value[1:] if value.startswith(" ") else value
            if name == "id":
                self.position = value
            elif name == "event":
                event = value
            elif name == "retry":
                self.retry = int(value)
            elif name == "data":
                assert data is None, block
                data = value
            else:
                assert name == "", block
                self.comments += 1
        if data is not None:
            self.messages.append(Message(event, self.position, data))

    def pump(self):
        """Reads the available data. Waits until at least one byte arrives."""
        self._receive()
        self._take_chunks()

    def ends_within(self, seconds):
        """Reads until the body ends, or for this time. Returns whether it has ended."""
        end = time.monotonic() + seconds
        while not self.ended and time.monotonic() < end:
            self.sock.settimeout(max(0.01, end - time.monotonic()))
            try:
                self.pump()
            except TimeoutError:
                break
        self.sock.settimeout(DEADLINE_S)
        return self.ended

    def next(self):
        """Returns the next message. Waits at most DEADLINE_S for it."""
        end = time.monotonic() + DEADLINE_S  # the socket's own timeout does not suffice, because comments keep arriving
        while not self.messages:
            assert time.monotonic() < end, "waited in vain for a message; the last position was %s" % self.position
            self.pump()
        return self.messages.pop(0)

    def wait(self, event, wanted=lambda data: True):
        """Returns the first message named `event` for whose data wanted() is true. Drops the earlier messages of that name and
        keeps all others."""
        others, passed = [], []
        try:
            while True:
                message = self.next()
                if message.event != event:
                    others.append(message)
                elif wanted(message.data):
                    return message
                else:
                    passed.append(message)
        except (AssertionError, OSError) as problem:
            raise AssertionError("no such %s after %s: %s" % (event, passed, problem)) from problem
        finally:
            self.messages[:0] = others

    def wait_position(self):
        """Waits until the listener knows its position. After that, it misses no event."""
        while self.position is None:
            self.pump()
        return self.position

    def wait_end(self):
        """Reads until the body or the connection ends. Returns True if the body has ended with its last chunk, False if the
        connection broke."""
        try:
            while not self.ended:
                self.pump()
        except (EOFError, ConnectionError):
            pass
        return self.ended

    def body(self):
        """Returns the body of an answer that is not a stream."""
        while len(self.raw) < int(self.headers["content-length"]):
            self._receive()
        return json.loads(self.raw)

    def close(self):
        self.sock.close()


def positions(text):
    """Returns the position in each log, {"booking": SEQ, "hospital": SEQ}, that an event id contains."""
    return {name: int(seq) for name, seq in (part.split(":") for part in text.split(","))}
