"""Speaks HTTP/2 without TLS. An address has the prefix "h2:", and is followed by HOST:PORT or unix:PATH."""

import email.message
import socket
import time

import h2.config
import h2.connection
import h2.events
import h2.exceptions

from . import credentials
from .deadline import DEADLINE_S

PREFIX = "h2:"
HEAD_SIZE, GOAWAY = 9, 7  # of frames


class Exchange:
    """One request. `headers` and `trailers` are None until they have arrived; `reset` is an error code or None."""

    def __init__(self):
        self.informational, self.headers, self.trailers, self.body = [], None, None, b""
        self.ended, self.reset = False, None

    @property
    def code(self):
        return int(dict(self.headers)[":status"])

    @property
    def fields(self):
        """Returns the fields of the head; their names are not case-sensitive."""
        message = email.message.Message()
        for name, value in self.headers:
            if not name.startswith(":"):
                message[name] = value
        return message


class Connection:
    """A connection whose waits all have deadlines: `with Connection("h2:127.0.0.1:8081") as connection:`. With `reads`
    False, received data is never acknowledged, so that the windows stay closed once they are full. `token` is the caller's, or None."""

    def __init__(self, address, timeout=DEADLINE_S, receive_bytes=None, reads=True, source="", token=credentials.DEFAULT):
        target = address[len(PREFIX):] if address.startswith(PREFIX) else address
        self.token = token
        self.reads, self.exchanges, self.goaways, self.closed, self.received = reads, {}, [], False, b""
        if target.startswith("unix:"):
            self.socket, where = socket.socket(socket.AF_UNIX), target[len("unix:"):]
        else:
            host, _, port = target.rpartition(":")
            self.socket, where = socket.socket(), (host, int(port))
        if source:
            self.socket.bind((source, 0))
        if receive_bytes is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self.socket.settimeout(timeout)
        self.socket.connect(where)
        self.authority = "localhost" if target.startswith("unix:") else target
        self.state = h2.connection.H2Connection(h2.config.H2Configuration(
            client_side=True, header_encoding="utf-8", validate_outbound_headers=False, normalize_outbound_headers=False))
        self.state.initiate_connection()
        self.flush()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def flush(self):
        self.send(self.state.data_to_send())

    def send(self, data):
        """Sends bytes as they are."""
        if data:
            self.socket.sendall(data)

    # ---- requests

    def head(self, method, path, headers=(), authority=None):
        return [(":method", method), (":scheme", "http"), (":authority", authority or self.authority), (":path", path),
                *credentials.fields(((name.lower(), value) for name, value in headers), self.token)]

    def begin(self, fields, ended=True):
        """Sends the head of a request as it is. Returns the id of its stream."""
        stream_id = self.state.get_next_available_stream_id()
        self.exchanges[stream_id] = Exchange()
        self.state.send_headers(stream_id, fields, end_stream=ended)
        self.flush()
        return stream_id

    def body(self, stream_id, data, ended=True):
        """Sends a body as fast as the windows allow. Stops if the answer has ended or the stream was reset."""
        exchange = self.exchanges[stream_id]
        while data and not exchange.ended and exchange.reset is None:
            room = min(self.state.local_flow_control_window(stream_id), self.state.max_outbound_frame_size, len(data))
            if room == 0:
                self.pump()
                continue
            self.state.send_data(stream_id, data[:room])
            data = data[room:]
            self.flush()
        if ended and not data and exchange.reset is None:
            self.state.end_stream(stream_id)
            self.flush()

    def request(self, method, path, body=b"", headers=()):
        """Sends a request. Returns the id of its stream."""
        headers = list(headers)
        if body:
            headers.append(("content-length", str(len(body))))
        stream_id = self.begin(self.head(method, path, headers), ended=not body)
        if body:
            self.body(stream_id, body)
        return stream_id

    def ask(self, method, path, body=b"", headers=()):
        """Sends a request and waits for the end of its answer."""
        return self.wait(self.request(method, path, body, headers))

    # ---- answers

    def pump(self):
        """Reads the available data. Waits for at least one byte."""
        data = self.socket.recv(65536)
        if not data:
            self.closed = True
            raise EOFError("the connection ended")
        for event in self.state.receive_data(self._without_goaways(data)):
            self._take(event)
        self.flush()

    def _without_goaways(self, data):
        """Removes GOAWAY frames from the data, because after one h2 would refuse the answers that may still follow."""
        self.received += data
        rest = b""
        while len(self.received) >= HEAD_SIZE:
            length, kind = int.from_bytes(self.received[:3], "big"), self.received[3]
            whole, payload = self.received[:HEAD_SIZE + length], self.received[HEAD_SIZE:HEAD_SIZE + length]
            if len(payload) < length:
                break
            self.received = self.received[len(whole):]
            if kind == GOAWAY:
                self.goaways.append((int.from_bytes(payload[4:8], "big"), int.from_bytes(payload[:4], "big")))
            else:
                rest += whole
        return rest

    def _take(self, event):
        exchange = self.exchanges.get(getattr(event, "stream_id", None))
        if exchange is None:
            return
        if isinstance(event, h2.events.InformationalResponseReceived):
            exchange.informational.append(int(dict(event.headers)[":status"]))
        elif isinstance(event, h2.events.ResponseReceived):
            exchange.headers = event.headers
        elif isinstance(event, h2.events.TrailersReceived):
            exchange.trailers = dict(event.headers)
        elif isinstance(event, h2.events.DataReceived):
            exchange.body += event.data
            if self.reads and event.flow_controlled_length:
                self.state.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            exchange.ended = True
        elif isinstance(event, h2.events.StreamReset):
            exchange.reset = event.error_code

    def until(self, condition, what="it"):
        """Pumps until the condition holds."""
        end = time.monotonic() + DEADLINE_S
        while not condition():
            assert time.monotonic() < end, "waited in vain for " + what
            self.pump()

    def wait(self, stream_id):
        """Waits until the answer has ended, or its stream was reset. Returns the exchange."""
        exchange = self.exchanges[stream_id]
        self.until(lambda: exchange.ended or exchange.reset is not None, "the answer of stream %d" % stream_id)
        return exchange

    def wait_end(self):
        """Reads until the server has closed the connection. Returns the error code of its last GOAWAY, or None."""
        try:
            while True:
                self.pump()
        except (EOFError, ConnectionError, h2.exceptions.ProtocolError):
            self.closed = True
        return self.goaways[-1][0] if self.goaways else None
