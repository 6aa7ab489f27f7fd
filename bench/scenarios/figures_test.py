"""Tests the arithmetic of the scenarios with invented numbers. Starts no process."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from figures import is_met, line_of, quantile, ratio_row, row  # noqa: E402


def refused(call, *arguments):
    try:
        call(*arguments)
    except ValueError:
        return True
    return False


def test_quantile_is_the_least_value_that_the_share_does_not_exceed(_):
    hundred = list(range(100, 0, -1))
    assert [quantile(hundred, share) for share in (0, 0.5, 0.99, 0.991, 1)] == [1, 50, 99, 100, 100]
    assert quantile([7], 0.01) == quantile([7], 0.99) == 7
    assert refused(quantile, [], 0.5)


def test_goal_is_met_at_its_bound_and_missed_beyond(_):
    assert [is_met(value, "<= 300") for value in (299.9, 300, 300.1)] == [True, True, False]
    assert [is_met(value, ">= 0.85") for value in (0.84, 0.85, 0.86)] == [False, True, True]
    assert is_met(1, None) is None
    assert refused(is_met, 1, "< 2")


def test_row_is_the_median_with_all_rounds(_):
    assert row("what", "ms", (9, 1, 2), "<= 2", since="commit") == {
        "what": "what", "value": 2, "unit": "ms", "least": 1, "most": 9, "rounds": [9, 1, 2], "wanted": "<= 2", "met": True,
        "since": "commit"}


def test_ratio_is_that_of_the_medians_with_the_range_of_the_rounds(_):
    found = ratio_row("a / b", (10, 40, 20), (10, 10, 2), ">= 3")
    assert (found["value"], found["least"], found["most"], found["met"]) == (2, 1, 10, False), found


def test_line_says_whether_the_goal_is_met(_):
    assert line_of(row("what", "s", [1.234], "<= 1")).split() == ["what", "1.23", "s", "1.23", "-", "1.23", "<=", "1", "NOT", "MET"]
    assert line_of(row("what", "s", [123.4])).split() == ["what", "123", "s", "123", "-", "123"]
