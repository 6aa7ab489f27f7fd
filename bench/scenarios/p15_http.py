"""The cost of a call over HTTP and JSON, compared with the same call over RPC: processor time of the services, 64
callers."""

import datetime
import json
import re

from children import run
from figures import ratio_row, row
from http_side import call, check_places, cpu_us, register
from load import cpu_us as cpu_of_report
from load import load
from paths import SCENARIOS

IN_FLIGHT = 64
SECONDS = 4
CAPACITY = 100_000
GOALS = {"book": "<= 1.8", "read": "<= 4"}
WHAT = {"book": "CreateBooking", "read": "nine reads to one booking"}


def by_rpc(bench, mix):
    """Returns the microseconds of the services per call."""
    with bench.services() as services:
        services.start("hospital", "booking")
        report = load(services, "--mix", mix, "--in-flight", IN_FLIGHT, "--seconds", bench.seconds(SECONDS))
        return sum(cpu_of_report(report).values())


def by_http(bench, mix):
    """Returns (microseconds of the services and the gateway per call, calls per s, p50 in ms)."""
    with bench.services() as services:
        services.start("hospital", "booking", "gateway")
        date = (datetime.date.today() + datetime.timedelta(days=30)).isoformat()
        hospital_id = register(services, [date], CAPACITY)
        before_us = cpu_us(services)
        output = run(["wrk", "-t1", "-c", IN_FLIGHT, "-d", "%ds" % max(1, round(bench.seconds(SECONDS))), "-s",
                      SCENARIOS / "p15_http.lua", "http://" + services.http, "--", mix, hospital_id, date])
        used_us = cpu_us(services) - before_us
        result = json.loads(re.search(r"^RESULT (.*)$", output, re.MULTILINE).group(1))
        assert result["wrong"] == 0 and result["lost"] == 0, output
        check_places(services, result["confirmed"])
        call(services, "GET", "/hospitals/" + hospital_id)
        return used_us / result["requests"], result["requests"] / (result["us"] / 1e6), result["p50_ms"]


def measure(bench):
    rows = []
    for mix, goal in GOALS.items():
        direct, http = [], []
        for _ in bench.each_round():
            direct.append(by_rpc(bench, mix))
            http.append(by_http(bench, mix))
        cost, rates, p50 = zip(*http, strict=True)
        rows.append(ratio_row("processor time, HTTP / RPC: " + WHAT[mix], cost, direct, goal))
        rows.append(row(WHAT[mix] + " over HTTP, processor time of a call", "us", cost))
        rows.append(row(WHAT[mix] + " by RPC, processor time of a call", "us", direct))
        rows.append(row(WHAT[mix] + " over HTTP, %d connections" % IN_FLIGHT, "per s", rates))
        rows.append(row(WHAT[mix] + " over HTTP, p50", "ms", p50))
    return rows
