"""The time from the commit of a cancellation to its row in the history, at 5,000 events/s.

PostgreSQL stores the time of each commit (track_commit_timestamp), which can be queried by row: the scenario reads no
clock, and every cancellation counts. With booking-svc on PostgreSQL both ends are commits. SQLite stores no such times,
so there the lag counts from the event's occurred_at, which is before the commit: the result is too long by the rest of
that transaction."""

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
    """Returns rows of numbers from a database in PostgreSQL."""
    lines = services.cluster.ask(sql, services.database(name)).splitlines()
    return [tuple(int(word) for word in line.split("|")) for line in lines]


def cancellations(services):
    """Returns (seq, occurred at, time of its row in history-svc's table) of each, in us."""
    return numbers(services, "history", "SELECT seq, occurred_at_us, %s FROM history.timeline_entry WHERE status = %d "
                   "ORDER BY seq" % (COMMITTED, CANCELLED))


def commits(services):
    """Returns when each event of the booking log was committed, in us, by seq."""
    return dict(numbers(services, "booking", "SELECT seq, %s FROM event_log" % COMMITTED))


def lags_ms(bench, driver, seconds):
    """Returns the lags of all cancellations of a run, except those of its warm-up."""
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
