"""Records the history of a run: every attempt of every client, with its request, its times, and its answer.

A record is a dict. In a file, each record is a line of JSON:
{"client", "op", "id", "request": {fields as sent}, "begin_ns", "end_ns", "answer": {"code", "reason", "retry_after_ms",
"message"} or None, "way"}
Times are time.monotonic_ns(). If "answer" is None, no answer came, so the outcome is unknown, and the client gave up at end_ns.
"message" is the response as `plain` makes it. It is present only if the code is 0.
"way" is "door" for a request over HTTP through the front door, and is otherwise absent.
"""
import json
import threading
import time

from kit import rpc


def plain(message):
    """Returns a protobuf message as a dict of all fields, with enums as numbers and times in microseconds."""
    if message.DESCRIPTOR.full_name == "google.protobuf.Timestamp":
        return message.seconds * 1000000 + message.nanos // 1000
    found = {}
    for field in message.DESCRIPTOR.fields:
        value = getattr(message, field.name)
        if field.label == field.LABEL_REPEATED:
            value = [plain(one) for one in value] if field.message_type else list(value)
        elif field.message_type:
            value = plain(value) if message.HasField(field.name) else None
        found[field.name] = value
    return found


class History:
    """The records of attempts. Any number of threads may append records. An iteration covers the records that were present at its
    start."""

    def __init__(self, records=()):
        self._records = list(records)
        self._lock = threading.Lock()

    def append(self, record):
        with self._lock:
            self._records.append(record)

    def __iter__(self):
        with self._lock:
            return iter(list(self._records))

    def __len__(self):
        return len(self._records)

    def call(self, who, client, op, /, timeout_ms=50000, **request):
        """Makes and records one attempt over an rpc.Client. Returns the Reply. Returns None if no answer came; the connection is
        then unusable."""
        record = {"client": who, "op": op, "id": request.get("booking_id") or request.get("hospital_id", ""),
                  "request": request, "begin_ns": time.monotonic_ns(), "end_ns": 0, "answer": None}
        reply = None
        try:
            reply = client.call(op, timeout_ms=timeout_ms, **request)
            record["answer"] = {"code": reply.code, "reason": reply.reason, "retry_after_ms": reply.retry_after_ms}
        except OSError:
            pass
        record["end_ns"] = time.monotonic_ns()
        if reply is not None and reply.code == rpc.OK:
            record["answer"]["message"] = plain(reply.message)
        self.append(record)
        return reply

    def save(self, path):
        with open(path, "w", encoding="utf-8") as file:
            for record in self:
                file.write(json.dumps(record, ensure_ascii=False) + "\n")

    @classmethod
    def load(cls, path):
        with open(path, encoding="utf-8") as file:
            return cls(json.loads(line) for line in file)
