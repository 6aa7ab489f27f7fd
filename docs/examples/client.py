"""Books a place, looks the booking up, cancels it: from docs/wire-protocol.md, with the standard library alone.

    SCREENING_TOKEN_FILE=admin.token python3 client.py tcp://127.0.0.1:7201 HOSPITAL_ID 2026-12-01
"""
import os, secrets, socket, struct, sys, time, uuid

BUDGET_MS = 5000
STATUSES = ("UNSPECIFIED", "REQUESTED", "CONFIRMED", "REJECTED", "CANCELLED", "FORCE_CANCELLED")

def varint(number):
    return bytes([number]) if number < 128 else bytes([number & 127 | 128]) + varint(number >> 7)

def encode(fields):
    """Encodes a protobuf message given as {field number: int, str or bytes}."""
    message = b""
    for number, value in fields.items():
        if isinstance(value, int):
            message += varint(number << 3) + varint(value)
        else:
            data = value.encode() if isinstance(value, str) else value
            message += varint(number << 3 | 2) + varint(len(data)) + data
    return message

def read_varint(data, at):
    end = next(i for i in range(at, len(data)) if data[i] < 128) + 1
    return sum((byte & 127) << 7 * i for i, byte in enumerate(data[at:end])), end

def decode(data):
    """Decodes a message to {field number: int or bytes}. Keeps only the last element of a repeated field."""
    fields, at = {}, 0
    while at < len(data):
        key, at = read_varint(data, at)
        if key & 7 == 0:
            fields[key >> 3], at = read_varint(data, at)
        else:  # bytes: 8 or 4 by the wire type, or as many as the length gives
            size, at = ({1: 8, 5: 4}[key & 7], at) if key & 7 != 2 else read_varint(data, at)
            fields[key >> 3], at = data[at:at + size], at + size
    return fields

def connect(address):
    host, port = address.removeprefix("tcp://").rsplit(":", 1)
    stream = socket.create_connection((host, int(port)), BUDGET_MS / 1000 + 1).makefile("rwb")
    stream.write(b"\0SP\0\0\x30\0\0")
    stream.flush()
    if read(stream, 8) != b"\0SP\0\0\x31\0\0":
        raise ConnectionError("%s is no service that answers calls" % address)
    return stream

def read(stream, size):
    data = stream.read(size)
    if len(data) < size:
        raise ConnectionError("the service closed the connection")
    return data

def metadata():
    """Returns the metadata of a call: the token in the file that SCREENING_TOKEN_FILE names, if there is one."""
    path = os.environ.get("SCREENING_TOKEN_FILE")
    if not path:
        return {}
    with open(path, encoding="ascii") as file:
        return {4: encode({1: "authorization", 2: "Bearer " + file.read().strip()})}

def ask(stream, method, fields):
    """Calls a method of BookingService and prints the booking in the answer. Only one call may be in flight."""
    body = b"\x80\0\0\1" + encode({1: "screening.v1.BookingService/" + method, 2: encode(fields), 3: BUDGET_MS, **metadata(), 5: 1})
    stream.write(struct.pack(">Q", len(body)) + body)
    stream.flush()
    (size,) = struct.unpack(">Q", read(stream, 8))
    response = decode(read(stream, size)[4:])  # after the request id
    if response.get(1, 0) != 0:
        words = [response.get(field, b"").decode() for field in (5, 2)]
        sys.exit("%s: code %d %s: %s" % (method, response[1], *words))
    booking = decode(response[3])
    print("%s: booking %s is %s" % (method, booking[1].decode(), STATUSES[booking[7]]))

if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    address, hospital_id, date = sys.argv[1:]
    # A version 7 UUID: the time, then random bits. The client makes the id: sending the same request again books only once.
    bits = time.time_ns() // 1000000 << 80 | secrets.randbits(80)
    booking_id = str(uuid.UUID(int=bits & ~(15 << 76 | 3 << 62) | 7 << 76 | 2 << 62))
    service = connect(address)
    ask(service, "CreateBooking", {1: booking_id, 2: "kim-haneul", 3: "김하늘", 4: hospital_id, 5: date})
    ask(service, "GetBooking", {1: booking_id})
    ask(service, "CancelBooking", {1: booking_id})
