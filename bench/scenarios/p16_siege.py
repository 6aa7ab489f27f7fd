"""Measures siege -c100 -t60S through the front door and the gateway, as in the original, with enough hospitals that no day sells out."""

import datetime
import json

from children import run
from figures import row
from http_side import PROCESSES, check_places, register

CALLERS = 100
SECONDS = 60
HOSPITALS, DAYS = 50, 10
CAPACITY = 100_000


def measure(bench):
    """Measures one round, because a round takes a minute."""
    seconds = max(1, round(bench.seconds(SECONDS)))
    dates = [(datetime.date.today() + datetime.timedelta(days=10 + day)).isoformat() for day in range(DAYS)]
    with bench.services() as services:
        services.start(*PROCESSES)
        urls = services.folder / "urls"
        with open(urls, "w", encoding="ascii") as out:
            for number in range(HOSPITALS):
                hospital_id = register(services, dates, CAPACITY)
                for date in dates:
                    out.write("http://%s/bookings POST %s\n" % (services.http, json.dumps({
                        "customerId": "customer-%d" % number, "customerName": "name", "hospitalId": hospital_id, "date": date})))
        # siege writes its settings file to the folder HOME.
        output = run(["siege", "-c%d" % CALLERS, "-t%dS" % seconds, "-j", "-q", "--content-type=application/json", "-f", urls],
                     seconds + 60, HOME=str(services.folder))
        result = json.loads(output[output.index("{"):])
        check_places(services, result["transactions"])
        return [
            row("siege -c%d -t%dS: availability" % (CALLERS, seconds), "%", [result["availability"]], ">= 100"),
            row("siege -c%d: bookings" % CALLERS, "per s", [result["transaction_rate"]]),
            row("siege -c%d: mean" % CALLERS, "ms", [1000 * result["response_time"]]),
            row("siege -c%d: longest" % CALLERS, "ms", [1000 * result["longest_transaction"]]),
        ]
