"""One run of ours: hospital-svc and booking-svc started anew on tcp, and screening-bench against them."""

import json

from children import CompareError, run
from services import BUILD, Services

MANY_DAYS = 300  # the most that screening-bench spreads bookings over
PLACES = 100000  # of one day, the most that hospital-svc takes
FASTEST_PER_S = 80000  # what nobody exceeds, as long as nothing was measured
ROOM = 1.3  # for a run that is faster than those before it


class Ours:
    """`fastest` remembers the rates by what was run: the hot day must not be sold out before a run's end."""

    def __init__(self, folder, cluster):
        self.folder, self.cluster = folder, cluster
        self.fastest = {}

    def closed(self, driver, in_flight, warm_up_s, seconds):
        key = (driver, in_flight)
        expected = self.fastest.get(key, FASTEST_PER_S / ROOM) * ROOM
        share = min(1, PLACES / expected / (warm_up_s + seconds))
        figures = self._run(driver, ["--in-flight", in_flight], warm_up_s * share, seconds * share)
        self.fastest[key] = max(figures["per_s"], self.fastest.get(key, 0))
        return figures

    def peak(self, driver):
        """The highest rate so far, whatever was in flight."""
        return max(rate for (of, _), rate in self.fastest.items() if of == driver)

    def many_days(self, driver, in_flight, warm_up_s, seconds):
        return self._run(driver, ["--in-flight", in_flight, "--days", MANY_DAYS], warm_up_s, seconds)

    def open(self, driver, rate, warm_up_s, seconds):
        share = min(1, PLACES / rate / (warm_up_s + seconds))
        return self._run(driver, ["--rate", rate], warm_up_s * share, seconds * share)

    def _run(self, driver, options, warm_up_s, seconds):
        with Services(self.folder / "ours", self.cluster, driver) as services:
            services.start("hospital", "booking")
            output = services.folder / "bench.json"
            run([BUILD / "bench/screening-bench", *options, "--warm-up", warm_up_s, "--seconds", seconds, "--json", output,
                 services.rpc["hospital"], services.rpc["booking"]])
            return self._figures(json.loads(output.read_text(encoding="utf-8")))

    @staticmethod
    def _figures(report):
        outcomes = dict(report["outcomes"])
        confirmed = outcomes.pop("CONFIRMED", None)
        if confirmed is None or "REJECTED" in outcomes:
            raise CompareError("screening-bench: nothing was confirmed, or the day was sold out: %s" % report["outcomes"])
        latency = confirmed["latency"]
        return {"per_s": confirmed["per_s"], "p50_ms": latency["p50_ms"], "p99_ms": latency["p99_ms"],
                "p99_9_ms": latency["p99_9_ms"], "others": {name: outcome["count"] for name, outcome in outcomes.items()},
                "bench": report}
