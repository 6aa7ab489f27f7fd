"""A listener of GET /events: server-sent events over a separate connection."""

import json
import socket
import time
import urllib.parse

from .stack import DEADLINE_S


class Message:
    """One event, with its name, the listener's last id after it, and its data as JSON."""

    def __init__(self, event, position, data):
        self.event, self.position = event, position
        self.data = json.loads(data)

    def __repr__(self):
        return "%s %s %s" % (self.event, self.position, self.data)


class Listener:
    """Connects and reads the head of the answer; `code` is its status. With `read` False, it reads nothing else."""

    def __init__(self, address, last_event_id=None, read=True, receive_bytes=None, **query):
        host, port = address.rsplit(":", 1)
        self.sock = socket.socket()
        if receive_bytes:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self.sock.settimeout(DEADLINE_S)
        self.sock.connect((host, int(port)))
        head = "GET /events?%s HTTP/1.1\r\nHost: %s\r\nAccept: text/event-stream\r\n" % (urllib.parse.urlencode(query), address)
        if last_event_id:
            head += "Last-Event-ID: %s\r\n" % last_event_id
        self.sock.sendall((head + "\r\n").encode())
        self.raw, self.text = b"", b""
        self.position, self.retry, self.comments = None, None, 0
        self.ended = False  # the body ended properly
        self.messages = []  # received but not yet returned
        if read:
            self._read_head()

    def _read_head(self):
        while b"\r\n\r\n" not in self.raw:
            self._receive()
        head, _, self.raw = self.raw.partition(b"\r\n\r\n")
        status, *fields = head.decode().split("\r\n")
        self.code = int(status.split(" ")[1])
        self.headers = {name.lower(): value for name, value in (field.split(": ", 1) for field in fields)}
        if self.headers.get("transfer-encoding") == "chunked":
            self._take_chunks()

    def _receive(self):
        data = self.sock.recv(65536)
        if not data:
            raise EOFError("the connection ended")
        self.raw += data

    def _take_chunks(self):
        while b"\r\n" in self.raw and not self.ended:
            size, _, rest = self.raw.partition(b"\r\n")
            length = int(size, 16)
            if len(rest) < length + 2:
                break
            assert rest[length:length + 2] == b"\r\n", rest[:length + 2]
            self.ended = length == 0
            self.text += rest[:length]  # the data may end in the middle of a character
            self.raw = rest[length + 2:]
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
        """Reads the available data. Waits for at least one byte."""
        self._receive()
        self._take_chunks()

    def next(self):
        """Returns the next message."""
        end = time.monotonic() + DEADLINE_S  # comments arrive all the time
        while not self.messages:
            assert time.monotonic() < end, "waited in vain for a message; the last position was %s" % self.position
            self.pump()
        return self.messages.pop(0)

    def wait(self, event, wanted=lambda data: True):
        """Returns the first message with that name for which the condition holds. Drops earlier ones of that name,
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
        """Waits until the listener knows its position. From then on it misses no event."""
        while self.position is None:
            self.pump()
        return self.position

    def wait_end(self):
        """Reads to the end of the body. Returns True if it ended properly, False if the connection broke."""
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
    """Parses an id into {"booking": SEQ, "hospital": SEQ}."""
    return {name: int(seq) for name, seq in (part.split(":") for part in text.split(","))}
