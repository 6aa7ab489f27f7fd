"""Tests the tables and the picture with invented figures. Starts no process."""
import json
import pathlib
import re
import sys
import tempfile
import xml.etree.ElementTree

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import tables  # noqa: E402
from figures import Figures  # noqa: E402
from page import filled  # noqa: E402
from picture import draw, even_ticks, log_ticks  # noqa: E402

NAMES = ("sqlite 1", "sqlite 64", "sqlite 256", "sqlite 1024", "postgresql 64", "postgresql 256")
ABOUT = {"command": "bench/compare", "time": "2026-12-01T09:00:00+0900", "cpus": 2, "in_flight": 64, "kernel": "6.1", "rounds": 3, "seconds": 1.0,
         "filesystem": "ext2/ext3", "load_before": 0.123}


def used(us):
    return {"rss_kib": 2048, "rss_peak_kib": 4096, "per_turn": {
        "user_us": us, "kernel_us": 2 * us, "voluntary_switches": 0.5, "involuntary_switches": 0.1, "written_bytes": 3000.0,
        "stored_bytes": 4096.0}}


def run_of(number, name, per_s):
    processes = {"booking-svc": used(10.0), "hospital-svc": used(4.0), "screening-bench": used(2.0)}
    if name.startswith("postgresql"):
        processes["postgresql"] = used(7.0)
    return {"round": number, "name": name, "per_s": per_s * number, "p50_ms": 1.5, "p99_ms": 9.0, "mean_ms": 2.0,
            "max_ms": 30.0 * number, "cpu_us": 42.0, "processes": processes}


def runs_of(names, per_s):
    return [run_of(number, name, per_s) for number in (1, 2, 3) for name in names]


def bare(name, p50_ms):
    return [{"round": number, "name": name, "per_s": 5000.0, "p50_ms": p50_ms, "p99_ms": 1.0} for number in (1, 2, 3)]


def row(goal, value, met, what="something"):
    return {"goal": goal, "what": what, "unit": "x", "value": value, "least": value - 1, "most": value + 1, "wanted": ">= 25",
            "met": met}


def figures_of(**files):
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            path = pathlib.Path(folder) / (name.replace("_", ".") + ".json")
            path.write_text(json.dumps(content), encoding="utf-8")
        return Figures(pathlib.Path(folder))


def all_figures():
    compare = {"about": ABOUT, "ratios": [row("P1", 26.123, True), row("P3", 12, False), row(None, 7, None, "a / b")],
               "runs": runs_of(NAMES, 10000) + bare("commit", 0.2) + bare("echo 1", 0.1) + bare("echo 64", 1.0) +
               bare("echo 256", 2.0) + bare("echo 1024", 3.0)}
    profile = {"about": {**ABOUT, "command": "bench/compare --profile"}, "runs": [
        {**run, "parts": [{"process": "booking-svc", "threads": "its own", "owner": "kernel", "us": 20.0 * run["round"]},
                          {"process": "booking-svc", "threads": "nng's", "owner": "nng", "us": 12.0},
                          {"process": "hospital-svc", "threads": "nng's", "owner": "libc", "us": 2.0}]} for run in runs_of(NAMES[1:3], 10000)]}
    sweep = {"about": {**ABOUT, "command": "bench/compare --sweep"},
             "runs": runs_of(["%s %d" % (driver, n) for n in (1, 4, 16, 64, 256, 1024) for driver in ("sqlite", "postgresql")], 7000)}
    scenario = {**row("P9", 123456, True), "unit": "events/s", "command": "bench/run P9",
                "about": {key: value for key, value in ABOUT.items() if key != "command"}}
    return figures_of(compare=compare, sweep=sweep, profile=profile, P9=scenario, P9_2={**scenario, "value": 99.5, "wanted": None, "met": None},
                      P9b={**scenario, "goal": "P9b"})


def cells(lines):
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_goals_have_a_row_each_in_order_also_those_without_a_figure(_):
    rows = cells(tables.goals(all_figures()))
    assert [cell[0] for cell in rows] == "P1 P2 P3 P4 P5 P6 P7 P8 P9 P9 P9b P10 P11 P12 P13 P14 P15 P16 P17 P18 P19".split(), rows
    assert rows[0] == ["P1", "something", "26.1 ×", "25.1 to 27.1", ">= 25", "met"], rows[0]
    assert rows[2][2:] == ["12.0 ×", "11.0 to 13.0", ">= 25", "**not met**"], rows[2]
    assert rows[1][2] == "not measured" and rows[1][5] == "", rows[1]
    assert rows[8][2] == "123,456 events/s" and rows[9][2] == "99.5 events/s" and rows[9][4:] == ["", ""], rows[8:10]


def test_medians_are_those_of_the_rounds(_):
    rows = {cell[0]: cell[1:] for cell in cells(tables.compare(all_figures()))}
    assert rows["sqlite 64"] == ["20,000", "10,000 to 30,000", "1.50", "9.00", "42.0"], rows
    assert rows["echo 1"][-1] == "", rows
    assert cells(tables.hot_day(all_figures()))[0] == ["this system, SQLite", "20,000", "1.50", "9.00", "42.0"]
    assert cells(tables.sweep(all_figures()))[3] == ["64", "14,000", "1.50", "9.00", "14,000", "1.50", "9.00"]


def test_budgets_add_up(_):
    rows = cells(tables.cpu_budget(all_figures()))
    for column in range(2, 2 + len(NAMES)):
        values = [float(line[column].replace(",", "")) for line in rows if line[column]]
        assert abs(sum(values[:-1]) - values[-1]) < 0.01 and values[-1] == 100.0, (column, values)
    assert cells(tables.profile(all_figures())) == [
        ["booking-svc", "its own", "kernel", "40.0", "40.0"], ["booking-svc", "nng's", "nng", "12.0", "12.0"],
        ["hospital-svc", "nng's", "libc", "2.00", "2.00"], ["**sum**", "", "", "54.0", "54.0"]]
    alone = [float(line[1].replace(",", "")) for line in cells(tables.alone(all_figures()))]
    assert alone == [200.0, 600.0, 700.0, 1500.0], alone


def test_ceiling_is_the_rate_with_no_core_idle(_):
    rows = {cell[0]: cell[1:] for cell in cells(tables.ceiling(all_figures()))}
    # The processes use 2 s of processor time in a second: 48 us per booking with the load generator, 42 us without it.
    assert rows["sqlite 64"] == ["20,000", "41,667", "47,619", "5,000", "42,667"], rows


def test_circumstances_have_a_row_for_each_run(_):
    rows = {cell[0]: cell[1:] for cell in cells(tables.circumstances(all_figures()))}
    assert set(rows) == {"`bench/compare`", "`bench/compare --sweep`", "`bench/compare --profile`", "`bench/run P9`"}, rows
    assert rows["`bench/run P9`"][2].split() == ["[P9.json](../bench/results/P9.json)", "[P9.2.json](../bench/results/P9.2.json)",
                                                 "[P9b.json](../bench/results/P9b.json)"], rows
    assert rows["`bench/compare`"][1] == "rounds: 3, seconds each: 1.0, cores: 2, Linux 6.1, on ext2/ext3, load before: 0.1", rows


def test_missing_figures_are_marked_everywhere(_):
    nothing = figures_of()
    for name, table in tables.TABLES.items():
        assert "not measured" in "\n".join(table(nothing)), name
    assert "not measured" in draw(nothing.sweep)


def test_page_keeps_its_text_and_gets_its_tables(_):
    page = "before\n<!-- table: alone -->\nold\n<!-- end -->\nbetween\n<!-- table: seed -->\n<!-- end -->\nafter\n"
    once = filled(page, all_figures())
    assert re.fullmatch(r"before\n<!-- table: alone -->\n\n\|.*\|\n\n<!-- end -->\nbetween\n<!-- table: seed -->\n\n\|.*\|\n\n<!-- end -->\n"
                        r"after\n", once, re.S), once
    assert "old" not in once and filled(once, all_figures()) == once


def test_ticks_stand_around_the_values(_):
    assert even_ticks(47000) == [0, 10000, 20000, 30000, 40000, 50000]
    assert even_ticks(50000)[-1] == 50000 and even_ticks(7) == [0, 2, 4, 6, 8]
    assert [round(tick, 3) for tick in log_ticks(0.85, 80)] == [0.5, 1, 2, 5, 10, 20, 50, 100]
    assert log_ticks(2, 50) == [2, 5, 10, 20, 50]


def test_picture_has_a_curve_each_within_its_bounds(_):
    text = draw(all_figures().sweep)
    root = xml.etree.ElementTree.fromstring(text)
    curves = [element for element in root.iter() if element.tag.endswith("polyline")]
    assert len(curves) == 6 and all(len(curve.get("points").split()) == 6 for curve in curves), text
    width, height = float(root.get("width")), float(root.get("height"))
    for curve in curves:
        for x, y in (map(float, point.split(",")) for point in curve.get("points").split()):
            assert 0 < x < width and 0 < y < height, (x, y)
    # doublings are evenly spaced: 1, 4, 16, 64, 256, 1024
    xs = [float(point.split(",")[0]) for point in curves[0].get("points").split()]
    assert max(abs(b - a - (xs[1] - xs[0])) for a, b in zip(xs, xs[1:])) < 0.2, xs
