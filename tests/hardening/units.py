"""Tests the systemd units: how much they leave exposed, that they start what is installed, and that the services run under their
filters."""
import glob
import os
import re
import shutil
import subprocess
import tempfile

from kit import rpc, sandbox
from kit.marks import once
from kit.pki import BRIDGE, made_pki
from kit.stack import BUILD, DEADLINE_S, PROGRAMS, Stack, program, psql
from kit.world import CANCELLED, CONFIRMED, book, day, register, wait_agreement, wait_history

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SYSTEMD = os.path.dirname(sandbox.SERVICE)
INSTANCES = (*PROGRAMS, "gateway")
BRIDGE_UNIT = "screening-%s.service" % BRIDGE
EXPOSURE_MAX = 20  # tenths, of 100
BAD_SYSTEM_CALL = -31  # the exit status of a process that SIGSYS ended


def analyze(*words):
    return subprocess.run(["systemd-analyze", *words, "--no-pager"], capture_output=True, text=True, timeout=DEADLINE_S, check=False,
                          env={**os.environ, "SYSTEMD_COLORS": "0"})


def with_units(folder):
    """Writes all units under names with which they are started. Returns their paths."""
    paths = []
    for source in sorted(glob.glob(os.path.join(os.path.dirname(SYSTEMD), "*", "*.service"))):
        name = os.path.basename(source)
        for instance in INSTANCES if name == "screening@.service" else INSTANCES[:1]:
            paths.append(os.path.join(folder, name.replace("@.", "@%s." % instance)))
            shutil.copy(source, paths[-1])
    assert len(paths) > len(INSTANCES), paths
    return paths


def exposure(path):
    done = analyze("security", "--offline=yes", "--threshold=%d" % EXPOSURE_MAX, path)
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
    assert found, done
    assert (done.returncode == 0) == (float(found[1]) * 10 <= EXPOSURE_MAX), done
    return float(found[1])


@once
def test_no_unit_is_exposed_more_than_it_must_be(driver):
    del driver
    sandbox.check_systemd()
    with tempfile.TemporaryDirectory() as folder:
        paths = with_units(folder)
        for path in paths:
            assert exposure(path) * 10 <= EXPOSURE_MAX, (path, exposure(path))
        # Without its protections a unit fails.
        with open(paths[-1], encoding="utf-8") as file:
            text = file.read()
        with open(paths[-1], "w", encoding="utf-8") as file:
            file.write(re.sub(r"^(Protect|Restrict|SystemCall|Capability|Private).*\n", "", text, flags=re.M))
        assert exposure(paths[-1]) * 10 > EXPOSURE_MAX


@once
def test_units_are_understood_and_start_what_is_installed(driver):
    del driver
    sandbox.check_systemd()
    with tempfile.TemporaryDirectory() as folder:
        prefix = os.path.join(folder, "usr/local")
        done = subprocess.run(["cmake", "--install", BUILD, "--prefix", prefix], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done
        installed = os.path.join(prefix, "share/screening/systemd")
        assert {os.path.basename(path) for path in glob.glob(installed + "/*")} == set(os.listdir(SYSTEMD))
        for path in with_units(folder):
            with open(path, encoding="utf-8") as file:
                text = file.read().replace("/usr/local", prefix).replace("postgresql.service", "").replace("network-online.target", "")
                text = text.replace("nats-server.service", "")
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
            name = re.search(r"(\w+)\.service$", path)[1]
            if path.endswith(BRIDGE_UNIT) and not os.path.exists(program(BRIDGE)):
                continue  # libnats-dev is not installed
            for used in re.findall(r"^[^#\n]*(%s\S+)" % re.escape(prefix), text, re.M):
                assert os.path.exists(used.replace("%i", name)), used
            done = analyze("verify", "--man=no", "--recursive-errors=no", path)
            assert done.returncode == 0 and "Unknown" not in done.stderr, done


def environment_of(name):
    with open(os.path.join(SYSTEMD, name + ".env"), encoding="utf-8") as file:
        return dict(re.findall(r"^(\w+)=(.*)$", file.read(), re.M))


@once
def test_units_name_settings_that_the_services_have_and_agree_on_addresses(driver):
    del driver
    listened, called = set(), set()
    programs = {name: name + "-svc" for name in INSTANCES} | ({BRIDGE: BRIDGE} if os.path.exists(program(BRIDGE)) else {})
    for name, file in programs.items():
        values = environment_of(name)
        done = subprocess.run([program(file), "--print-config"], capture_output=True, text=True, check=False,
                              env={**os.environ, **{key: value.replace("/run/screening/%s/gateway" % name, "/root/gateway")
                                                    for key, value in values.items()}})
        assert done.returncode == 0, done
        shown = dict(line.split("=", 1) for line in done.stdout.splitlines())
        for variable, value in values.items():
            setting = variable.removeprefix("SCREENING_").lower().replace("_", "-")
            assert setting in shown, variable
            addresses = listened if setting.endswith("-listen") else called
            addresses |= {value} if value.startswith("ipc:") else set()
        assert all(address.startswith("ipc:///run/screening/") for address in called)
    assert called <= listened, called - listened
    with open(sandbox.FRONT, encoding="utf-8") as file:
        assert "FRONT_GATEWAY=unix@" + environment_of("gateway")["SCREENING_HTTP_LISTEN"].removeprefix("unix:") in file.read()


@once
def test_units_show_a_service_its_own_keys_only(driver):
    del driver
    for path in (os.path.join(SYSTEMD, "screening@.service"), sandbox.WIRES):
        with open(path, encoding="utf-8") as file:
            text = file.read()
        assert "\nTemporaryFileSystem=/etc/screening/keys:ro\nBindReadOnlyPaths=-/etc/screening/keys/%i-svc\n" in text, path
    with open(os.path.join(SYSTEMD, BRIDGE_UNIT), encoding="utf-8") as file:
        assert "\nTemporaryFileSystem=/etc/screening/keys:ro\nBindReadOnlyPaths=-/etc/screening/keys/%s\n" % BRIDGE in file.read()
    # All secrets of the documented installation are in these folders.
    assert environment_of("history")["SCREENING_DATABASE"].endswith("passfile=/etc/screening/keys/history-svc/pgpass")
    with open(os.path.join(ROOT, "docs/operations.md"), encoding="utf-8") as file:
        steps = re.search(r"^install -d -m 700 /etc/screening/pki /etc/screening/keys\n.*?^chown", file.read(), re.M | re.S)[0]
    with made_pki() as (folder, pki):
        etc = folder + "/etc"
        os.mkdir(etc)
        with open(folder + "/history.pgpass", "w", encoding="ascii"):
            pass
        script = steps.rpartition("\n")[0].replace("/etc/screening", etc).replace("/root/screening-pki", pki)
        subprocess.run(["sh", "-ec", script], check=True, cwd=folder)
        for name in INSTANCES:
            assert os.path.exists(environment_of(name)["SCREENING_TOKEN_KEY"].replace("/etc/screening", etc)), name
            assert os.path.realpath("%s/pki/%s-svc/tls.pem" % (etc, name)) == os.path.realpath("%s/keys/%s-svc/tls.pem" % (etc, name))
        assert os.path.exists(environment_of(BRIDGE)["SCREENING_TOKEN_KEY"].replace("/etc/screening", etc))
        secrets = [os.path.join(at, file) for at, _, files in os.walk(etc) for file in files
                   if file in ("pgpass", "token.key.json") or file.endswith((".key", "tls.pem"))]
        assert len(secrets) == 4 * 5 + 1 + 1 and all(path.startswith(etc + "/keys/") for path in secrets), secrets


@once
def test_the_launcher_ends_a_program_that_makes_a_forbidden_call(driver):
    del driver
    sandbox.check_available()
    for words in (["nice", "-n", "5", "true"], ["unshare", "--user", "true"], ["python3", "-c", "import mmap; mmap.mmap(-1, 1, prot=7)"]):
        done = subprocess.run([*sandbox.words(sandbox.SERVICE, True), *words], capture_output=True, check=False)
        assert done.returncode == BAD_SYSTEM_CALL, (words, done)
    done = subprocess.run([*sandbox.words(sandbox.SERVICE, True), "true"], check=False)
    assert done.returncode == 0


def test_the_services_run_under_the_filters_of_their_units(driver):
    """SCREENING_SANDBOX=1 runs any other test so."""
    sandbox.check_available()
    with Stack(driver, gateway=True, tls=True, sandboxed=True) as stack:
        hospital_id = register(stack, capacity=3)
        kept, cancelled = book(stack, hospital_id), book(stack, hospital_id)
        assert stack.booking.CancelBooking(booking_id=cancelled.booking_id).code == rpc.OK
        wait_history(stack, kept.booking_id, CONFIRMED)
        wait_history(stack, cancelled.booking_id, CANCELLED)
        answer = stack.gateway.get("/bookings?hospitalId=%s&date=%s" % (hospital_id, day(1)))
        assert answer.code == 200, answer
        if driver == "postgresql":  # a lost connection is made again
            psql(stack.cluster_url, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '%s'" % stack.databases[0])
        book(stack, hospital_id)
        stack.booking_svc.restart()
        stack.wait_paired()
        assert stack.history_svc.run_once(rebuild="true").returncode == 0
        wait_agreement(stack)
        for service in stack.services.values():
            with open("/proc/%d/status" % service.process.pid, encoding="ascii") as status:
                assert re.search(r"^Seccomp:\s+2$", status.read(), re.M), service.name
