"""Makes the demo's keys and the tokens of its accounts, with screenctl. A token is in a file of mode 0600."""

import subprocess

from places import DEMO, ROOT, environment, program
from problems import StackError

PKI = DEMO / "pki"
ISSUER_KEY = PKI / "screening.key.json"
HOURS = 12
ADMIN, STAFF, KIM, LEE = "admin", "staff", "kim-haneul", "lee-dain"  # the names of the accounts, and of their files
ROLES = {ADMIN: "admin", STAFF: "staff", KIM: "customer", LEE: "customer"}


def _screenctl(*words):
    done = subprocess.run([program("screenctl"), *map(str, words)], check=False, text=True, stdin=subprocess.DEVNULL,
                          capture_output=True, start_new_session=True, env=environment())
    if done.returncode != 0:
        raise StackError("screenctl %s: %s" % (" ".join(map(str, words[:2])), done.stderr.strip()))


def make_keys():
    """Makes the keys of the services and of the issuer of tokens, and issuers.json, which names them."""
    _screenctl("pki", "init", PKI)


def token_file(name):
    """Returns the file with the token of an account, relative to the project's folder, where commands are typed."""
    return (DEMO / (name + ".token")).relative_to(ROOT)


def open_account(name, *hospitals):
    """Issues the token of an account. `hospitals` are those where the staff works."""
    words = [word for hospital in hospitals for word in ("--hospital", hospital)]
    _screenctl("token", "issue", "--key", ISSUER_KEY, "--sub", name, "--role", ROLES[name], "--hours", HOURS, *words,
               "--out", ROOT / token_file(name))


def read_token(path):
    return (ROOT / path).read_text(encoding="ascii").strip()
