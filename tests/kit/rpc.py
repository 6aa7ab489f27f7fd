"""Makes RPC calls: packs messages of screening.v1 into the envelope of rpc.v1."""

import threading

from auth.v1 import access_pb2
from google.protobuf import descriptor_pb2, symbol_database
from google.protobuf.message import DecodeError
from grpc.health.v1 import health_pb2
from rpc.v1 import envelope_pb2, introspection_pb2
from screening.v1 import booking_pb2, event_pb2, history_pb2, hospital_pb2, pairing_pb2, types_pb2

from . import credentials, sp
from .ids import new_id  # noqa: F401  tests use it as rpc.new_id()

OK, INVALID_ARGUMENT, DEADLINE_EXCEEDED, NOT_FOUND, ALREADY_EXISTS = 0, 3, 4, 5, 6
RESOURCE_EXHAUSTED, FAILED_PRECONDITION, UNIMPLEMENTED, INTERNAL = 8, 9, 12, 13
UNAVAILABLE, DATA_LOSS = 14, 15

SERVICES = {
    service.full_name: service
    for file in (booking_pb2, event_pb2, history_pb2, hospital_pb2, pairing_pb2, introspection_pb2, health_pb2)
    for service in file.DESCRIPTOR.services_by_name.values()
}


def is_unary(method):
    described = descriptor_pb2.MethodDescriptorProto()
    method.CopyToProto(described)
    return not described.server_streaming


# Maps "CreateBooking" to ("screening.v1.BookingService/CreateBooking", the method's descriptor).
METHODS = {
    method.name: (service.full_name + "/" + method.name, method)
    for service in SERVICES.values()
    for method in service.methods if is_unary(method)
}


def access_of(name):
    """Returns the access rule that stands beside a method."""
    return METHODS[name][1].GetOptions().Extensions[access_pb2.access]


def only_services_call(name):
    return name in METHODS and list(access_of(name).roles) == [access_pb2.SERVICE]


def message_class(descriptor):
    return symbol_database.Default().GetPrototype(descriptor)


class Reply:
    """An answer: the fields of the envelope, and the response message if the code is 0."""

    def __init__(self, envelope, response):
        self.code, self.reason, self.text = envelope.code, envelope.reason, envelope.message
        self.retry_after_ms = envelope.retry_after_ms
        self.payload, self.message = envelope.payload, response

    def __repr__(self):
        return "code %d %s %s" % (self.code, self.reason, self.text or self.message)


def pack(method, payload, timeout_ms=0, metadata=None, explicit_presence=True, token=credentials.DEFAULT):
    """Packs a request of a method, given as SERVICE/METHOD."""
    request = envelope_pb2.Request(method=method, payload=payload, timeout_ms=timeout_ms)
    if hasattr(request, "explicit_presence"):  # builds of earlier versions do not have this field
        request.explicit_presence = explicit_presence
    for_service = only_services_call(method.rpartition("/")[2])
    for key, value in credentials.fields((metadata or {}).items(), token, for_service):
        request.metadata.add(key=key, value=value)
    return request.SerializeToString()


def method_in(body):
    """Returns the name of the method that a packed request calls, or "" if it is no request."""
    try:
        return envelope_pb2.Request.FromString(body).method.rpartition("/")[2]
    except DecodeError:
        return ""


def unpack(body, method):
    envelope = envelope_pb2.Response.FromString(body)
    response = None
    if envelope.code == OK and method is not None:
        response = message_class(method.output_type).FromString(envelope.payload)
    return Reply(envelope, response)


class Caller:
    """Calls methods by `send` and `receive`: client.CreateBooking(customer_id=..., ...) calls a method and returns a Reply."""

    def send(self, name, /, **arguments):
        """Sends a request without waiting for the answer. Returns the argument for `receive`."""
        raise NotImplementedError

    def receive(self, sent):
        raise NotImplementedError

    def call(self, name, /, **arguments):
        return self.receive(self.send(name, **arguments))

    def call_all(self, name, requests, /, **arguments):
        """Sends all requests at once on this connection. Returns the replies in the order of the requests."""
        sent = [self.send(name, **arguments, **request) for request in requests]
        return [self.receive(one) for one in sent]

    def __getattr__(self, name):
        if name not in METHODS:
            raise AttributeError(name)
        return lambda **arguments: self.call(name, **arguments)


class Client(Caller):
    """A connection to one service. `token` is the caller's, or None."""

    def __init__(self, address, timeout=60.0, token=credentials.DEFAULT, tls=None):
        self.address, self.token = address, token
        self.requester = sp.Requester(address, timeout, tls)

    def send(self, name, /, timeout_ms=50000, metadata=None, **fields):  # pylint: disable=arguments-differ
        full, method = METHODS[name]
        payload = message_class(method.input_type)(**fields).SerializeToString()
        return self.requester.send(pack(full, payload, timeout_ms, metadata, token=self.token)), method

    def receive(self, sent):
        request_id, method = sent
        return unpack(self.requester.receive(request_id), method)

    def raw(self, body):
        """Sends `body`, which may be any bytes, as a request. Returns the Reply."""
        return unpack(self.requester.request(body), None)

    def close(self):
        self.requester.close()


class SecureClient(Caller):
    """Calls each method at the listener for its callers: those that only services call at that for services."""

    def __init__(self, address, service_address):
        self.people, self.services = Client(address), Client(service_address)

    def _of(self, name):
        return self.services if only_services_call(name) else self.people

    def send(self, name, /, **arguments):
        client = self._of(name)
        return client, client.send(name, **arguments)

    def receive(self, sent):
        client, sent = sent
        return client.receive(sent)

    def raw(self, body):
        return self._of(method_in(body)).raw(body)

    def close(self):
        self.people.close()
        self.services.close()


class FakeService:
    """Plays a service. For each request it calls handler(method name, request message), which returns the response message, an
    envelope Response, or None to send no answer."""

    def __init__(self, address, handler):
        self.address, self.handler = address, handler
        self.seen, self.envelopes = [], []
        self.listener = sp.Listener(address, sp.REP, sp.REQ, self._serve)

    def _serve(self, pipe):
        lock = threading.Lock()
        while True:
            message = pipe.receive()
            threading.Thread(target=self._answer, args=(pipe, lock, message), daemon=True).start()

    def _answer(self, pipe, lock, message):
        header, request = message[:4], envelope_pb2.Request.FromString(message[4:])
        name = request.method.split("/")[1]
        content = message_class(METHODS[name][1].input_type).FromString(request.payload)
        self.envelopes.append(request)
        self.seen.append((name, content))
        answer = self.handler(name, content)
        if answer is None:
            return
        if not isinstance(answer, envelope_pb2.Response):
            answer = envelope_pb2.Response(payload=answer.SerializeToString())
        try:
            with lock:
                pipe.send(header + answer.SerializeToString())
        except OSError:
            pass  # the caller has disconnected, which does not matter here

    @property
    def calls(self):
        """Returns the envelopes of the requests, without those of subscribers, who ask at any time."""
        return [one for one in self.envelopes if not one.method.endswith("/Fetch")]

    def count(self, name):
        return sum(1 for seen, _ in self.seen if seen == name)

    def close(self):
        self.listener.close()


class FakePublisher:
    """Plays the pub/sub side of a log. Sends each batch to every connected subscriber."""

    def __init__(self, address, topic):
        self.topic = topic.encode() + b"\n"
        self.listener = sp.Listener(address, sp.PUB, sp.SUB, self._hold)

    def _hold(self, pipe):
        pipe.sock.settimeout(None)
        while pipe.receive():
            pass

    def publish(self, batch):
        for pipe in self.listener.connections():
            try:
                pipe.send(self.topic + batch.SerializeToString())
            except OSError:
                pass  # the subscriber has disconnected

    def subscribers(self):
        return len(self.listener.connections())

    def close(self):
        self.listener.close()


class Subscriber:
    """Subscribes to a real service and reads its pub/sub messages."""

    def __init__(self, address, timeout=10.0):
        self.pipe = sp.Pipe.dial(address, sp.SUB, sp.PUB, timeout)

    def receive(self):
        topic, _, body = self.pipe.receive().partition(b"\n")
        return topic.decode(), event_pb2.EventBatch.FromString(body)

    def close(self):
        self.pipe.close()


__all__ = ["booking_pb2", "event_pb2", "history_pb2", "hospital_pb2", "types_pb2", "envelope_pb2"]
