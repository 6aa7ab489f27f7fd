"""One run of ours: hospital-svc and booking-svc started anew on tcp, and screening-bench against them."""

import contextlib
import json
import os
import pathlib
import shutil

from children import ROOT, Child, CompareError, free_address, run

BUILD = pathlib.Path(os.environ.get("SCREENING_BUILD", ROOT / "build/release")).resolve()
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
        folder = self.folder / "ours"
        folder.mkdir()
        output = folder / "bench.json"
        try:
            with self._services(folder, driver) as (hospital, booking):
                run([BUILD / "bench/screening-bench", *options, "--warm-up", warm_up_s, "--seconds", seconds, "--json", output,
                     hospital, booking])
            return self._figures(json.loads(output.read_text(encoding="utf-8")))
        except CompareError as problem:
            tails = [path.read_text(encoding="utf-8", errors="replace")[-2000:] for path in sorted(folder.glob("*.log"))]
            raise CompareError("\n".join([str(problem), *tails])) from None
        finally:
            shutil.rmtree(folder)

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

    @contextlib.contextmanager
    def _services(self, folder, driver):
        """Their addresses, hospital's first."""
        names = ("hospital", "booking")
        rpc = {name: "tcp://" + free_address() for name in names}
        events = {name: "tcp://" + free_address() for name in names}
        with contextlib.ExitStack() as stack:
            children = []
            for name, other in (names, names[::-1]):
                url = self._database(stack, folder, driver, name)
                command = [BUILD / (name + "-svc") / (name + "-svc"), "--ops-listen=", "--database=" + url,
                           "--rpc-listen=" + rpc[name], "--events-listen=" + events[name],
                           "--%s-rpc=%s" % (other, rpc[other]), "--%s-events=%s" % (other, events[other])]
                children.append(Child(command, folder / (name + ".log")))
                stack.callback(children[-1].stop)
            for child in children:
                child.wait_for_line("service.ready")
            yield rpc["hospital"], rpc["booking"]

    def _database(self, stack, folder, driver, name):
        if driver == "sqlite":
            return "sqlite:%s/%s.db" % (folder, name)
        return stack.enter_context(self.cluster.database("ours_" + name))
