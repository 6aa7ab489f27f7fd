"""Who may call what: every method of every service, by every caller, for their own, for others' and for unknown objects, over RPC,
REST, Connect, gRPC and /events. kit/access.py has the table."""
import glob
import json
import os
import re

from auth.v1 import access_pb2
from google.protobuf import json_format

from kit import grpc_client, rpc, sse, web
from kit.access import (CALLERS, HIDDEN, INTERNAL, LOGIN, NEW_ID, NO, OF_LOGS, OWN, OTHER_ROUTES, PERMISSION_DENIED, ROLES, SERVING,
                        STRANGERS, TABLE, UNAUTHENTICATED, UNKNOWN, YES, World, message_of, method_of, service_of)
from kit.marks import once
from kit.rpc import METHODS, message_class
from kit.stack import Stack
from kit.world import book, booking_request, day

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


# ---- the ways to call

class OverRpc:
    """Calls at the listener for clients."""
    rows, listener, more = tuple(TABLE), "clients", {}

    def __init__(self, world):
        self.world, self.clients = world, {}

    def call(self, caller, name, fields, service=None):
        service = service or service_of(method_of(name))
        if service not in self.clients:
            self.clients[service] = rpc.Client(self.world.stack.address("%s.%s" % (service, self.listener)), token=None)
        token = self.world.token(caller, service + "-svc")
        metadata = {**self.more, **({"authorization": "Bearer " + token} if token else {})}
        reply = self.clients[service].call(method_of(name), metadata=metadata, **fields)
        return reply.code, reply.text, reply.message

    def close(self):
        for client in self.clients.values():
            client.close()


class AsGateway(OverRpc):
    """Calls at the listener for gateways, for a client of the gateway."""
    listener, more = "gateway", {"client-address": "192.0.2.7"}


class AtServices(OverRpc):
    """Calls at the listener for services."""
    listener = "rpc"


class OverHttp:
    """Methods of the gateway. A service's token is valid for one service, and the gateway passes it on."""
    rows = tuple(name for name in TABLE if METHODS[method_of(name)][0].startswith("screening.v1.") and method_of(name) not in INTERNAL)

    def __init__(self, world):
        self.world, self.client = world, web.Client(world.stack.gateway_svc.http, token=None)

    def headers(self, caller, method):
        token = self.world.token(caller, service_of(method) + "-svc")
        return {"Authorization": "Bearer " + token} if token else {}

    def close(self):
        self.client.close()


class OverConnect(OverHttp):
    CODES = {"unauthenticated": UNAUTHENTICATED, "permission_denied": PERMISSION_DENIED, "not_found": rpc.NOT_FOUND,
             "invalid_argument": rpc.INVALID_ARGUMENT, "failed_precondition": rpc.FAILED_PRECONDITION,
             "already_exists": rpc.ALREADY_EXISTS, "unimplemented": rpc.UNIMPLEMENTED}

    def call(self, caller, name, fields):
        method = method_of(name)
        body = json_format.MessageToDict(message_of(method, fields))
        answer = self.client.post("/" + METHODS[method][0], body, headers=self.headers(caller, method))
        if answer.code == 200:
            return rpc.OK, "", json_format.ParseDict(answer.json, message_class(METHODS[method][1].output_type)())
        if answer.code == 401:
            assert answer.headers["WWW-Authenticate"] == "Bearer", answer.headers
        if answer.code == 404 and answer.json.get("title"):
            return rpc.UNIMPLEMENTED, str(answer.json), None  # the path is none of Connect's
        return self.CODES[answer.json["code"]], answer.json["message"], None


class OverGrpc(OverHttp):
    def __init__(self, world):
        super().__init__(world)
        self.grpc = grpc_client.Client(world.stack.front.http, token=None)

    def call(self, caller, name, fields):
        method = method_of(name)
        metadata = [(field.lower(), value) for field, value in self.headers(caller, method).items()]
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
        "ListBookings by-hospital": ("GET", "/bookings"), "CancelBooking": ("DELETE", "/bookings/{booking_id}"),
        "CancelBooking by-post": ("POST", "/bookings/{booking_id}/cancel"), "RegisterHospital": ("POST", "/hospitals"),
        "GetHospital": ("GET", "/hospitals/{hospital_id}"),
        "ListHospitals": ("GET", "/hospitals"), "GetAvailability": ("GET", "/hospitals/{hospital_id}/availability"),
        "SetCapacity": ("PUT", "/hospitals/{hospital_id}/days/{date}"), "DeleteHospital": ("DELETE", "/hospitals/{hospital_id}"),
        "GetBookingHistory": ("GET", "/bookingHistories/{booking_id}"), "ListCustomerHistory": ("GET", "/bookingHistories"),
    }
    rows = tuple(PATHS)

    def call(self, caller, name, fields):
        method, (verb, template) = method_of(name), self.PATHS[name]
        path = template.format(**fields)
        rest = {field: value for field, value in fields.items() if "{%s}" % field not in template}
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
        owned = {("kim", world.a)} if method == "CreateBooking" else {("kim", world.a), ("kim", world.b)}
        assert caller == "lee" or found >= owned, (caller, method, found)
    else:
        assert found == {("kim", world.a if caller == "staff_a" else world.b)}, (caller, method, found)


def check_answer(world, way, caller, name):
    """Calls a method about known objects, and then about unknown ones."""
    wanted = TABLE[name][caller]
    code, text, message = way.call(caller, name, world.fields(name))
    where = "%s %s by %s: %s, but %d %s" % (type(way).__name__, name, caller, wanted, code, text)
    if wanted in (LOGIN, NO):
        assert code == (UNAUTHENTICATED if wanted == LOGIN else PERMISSION_DENIED), where
        assert text.startswith(("authorization: ", "hospital_id: ", "hospitalId: ")), where
    elif wanted == HIDDEN:
        assert code == rpc.NOT_FOUND, where
    else:
        assert code in SERVING, where
        if wanted == OWN:
            check_own(world, caller, method_of(name), message)
    if name in UNKNOWN:
        check_unknown(world, way, caller, name, (code, text))


def check_unknown(world, way, caller, name, of_known):
    """Calls a method about unknown objects. Who may not know a known object gets the answer about an unknown one for both."""
    code, text, _ = way.call(caller, name, world.fields(name, known=False))
    where = "%s %s of an unknown object by %s: %d %s, and of a known one %s" % (type(way).__name__, name, caller, code, text, of_known)
    wanted = TABLE[name][STRANGERS.get(caller, caller)]
    if wanted in (YES, OWN):
        assert code == UNKNOWN[name], where
    elif TABLE[name][caller] == wanted:
        assert (code, text) == of_known, where
    else:
        assert code == (PERMISSION_DENIED if wanted == NO else rpc.NOT_FOUND), where


def play_table(driver, way_class, **more):
    with Stack(driver, gateway=True, **more) as stack:
        world = World(stack)
        way = way_class(world)
        for name in way.rows:
            for caller in CALLERS:
                check_answer(world, way, caller, name)
        way.close()


def methods_in_files():
    """Returns the full names of all methods in the .proto files, and the set of those that stream."""
    found, streams = set(), set()
    for path in glob.glob(os.path.join(ROOT, "proto/**/*.proto"), recursive=True):
        with open(path, encoding="utf-8") as file:
            text = file.read()
        package = re.search(r"^package ([\w.]+);", text, re.M)[1]
        for service, body in re.findall(r"^service (\w+) \{(.*?)^\}", text, re.M | re.S):
            for method, words in re.findall(r"^ +rpc (\w+)\(([^{;]*)", body, re.M):
                full = "%s.%s/%s" % (package, service, method)
                found.add(full)
                if re.search(r"\bstream\b", words):
                    streams.add(full)
    return found, streams


def ids_of(descriptor):
    """Returns the names of the fields of a request that hold ids."""
    return {field.name for field in descriptor.fields if field.name.endswith(("_id", "_ids"))} | {
        name for field in descriptor.fields if field.message_type for name in ids_of(field.message_type)}


@once
def test_access_table_has_a_row_for_every_method(_):
    """A new method needs a row here, and a rule beside it in its .proto file; a new field with an id, a code for unknown ids; a new
    route of REST, a path."""
    found, streams = methods_in_files()
    assert found - streams == {full for full, _ in METHODS.values()}
    assert streams == {"grpc.health.v1.Health/Watch", "grpc.reflection.v1.ServerReflection/ServerReflectionInfo"}  # open to everybody
    assert {method_of(name) for name in TABLE} == set(METHODS)
    for name, answers in TABLE.items():
        rule = rpc.access_of(method_of(name))
        assert rule.open or rule.roles, name
        assert rule.open or (answers["nobody"], answers["no_role"]) == (LOGIN, NO), name
        if " " in name:
            continue
        for caller, role in ROLES.items():
            listener = caller != "service"  # the listener for clients admits no service
            assert (answers[caller] != NO) == (rule.open or (listener and role in rule.roles)), (name, caller)
        named = ids_of(METHODS[name][1].input_type)
        assert (name in UNKNOWN or name in NEW_ID or name in OF_LOGS) == bool(named), (name, named)
    with open(os.path.join(ROOT, "gateway-svc/openapi.json"), encoding="utf-8") as file:
        routes = [(verb, re.sub(r"(?<=[a-z])([A-Z])(?=[^{]*\})", lambda upper: "_" + upper[1].lower(), path))
                  for path, verbs in json.load(file)["paths"].items() for verb in verbs if verb in ("get", "put", "post", "delete")]
    ours = {(verb.lower(), path) for verb, path in OverRest.PATHS.values()} | OTHER_ROUTES
    assert set(routes) == ours, set(routes) ^ ours


def test_access_table_over_rpc(driver):
    play_table(driver, OverRpc)


@once
def test_access_table_at_the_listener_for_gateways(driver):
    play_table(driver, AsGateway)


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
def test_access_over_http_reaches_no_internal_method(driver):
    with Stack(driver, gateway=True) as stack:
        world = World(stack)
        for way in (OverConnect(world), OverGrpc(world)):
            for name in TABLE:
                for caller in CALLERS if name not in way.rows and name != "Check" else ():
                    code, text, _ = way.call(caller, name, world.fields(name))
                    assert code == rpc.UNIMPLEMENTED, (type(way).__name__, name, caller, code, text)
            way.close()


@once
def test_access_hides_whether_the_id_of_a_new_booking_is_taken(driver):
    """A request that can make no booking is answered the same for the id of somebody else's booking and for an unknown id."""
    with Stack(driver, gateway=True) as stack:
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
    """Every method by every caller: people are refused, and a service gets what the rules say."""
    with Stack(driver, gateway=True) as stack:
        world = World(stack)
        way = AtServices(world)
        for name in TABLE:
            rule = rpc.access_of(method_of(name))
            for caller in CALLERS:
                served = rule.open or (caller == "service" and access_pb2.SERVICE in rule.roles)
                code, text, _ = way.call(caller, name, world.fields(name))
                refusal = UNAUTHENTICATED if caller == "nobody" else PERMISSION_DENIED
                assert code not in (UNAUTHENTICATED, PERMISSION_DENIED) if served else code == refusal, (name, caller, code, text)
        for service in ("hospital", "booking", "history"):
            for caller in CALLERS:
                code, text, _ = way.call(caller, "Stats", {}, service)
                assert code == {"nobody": UNAUTHENTICATED, "service": rpc.OK}.get(caller, PERMISSION_DENIED), (service, caller, text)
            client = rpc.Client(stack.address(service + ".rpc"), token=stack.keyring.service_token("gateway-svc", "other-svc"))
            assert client.Stats().code == UNAUTHENTICATED  # replayed at another service
            client.close()
        way.close()


@once
def test_access_of_a_gateway_for_itself_only_reads(driver):
    with Stack(driver, gateway=True) as stack:
        world = World(stack)
        way = AsGateway(world)
        way.more = {}
        for name in TABLE:
            method = METHODS[method_of(name)][1]
            rule, reads = rpc.access_of(method_of(name)), method.GetOptions().idempotency_level == method.GetOptions().NO_SIDE_EFFECTS
            code, text, _ = way.call("service", name, world.fields(name))
            served = rule.open or (access_pb2.SERVICE in rule.roles and reads)
            assert code not in (UNAUTHENTICATED, PERMISSION_DENIED) if served else code == PERMISSION_DENIED, (name, code, text)
        way.close()


@once
def test_access_to_a_public_catalogue(driver):
    with Stack(driver, gateway=True, flags={"hospital": {"public-catalogue": "true"},
                                                         "gateway": {"public-catalogue": "true"}}) as stack:
        world = World(stack)
        way = OverConnect(world)
        for name in way.rows:
            for caller in ("nobody", "no_role"):
                code = way.call(caller, name, world.fields(name))[0]
                assert (code in SERVING) == rpc.access_of(method_of(name)).catalogue, (name, caller, code)
        way.close()
        listener = sse.Listener(stack.gateway_svc.http, token=None, hospitalId=world.a)
        assert listener.code == 200
        listener.close()
        assert sse.Listener(stack.gateway_svc.http, token=None, customerId="kim").code == 401


@once
def test_access_to_events(driver):
    with Stack(driver, gateway=True) as stack:
        world = World(stack)
        answers = {"nobody": (401, 401), "no_role": (403, 403), "kim": (200, 200), "lee": (200, 200), "staff_a": (403, 200), "staff_b": (403, 200),
                   "admin": (200, 200), "auditor": (200, 200), "service": (403, 200)}
        known, unknown = ({"customerId": "kim"}, {"hospitalId": world.a}), ({"customerId": "nobody"}, {"hospitalId": rpc.new_id()})
        assert set(answers) == set(CALLERS)
        for caller, codes in answers.items():
            for code, query in zip(codes * 2, known + unknown):
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
        assert web.Client(stack.gateway_svc.http, token=None).get("/events?hospitalId=%s&access_token=%s" % (
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
