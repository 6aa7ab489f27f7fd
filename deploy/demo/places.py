"""Names the paths of the demo, and runs deploy/private-postgres."""

import os
import pathlib
import subprocess

from problems import StackError

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("SCREENING_BUILD", ROOT / "build/release")).resolve()
VAR = ROOT / "var"
DEMO = VAR / "demo"
PIDS = DEMO / "pids"
CLUSTER = VAR / "pg"
HOSPITALS = ROOT / "data/hospitals.csv"


def program(name):
    """Returns the path of a program in the build: hospital-svc, booking-svc, history-svc, gateway-svc, screenctl."""
    return BUILD / ("cli" if name == "screenctl" else name) / name


def environment():
    """Returns the caller's environment, without variables that would silently change our programs or PostgreSQL's."""
    return {key: value for key, value in os.environ.items() if not key.startswith(("SCREENING_", "FRONT_", "PG"))}


def private_postgres(command, *words):
    """Runs deploy/private-postgres in its own session, because the terminal's Ctrl-C must not reach a server that is starting."""
    done = subprocess.run([ROOT / "deploy/private-postgres", command, *words], check=False, text=True, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True, env=environment())
    if done.returncode != 0:
        raise StackError("deploy/private-postgres %s: %s" % (command, done.stdout.strip()))
    return done.stdout.strip()
