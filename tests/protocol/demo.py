"""Tests ./demo: its output, its check of the ports, and its final table."""
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
from unittest import mock

from kit.marks import once
from kit.stack import DEADLINE_S, STUCK, free_port, wait_for

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "deploy/demo"))  # before the kit, which has a module of the same name
sys.dont_write_bytecode = True
import ports  # noqa: E402
import report  # noqa: E402
import stack  # noqa: E402
from problems import StackError  # noqa: E402


def demo(*words):
    return subprocess.run([os.path.join(ROOT, "demo"), *words], capture_output=True, text=True, timeout=DEADLINE_S, check=False)


@once
def test_demo_refuses_wrong_arguments(driver):
    del driver
    for words in (("--serve", "--base-port", "80"), ("--serve", "--base-port=70000"), ("--serve", "--base-port=x"),
                  ("--serve", "--base-port"), ("--serve", "--port", "1"), ("--base-port", "18000"), ("--clean", "x"), ("-x",)):
        done = demo(*words)
        assert done.returncode == 2 and done.stderr, (words, done)
    assert "--base-port" in demo("--help").stdout


@once
def test_demo_names_every_port_that_is_taken_and_its_holder(driver):
    del driver
    first = free_port()
    wanted = ports.from_base(first)
    assert sorted(wanted.values()) == list(range(first, first + len(wanted))) and wanted["front"] == first
    chosen = {name: free_port() for name in wanted}
    ports.check(chosen)
    with socket.socket() as one, socket.socket() as other:
        for sock, name in ((one, "booking"), (other, "booking ops")):
            sock.bind(("127.0.0.1", chosen[name]))
            sock.listen()
        try:
            ports.check(chosen)
        except StackError as problem:
            lines = str(problem).splitlines()
        assert len(lines) == 3 and "--base-port" in lines[2], lines
        for port, name in ((chosen["booking"], "booking-svc"), (chosen["booking ops"], "booking ops")):
            assert any("port %d (%s) " % (port, name) in line and "process %d" % os.getpid() in line for line in lines), lines


@once
def test_demo_starts_a_stuck_service_again(driver):
    del driver
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        fake = folder / "fake-svc"
        fake.write_text("#!/bin/sh\n[ -e once ] && exec sleep %d\ntouch once\nexit %d\n" % (2 * DEADLINE_S, STUCK), encoding="utf-8")
        fake.chmod(0o700)
        with mock.patch.multiple(stack, DEMO=folder, PIDS=folder / "pids", program=lambda _: fake):
            service = stack.Service("fake", {}, "")
            service.start()
            first = service.process
            wait_for("it is started again", lambda: service.process is not first)
            assert first.returncode == STUCK and service.running()
            assert service.stop() == "exit -15"  # the fake process does not drain


@once
def test_demo_table_fits_a_terminal(driver):
    del driver
    rows = [("1", "held", "manager registers a hospital and its screening days", "status CONFIRMED, remaining 2026-12-01 40, "
             "who 한빛종합건강검진센터 서울특별시 성동구 서울숲길 17, history " + "CONFIRMED, " * 9)]
    for columns in (80, 100, 120):
        lines = report.table(("", "", "what", "saw"), rows, (2, 4, report.NAME_MAX, columns - report.NAME_MAX - 12))
        assert max(map(report.width, lines)) <= columns, lines


@once
def test_demo_needs_no_package_that_only_tests_need(driver):
    """./demo installs fewer packages than ./test, and imports a part of the kit."""
    del driver
    blocked = "import sys; sys.modules.update(dict.fromkeys(('cryptography', 'seccomp', 'yaml', 'h2'))); "
    kit = "import kit.ids, kit.jwt, kit.rpc, kit.sse, kit.stack, kit.web"
    done = subprocess.run(["/usr/bin/python3", "-c", blocked + kit], capture_output=True, text=True, check=False,
                          env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
    assert done.returncode == 0, done


@once
def test_the_demo_of_the_containers_finds_all_of_its_modules(driver):
    """Its image has a part of the kit: what the Dockerfile copies."""
    del driver
    with open(os.path.join(ROOT, "deploy/docker/Dockerfile"), encoding="utf-8") as file:
        stage = file.read().partition(" AS demo\n")[2].partition("\nFROM ")[0]
    with tempfile.TemporaryDirectory() as folder:
        for line in stage.replace("\\\n", " ").splitlines():
            if line.startswith("COPY "):
                *sources, target = line.split()[1:]
                target = folder + target
                for source in (os.path.join(ROOT, one) for one in sources):
                    if os.path.isdir(source):
                        shutil.copytree(source, target)
                    else:
                        os.makedirs(target, exist_ok=True)
                        shutil.copy(source, target)
        done = subprocess.run(["/usr/bin/python3", "-I", folder + "/opt/screening/deploy/docker/demo", "nonsense"],
                              capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    assert done.returncode == 2 and "Runs the demo inside a stack of containers" in done.stderr, done
