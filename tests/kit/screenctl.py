"""Runs screenctl against the services of a stack."""

import json
import os
import subprocess

from . import credentials, rpc
from .stack import DEADLINE_S, PROGRAMS, program


def command(stack, *words, services=PROGRAMS):
    """Returns the command of screenctl. Its caller is an administrator, or a service for what only services may do."""
    for_service = stack.keyring is not None and ("events" in words or any(map(rpc.only_services_call, words)))
    addresses = [word for name in services
                 for word in ("--" + name, stack.services[name].for_services if for_service else stack.services[name].rpc)]
    identity = ["--token-file", credentials.current().service_file] if for_service else []
    return [program("screenctl"), "--timeout", "50000", *identity, *addresses, *words]


def screenctl(stack, *words, services=PROGRAMS, **locale):
    """Runs screenctl and returns the finished process. Its language is English unless `locale` sets another, such as
    LANG="ko_KR.UTF-8"."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG"))}
    gateway = stack.services["gateway"].ops if "gateway" in stack.services else ""
    front = stack.front.http if "front" in stack.__dict__ else ""  # asking for it would open it
    return subprocess.run(command(stack, *words, services=services), capture_output=True, text=True, encoding="utf-8",
                          timeout=2 * DEADLINE_S, check=False, cwd=stack.folder, stdin=subprocess.DEVNULL,
                          env={**environment, "LC_ALL": "C.UTF-8", "SCREENING_GATEWAY_OPS": gateway, "SCREENING_FRONT_HTTP": front,
                               **locale})


def done(stack, *words):
    """Runs screenctl and returns its JSON output. screenctl must exit with 0 and print nothing on stderr."""
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
