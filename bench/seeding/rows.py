"""Makes the rows of invented bookings, table by table. The rows depend only on the plan, not on the database.

Every booking is CONFIRMED, and has its place in hospital-svc, one event in booking-svc's log and one entry in history-svc. The n-th
booking is the n-th event. Ids are 16 bytes, dates are text."""
import datetime
import hashlib

CONFIRMED, ACTIVE, LIVE, VERSION = 2, 1, 1, 2
CAPACITY = 100000  # capacity of a day: the maximum that hospital-svc accepts
NAME, HOSPITAL_NAME = "Kim Seed", "Seed clinic"
FIRST_US = 1000000  # microseconds from the intent of a booking to its settling
HOSPITAL, BOOKING, EVENT = 1, 2, 3  # kinds of ids


def make_id(instant_us, kind, number):
    """Returns a UUID of version 7 that contains the time `instant_us`, a kind and a number."""
    return (instant_us // 1000).to_bytes(6, "big") + bytes((0x70, kind)) + (0x8000 << 48 | number).to_bytes(8, "big")


def id_text(value):
    text = value.hex()
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:])).encode()


# ---- protobuf: encodes a field of each kind that is needed here; a default takes no bytes

def _varint(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def number(field, value):
    return _varint(field << 3) + _varint(value) if value else b""


def packed(field, value):
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def instant(field, instant_us):
    return packed(field, number(1, instant_us // 1000000) + number(2, instant_us % 1000000 * 1000))


def digest(request):
    return hashlib.sha256(request).digest()[:16]


class Plan:
    """A plan of `count` bookings in order of time. They are spread evenly over the months before `now_us`, and over the customers,
    hospitals and days."""

    def __init__(self, count, customers, hospitals, days, months, now_us, today):
        self.count, self.customers, self.hospital_count = count, customers, hospitals
        self.begin_us = now_us - months * 30 * 86400 * 1000000
        self.step_us = (now_us - self.begin_us) // (count + 1)
        self.hospital_ids = [make_id(self.begin_us, HOSPITAL, number) for number in range(hospitals)]
        self.dates = [(today + datetime.timedelta(days=1 + day)).isoformat() for day in range(days)]
        self.slots = [(hospital, date) for date in self.dates for hospital in range(hospitals)]
        if count > len(self.slots) * CAPACITY:
            raise ValueError("%d bookings need more hospitals or days" % count)

    def days_us(self):
        """Returns an instant, in microseconds, of each day on which an event of the plan occurred."""
        last_us = self._created_us(self.count - 1) + FIRST_US
        return [*range(self.begin_us, last_us, 86400 * 1000000), last_us]

    def _created_us(self, i):
        return self.begin_us + (i + 1) * self.step_us

    def last_event_id(self):
        return make_id(self._created_us(self.count - 1), EVENT, self.count - 1)

    # -- hospitals

    def _taken(self, slot):
        return self.count // len(self.slots) + (slot < self.count % len(self.slots))

    def hospitals(self):
        for identity in self.hospital_ids:
            days = b"".join(packed(4, packed(1, date.encode()) + number(2, CAPACITY)) for date in self.dates)
            request = packed(1, id_text(identity)) + packed(2, HOSPITAL_NAME.encode()) + days
            yield identity, HOSPITAL_NAME, "", ACTIVE, self.begin_us, digest(request)

    def days(self):
        for slot, (hospital, date) in enumerate(self.slots):
            yield self.hospital_ids[hospital], date, CAPACITY, self._taken(slot), 1

    def capacity_changes(self):
        for hospital, date in self.slots:
            yield self.hospital_ids[hospital], date, 1, CAPACITY, 0

    def hospital_event_id(self, hospital):
        return make_id(self.begin_us, EVENT, hospital)

    def hospital_events(self):
        days = b"".join(packed(6, packed(1, date.encode()) + number(2, CAPACITY) + number(3, CAPACITY) + number(4, 1))
                        for date in self.dates)
        for hospital, identity in enumerate(self.hospital_ids):
            event_id, kind = self.hospital_event_id(hospital), b"hospital.registered"
            body = (packed(1, id_text(identity)) + packed(2, HOSPITAL_NAME.encode()) + number(4, ACTIVE) +
                    instant(5, self.begin_us) + days)
            event = (number(1, hospital + 1) + packed(2, id_text(event_id)) + packed(3, kind) + instant(4, self.begin_us) +
                     packed(7, body))
            yield hospital + 1, event_id, kind.decode(), self.begin_us, event, identity

    def history_hospitals(self):
        for identity in self.hospital_ids:
            yield identity, HOSPITAL_NAME, ""

    # -- bookings: these generators run millions of times

    def _bookings(self):
        """Yields (number, booking_id, customer_id, hospital_id, date, created_at_us, event_id)."""
        slots = [(self.hospital_ids[hospital], date) for hospital, date in self.slots]
        slot_count, customers, created_us = len(slots), self.customers, self.begin_us
        for i in range(self.count):
            created_us += self.step_us
            hospital_id, date = slots[i % slot_count]
            milliseconds = (created_us // 1000).to_bytes(6, "big")
            tail = (0x8000 << 48 | i).to_bytes(8, "big")
            yield (i, milliseconds + b"\x70\x02" + tail, "seed-%d" % (i * 7919 % customers), hospital_id, date, created_us,
                   milliseconds + b"\x70\x03" + tail)

    def reservations(self):
        for _, booking_id, _, hospital_id, date, _, _ in self._bookings():
            yield booking_id, hospital_id, date, 1, LIVE

    def bookings(self):
        for _, booking_id, customer, hospital_id, date, created_us, _ in self._bookings():
            yield (booking_id, customer, NAME, hospital_id, date, 1, CONFIRMED, "", created_us, created_us + FIRST_US, VERSION, 0, 0)

    def booking_events(self):
        kind, name = b"booking.confirmed", packed(3, NAME.encode())
        hospitals = {identity: packed(4, id_text(identity)) for identity in self.hospital_ids}
        dates = {date: packed(5, date.encode()) + number(6, 1) + number(7, CONFIRMED) for date in self.dates}
        packed_kind, end = packed(3, kind), number(11, VERSION)
        for i, booking_id, customer, hospital_id, date, created_us, event_id in self._bookings():
            settled = instant(4, created_us + FIRST_US)
            body = (b"\x0a\x24" + id_text(booking_id) + packed(2, customer.encode()) + name + hospitals[hospital_id] +
                    dates[date] + instant(9, created_us) + b"\x52" + settled[1:] + end)
            event = number(1, i + 1) + b"\x12\x24" + id_text(event_id) + packed_kind + settled + packed(6, body)
            yield i + 1, event_id, "booking.confirmed", created_us + FIRST_US, event, booking_id

    def summaries(self):
        for _, booking_id, customer, hospital_id, date, created_us, _ in self._bookings():
            yield (booking_id, customer, NAME, hospital_id, date, 1, CONFIRMED, "", created_us, created_us + FIRST_US, VERSION)

    def entries(self):
        for i, booking_id, _, _, _, created_us, event_id in self._bookings():
            yield booking_id, VERSION, event_id, CONFIRMED, "", created_us + FIRST_US, "booking", i + 1
