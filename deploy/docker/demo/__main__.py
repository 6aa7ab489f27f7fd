"""Runs the demo inside a stack of containers, against the services that SCREENING_*_ADDR and SCREENING_FRONT_HTTP name, with the
tokens of the demo's accounts.

play   imports the hospitals, plays the twelve lines of the specification, books and cancels over HTTP, and tries what strangers may
       not do
load   books and cancels until SIGTERM, even while services are killed; then checks the results

Exit code 0 if everything held, 1 if not, 2 for a wrong argument.
"""

import os
import pathlib
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "deploy/demo"), str(ROOT / "tests")]

import accounts  # noqa: E402
import interrupts  # noqa: E402
import load  # noqa: E402  from here on, the modules of ./demo are found
from clinic import import_hospitals  # noqa: E402
from over_http import OverHttp  # noqa: E402
from problems import PROBLEMS  # noqa: E402
from report import Report, say, show  # noqa: E402
from screenctl import Screenctl  # noqa: E402
from seed_lines import SeedLines  # noqa: E402
from strangers import Strangers  # noqa: E402
from web import Web  # noqa: E402


class Stack:
    """The parts of a stack that the lines need, with services that were started elsewhere."""

    def __init__(self):
        names, admin = ("hospital", "booking", "history"), accounts.token_file(accounts.ADMIN)
        self.screenctl = Screenctl({name: os.environ["SCREENING_%s_ADDR" % name.upper()] for name in names}, admin)
        # "today" must be the day in the services' time zone
        self.screenctl.environment["SCREENING_TIME_ZONE"] = os.environ["SCREENING_TIME_ZONE"]
        self.web = Web(os.environ["SCREENING_FRONT_HTTP"], admin)


def play(stack, report):
    interrupts.install()
    clinic = import_hospitals(stack.screenctl)
    SeedLines(stack, report, clinic).play()
    OverHttp(stack, report, clinic).play()
    Strangers(stack, report, clinic).play()


ACTS = {"play": play, "load": load.play}


def main(words):
    if len(words) != 1 or words[0] not in ACTS:
        print(__doc__.strip(), file=sys.stderr)
        return 2
    report = Report(pathlib.Path(tempfile.gettempdir()) / "demo.json")
    try:
        ACTS[words[0]](Stack(), report)
    except interrupts.Interrupted as interrupted:
        return interrupted.exit_code
    except PROBLEMS as problem:
        say("failed: %s" % problem)
        return 1
    report.show_table()
    show("\n%s (%d lines)" % ("Everything held." if report.all_held() else "NOT everything held.", len(report.lines)))
    return 0 if report.all_held() else 1


sys.exit(main(sys.argv[1:]))
