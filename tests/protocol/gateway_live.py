"""GET /events of gateway-svc: free places and bookings as they change, as server-sent events."""
import contextlib
import re

from kit import rpc, sse, web
from kit.stack import Stack
from kit.world import CANCELLED, book, day, register


class LiveStack(Stack):
    """A stack with a gateway, without history-svc: nobody here asks it."""

    def __init__(self, driver, **more):
        super().__init__(driver, without=("history",), gateway=True, **more)

    @contextlib.contextmanager
    def listen(self, **query):
        listener = sse.Listener(self.gateway_svc.http, **query)
        try:
            yield listener
        finally:
            listener.close()


def places(listener, remaining, offset=1):
    """Waits until the listener is told that so many places are left on that day."""
    return listener.wait("availability", lambda data: data["day"]["date"] == day(offset) and
                         data["day"]["remaining"] == remaining).data["day"]


def metric(address, name):
    """A metric of the process whose ops address that is; of a labelled one the sum."""
    client = web.Client(address)
    try:
        page = client.get("/metrics").body.decode()
    finally:
        client.close()
    return sum(float(found) for found in re.findall(r"^%s(?:\{[^}]*\})? ([0-9.e+]+)$" % name, page, re.M))


def cancel(stack, booking):
    reply = stack.booking.CancelBooking(booking_id=booking.booking_id, reason="busy")
    assert reply.code == rpc.OK and reply.message.status == CANCELLED, reply


# ---- a hospital's days

def test_days_are_told_at_once_and_whenever_they_change(driver):
    with LiveStack(driver) as stack:
        hospital_id = register(stack, capacity=5, days=(1, 2, 40))
        with stack.listen(hospitalId=hospital_id) as listener:
            assert listener.code == 200 and listener.headers["content-type"] == "text/event-stream", listener.headers
            assert listener.headers["cache-control"] == "no-store"
            first = [listener.next() for _ in range(2)]
            assert [m.data for m in first] == [{"hospitalId": hospital_id, "day": {
                "date": day(offset), "capacity": 5, "remaining": 5, "version": "1"}} for offset in (1, 2)], first
            assert listener.retry == 2000
            booking = book(stack, hospital_id, headcount=2)
            places(listener, 3)
            cancel(stack, booking)  # its places are free only after hospital-svc has heard of it
            places(listener, 5)
            stack.hospital.SetCapacity(hospital_id=hospital_id, date=day(2), capacity=9)
            assert places(listener, 9, 2)["capacity"] == 9
            stack.hospital.SetCapacity(hospital_id=hospital_id, date=day(3), capacity=4)
            places(listener, 4, 3)
            assert sse.positions(listener.position) == {"booking": 2, "hospital": 3}
            stack.hospital.DeleteHospital(hospital_id=hospital_id)
            gone = listener.wait("hospital-gone")
            assert gone.data == {"hospitalId": hospital_id, "reason": "HOSPITAL_DELETED"}, gone
