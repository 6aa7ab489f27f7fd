"""Makes ids as clients do."""

import threading
import time
import uuid

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
