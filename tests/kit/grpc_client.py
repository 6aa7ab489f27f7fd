"""Calls the services by gRPC through gateway-svc, with the same interface as rpc.Client."""

import os
import queue
import struct
import sys

from . import credentials, rpc
from .deadline import DEADLINE_S
from .rpc import METHODS, message_class


def load_grpc():
    """Imports grpcio, although our messages are in a package of the same name, grpc, that precedes it in the path."""
    ours = [path for path in sys.path if os.path.isdir(os.path.join(path, "grpc/health"))]
    kept = {name: sys.modules.pop(name) for name in list(sys.modules) if name == "grpc" or name.startswith("grpc.")}
    path, sys.path = sys.path, [one for one in sys.path if one not in ours]
    try:
        import grpc
    finally:
        sys.path = path
    grpc.__path__ += [os.path.join(one, "grpc") for one in ours]
    sys.modules.update({name: module for name, module in kept.items() if name not in sys.modules})
    return grpc


grpc = load_grpc()
from grpc.reflection.v1 import reflection_pb2  # noqa: E402  pylint: disable=wrong-import-position


class Reply:
    """One answer, like rpc.Reply, with the metadata of gRPC. `details` are pairs of a type and a value in bytes."""

    def __init__(self, code, text, message, trailers):
        self.code, self.text, self.message, self.trailers = code, text, message, trailers
        self.reason, self.retry_after_ms, self.details = "", 0, []
        packed = dict(trailers).get("grpc-status-details-bin")
        if packed is not None:
            self._read(fields_of(packed))

    def _read(self, status):
        assert status.get(1, [0])[0] == self.code and status[2][0].decode() == self.text, (status, self.code, self.text)
        for packed in status[3]:
            detail = fields_of(packed)
            kind, value = detail[1][0].decode(), fields_of(detail[2][0])
            self.details.append(kind)
            if kind == "type.googleapis.com/google.rpc.ErrorInfo":
                self.reason = value[1][0].decode()
                assert value[2][0] == b"screening.v1", value
            elif kind == "type.googleapis.com/google.rpc.RetryInfo":
                delay = fields_of(value[1][0])
                self.retry_after_ms = delay.get(1, [0])[0] * 1000 + delay.get(2, [0])[0] // 1000000

    def __repr__(self):
        return "code %d %s %s" % (self.code, self.reason, self.text or self.message)


def framed(message, compressed=0):
    """Returns a message, given as such or in bytes, as a frame of gRPC."""
    data = message if isinstance(message, bytes) else message.SerializeToString()
    return struct.pack(">BI", compressed, len(data)) + data


def status_of(exchange):
    """Returns the code and the encoded message of an answer of http2.Connection. Errors have no body and no trailers of their own."""
    fields = exchange.trailers if exchange.trailers is not None else dict(exchange.headers)
    assert exchange.code == 200 and exchange.fields["content-type"].startswith("application/grpc"), exchange.headers
    return int(fields["grpc-status"]), fields.get("grpc-message", "")


def fields_of(data):
    """Parses a message without its descriptor. Returns lists of numbers and bytes by field number."""
    found, at = {}, 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7f) << shift
            shift += 7
            if byte < 0x80:
                return value
    while at < len(data):
        key = varint()
        value = varint()
        if key & 7 == 2:
            value, at = data[at:at + value], at + value
        found.setdefault(key >> 3, []).append(value)
    return found


class Client:
    """A channel. Calls: client.CreateBooking(customer_id=..., ...) -> Reply. With `certificate`, the path of a PEM file, it uses TLS.
    `token` is the caller's, or None."""

    def __init__(self, address, certificate=None, options=(), token=credentials.DEFAULT):
        self.token = token
        options = [("grpc.enable_http_proxy", 0), *options]
        if certificate is None:
            self.channel = grpc.insecure_channel(address, options=options)
            return
        with open(certificate, "rb") as file:
            self.channel = grpc.secure_channel(address, grpc.ssl_channel_credentials(file.read()), options=options)

    def call(self, name, /, timeout_ms=50000, metadata=None, **fields):
        full, method = METHODS[name]
        return self.call_path("/" + full, message_class(method.input_type)(**fields), message_class(method.output_type),
                              timeout_ms, metadata)

    def call_path(self, path, request, response_class, timeout_ms=50000, metadata=None, **more):
        call = self.channel.unary_unary(path, request_serializer=lambda message: message if isinstance(message, bytes)
                                        else message.SerializeToString(), response_deserializer=response_class.FromString)
        try:
            message, done = call.with_call(request, timeout=timeout_ms / 1000, metadata=credentials.fields(metadata, self.token), **more)
            return Reply(rpc.OK, "", message, done.trailing_metadata())
        except grpc.RpcError as error:
            return Reply(error.code().value[0], error.details(), None, error.trailing_metadata() or ())

    def __getattr__(self, name):
        if name not in METHODS:
            raise AttributeError(name)
        return lambda **arguments: self.call(name, **arguments)

    def close(self):
        self.channel.close()


class Stream:
    """A stream of messages from the gateway, in `call`."""

    def end(self):
        """Waits for the end of the stream. Returns the code and the text."""
        try:
            for _ in self.call:
                pass
        except grpc.RpcError:
            pass
        return self.call.code().value[0], self.call.details()

    def cancel(self):
        self.call.cancel()


class Watch(Stream):
    """A stream of grpc.health.v1.Health/Watch."""

    def __init__(self, client, service="", timeout=2 * DEADLINE_S):
        method = client.channel.unary_stream("/grpc.health.v1.Health/Watch", request_serializer=lambda message: message.SerializeToString(),
                                             response_deserializer=rpc.health_pb2.HealthCheckResponse.FromString)
        self.call = method(rpc.health_pb2.HealthCheckRequest(service=service), timeout=timeout)

    def next(self):
        """Waits for the next message and returns its status."""
        return next(self.call).status

    def until(self, status):
        """Waits for a message with this status."""
        while self.next() != status:
            pass


class Reflection(Stream):
    """A stream of ServerReflectionInfo: `ask(file_by_filename="a.proto")` returns the response."""

    def __init__(self, client, version="v1", timeout=2 * DEADLINE_S):
        self.questions = queue.Queue()
        method = client.channel.stream_stream("/grpc.reflection.%s.ServerReflection/ServerReflectionInfo" % version,
                                              request_serializer=lambda message: message.SerializeToString(),
                                              response_deserializer=reflection_pb2.ServerReflectionResponse.FromString)
        self.call = method(iter(self.questions.get, None), timeout=timeout)

    def ask(self, **question):
        self.questions.put(reflection_pb2.ServerReflectionRequest(host="h", **question))
        return next(self.call)

    def half_close(self):
        self.questions.put(None)
