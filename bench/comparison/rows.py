"""Makes the rows of the goals P1 to P6: the medians over the rounds, the ratios, and whether each goal is met."""

import statistics

P5_MARGIN = 1.15
P6_TAIL_MS = 20
LABELS = {"per_s": "%s / %s", "cpu_us": "CPU per booking: %s / %s"}
VERDICTS = {True: "met", False: "NOT MET", None: ""}  # None: no goal


class Rounds:
    """The runs of a comparison by name, with one figure per round."""

    def __init__(self, runs):
        self.runs = runs

    def figures(self, name, figure="per_s"):
        return [run[figure] for run in self.runs if run["name"] == name]

    def median(self, name, figure="per_s"):
        return statistics.median(self.figures(name, figure))

    def names(self):
        """Returns the names of the runs in the order of the first round."""
        return list(dict.fromkeys(run["name"] for run in self.runs))

    def has(self, name, figure):
        return all(figure in run for run in self.runs if run["name"] == name)

    def ratio(self, ours, other, figure="per_s"):
        """Returns the ratio of the medians, and the smallest and the largest ratio in a single round."""
        of_rounds = [a / b for a, b in zip(self.figures(ours, figure), self.figures(other, figure))]
        return self.median(ours, figure) / self.median(other, figure), min(of_rounds), max(of_rounds)


def _ratio_row(rounds, goal, ours, other, wanted, figure="per_s"):
    ratio, least, most = rounds.ratio(ours, other, figure)
    return {"goal": goal, "what": LABELS[figure] % (ours, other), "unit": "x", "value": ratio, "least": least, "most": most,
            "wanted": None if wanted is None else ">= %g" % wanted, "met": None if wanted is None else ratio >= wanted}


def _alone_row(rounds):
    """Returns the row of P5: one booking at a time takes no longer than its unavoidable steps."""
    bound = 2 * rounds.median("echo 1", "p50_ms") + 3 * rounds.median("commit", "p50_ms")
    values = rounds.figures("sqlite 1", "p50_ms")
    value = statistics.median(values)
    return {"goal": "P5", "what": "sqlite 1: p50 (2 echoes + 3 commits: %.2f ms)" % bound, "unit": "ms", "value": value,
            "least": min(values), "most": max(values), "wanted": "<= %.2f" % (bound * P5_MARGIN), "met": value <= bound * P5_MARGIN}


def _open_rows(rounds):
    """Returns the rows of P6: the tail latency at half of the peak."""
    bound = 3 * rounds.median("sqlite open", "p50_ms")
    for figure, wanted in (("p99_ms", bound), ("p99_9_ms", P6_TAIL_MS)):
        values = rounds.figures("sqlite open", figure)
        value = statistics.median(values)
        label = figure.removesuffix("_ms").replace("_", ".")
        yield {"goal": "P6", "what": "sqlite open loop at half of the peak: %s" % label, "unit": "ms", "value": value,
               "least": min(values), "most": max(values), "wanted": "<= %.2f" % wanted, "met": value <= wanted}


def goal_rows(rounds, in_flight):
    """Returns the rows of P1 to P6, for `in_flight` concurrent calls and for 4 and 16 times as many."""
    base, more, most = (in_flight * factor for factor in (1, 4, 16))
    hot_peer = "grpc hot %d" % base
    return [
        _ratio_row(rounds, "P1", "sqlite %d" % base, hot_peer, 25),
        _ratio_row(rounds, "P2", "sqlite %d" % base, "echo %d" % base, 0.30),
        _ratio_row(rounds, "P3", "sqlite %d" % more, "echo %d" % more, 0.45),
        _ratio_row(rounds, "P3", "sqlite %d" % most, "echo %d" % most, 0.80),
        _ratio_row(rounds, "P4", "postgresql %d" % base, "sqlite %d" % base, 0.7),
        _ratio_row(rounds, "P4", "postgresql %d" % more, "sqlite %d" % more, 0.7),
        _ratio_row(rounds, "P4", "postgresql %d" % base, hot_peer, 15),
        _alone_row(rounds),
        *_open_rows(rounds),
    ]


def other_rows(rounds, in_flight):
    """Returns the ratios that have no goal: the ratios to PostgreSQL alone, the ratios where no row is hot, and the ratios of the
    processor time per booking, which other work on the machine affects least."""
    many = "sqlite 1000 days %d" % in_flight
    pairs = [("sqlite %d" % in_flight, "pgbench hot %d" % in_flight), ("postgresql %d" % in_flight, "pgbench hot %d" % in_flight),
             (many, "grpc 1000 days %d" % in_flight), (many, "pgbench 1000 days %d" % in_flight)]
    return [_ratio_row(rounds, None, ours, other, None) for ours, other in pairs] + [
        _ratio_row(rounds, None, "grpc hot %d" % in_flight, "%s %d" % (driver, in_flight), None, "cpu_us")
        for driver in ("sqlite", "postgresql")]


def show_runs(rounds):
    """Prints the medians of each kind of run."""
    count = max(run["round"] for run in rounds.runs)
    print("\n%-22s %10s %10s %10s %10s %10s %10s" % ("medians of %d" % count, "per s", "least", "most", "p50 ms", "p99 ms",
                                                   "CPU us"))
    for name in rounds.names():
        rates = rounds.figures(name)
        print("%-22s %10.0f %10.0f %10.0f %10.2f %10.2f %10s" % (
            name, statistics.median(rates), min(rates), max(rates), rounds.median(name, "p50_ms"), rounds.median(name, "p99_ms"),
            "%.0f" % rounds.median(name, "cpu_us") if rounds.has(name, "cpu_us") else ""))
    for run in rounds.runs:
        if run.get("others"):
            print("round %d, %s: also answered %s" % (run["round"], run["name"], run["others"]))


def show_goals(rows):
    """Prints the ratios, the goals, and whether each goal is met."""
    print("\n%-4s %-56s %8s %19s %10s" % ("goal", "what", "value", "in single rounds", "wanted"))
    for row in rows:
        print("%-4s %-56s %8.2f %9.2f-%9.2f %10s %s" % (row["goal"] or "", row["what"], row["value"], row["least"], row["most"],
                                                       row["wanted"] or "", VERDICTS[row["met"]]))
