"""All bookings, counted twice: by booking-svc and by history-svc."""

import collections

from kit import rpc
from looking import look_until
from problems import StackError

PAGE = 500
NAMES = rpc.types_pb2.BookingStatus.Name


def _pages(call, field, **request):
    """Yields all items of a paged list."""
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
    """Yields (customer, status) of each booking of each hospital, as booking-svc lists them."""
    hospitals, bookings = stack.client("hospital"), stack.client("booking")
    try:
        return [(booking.customer_id, NAMES(booking.status))
                for hospital in _pages(hospitals.ListHospitals, "hospitals", include_deleted=True)
                for booking in _pages(bookings.ListBookings, "bookings", hospital_id=hospital.hospital_id)]
    finally:
        hospitals.close()
        bookings.close()


def _told(stack, customers):
    """Counts what history-svc lists for these customers, by status."""
    client = stack.client("history")
    try:
        replies = client.call_all("ListCustomerHistory", [{"customer_id": one, "page_size": PAGE} for one in customers])
        return dict(sorted(collections.Counter(NAMES(one.booking.status) for reply in replies if reply.code == rpc.OK
                                               for one in reply.message.bookings).items()))
    finally:
        client.close()


def play(stack, report):
    """Checks that both report the same after the traffic has stopped (G4). Returns the counts, for comparison with
    the databases by hand."""
    booked = _booked(stack)
    customers = sorted({customer for customer, _ in booked})
    expected = dict(sorted(collections.Counter(status for _, status in booked).items()))
    saw, took_s = look_until(expected, lambda: _told(stack, customers))
    report.add("all services agree in the end",
               "every booking listed by booking-svc, then by history-svc for the %d customers" % len(customers), expected, saw,
               took_s=took_s)
    return expected
