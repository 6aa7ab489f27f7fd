"""Reads the options of bench/run. As a program, this module only reports errors in them."""

import argparse
import pathlib

import paths  # noqa: F401
import output

GOALS = ("P7", "P8", "P9", "P9b", "P10", "P11", "P12", "P13", "P14", "P15", "P16", "P17", "P18", "P19")


def read_options():
    parser = argparse.ArgumentParser(prog="bench/run")
    parser.add_argument("goals", nargs="+", metavar="GOAL", help="all, or some of " + ", ".join(GOALS))
    parser.add_argument("--caller", type=pathlib.Path, default=pathlib.Path.cwd(), help=argparse.SUPPRESS)
    parser.add_argument("--rounds", type=int, default=5, help="at most so many; the figures are medians (5)")
    parser.add_argument("--scale", type=float, default=1.0,
                        help="of all amounts and times: below 1 the figures only show that the scenarios work (1)")
    parser.add_argument("--output", type=pathlib.Path, help="folder for GOAL.json (var/bench/TIME)")
    options = parser.parse_args()
    unknown = [goal for goal in options.goals if goal not in (*GOALS, "all")]
    if unknown:
        parser.error("no such goal: %s (all, or some of %s)" % (unknown[0], ", ".join(GOALS)))
    options.goals = [goal for goal in GOALS if goal in options.goals or "all" in options.goals]
    if options.rounds < 1:
        parser.error("--rounds: at least 1")
    if not 0 < options.scale <= 1:
        parser.error("--scale: above 0, at most 1")
    options.output = output.folder(options.output, options.caller, "bench")
    return options


if __name__ == "__main__":
    read_options()
