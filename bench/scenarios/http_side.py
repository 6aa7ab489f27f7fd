"""Calls the gateway through the front door: registers hospitals over REST, reads the processor time, and checks that the places match
afterwards."""

import contextlib
import http.client
import json
import os

from bench import must, wait_until

SERVICES = ("hospital", "booking", "gateway")
PROCESSES = (*SERVICES, "front")
IN_FLIGHT_MAX = 200  # maximum number of calls in flight at the end of the load, whose answers are not counted
TICKS = os.sysconf("SC_CLK_TCK")


def call(services, method, path, body=None):
    """Sends a request to the gateway, and returns the JSON of the answer. Fails if the status is 300 or higher."""
    with contextlib.closing(http.client.HTTPConnection(services.http, timeout=30)) as connection:
        connection.request(method, path, json.dumps(body) if body is not None else None,
                           {"Content-Type": "application/json"} if body is not None else {})
        reply = connection.getresponse()
        text = reply.read().decode()
    must(reply.status < 300, "%s %s: %d %s" % (method, path, reply.status, text))
    return json.loads(text)


def register(services, dates, capacity):
    """Registers a hospital with a day of this capacity on each date. Returns the hospital's id."""
    return call(services, "POST", "/hospitals", {
        "name": "hospital", "address": "address", "days": [{"date": date, "capacity": capacity} for date in dates]})["hospitalId"]


def cpu_us(pids):
    """Returns the processor time that the processes have used so far, in microseconds."""
    total = 0
    for pid in pids:
        with open("/proc/%d/stat" % pid, encoding="ascii") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total * 1_000_000 // TICKS


def used_us(services):
    """Returns the processor time so far, in microseconds: (of hospital-svc, booking-svc and gateway-svc, of the front door)."""
    return cpu_us(map(services.pid, SERVICES)), cpu_us(services.front_pids())


def check_places(services, confirmed):
    """Checks, once all calls have ended, that as many places are taken as bookings are confirmed. `confirmed` is the number of
    confirmations that the callers received; at most IN_FLIGHT_MAX more may be stored."""
    def booked_when_all_agree():
        taken = services.ask("hospital", "SELECT coalesce(sum(reserved), 0) FROM screening_day")
        booked = services.ask("booking", "SELECT count(*) FROM booking WHERE status = 2")
        return booked if booked == taken else None

    booked = wait_until("as many places are taken as bookings confirmed", booked_when_all_agree)
    must(0 <= booked - confirmed <= IN_FLIGHT_MAX, "%d bookings are confirmed, the callers were told of %d" % (booked, confirmed))
