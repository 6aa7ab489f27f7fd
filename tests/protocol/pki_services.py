"""Tests the services with the keys and tokens that screenctl makes, and what callers see while keys are replaced."""
import json
import os
import signal
import subprocess
import threading

from cryptography.hazmat.primitives.asymmetric import ec

from kit import jwt
from kit.deadline import DEADLINE_S
from kit.marks import once
from kit.pki import done, read_json
from kit.screenctl import check_error
from kit.stack import PROGRAMS, Stack, program, wait_for
from kit.tokens import Key, claims
from kit.world import CONFIRMED, booking_request, register


class Pki:
    """The keys of a stack (like kit.tokens.Keyring), made by screenctl."""

    def __init__(self, folder):
        self.folder = folder
        done("pki", "init", folder)
        self.issuers_path = os.path.join(folder, "issuers.json")

    def key_path(self, name):
        return "%s/%s/token.key.json" % (self.folder, name)

    def file(self, name, role, subject="a", hospitals=()):
        """Issues a token into a file and returns its path."""
        path = "%s/%s.token" % (self.folder, name)
        words = [word for hospital in hospitals for word in ("--hospital", hospital)]
        done("token", "issue", "--key", self.folder + "/screening.key.json", "--sub", subject, "--role", role, "--out", path, *words)
        return path

    def token(self, role, subject="a", **_):
        with open(self.file("stack", role, subject), encoding="ascii") as file:
            return file.read().strip()

    def service_token(self, service, audience, **more):
        secret = read_json(self.key_path(service))
        key = Key(kid=secret["kid"])
        key.private = ec.derive_private_key(int.from_bytes(jwt.decode(secret["d"]), "big"), ec.SECP256R1())
        return key.token(claims(None, service, issuer=service, audience=audience, **more))


class PkiStack(Stack):
    def __init__(self, driver, **more):
        super().__init__(driver, **more)

    def _security_flags(self, name):
        if not isinstance(self.keyring, Pki):
            self.keyring = Pki(os.path.join(self.folder, "pki"))
        return super()._security_flags(name)

    def screenctl(self, token_file, *words):
        addresses = [word for name in PROGRAMS if name not in self.without
                     for word in ("--" + name, self.address(name + ".clients"))]
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG", "SCREENING_"))}
        return subprocess.run([program("screenctl"), *addresses, "--timeout", "50000", "--json", "--token-file", token_file, *words],
                              capture_output=True, text=True, timeout=DEADLINE_S, check=False, stdin=subprocess.DEVNULL,
                              env=kept | {"LC_ALL": "C.UTF-8"})

    def can_list(self, token_file):
        result = self.screenctl(token_file, "hospital", "list")
        assert result.returncode == 0 or "UNAUTHENTICATED TOKEN_INVALID" in result.stderr, result
        return result.returncode == 0


@once
def test_pki_of_screenctl_lets_each_role_do_what_is_its_own(driver):
    with PkiStack(driver) as stack:
        admin = stack.keyring.file("admin", "admin")
        made = stack.screenctl(admin, "hospital", "register", "--name", "한빛", "--day", "+1=5")
        assert made.returncode == 0, made
        hospital = json.loads(made.stdout)["hospitalId"]
        kim, lee = stack.keyring.file("kim", "customer", "kim"), stack.keyring.file("lee", "customer", "lee")
        staff = stack.keyring.file("staff", "staff", "s", [hospital])
        stranger = stack.keyring.file("stranger", "staff", "t", ["018f0000-0000-7000-8000-00000000000a"])
        # The place is taken by a call of booking-svc with its own token.
        booked = stack.screenctl(kim, "book", "--customer", "kim", "--name", "김하늘", "--hospital", hospital, "--date", "+1")
        assert booked.returncode == 0, booked
        booking = json.loads(booked.stdout)["bookingId"]
        for token, code in ((kim, 0), (lee, 1), (staff, 0), (stranger, 1), (admin, 0)):
            shown = stack.screenctl(token, "booking", "show", booking)
            assert shown.returncode == code and ("NOT_FOUND" in shown.stderr) == (code == 1), (token, shown)
        assert stack.screenctl(staff, "hospital", "set-capacity", hospital, "+1", "7").returncode == 0
        for token in (stranger, kim):
            check_error(stack.screenctl(token, "hospital", "set-capacity", hospital, "+1", "8"), 1)
        check_error(stack.screenctl("", "booking", "show", booking), 1, "UNAUTHENTICATED", "TOKEN_MISSING")
        wait_for("the history knows it", lambda: stack.screenctl(kim, "history", "booking", booking).returncode == 0)
        check_error(stack.screenctl(lee, "history", "booking", booking), 1, "NOT_FOUND")


@once
def test_services_take_replaced_keys_and_refuse_revoked_ones(driver):
    with PkiStack(driver, without=("history",)) as stack:
        pki = stack.keyring.folder
        old = stack.keyring.file("old", "admin")
        assert stack.can_list(old)
        done("keys", "rotate", pki, "--issuer")
        new = stack.keyring.file("new", "admin")
        wait_for("the new key is known", lambda: stack.can_list(new))
        assert stack.can_list(old)
        done("keys", "rotate", pki, "--issuer", "--revoke")
        wait_for("the old keys are unknown", lambda: not stack.can_list(old) and not stack.can_list(new))
        assert stack.can_list(stack.keyring.file("newest", "admin"))


def reloads(stack):
    """Returns how often hospital-svc has read its issuers again."""
    return sum(1 for line in stack.hospital_svc.log_lines() if line.get("event") == "auth.reloaded")


def new_keys(service):
    """Returns how often the service has begun to sign with another key."""
    return sum(1 for line in service.log_lines() if line.get("event") == "auth.key_reloaded")


@once
def test_bookings_are_confirmed_while_the_key_of_a_service_is_replaced(driver):
    with PkiStack(driver, without=("history",)) as stack:
        pki, hospital, stop, replies = stack.keyring.folder, register(stack, capacity=100000), threading.Event(), []
        path = pki + "/booking-svc.jwks.json"

        def book_on():
            client = stack.client("booking")
            while not stop.is_set():
                replies.append(client.CreateBooking(**booking_request(hospital)))
        callers = [threading.Thread(target=book_on) for _ in range(4)]
        for caller in callers:
            caller.start()
        try:
            for number in range(3):
                first = read_json(path)["keys"][0]["kid"]
                done("keys", "rotate", pki, "--service", "booking-svc")
                assert [key["kid"] for key in read_json(path)["keys"]][1] == first
                wait_for("booking-svc signs with the new key", lambda: new_keys(stack.booking_svc) > number)  # pylint: disable=cell-var-from-loop
            # Without the earlier keys, only a token of the new key takes a place.
            before = reloads(stack)
            with open(path + ".new", "w", encoding="ascii") as file:
                json.dump({"keys": read_json(path)["keys"][:1]}, file)
            os.rename(path + ".new", path)
            wait_for("hospital-svc has read the set again", lambda: reloads(stack) > before)
            count = len(replies)
            wait_for("bookings go on", lambda: len(replies) > count + 20)
        finally:
            stop.set()
            for caller in callers:
                caller.join()
        wrong = [reply for reply in replies if reply.code != 0 or reply.message.status != CONFIRMED]
        assert not wrong, (len(wrong), len(replies), wrong[0])


@once
def test_a_service_takes_its_new_key_at_once_on_sighup(driver):
    with PkiStack(driver, without=("history",)) as stack:
        pki, hospital = stack.keyring.folder, register(stack, capacity=100)
        done("keys", "rotate", pki, "--service", "booking-svc", "--revoke")
        wait_for("hospital-svc has read the set", lambda: reloads(stack) >= 1)
        stack.booking_svc.process.send_signal(signal.SIGHUP)
        wait_for("booking-svc has read its key",
                 lambda: any(line.get("event") == "security.reloaded" for line in stack.booking_svc.log_lines()))
        reply = stack.booking.CreateBooking(**booking_request(hospital))
        assert reply.code == 0 and reply.message.status == CONFIRMED, reply
        assert new_keys(stack.booking_svc) == 0


@once
def test_screenctl_shows_events_as_a_service_at_its_socket(driver):
    with PkiStack(driver, without=("history",)) as stack:
        hospital = register(stack)
        tail = ("events", "tail", "--once", "--log", "hospital")
        # People are told the way, whatever their role.
        for token in (stack.keyring.file("admin", "admin"), ""):
            check_error(stack.screenctl(token, *tail), 1, "only services may read the logs", "--token-key")
        own = (*tail, "--service", "history-svc", "--token-key", stack.keyring.key_path("history-svc"))
        shown = stack.screenctl("", "--hospital-addr", stack.hospital_svc.for_services, *own)
        assert shown.returncode == 0 and hospital in shown.stdout and "hospital.registered" in shown.stdout, shown
        # The same token is worth nothing at the listener for people, nor is a key of another name.
        check_error(stack.screenctl("", *own), 1, "only services may read the logs")
        wrong = (*tail, "--service", "booking-svc", "--token-key", stack.keyring.key_path("history-svc"))
        check_error(stack.screenctl("", "--hospital-addr", stack.hospital_svc.for_services, *wrong), 1, "UNAUTHENTICATED TOKEN_INVALID")
        for words in ((*tail, "--service", "history-svc"), (*tail, "--token-key", "x"), (*tail, "--service", "x", "--token-key", "y")):
            check_error(stack.screenctl("", *words), 2)
        check_error(stack.screenctl("", *tail, "--service", "history-svc", "--token-key", "/nowhere"), 1, "token-key: /nowhere")
