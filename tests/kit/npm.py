"""Installs npm packages for a test, in the versions that a lock file names."""
import hashlib
import os
import re
import shutil
import subprocess
import sys

from .marks import Skipped

INSTALL_DEADLINE_S = 300
# npm prints these words if it cannot reach the registry.
NO_REGISTRY = re.compile(r"\b(E403|E50\d|ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ERR_SOCKET_TIMEOUT)\b")


def check_node(least):
    """Checks that Node has at least the version `least`, which is (major, minor). Raises Skipped otherwise."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            raise Skipped("there is no %s" % program)
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    if tuple(int(part) for part in version.lstrip("v").split(".")[:2]) < least:
        raise Skipped("node is %s, which is older than %d.%d" % (version, *least))


def install(source, folder):
    """Runs npm ci in `folder` with the lock file in `source`, unless the packages of that lock file are already installed."""
    os.makedirs(folder, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(os.path.join(source, name), folder)
    stamp = os.path.join(folder, "installed")
    with open(os.path.join(folder, "package-lock.json"), "rb") as file:
        wanted = hashlib.sha256(file.read()).hexdigest()
    if os.path.exists(stamp):
        with open(stamp, encoding="utf-8") as file:
            if file.read() == wanted:
                return
    done = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"], cwd=folder, capture_output=True,
                          text=True, check=False, stdin=subprocess.DEVNULL, timeout=INSTALL_DEADLINE_S)
    sys.stdout.write(done.stdout + done.stderr)
    if done.returncode != 0 and NO_REGISTRY.search(done.stderr):
        raise Skipped("the npm registry is not reached")
    if done.returncode != 0:
        raise SystemExit("npm ci failed")
    with open(stamp, "w", encoding="utf-8") as file:
        file.write(wanted)
