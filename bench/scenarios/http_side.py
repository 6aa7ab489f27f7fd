"""The gateway beside the services: hospitals over REST, processor time, and whether the places agree afterwards."""

import contextlib
import http.client
import json
import os

from bench import must, wait_until

PROCESSES = ("hospital", "booking", "gateway")
IN_FLIGHT_MAX = 200  # the time at which the load ends
TICKS = os.sysconf("SC_CLK_TCK")


def call(services, method, path, body=None):
    """Returns the JSON of an answer, which must be a success."""
    with contextlib.closing(http.client.HTTPConnection(services.http, timeout=30)) as connection:
        connection.request(method, path, json.dumps(body) if body is not None else None,
                           {"Content-Type": "application/json"} if body is not None else {})
        reply = connection.getresponse()
        text = reply.read().decode()
    must(reply.status < 300, "%s %s: %d %s" % (method, path, reply.status, text))
    return json.loads(text)


def register(services, dates, capacity):
    """Registers a hospital with these days. Returns its id."""
    return call(services, "POST", "/hospitals", {
        "name": "hospital", "address": "address", "days": [{"date": date, "capacity": capacity} for date in dates]})["hospitalId"]


def cpu_us(services):
    """Returns the processor time that the processes have used."""
    total = 0
    for name in PROCESSES:
        with open("/proc/%d/stat" % services.pid(name), encoding="ascii") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total * 1_000_000 // TICKS


def check_places(services, confirmed):
    """Checks that as many places are taken as bookings are stored, once all calls have ended, and hardly more than were
    reported."""
    def booked_when_all_agree():
        taken = services.ask("hospital", "SELECT coalesce(sum(reserved), 0) FROM screening_day")
        booked = services.ask("booking", "SELECT count(*) FROM booking WHERE status = 2")
        return booked if booked == taken else None

    booked = wait_until("as many places are taken as bookings confirmed", booked_when_all_agree)
    must(0 <= booked - confirmed <= IN_FLIGHT_MAX, "%d bookings are confirmed, the callers were told of %d" % (booked, confirmed))
