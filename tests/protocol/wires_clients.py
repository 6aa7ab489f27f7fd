"""Checks the clients of a wire door's port for clients: screenctl over tls+tcp."""
import os
import signal
import subprocess

from kit.marks import once
from kit.screenctl import check_error
from kit.stack import Stack, free_port, program, wait_for
from kit.wires import Pki, Wires, free_address
from kit.world import register


class Behind:
    """hospital-svc at a port of the loopback interface, behind a wire door for clients at `address`."""

    def __init__(self, driver, **more):
        to = "127.0.0.1:%d" % free_port()
        self.stack = Stack(driver, without=("booking", "history"), flags={"hospital": {"client-listen": "tcp://" + to}}, **more)
        self.pki = Pki(os.path.join(self.stack.folder, "pki"))
        self.address = free_address()
        self.door = Wires(self.pki, "hospital-svc", os.path.join(self.stack.folder, "door"), clients=self.address, to_clients=to)

    def __enter__(self):
        self.stack.__enter__()
        self.door.start()
        return self

    def __exit__(self, kind, *more):
        self.door.close(failed=kind is not None)
        self.stack.__exit__(kind, *more)

    def at(self, host):
        return "tls+tcp://%s:%s" % (host, self.address.rpartition(":")[2])

    def screenctl(self, *words):
        return subprocess.run([program("screenctl"), "--timeout", "20000", *words], capture_output=True, text=True, check=False,
                              env={**os.environ, "LC_ALL": "C.UTF-8"})


@once
def test_screenctl_calls_over_tls(driver):
    with Behind(driver) as behind:
        hospital_id = register(behind.stack)
        for host in ("localhost", "127.0.0.1"):
            done = behind.screenctl("--hospital", behind.at(host), "--tls-ca", behind.pki.clients.certificate, "hospital", "list")
            assert done.returncode == 0 and hospital_id in done.stdout, done
        done = subprocess.run([program("screenctl"), "hospital", "list"], capture_output=True, text=True, check=False, env={
            **os.environ, "SCREENING_HOSPITAL_ADDR": behind.at("localhost"), "SCREENING_TLS_CA": behind.pki.clients.certificate})
        assert done.returncode == 0 and hospital_id in done.stdout, done


@once
def test_screenctl_refuses_servers_that_it_has_no_reason_to_trust(driver):
    with Behind(driver) as behind:
        ca = behind.pki.clients.certificate

        def fails(*words, said, address=behind.at("localhost")):
            check_error(behind.screenctl("--timeout", "1000", "--hospital", address, *words, "hospital", "list"), 1, said)
        fails(said="--tls-ca: must be given, because %s uses TLS" % behind.at("localhost"))
        fails("--tls-ca", "/nowhere", said="--tls-ca /nowhere: No such file or directory")
        untrusted = "no TLS connection to hospital-svc"
        fails("--tls-ca", behind.pki.services.certificate, said=untrusted)  # another authority
        fails("--tls-ca", ca, said=untrusted, address="tls+tcp://" + behind.stack.hospital_svc.rpc[len("tcp://"):])  # no TLS
        both = "tcp://127.0.0.1:1," + behind.at("localhost")  # each part of a list counts
        fails(said="--tls-ca: must be given, because %s uses TLS" % both, address=both)
        fails("--tls-ca", "/nowhere", said="--tls-ca /nowhere: No such file or directory", address=both)
        # The certificate must be for the host as given, not for the number that is dialled.
        behind.pki.clients.issue(behind.pki.path("hospital-svc", "client-tls.pem"), "hospital-svc", "hospital-svc 127.0.0.1")
        behind.door.renew()
        fails("--tls-ca", ca, said=untrusted)
        fails("--tls-ca", ca, said=untrusted, address=both)
        # For an IP address, it must be for the service.
        done = behind.screenctl("--hospital", behind.at("127.0.0.1"), "--tls-ca", ca, "hospital", "list")
        assert done.returncode == 0, done
        behind.pki.clients.issue(behind.pki.path("hospital-svc", "client-tls.pem"), "booking-svc", "booking-svc")
        behind.door.renew()
        fails("--tls-ca", ca, said=untrusted)
        fails("--tls-ca", ca, said=untrusted, address=behind.at("127.0.0.1"))
        behind.pki.clients.issue(behind.pki.path("hospital-svc", "client-tls.pem"), "hospital-svc", "hospital-svc", days=-1)
        assert behind.door.run("--renew").returncode == 2


@once
def test_screenctl_connects_again_over_tls(driver):
    with Behind(driver, insecure=True) as behind:  # only services follow a log
        with subprocess.Popen([program("screenctl"), "--hospital", behind.at("localhost"), "--tls-ca", behind.pki.clients.certificate, "--json",
                               "events", "tail", "--log", "hospital", "--after", "hospital:0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as tail:
            try:
                first = register(behind.stack)
                assert first in tail.stdout.readline()
                behind.door.kill()
                second = register(behind.stack)
                behind.door.start()
                assert second in tail.stdout.readline()
                # While the service is away, the door completes the handshake of TLS and then closes the connection.
                before = behind.door.taken("clients")
                behind.stack.hospital_svc.kill()
                wait_for("screenctl has tried twice", lambda: behind.door.taken("clients") > before + 1)
                behind.stack.hospital_svc.start()
                third = register(behind.stack)
                assert third in tail.stdout.readline()
            finally:
                tail.send_signal(signal.SIGINT)
