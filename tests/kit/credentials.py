"""Knows the tokens of the stack that the test runs. The clients of this kit send them unless the test gives another one, or None."""
import os

AGELESS = {"iat": None, "nbf": None, "lifetime_s": 100 * 365 * 24 * 3600}  # for services whose clocks are wrong
DEFAULT = object()  # stands for the tokens of the stack
TOKEN_FILE = "SCREENING_TOKEN_FILE"  # where screenctl, and so every program that a test starts, looks for a token


class Credentials:
    """Tokens of a stack: of an administrator, and of a service, for methods that only services call. `person_file` and `service_file`
    contain them."""

    def __init__(self, keyring=None):
        self.person = self.service = self.person_file = self.service_file = None
        if keyring:
            self.person = keyring.token("admin", **AGELESS)
            self.service = keyring.service_token("booking-svc", ["hospital-svc", "booking-svc", "history-svc"], **AGELESS)
            self.person_file, self.service_file = (self._write(keyring, name) for name in ("person", "service"))

    def _write(self, keyring, name):
        path = os.path.join(keyring.folder, name + ".token")
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="utf-8") as file:
            file.write(getattr(self, name) + "\n")
        return path


_current = Credentials()


def take(credentials):
    """Makes these the credentials of the process. Returns those before."""
    global _current  # pylint: disable=global-statement
    before, _current = _current, credentials
    if credentials.person_file:
        os.environ[TOKEN_FILE] = credentials.person_file
    else:
        os.environ.pop(TOKEN_FILE, None)
    return before


def current():
    return _current


def chosen(token, for_service=False):
    """Returns the token to send: `token`, unless it is DEFAULT. None is no token."""
    if token is not DEFAULT:
        return token
    return _current.service if for_service else _current.person


def fields(given=(), token=DEFAULT, for_service=False, name="authorization"):
    """Returns the given pairs of a name and a value, and `authorization` with the token, unless they have it."""
    given, sent = list(given or ()), chosen(token, for_service)
    if sent and not any(key.lower() == "authorization" for key, _ in given):
        given.append((name, "Bearer " + sent))
    return given
