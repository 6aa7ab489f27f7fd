"""Runs screenctl against a stack's services."""

import json
import os
import subprocess

from .stack import DEADLINE_S, PROGRAMS, program


def command(stack, *words, services=PROGRAMS):
    addresses = [word for name in services for word in ("--" + name, stack.services[name].rpc)]
    return [program("screenctl"), "--timeout", "50000", *addresses, *words]


def screenctl(stack, *words, services=PROGRAMS, **locale):
    """Runs screenctl, in English unless a locale is given: LANG="ko_KR.UTF-8"."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG"))}
    gateway = stack.services["gateway"].ops if "gateway" in stack.services else ""
    return subprocess.run(command(stack, *words, services=services), capture_output=True, text=True, encoding="utf-8",
                          timeout=2 * DEADLINE_S, check=False, cwd=stack.folder, stdin=subprocess.DEVNULL,
                          env={**environment, "LC_ALL": "C.UTF-8", "SCREENING_GATEWAY_OPS": gateway, **locale})


def done(stack, *words):
    """Runs screenctl, which must exit with 0 and print nothing on stderr. Returns its JSON output."""
    result = screenctl(stack, "--json", *words)
    assert result.returncode == 0 and result.stderr == "", result
    return json.loads(result.stdout)


def check_error(result, exit_code, *words):
    assert result.returncode == exit_code, result
    lines = result.stderr.strip().splitlines()
    assert lines and lines[0].startswith("screenctl: "), result
    assert exit_code == 2 or len(lines) == 1, result
    for word in words:
        assert word in result.stderr, result
