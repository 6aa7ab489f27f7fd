"""Sends requests that two servers may split differently. The gateway executes nothing but the requests that the door has read and
logged, and the door refuses what RFC 9112 tells servers to refuse."""
import json
import re

from kit import rpc
from kit.marks import once
from kit.raw_http import Connection, head, request
from kit.stack import DEADLINE_S, Stack, wait_for
from kit.web import Client
from kit.world import day, register

POST, TYPE = "POST", "Content-Type: application/json"
# Ends a connection on which an attack has left the door between two requests.
END, END_LINE = request("PATCH", "/", b"", "Connection: close"), b"HTTP/1.1 405"
# RFC 9112 lets a server read these, some of them after a replacement. HAProxy 2.6 does, and 3.0 most of them. What follows is then
# another request.
MAY_BE_READ = {
    "two equal lengths", "a list of lengths", "chunked,", "a space before the name", "a folded coding", "a folded length",
    "a fold of no weight", "a length behind a bare LF", "a bare LF of no weight", "a coding behind a bare LF", "%x ",
    "a bare LF after a size", "a bare LF after a chunk", "a bare LF in the trailer", "two blanks", "tabs",
    "a bare LF in the first line",
}
# These are refused, but their end is known.
REFUSED_ALONE = {"no host": b"HTTP/1.1 421 ", "a NUL of no weight": b"HTTP/1.1 400 "}


class Smuggler:
    """Hides bookings in attacks, sends them, and checks what became of them."""

    def __init__(self, stack):
        self.stack, self.hospital_id = stack, register(stack, capacity=1000)

    def hidden(self):
        """Returns a request that makes a booking each time that the gateway executes it."""
        body = {"customerId": "smuggler", "customerName": "n", "hospitalId": self.hospital_id, "date": day(1)}
        return request(POST, "/bookings", json.dumps(body).encode(), TYPE)

    def bookings(self):
        return self.stack.value("booking", "SELECT COUNT(*) FROM booking")

    def connect(self):
        return Connection(self.stack.gateway_svc.http)

    def executed(self):
        """Returns how many requests the gateway has answered."""
        client = Client(self.stack.gateway_svc.ops, timeout=DEADLINE_S)
        try:
            return sum(map(int, re.findall(r"^http_requests_total\{.*\} (\d+)$", client.get("/metrics").body.decode(), re.M)))
        finally:
            client.close()

    def play(self, attacks):
        """Sends pairs of a name and an attack, each over its own connection. Checks that nothing behind an attack that must be refused
        is executed, and that the gateway executes as many requests, and makes as many bookings, as the door has passed on."""
        connections = []
        try:
            for name, attack in attacks:
                connections.append((name, self.connect()))
                connections[-1][1].send(attack + END)
            for name, connection in connections:
                said = connection.rest()
                if name in REFUSED_ALONE:
                    assert said.startswith(REFUSED_ALONE[name]), (name, said)
                else:
                    assert name in MAY_BE_READ or b"HTTP/1.1 2" not in said and END_LINE not in said, (name, said)
        finally:
            for _, connection in connections:
                connection.close()
        wait_for("the gateway executes what the door has passed on", self._is_accounted_for)

    def _is_accounted_for(self):
        passed = [one for one in self.stack.front.requests() if one["wait_ms"] >= 0]
        booked = [one for one in passed if (one["method"], one["route"], one["code"]) == (POST, "/bookings", 201)]
        return self.executed() == len(passed) and self.bookings() == len(booked)


def ambiguous_heads(hidden, hex_size):
    """Returns, by name, header fields that give the body of a request two possible ends. The body is one chunk."""
    chunk = b"%s\r\n" % hex_size
    length, chunked = "Content-Length: %d" % len(hidden), "Transfer-Encoding: chunked"
    zero = "Content-Length: 0"
    return {
        "both": (zero, chunked), "both, the other way round": (chunked, zero), "both, a length that fits": (length, chunked),
        "two equal lengths": (length, length), "two lengths": (zero, length), "a list of lengths": ("Content-Length: 0, 0",),
        "two codings": (chunked, chunked), "xchunked": ("Transfer-Encoding: xchunked",),
        "identity after chunked": ("Transfer-Encoding: chunked, identity",), "identity": ("Transfer-Encoding: identity",),
        "gzip before chunked": ("Transfer-Encoding: gzip, chunked",), "a parameter": ("Transfer-Encoding: chunked;q=1",),
        "an empty coding": ("Transfer-Encoding:",), "chunked,": ("Transfer-Encoding: chunked,",),
        "a vertical tab": ("Transfer-Encoding: \x0bchunked",),
        "a space before the colon": ("Transfer-Encoding : chunked",), "a tab before the colon": ("Transfer-Encoding\t: chunked",),
        "a length with a space before the colon": ("Content-Length : %d" % len(hidden),),
        "a space before the name": (" " + chunked,), "a folded coding": ("Transfer-Encoding:\r\n chunked",),
        "a coding in two lines": ("Transfer-Encoding: chun\r\n\tked",), "a folded length": ("X-First: a\r\n " + length,),
        "a fold of no weight": (length, "X-First: a\r\n b"), "a length behind a bare LF": ("X-First: a\n" + length,),
        "a bare LF of no weight": ("X-First: a\nX-Second: b", length), "a coding behind a bare LF": ("X-First: a\n" + chunked,),
        "a NUL in the coding": (chunked + "\0x",), "a NUL in the length": (length + "\0" + "1",),
        "a NUL of no weight": (length, "X-First: a\0b"), "an empty name": (length, ": a"),
        "a length behind a bare CR": ("X-First: a\r" + length,),
        "negative": ("Content-Length: -1",), "with a sign": ("Content-Length: +%d" % len(hidden),),
        "hexadecimal": ("Content-Length: 0x10",), "with letters": ("Content-Length: %dz" % len(hidden),),
        "empty": ("Content-Length:",), "with a space": ("Content-Length: 1 1",), "a fraction": ("Content-Length: 1.0",),
        "2^64": ("Content-Length: 18446744073709551616",), "2^64 more": ("Content-Length: %d" % (2**64 + len(hidden)),),
        "a NUL in the name": ("Content-Length\0: 0", length), "no colon": ("Content-Length 0", length),
        "two hosts": ("Host: other",), "a name that is none": ("Content(Length): 0",),
    }, chunk


def open_stack(driver):
    return Stack(driver, without=("history",), gateway=True, front={"request_timeout": "1s"})


@once
def test_gateway_executes_nothing_hidden_in_requests_that_end_in_two_places(driver):
    with open_stack(driver) as stack:
        smuggler, attacks = Smuggler(stack), []
        names, _ = ambiguous_heads(b"", b"0")
        for name in names:
            hidden = smuggler.hidden()
            fields, chunk = ambiguous_heads(hidden, b"%x" % len(hidden))
            first = head(POST, "/bookings", TYPE, *fields[name])
            attacks += [(name, first + chunk + hidden + b"\r\n0\r\n\r\n" + hidden), (name, first + hidden),
                        (name, first + b"0\r\n\r\n" + hidden)]
        smuggler.play(attacks)


@once
def test_gateway_executes_nothing_hidden_in_chunks_that_end_in_two_places(driver):
    with open_stack(driver) as stack:
        smuggler, attacks = Smuggler(stack), []
        for form in ("-1", "+%x", "0x%x", " %x", "%x ", "%xg", "", "10000000000000000", "fffffffffffffffff%x", "%x;a\nb"):
            hidden = smuggler.hidden()
            size = form.replace("%x", "%x" % len(hidden)).encode()
            first = head(POST, "/bookings", TYPE, "Transfer-Encoding: chunked")
            attacks.append((form, first + size + b"\r\n" + hidden + b"\r\n0\r\n\r\n" + hidden))
        hidden = smuggler.hidden()
        first = head(POST, "/bookings", TYPE, "Transfer-Encoding: chunked") + b"%x\r\n" % len(hidden) + hidden
        size = b"%x" % len(hidden)
        smuggler.play([
            *attacks,
            ("a bare LF after a size", first.replace(size + b"\r\n", size + b"\n") + b"\r\n0\r\n\r\n" + hidden),
            ("a bare LF after a chunk", first + b"\n0\r\n\r\n" + hidden),
            ("a bare LF in the trailer", first + b"\r\n0\r\nX: a\n\r\n" + hidden),
            ("no line end after a chunk", first + b"0\r\n\r\n" + hidden),
            ("more in a chunk than its size", first + b"xx\r\n0\r\n\r\n" + hidden),
            ("chunks in HTTP/1.0", (first + b"\r\n0\r\n\r\n" + hidden).replace(b"HTTP/1.1", b"HTTP/1.0", 1)),
        ])


@once
def test_gateway_executes_nothing_hidden_behind_malformed_first_lines(driver):
    with open_stack(driver) as stack:
        smuggler = Smuggler(stack)
        lines = {"two blanks": b"GET  /hospitals  HTTP/1.1", "tabs": b"GET\t/hospitals\tHTTP/1.1",
                 "a bare LF in the first line": b"GET /hospitals HTTP/1.1\nX: y"}
        for line in (b"GET /hospitals", b"GET /hospitals HTTP/2.0", b"GET /hospitals HTTQ/1.1", b"GET /hospitals\0 HTTP/1.1",
                     b"GET /hosp itals HTTP/1.1", b"PRI * HTTP/2.0", b"/hospitals", b":"):
            lines[line] = line
        attacks = [(name, line + b"\r\nHost: test\r\n\r\n" + smuggler.hidden()) for name, line in lines.items()]
        smuggler.play([*attacks, ("no host", b"GET /hospitals HTTP/1.1\r\n\r\n" + smuggler.hidden())])


@once
def test_gateway_treats_a_request_in_a_body_as_part_of_that_body(driver):
    with open_stack(driver) as stack:
        smuggler = Smuggler(stack)
        for method, path in ((POST, "/bookings"), ("GET", "/hospitals"), ("DELETE", "/bookings/" + rpc.new_id())):
            hidden = smuggler.hidden()
            for first in (request(method, path, hidden, TYPE),
                          head(method, path, TYPE, "Transfer-Encoding: chunked") + b"%x\r\n" % len(hidden) + hidden + b"\r\n0\r\n\r\n"):
                with smuggler.connect() as connection:
                    connection.send(first + request("GET", "/openapi.json"))
                    replies = [connection.reply(), connection.reply()]
                    assert replies[0].code in (200, 400, 404) and replies[1].code == 200, (method, replies)
                    assert connection.unread == b""
        assert smuggler.bookings() == 0
        # The hidden request is executed if it is sent as a separate request.
        with smuggler.connect() as connection:
            connection.send(request("GET", "/openapi.json") + smuggler.hidden())
            assert [connection.reply().code, connection.reply().code] == [200, 201]
        assert smuggler.bookings() == 1


@once
def test_gateway_cuts_no_path_and_no_parameter_at_a_nul(driver):
    with Stack(driver, without=("history",), gateway=True) as stack:
        hospital_id = register(stack)
        for path in ("/hospitals%00", "/hospitals%00/x", "/hospitals/%s%%00" % hospital_id, "/openapi.json%00.html"):
            assert stack.gateway.get(path).code in (400, 404, 422), path
        reply = stack.gateway.get("/hospitals?nameContains=%00nobody")
        assert reply.code in (400, 422) or reply.json.get("hospitals", []) == [], reply
