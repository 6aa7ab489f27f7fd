"""Tests the front door in front of a played gateway: protocols, requests that it refuses or passes on, its log, reload and stop."""
import json
import os
import shutil
import socket
import ssl
import stat
import subprocess
import tempfile
import time

from kit.front import PROGRAM, Front, PlayedGateway
from kit.marks import once
from kit.raw_http import Connection, head, request
from kit.sse import Listener
from kit.stack import DEADLINE_S, free_port, wait_for
from kit.web import Client

JSON = "Content-Type: application/json"
LATE_S = 20  # far more than a busy machine delays anything


def curl(*words):
    """Returns the version of HTTP and the code of the answer."""
    done = subprocess.run(["curl", "-sS", "-o", "/dev/null", "-w", "%{http_version} %{http_code}", "--max-time", str(DEADLINE_S),
                           *words], capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else "exit %d" % done.returncode


def problem_of(connection, code):
    """Receives an answer, checks that it is a problem document with this code, and returns it."""
    reply = connection.reply()
    assert reply is not None and reply.code == code, (code, reply)
    assert reply.fields["content-type"] == "application/problem+json" and reply.fields["cache-control"] == "no-store", reply
    problem = json.loads(reply.body)
    assert problem["status"] == code and problem["title"] and problem["detail"] and problem["type"] == "about:blank", problem
    assert reply.body.endswith(b"}\n"), reply
    return reply


# ---- protocols

@once
def test_front_speaks_http1_and_http2_in_cleartext_and_over_tls(driver):
    del driver
    with PlayedGateway() as gateway, Front(gateway.address) as front:
        trusted = ("--cacert", front.run_folder + "/certificate.pem")
        port = front.tls.rpartition(":")[2]
        for said, words in (("1.1 200", ("http://%s/" % front.http,)), ("2 200", ("--http2-prior-knowledge", "http://%s/" % front.http)),
                            ("1.1 200", (*trusted, "--http1.1", "https://%s/" % front.tls)),
                            ("2 200", (*trusted, "--http2", "https://%s/" % front.tls)),
                            ("2 200", (*trusted, "https://localhost:%s/" % port))):
            assert curl(*words) == said, words
        assert [one.fields["x-forwarded-proto"] for one in gateway.requests] == ["http"] * 2 + ["https"] * 3
        assert curl("https://%s/" % front.tls) == "exit 60"  # nobody has signed it


@once
def test_front_refuses_tls_before_1_2(driver):
    del driver
    with PlayedGateway() as gateway, Front(gateway.address) as front:
        host, port = front.tls.split(":")
        for version, works in ((ssl.TLSVersion.TLSv1_1, False), (ssl.TLSVersion.TLSv1_2, True), (ssl.TLSVersion.TLSv1_3, True)):
            context = ssl._create_unverified_context()  # pylint: disable=protected-access
            context.set_ciphers("ALL:@SECLEVEL=0")
            context.minimum_version = context.maximum_version = version
            try:
                with socket.create_connection((host, int(port)), DEADLINE_S) as sock, context.wrap_socket(sock) as secure:
                    assert works and secure.version(), version
            except ssl.SSLError as refusal:
                assert not works and "ALERT_PROTOCOL_VERSION" in str(refusal), (version, refusal)


@once
def test_front_keeps_its_key_and_its_sockets_to_itself(driver):
    del driver
    with PlayedGateway() as gateway, Front(gateway.address) as front:
        assert stat.S_IMODE(os.stat(front.run_folder).st_mode) == 0o700
        names = sorted(os.listdir(front.run_folder))
        assert names == ["admin", "certificate.pem", "peers"], names
        for name in names:
            assert stat.S_IMODE(os.stat(os.path.join(front.run_folder, name)).st_mode) == 0o600, name


@once
def test_front_listens_without_tls_if_told_so(driver):
    del driver
    with PlayedGateway() as gateway, Front(gateway.address, tls="off") as front:
        assert curl("http://%s/" % front.http) == "1.1 200"
        assert "certificate.pem" not in os.listdir(front.run_folder)


@once
def test_front_does_not_send_the_first_request_of_a_client_on_a_used_connection(driver):
    """If clients shared a connection to the gateway, as is possible with HTTP/2, one that reads slowly could hold up the others."""
    del driver
    with PlayedGateway() as gateway, Front(gateway.address) as front:
        for _ in range(3):
            client = Client(front.http)
            assert [client.get("/").code for _ in range(2)] == [200, 200]
            client.close()
        firsts = [one.connection for one in gateway.requests[::2]]
        assert firsts == sorted(set(firsts)) and len(gateway.requests) == 6, gateway.requests


# ---- what is passed on

@once
def test_front_names_the_client_and_believes_nobody_who_does(driver):
    del driver
    with PlayedGateway() as gateway, Front(gateway.address) as front:
        client = Client(front.http, source="127.0.0.3")
        said = {"X-Forwarded-For": "6.6.6.6", "Forwarded": "for=6.6.6.6", "X-Forwarded-Proto": "https"}
        assert client.get("/hospitals", headers=said).code == 200
        client.close()
        fields = gateway.requests[0].fields
        assert fields["x-forwarded-for"] == "127.0.0.3" and fields["x-forwarded-proto"] == "http" and "forwarded" not in fields, fields
        with Connection(front.http) as connection:
            connection.send(head("GET", "/", "X-Forwarded-For: 6.6.6.6", "X-Forwarded-For: 7.7.7.7"))
            assert connection.reply().code == 200
        assert gateway.requests[1].fields["x-forwarded-for"] == "127.0.0.1"


@once
def test_front_passes_on_the_path_of_an_absolute_form(driver):
    del driver
    with PlayedGateway() as gateway, Front(gateway.address) as front, Connection(front.http) as connection:
        for target, code in (("http://test/hospitals?a=b", 200), ("http://other/hospitals", 400)):
            connection.send(("GET %s HTTP/1.1\r\nHost: test\r\n\r\n" % target).encode())
            assert connection.reply().code == code
        assert [one.line for one in gateway.requests] == ["GET /hospitals?a=b HTTP/1.1"]


@once
def test_front_waits_for_the_body_before_it_troubles_the_gateway(driver):
    del driver
    with PlayedGateway() as gateway, Front(gateway.address, request_timeout="1s") as front:
        with Connection(front.http) as whole:
            whole.send(request("POST", "/bookings", b"{}", JSON))
            assert whole.reply().code == 200 and gateway.requests.pop().body == [b"{}"]
        chunked = head("POST", "/bookings", JSON, "Transfer-Encoding: chunked") + b"5\r\nab"
        for unfinished in (head("POST", "/bookings", JSON, "Content-Length: 3") + b"ab", chunked):
            with Connection(front.http) as connection:
                connection.send(unfinished)
                problem_of(connection, 408)
                assert gateway.requests == []
        # a stream of gRPC may send its messages later
        with Connection(front.http) as stream:
            stream.send(head("POST", "/grpc.health.v1.Health/Watch", "Content-Type: application/grpc+proto", "Content-Length: 3") + b"ab")
            wait_for("the gateway has the head", lambda: gateway.requests)
            assert not stream.unread


@once
def test_front_ends_clients_whose_head_does_not_come_in_time(driver):
    del driver
    with PlayedGateway() as gateway, Front(gateway.address, request_timeout="1s") as front:
        for trickled in (b"", b"GET / HTTP/1.1\r\nHost: t\r\nX: " + b"x" * 100000):
            begun = time.monotonic()
            with Connection(front.http) as connection:
                connection.trickle(trickled, 0.05, until=lambda: time.monotonic() - begun > LATE_S)
                connection.rest()
                assert 1 <= time.monotonic() - begun < LATE_S, trickled[:40]
        assert gateway.requests == []


@once
def test_front_keeps_an_idle_connection_longer_than_it_waits_for_a_head(driver):
    del driver
    with PlayedGateway() as gateway, Front(gateway.address, request_timeout="1s") as front, Connection(front.http) as connection:
        for _ in range(2):
            connection.send(request("GET", "/hospitals"))
            assert connection.reply().code == 200
            assert connection.silent_for(2)


@once
def test_front_tells_the_gateway_at_once_that_a_listener_has_gone(driver):
    del driver
    with PlayedGateway() as gateway, Front(gateway.address) as front:
        for number, leave in enumerate((lambda one: one.sock.close(), lambda one: one.sock.shutdown(socket.SHUT_WR)), 1):
            listener = Listener(front.http, customerId="c")
            leave(listener)
            wait_for("the gateway has noticed", lambda number=number: gateway.ended_streams == number, deadline_s=LATE_S)


@once
def test_front_holds_no_event_back(driver):
    """Without `option http-no-delay`, the kernel would hold each event back for 200 ms."""
    del driver
    with PlayedGateway() as gateway, Front(gateway.address) as front:
        listener, waits = Listener(front.http, customerId="c"), []
        for number in range(10):
            time.sleep(0.05)
            begun = time.monotonic()
            gateway.tell(b"%d" % number)
            assert listener.next().data == number
            waits.append(time.monotonic() - begun)
        assert min(waits) < 0.1, waits
        listener.close()


# ---- refusals

@once
def test_front_refuses_lengths_that_nobody_needs_and_executes_nothing_behind_them(driver):
    del driver
    with PlayedGateway() as gateway, Front(gateway.address, request_timeout="1s") as front:
        hidden = request("DELETE", "/hidden", b"", "Connection: close")
        for length in ("18446744073709551616", "18446744073709551618", "9999999999999999", "000000000000000000000002"):
            with Connection(front.http) as connection:
                connection.send(head("POST", "/bookings", JSON, "Content-Length: " + length) + hidden)
                said = connection.rest()
                assert b"HTTP/1.1 2" not in said or length.startswith("0"), (length, said)
        # HAProxy 3.0 passes the last one on with a length of 2, which all servers read in the same way
        assert [one.fields["content-length"] for one in gateway.requests[:1]] in ([], ["2"]), gateway.requests
        assert not any("/hidden" in one.line and one.line.startswith("DELETE") for one in gateway.requests), gateway.requests


@once
def test_front_refuses_a_version_that_the_first_line_cannot_have(driver):
    del driver
    with PlayedGateway() as gateway, Front(gateway.address) as front:
        for version in (b"HTTP/2.0", b"HTTP/1.2", b"HTTP/3.0", b"HTTP/0.9"):
            with Connection(front.http) as connection:
                connection.send(b"GET /hospitals %s\r\nHost: t\r\nConnection: close\r\n\r\n" % version)
                assert b"HTTP/1.1 2" not in connection.rest(), version
        assert gateway.requests == []


@once
def test_front_serves_only_the_hosts_of_its_list(driver):
    del driver
    with PlayedGateway() as gateway, Front(gateway.address, hosts="clinic.example [::1]") as front:
        for fields, served in (("Host: clinic.example", True), ("Host: CLINIC.example:8080", True), ("Host: [::1]:8080", True),
                               ("Host: attacker.example", False), ("Host: clinic.example.attacker.example", False),
                               ("Host: xclinic.example", False), ("Host:", False), ("Host: a b/c@d", False), ("X: y", False)):
            with Connection(front.http) as connection:
                connection.send(("GET / HTTP/1.1\r\n%s\r\n\r\n" % fields).encode())
                if served:
                    assert connection.reply().code == 200, fields
                else:
                    reply = connection.reply()
                    assert reply.code in (400, 421), (fields, reply)
        with Connection(front.http) as connection:
            connection.send(b"GET / HTTP/1.1\r\nHost: attacker.example\r\n\r\n")
            problem_of(connection, 421)
        assert len(gateway.requests) == 3


@once
def test_front_refuses_a_slash_hidden_in_a_path(driver):
    del driver
    with PlayedGateway() as gateway, Front(gateway.address) as front:
        for path in ("/hospitals%2fID", "/screening.v1.HospitalService%2FGetHospital", "/%2F"):
            with Connection(front.http) as connection:
                connection.send(head("GET", path))
                problem_of(connection, 400)
        assert gateway.requests == []
        with Connection(front.http) as connection:
            connection.send(head("GET", "/hospitals?nameContains=a%2Fb"))
            assert connection.reply().code == 200
        assert gateway.requests[0].line == "GET /hospitals?nameContains=a%2Fb HTTP/1.1"


# ---- without a gateway

@once
def test_front_answers_at_once_while_the_gateway_is_away(driver):
    del driver
    with Front("127.0.0.1:%d" % free_port()) as front:
        waits = []
        for _ in range(3):
            begun = time.monotonic()
            with Connection(front.http) as connection:
                connection.send(request("GET", "/hospitals"))
                assert problem_of(connection, 503).fields["retry-after"] == "1"
            waits.append(time.monotonic() - begun)
        assert min(waits) < 0.9, waits  # a second try would come after a second


@once
def test_front_answers_502_to_what_is_no_answer(driver):
    del driver
    with PlayedGateway(answer=b"nonsense\r\n") as gateway, Front(gateway.address) as front, Connection(front.http) as connection:
        connection.send(request("GET", "/hospitals"))
        problem_of(connection, 502)


@once
def test_front_answers_504_to_a_gateway_that_is_too_slow(driver):
    del driver
    with PlayedGateway(delay_s=DEADLINE_S) as gateway, Front(gateway.address, answer_timeout="1s") as front, \
            Connection(front.http) as connection:
        connection.send(request("GET", "/hospitals"))
        problem_of(connection, 504)


# ---- the log

@once
def test_front_logs_the_shape_of_each_request_and_nothing_about_people(driver):
    del driver
    booking, customer = "018f4a6e-0000-7000-8000-000000000001", "kim-haneul"
    routes = {"/": "/", "/openapi.json": "/openapi.json", "/events?customerId=" + customer: "/events", "/hospitals/%s" % booking: "/hospitals/ID",
              "/hospitals/%s/availability" % booking: "/hospitals/ID/availability", "/bookings?customerId=" + customer: "/bookings",
              "/hospitals/%s/days/2031-05-06" % booking: "/hospitals/ID/days/DATE", "/bookings/" + booking: "/bookings/ID",
              "/bookings/%s/cancel" % customer: "/bookings/ID/cancel", "/bookingHistories/" + booking: "/bookingHistories/ID",
              "/screening.v1.BookingService/GetBooking?message=" + customer: "/screening.v1.BookingService/GetBooking",
              "/grpc.health.v1.Health/Check": "/grpc.health.v1.Health/Check",
              "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
              "/bookings/%s/%s" % (booking, customer): "other",
              "/" + customer: "other", '/"%0a' + customer: "other", "/docs/http-api.md": "/docs/http-api.md",
              "/hospitals?nameContains=%ED%95%9C": "/hospitals", "/bookingHistories": "/bookingHistories"}
    with PlayedGateway(answer=b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") as gateway, Front(gateway.address) as front:
        for path in routes:
            with Connection(front.http) as connection:
                connection.send(head("HEAD", path))
                assert connection.reply(to_head=True).code == 200, path
        lines = front.wait_requests(len(routes))
        assert sorted(line["route"] for line in lines) == sorted(routes.values()), lines
        for line in lines:
            assert (line["client"], line["method"], line["code"], line["version"]) == ("127.0.0.1", "HEAD", 200, "HTTP/1.1"), line
        with Connection(front.http) as connection:
            connection.send(b"G@\"T %s HTTP/1.1\r\n\r\n" % customer.encode())
            connection.rest()
        with Connection(front.http) as connection:
            connection.send(head("GET", "/%2F"))
            connection.reply()
        assert {line["code"] for line in front.wait_requests(len(routes) + 1)} == {200, 400}
        failed = [json.loads(line) for line in front.log().splitlines() if "connection_failed" in line]
        assert [(line["client"], line["code"]) for line in failed] == [("127.0.0.1", 400)], failed
        for text in (customer, booking, "한", "%ED", "2031-05-06"):
            assert text not in front.log(), text


@once
def test_front_logs_a_handshake_that_fails(driver):
    del driver
    with PlayedGateway() as gateway, Front(gateway.address) as front:
        with Connection(front.tls) as connection:
            connection.send(request("GET", "/"))
            connection.rest()
        wait_for("it is logged", lambda: "connection_failed" in front.log())
        line = json.loads(next(line for line in front.log().splitlines() if "connection_failed" in line))
        assert line["client"] == "127.0.0.1" and "SSL" in line["error"], line


@once
def test_front_logs_no_connection_on_which_nothing_came(driver):
    del driver
    with PlayedGateway() as gateway, Front(gateway.address, request_timeout="1s") as front:
        with Connection(front.http) as silent:
            silent.rest()
        with Connection(front.http) as gone:
            gone.close()
        assert curl("http://%s/" % front.http) == "1.1 200"
        assert len(front.wait_requests(1)) == 1 and "connection_failed" not in front.log()


# ---- reload and stop

@once
def test_front_goes_on_over_a_reload(driver):
    """A process learns the request rates of its predecessor only if the predecessor has served for ten seconds. If it ends before it has
    learnt them all, the predecessor (HAProxy 2.6) waits for the end of the drain, so the test waits for the end of the predecessor."""
    del driver
    with PlayedGateway() as gateway, Front(gateway.address, drain="10m") as front:
        time.sleep(11)
        listener = Listener(front.http, customerId="c")
        assert curl("http://%s/" % front.http) == "1.1 200"
        front.reload()
        wait_for("the request rates are known", lambda: "::ffff:127.0.0.1" in front.table("requests"))
        assert "::ffff:127.0.0.1" not in front.table("connections")
        assert curl("http://%s/" % front.http) == "1.1 200"
        gateway.tell(b'"still there"')
        assert listener.next().data == "still there"
        listener.close()
        wait_for("the former process has ended", lambda: len(front.workers()) == 1)


@once
def test_front_ends_a_stream_that_outlasts_the_drain(driver):
    del driver
    with PlayedGateway() as gateway, Front(gateway.address, drain="1s") as front:
        listener = Listener(front.http, customerId="c")
        begun = time.monotonic()
        front.stop()
        assert 0.9 < time.monotonic() - begun < LATE_S
        assert not listener.wait_end()


@once
def test_front_finishes_the_requests_in_flight_when_it_stops(driver):
    del driver
    with PlayedGateway(delay_s=1) as gateway, Front(gateway.address, drain="60s") as front:
        idle = Client(front.http)
        assert idle.get("/").code == 200
        with Connection(front.http) as connection:
            connection.send(request("GET", "/hospitals"))
            wait_for("the gateway has it", lambda: len(gateway.requests) == 2)
            front.stop()
            assert connection.reply().code == 200
        idle.close()


@once
def test_front_tells_systemd_that_it_is_ready(driver):
    del driver
    with PlayedGateway() as gateway, tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(os.path.join(folder, "notify"))
        systemd.settimeout(DEADLINE_S)
        with Front(gateway.address, variables={"NOTIFY_SOCKET": systemd.getsockname()}):
            said = systemd.recv(1000)
            while b"READY=1" not in said:
                said = systemd.recv(1000)


# ---- settings

def refused(front, *words):
    """Starts the front door, checks that it exits with 2, and returns the last line of its log."""
    process = front.run(*words)
    try:
        assert process.wait(timeout=DEADLINE_S) == 2, front.log()
    except subprocess.TimeoutExpired:
        process.terminate()  # it serves
        process.wait()
        raise
    return front.log().splitlines()[-1]


@once
def test_front_takes_an_empty_setting_for_its_default(driver):
    del driver
    with PlayedGateway() as gateway, Front(gateway.address, address_requests="", wide="", connections="", request_timeout="") as front:
        assert curl("http://%s/" % front.http) == "1.1 200"


@once
def test_front_refuses_wrong_settings(driver):
    del driver
    for settings, said in (({"connections": "many"}, "FRONT_CONNECTIONS=many"), ({"certificate": "/nowhere.pem"}, "FRONT_CERTIFICATE"),
                           ({"wide": "/nowhere"}, "settings above"), ({"gateway": "nowhere"}, "settings above"),
                           ({"hosts": "a..b/c,"}, "no certificate"), ({"request_timeout": "soon"}, "settings above"),
                           ({"folder": "/proc/nowhere"}, "FRONT_FOLDER"), ({"gateway_proto": "h3"}, "settings above")):
        front = Front("127.0.0.1:1", **settings)
        try:
            line = refused(front)
            assert line.startswith("front: ") and said in line, (settings, front.log())
        finally:
            front.close()
    front = Front("127.0.0.1:1")
    try:
        assert refused(front, "--nothing") and front.run("--check").wait(timeout=DEADLINE_S) == 0, front.log()
    finally:
        front.close()


@once
def test_front_refuses_a_configuration_with_warnings(driver):
    """A missing time limit is one of the things about which HAProxy warns."""
    del driver
    front = Front("127.0.0.1:1")
    try:
        front.program = shutil.copy(front.program, front.folder)
        with open(os.path.join(os.path.dirname(PROGRAM), "haproxy.cfg"), encoding="utf-8") as whole, \
                open(os.path.join(front.folder, "haproxy.cfg"), "w", encoding="utf-8") as less:
            less.writelines(line for line in whole if "timeout connect" not in line)
        assert "settings above" in refused(front) and "timeout" in front.log(), front.log()
    finally:
        front.close()


@once
def test_front_says_when_it_has_too_few_descriptors(driver):
    del driver
    with PlayedGateway() as gateway:
        with Front(gateway.address, files=400, connections=5000) as front:
            assert curl("http://%s/" % front.http) == "1.1 200"
            lowered = [json.loads(line) for line in front.log().splitlines() if "connections_lowered" in line]
            assert [(line["event"], line["wanted"], line["allowed"]) for line in lowered] == [("front.connections_lowered", 5000, 100)]
        with Front(gateway.address, files=12000, connections=5000) as front:
            assert "connections_lowered" not in front.log()
