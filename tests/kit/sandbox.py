"""Runs programs of a test under the filters of their systemd units (kit/sandboxed). With SCREENING_SANDBOX=1, every stack does."""
import importlib.util
import os
import re
import shutil
import subprocess

from .marks import Skipped

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SERVICE = os.path.join(ROOT, "deploy/systemd/screening@.service")
BRIDGE = os.path.join(ROOT, "deploy/systemd/screening-jetstream-bridge.service")
FRONT = os.path.join(ROOT, "deploy/front/screening-front.service")
WIRES = os.path.join(ROOT, "deploy/wires/screening-wires@.service")
ALWAYS = os.environ.get("SCREENING_SANDBOX") == "1"
OFFLINE_SINCE = 250  # the version of systemd-analyze that first examined files


def words(unit, wanted):
    """Returns the words in front of a command that make it run as in the unit, if that is wanted."""
    return [os.path.join(ROOT, "tests/kit/sandboxed"), unit] if wanted else []


def check_systemd():
    """Raises Skipped unless systemd-analyze can examine files."""
    if shutil.which("systemd-analyze") is None:
        raise Skipped("there is no systemd-analyze")
    said = subprocess.run(["systemd-analyze", "--version"], capture_output=True, text=True, check=True).stdout
    version = int(re.search(r"systemd (\d+)", said)[1])
    if version < OFFLINE_SINCE:
        raise Skipped("systemd-analyze is %d, which is older than %d" % (version, OFFLINE_SINCE))


def check_available():
    """Raises Skipped unless filters can be loaded here."""
    check_systemd()
    if importlib.util.find_spec("seccomp") is None:
        raise Skipped("there is no python3-seccomp")
