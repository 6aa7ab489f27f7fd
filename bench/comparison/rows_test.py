"""Tests the figures of a comparison with invented runs. Starts no process."""
import pathlib
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import perf  # noqa: E402
from children import CompareError  # noqa: E402
from peers import Peers  # noqa: E402
from rows import Rounds, goal_rows, other_rows  # noqa: E402

# With these values, each goal is just met. A tuple is (calls per second, p50 in ms, p99 in ms, p99.9 in ms).
MET = {
    "grpc hot 64": (1000, 50, 90, 99), "sqlite 64": (25000, 2, 4, 8), "echo 64": (80000, 1, 2, 4),
    "postgresql 64": (17500, 3, 5, 9), "pgbench hot 64": (2000, 30, 60, 90), "sqlite 1000 days 64": (20000, 3, 5, 9),
    "grpc 1000 days 64": (2000, 30, 60, 90), "pgbench 1000 days 64": (10000, 6, 9, 12), "sqlite 256": (45000, 6, 9, 12),
    "echo 256": (100000, 2, 4, 8), "postgresql 256": (31500, 8, 12, 20), "sqlite 1024": (80000, 12, 20, 30),
    "echo 1024": (100000, 10, 20, 30), "sqlite open": (40000, 2, 6, 20), "sqlite 1": (900, 0.91, 2, 3),
    "echo 1": (9000, 0.1, 0.2, 0.3), "commit": (5000, 0.2, 0.3, 0.4)}


def rounds_of(**changed):
    """Returns three rounds. Only the median round has the figures of MET and `changed`; the others are far off. In a name of
    `changed`, _ stands for a space."""
    figures = {**MET, **{name.replace("_", " "): value for name, value in changed.items()}}
    return Rounds([{"round": number, "name": name, "per_s": per_s * factor, "p50_ms": p50 * factor, "p99_ms": p99 * factor,
                    "p99_9_ms": p99_9 * factor, "cpu_us": 1e6 / per_s}
                   for number, factor in enumerate((0.5, 1, 3), 1) for name, (per_s, p50, p99, p99_9) in figures.items()])


def missed(rounds):
    return [row["goal"] for row in goal_rows(rounds, 64) if not row["met"]]


def test_goals_that_are_just_met(_):
    assert missed(rounds_of()) == [], goal_rows(rounds_of(), 64)


def test_each_goal_is_missed_by_its_own_figure(_):
    for changed, goals in (({"grpc_hot_64": (1001, 50, 90, 99)}, ["P1"]),
                           ({"echo_64": (84000, 1, 2, 4)}, ["P2"]),
                           ({"echo_256": (100100, 2, 4, 8)}, ["P3"]),
                           ({"sqlite_1024": (79900, 12, 20, 30)}, ["P3"]),
                           ({"postgresql_64": (14900, 3, 5, 9)}, ["P4", "P4"]),
                           ({"postgresql_256": (31400, 8, 12, 20)}, ["P4"]),
                           ({"sqlite_1": (900, 0.93, 2, 3)}, ["P5"]),
                           ({"commit": (5000, 0.19, 0.3, 0.4)}, ["P5"]),
                           ({"sqlite_open": (40000, 2, 6.1, 20)}, ["P6"]),
                           ({"sqlite_open": (40000, 2, 6, 20.1)}, ["P6"])):
        assert missed(rounds_of(**changed)) == goals, (changed, missed(rounds_of(**changed)))


def test_ratio_is_that_of_the_medians_with_the_range_of_the_rounds(_):
    runs = [{"round": number, "name": name, "per_s": rate}
            for name, rates in (("a", (10, 40, 20)), ("b", (10, 10, 2))) for number, rate in enumerate(rates, 1)]
    assert Rounds(runs).ratio("a", "b") == (2, 1, 10)


def test_ratios_without_a_goal_have_no_verdict(_):
    rows = other_rows(rounds_of(), 64)
    assert [row["met"] for row in rows] == [None] * 6
    assert [row["value"] for row in rows] == [12.5, 8.75, 10, 2, 25, 17.5]


def test_log_of_pgbench_counts_from_the_end_of_the_warm_up(_):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "pgbench"
        # The columns are client, transaction, time in us, script, second and microsecond. There are 10 transactions in the first
        # second, then 20 of 4 ms in two seconds.
        for thread, lines in (("7", ["0 1 9000 0 100 %d" % (i * 100000) for i in range(10)]),
                              ("7.1", ["1 1 4000 0 %d %d" % (101 + i // 10, i % 10 * 100000) for i in range(20)])):
            path.with_name("pgbench." + thread).write_text("\n".join(lines) + "\n", encoding="ascii")
        figures = Peers.figures(Peers.read(path), 1.0)
    assert figures["p50_ms"] == figures["p99_ms"] == 4.0, figures
    assert abs(figures["per_s"] - 20 / 1.9) < 1e-9, figures


def test_samples_of_perf_are_divided_by_owner_of_the_code(_):
    text = "\n".join(("    40.00%|booking-svc   |[kernel.kallsyms]", "    20.00%|nng:task      |libnng.so.1.6.1",
                      "    15.00%|booking-svc   |libcrypto.so.3", "     5.00%|booking-svc   |[vdso]",
                      "    10.00%|nng:poll:epoll|libnng.so.1.6.1", "    10.00%|booking-svc   |booking-svc  ", ""))
    shares = perf.parse(text)
    assert {key: round(share, 6) for key, share in shares.items()} == {
        ("its own", "kernel"): 0.4, ("nng's", "nng"): 0.3, ("its own", "others"): 0.2, ("its own", "own code"): 0.1}
    try:
        perf.parse(text.splitlines()[0])
    except CompareError:
        return
    raise AssertionError("shares that don't add up were taken")
