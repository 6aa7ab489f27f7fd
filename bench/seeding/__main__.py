"""Fills the databases of the three services with millions of consistent bookings."""
import argparse
import concurrent.futures
import datetime
import os
import pathlib
import sqlite3
import sys
import tempfile
import time
import uuid
import zoneinfo

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "bench/comparison"))
from children import Child, CompareError  # noqa: E402
from load import LoadError, open_database  # noqa: E402
from rows import Plan  # noqa: E402

BUILD = pathlib.Path(os.environ.get("SCREENING_BUILD", ROOT / "build/release"))
HISTORY_SCHEMA = "history"
_BOOKING = "booking_id, customer_id, customer_name, hospital_id, date, headcount, status, status_reason, created_at_us, " \
           "updated_at_us, version"
_EVENT = "seq, event_id, type, occurred_at_us, event, subject"

# Maps each service to a list of (table, columns, function of the plan that returns the rows).
TABLES = {
    "hospital": (
        ("hospital", "hospital_id, name, address, state, created_at_us, content", Plan.hospitals),
        ("screening_day", "hospital_id, date, capacity, reserved, version", Plan.days),
        ("capacity_change", "hospital_id, date, version, capacity, commit_no", Plan.capacity_changes),
        ("event_log", _EVENT, Plan.hospital_events),
        ("reservation", "booking_id, hospital_id, date, headcount, state", Plan.reservations)),
    "booking": (
        ("booking", _BOOKING + ", queue_if_unavailable, announced", Plan.bookings),
        ("event_log", _EVENT, Plan.booking_events)),
    "history": (
        ("hospital", "hospital_id, name, address", Plan.history_hospitals),
        ("booking_summary", _BOOKING, Plan.summaries),
        ("timeline_entry", "booking_id, version, event_id, status, reason, occurred_at_us, source, seq", Plan.entries)),
}
# Maps each service to the logs that it follows.
FOLLOWED = {"hospital": ("booking",), "booking": ("hospital",), "history": ("booking", "hospital")}


def read_arguments():
    parser = argparse.ArgumentParser(prog="bench/seed-bookings", description=__doc__, epilog=(
        "Use: stop the services, then  bench/seed-bookings --count 10000000 --hospital sqlite:/tmp/x/hospital.db "
        "--booking sqlite:/tmp/x/booking.db --history postgresql://...  and start them on the same databases. The databases must "
        "exist on PostgreSQL and hold no bookings; the tables are made by starting each service once, from build/release or "
        "$SCREENING_BUILD. Without --history the log of booking-svc holds a backlog for a history-svc on an empty database. "
        "All bookings are CONFIRMED, of customers seed-0, seed-1, ..., 20 hospitals and the 300 days from tomorrow on; the "
        "log has an event for each, and all cursors stand at the heads. 10,000,000 take 10 GB in all, and some minutes. "
        "What was cut short is of no use: begin with empty databases."))
    parser.add_argument("--count", type=int, default=10000000, help="bookings (10000000)")
    parser.add_argument("--hospital", required=True, metavar="URL", help="database of hospital-svc")
    parser.add_argument("--booking", required=True, metavar="URL", help="database of booking-svc")
    parser.add_argument("--history", metavar="URL", help="database of history-svc")
    parser.add_argument("--customers", type=int, help="how many booked (a tenth of the bookings)")
    parser.add_argument("--hospitals", type=int, default=20)
    parser.add_argument("--days", type=int, default=300, help="screening days of each hospital (300)")
    parser.add_argument("--months", type=int, default=12, help="over which they were booked (12)")
    arguments = parser.parse_args()
    if min(arguments.count, arguments.hospitals, arguments.days, arguments.months) < 1:
        parser.error("there must be at least one of each")
    if not 1 <= (arguments.customers or 1) <= arguments.count:
        parser.error("--customers: 1 to --count")
    return arguments


def make_tables(urls):
    """Starts each service once, alone, so that it runs its migrations."""
    with tempfile.TemporaryDirectory(prefix="screening-seed-") as folder:
        for name, url in urls.items():
            flags = {"database": url, "ops-listen": "", "rpc-listen": "ipc://%s/rpc" % folder,
                     **{"%s-%s" % (other, kind): "ipc://%s/nobody" % folder for other in FOLLOWED[name][::-1]
                        for kind in ("rpc", "events")}}
            if name != "history":
                flags["events-listen"] = "ipc://%s/events" % folder
            child = Child([BUILD / (name + "-svc") / (name + "-svc"), *("--%s=%s" % flag for flag in flags.items())],
                          pathlib.Path(folder) / (name + ".log"))
            try:
                child.wait_for_line("service.ready")
            finally:
                child.stop()


def open_service(name, url):
    return open_database(url, HISTORY_SCHEMA if name == "history" else None)


def load_tables(name, url, tables, plan):
    """Loads the tables of a service. This function runs in its own process."""
    with open_service(name, url) as database:
        for table, columns, rows in TABLES[name]:
            if table in tables:
                database.load(table, columns, rows(plan))


def jobs_of(urls):
    """Yields (name, url, tables) of each job, with the long jobs first. In PostgreSQL each table is a job. A SQLite file is one
    job, because it accepts only one writer."""
    for name, url in urls.items():
        tables = [table for table, _, _ in TABLES[name]][::-1]
        yield from ((name, url, [table]) for table in tables) if not url.startswith("sqlite:") else ((name, url, tables),)


def set_positions(urls, plan):
    """Sets the head of each log to the last event, and the cursor of every subscriber to that event."""
    heads = {"booking": (plan.count, plan.last_event_id()),
             "hospital": (plan.hospital_count, plan.hospital_event_id(plan.hospital_count - 1))}
    log_ids = {}
    for name in heads:
        with open_service(name, urls[name]) as database:
            log_id = database.ask("SELECT log_id FROM event_log_head")
            log_ids[name] = log_id if isinstance(log_id, bytes) else uuid.UUID(log_id).bytes
            database.run("UPDATE event_log_head SET head_seq = ?, head_event_id = ?", *heads[name])
    for name, url in urls.items():
        with open_service(name, url) as database:
            for log in FOLLOWED[name]:
                database.run("INSERT INTO event_cursor (log, log_id, seq, event_id) VALUES (?, ?, ?, ?)", log, log_ids[log],
                             *heads[log])


def check_empty(urls):
    for name, table in (("hospital", "reservation"), ("booking", "booking"), ("history", "booking_summary")):
        if name in urls:
            with open_service(name, urls[name]) as database:
                if int(database.ask("SELECT count(*) FROM (SELECT 1 FROM %s LIMIT 1) AS one" % table)):
                    raise LoadError("%s is not empty: %s" % (name, table))


def seed(urls, plan):
    make_tables(urls)
    check_empty(urls)
    if "history" in urls:
        with open_service("history", urls["history"]) as database:
            database.run("; ".join("SELECT open_timeline_month(%d)" % instant_us for instant_us in plan.days_us()))
    with concurrent.futures.ProcessPoolExecutor(max_workers=2) as pool:
        for done in [pool.submit(load_tables, *job, plan) for job in jobs_of(urls)]:
            done.result()
    set_positions(urls, plan)
    for name, url in urls.items():
        with open_service(name, url) as database:
            database.tidy()


def main():
    arguments = read_arguments()
    urls = {name: getattr(arguments, name) for name in TABLES if getattr(arguments, name)}
    today = datetime.datetime.now(zoneinfo.ZoneInfo("Asia/Seoul")).date()
    begun = time.monotonic()
    try:
        plan = Plan(arguments.count, arguments.customers or max(1, arguments.count // 10), arguments.hospitals, arguments.days,
                    arguments.months, time.time_ns() // 1000, today)
        seed(urls, plan)
    except (CompareError, LoadError, ValueError, sqlite3.Error) as problem:
        raise SystemExit("seed-bookings: %s" % problem) from None
    print("%d bookings of %d customers in %.0f s" % (plan.count, plan.customers, time.monotonic() - begun))


if __name__ == "__main__":
    main()
