"""Makes one run of our system: starts new processes of hospital-svc and booking-svc on tcp, and runs screening-bench against
them."""

import contextlib
import json

import perf
from children import CompareError, run
from services import BUILD, Services

MANY_DAYS = 1000  # number of days in the mix many-days
SERVICES = ("hospital", "booking")
LOAD = "screening-bench"  # the name of the load generator in the list of processes


def per_booking_us(used):
    """Returns the processor time of a process per booking, in microseconds."""
    return used["per_turn"]["user_us"] + used["per_turn"]["kernel_us"]


class Ours:
    """Runs our system. `fastest` maps each driver to its highest rate so far, with any number of calls in flight."""

    def __init__(self, folder, cluster):
        self.folder, self.cluster = folder, cluster
        self.fastest = {}

    def closed(self, driver, in_flight, warm_up_s, seconds):
        figures = self._run(driver, ["--in-flight", in_flight], warm_up_s, seconds)
        self.fastest[driver] = max(figures["per_s"], self.fastest.get(driver, 0))
        return figures

    def many_days(self, driver, in_flight, warm_up_s, seconds):
        return self._run(driver, ["--mix", "many-days", "--days", MANY_DAYS, "--in-flight", in_flight], warm_up_s, seconds)

    def open(self, driver, rate, warm_up_s, seconds):
        return self._run(driver, ["--rate", rate], warm_up_s, seconds)

    def profiled(self, driver, in_flight, warm_up_s, seconds):
        """Runs a closed loop, and samples how the services spend their processor time."""
        with self._services(driver) as services:
            with perf.recorded({name + "-svc": services.pid(name) for name in SERVICES}, services.folder) as samples:
                figures = self._load(services, ["--in-flight", in_flight], warm_up_s, seconds)
            parts = [{"process": name, **part} for name, path in samples.items()
                     for part in perf.parts(path, per_booking_us(figures["processes"][name]))]
            return {**figures, "parts": parts}

    @contextlib.contextmanager
    def _services(self, driver):
        with Services(self.folder / "ours", self.cluster, driver) as services:
            yield services.start(*SERVICES)

    def _run(self, driver, options, warm_up_s, seconds):
        with self._services(driver) as services:
            return self._load(services, options, warm_up_s, seconds)

    def _load(self, services, options, warm_up_s, seconds):
        pids = {name + "-svc": services.pid(name) for name in SERVICES}
        if services.driver == "postgresql":
            pids["postgresql"] = self.cluster.pid()
        watched = [word for name, pid in pids.items() for word in ("--watch", "%s=%d" % (name, pid))]
        output = services.folder / "bench.json"
        run([BUILD / "bench/screening-bench", *options, *watched, "--warm-up", warm_up_s, "--seconds", seconds,
             "--json", output, *(services.rpc[name] for name in SERVICES)])
        return self.figures(json.loads(output.read_text(encoding="utf-8")))

    @staticmethod
    def figures(report):
        """Returns the part of a report that is stored. `cpu_us` is the processor time of the services and their database per
        booking, without the load generator."""
        outcomes = dict(report["outcomes"])
        confirmed = outcomes.pop("CONFIRMED", None)
        if confirmed is None or "FAILED_PRECONDITION SOLD_OUT" in outcomes:
            raise CompareError("screening-bench: nothing was confirmed, or the days were sold out: %s" % report["outcomes"])
        latency, processes = confirmed["latency"], report["processes"]
        if None in processes.values():
            raise CompareError("screening-bench: a process could not be watched: %s" % processes)
        cpu_us = sum(per_booking_us(used) for name, used in processes.items() if name != LOAD)
        return {"per_s": confirmed["per_s"], **latency, "cpu_us": cpu_us, "measured_s": report["measured_s"], "processes": processes,
                "others": {name: outcome["count"] for name, outcome in outcomes.items()}}
