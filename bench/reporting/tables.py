"""Makes the tables of docs/performance.md. Each table is a list of lines of Markdown."""

from figures import GOALS, memory_mib, parts, per_booking

NOT_MEASURED = "not measured"
MET = {True: "met", False: "**not met**", None: ""}
LOAD = "screening-bench"
SHOWN = ("sqlite 1", "sqlite 64", "sqlite 256", "sqlite 1024", "postgresql 64", "postgresql 256")
US_PER_S = 1e6
MS_PER_S = 1e3
ABOUT = {"rounds": "rounds:", "seconds": "seconds each:", "scale": "scale:", "cpus": "cores:", "kernel": "Linux", "filesystem": "on"}


def _table(heads, rows):
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    return lines + ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]


def _nothing():
    return [NOT_MEASURED]


def number(value):
    """Returns the value as text with about three significant digits."""
    if abs(value) >= 100:
        return "{:,.0f}".format(value)
    return "%.1f" % value if abs(value) >= 10 else "%.2f" % value


def _with_unit(value, unit):
    return "%s %s" % (number(value), {"x": "×"}.get(unit, unit))


def goals(figures):
    rows = []
    for goal, title in GOALS.items():
        for row in figures.goals[goal]:
            rows.append((goal, row["what"], _with_unit(row["value"], row["unit"]),
                         "%s to %s" % (number(row["least"]), number(row["most"])), row["wanted"] or "", MET[row["met"]]))
        if not figures.goals[goal]:
            rows.append((goal, title, NOT_MEASURED, "", "", ""))
    return _table(("goal", "what", "median", "in single rounds", "wanted", ""), rows)


HOT_DAY = {"sqlite 64": "this system, SQLite", "postgresql 64": "this system, PostgreSQL",
           "pgbench hot 64": "one stored function in PostgreSQL, no services", "grpc hot 64": "two gRPC services on PostgreSQL"}


def hot_day(figures):
    """Makes the table that compares the systems on one hot day."""
    if figures.compare is None:
        return _nothing()
    rounds = figures.compare
    return _table(("64 callers, one hot day", "bookings per s", "p50 ms", "p99 ms", "CPU µs per booking"),
                  [(label, *(number(rounds.median(name, figure)) for figure in ("per_s", "p50_ms", "p99_ms", "cpu_us")))
                   for name, label in HOT_DAY.items() if name in rounds.names()])


def compare(figures):
    if figures.compare is None:
        return _nothing()
    rounds = figures.compare
    rows = []
    for name in rounds.names():
        rates = rounds.figures(name)
        rows.append((name, number(rounds.median(name)), "%s to %s" % (number(min(rates)), number(max(rates))),
                     number(rounds.median(name, "p50_ms")), number(rounds.median(name, "p99_ms")),
                     number(rounds.median(name, "cpu_us")) if rounds.has(name, "cpu_us") else ""))
    return _table(("run", "per s", "in single rounds", "p50 ms", "p99 ms", "CPU µs per booking"), rows)


def other_ratios(figures):
    if figures.compare is None:
        return _nothing()
    return _table(("ratio", "median", "in single rounds"),
                  [(row["what"], number(row["value"]), "%s to %s" % (number(row["least"]), number(row["most"])))
                   for row in figures.other_ratios])


def sweep(figures):
    if figures.sweep is None:
        return _nothing()
    rounds = figures.sweep
    rows = []
    for in_flight in dict.fromkeys(int(name.split()[1]) for name in rounds.names()):
        row = ["{:,}".format(in_flight)]
        for driver in ("sqlite", "postgresql"):
            name = "%s %d" % (driver, in_flight)
            row += [number(rounds.median(name, figure)) for figure in ("per_s", "p50_ms", "p99_ms")]
        rows.append(row)
    return _table(("in flight", "SQLite: per s", "p50 ms", "p99 ms", "PostgreSQL: per s", "p50 ms", "p99 ms"), rows)


def processes(figures):
    if figures.compare is None:
        return _nothing()
    rows = []
    for name in SHOWN:
        used, memory = per_booking(figures.compare, name), memory_mib(figures.compare, name)
        rows += [(name, process, *(number(of[figure]) for figure in (
            "user_us", "kernel_us", "voluntary_switches", "involuntary_switches", "written_bytes", "stored_bytes")),
            *(number(mib) for mib in memory[process])) for process, of in used.items()]
    return _table(("run", "process", "user µs", "kernel µs", "waits", "preempted", "bytes written", "to disk", "RSS MiB",
                   "peak"), rows)


def cpu_budget(figures):
    """Makes the table that divides the processor time of the machine among the bookings, so that the columns add up."""
    if figures.compare is None:
        return _nothing()
    cpus = figures.about["compare.json"]["cpus"]
    columns = []
    for name in SHOWN:
        used = per_booking(figures.compare, name)
        parts = {(process, mode): used[process][figure] for process in used
                 for mode, figure in (("its own code", "user_us"), ("kernel", "kernel_us"))}
        whole = cpus * US_PER_S / figures.compare.median(name)
        columns.append((parts, whole))
    keys = [(process, mode) for process in ("booking-svc", "hospital-svc", "postgresql", LOAD) for mode in ("its own code", "kernel")]
    rows = [(process, mode, *(number(parts[process, mode]) if (process, mode) in parts else "" for parts, _ in columns))
            for process, mode in keys]
    rows.append(("idle, and all others", "", *(number(whole - sum(parts.values())) for parts, whole in columns)))
    rows.append(("**sum**: %d cores / rate" % cpus, "", *(number(whole) for _, whole in columns)))
    return _table(("µs per booking", "", *SHOWN), rows)


def profile(figures):
    """Makes the table of the services' processor time by owner of the code. It does not include PostgreSQL's own processes."""
    if figures.profile is None:
        return _nothing()
    names = figures.profile.names()
    columns = {name: parts(figures.profile, name) for name in names}
    keys = sorted({key for column in columns.values() for key in column}, key=lambda key: (key[:2], -max(
        column.get(key, 0) for column in columns.values())))
    rows = [(*key, *(number(columns[name].get(key, 0)) for name in names)) for key in keys]
    rows.append(("**sum**", "", "", *(number(sum(columns[name].values())) for name in names)))
    return _table(("µs per booking", "threads", "code of", *names), rows)


def alone(figures):
    """Makes the table of P5 in detail: the steps for which a single booking waits."""
    if figures.compare is None:
        return _nothing()
    rounds = figures.compare
    echo, commit, whole = (rounds.median(name, "p50_ms") * 1000 for name in ("echo 1", "commit", "sqlite 1"))
    return _table(("one booking alone, p50", "µs"), [
        ("two round trips between processes: 2 × `echo 1`", number(2 * echo)),
        ("three synced commits one after the other: 3 × `commit`", number(3 * commit)),
        ("everything else: SQL, packing and unpacking, handing over between threads", number(whole - 2 * echo - 3 * commit)),
        ("**sum**: `sqlite 1`", number(whole))])


def ceiling(figures):
    """Makes the table of the rate that the processors would allow."""
    if figures.compare is None:
        return _nothing()
    cpus = figures.about["compare.json"]["cpus"]
    rows = []
    for name in SHOWN[1:]:
        used = per_booking(figures.compare, name)
        spent = {process: of["user_us"] + of["kernel_us"] for process, of in used.items()}
        rate, services = figures.compare.median(name), sum(us for process, us in spent.items() if process != LOAD)
        driver, in_flight = name.split()
        alone_ms = figures.compare.median("sqlite 1", "p50_ms") if driver == "sqlite" else None
        rows.append((name, number(rate), number(cpus * US_PER_S / sum(spent.values())), number(cpus * US_PER_S / services),
                     number(figures.compare.median("echo " + in_flight)), number(int(in_flight) * MS_PER_S / alone_ms) if alone_ms else ""))
    return _table(("run", "per s", "no core ever idle", "and the load elsewhere", "`echo`, as many in flight", "nobody waits for another"),
                  rows)


def seed(figures):
    """Makes the table that compares the measurements of the original document with our figures for about as many callers."""
    rows = [("the original, every call delayed by 400 to 620 ms, its breaker open at times", "100", "14.9", "6,110", "17,070"),
            ("the original, on EKS, scaled out to 3 instances at most", "100", "105", "940", "6,220")]
    for driver, label in (("sqlite", "SQLite"), ("postgresql", "PostgreSQL")):
        shown = [NOT_MEASURED, "", ""]
        if figures.sweep is not None:
            name = driver + " 64"
            longest = max(figures.sweep.figures(name, "max_ms"))
            shown = [number(figures.sweep.median(name)), number(figures.sweep.median(name, "mean_ms")), number(longest)]
        rows.append(("this system, %s, 2 cores, load included" % label, "64", *shown))
    over_http = {row["what"].rsplit(": ", 1)[1]: number(row["value"]) for row in figures.goals["P16"]}
    rows.append(("this system by REST, siege as the original used it, 2 cores, load included", "100",
                 *(over_http.get(what, NOT_MEASURED) for what in ("bookings", "mean", "longest"))))
    return _table(("", "callers", "bookings per s", "mean ms", "longest ms"), rows)


def _text_of(about):
    words = ["%s %s" % (label, about[word]) for word, label in ABOUT.items() if about.get(word) is not None]
    return ", ".join([*words, "load before: %.1f" % about["load_before"]])


def circumstances(figures):
    """Makes the table of the circumstances, with one row per run. The files of a run share a row."""
    files = {}
    for name, about in figures.about.items():
        files.setdefault((about["command"], about["time"], _text_of(about)), []).append("[%s](../bench/results/%s)" % (name, name))
    if not files:
        return _nothing()
    return _table(("command", "begun", "circumstances", "figures"),
                  [("`%s`" % command, begun, text, " ".join(names)) for (command, begun, text), names in files.items()])


TABLES = {"hot-day": hot_day, "goals": goals, "compare": compare, "other-ratios": other_ratios, "sweep": sweep,
          "processes": processes, "cpu-budget": cpu_budget, "profile": profile, "alone": alone, "ceiling": ceiling, "seed": seed, "circumstances": circumstances}
