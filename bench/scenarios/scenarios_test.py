"""Runs bench/run GOAL with small amounts. The measured values do not matter here."""
import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile

from kit.marks import once
from kit.stack import wait_for

SCENARIOS = pathlib.Path(__file__).resolve().parent
PATIENCE_S = 240  # with TSan and other tests at the same time, a run takes two minutes


@contextlib.contextmanager
def started(folder, *arguments):
    """Starts the part of bench/run that follows the build. Its temporary files are in `folder`."""
    command = [sys.executable, SCENARIOS, *arguments, "--output", folder / "output"]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          env={**os.environ, "TMPDIR": str(folder)}, start_new_session=True) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)


def processes_of(folder):
    """Returns the pids of the processes whose command line contains the path of the folder."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if str(folder) in path.read_text(encoding="utf-8", errors="replace"):
                found.append(path.parent.name)
    return found


@contextlib.contextmanager
def own_folder():
    """Yields a folder that the user who runs PostgreSQL can enter. Checks after the block that only the output is left in the
    folder, and that no process uses it."""
    with tempfile.TemporaryDirectory(prefix="screening-", dir="/tmp") as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)
        yield folder
        left = [path.name for path in folder.iterdir() if path.name != "output"]
        assert left == [] and processes_of(folder) == [], (left, processes_of(folder))


@once
def test_scenarios_run_and_keep_their_figures(_):
    with own_folder() as folder:
        with started(folder, "P7", "P9", "--scale", "0.01", "--rounds", "2") as process:
            output, _ = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0, output
        rows = {path.name: json.loads(path.read_text(encoding="utf-8")) for path in (folder / "output").iterdir()}
        assert set(rows) == {"P7.json", *("P7.%d.json" % number for number in range(2, 8)), "P9.json", "P9.2.json"}, output
        for name, row in rows.items():
            assert row["command"] == "bench/run " + row["goal"] and name.startswith(row["goal"] + "."), row
            assert len(row["rounds"]) == 2 and min(row["rounds"]) == row["least"], row
            assert row["least"] > 0 or row["unit"] == "us", row  # the kernel counts CPU time in steps of 10 ms
            assert row["about"]["scale"] == 0.01, row
            assert row["what"] in output
        assert rows["P9.json"]["wanted"] == ">= 100000" and rows["P9.json"]["met"] in (True, False), rows["P9.json"]


@once
def test_scenarios_interrupted_leave_nothing_behind(_):
    with own_folder() as folder:
        with started(folder, "P9", "--scale", "1") as process:
            wait_for("a load under way", lambda: list(folder.glob("*/run/*.db")) and len(processes_of(folder)) > 3, PATIENCE_S)
            process.send_signal(signal.SIGINT)
            output, _ = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 128 + signal.SIGINT and "interrupted" in output, (process.returncode, output)
