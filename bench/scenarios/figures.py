"""Calculates the figures of the scenarios: quantiles, medians, and whether a goal is met. Starts no process."""

import math
import statistics

VERDICTS = {True: "met", False: "NOT MET", None: ""}  # None: no goal


def quantile(values, share):
    """Returns the smallest of the values that is at least as large as a `share` (0..1) of all values."""
    if not values:
        raise ValueError("a quantile of nothing")
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def is_met(value, wanted):
    """Returns whether the value meets the goal `wanted`, which is ">= NUMBER" or "<= NUMBER". Returns None if `wanted` is None."""
    if wanted is None:
        return None
    comparison, bound = wanted.split()
    if comparison not in (">=", "<="):
        raise ValueError("not a goal: " + wanted)
    return value >= float(bound) if comparison == ">=" else value <= float(bound)


def row(what, unit, rounds, wanted=None, value=None, **more):
    """Returns the row of one figure. The value is the median of the rounds, unless `value` gives a value derived from several
    medians."""
    value = statistics.median(rounds) if value is None else value
    return {"what": what, "value": value, "unit": unit, "least": min(rounds), "most": max(rounds), "rounds": list(rounds),
            "wanted": wanted, "met": is_met(value, wanted), **more}


def ratio_row(what, ours, other, wanted=None, **more):
    """Returns the row of the ratio of two medians. `ours` and `other` must be measured in the same rounds."""
    return row(what, "x", [a / b for a, b in zip(ours, other, strict=True)], wanted,
               statistics.median(ours) / statistics.median(other), **more)


def line_of(figures):
    """Returns the row as one line of text."""
    number = "%.2f" if abs(figures["value"]) < 100 else "%.0f"
    return "%-72s %9s %-5s %9s - %-9s %-12s %s" % (
        figures["what"], number % figures["value"], figures["unit"], number % figures["least"], number % figures["most"],
        figures["wanted"] or "", VERDICTS[figures["met"]])
