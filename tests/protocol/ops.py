"""Tests the ops endpoints: /metrics, /livez and /readyz of every service, over HTTP on a separate port."""
import http.client
import os
import re
import socket
import stat
import subprocess

from kit import rpc
from kit.marks import once
from kit.stack import CLUSTER_URL, DEADLINE_S, PROGRAMS, Stack, free_port, wait_for
from kit.world import CONFIRMED, book, register, wait_history

ALL = PROGRAMS
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SAMPLE = re.compile(r'^([a-z_][a-z0-9_]*)(?:\{((?:[a-z_]+="[^"\\]*",?)+)\})? (-?[0-9.e+-]+)$')


class OpsStack(Stack):
    """A stack whose services have ops ports."""

    def __init__(self, driver, **more):
        self.ports = {name: free_port() for name in ALL}
        super().__init__(driver, flags={name: {"ops-listen": "127.0.0.1:%d" % self.ports[name]} for name in ALL}, **more)

    def ask(self, name, path, method="GET", source="127.0.0.1"):
        """Returns (status, text) of the answer to a client at the address `source`."""
        connection = http.client.HTTPConnection("127.0.0.1", self.ports[name], timeout=DEADLINE_S, source_address=(source, 0))
        try:
            connection.request(method, path)
            reply = connection.getresponse()
            return reply.status, reply.read().decode()
        finally:
            connection.close()

    def metrics(self, name):
        status, text = self.ask(name, "/metrics")
        assert status == 200, (status, text)
        return parse(text)


def parse(text):
    """Returns {(name, labels): value} of a page of metrics. Checks that Prometheus accepts every line, and that the lines of each
    family are together."""
    samples, kinds, family, done = {}, {}, None, set()
    assert text.endswith("\n")
    for line in text.splitlines():
        if line.startswith("# HELP "):
            family = line.split(" ")[2]
            assert family not in done, "two families named " + family
            done.add(family)
            assert len(line.split(" ", 3)[3]) > 3, line
            continue
        if line.startswith("# TYPE "):
            name, kind = line.split(" ")[2:]
            assert name == family and kind in ("counter", "gauge", "histogram"), line
            kinds[name] = kind
            continue
        found = SAMPLE.match(line)
        assert found, "not a line of the format: " + line
        name, labels, value = found[1], found[2] or "", float(found[3])
        base = re.sub(r"_(bucket|sum|count)$", "", name) if kinds[family] == "histogram" else name
        assert base == family, line
        assert (name, labels) not in samples, "twice: " + line
        samples[name, labels] = value
    return {"samples": samples, "kinds": kinds}


def check_histograms(page):
    """Checks that the buckets of every histogram are cumulative and end in +Inf, and that the last bucket equals the count."""
    checked = 0
    for family, kind in page["kinds"].items():
        series = {}
        for (name, labels), value in page["samples"].items():
            if kind == "histogram" and name == family + "_bucket":
                rest, bound = re.fullmatch(r'(.*?),?le="([^"]*)"', labels).groups()
                series.setdefault(rest, []).append((float(bound.replace("+Inf", "inf")), value))
        for rest, buckets in series.items():
            assert buckets == sorted(buckets) and buckets[-1][0] == float("inf"), (family, rest, buckets)
            assert all(a[1] <= b[1] for a, b in zip(buckets, buckets[1:])), (family, rest, buckets)
            assert page["samples"][family + "_count", rest] == buckets[-1][1]
            assert page["samples"][family + "_sum", rest] >= 0
            checked += 1
    assert checked > 0


def value(page, name, labels=""):
    return page["samples"].get((name, labels), 0)


def answers(method, code):
    return "rpc_server_answers_total", 'method="screening.v1.%s",code="%s"' % (method, code)


@once
def test_metrics_are_valid_counters_never_fall_and_show_what_happened(driver):
    with OpsStack(driver) as stack:
        hospital_id = register(stack, capacity=2)
        before = {name: stack.metrics(name) for name in ALL}
        bookings = [book(stack, hospital_id) for _ in range(2)]
        assert stack.booking.CreateBooking(
            booking_id=rpc.new_id(), customer_id="c", customer_name="n", hospital_id=hospital_id,
            date=bookings[0].date).reason == "SOLD_OUT"
        wait_history(stack, bookings[-1].booking_id, CONFIRMED)

        def at_rest(page):
            """Returns whether the writer was between two batches when it reported the metrics."""
            return value(page, "writer_batch_size_count") == value(page, "writer_batches_total")
        after = {name: wait_for("metrics between two batches", lambda: next(filter(at_rest, [stack.metrics(name)]), None))
                 for name in ALL}
        for name in ALL:
            check_histograms(after[name])
            for key, old in before[name]["samples"].items():
                kind = before[name]["kinds"].get(key[0], "histogram")
                if kind != "gauge":
                    assert value(after[name], *key) >= old, (name, key)
        page = after["booking"]
        assert value(page, *answers("BookingService/CreateBooking", "OK")) == 2
        assert value(page, *answers("BookingService/CreateBooking", "FAILED_PRECONDITION")) == 1
        create = 'method="screening.v1.BookingService/CreateBooking"'
        assert value(page, "rpc_server_call_seconds_count", create) == 3
        assert 0 < value(page, "rpc_server_call_seconds_sum", create) < 3 * DEADLINE_S
        assert value(page, "writer_batches_total") > 0
        assert value(page, "writer_commits_total") > 0
        for gauge in ("rpc_server_in_flight", "writer_queue_depth", "settler_backlog"):
            assert (gauge, "") in page["samples"], gauge
        assert value(after["hospital"], *answers("HospitalService/BatchReserve", "OK")) >= 2


@once
def test_metrics_show_how_far_each_log_is_followed(driver):
    with OpsStack(driver) as stack:
        booking = book(stack, register(stack))
        wait_history(stack, booking.booking_id, CONFIRMED)
        for name, logs in (("hospital", ["booking"]), ("booking", ["hospital"]), ("history", ["booking", "hospital"])):
            for log in logs:
                labels = 'log="%s"' % log
                wait_for("%s has applied the %s log" % (name, log), lambda: all((
                    value(stack.metrics(name), "events_applied_seq", labels) > 0,
                    value(stack.metrics(name), "events_lag_seconds", labels) == 0,
                    value(stack.metrics(name), "events_following", labels) == 1)))
                page = stack.metrics(name)
                assert value(page, "events_dead_letters", labels) == 0
                assert ("events_dead_letters", labels) in page["samples"]
        stack.booking_svc.stop()
        stack.hospital.SetCapacity(hospital_id=booking.hospital_id, date=booking.date, capacity=7)
        labels = 'log="hospital"'
        old = value(stack.metrics("history"), "events_applied_seq", labels)
        stack.hospital.SetCapacity(hospital_id=booking.hospital_id, date=booking.date, capacity=8)
        wait_for("it moves on", lambda: value(stack.metrics("history"), "events_applied_seq", labels) > old)


@once
def test_live_but_not_ready_before_the_database_is_available(driver):
    del driver
    with OpsStack("postgresql", without=ALL) as stack:
        socket_folder, real_folder = os.path.join(stack.folder, "pg"), CLUSTER_URL.split("host=")[1].split("&")[0]

        def answered(name, path):
            try:
                return stack.ask(name, path)
            except OSError:
                return None
        for name in ALL:
            service = stack.services[name]
            service.flags["database"] = stack.url(name).replace(real_folder, socket_folder)
            service.spawn()
            assert wait_for("it is live", lambda: answered(name, "/livez")) == (200, "alive\n")
            status, why = stack.ask(name, "/readyz")
            assert status == 503 and "database" in why, why
            check_metrics_without_database(stack.metrics(name))
        os.symlink(real_folder, socket_folder)  # from here on the metric exists
        for name in ALL:
            stack.services[name].wait_ready()
            wait_for("it is ready", lambda: stack.ask(name, "/readyz") == (200, "ready\n"))
        os.unlink(socket_folder)
        for name in ALL:
            stack.services[name].stop()


def check_metrics_without_database(page):
    assert value(page, "log_lines_lost_total") == 0 and ("log_lines_lost_total", "") in page["samples"]
    assert not [name for name, _ in page["samples"] if name.startswith("events_applied_seq")]


@once
def test_ops_answers_what_it_promises_and_nothing_else(driver):
    with OpsStack(driver) as stack:
        for name in ALL:
            assert stack.ask(name, "/livez") == (200, "alive\n")
            assert stack.ask(name, "/readyz") == (200, "ready\n")
            assert stack.ask(name, "/livez", "HEAD") == (200, "")
            for path in ("/", "/metrics/x", "/../etc/passwd", "/%00"):
                assert stack.ask(name, path)[0] == 404, path
            for method in ("POST", "PUT", "DELETE", "OPTIONS"):
                assert stack.ask(name, "/metrics", method)[0] == 405, method


@once
def test_a_taken_ops_port_is_exit_2_and_creates_nothing(driver):
    with OpsStack(driver, without=ALL) as stack, socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen(1)
        for name in ALL:
            for address in ("127.0.0.1:%d" % taken.getsockname()[1], "nonsense", "127.0.0.1:0"):
                done = stack.services[name].run_once(ops_listen=address)
                plain = [line for line in done.stderr.splitlines() if not line.startswith("{")]
                assert done.returncode == 2 and len(plain) == 1 and "ops-listen" in plain[0], done
        assert stack.made_files() == []


@once
def test_ops_answer_at_a_unix_socket(driver):
    with Stack(driver, without=("booking", "history")) as stack:
        path, ask = stack.folder + "/ops", os.path.join(ROOT, "deploy/docker/ask")
        stack.hospital_svc.restart(ops_listen="unix:" + path)
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o660
        for what, code, text in (("/readyz", 0, "ready\n"), ("/nothing", 1, "there are /metrics, /livez and /readyz\n")):
            done = subprocess.run([ask, path, what], capture_output=True, text=True, check=False)
            assert (done.returncode, done.stdout) == (code, text), done
        # A killed process leaves its socket, and the next one replaces it.
        stack.hospital_svc.kill()
        stack.hospital_svc.restart(ops_listen="unix:" + path)
        assert parse(subprocess.run([ask, path, "/metrics"], capture_output=True, text=True, check=True).stdout)
        done = stack.booking_svc.run_once(ops_listen="unix:" + path)
        assert done.returncode == 2 and "ops-listen: unix:%s: Address already in use" % path in done.stderr, done
        stack.hospital_svc.stop()
        assert not os.path.exists(path)


@once
def test_the_metrics_of_containers_are_published_and_nothing_else(driver):
    with Stack(driver, without=("booking", "history")) as stack:
        os.mkdir(stack.folder + "/hospital")
        stack.hospital_svc.restart(ops_listen="unix:%s/hospital/ops" % stack.folder)
        port = free_port()
        environment = {**os.environ, "METRICS_LISTEN": "127.0.0.1:%d" % port, "METRICS_FOLDER": stack.folder,
                       "PATH": os.environ["PATH"] + ":/usr/sbin"}

        def ask(path, method="GET"):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE_S)
            try:
                connection.request(method, path)
                reply = connection.getresponse()
                return reply.status, reply.read().decode()
            except ConnectionRefusedError:
                return 0, ""
            finally:
                connection.close()
        with subprocess.Popen(["haproxy", "-f", os.path.join(ROOT, "deploy/docker/metrics.cfg")], env=environment) as door:
            try:
                wait_for("it listens", lambda: ask("/")[0] == 200)
                status, text = ask("/hospital-svc/metrics")
                assert status == 200 and parse(text) and "\nsecurity_insecure 0\n" in text, (status, text[:100])
                assert ask("/booking-svc/metrics")[0] == 503  # it does not run
                for path in ("/hospital-svc/readyz", "/metrics", "/postgres/metrics", "/hospital-svc/metrics/x", "/../hospital-svc/metrics"):
                    assert ask(path)[0] == 404, path
                assert ask("/hospital-svc/metrics", "POST")[0] == 405
            finally:
                door.terminate()


class Trickle:
    """Clients at one address that send a request byte by byte and never finish it. They replace connections that are ended."""

    BYTES = b"GET /readyz HTTP/1.1\r\nX: " + b"a" * 1000

    def __init__(self, port, count):
        self.port, self.clients, self.ended = port, [None] * count, [0] * count
        self.sent, self.kept = 0, {}

    def step(self):
        """Every client sends its next byte."""
        for i, client in enumerate(self.clients):
            try:
                if client is None:
                    self.clients[i] = client = socket.create_connection(("127.0.0.1", self.port), timeout=DEADLINE_S)
                    client.setblocking(False)
                    client.sendall(self.BYTES[:self.sent])
                client.sendall(self.BYTES[self.sent:self.sent + 1])
                if not client.recv(1):
                    raise ConnectionError
            except BlockingIOError:
                pass
            except ConnectionError:
                if client is not None:
                    client.close()
                self.clients[i] = None
                self.ended[i] += 1
        self.sent += 1

    def note_kept(self):
        """Notes the connections that the server has not closed."""
        self.kept = {i: self.ended[i] for i, client in enumerate(self.clients) if client is not None}
        assert self.kept

    def have_kept_ended(self):
        return all(self.ended[i] > before for i, before in self.kept.items())

    def close(self):
        for client in self.clients:
            if client is not None:
                client.close()


@once
def test_two_hundred_trickling_connections_of_one_address_leave_others_their_answers(driver):
    """Each of them is ended, although it is never silent. A booking and /readyz from another address succeed all the time."""
    with OpsStack(driver, without=("history",)) as stack:
        hospital_id, asked = register(stack), 0
        trickle = Trickle(stack.ports["booking"], 200)
        try:
            for _ in range(3):  # until the server has closed those beyond the limit of the address
                trickle.step()
            trickle.note_kept()

            def all_ended():
                nonlocal asked
                trickle.step()
                assert stack.ask("booking", "/readyz", source="127.0.0.2") == (200, "ready\n")
                asked += 1
                return trickle.have_kept_ended()
            wait_for("the first connections are ended", all_ended, interval_s=0.5)
            assert asked > 10 and book(stack, hospital_id).status == CONFIRMED
        finally:
            trickle.close()
        wait_for("their address is answered again", lambda: answered(stack))


def answered(stack):
    try:
        return stack.ask("booking", "/livez")[0] == 200
    except OSError:
        return False
