"""When imported, sets the paths of the modules that the scenarios share with bench/compare and with the tests."""

import pathlib
import sys

SCENARIOS = pathlib.Path(__file__).resolve().parent
sys.path.append(str(SCENARIOS.parent / "comparison"))

from children import ROOT  # noqa: E402
from services import BUILD  # noqa: E402

# These paths come first, because a package named grpc may be installed.
sys.path[:0] = [str(BUILD / "tests/python"), str(ROOT / "tests")]
