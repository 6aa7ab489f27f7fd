"""Tests that a secret is in no place where others look: arguments, environment, logs, metrics, answers, --print-config, core dumps."""
import glob
import os
import re
import signal
import socket
import subprocess

from hardening.logins import PASSWORD, migrate, services, write_private
from kit import credentials, rpc, web
from kit.marks import once
from kit.pki import done, made_pki, read_json, screenctl
from kit.stack import DEADLINE_S, PROGRAMS, Stack, free_port, program, wait_for
from kit.world import CONFIRMED, book, register, wait_history

IN_URL = "p-in-the-url"
METHODS = {"hospital": ("GetHospital", "Stats", "Describe"), "booking": ("GetBooking", "Stats", "Describe"),
           "history": ("GetBookingHistory", "GetProjectionStatus", "Stats")}


class Secrets:
    """The secrets of a secure stack: passwords, private keys, and a token with the signature that makes it valid."""

    def __init__(self, stack):
        self.token = stack.keyring.token("admin")
        keys = (stack.keyring.issuer, *stack.keyring.services.values())
        self.values = [PASSWORD % name for name in PROGRAMS] + [key.secret()["d"] for key in keys] + [self.token.rpartition(".")[2]]
        assert all(len(value) > 5 for value in self.values) and len(self.values) == 9

    def keep(self, what, text):
        assert_secret(what, text, self.values)


def assert_secret(what, text, secrets):
    found = [secret for secret in secrets if secret in text]
    assert not found, "%s: it shows %s" % (what, found)


def read(path):
    with open(path, "rb") as file:
        return file.read().decode(errors="replace")


def family(pid):
    """Returns the ids of a process and of all its descendants."""
    children = read("/proc/%d/task/%d/children" % (pid, pid)).split()
    return [pid] + [one for child in children for one in family(int(child))]


def print_config(service):
    done = subprocess.run([*service.arguments(), "--print-config"], capture_output=True, text=True, timeout=DEADLINE_S, check=False,
                          env={**os.environ, **service.environment})
    assert done.returncode == 0 and "log-level=" in done.stdout, done
    return done.stdout + done.stderr


def metrics(service):
    client = web.Client(service.flags["ops-listen"])
    try:
        return client.get("/metrics").body.decode()
    finally:
        client.close()


def ask_over_http(stack, token, booking_id):
    for path in ("/bookings/" + booking_id, "/hospitals", "/hospitals?pageToken=wrong", "/nowhere"):
        answer = stack.gateway.get(path, headers={"Authorization": "Bearer " + token})
        yield "%s %s" % (answer.headers, answer.body.decode())


def ask_with_token(stack, token, booking_id):
    """Calls with a token, by RPC and over HTTP, well and wrongly. Yields all answers as text."""
    for name, methods in METHODS.items():
        client = rpc.Client(stack.address(name + ".clients"), token=token)
        for method in methods:
            yield repr(client.call(method, **({"booking_id": booking_id} if "Booking" in method else {})))
        client.close()
    yield from ask_over_http(stack, token, booking_id)


@once
def test_a_secret_is_in_no_place_where_others_look(driver):
    del driver
    flags = {name: {"log-level": "debug", "ops-listen": "127.0.0.1:%d" % free_port()} for name in (*PROGRAMS, "gateway")}
    with services(gateway=True, flags=flags) as (server, stack, passwords):
        migrate(server, stack, passwords)
        for name in PROGRAMS:
            stack.services[name].spawn()
        for name in PROGRAMS:
            stack.services[name].wait_ready()
        stack.wait_paired()
        secrets = Secrets(stack)
        # It was started while the services did not run, so it has the addresses that a test would listen at.
        stack.gateway_svc.restart(**{name + "_rpc": stack.address(name + ".gateway") for name in PROGRAMS})
        booking = book(stack, register(stack))
        wait_history(stack, booking.booking_id, CONFIRMED)
        wait_for("the gateway is connected", lambda: "pageToken" in "".join(ask_over_http(stack, secrets.token, booking.booking_id)))
        answers = list(ask_with_token(stack, secrets.token, booking.booking_id))
        assert sum('"customerId"' in answer or "customer_id" in answer for answer in answers) == 3, answers
        refused = list(ask_with_token(stack, secrets.token[:8] + "A" + secrets.token[8:], booking.booking_id))
        assert not any("customer" in answer for answer in refused) and any("TOKEN_INVALID" in answer for answer in refused), refused
        secrets.keep("an answer", "\n".join(answers + refused))

        pids = [pid for service in stack.services.values() for pid in family(service.process.pid)] + family(stack.front.process.pid)
        assert len(pids) > len(stack.services) + 1, pids  # the door has a worker
        for pid in pids:
            secrets.keep("the command line", read("/proc/%d/cmdline" % pid))
            secrets.keep("the environment", read("/proc/%d/environ" % pid))
        for service in stack.services.values():
            secrets.keep("/metrics of %s-svc" % service.name, metrics(service))
            secrets.keep("--print-config of %s-svc" % service.name, print_config(service))
            log = read(service.log_path)
            assert '"log-level":"debug"' in log and "database.password_in_url" not in log, service.name
            secrets.keep("the log of %s-svc" % service.name, log)
        secrets.keep("the log of the door", stack.front.log())


@once
def test_a_password_in_the_url_is_warned_of_and_not_shown(driver):
    del driver
    with Stack("postgresql", without=PROGRAMS, insecure=True) as stack:
        service = stack.hospital_svc
        service.flags["database"] = service.flags["database"].replace("screening@", "screening:%s@" % IN_URL)
        service.start()
        shown = print_config(service)
        assert "database=postgresql://screening:***@" in shown
        log = service.log_lines()
        assert [line["setting"] for line in log if line.get("event") == "database.password_in_url"] == ["database"], log
        assert not [line for line in log if line.get("event") == "database.not_verified"], log
        assert_secret("the log and --print-config", read(service.log_path) + shown, [IN_URL])


@once
def test_a_server_elsewhere_that_proves_nothing_is_warned_of(driver):
    del driver
    with Stack("postgresql", without=PROGRAMS, insecure=True) as stack:
        service = stack.hospital_svc
        # The first of the two hosts answers; the other is never asked.
        service.flags["database"] = re.sub(r"host=([^&]*)&port=5432", r"host=\1,db.invalid&port=5432,5432", service.flags["database"])
        service.start()
        (line,) = [line for line in service.log_lines() if line.get("event") == "database.not_verified"]
        assert line["message"] == "database: db.invalid is not this machine: the URL needs sslmode=verify-full"


@once
def test_a_url_that_gives_something_away_is_refused(driver):
    del driver
    with Stack("postgresql", without=PROGRAMS) as stack:
        for name in PROGRAMS:
            service = stack.services[name]
            url = service.flags["database"]
            for changed, what in ((url.replace("screening@", "screening:%s@" % IN_URL), "the URL contains a password"),
                                  (re.sub(r"host=[^&]*", "host=db.invalid", url), "db.invalid is not this machine")):
                for more in ({}, {"migrate": "true"}):
                    done = service.run_once(database=changed, **more)
                    assert done.returncode == 2 and done.stderr.startswith("%s-svc: database: %s" % (name, what)), done
                    assert done.stderr.endswith(", unless --insecure is given\n") and done.stderr.count("\n") == 1, done
                    assert_secret("the refusal", done.stderr, [IN_URL])


@once
def test_a_well_known_password_is_refused(driver):
    del driver
    with Stack("postgresql", without=PROGRAMS) as stack:
        path = os.path.join(stack.folder, "passwords")
        for name in PROGRAMS:
            service = stack.services[name]
            for password in ("postgres", "ChangeMe", "screening"):
                write_private(path, "*:*:*:screening:%s\n" % password)
                done = service.run_once(database=service.flags["database"] + "&passfile=" + path)
                assert (done.returncode, done.stderr) == (2, "%s-svc: database: passfile: %s: line 1: a well-known password, "
                                                             "unless --insecure is given\n" % (name, path)), done


def secrets_of(folder):
    """Returns the private parts of all keys that screenctl has made in a folder: of PEM a line, of JSON the member d."""
    found = []
    for path in glob.glob(folder + "/**/*", recursive=True):
        if path.endswith(".key.json"):
            found.append(read_json(path)["d"])
        elif os.path.isfile(path) and "PRIVATE KEY" in read(path):
            found.append(read(path).partition("PRIVATE KEY-----\n")[2].splitlines()[1])
    return found


@once
def test_screenctl_shows_no_secret(driver):
    """Neither in what it prints, nor in its arguments, its environment and a core dump while it runs."""
    with made_pki() as (folder, pki), Stack(driver, without=("booking", "history")) as stack:
        token_file, printed = folder + "/a.token", []
        printed.append(done("token", "issue", "--key", pki + "/screening.key.json", "--sub", "a", "--role", "admin", "--out", token_file))
        secrets = [*secrets_of(pki), read(token_file).strip().rpartition(".")[2]]
        for words in (("pki", "show", pki), ("token", "show", token_file), ("keys", "prune", pki), ("keys", "rotate", pki), ("pki", "renew", pki)):
            for more in ((), ("--json",)):
                printed.append(done(*more, *words))
                secrets += secrets_of(pki)
        wrong = screenctl("--token-file", pki + "/screening.key.json", "--hospital", stack.hospital_svc.rpc, "hospital", "list")
        assert wrong.returncode == 1, wrong
        assert len(set(secrets)) > 20 and all(len(secret) > 20 for secret in secrets), secrets
        assert_secret("the output", "\n".join([*printed, wrong.stdout, wrong.stderr]), secrets)
        command = [program("screenctl"), "--hospital", stack.hospital_svc.for_services, "events", "tail", "--log", "hospital", "--after", "hospital:0"]
        environment = {**os.environ, "SCREENING_TOKEN_FILE": credentials.current().service_file}
        secrets.append(credentials.current().service.rpartition(".")[2])
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as tail:
            register(stack)
            assert tail.stdout.readline()
            for what in ("cmdline", "environ"):
                assert_secret("its " + what, read("/proc/%d/%s" % (tail.pid, what)), secrets)
            assert re.search(r"^Max core file size +0 +0 ", read("/proc/%d/limits" % tail.pid), re.M)
            assert int(read("/proc/%d/coredump_filter" % tail.pid), 16) == 0
            tail.kill()


@once
def test_a_crash_leaves_no_core(driver):
    with Stack(driver, gateway=True) as stack:
        for service in stack.services.values():
            service.supervised = False
            service.kill()
            service.prefix = ["prlimit", "--core=unlimited"] if os.getuid() == 0 else []
            service.spawn()
        for service in stack.services.values():
            service.wait_ready()
        for service in stack.services.values():
            assert re.search(r"^Max core file size +0 +0 ", read("/proc/%d/limits" % service.process.pid), re.M), service.name
            assert int(read("/proc/%d/coredump_filter" % service.process.pid), 16) == 0, service.name
            service.kill(signal.SIGABRT)
            assert service.process.returncode == -signal.SIGABRT
        assert not glob.glob(os.path.join(stack.folder, "*core*")), os.listdir(stack.folder)


@once
def test_screenctl_leaves_no_core_either(driver):
    del driver
    with socket.create_server(("127.0.0.1", 0)) as silent, subprocess.Popen(
            ["prlimit", "--core=unlimited"] * (os.getuid() == 0) +
            [program("screenctl"), "--timeout", "60000", "--hospital", "tcp://127.0.0.1:%d" % silent.getsockname()[1], "hospital", "list"]) as process:
        try:
            silent.settimeout(DEADLINE_S)
            with silent.accept()[0]:  # it has begun
                assert re.search(r"^Max core file size +0 +0 ", read("/proc/%d/limits" % process.pid), re.M)
                assert int(read("/proc/%d/coredump_filter" % process.pid), 16) == 0
        finally:
            process.kill()
