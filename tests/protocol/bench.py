"""Checks that the mixes of screening-bench work as described, and that a run fails if a service answers fast but wrong. The services
are insecure, because screening-bench sends no token."""
import json
import os
import signal
import subprocess

from kit import rpc
from kit.marks import once
from kit.rpc import FakeService, booking_pb2, hospital_pb2, types_pb2
from kit.stack import BUILD, PATIENT_MS, Stack, wait_for
from kit.world import CANCELLED, CONFIRMED, wait_agreement


def bench(stack, *options):
    """Runs screening-bench. Returns (exit code, output, report)."""
    path = os.path.join(stack.folder, "bench.json")
    command = [os.path.join(BUILD, "bench/screening-bench"), "--json", path, "--budget-ms", PATIENT_MS, *options,
               stack.address("hospital.rpc"), stack.address("booking.rpc")]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    assert os.path.exists(path), done.stderr
    with open(path, encoding="utf-8") as file:
        return done.returncode, done.stdout + done.stderr, json.load(file)


def counts(figures):
    return {name: outcome["count"] for name, outcome in figures["outcomes"].items()}


def good_run(stack, *options):
    code, text, figures = bench(stack, *options)
    assert code == 0 and figures["places"]["agree"] and "they agree" in text, text
    return figures


def test_bench_mixes_count_what_the_services_hold(driver):
    with Stack(driver, without=("history",), insecure=True) as stack:
        booked = good_run(stack, "--count", 300)
        assert counts(booked) == {"CONFIRMED": 300}, booked
        assert booked["places"]["taken"] == booked["places"]["live"] == booked["turns"] == 300, booked
        same = good_run(stack, "--count", 200, "--mix", "one-customer")
        assert counts(same) == {"CONFIRMED": 200}, same
        assert len(stack.rows("booking", "SELECT DISTINCT customer_id FROM booking")) == 301
        cancelled = good_run(stack, "--count", 300, "--mix", "book-cancel")
        assert counts(cancelled) == {"CONFIRMED": 300, "CancelBooking CANCELLED": 300}, cancelled
        assert cancelled["places"]["taken"] == cancelled["places"]["live"] == 0, cancelled
        rush = good_run(stack, "--count", 300, "--mix", "sold-out", "--places", 20)
        assert counts(rush) == {"CONFIRMED": 20, "FAILED_PRECONDITION SOLD_OUT": 280}, rush
        assert rush["places"]["sold_out"] and rush["places"]["taken"] == rush["places"]["of"] == 20, rush
        reads = counts(good_run(stack, "--count", 1000, "--mix", "read", "--in-flight", 1))
        assert reads == {"CONFIRMED": 100, "GetBooking OK": 400, "GetAvailability OK": 300, "ListBookings OK": 200}, reads
        # The 600 bookings are for 601 days at three hospitals: one for each day but the last.
        days = good_run(stack, "--count", 600, "--mix", "many-days", "--days", 601, "--places", 1)
        assert counts(days) == {"CONFIRMED": 600} and days["places"]["of"] == 601, days
        wait_agreement(stack, with_history=False)


def test_bench_hot_day_goes_on_to_the_next_when_it_is_sold(driver):
    with Stack(driver, without=("history",), insecure=True) as stack:
        figures = good_run(stack, "--count", 250, "--places", 100)
        assert counts(figures) == {"CONFIRMED": 250}, figures
        taken = stack.rows("hospital", "SELECT reserved FROM screening_day WHERE reserved > 0 ORDER BY date")
        assert [int(count) for count, in taken] == [100, 100, 50], taken


@once
def test_bench_reports_what_the_processes_used(driver):
    with Stack(driver, without=("history",), insecure=True) as stack:
        pids = {name: stack.services[name.removesuffix("-svc")].process.pid for name in ("hospital-svc", "booking-svc")}
        watches = [word for name, pid in pids.items() for word in ("--watch", "%s=%d" % (name, pid))]
        processes = good_run(stack, "--count", 2000, *watches)["processes"]
        assert set(processes) == {"screening-bench", *pids}, processes
        for name, used in processes.items():
            assert 0 < used["rss_kib"] <= used["rss_peak_kib"], (name, used)
            assert used["user_s"] + used["kernel_s"] > 0, (name, used)
            per_booking = used["per_turn"]
            assert abs(per_booking["user_us"] - used["user_s"] * 1e6 / 2000) < 1, (name, used)
            assert per_booking["voluntary_switches"] > 0, (name, used)
        # A booking and its event are written to one database, a reservation to the other.
        assert all(processes[name]["per_turn"]["written_bytes"] > 100 for name in pids), processes


@once
def test_bench_watch_reports_what_the_others_used(driver):
    del driver
    watch = [os.path.join(BUILD, "bench/bench-watch"), "0.01", "0.1"]

    def seen():
        with subprocess.Popen([*watch, "busy=%d" % os.getpid()], stdout=subprocess.PIPE, text=True) as running:
            while running.poll() is None:
                pass  # this loop uses the processor time that bench-watch measures
            used = json.loads(running.stdout.read())["busy"]
        return used["user_s"] + used["kernel_s"] > 0
    wait_for("some time of this process, however little a loaded machine gives it", seen)
    for words in ((), ("busy",), ("busy=0",)):
        assert subprocess.run([*watch, *words], capture_output=True, check=False).returncode == 2, words
    with subprocess.Popen(["true"]) as gone:
        pass
    assert subprocess.run([*watch, "gone=%d" % gone.pid], capture_output=True, check=False).returncode == 1


class Liar:
    """Plays both services. Counts bookings, and answers falsely in the way that `lie` names."""

    def __init__(self, lie):
        self.lie, self.booked, self.places = lie, {}, {}

    def hospital(self, name, request):
        if name == "RegisterHospital":
            self.places = {day.date: day.capacity for day in request.days}
            return types_pb2.Hospital(hospital_id=request.hospital_id)
        live = sum(1 for booking in self.booked.values() if booking.status == CONFIRMED)
        taken = live - (self.lie == "loses a place")
        days = [{"date": date, "capacity": places, "remaining": places} for date, places in sorted(self.places.items())]
        days[0]["remaining"] -= taken
        return hospital_pb2.GetAvailabilityResponse(days=days)

    def booking(self, name, request):
        if name == "CreateBooking":
            booking = types_pb2.Booking(booking_id=request.booking_id, customer_id=request.customer_id, status=CONFIRMED)
            if self.lie != "forgets a booking" or self.booked:
                self.booked[request.booking_id] = booking
            else:
                self.booked[""] = types_pb2.Booking(status=CONFIRMED)
            return booking
        if name == "GetBooking":
            return types_pb2.Booking(booking_id=rpc.new_id() if self.lie == "mixes up" else request.booking_id, status=CONFIRMED)
        if name == "CancelBooking":
            self.booked[request.booking_id].status = CANCELLED
            return self.booked[request.booking_id]
        listed = [booking for booking in self.booked.values() if booking.status == CONFIRMED and booking.booking_id and
                  request.customer_id in ("", booking.customer_id)]
        return booking_pb2.ListBookingsResponse(bookings=listed)


def run_against_liar(lie, *options):
    with Stack(without=("hospital", "booking", "history")) as stack:
        liar = Liar(lie)
        services = [FakeService(stack.address(name + ".rpc"), getattr(liar, name)) for name in ("hospital", "booking")]
        try:
            return bench(stack, "--count", 20, "--in-flight", 1, *options)
        finally:
            for service in services:
                service.close()


@once
def test_bench_a_wrong_answer_makes_a_failed_run(driver):
    del driver
    for lie, mix, figure in (("loses a place", "book", {"taken": 19, "live": 20}),
                             ("forgets a booking", "book", {"taken": 20, "live": 19}),
                             ("mixes up", "read", {"wrong_answers": 8})):
        code, text, figures = run_against_liar(lie, "--mix", mix)
        assert code == 1 and "DO NOT AGREE" in text, (lie, text)
        assert not figures["places"]["agree"] and figure.items() <= figures["places"].items(), (lie, figures)
    code, text, figures = run_against_liar("", "--mix", "sold-out", "--places", 21)
    assert code == 1 and not figures["places"]["sold_out"], text
    for mix in ("book", "book-cancel", "read"):
        code, text, _ = run_against_liar("", "--mix", mix)
        assert code == 0, (mix, text)


@once
def test_bench_interrupted_reports_what_it_has_measured(driver):
    with Stack(driver, without=("history",), insecure=True) as stack:
        path = os.path.join(stack.folder, "bench.json")
        with subprocess.Popen([os.path.join(BUILD, "bench/screening-bench"), "--seconds", "3600", "--warm-up", "0", "--json", path,
                               stack.address("hospital.rpc"), stack.address("booking.rpc")], stdout=subprocess.DEVNULL) as running:
            try:
                wait_for("bookings", lambda: stack.value("booking", "SELECT COUNT(*) FROM booking") >= 100)
            finally:
                running.send_signal(signal.SIGINT)
        assert running.returncode == 0, running.returncode
        with open(path, encoding="utf-8") as file:
            figures = json.load(file)
        confirmed = figures["outcomes"]["CONFIRMED"]
        assert figures["places"]["agree"] and 100 <= confirmed["count"] == figures["places"]["live"], figures
        assert abs(confirmed["per_s"] * figures["measured_s"] - confirmed["count"]) < 1 and figures["measured_s"] < 3600, figures


@once
def test_bench_options_that_make_no_sense_are_refused(driver):
    del driver
    for options, says in ((("--mix", "nothing"), "no such mix"), (("--watch", "booking-svc"), "NAME=PID"),
                          (("--count", "0"), "must be 1 to"), (("--in-flight", "many"), "must be 1 to")):
        done = subprocess.run([os.path.join(BUILD, "bench/screening-bench"), *options, "tcp://127.0.0.1:1", "tcp://127.0.0.1:1"],
                              capture_output=True, text=True, check=False)
        assert done.returncode == 2 and says in done.stderr, (options, done.stderr)
