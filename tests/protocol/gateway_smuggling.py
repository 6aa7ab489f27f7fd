"""Requests that two servers may split differently: gateway-svc refuses them and never executes a part of one as another
request."""
import json

from kit import rpc
from kit.marks import once
from kit.raw_http import Connection, head, request
from kit.stack import Stack
from kit.world import day, register

POST, TYPE = "POST", "Content-Type: application/json"


class Smuggler:
    """Hides bookings in attacks, and checks whether one was made."""

    def __init__(self, stack):
        self.stack, self.hospital_id, self.hidden_ids = stack, register(stack, capacity=1000), []

    def booking(self, booking_id):
        return json.dumps({"bookingId": booking_id, "customerId": "smuggler", "customerName": "n",
                           "hospitalId": self.hospital_id, "date": day(1)}).encode()

    def hidden(self):
        """Returns a request that books if any server executes it."""
        self.hidden_ids.append(rpc.new_id())
        return request(POST, "/bookings", self.booking(self.hidden_ids[-1]), TYPE)

    def connect(self):
        return Connection(self.stack.gateway_svc.http)

    def made(self):
        return [one for one in self.hidden_ids if self.stack.booking.GetBooking(booking_id=one).code != rpc.NOT_FOUND]

    def refused(self, name, attack):
        """Checks that the server answers with 400 or a similar code, or not at all, and closes the connection."""
        with self.connect() as connection:
            connection.send(attack)
            reply = connection.reply()
            assert reply is None or reply.code in (400, 413, 431, 501, 505), (name, reply)
            try:
                rest = connection.rest()
            except TimeoutError:
                raise AssertionError("%s: the connection stays open after %s" % (name, reply)) from None
            # from libmicrohttpd: a length that is not a number is answered twice
            assert b"HTTP/1.1 2" not in rest, (name, reply, rest)


def ambiguous_heads(hidden, hex_size):
    """Yields header fields that give a request body two possible ends, by name. The body is one chunk."""
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


@once
def test_gateway_refuses_requests_that_end_in_two_places_and_executes_nothing_hidden_in_them(driver):
    with Stack(driver, without=("history",), gateway=True) as stack:
        smuggler = Smuggler(stack)
        names, _ = ambiguous_heads(b"", b"0")
        for name in names:
            hidden = smuggler.hidden()
            fields, chunk = ambiguous_heads(hidden, b"%x" % len(hidden))
            first = head(POST, "/bookings", TYPE, *fields[name])
            smuggler.refused(name, first + chunk + hidden + b"\r\n0\r\n\r\n" + hidden)
            smuggler.refused(name, first + hidden)
            smuggler.refused(name, first + b"0\r\n\r\n" + hidden)
        assert smuggler.made() == []


@once
def test_gateway_refuses_chunks_that_end_in_two_places(driver):
    with Stack(driver, without=("history",), gateway=True) as stack:
        smuggler = Smuggler(stack)
        for size in (b"-1", b"+%x", b"0x%x", b" %x", b"%x ", b"%xg", b"", b"10000000000000000", b"fffffffffffffffff%x", b"%x;a\nb"):
            hidden = smuggler.hidden()
            size = size.replace(b"%x", b"%x" % len(hidden))
            first = head(POST, "/bookings", TYPE, "Transfer-Encoding: chunked")
            smuggler.refused(size, first + size + b"\r\n" + hidden + b"\r\n0\r\n\r\n" + hidden)
        hidden = smuggler.hidden()
        first = head(POST, "/bookings", TYPE, "Transfer-Encoding: chunked") + b"%x\r\n" % len(hidden) + hidden
        size = b"%x" % len(hidden)
        smuggler.refused("a bare LF after a size", first.replace(size + b"\r\n", size + b"\n") + b"\r\n0\r\n\r\n" + hidden)
        smuggler.refused("a bare LF after a chunk", first + b"\n0\r\n\r\n" + hidden)
        smuggler.refused("a bare LF in the trailer", first + b"\r\n0\r\nX: a\n\r\n" + hidden)
        smuggler.refused("no line end after a chunk", first + b"0\r\n\r\n" + hidden)
        smuggler.refused("more in a chunk than its size", first + b"xx\r\n0\r\n\r\n" + hidden)
        smuggler.refused("chunks in HTTP/1.0", (first + b"\r\n0\r\n\r\n" + hidden).replace(b"HTTP/1.1", b"HTTP/1.0", 1))
        assert smuggler.made() == []


@once
def test_gateway_refuses_first_lines_that_are_none(driver):
    with Stack(driver, without=("history",), gateway=True) as stack:
        smuggler = Smuggler(stack)
        for line in (b"GET /hospitals", b"GET /hospitals HTTP/2.0", b"GET /hospitals HTTQ/1.1", b"GET  /hospitals  HTTP/1.1",
                     b"GET\t/hospitals\tHTTP/1.1", b"GET /hospitals\0 HTTP/1.1", b"GET /hospitals HTTP/1.1\nX: y",
                     b"GET /hosp itals HTTP/1.1", b"PRI * HTTP/2.0", b"/hospitals", b":"):
            smuggler.refused(line, line + b"\r\nHost: test\r\n\r\n" + smuggler.hidden())
        smuggler.refused("no host", b"GET /hospitals HTTP/1.1\r\n\r\n" + smuggler.hidden())
        assert smuggler.made() == []


@once
def test_gateway_takes_a_request_in_the_body_of_another_for_its_body(driver):
    with Stack(driver, without=("history",), gateway=True) as stack:
        smuggler = Smuggler(stack)
        after = rpc.new_id()
        for method, path in ((POST, "/bookings"), ("GET", "/hospitals"), ("DELETE", "/bookings/" + rpc.new_id())):
            hidden = smuggler.hidden()
            for first in (request(method, path, hidden, TYPE),
                          head(method, path, TYPE, "Transfer-Encoding: chunked") + b"%x\r\n" % len(hidden) + hidden + b"\r\n0\r\n\r\n"):
                with smuggler.connect() as connection:
                    connection.send(first + request("GET", "/openapi.json"))
                    replies = [connection.reply(), connection.reply()]
                    assert replies[0].code in (200, 400, 404) and replies[1].code == 200, (method, replies)
                    assert connection.unread == b""
        assert smuggler.made() == []
        # the hidden request is executed if it is sent as a separate request
        with smuggler.connect() as connection:
            connection.send(request("GET", "/openapi.json") + request(POST, "/bookings", smuggler.booking(after), TYPE))
            assert [connection.reply().code, connection.reply().code] == [200, 201]
        assert stack.booking.GetBooking(booking_id=after).code == rpc.OK


@once
def test_gateway_cuts_no_path_and_no_parameter_at_a_nul(driver):
    with Stack(driver, without=("history",), gateway=True) as stack:
        hospital_id = register(stack)
        for path in ("/hospitals%00", "/hospitals%00/x", "/hospitals/%s%%00" % hospital_id, "/openapi.json%00.html"):
            assert stack.gateway.get(path).code in (400, 404, 422), path
        reply = stack.gateway.get("/hospitals?nameContains=%00nobody")
        assert reply.code in (400, 422) or reply.json.get("hospitals", []) == [], reply
