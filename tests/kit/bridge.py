"""Runs jetstream-bridge beside a stack."""
import json
import os
import signal
import subprocess

from . import sandbox, web
from .marks import Skipped
from .stack import DEADLINE_S, free_port, program
from .tokens import Key

NAME = "jetstream-bridge"
LOGS = ("booking", "hospital")


def admit(stack):
    """Makes a key with which the bridge signs its tokens, and lets the services know it. Call it before the stack starts."""
    key = Key()
    stack.keyring.write(NAME + ".key.json", key.secret())
    stack.keyring.write(NAME + ".jwks.json", {"keys": [key.public()]})
    stack.keyring.write_issuers({"issuer": NAME, "audience": "@program", "keys": NAME + ".jwks.json", "roles": {"always": "service"}})
    return stack


class Bridge:
    """A bridge from a stack to a server of NATS, at `url`, during a `with` block. It must end with 0, unless the test has ended it."""

    def __init__(self, stack, url, name=NAME, sandboxed=sandbox.ALWAYS, **flags):
        if not os.path.exists(program(NAME)):
            raise Skipped("jetstream-bridge is not built, because libnats-dev is not installed")
        self.ops = "127.0.0.1:%d" % free_port()
        self.log_path = os.path.join(stack.folder, name + ".log")
        self.flags = {"nats-url": url, "ops-listen": self.ops, "token-key": stack.keyring.key_path(NAME),
                      **{log + "-" + kind: stack.address("%s.%s" % (log, kind)) for log in LOGS for kind in ("rpc", "events")},
                      **{flag.replace("_", "-"): value for flag, value in flags.items()}}
        self.process, self.sandboxed = None, sandboxed

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, *_):
        if self.process.poll() is None:
            self.stop()
        if kind is not None:
            print("---- the end of the bridge's log\n" + self.log_text()[-4000:])
        for sign in ("ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "runtime error:", "WARNING: ThreadSanitizer"):
            assert sign not in self.log_text(), self.log_text()[-6000:]

    def arguments(self):
        return sandbox.words(sandbox.BRIDGE, self.sandboxed) + [program(NAME)] + ["--%s=%s" % item for item in self.flags.items()]

    def start(self):
        environment = dict(os.environ)
        if self.sandboxed:  # the search for leaks stops the other threads by ptrace, which the filter refuses
            environment["ASAN_OPTIONS"] = environment.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self.arguments(), stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=environment)
        return self

    def kill(self, number=signal.SIGKILL):
        self.process.send_signal(number)
        return self.process.wait(timeout=DEADLINE_S)

    def stop(self):
        code = self.kill(signal.SIGTERM)
        assert code == 0, (code, self.log_text()[-4000:])

    def wait_end(self):
        """Waits until the bridge ends by itself. Returns its exit code."""
        return self.process.wait(timeout=DEADLINE_S)

    def get(self, path):
        client = web.Client(self.ops, timeout=DEADLINE_S)
        try:
            return client.get(path)
        finally:
            client.close()

    def is_ready(self):
        try:
            return self.get("/readyz").code == 200
        except OSError:
            return False

    def log_text(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as log:
            return log.read()

    def events(self, name):
        """Returns the log lines of an event."""
        lines = [json.loads(line) for line in self.log_text().splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == name]

