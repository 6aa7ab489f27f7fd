"""Starts and ends the processes of the comparison. It never touches any other process."""

import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "deploy/demo"))
import interrupts  # noqa: E402  as in the demo, signals only set a flag, which is checked between steps

READY_S = 30
STOP_S = 15
RUN_S = 600  # far longer than any run takes
LOOK_AGAIN_S = 0.05


class CompareError(Exception):
    """Raised when a part of the comparison failed."""


def environment(**more):
    """Returns the caller's environment with `more`, but without variables that would silently change our programs or
    PostgreSQL's. Our services have no issuers of tokens here."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("SCREENING_", "PG"))}
    return {**kept, "SCREENING_INSECURE": "true", **more}


def free_address():
    """Returns a HOST:PORT on which no process listens at the moment."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return "127.0.0.1:%d" % sock.getsockname()[1]


class Child:
    """A server in its own process group. The terminal's Ctrl-C reaches only the comparison, which then stops the server."""

    def __init__(self, command, log_path):
        # The server gets its own process group, so that Ctrl-C reaches only this program. It does not get its own session, because
        # the kernel would then divide the processor time by session.
        self.name, self.log_path = pathlib.Path(command[0]).name, log_path
        with open(log_path, "wb") as log:
            self.process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            process_group=0, env=environment())

    def wait_for_line(self, word, longest_s=READY_S):
        """Waits for a line of the server's log that contains `word`, and returns that line."""
        deadline = time.monotonic() + longest_s
        while True:
            text = self.log_path.read_text(encoding="utf-8", errors="replace")
            for line in text.splitlines(keepends=True):
                if word in line and line.endswith("\n"):
                    return line.strip()
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise CompareError("%s: no %s: %s" % (self.name, word, text[-2000:]))
            interrupts.sleep(LOOK_AGAIN_S)

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout=STOP_S)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self):
        self.process.kill()
        self.process.wait()


def run(command, longest_s=RUN_S, **more_environment):
    """Runs a program until it ends or a signal arrives. Returns its stdout. The program must exit with 0."""
    deadline = time.monotonic() + longest_s
    with subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, process_group=0, env=environment(**more_environment)) as process:
        try:
            while True:
                try:
                    output, errors = process.communicate(timeout=LOOK_AGAIN_S)
                    break
                except subprocess.TimeoutExpired:
                    interrupts.check()
                if time.monotonic() > deadline:
                    raise CompareError("%s did not end within %d s" % (command[0], longest_s))
        except BaseException:
            process.kill()
            raise
    if process.returncode != 0:
        raise CompareError("%s ended with %d: %s" % (command[0], process.returncode, (errors + output)[-2000:]))
    return output


def step(command):
    """Runs a short command that starts or ends something, so that no signal may interrupt it. Returns its output."""
    done = subprocess.run([str(word) for word in command], check=False, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, process_group=0, env=environment())
    if done.returncode != 0:
        raise CompareError("%s: %s" % (command[0], done.stdout[-2000:]))
    return done.stdout.strip()
