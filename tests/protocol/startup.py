"""Tests start and readiness: a wrong configuration causes one clear line and exit code 2; a service waits for a missing
dependency."""
import os
import signal
import socket
import subprocess

from kit import rpc
from kit.marks import once
from kit.stack import CLUSTER_URL, DEADLINE_S, HTTP_FLAG, PROGRAMS, Stack, free_port, program, psql, wait_for
from kit.world import CONFIRMED, book, register, wait_history

ALL = PROGRAMS


def run(stack, name, *flags, environment=None):
    """Runs the program with these flags only, in the stack's folder."""
    return subprocess.run([program(name + "-svc"), *flags], capture_output=True, text=True, timeout=DEADLINE_S,
                          check=False, cwd=stack.folder, stdin=subprocess.DEVNULL,
                          env={**os.environ, **stack.services[name].environment, **(environment or {})})


def own_flags(stack, name, **more):
    flags = {**stack.services[name].flags, **{key.replace("_", "-"): value for key, value in more.items()}}
    return ["--%s=%s" % item for item in flags.items()]


def check_config_error(done, *words):
    assert done.returncode == 2, done
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1 and not lines[0].startswith("{"), done.stderr
    for word in words:
        assert word in lines[0], done.stderr


def no_services(driver="sqlite", **more):
    return Stack(driver, without=ALL, **more)


@once
def test_wrong_flags_are_one_line_and_exit_2(driver):
    with no_services(driver) as stack:
        for name in ALL:
            base = own_flags(stack, name)
            check_config_error(run(stack, name, *base, "--no-such-flag=1"), "no-such-flag")
            check_config_error(run(stack, name, *base, "--queue-max=0"), "queue-max")
            check_config_error(run(stack, name, *base, "--queue-max=many"), "queue-max")
            check_config_error(run(stack, name, *base, "--rpc-listen=nonsense"), "rpc-listen")
            check_config_error(run(stack, name, *base, "--log-level=loud"), "log-level")
            check_config_error(run(stack, name, *base, "--time-zone=Mars/Olympus"), "time-zone", "Mars/Olympus")
            check_config_error(run(stack, name, *base, "--database=mysql://x"), "database")
            check_config_error(run(stack, name, *base, "stray"), "stray")
            check_config_error(run(stack, name, *base, environment={"SCREENING_BATCH_MAX": "-1"}), "BATCH_MAX")
            assert stack.made_files() == []


@once
def test_where_gateways_call_is_private_or_exit_2(driver):
    """The listener for gateways trusts the addresses that its callers declare, so only gateways may reach it. A service that should
    listen at any other address ends with exit code 2."""
    with no_services(driver) as stack:
        for folder, mode in (("open", 0o755), ("grouped", 0o710)):
            os.mkdir(os.path.join(stack.folder, folder))
            os.chmod(os.path.join(stack.folder, folder), mode)
        for name in ALL:
            for address in ("tcp://0.0.0.0:7999", "tcp://*:7999", "tcp://localhost:7999", "tcp://[::]:7999", "ipc:///tmp/gateway",
                            "ipc://open/gateway", "ipc://grouped/gateway", "ipc://nowhere/gateway", "nonsense"):
                check_config_error(run(stack, name, *own_flags(stack, name, gateway_listen=address)), "gateway-listen")
                wrong = run(stack, name, *own_flags(stack, name), environment={"SCREENING_GATEWAY_LISTEN": address})
                check_config_error(wrong, "SCREENING_GATEWAY_LISTEN")
            for address in ("tcp://127.0.0.1:7999", "tcp://[::1]:7999", "ipc://gateway", "ipc://%s/gateway" % stack.folder, ""):
                shown = run(stack, name, *own_flags(stack, name, gateway_listen=address), "--print-config")
                assert shown.returncode == 0, shown
        assert stack.made_files() == ["grouped", "open"]


@once
def test_help_version_and_print_config(driver):
    with no_services(driver) as stack:
        for name in ALL:
            shown = run(stack, name, "--help")
            assert shown.returncode == 0 and "--rpc-listen" in shown.stdout and "SCREENING_RPC_LISTEN" in shown.stdout
            assert run(stack, name, "--version").stdout.startswith(name + "-svc ")
            secret = run(stack, name, "--database=postgresql://u:geheim@h/d", "--print-config")
            assert secret.returncode == 0 and "geheim" not in secret.stdout and "***" in secret.stdout
            by_environment = run(stack, name, "--database=postgresql://h/d", "--print-config",
                                 environment={"SCREENING_QUEUE_MAX": "77"})
            assert "77" in by_environment.stdout


@once
def test_a_port_taken_is_exit_2_and_creates_nothing(driver):
    with no_services(driver, insecure=True) as stack, socket.socket() as taken:  # at TCP addresses
        taken.bind(("127.0.0.1", 0))
        taken.listen(1)
        address = "tcp://127.0.0.1:%d" % taken.getsockname()[1]
        for name in ALL:
            check_config_error(run(stack, name, *own_flags(stack, name, rpc_listen=address)), "rpc-listen")
        for name in ("hospital", "booking"):
            check_config_error(run(stack, name, *own_flags(stack, name, events_listen=address)), "events-listen")
            assert not os.path.exists(os.path.join(stack.folder, name + ".db"))


@once
def test_a_database_that_can_never_be_opened_is_exit_2(driver):
    with no_services(driver, insecure=True) as stack:  # with a password in the URL
        for name in ("hospital", "booking"):
            done = run(stack, name, *own_flags(stack, name, database="sqlite:/no/such/folder/x.db"))
            check_config_error(done, "database", "/no/such/folder/x.db")
        nobody = CLUSTER_URL.replace("screening@", "nobody:geheim@")
        for name in ALL:
            done = run(stack, name, *own_flags(stack, name, database=nobody))
            check_config_error(done, "database")
            assert "geheim" not in done.stderr
            missing = CLUSTER_URL.replace("/postgres?", "/no_such_database?")
            check_config_error(run(stack, name, *own_flags(stack, name, database=missing)), "database")
        check_config_error(run(stack, "history", *own_flags(stack, "history", database="sqlite:h.db")), "database",
                           "postgresql")
        assert stack.made_files() == []  # no socket file either


def test_a_newer_schema_is_exit_2(driver):
    with Stack(driver) as stack:
        for name in ALL:
            stack.services[name].stop()
        for name in ("hospital", "booking"):
            stack.execute(name, "UPDATE schema_version SET version = 99")
        psql(stack.url("history"), "UPDATE history.schema_version SET version = 99")
        for name in ALL:
            check_config_error(run(stack, name, *own_flags(stack, name)), "newer")


@once
def test_postgresql_not_there_yet_is_waited_for(driver):
    del driver
    with no_services("postgresql") as stack:
        socket_folder, real_folder = os.path.join(stack.folder, "pg"), CLUSTER_URL.split("host=")[1].split("&")[0]
        for name in ALL:
            service = stack.services[name]
            service.flags["database"] = stack.url(name).replace(real_folder, socket_folder)
            service.spawn()
            client = wait_for("it is live", lambda: connected(service))
            assert client.Check().message.status == 2  # not ready
            method = {"hospital": "ListHospitals", "booking": "ListBookings", "history": "ListCustomerHistory"}[name]
            reply = client.call(method)
            assert (reply.code, reply.reason) == (rpc.UNAVAILABLE, "NOT_READY")
            client.close()
            wait_for("it says that it waits", lambda: waits(service))
        os.symlink(real_folder, socket_folder)  # from here on the file exists
        for name in ALL:
            stack.services[name].wait_ready()
            assert len(waits(stack.services[name])) == 1


def waits(service):
    return [line for line in service.log_lines() if line.get("event") == "database.waiting"]


def connected(service):
    try:
        return rpc.Client(service.rpc)
    except OSError:
        return None


@once
def test_sigterm_while_waiting_for_the_database_ends_with_0(driver):
    with no_services(driver) as stack:
        for name in ALL:
            service = stack.services[name]
            service.flags["database"] = "postgresql://screening@/postgres?host=" + stack.folder
            service.spawn()
            wait_for("it is live", lambda: connected(service)).close()
            service.stop()


@once
def test_sigterm_while_a_replay_waits_for_the_database_ends_with_1(driver):
    """Nothing was replayed. Exit code 1 makes the operator's script notice that."""
    with no_services(driver) as stack:
        for name in ALL:
            service = stack.services[name]
            service.flags["database"] = "postgresql://screening@/postgres?host=" + stack.folder
            service.spawn(replay_dead_letters="true")
            wait_for("it says that it waits", lambda: waits(service))
            service.kill(signal.SIGTERM)
            assert service.process.returncode == 1, service.log_tail()
            assert not [line for line in service.log_lines() if "dead letters" in line.get("line", "")]


def test_any_start_order_works(driver):
    with Stack(driver, without=ALL) as stack:
        for name in ("history", "booking", "hospital"):
            stack.services[name].start()
        booking = book(stack, register(stack))
        wait_history(stack, booking.booking_id, CONFIRMED)


def test_restart_keeps_everything(driver):
    with Stack(driver) as stack:
        hospital_id = register(stack)
        booking = book(stack, hospital_id)
        for name in ALL:
            stack.services[name].stop()
        for name in ALL:
            stack.services[name].start()
        assert stack.booking.GetBooking(booking_id=booking.booking_id).message == booking
        again = book(stack, hospital_id)
        wait_history(stack, again.booking_id, CONFIRMED)


@once
def test_logs_contain_no_personal_data(driver):
    with Stack(driver, flags={name: {"log-level": "debug"} for name in ALL}) as stack:
        hospital_id = register(stack, name="비밀병원")
        booking = book(stack, hospital_id, customer_name="홍길동비밀", customer_id="secret-customer")
        stack.booking.CancelBooking(booking_id=booking.booking_id, reason="비밀사유")
        stack.booking.CreateBooking(customer_name="홍길동비밀", customer_id="secret-customer", booking_id="x")
        wait_history(stack, booking.booking_id, 4)
        for name in ALL:
            stack.services[name].stop()
            with open(stack.services[name].log_path, encoding="utf-8") as log:
                text = log.read()
            for secret in ("홍길동", "secret-customer", "비밀"):
                assert secret not in text, (name, secret)
            lines = stack.services[name].log_lines()
            assert lines and all("event" in line and "ts" in line for line in lines), lines[:2]
        mine = [line for line in stack.booking_svc.log_lines() if line.get("booking_id") == booking.booking_id]
        assert mine and all("request_id" in line for line in mine)


@once
def test_gateway_a_port_taken_is_one_line_and_exit_2(driver):
    with Stack(driver, without=(*ALL, "gateway"), gateway=True) as stack, socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = "127.0.0.1:%d" % taken.getsockname()[1]
        check_config_error(run(stack, "gateway", *own_flags(stack, "gateway", **{HTTP_FLAG: address})), HTTP_FLAG, address)
        check_config_error(run(stack, "gateway", *own_flags(stack, "gateway", ops_listen=address)), "ops-listen", address)
        assert not os.path.exists(stack.gateway_svc.path)


@once
def test_gateway_says_ready_when_it_is(driver):
    with Stack(driver, without=("booking", "history"), gateway=True) as stack:
        def logged(event):
            return [line for line in stack.gateway_svc.log_lines() if line.get("event") == event]
        waiting = wait_for("the gateway says that it waits", lambda: logged("service.waiting"))
        assert "booking-svc" in waiting[0]["why"] or "logs" in waiting[0]["why"], waiting
        assert not logged("service.ready")
        stack.booking_svc.start()
        wait_for("the gateway says that it is ready", lambda: logged("service.ready"))
        assert len(logged("service.ready")) == 1


@once
def test_an_address_that_others_reach_logs_a_warning(driver):
    port = free_port()
    with Stack(driver, flags={"hospital": {"rpc-listen": "tcp://0.0.0.0:%d" % port}}, without=("booking", "history"),
               insecure=True) as stack:
        warned = [line for line in stack.hospital_svc.log_lines() if line.get("event") == "service.open_to_others"]
        assert [line["address"] for line in warned] == ["tcp://0.0.0.0:%d" % port], warned


@once
def test_nothing_starts_open_unless_it_is_told_to(driver):
    """Without issuers, and at addresses that other machines reach, a program starts only with --insecure."""
    with Stack(driver, without=("hospital", "booking", "history", "gateway"), gateway=True) as stack:
        for name, service in stack.services.items():
            def refused(word, **more):
                done = service.run_once(**more)  # noqa: B023
                check_config_error(done, "%s-svc: %s: " % (service.name, word))  # noqa: B023
            refused("issuers", issuers="")
            open_port = "0.0.0.0:%d" % free_port()
            refused("ops-listen", ops_listen=open_port)
            for callee in {"hospital": ("booking",), "booking": ("hospital",), "gateway": PROGRAMS}.get(name, ("hospital", "booking")):
                refused(callee + "-rpc", **{callee + "_rpc": "tcp://192.0.2.1:7201"})  # a token would be sent in clear
                if callee != "history":
                    refused(callee + "-events", **{callee + "_events": "tcp://127.0.0.1:7202"})  # anybody could send events
            if name == "gateway":
                refused(HTTP_FLAG, http_listen=open_port)
                continue
            refused("rpc-listen", rpc_listen="tcp://" + open_port)
            refused("client-listen", client_listen="tcp://" + open_port)
            refused("client-listen", client_listen="ipc:///tmp/screening.test")
            if name != "history":
                refused("events-listen", events_listen="tcp://" + open_port)
                refused("events-listen", events_listen="tcp://127.0.0.1:%d" % free_port())


@once
def test_an_insecure_service_says_so(driver):
    with Stack(driver, without=("history",)) as stack:
        def insecure(service):
            return sum(line.get("event") == "security.insecure" for line in service.log_lines())
        assert stack.stat("hospital", "security_insecure") == 0 and insecure(stack.hospital_svc) == 0
        stack.hospital_svc.restart(insecure="true", issuers="", ops_listen="0.0.0.0:%d" % free_port())
        client = rpc.Client(stack.hospital_svc.rpc)
        stats = {stat.name: stat.value for stat in client.Stats().message.stats}
        client.close()
        assert stats["security_insecure"] == 1
        wait_for("the warning", lambda: insecure(stack.hospital_svc) == 1)
