"""G7: offers three times as many bookings as booking-svc can process, at a fixed rate. A stall before each commit limits its
capacity to about 1,500 bookings a second, so that the test does not measure the load generator.

The test checks rates only in builds without a sanitizer, because with a sanitizer the load generator may be the slow part. The
bounds are deliberately loose, so that a busy machine does not exceed them. bench/ measures the rates.

The overload lasts 4 s; with SCREENING_FULL=1, 30 s. By hand, in a build with fault points:
SCREENING_BUILD=$PWD/build/faults tests/kit/run tests/faults/overload.py"""
import json
import os
import subprocess
import threading
import time

from kit.marks import once
from kit.stack import BUILD, Stack, is_sanitized
from kit.world import wait_agreement

FULL = os.environ.get("SCREENING_FULL") == "1"
PEAK_S, OVERLOAD_S, WARM_UP_S = (10, 30, 3) if FULL else (2, 4, 2)
BUDGET_MS = 1000
# A booking takes two commands, and a commit of 40 ms contains at most 120 commands: 1,500 bookings a second.
BATCH_MAX, STALL_MS = 120, 40
FACTOR = 3
GOODPUT_LEAST = 0.6
REFUSAL_P99_MS = BUDGET_MS / 2
RSS_GROWTH_KIB = 16384  # if calls were queued instead of refused, RSS would grow by several times this amount
# Other activity on the machine can spoil one round, but a defect spoils every round.
ROUNDS = 3


def rss_kib(process):
    with open("/proc/%d/status" % process.pid, encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS:"))


class RssWatch:
    """Samples a process's RSS (KiB) during a load. `first` is the first sample after the warm-up, `highest` the maximum since
    then."""

    def __init__(self, process, warm_up_s):
        self.process, self.from_s = process, time.monotonic() + warm_up_s
        self.first = self.highest = 0
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._watch)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.thread.join()

    def _watch(self):
        while not self.stopping.wait(0.1):
            if time.monotonic() >= self.from_s:
                now = rss_kib(self.process)
                self.first = self.first or now
                self.highest = max(self.highest, now)


def bench(stack, *options):
    """Runs screening-bench against the stack. Returns its report."""
    path = os.path.join(stack.folder, "bench.json")
    done = subprocess.run([os.path.join(BUILD, "bench/screening-bench"), "--json", path, "--budget-ms", str(BUDGET_MS),
                           "--connections", "4", *options, stack.hospital_svc.rpc, stack.booking_svc.rpc],
                          capture_output=True, text=True, check=False)
    print(done.stdout + done.stderr, end="", flush=True)
    assert done.returncode == 0, "screening-bench failed"
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def confirmed_per_s(figures):
    return figures["outcomes"].get("CONFIRMED", {"per_s": 0})["per_s"]


def one_round(stack):
    """Plays one round. Returns the problems as texts."""
    peak = confirmed_per_s(bench(stack, "--in-flight", "512", "--warm-up", "1", "--seconds", str(PEAK_S)))
    if peak == 0:
        return ["nothing was confirmed below the overload"]
    with RssWatch(stack.booking_svc.process, WARM_UP_S) as rss:
        over = bench(stack, "--rate", "%d" % (FACTOR * peak), "--warm-up", str(WARM_UP_S), "--seconds", str(OVERLOAD_S))
    goodput, refused = confirmed_per_s(over), over["outcomes"].get("RESOURCE_EXHAUSTED OVERLOADED")
    wrong = []
    if refused is None:
        return ["nobody was refused"]
    if goodput == 0:
        wrong.append("nothing was confirmed")
    if goodput < GOODPUT_LEAST * peak and not is_sanitized():
        wrong.append("goodput %.0f/s is below %.0f %% of %.0f/s" % (goodput, 100 * GOODPUT_LEAST, peak))
    took = refused["from_sending"]  # measured from the sending, when a budget begins, without delays of the generator
    if took["p99_ms"] >= REFUSAL_P99_MS and not is_sanitized():
        wrong.append("refusals took %.1f ms (p99)" % took["p99_ms"])
    if rss.highest - rss.first > RSS_GROWTH_KIB and not is_sanitized():
        wrong.append("RSS grew from %d to %d KiB" % (rss.first, rss.highest))
    print("peak %.0f/s; offered %.0f/s: goodput %.0f/s = %.0f %%, %.0f/s refused after %.2f ms (p50), %.2f ms (p99); RSS %d KiB "
          "after the warm-up, at most %d KiB" % (peak, FACTOR * peak, goodput, 100 * goodput / peak, refused["per_s"],
                                                 took["p50_ms"], took["p99_ms"], rss.first, rss.highest), flush=True)
    return wrong


@once
def test_overload_leaves_the_goodput_near_its_peak(driver):
    # screening-bench sends no token.
    with Stack(driver, without=("history",), flags={"booking": {"batch-max": BATCH_MAX}}, insecure=True) as stack:
        stack.booking_svc.kill()
        stack.booking_svc.environment["SCREENING_FAULTS"] = "writer.before_commit:stall=%d@1+" % STALL_MS
        stack.booking_svc.start()
        wrong = []
        for _ in range(ROUNDS):
            wrong = one_round(stack)
            if not wrong:
                break
            print("; ".join(wrong), flush=True)
        assert not wrong, wrong
        wait_agreement(stack, with_history=False)
