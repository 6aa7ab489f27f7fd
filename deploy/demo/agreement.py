"""Counts all bookings twice, as booking-svc and as history-svc list them, and compares the counts."""

import collections

from kit import rpc
from looking import look_until
from problems import StackError

PAGE = 500
NAMES = rpc.types_pb2.BookingStatus.Name


def _pages(call, field, **request):
    """Yields the items of every page of a list."""
    token = ""
    while True:
        reply = call(page_size=PAGE, page_token=token, **request)
        if reply.code != rpc.OK:
            raise StackError("a list was answered %r" % reply)
        yield from getattr(reply.message, field)
        token = reply.message.next_page_token
        if not token:
            return


def _booked(stack):
    """Returns (customer, status) of each booking of each hospital, as booking-svc lists them."""
    hospitals, bookings = stack.client("hospital"), stack.client("booking")
    try:
        return [(booking.customer_id, NAMES(booking.status))
                for hospital in _pages(hospitals.ListHospitals, "hospitals", include_deleted=True)
                for booking in _pages(bookings.ListBookings, "bookings", hospital_id=hospital.hospital_id)]
    finally:
        hospitals.close()
        bookings.close()


def _told(stack, customers):
    """Returns {status: number of bookings} that history-svc lists for the customers."""
    client = stack.client("history")
    try:
        replies = client.call_all("ListCustomerHistory", [{"customer_id": one, "page_size": PAGE} for one in customers])
        return dict(sorted(collections.Counter(NAMES(one.booking.status) for reply in replies if reply.code == rpc.OK
                                               for one in reply.message.bookings).items()))
    finally:
        client.close()


def play(stack, report):
    """Checks, after the traffic has stopped, that both services report the same bookings (G4). Returns the counts, so that they can
    be compared with the databases by hand."""
    booked = _booked(stack)
    customers = sorted({customer for customer, _ in booked})
    expected = dict(sorted(collections.Counter(status for _, status in booked).items()))
    saw, took_s = look_until(expected, lambda: _told(stack, customers))
    report.add("all services agree in the end",
               "every booking listed by booking-svc, then by history-svc for the %d customers" % len(customers), expected, saw,
               took_s=took_s)
    return expected
