"""Makes ids as clients do."""

import base64
import hashlib
import json
import threading
import time
import uuid

from . import credentials

KEYS = uuid.UUID("06b838db-ec70-49bf-9b06-09ba93f03ad3")  # namespace of ids that gateway-svc derives (docs/http-api.md)

_last_id = 0
_id_lock = threading.Lock()


def new_id():
    """Returns a UUID of version 7 that is greater than all earlier ones."""
    global _last_id
    with _id_lock:
        # The id begins with the time in milliseconds and a 12-bit counter within the millisecond.
        _last_id = max(_last_id + 1, int(time.time() * 1000) << 12)
        milliseconds, count = _last_id >> 12, _last_id & 0xFFF
    tail = uuid.uuid4().int & ((1 << 62) - 1)
    return str(uuid.UUID(int=milliseconds << 80 | 0x7 << 76 | count << 64 | 0b10 << 62 | tail))


def keyed_id(key):
    """Returns the id that gateway-svc derives from an Idempotency-Key that is no UUID, for the caller whose token the kit sends."""
    name, token = key.encode(), credentials.current().person
    if token:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        name = hashlib.sha256(claims["iss"].encode()).digest()[:16] + claims["sub"].encode() + b"\0" + name
    return str(uuid.UUID(bytes=hashlib.sha1(KEYS.bytes + name).digest()[:16], version=5))
