"""Checks metrics for Prometheus with promtool, which is part of Debian's package prometheus. Installing that package would start a
server, so this module only unpacks the program into the build folder."""
import fcntl
import glob
import os
import shutil
import subprocess

from .stack import BUILD, DEADLINE_S

FOLDER = os.path.join(BUILD, "tests/promtool")


def path():
    """Returns the path of promtool. Downloads the package on first use if promtool is not installed."""
    installed = shutil.which("promtool")
    if installed:
        return installed
    os.makedirs(FOLDER, exist_ok=True)
    program = os.path.join(FOLDER, "usr/bin/promtool")
    with open(os.path.join(FOLDER, "lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(program):
            for command in (["apt-get", "download", "prometheus"], None):
                command = command or ["dpkg", "-x", *glob.glob(os.path.join(FOLDER, "prometheus_*.deb")), "."]
                done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, check=False)
                assert done.returncode == 0, (command, done.stderr)
    return program


def run(*words, text=None):
    """Runs promtool with `text` as its input, and returns its output. promtool must exit with 0."""
    done = subprocess.run([path(), *words], input=text, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    assert done.returncode == 0, (words, done.stdout, done.stderr)
    return done.stdout + done.stderr
