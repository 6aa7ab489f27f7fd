"""Measures the services' processor time of a call over HTTP, compared with the same call over RPC, with 64 callers.

Bookings come over HTTP/2 directly to the gateway's socket, by REST and by gRPC, from h2load. Bookings and a mix of reads also come
over HTTP/1.1 through the front door, whose time has a row of its own, from wrk."""

import datetime
import json
import re
import struct

from children import run
from figures import ratio_row, row
from http_side import PROCESSES, call, check_places, register, used_us
from kit.rpc import booking_pb2
from load import cpu_us as cpu_of_report
from load import load
from paths import SCENARIOS

IN_FLIGHT = 64
SECONDS = 4
CAPACITY = 100_000
MIXES = {"book": "CreateBooking", "read": "nine reads to one booking"}
READ_GOAL = "<= 4"
REST_GOAL, GRPC_GOAL = "<= 1.8", ">= 0.6"
# Each way in which h2load books: connections, concurrent streams of each, path, and fields of the head.
WAYS = {"REST": (IN_FLIGHT, 1, "/bookings", ("content-type: application/json",)),
        "gRPC": (2, IN_FLIGHT // 2, "/screening.v1.BookingService/CreateBooking", ("content-type: application/grpc", "te: trailers"))}


def seconds(bench):
    """Returns the duration of a load in whole seconds, which is what wrk and h2load take."""
    return max(1, round(bench.seconds(SECONDS)))


def by_rpc(bench, mix):
    """Returns (processor time of the services per call in microseconds, calls per s)."""
    with bench.services() as services:
        services.start("hospital", "booking")
        report = load(services, "--mix", mix, "--in-flight", IN_FLIGHT, "--seconds", bench.seconds(SECONDS))
        return sum(cpu_of_report(report).values()), sum(outcome["per_s"] for outcome in report["outcomes"].values())


def begin(services):
    """Starts everything, and registers a hospital. Returns its id and the day on which it screens."""
    services.start(*PROCESSES)
    date = (datetime.date.today() + datetime.timedelta(days=30)).isoformat()
    return register(services, [date], CAPACITY), date


def booking(way, hospital_id, date):
    """Returns the body of a booking, always of the same customer."""
    if way == "REST":
        return json.dumps({"customerId": "c", "customerName": "name", "hospitalId": hospital_id, "date": date}).encode()
    message = booking_pb2.CreateBookingRequest(customer_id="c", customer_name="name", hospital_id=hospital_id, date=date,
                                               headcount=1).SerializeToString()
    return struct.pack(">BI", 0, len(message)) + message


def directly(bench, way):
    """Returns (processor time of the services and the gateway per booking in microseconds, bookings per s)."""
    connections, streams, path, fields = WAYS[way]
    with bench.services() as services:
        body = services.folder / "body"
        body.write_bytes(booking(way, *begin(services)))
        before_us, _ = used_us(services)
        output = run(["h2load", "-t", "1", "-c", connections, "-m", streams, "-D", seconds(bench), "-d", body,
                      *(word for field in fields for word in ("-H", field)), "-B", "unix:" + services.gateway_socket,
                      "http://localhost" + path])
        spent_us = used_us(services)[0] - before_us
        found = re.search(r"status codes: (\d+) 2xx, 0 3xx, 0 4xx, 0 5xx", output)
        assert found, output
        check_places(services, int(found[1]))
        return spent_us / int(found[1]), int(found[1]) / seconds(bench)


def through_the_door(bench, mix):
    """Returns (processor time of the services and the gateway per call in microseconds, of the front door, calls per s, p50 in
    ms)."""
    with bench.services() as services:
        hospital_id, date = begin(services)
        before_us = used_us(services)
        output = run(["wrk", "-t1", "-c", IN_FLIGHT, "-d", "%ds" % seconds(bench), "-s", SCENARIOS / "p15_http.lua",
                      "http://" + services.http, "--", mix, hospital_id, date])
        spent_us = [after - before for before, after in zip(before_us, used_us(services), strict=True)]
        result = json.loads(re.search(r"^RESULT (.*)$", output, re.MULTILINE).group(1))
        assert result["wrong"] == 0 and result["lost"] == 0, output
        check_places(services, result["confirmed"])
        call(services, "GET", "/hospitals/" + hospital_id)
        return *(us / result["requests"] for us in spent_us), result["requests"] / (result["us"] / 1e6), result["p50_ms"]


def bookings(bench):
    """Returns the rows of bookings that do not come through the door."""
    rounds = [(by_rpc(bench, "one-customer"), directly(bench, "REST"), directly(bench, "gRPC")) for _ in bench.each_round()]
    rpc, rest, grpc = ([list(figures) for figures in zip(*one, strict=True)] for one in zip(*rounds, strict=True))
    return [ratio_row("processor time, REST over HTTP/2 / RPC: CreateBooking", rest[0], rpc[0], REST_GOAL),
            row("CreateBooking by REST over HTTP/2, processor time of a call", "us", rest[0]),
            row("CreateBooking by REST over HTTP/2, %d connections" % IN_FLIGHT, "per s", rest[1]),
            ratio_row("rate, gRPC / RPC: CreateBooking, %d in flight" % IN_FLIGHT, grpc[1], rpc[1], GRPC_GOAL),
            row("CreateBooking by gRPC, processor time of a call", "us", grpc[0]),
            row("CreateBooking by gRPC, %d in flight" % IN_FLIGHT, "per s", grpc[1]),
            row("CreateBooking by RPC, processor time of a call", "us", rpc[0]),
            row("CreateBooking by RPC, %d in flight" % IN_FLIGHT, "per s", rpc[1])]


def measure(bench):
    rows = bookings(bench)
    for mix, what in MIXES.items():
        direct, http = [], []
        for _ in bench.each_round():
            direct.append(by_rpc(bench, mix)[0])
            http.append(through_the_door(bench, mix))
        cost, door, rates, p50 = zip(*http, strict=True)
        rows.append(ratio_row("processor time, through the door / RPC, without the door: " + what, cost, direct,
                              READ_GOAL if mix == "read" else None))
        rows.append(row(what + " through the door, processor time of a call without the door", "us", cost))
        rows.append(row(what + " through the door, processor time of the door", "us", door))
        rows.append(row(what + " by RPC, processor time of a call", "us", direct))
        rows.append(row(what + " through the door, %d connections" % IN_FLIGHT, "per s", rates))
        rows.append(row(what + " through the door, p50", "ms", p50))
    return rows
