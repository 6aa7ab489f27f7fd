"""Sends HTTP requests exactly as given, including ones that no client library would send, and returns the exact bytes of the
answers."""

import re
import socket
import time

from . import credentials
from .stack import DEADLINE_S


class Reply:
    """An answer: its code, its fields by lower-case name, and its body."""

    def __init__(self, code, fields, body):
        self.code, self.fields, self.body = code, fields, body

    def __repr__(self):
        return "%d %s %r" % (self.code, self.fields, self.body)


def head(method, path, *fields):
    """Returns the head of a request, including its empty line. The caller is an administrator unless a field names another one."""
    if not any(field.lower().startswith("authorization:") for field in fields):
        fields += tuple("%s: %s" % field for field in credentials.fields())
    return ("\r\n".join(("%s %s HTTP/1.1" % (method, path), "Host: test", *fields)) + "\r\n\r\n").encode()


def request(method, path, body=b"", *fields):
    """Returns a well-formed request with a body."""
    length = ("Content-Length: %d" % len(body),) if body else ()
    return head(method, path, *fields, *length) + body


class Connection:
    """A connection on which every wait has a deadline: `with Connection("127.0.0.1:8080") as connection:`"""

    def __init__(self, address, receive_buffer=None, source=""):
        host, _, port = address.rpartition(":")
        self.socket = socket.socket()
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(DEADLINE_S)
        if source:
            self.socket.bind((source, 0))
        self.socket.connect((host, int(port)))
        self.unread, self.ended = b"", False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data):
        """Sends the data. Returns False if the server has closed the connection."""
        try:
            self.socket.sendall(data)
            return True
        except (BrokenPipeError, ConnectionResetError):
            return False

    def receive(self):
        """Reads more of the answer. Returns False if the server has closed the connection."""
        try:
            chunk = self.socket.recv(65536)
        except ConnectionResetError:
            chunk = b""
        self.unread += chunk
        self.ended = not chunk
        return bool(chunk)

    def silent_for(self, seconds):
        """Waits for `seconds`. Returns whether the connection stays open and nothing arrives in that time."""
        self.socket.settimeout(seconds)
        try:
            self.receive()
            return False
        except TimeoutError:
            return True
        finally:
            self.socket.settimeout(DEADLINE_S)

    def reply(self, to_head=False):
        """Returns the next answer, or None if the connection ended before the answer was complete."""
        while True:
            found = re.match(rb"HTTP/1\.[01] (\d{3}) [^\r]*\r\n(.*?)\r\n\r\n", self.unread, re.S)
            if found:
                fields = {name.lower(): value for name, _, value in
                          (line.partition(": ") for line in found[2].decode().split("\r\n"))}
                code, size = int(found[1]), 0 if to_head else int(fields.get("content-length", 0))
                if code == 100:
                    self.unread = self.unread[found.end():]
                    continue
                if len(self.unread) - found.end() >= size:
                    body, self.unread = self.unread[found.end():found.end() + size], self.unread[found.end() + size:]
                    return Reply(code, fields, body)
            if not self.receive():
                return None

    def rest(self):
        """Returns everything that arrives until the server closes the connection."""
        while self.receive():
            pass
        return self.unread

    def trickle(self, data, pause_s, until=lambda: False):
        """Sends the data byte by byte, with a pause of `pause_s` seconds after each byte, until all bytes are sent, `until()` is
        true, or the server closes the connection."""
        self.socket.settimeout(pause_s)
        begun = time.monotonic()
        try:
            for i in range(len(data)):
                if until() or not self.send(data[i:i + 1]):
                    break
                try:
                    if not self.receive():
                        break
                except TimeoutError:
                    pass  # the pause is over
        finally:
            self.socket.settimeout(DEADLINE_S)
        return time.monotonic() - begun
