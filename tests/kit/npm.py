"""Installs npm packages for a test, in the versions of a lock file."""
import hashlib
import os
import re
import shutil
import subprocess
import sys

INSTALL_DEADLINE_S = 300
# npm's messages for an unreachable registry.
NO_REGISTRY = re.compile(r"\b(E403|E50\d|ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ERR_SOCKET_TIMEOUT)\b")


class Skipped(Exception):
    """Raised if the prerequisites of the test are not available."""


def check_node(least):
    """Checks that Node is at least this version; least: (major, minor)."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            raise Skipped("there is no %s" % program)
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    if tuple(int(part) for part in version.lstrip("v").split(".")[:2]) < least:
        raise Skipped("node is %s, which is older than %d.%d" % (version, *least))


def install(source, folder):
    """Runs npm ci in `folder` with the lock file in `source`, unless those packages are already installed."""
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
    done = subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--prefer-offline"], cwd=folder, capture_output=True,
                          text=True, check=False, stdin=subprocess.DEVNULL, timeout=INSTALL_DEADLINE_S)
    sys.stdout.write(done.stdout + done.stderr)
    if done.returncode != 0 and NO_REGISTRY.search(done.stderr):
        raise Skipped("the npm registry is not reached")
    if done.returncode != 0:
        raise SystemExit("npm ci failed")
    with open(stamp, "w", encoding="utf-8") as file:
        file.write(wanted)
