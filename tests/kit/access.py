"""The table of who may call what, and a stack with the objects and callers that it speaks of."""
from auth.v1 import access_pb2

from . import rpc
from .rpc import METHODS, message_class
from .world import book, booking_request, day, register, wait_history

UNAUTHENTICATED, PERMISSION_DENIED = 16, 7
SERVING = frozenset((rpc.OK, rpc.FAILED_PRECONDITION, rpc.ALREADY_EXISTS))  # the method was executed

# How a method answers a caller.
YES = "served"
HIDDEN = "as if the object did not exist"  # NOT_FOUND, with the text that an unknown id gets
OWN = "served, with the caller's own objects only"
NO = "PERMISSION_DENIED"
LOGIN = "UNAUTHENTICATED"

ROLES = {"kim": access_pb2.CUSTOMER, "staff_a": access_pb2.STAFF, "admin": access_pb2.ADMIN, "auditor": access_pb2.AUDITOR,
         "service": access_pb2.SERVICE}
CALLERS = ("nobody", "no_role", "kim", "lee", "staff_a", "staff_b", "admin", "auditor", "service")
# For each caller, the one to whom the known objects are what unknown objects are to the caller: nothing of theirs.
STRANGERS = {"kim": "lee", "staff_a": "staff_b"}


def row(nobody, kim, lee, staff_a, staff_b, admin, auditor, service):
    """Returns a row of the table. A valid token without a role that counts is as good for a method as its openness."""
    return dict(zip(CALLERS, (nobody, YES if nobody == YES else NO, kim, lee, staff_a, staff_b, admin, auditor, service)))


OF_KIM_AT_A = row(LOGIN, YES, HIDDEN, YES, HIDDEN, YES, YES, NO)
CATALOGUE = row(LOGIN, YES, YES, YES, YES, YES, YES, NO)  # a service reads it on its own listener
OPERATORS = row(LOGIN, NO, NO, NO, NO, YES, YES, NO)
ADMIN_ONLY = row(LOGIN, NO, NO, NO, NO, YES, NO, NO)
SERVICES_ONLY = row(LOGIN, NO, NO, NO, NO, NO, NO, NO)
OPEN = row(*[YES] * 8)

# For each method: the answers at the listener for clients, about kim's booking at hospital A, and about hospital A. A word behind
# the name of a method stands for a form of its request.
TABLE = {
    "CreateBooking": row(LOGIN, OWN, OWN, YES, NO, YES, NO, NO),
    "GetBooking": OF_KIM_AT_A,
    "ListBookings": row(LOGIN, OWN, OWN, OWN, OWN, YES, YES, NO),
    "ListBookings by-hospital": row(LOGIN, NO, NO, YES, NO, YES, YES, NO),
    "CancelBooking": row(LOGIN, YES, HIDDEN, YES, HIDDEN, YES, NO, NO),
    "CancelBooking by-post": row(LOGIN, YES, HIDDEN, YES, HIDDEN, YES, NO, NO),
    "LookUpBookings": OPERATORS,
    "AbandonBooking": ADMIN_ONLY,
    "RegisterHospital": ADMIN_ONLY,
    "GetHospital": CATALOGUE,
    "ListHospitals": CATALOGUE,
    "GetAvailability": CATALOGUE,
    "SetCapacity": row(LOGIN, NO, NO, YES, NO, YES, NO, NO),
    "DeleteHospital": ADMIN_ONLY,
    "ListReservations": OPERATORS,
    "Reserve": SERVICES_ONLY,
    "BatchReserve": SERVICES_ONLY,
    "Fetch": SERVICES_ONLY,
    "Pair": SERVICES_ONLY,
    "GetBookingHistory": OF_KIM_AT_A,
    "ListCustomerHistory": row(LOGIN, OWN, OWN, OWN, OWN, YES, YES, NO),
    "GetProjectionStatus": OPERATORS,
    "Describe": OPERATORS,
    "Stats": OPERATORS,
    "Check": OPEN,
}

# For each row whose request names an object: the code for an object that does not exist, if the caller may ask for any object.
UNKNOWN = {
    "CreateBooking": rpc.FAILED_PRECONDITION, "GetBooking": rpc.NOT_FOUND, "ListBookings": rpc.OK, "ListBookings by-hospital": rpc.OK,
    "CancelBooking": rpc.NOT_FOUND, "CancelBooking by-post": rpc.NOT_FOUND, "LookUpBookings": rpc.OK, "AbandonBooking": rpc.OK, "GetHospital": rpc.NOT_FOUND,
    "GetAvailability": rpc.NOT_FOUND, "SetCapacity": rpc.NOT_FOUND, "DeleteHospital": rpc.NOT_FOUND, "ListReservations": rpc.OK,
    "Reserve": rpc.FAILED_PRECONDITION, "BatchReserve": rpc.OK, "GetBookingHistory": rpc.NOT_FOUND, "ListCustomerHistory": rpc.OK,
}
NEW_ID = ("RegisterHospital",)  # the caller chooses the id
OF_LOGS = ("Fetch", "Pair")  # the ids in these requests are those of logs and events

OTHER_ROUTES = {("get", "/events"), ("get", "/"), ("get", "/openapi.json")}  # of no method

# Methods that the gateway does not serve, besides those of other packages.
INTERNAL = ("Reserve", "BatchReserve", "Fetch", "Pair", "LookUpBookings", "AbandonBooking", "ListReservations")

SERVED_BY = {"screening.v1.BookingService": "booking", "screening.v1.PairingService": "booking",
             "screening.v1.HistoryService": "history"}


class World:
    """A stack with two hospitals, a booking of kim at each, and the tokens of all callers."""

    def __init__(self, stack):
        self.stack = stack
        self.a, self.b = register(stack, capacity=500), register(stack, capacity=500)
        self.booking = self.new_booking()
        self.at_b = book(stack, self.b, customer_id="kim").booking_id
        wait_history(stack, self.at_b, 2)
        wait_history(stack, self.booking, 2)
        ring = stack.keyring
        self.tokens = {"nobody": None, "no_role": ring.token("superuser"), "kim": ring.token("customer", "kim"),
                       "lee": ring.token("customer", "lee"),
                       "staff_a": ring.token("staff", "doctor-a", hospitals=[self.a]),
                       "staff_b": ring.token("staff", "doctor-b", hospitals=[self.b]), "admin": ring.token("admin"),
                       "auditor": ring.token("auditor")}

    def new_booking(self):
        return book(self.stack, self.a, customer_id="kim").booking_id

    def token(self, caller, program):
        if caller == "service":
            return self.stack.keyring.service_token("gateway-svc", program)
        return self.tokens[caller]

    def fields(self, name, known=True):
        """Returns the fields of the request of a row about kim's booking at hospital A, or about objects that do not exist."""
        booking = self.booking if known else rpc.new_id()
        hospital = self.a if known else rpc.new_id()
        customer = "kim" if known else "nobody-" + rpc.new_id()
        if method_of(name) == "CancelBooking" and known:
            booking = self.new_booking()
        place = {"booking_id": rpc.new_id(), "hospital_id": hospital, "date": day(1), "headcount": 1}
        return {
            "CreateBooking": lambda: booking_request(hospital, customer_id="kim"),
            "ListBookings": lambda: {"customer_id": customer}, "ListCustomerHistory": lambda: {"customer_id": customer},
            "ListBookings by-hospital": lambda: {"hospital_id": hospital}, "ListReservations": lambda: {"booking_ids": [booking]},
            "LookUpBookings": lambda: {"booking_ids": [booking]}, "AbandonBooking": lambda: place, "Reserve": lambda: place,
            "BatchReserve": lambda: {"requests": [place]},
            "RegisterHospital": lambda: {"hospital_id": rpc.new_id(), "name": "n", "days": [{"date": day(1), "capacity": 1}]},
            "SetCapacity": lambda: {"hospital_id": hospital, "date": day(1), "capacity": 500},
            "DeleteHospital": lambda: {"hospital_id": register(self.stack, capacity=1) if known else hospital},
            "GetHospital": lambda: {"hospital_id": hospital}, "GetAvailability": lambda: {"hospital_id": hospital},
            "GetBooking": lambda: {"booking_id": booking}, "CancelBooking": lambda: {"booking_id": booking},
            "CancelBooking by-post": lambda: {"booking_id": booking},
            "GetBookingHistory": lambda: {"booking_id": booking},
        }.get(name, dict)()


def method_of(name):
    """Returns the method of a row."""
    return name.partition(" ")[0]


def message_of(method, fields):
    return message_class(METHODS[method][1].input_type)(**fields)


def service_of(method):
    return SERVED_BY.get(METHODS[method][0].partition("/")[0], "hospital")
