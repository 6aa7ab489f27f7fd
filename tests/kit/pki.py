"""Runs screenctl's commands for keys, certificates and tokens, which call no service, and knows the files that they make."""
import contextlib
import json
import os
import stat
import subprocess
import tempfile

from .deadline import DEADLINE_S
from .stack import program

SERVICES = ("hospital-svc", "booking-svc", "history-svc", "gateway-svc")
BRIDGE = "jetstream-bridge"  # has a signing key, and no certificate
PROGRAMS = (*SERVICES, BRIDGE)
PUBLIC = {"issuers.json", "services-ca.pem", "clients-ca.pem", *(name + ".jwks.json" for name in ("screening", *PROGRAMS))}
FOLDERS = {".", "front", *PROGRAMS}
SECRET = {"services-ca.key", "clients-ca.key", "screening.key.json", "front/tls.pem", BRIDGE + "/token.key.json",
          *(name + "/" + file for name in SERVICES
            for file in ("token.key.json", "tls.pem", "tls.key", "client-tls.pem", "client-tls.key"))}
MODES = dict.fromkeys(PUBLIC, 0o644) | dict.fromkeys(FOLDERS, 0o700) | dict.fromkeys(SECRET, 0o600)


def screenctl(*words, stdin_text=None, **more):
    """Runs screenctl and returns the finished process. `more` goes to subprocess.run."""
    given = {"stdin": subprocess.DEVNULL} if stdin_text is None else {"input": stdin_text}
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG", "SCREENING_"))}
    return subprocess.run([program("screenctl"), *words], capture_output=True, text=True, timeout=DEADLINE_S, check=False,
                          env=environment | {"LC_ALL": "C.UTF-8"}, **given, **more)


def done(*words, **more):
    """Runs screenctl, which must succeed silently. Returns its output."""
    result = screenctl(*words, **more)
    assert result.returncode == 0 and result.stderr == "", result
    return result.stdout


@contextlib.contextmanager
def made_pki(*options):
    """Makes keys and certificates in a new folder, which it removes at the end. Returns (the folder, the path of the keys in it)."""
    with tempfile.TemporaryDirectory() as folder:
        done("pki", "init", folder + "/pki", *options)
        yield folder, folder + "/pki"


def issue(pki, *words):
    """Returns a new token of the issuer in the folder `pki`."""
    return done("token", "issue", "--key", pki + "/screening.key.json", *words).rstrip("\n")


def openssl(*words):
    result = subprocess.run(["openssl", *words], capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    assert result.returncode == 0, result
    return result.stdout


def verifies(certificate, authority, *options):
    """Returns whether openssl accepts the certificate as one of the authority."""
    return subprocess.run(["openssl", "verify", "-x509_strict", "-no-CApath", "-no-CAstore", "-CAfile", authority, *options,
                           certificate], capture_output=True, check=False).returncode == 0


def read_json(*path):
    with open(os.path.join(*path), encoding="utf-8") as file:
        return json.load(file)


def every_file(folder):
    """Returns the modes of all files and folders by their path in the folder."""
    modes = {".": stat.S_IMODE(os.stat(folder).st_mode)}
    for path, folders, files in os.walk(folder):
        for name in folders + files:
            full = os.path.join(path, name)
            modes[os.path.relpath(full, folder)] = stat.S_IMODE(os.stat(full).st_mode)
    return modes
