"""Makes single calls with screenctl."""

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
    """Runs screenctl against the demo's services, with the token in a file unless `token_file` is empty."""

    def __init__(self, addresses, token_file=""):
        self.environment = environment()
        if token_file:
            self.environment["SCREENING_TOKEN_FILE"] = str(token_file)
        for name, address in addresses.items():
            self.environment["SCREENING_%s_ADDR" % name.upper()] = address

    def run(self, *words):
        """Runs screenctl and returns its Answer, even after a failure."""
        interrupts.check()
        done = subprocess.run([program("screenctl"), "--json", *map(str, words)], check=False, text=True, capture_output=True,
                              stdin=subprocess.DEVNULL, start_new_session=True, env=self.environment)
        return Answer(shown(*words), done)

    def ask(self, *words):
        """Runs screenctl and returns the body of the answer. Raises Refused after a failure."""
        answer = self.run(*words)
        if answer.exit_code != 0:
            raise Refused("%s: exit %d: %s" % (answer.command, answer.exit_code, answer.error))
        return answer.body


def shown(*words):
    """Returns the command of screenctl as a user would type it."""
    return shlex.join(["screenctl", *map(str, words)])
