"""Who may call what: every method of every service, by every caller, for their own and for others' objects, over RPC, REST, Connect,
gRPC and /events."""
import json

from google.protobuf import json_format

from auth.v1 import access_pb2
from kit import grpc_client, rpc, sse, web
from kit.marks import once
from kit.rpc import METHODS, message_class
from kit.stack import Stack
from kit.world import book, booking_request, day, register, wait_history

UNAUTHENTICATED, PERMISSION_DENIED = 16, 7
SERVING = frozenset((rpc.OK, rpc.FAILED_PRECONDITION, rpc.ALREADY_EXISTS))  # the method was executed

# How a method answers a caller.
YES = "served"
HIDDEN = "as if the object did not exist"  # NOT_FOUND, with the text that an unknown id gets
OWN = "served, with the caller's own objects only"
NO = "PERMISSION_DENIED"
LOGIN = "UNAUTHENTICATED"

CALLERS = ("nobody", "kim", "lee", "staff_a", "staff_b", "admin", "auditor", "service")


def row(nobody, kim, lee, staff_a, staff_b, admin, auditor, service):
    return dict(zip(CALLERS, (nobody, kim, lee, staff_a, staff_b, admin, auditor, service)))


OF_KIM_AT_A = row(LOGIN, YES, HIDDEN, YES, HIDDEN, YES, YES, NO)
CATALOGUE = row(LOGIN, YES, YES, YES, YES, YES, YES, NO)  # a service reads it on its own listener
OPERATORS = row(LOGIN, NO, NO, NO, NO, YES, YES, NO)
ADMIN_ONLY = row(LOGIN, NO, NO, NO, NO, YES, NO, NO)
SERVICES_ONLY = row(LOGIN, NO, NO, NO, NO, NO, NO, NO)
OPEN = row(*[YES] * 8)

# For each method: the answers at the listener for clients, about kim's booking at hospital A, and about hospital A.
TABLE = {
    "CreateBooking": row(LOGIN, OWN, OWN, YES, NO, YES, NO, NO),
    "GetBooking": OF_KIM_AT_A,
    "ListBookings": row(LOGIN, OWN, OWN, OWN, OWN, YES, YES, NO),
    "CancelBooking": row(LOGIN, YES, HIDDEN, YES, HIDDEN, YES, NO, NO),
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
        self.tokens = {"nobody": None, "kim": ring.token("customer", "kim"), "lee": ring.token("customer", "lee"),
                       "staff_a": ring.token("staff", "doctor-a", hospitals=[self.a]),
                       "staff_b": ring.token("staff", "doctor-b", hospitals=[self.b]), "admin": ring.token("admin"),
                       "auditor": ring.token("auditor")}

    def new_booking(self):
        return book(self.stack, self.a, customer_id="kim").booking_id

    def token(self, caller, program):
        if caller == "service":
            return self.stack.keyring.service_token("gateway-svc", program)
        return self.tokens[caller]

    def fields(self, method, known=True):
        """Returns the fields of a request about kim's booking at hospital A, or about objects that do not exist."""
        booking = self.booking if known else rpc.new_id()
        hospital = self.a if known else rpc.new_id()
        if method == "CancelBooking" and known:
            booking = self.new_booking()
        place = {"booking_id": rpc.new_id(), "hospital_id": hospital, "date": day(1), "headcount": 1}
        return {
            "CreateBooking": lambda: booking_request(hospital, customer_id="kim"),
            "ListBookings": lambda: {"customer_id": "kim"}, "ListCustomerHistory": lambda: {"customer_id": "kim"},
            "LookUpBookings": lambda: {"booking_ids": [booking]}, "AbandonBooking": lambda: place, "Reserve": lambda: place,
            "BatchReserve": lambda: {"requests": [place]},
            "RegisterHospital": lambda: {"hospital_id": rpc.new_id(), "name": "n", "days": [{"date": day(1), "capacity": 1}]},
            "SetCapacity": lambda: {"hospital_id": hospital, "date": day(1), "capacity": 500},
            "DeleteHospital": lambda: {"hospital_id": register(self.stack, capacity=1)},
            "GetHospital": lambda: {"hospital_id": hospital}, "GetAvailability": lambda: {"hospital_id": hospital},
            "GetBooking": lambda: {"booking_id": booking}, "CancelBooking": lambda: {"booking_id": booking},
            "GetBookingHistory": lambda: {"booking_id": booking},
        }.get(method, dict)()


def message_of(method, fields):
    return message_class(METHODS[method][1].input_type)(**fields)


# ---- the ways to call

class OverRpc:
    methods = tuple(TABLE)

    def __init__(self, world):
        self.world, self.clients = world, {}

    def call(self, caller, method, fields):
        name = SERVED_BY.get(METHODS[method][0].partition("/")[0], "hospital")
        if name not in self.clients:
            self.clients[name] = rpc.Client(self.world.stack.address(name + ".clients"), token=None)
        token = self.world.token(caller, name + "-svc")
        reply = self.clients[name].call(method, metadata={"authorization": "Bearer " + token} if token else None, **fields)
        return reply.code, reply.text, reply.message

    def close(self):
        for client in self.clients.values():
            client.close()


class OverHttp:
    """Methods of the gateway. A service's token is valid for one service, and the gateway passes it on."""
    methods = tuple(name for name, (path, _) in METHODS.items() if path.startswith("screening.v1.") and name not in (
        "Reserve", "BatchReserve", "Fetch", "Pair", "LookUpBookings", "AbandonBooking", "ListReservations"))

    def __init__(self, world):
        self.world, self.client = world, web.Client(world.stack.gateway_svc.http, token=None)

    def headers(self, caller, method):
        name = SERVED_BY.get(METHODS[method][0].partition("/")[0], "hospital")
        token = self.world.token(caller, name + "-svc")
        return {"Authorization": "Bearer " + token} if token else {}

    def close(self):
        self.client.close()


class OverConnect(OverHttp):
    CODES = {"unauthenticated": UNAUTHENTICATED, "permission_denied": PERMISSION_DENIED, "not_found": rpc.NOT_FOUND,
             "invalid_argument": rpc.INVALID_ARGUMENT, "failed_precondition": rpc.FAILED_PRECONDITION, "already_exists": rpc.ALREADY_EXISTS}

    def call(self, caller, method, fields):
        body = json_format.MessageToDict(message_of(method, fields))
        answer = self.client.post("/" + METHODS[method][0], body, headers=self.headers(caller, method))
        if answer.code == 200:
            return rpc.OK, "", json_format.ParseDict(answer.json, message_class(METHODS[method][1].output_type)())
        if answer.code == 401:
            assert answer.headers["WWW-Authenticate"] == "Bearer", answer.headers
        return self.CODES[answer.json["code"]], answer.json["message"], None


class OverGrpc(OverHttp):
    def __init__(self, world):
        super().__init__(world)
        self.grpc = grpc_client.Client(world.stack.front.http, token=None)

    def call(self, caller, method, fields):
        metadata = [(name.lower(), value) for name, value in self.headers(caller, method).items()]
        reply = self.grpc.call(method, metadata=metadata, **fields)
        return reply.code, reply.text, reply.message

    def close(self):
        super().close()
        self.grpc.close()


class OverRest(OverHttp):
    CODES = {400: rpc.INVALID_ARGUMENT, 401: UNAUTHENTICATED, 403: PERMISSION_DENIED, 404: rpc.NOT_FOUND, 409: rpc.FAILED_PRECONDITION,
             412: rpc.FAILED_PRECONDITION, 422: rpc.FAILED_PRECONDITION}
    PATHS = {
        "CreateBooking": ("POST", "/bookings"), "GetBooking": ("GET", "/bookings/{booking_id}"), "ListBookings": ("GET", "/bookings"),
        "CancelBooking": ("DELETE", "/bookings/{booking_id}"), "RegisterHospital": ("POST", "/hospitals"),
        "GetHospital": ("GET", "/hospitals/{hospital_id}"), "ListHospitals": ("GET", "/hospitals"),
        "GetAvailability": ("GET", "/hospitals/{hospital_id}/availability"),
        "SetCapacity": ("PUT", "/hospitals/{hospital_id}/days/{date}"), "DeleteHospital": ("DELETE", "/hospitals/{hospital_id}"),
        "GetBookingHistory": ("GET", "/bookingHistories/{booking_id}"), "ListCustomerHistory": ("GET", "/bookingHistories"),
    }
    methods = tuple(PATHS)

    def call(self, caller, method, fields):
        verb, template = self.PATHS[method]
        path = template.format(**fields)
        rest = {name: value for name, value in fields.items() if "{%s}" % name not in template}
        rest = json_format.MessageToDict(message_of(method, rest))
        answer = self.client.request(verb, path, body=rest if verb in ("POST", "PUT") else None, query=rest if verb == "GET" else None,
                                     headers=self.headers(caller, method))
        if answer.code in (200, 201, 202, 204):
            output = message_class(METHODS[method][1].output_type)()
            return rpc.OK, "", json_format.ParseDict(answer.json, output, ignore_unknown_fields=True) if answer.body else output
        if answer.code == 401:
            assert answer.headers["WWW-Authenticate"] == "Bearer", answer.headers
        return self.CODES[answer.code], answer.json["detail"], None


# ---- the table

def bookings_of(message):
    """Returns (customer, hospital) of each booking in an answer."""
    if hasattr(message, "bookings"):
        found = [getattr(one, "booking", one) for one in message.bookings]
    else:
        found = [message]
    return {(one.customer_id, one.hospital_id) for one in found}


def check_own(world, caller, method, message):
    found = bookings_of(message)
    if caller in ("kim", "lee"):
        assert {customer for customer, _ in found} <= {caller}, (caller, method, found)
        assert caller == "lee" or len(found) == (1 if method == "CreateBooking" else 2), (caller, method, found)
    else:
        assert found == {("kim", world.a if caller == "staff_a" else world.b)}, (caller, method, found)


def check_answer(world, way, caller, method):
    wanted = TABLE[method][caller]
    fields = world.fields(method)
    code, text, message = way.call(caller, method, fields)
    where = "%s %s by %s: %s, but %d %s" % (type(way).__name__, method, caller, wanted, code, text)
    if wanted in (LOGIN, NO):
        assert code == (UNAUTHENTICATED if wanted == LOGIN else PERMISSION_DENIED) and text.startswith(("authorization: ", "hospital_id: ", "hospitalId: ")), where
    elif wanted == HIDDEN:
        unknown = way.call(caller, method, world.fields(method, known=False))
        assert code == rpc.NOT_FOUND and (code, text) == unknown[:2], (where, unknown)
    else:
        assert code in SERVING, where
        if wanted == OWN:
            check_own(world, caller, method, message)


def play_table(driver, way_class, **more):
    with Stack(driver, gateway=True, **more) as stack:
        world = World(stack)
        way = way_class(world)
        for method in way.methods:
            for caller in CALLERS:
                check_answer(world, way, caller, method)
        way.close()


@once
def test_access_table_has_a_row_for_every_method(_):
    """A new method needs a row here, and a rule beside it in its .proto file."""
    assert set(TABLE) == set(METHODS)
    for name in METHODS:
        rule = rpc.access_of(name)
        assert rule.open or rule.roles, name
        for caller, role in (("admin", access_pb2.ADMIN), ("auditor", access_pb2.AUDITOR), ("kim", access_pb2.CUSTOMER),
                             ("staff_a", access_pb2.STAFF)):
            assert (TABLE[name][caller] != NO) == (rule.open or role in rule.roles), (name, caller)


def test_access_table_over_rpc(driver):
    play_table(driver, OverRpc)


@once
def test_access_table_over_connect(driver):
    play_table(driver, OverConnect)


@once
def test_access_table_over_grpc(driver):
    play_table(driver, OverGrpc)


@once
def test_access_table_over_rest(driver):
    play_table(driver, OverRest)


@once
def test_access_hides_whether_the_id_of_a_new_booking_is_taken(driver):
    """A request that can make no booking is answered the same for the id of somebody else's booking and for an unknown id."""
    with Stack(driver, gateway=True, secure=True) as stack:
        world = World(stack)
        wrong = ({"date": day(-1)}, {"customer_name": "\u200b"}, {"headcount": 101}, {"date": "soon"})
        for way_class in (OverRpc, OverConnect, OverGrpc, OverRest):
            way = way_class(world)
            for caller, hospital in (("lee", world.a), ("lee", rpc.new_id()), ("staff_b", world.b), ("staff_b", world.a)):
                for more in wrong:
                    fields = {**booking_request(hospital, customer_id="lee"), **more}
                    taken = way.call(caller, "CreateBooking", {**fields, "booking_id": world.booking})
                    unknown = way.call(caller, "CreateBooking", {**fields, "booking_id": rpc.new_id()})
                    assert taken == unknown and taken[0] != rpc.OK, (way_class, caller, more, taken, unknown)
            way.close()


@once
def test_access_on_the_listener_for_services(driver):
    with Stack(driver, gateway=True) as stack:
        world = World(stack)
        for name in ("hospital", "booking", "history"):
            program = name + "-svc"
            client = rpc.Client(stack.address(name + ".rpc"), token=None)
            for caller in CALLERS:
                token = world.token(caller, program)
                reply = client.Stats(metadata={"authorization": "Bearer " + token} if token else None)
                assert reply.code == {"nobody": UNAUTHENTICATED, "service": rpc.OK}.get(caller, PERMISSION_DENIED), (name, caller, reply)
            other = stack.keyring.service_token("gateway-svc", "other-svc")
            assert client.Stats(metadata={"authorization": "Bearer " + other}).code == UNAUTHENTICATED  # replayed at another service
            client.close()
        place = {"booking_id": rpc.new_id(), "hospital_id": world.a, "date": day(1), "headcount": 1}
        assert stack.hospital.Reserve(**place).code == rpc.OK
        gateway = rpc.Client(stack.address("hospital.gateway"), token=stack.keyring.service_token("gateway-svc", "hospital-svc"))
        assert gateway.Fetch().code == rpc.OK
        assert gateway.Reserve(**place).code == PERMISSION_DENIED  # for itself, the gateway only reads
        gateway.close()


@once
def test_access_to_a_public_catalogue(driver):
    with Stack(driver, gateway=True, flags={"hospital": {"public-catalogue": "true"},
                                                         "gateway": {"public-catalogue": "true"}}) as stack:
        world = World(stack)
        way = OverConnect(world)
        for method in TABLE:
            if method in way.methods:
                code = way.call("nobody", method, world.fields(method))[0]
                assert (code in SERVING) == rpc.access_of(method).catalogue, (method, code)
        way.close()
        listener = sse.Listener(stack.gateway_svc.http, token=None, hospitalId=world.a)
        assert listener.code == 200
        listener.close()
        assert sse.Listener(stack.gateway_svc.http, token=None, customerId="kim").code == 401


@once
def test_access_to_events(driver):
    with Stack(driver, gateway=True) as stack:
        world = World(stack)
        answers = {"nobody": (401, 401), "kim": (200, 200), "lee": (200, 200), "staff_a": (403, 200), "staff_b": (403, 200),
                   "admin": (200, 200), "auditor": (200, 200), "service": (403, 200)}
        for caller, codes in answers.items():
            for code, query in zip(codes, ({"customerId": "kim"}, {"hospitalId": world.a})):
                listener = sse.Listener(stack.gateway_svc.http, token=world.token(caller, "gateway-svc"), **query)
                assert listener.code == code, (caller, query, listener.code)
                listener.close()
        lee = sse.Listener(stack.gateway_svc.http, token=world.tokens["lee"], customerId="kim")
        theirs, own = world.new_booking(), book(stack, world.a, customer_id="lee").booking_id
        message = lee.next()
        while message.event != "booking":
            message = lee.next()
        assert message.data["bookingId"] == own != theirs, message
        lee.close()
        assert web.Client(stack.gateway_svc.http).get("/events?hospitalId=%s&access_token=%s" % (
            world.a, world.tokens["admin"])).code == 400  # a token in the query is an unknown parameter


@once
def test_access_without_a_token_reaches_only_what_is_open(driver):
    with Stack(driver, gateway=True) as stack:
        client = web.Client(stack.gateway_svc.http, token=None)
        assert client.get("/openapi.json").code == 200
        assert json.loads(client.get("/hospitals").body)["reason"] == "TOKEN_MISSING"
        client.close()
        client = grpc_client.Client(stack.front.http, token=None)
        assert client.Check().code == rpc.OK
        client.close()
