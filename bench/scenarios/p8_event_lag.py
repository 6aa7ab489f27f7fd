"""Measures the time from the commit of a cancellation to its row in the history, at 5,000 events/s.

PostgreSQL stores the time of each commit (track_commit_timestamp) and returns it for each row. The scenario therefore reads no
clock, and measures every cancellation. With booking-svc on PostgreSQL, the lag is the time between two commits. SQLite does not
store the time of a commit, so with SQLite the lag is measured from the event's occurred_at. That is before the commit, so the
result is too long by the rest of that transaction."""

from asking import connected, wait_applied
from bench import DRIVERS, must
from figures import quantile, row
from load import load, only

EVENTS_PER_S = 5_000  # a booking and its cancellation make two events
SECONDS = 5
COMMITTED = "(extract(epoch FROM pg_xact_commit_timestamp(xmin)) * 1000000)::bigint"
CANCELLED = 4
DEADLINE_S = 60


def numbers(services, name, sql):
    """Returns the rows of a query on a service's database in PostgreSQL. Every column must be a number."""
    lines = services.cluster.ask(sql, services.database(name)).splitlines()
    return [tuple(int(word) for word in line.split("|")) for line in lines]


def cancellations(services):
    """Returns (seq, time of the event, time of the row in history-svc's table) of each cancellation. Times are in microseconds."""
    return numbers(services, "history", "SELECT seq, occurred_at_us, %s FROM history.timeline_entry WHERE status = %d "
                   "ORDER BY seq" % (COMMITTED, CANCELLED))


def commits(services):
    """Returns {seq: time of the commit in microseconds} of the events of the booking log."""
    return dict(numbers(services, "booking", "SELECT seq, %s FROM event_log" % COMMITTED))


def lags_ms(bench, driver, seconds):
    """Returns the lag of each cancellation of a run in ms, except those of the warm-up."""
    with bench.services(driver) as services:
        services.start("hospital", "booking", "history")
        report = load(services, "--mix", "book-cancel", "--rate", EVENTS_PER_S // 2, "--seconds", seconds)
        _, cancelled = only(report, "CONFIRMED", "CancelBooking CANCELLED")
        with connected(services.rpc["history"]) as history:
            wait_applied(history, "booking", 2 * cancelled["count"], DEADLINE_S)
        rows = cancellations(services)
        begin = commits(services) if driver == "postgresql" else {seq: occurred for seq, occurred, _ in rows}
    must(len(rows) >= cancelled["count"], "%d cancellations, only %d in history" % (cancelled["count"], len(rows)))
    return [(there - begin[seq]) / 1e3 for seq, _, there in rows[-cancelled["count"]:]]


def measure(bench):
    rows = []
    bench.cluster.set({"track_commit_timestamp": "on"})
    for driver in DRIVERS:
        lags = [lags_ms(bench, driver, bench.seconds(SECONDS)) for _ in bench.each_round()]
        since = "commit" if driver == "postgresql" else "occurred_at"
        for share, goal in ((0.5, "<= 5"), (0.99, "<= 25"), (0.999, None)):
            rows.append(row("%s: %s of a cancellation to its row in history, p%g" % (driver, since, 100 * share), "ms",
                            [quantile(lag, share) for lag in lags], goal))
    return rows
