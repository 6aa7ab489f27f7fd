"""Single calls through the public tool."""

import json
import shlex
import subprocess

import interrupts
from places import environment, program
from problems import Refused


class Answer:
    """The result of one run of screenctl."""

    def __init__(self, command, done):
        self.command, self.exit_code, self.error = command, done.returncode, done.stderr.strip()
        self.body = json.loads(done.stdout) if done.stdout.strip() else None


class Screenctl:
    """Runs screenctl against the demo's services."""

    def __init__(self, addresses):
        self.environment = environment()
        for name, address in addresses.items():
            self.environment["SCREENING_%s_ADDR" % name.upper()] = address

    def run(self, *words):
        """Runs screenctl and returns the result, even a failure."""
        interrupts.check()
        done = subprocess.run([program("screenctl"), "--json", *map(str, words)], check=False, text=True, capture_output=True,
                              stdin=subprocess.DEVNULL, start_new_session=True, env=self.environment)
        return Answer(shown(*words), done)

    def ask(self, *words):
        """Runs screenctl and returns the answer's body."""
        answer = self.run(*words)
        if answer.exit_code != 0:
            raise Refused("%s: exit %d: %s" % (answer.command, answer.exit_code, answer.error))
        return answer.body


def shown(*words):
    """Returns the command as a user would type it."""
    return shlex.join(["screenctl", *map(str, words)])
