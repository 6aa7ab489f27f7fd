"""Checks the wire doors: who gets through to which socket of a service, in both directions."""
import contextlib
import os
import socket
import ssl
import time

from cryptography.x509.oid import ExtendedKeyUsageOID
from grpc.health.v1 import health_pb2

from kit import rpc, sp
from kit.dns import Names
from kit.marks import once
from kit.pki import done, made_pki
from kit.stack import DEADLINE_S, wait_for
from kit.wires import GREETING, Authority, Made, Pki, Wires, connect, dials_in_vain, folder_with_pki, free_address


class Played:
    """A service with its sockets for calls, for the gateway, for events and for clients, and its wire door. `calls` has the kinds of
    sockets in the order in which calls arrived."""

    def __init__(self, folder, pki, **settings):
        self.folder, self.pki, self.calls = folder, pki, []
        self.clients = free_address()
        sockets = {kind: os.path.join(folder, kind) for kind in ("rpc", "gateway")}
        self.servers = [rpc.FakeService("ipc://" + path, self._handler(kind)) for kind, path in sockets.items()]
        self.servers.append(rpc.FakeService("tcp://" + self.clients, self._handler("clients")))
        self.events = rpc.FakePublisher("ipc://%s/events" % folder, "booking")
        self.settings = {"rpc": free_address(), "events": free_address(), "clients": free_address(), "to_rpc": sockets["rpc"],
                         "to_gateway": sockets["gateway"], "to_events": os.path.join(folder, "events"), "to_clients": self.clients,
                         **settings}
        self.door = Wires(pki, "booking-svc", os.path.join(folder, "door"), **self.settings)

    def _handler(self, kind):
        def answer(name, request):
            del name, request
            self.calls.append(kind)
            return health_pb2.HealthCheckResponse(status=1)
        return answer

    def __enter__(self):
        self.door.start()
        return self

    def __exit__(self, kind, *_):
        self.door.close(failed=kind is not None)
        for server in self.servers:
            server.close()
        self.events.close()

    def caller(self, service, name="caller", **settings):
        """Returns the wire door of a service that calls and follows this one."""
        return Wires(self.pki, service, os.path.join(self.folder, name),
                     **{"booking_rpc": self.settings["rpc"], "booking_events": self.settings["events"], **settings})


def check_call(address):
    client = rpc.Client(address, timeout=DEADLINE_S)
    try:
        assert client.Check().message.status == 1
    finally:
        client.close()


def is_refused(address, context, source=""):
    """Returns whether the door closes a connection of this client before the service has said anything."""
    try:
        with connect(address, context, source=source) as sock:
            sock.sendall(GREETING)
            return sock.recv(1) == b""
    except (ssl.SSLError, ConnectionError):
        return True


# ---- who gets through

@once
def test_wires_pass_a_call_to_the_socket_for_its_caller(driver):
    del driver
    with folder_with_pki() as (folder, pki), Played(folder, pki) as played:
        for service, socket_kind in (("hospital-svc", "rpc"), ("history-svc", "rpc"), ("gateway-svc", "gateway"), ("booking-svc", "rpc")):
            with played.caller(service, "to-" + socket_kind + service) as door:
                check_call(door.socket("booking.rpc"))
                assert played.calls == [socket_kind], (service, played.calls)
                played.calls.clear()
                before = played.events.subscribers()
                sp.Pipe.dial(door.socket("booking.events"), sp.SUB, sp.PUB).close()
                wait_for("the subscriber has come", lambda: played.events.subscribers() == before + 1)


@once
def test_wires_pass_a_clients_call_without_a_certificate(driver):
    del driver
    with folder_with_pki() as (folder, pki), Played(folder, pki) as played:
        client = rpc.Client("tcp://" + played.settings["clients"], DEADLINE_S, tls=pki.context(authority=pki.clients))
        assert client.Check().message.status == 1
        client.close()
        assert played.calls == ["clients"]


@once
def test_wires_refuse_whoever_is_no_service(driver):
    del driver
    with folder_with_pki() as (folder, pki), Played(folder, pki) as played:
        def made_by(authority, name, **more):
            authority.issue(folder + "/odd.pem", name, name, **more)
            context = pki.context()
            context.load_cert_chain(folder + "/odd.pem")
            return context
        client = pki.context()
        client.load_cert_chain(pki.path("hospital-svc", "client-tls.pem"))
        refused = {
            "no certificate": pki.context(),
            "the clients' authority": client,
            "another authority": made_by(Authority(folder, "services-ca"), "hospital-svc"),
            "an expired certificate": made_by(pki.services, "hospital-svc", days=-1),
            "a certificate for servers": made_by(pki.services, "hospital-svc", usage=(ExtendedKeyUsageOID.SERVER_AUTH,)),
            "an unknown service": made_by(pki.services, "hospital-svc.example"),
        }
        for what, context in refused.items():
            for kind in ("rpc", "events"):
                assert is_refused(played.settings[kind], context), (what, kind)
        assert not is_refused(played.settings["rpc"], pki.context("hospital-svc"))
        wait_for("the last one has come", lambda: played.servers[0].listener.connections())
        assert len(played.servers[0].listener.connections()) == 1 and played.events.subscribers() == 0


@once
def test_wires_pass_only_the_callers_that_are_configured(driver):
    del driver
    with folder_with_pki() as (folder, pki), Played(folder, pki, callers="history-svc gateway-svc") as played:
        for kind in ("rpc", "events"):
            assert is_refused(played.settings[kind], pki.context("hospital-svc"))
        assert not is_refused(played.settings["rpc"], pki.context("history-svc"))


@once
def test_wires_refuse_old_versions_of_tls_and_cleartext(driver):
    del driver
    with folder_with_pki() as (folder, pki), Played(folder, pki) as played:
        for kind in ("rpc", "events", "clients"):
            for version, passes in ((ssl.TLSVersion.TLSv1_1, False), (ssl.TLSVersion.TLSv1_2, True), (ssl.TLSVersion.TLSv1_3, True)):
                context = pki.context("hospital-svc", pki.clients if kind == "clients" else None)
                context.set_ciphers("ALL:@SECLEVEL=0")
                context.minimum_version = context.maximum_version = version
                if passes:
                    with connect(played.settings[kind], context) as sock:
                        assert sock.version() == version.name.replace("_", "."), (kind, version)
                else:
                    assert is_refused(played.settings[kind], context), (kind, version)
            host, port = played.settings[kind].split(":")
            with socket.create_connection((host, int(port)), timeout=DEADLINE_S) as plain:
                plain.sendall(GREETING)
                assert b"SP" not in plain.recv(100)


@once
def test_wires_resume_no_session(driver):
    # A resumed session is not checked against the list of revoked certificates.
    del driver
    with folder_with_pki() as (folder, pki), Played(folder, pki) as played:
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = pki.context("hospital-svc")
            context.minimum_version = context.maximum_version = version
            with connect(played.settings["rpc"], context) as first:
                sp.Pipe(first, "ipc", sp.REQ, sp.REP)  # after its answer the client has the session's ticket
                session = first.session
            host, port = played.settings["rpc"].split(":")
            plain = socket.create_connection((host, int(port)), timeout=DEADLINE_S)
            with context.wrap_socket(plain, server_hostname="localhost", session=session) as second:
                sp.Pipe(second, "ipc", sp.REQ, sp.REP)
                assert not second.session_reused


@once
def test_wires_refuse_revoked_certificates(driver):
    del driver
    with folder_with_pki() as (folder, pki):
        pki.services.revoke()
        with Played(folder, pki) as played:
            assert not is_refused(played.settings["rpc"], pki.context("hospital-svc"))
            pki.services.revoke(pki.path("hospital-svc", "tls.pem"))
            # HAProxy cannot replace the list while it runs.
            done = played.door.run("--renew")
            assert done.returncode == 2 and "services-ca.crl has changed: restart the wire door" in done.stderr, done
            played.door.close()
            played.door.start()
            for kind in ("rpc", "events"):
                assert is_refused(played.settings[kind], pki.context("hospital-svc"))
            assert not is_refused(played.settings["rpc"], pki.context("history-svc"))
            # The callers' doors have the same list.
            pki.services.revoke(pki.path("booking-svc", "tls.pem"))
            with played.caller("history-svc") as door:
                assert dials_in_vain(door.socket("booking.rpc"))


@once
def test_wires_take_a_list_that_was_signed_again(driver):
    del driver
    with folder_with_pki() as (folder, pki):
        pki.services.revoke(pki.path("hospital-svc", "tls.pem"), lasts_s=10)
        ends_at = time.monotonic() + 10
        with Played(folder, pki) as played, played.caller("history-svc") as door:
            client = rpc.Client(door.socket("booking.rpc"), timeout=DEADLINE_S)
            assert client.Check().message.status == 1
            pki.services.revoke()
            for one in ("booking-svc", "history-svc"):
                pki.renew(one)
            for one in (played.door, door):
                one.renew()
            played.door.renew()  # nothing has changed
            assert client.Check().message.status == 1 and played.calls == ["rpc"] * 2
            client.close()
            wait_for("the first list has ended", lambda: time.monotonic() > ends_at + 1)
            check_call(door.socket("booking.rpc"))
            assert is_refused(played.settings["rpc"], pki.context("hospital-svc"))
            # Another authority of the same name cannot sign it.
            with open(pki.services.crl, "rb") as file:
                kept = file.read()
            Authority(folder, "services-ca").revoke()
            os.replace(os.path.join(folder, "services-ca.crl"), pki.services.crl)
            again = played.door.run("--renew")
            assert again.returncode == 2 and "services-ca.crl: " in again.stderr, again
            with open(pki.services.crl, "wb") as file:
                file.write(kept)
            played.door.renew()


@once
def test_wires_repeat_a_reload_that_failed(driver):
    del driver
    with folder_with_pki() as (folder, pki):
        pki.services.revoke()
        with Played(folder, pki) as played:
            door, mark = played.door, played.door.path("reload")
            admin = door.path("admin")
            before = door.workers()
            pki.services.revoke()
            # HAProxy cannot be asked while a socket without a listener has this name.
            os.rename(admin, admin + ".kept")
            with socket.socket(socket.AF_UNIX) as nobody:
                nobody.bind(admin)
            failed = door.run("--renew")
            assert failed.returncode == 2 and "HAProxy does not answer" in failed.stderr, failed
            assert os.path.exists(mark) and door.workers() == before
            os.rename(admin + ".kept", admin)
            door.renew()
            wait_for("only the new process runs", lambda: door.workers() and not set(door.workers()) & set(before))
            assert not os.path.exists(mark)
            # Nothing is due any more, and a start does what a reload would do.
            before = door.workers()
            door.renew()
            assert door.workers() == before
            door.close()
            with open(mark, "wb"):
                pass
            door.start()
            assert not os.path.exists(mark)


@once
def test_wires_refuse_what_screenctl_revokes(driver):
    del driver
    with made_pki() as (folder, path), contextlib.ExitStack() as stack:
        pki = Made(path)
        played = stack.enter_context(Played(folder, pki))
        stolen = pki.context("hospital-svc")
        assert not is_refused(played.settings["rpc"], stolen)
        done("pki", "revoke", path, "hospital-svc")
        done("pki", "renew", path, "--service", "hospital-svc")
        played.door.close()
        played.door.start()
        assert is_refused(played.settings["rpc"], stolen)
        assert not is_refused(played.settings["rpc"], pki.context("hospital-svc"))
        # A door that could connect nowhere does not start: its own certificate is revoked, or the list has ended.
        done("pki", "revoke", path, "booking-svc")
        check = played.door.run("--check")
        assert check.returncode == 2 and "services-ca.crl: certificate revoked" in check.stderr, check
        done("pki", "renew", path)
        assert played.door.run("--check").returncode == 0
        pki.expire_list()
        check = played.door.run("--check")
        assert check.returncode == 2 and "services-ca.crl: CRL has expired" in check.stderr, check


@once
def test_wires_connect_only_to_the_service_that_they_look_for(driver):
    del driver
    with folder_with_pki() as (folder, pki):
        other = Pki(os.path.join(folder, "other"))
        with Played(folder, pki) as played:
            # At the address of hospital-svc answers booking-svc, and its certificate is valid.
            with played.caller("history-svc", "wrong-name", hospital_rpc=played.settings["rpc"], hospital_events=played.settings["events"],
                               booking_rpc=played.clients) as door:
                for name in ("hospital.rpc", "hospital.events"):
                    assert dials_in_vain(door.socket(name)), name
                assert dials_in_vain(door.socket("booking.rpc"))  # this address speaks no TLS
                assert not dials_in_vain(door.socket("booking.events"))
            with Wires(other, "history-svc", os.path.join(folder, "foreign"), booking_rpc=played.settings["rpc"]) as door:
                assert dials_in_vain(door.socket("booking.rpc"))
        assert played.calls == []


# ---- connections

@once
def test_wires_keep_silent_connections_and_end_unfinished_handshakes(driver):
    del driver
    with folder_with_pki() as (folder, pki), Played(folder, pki, handshake_timeout="1s") as played:
        with played.caller("hospital-svc", handshake_timeout="1s") as door:
            client = rpc.Client(door.socket("booking.rpc"), timeout=DEADLINE_S)
            client.Check()
            host, port = played.settings["rpc"].split(":")
            with socket.create_connection((host, int(port)), timeout=DEADLINE_S) as silent:
                assert silent.recv(1) == b""
            time.sleep(2)  # longer than the time for a handshake, on both sides
            assert client.Check().message.status == 1
            client.close()


@once
def test_wires_notice_a_machine_that_has_vanished(driver):
    del driver
    with folder_with_pki() as (folder, pki), Played(folder, pki) as played, played.caller("hospital-svc") as door:
        client = rpc.Client(door.socket("booking.rpc"), timeout=DEADLINE_S)
        client.Check()
        port = ":%04X" % int(played.settings["rpc"].split(":")[1])

        def keeps_alive(column):
            with open("/proc/net/tcp", encoding="ascii") as table:
                rows = [line.split() for line in table if "0100007F" + port == line.split()[column] and line.split()[3] == "01"]
            # The timer is that of keepalive, and expires within 60 s.
            return rows and all(row[5].startswith("02:") and int(row[5][3:], 16) <= 60 * os.sysconf("SC_CLK_TCK") for row in rows)
        wait_for("the server's side has a timer", lambda: keeps_alive(1))
        wait_for("the client's side has a timer", lambda: keeps_alive(2))
        client.close()


@once
def test_wires_bound_the_connections_of_an_address(driver):
    del driver
    with folder_with_pki() as (folder, pki), Played(folder, pki, address_connections=2) as played:
        context = pki.context("hospital-svc")
        with connect(played.settings["rpc"], context), connect(played.settings["events"], context):
            assert is_refused(played.settings["rpc"], context)
            assert not is_refused(played.settings["rpc"], context, source="127.0.0.2")
        wait_for("their places are free", lambda: not is_refused(played.settings["rpc"], context))


@once
def test_wires_bound_the_new_connections_of_an_address_in_a_second(driver):
    del driver
    with folder_with_pki() as (folder, pki), Played(folder, pki, address_rate=3) as played:
        context = pki.context("hospital-svc")
        assert any(is_refused(played.settings["rpc"], context) for _ in range(30))
        assert not is_refused(played.settings["rpc"], context, source="127.0.0.2")


@once
def test_wires_lower_the_bound_of_connections_to_the_descriptors(driver):
    del driver
    with folder_with_pki() as (folder, pki), Played(folder, pki, connections=1000) as played:
        played.door.close()
        played.door.files = 300
        with played.door:
            assert '"wires.connections_lowered","wanted":1000,"allowed":50' in played.door.log()
            assert not is_refused(played.settings["rpc"], pki.context("hospital-svc"))


@once
def test_wires_log_connections_without_what_they_carry(driver):
    del driver
    with folder_with_pki() as (folder, pki), Played(folder, pki) as played:
        host, port = played.settings["rpc"].split(":")
        socket.create_connection((host, int(port)), timeout=DEADLINE_S).close()  # leaves no line
        assert is_refused(played.settings["rpc"], pki.context())
        with played.caller("hospital-svc") as door:
            check_call(door.socket("booking.rpc"))
        wait_for("both are logged", lambda: '"wires.connection"' in played.door.log() and "_failed" in played.door.log())
        log = played.door.log()
        assert '"door":"rpc","client":"127.0.0.1","peer":"hospital-svc","tls":"TLSv1.3"' in log, log
        assert "peer did not return a certificate" in log and log.count('"event"') == 2, log


@once
def test_wires_keep_their_files_to_themselves(driver):
    del driver
    with folder_with_pki() as (folder, pki), Played(folder, pki) as played, played.caller("hospital-svc") as door:
        for one in (played.door, door):
            assert os.stat(one.folder).st_mode & 0o777 == 0o700
            for name in os.listdir(one.folder):
                assert os.stat(one.path(name)).st_mode & 0o077 == 0, name
        assert sorted(os.listdir(door.folder)) == ["admin", "booking.events", "booking.rpc", "service.pem", "services-ca.pem"]


@once
def test_wires_keep_places_for_services_from_clients(driver):
    del driver
    with folder_with_pki() as (folder, pki), contextlib.ExitStack() as stack:
        played = stack.enter_context(Played(folder, pki, connections=12, client_connections=5))
        anybody = ssl.create_default_context(cafile=pki.clients.certificate)
        held = [stack.enter_context(connect(played.settings["clients"], anybody)) for _ in range(5)]
        # The sixth waits to be accepted, and a service does not.
        host, port = played.settings["clients"].split(":")
        sixth = stack.enter_context(socket.create_connection((host, int(port)), timeout=DEADLINE_S))
        assert not is_refused(played.settings["rpc"], pki.context("hospital-svc"))
        assert played.door.taken("clients") == 5
        held[0].close()
        anybody.wrap_socket(sixth, server_hostname="localhost").close()
        check = Wires(pki, "booking-svc", os.path.join(folder, "check"), **{**played.settings, "client_connections": 12}).run("--check")
        assert check.returncode == 2 and "WIRES_CLIENT_CONNECTIONS=12: must be less than WIRES_CONNECTIONS=12" in check.stderr, check


@once
def test_wires_start_without_a_name_and_resolve_it_later(driver):
    del driver
    with folder_with_pki() as (folder, pki), Played(folder, pki) as played, contextlib.closing(Names()) as names:
        port = played.settings["rpc"].split(":")[1]
        with played.caller("history-svc", booking_rpc="booking.invalid:" + port, hospital_rpc="127.0.0.1:" + port,
                           resolver=names.address) as door:
            assert '"event":"wires.name_unknown","name":"booking.invalid"' in door.log()
            assert dials_in_vain(door.socket("booking.rpc"))
            names.addresses = ["127.0.0.1"]
            wait_for("the door connects", lambda: not dials_in_vain(door.socket("booking.rpc")))
        # Without a setting, it asks the servers of /etc/resolv.conf.
        with played.caller("history-svc", "other", booking_rpc="booking.invalid:" + port) as door:
            assert dials_in_vain(door.socket("booking.rpc"))
