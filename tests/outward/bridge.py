"""Tests jetstream-bridge with Debian's nats-server: each event of both logs arrives in its stream once and in order, even if
a bridge, the server or a publisher is killed, and the bridge stops at a stream that is not its own.

In short form, one kill each of a bridge, the server and a publisher interrupts some hundred events; with SCREENING_FULL=1, 20 kills
interrupt 50,000."""
import contextlib
import os
import signal
import subprocess
import tempfile
import uuid

from faults.callers import Callers
from kit import rpc, sandbox
from kit.backup import back_up, restore
from kit.bridge import LOGS, Bridge, admit
from kit.marks import once
from kit.nats import Server, User, make_certificates
from kit.rpc import event_pb2
from kit.stack import DEADLINE_S, Stack, wait_for
from kit.world import book, day, register

FULL = os.environ.get("SCREENING_FULL") == "1"
EVENTS, KILLS = (50000, 20) if FULL else (600, 3)
FULL_DEADLINE_S = 900 if FULL else DEADLINE_S
BUDGET_S = 60
TOKEN = "t0ken-of-nats"
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def stream_of(log):
    return "screening-" + log


def head_of(stack, log):
    return stack.value(log, "SELECT head_seq FROM event_log_head")


def stored(stack, log):
    """Returns (seq, event id, type, subject, packed event) of each row of a log, whatever the driver gives."""
    def text(value):
        return str(uuid.UUID(bytes=value)) if isinstance(value, bytes) else value

    def packed(value):
        return value if isinstance(value, bytes) else bytes.fromhex(value[len("\\x"):])
    rows = stack.rows(log, "SELECT seq, event_id, type, subject, event FROM event_log ORDER BY seq")
    return [(int(seq), text(event_id), kind, text(subject), packed(event)) for seq, event_id, kind, subject, event in rows]


def subject_in(event):
    """Returns the id of the booking or hospital that an event is about."""
    body = getattr(event, event.WhichOneof("body"))
    return body.booking_id if event.WhichOneof("body") == "booking" else body.hospital_id


def wait_arrived(stack, client, log, deadline_s=DEADLINE_S):
    wait_for("the %s log has arrived" % log, lambda: client.last_seq(stream_of(log)) >= head_of(stack, log), deadline_s, 0.1)


def check_arrived(stack, server):
    """Waits until both logs have arrived, and checks that each stream has exactly the events of its log, in order."""
    client = server.client()
    for log in LOGS:
        wait_arrived(stack, client, log, FULL_DEADLINE_S)
        state = client.ask("STREAM.INFO." + stream_of(log))["state"]
        rows = stored(stack, log)
        assert (state["first_seq"], state["last_seq"], state["messages"]) == (1, len(rows), len(rows)), (state, len(rows))
        log_id = stack.rows(log, "SELECT log_id FROM event_log_head")[0][0]
        source = "/screening/%s/%s" % (log, uuid.UUID(bytes=log_id) if isinstance(log_id, bytes) else log_id)
        for seq, event_id, kind, subject, packed in rows:
            name, headers, body = client.message(stream_of(log), seq)
            event = event_pb2.Event.FromString(packed)
            assert body == packed and event.seq == seq, (log, seq)
            assert subject == subject_in(event), (log, seq, subject)
            assert name == "screening.%s.%s" % (log, kind), name
            expected = {"ce-specversion": "1.0", "ce-id": event_id, "ce-type": kind, "ce-source": source, "ce-subject": subject,
                        "ce-time": event.occurred_at.ToDatetime().strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
                        "ce-datacontenttype": "application/protobuf", "traceparent": event.traceparent or None}
            assert {name: headers.get(name) for name in expected} == expected, (headers, expected)
    client.close()


def cancelled_by_force(stack):
    return stack.value("booking", "SELECT COUNT(*) FROM event_log WHERE type = 'booking.force_cancelled'")


def live_some(stack):
    """Makes events of most types."""
    before = cancelled_by_force(stack)
    hospital_id = register(stack, capacity=20)
    bookings = [book(stack, hospital_id, metadata={"traceparent": TRACE}) for _ in range(8)]
    assert stack.booking.CancelBooking(booking_id=bookings[0].booking_id).code == rpc.OK
    assert stack.hospital.SetCapacity(hospital_id=hospital_id, date=day(1), capacity=30).code == rpc.OK
    assert stack.hospital.DeleteHospital(hospital_id=hospital_id).code == rpc.OK
    wait_for("the bookings are cancelled by force", lambda: cancelled_by_force(stack) == before + 7)


def wait_ready(bridge):
    wait_for("the bridge is ready", bridge.is_ready)


@contextlib.contextmanager
def everything(driver="sqlite", **flags):
    """A stack, a server and a bridge from one to the other."""
    with Server() as server, admit(Stack(driver, without=("history",))) as stack, Bridge(stack, server.url, **flags) as bridge:
        yield stack, server, bridge


def test_events_arrive_in_order_as_cloud_events(driver):
    with everything(driver) as (stack, server, bridge):
        live_some(stack)
        check_arrived(stack, server)
        wait_ready(bridge)
        client = server.client()
        assert client.message(stream_of("booking"), 1)[1]["traceparent"].split("-")[1] == TRACE.split("-")[1]
        client.close()
        metrics = bridge.get("/metrics").body.decode().splitlines()
        assert "bridge_published_total %d" % sum(head_of(stack, log) for log in LOGS) in metrics
        assert 'events_applied_seq{log="booking"} %d' % head_of(stack, "booking") in metrics
        live_some(stack)
        check_arrived(stack, server)


@once
def test_the_bridge_runs_under_the_filter_of_its_unit(driver):
    del driver
    sandbox.check_available()
    with everything(sandboxed=True) as (stack, server, bridge):
        live_some(stack)
        check_arrived(stack, server)
        server.kill()
        wait_for("the bridge notices", lambda: not bridge.is_ready())
        server.start()
        wait_ready(bridge)
        live_some(stack)
        check_arrived(stack, server)
        with open("/proc/%d/status" % bridge.process.pid, encoding="ascii") as status:
            assert "Seccomp:\t2\n" in status.read()


def kill_something(number, stack, server, bridges):
    """Kills a bridge, the server or a publisher with -9, and starts it again."""
    kind, which = number % 3, number // 3 % 2
    if kind == 0:
        bridges[which].kill()
        bridges[which].start()
    elif kind == 1:
        server.kill()
        server.start()
    else:
        (stack.booking_svc, stack.hospital_svc)[which].restart()


@once
def test_events_arrive_once_whoever_is_killed(driver):
    del driver
    with Server() as server, admit(Stack("sqlite", without=("history",))) as stack, Bridge(stack, server.url, "one") as one, \
            Bridge(stack, server.url, "two") as two:
        hospital_id = register(stack, capacity=EVENTS)
        with Callers(stack, hospital_id, BUDGET_S, readers=(), pause_s=0) as callers:
            for number in range(KILLS + 1):
                wanted = EVENTS * (number + 1) // (KILLS + 1)
                wait_for("%d events" % wanted, lambda: head_of(stack, "booking") >= wanted, FULL_DEADLINE_S, 0.05)  # pylint: disable=W0640
                for capacity in range(5):
                    assert stack.client("hospital").SetCapacity(
                        hospital_id=hospital_id, date=day(1), capacity=EVENTS + capacity).code == rpc.OK
                if number < KILLS:
                    kill_something(number, stack, server, (one, two))
        check_arrived(stack, server)
        print("%d and %d events, %d kills; %s" % (head_of(stack, "booking"), head_of(stack, "hospital"), KILLS, callers))


@once
def test_a_broker_that_is_away_stops_only_the_bridge(driver):
    del driver
    with Server() as server, admit(Stack("sqlite", without=("history",))) as stack:
        server.kill()
        with Bridge(stack, server.url) as bridge:
            hospital_id = register(stack, capacity=50)
            book(stack, hospital_id)
            wait_for("the bridge waits", lambda: len(bridge.events("events.fetch_failed")) == len(LOGS))
            assert "connecting to NATS" in bridge.events("events.fetch_failed")[0]["why"]
            reply = bridge.get("/readyz")
            assert (reply.code, reply.body) == (503, b"not connected to NATS\n"), reply
            bridge.stop()
            bridge.start()
            server.start()
            check_arrived(stack, server)
            wait_ready(bridge)
            # With nothing to publish, it notices that the broker is gone, and that it is back.
            server.kill()
            wait_for("the bridge notices", lambda: not bridge.is_ready())
            server.start()
            wait_ready(bridge)
            # It also notices a broker that has stopped without a word.
            server.process.send_signal(signal.SIGSTOP)
            book(stack, hospital_id)
            wait_for("the bridge notices", lambda: not bridge.is_ready())
            server.process.send_signal(signal.SIGCONT)
            check_arrived(stack, server)
            wait_ready(bridge)


def check_stops(bridge, log, why):
    """Checks that the bridge ends with 1, and that its log names the stream and the reason."""
    assert bridge.wait_end() == 1, bridge.log_text()
    assert bridge.events("bridge.stream_does_not_fit")[-1]["stream"] == stream_of(log), bridge.log_text()
    assert any(line["log"] == log and why in line["why"] for line in bridge.events("events.halted")), bridge.log_text()


@once
def test_a_stream_whose_last_message_is_no_event_of_ours_stops_the_bridge(driver):
    del driver
    with everything() as (stack, server, bridge):
        live_some(stack)
        check_arrived(stack, server)
        bridge.stop()
        client = server.client()
        seq = client.publish("screening.booking.hello", b"hello")
        bridge.start()
        check_stops(bridge, "booking", "its last message, %d, is no event %d of the booking log" % (seq, seq))
        # Such a message may also come while the bridge runs.
        client.ask("STREAM.DELETE." + stream_of("booking"))
        client.ask("STREAM.DELETE." + stream_of("hospital"))
        bridge.start()
        check_arrived(stack, server)
        seq = client.publish("screening.hospital.hello", b"hello")
        register(stack)
        check_stops(bridge, "hospital", "its last message, %d, is no event" % seq)
        client.close()


@once
def test_a_stream_that_is_ahead_of_its_log_or_of_another_stops_the_bridge(driver):
    del driver
    with everything() as (stack, server, bridge):
        live_some(stack)
        check_arrived(stack, server)
        path = back_up(stack, "booking")
        book(stack, register(stack))
        check_arrived(stack, server)
        stack.booking_svc.stop()
        restore(stack, "booking", path)
        stack.booking_svc.start()
        check_stops(bridge, "booking", "the log ends at seq")
    with Server() as server:
        with admit(Stack("sqlite", without=("history",))) as stack, Bridge(stack, server.url):
            live_some(stack)
            check_arrived(stack, server)
        with admit(Stack("sqlite", without=("history",))) as stack:
            live_some(stack)
            live_some(stack)
            with Bridge(stack, server.url) as bridge:
                assert bridge.wait_end() == 1
                assert "has another id" in bridge.log_text()


@once
def test_a_purged_stream_continues_after_the_last_event_that_it_had(driver):
    del driver
    with everything() as (stack, server, bridge):
        live_some(stack)
        check_arrived(stack, server)
        head, client = head_of(stack, "booking"), server.client()
        bridge.stop()
        client.ask("STREAM.PURGE." + stream_of("booking"))
        bridge.start()
        book(stack, register(stack))
        wait_arrived(stack, client, "booking")
        state = client.ask("STREAM.INFO." + stream_of("booking"))["state"]
        assert (state["first_seq"], state["messages"]) == (head + 1, head_of(stack, "booking") - head), state
        client.close()


def write(path, text, mode=0o600):
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w", encoding="utf-8") as file:
        file.write(text)
    return path


@once
def test_the_bridge_shows_its_token_and_never_logs_it(driver):
    del driver
    with tempfile.TemporaryDirectory() as folder, Server("authorization { token: %s }" % TOKEN, auth_token=TOKEN) as server, \
            admit(Stack("sqlite", without=("history",))) as stack:
        path = write(folder + "/token", "wr0ng\n")
        with Bridge(stack, server.url, nats_token=path, log_level="debug") as bridge:
            wait_for("the bridge waits", lambda: bridge.events("events.fetch_failed"))
            write(path, TOKEN + "\n")  # the bridge reads the file each time it connects
            live_some(stack)
            check_arrived(stack, server)
            assert TOKEN not in bridge.log_text() and "wr0ng" not in bridge.log_text()


@once
def test_the_bridge_logs_in_with_credentials_and_never_logs_them(driver):
    del driver
    user, stranger = User(), User()
    with tempfile.TemporaryDirectory() as folder, Server(user.config, user=user) as server, \
            admit(Stack("sqlite", without=("history",))) as stack:
        path = write(folder + "/bridge.creds", stranger.credentials)
        with Bridge(stack, server.url, nats_credentials=path, log_level="debug") as bridge:
            wait_for("the bridge waits", lambda: bridge.events("events.fetch_failed"))
            write(path, user.credentials)
            live_some(stack)
            check_arrived(stack, server)
            for secret in (user.jwt, user.key.seed, stranger.jwt, stranger.key.seed):
                assert secret not in bridge.log_text()


TLS = "tls { cert_file: %s/%s.pem, key_file: %s/%s.key, ca_file: %s/ca.pem, verify: true }"


@once
def test_the_bridge_verifies_the_server_and_shows_its_certificate(driver):
    del driver
    with tempfile.TemporaryDirectory() as folder, admit(Stack("sqlite", without=("history",))) as stack:
        context = make_certificates(folder)
        flags = {"nats_ca": folder + "/ca.pem", "nats_certificate": folder + "/client.pem", "nats_key": folder + "/client.key"}
        with Server(TLS % (folder, "server", folder, "server", folder), "tls", context) as server:
            with Bridge(stack, server.url, **flags):
                live_some(stack)
                check_arrived(stack, server)
            with Bridge(stack, server.url, "stranger", nats_ca=flags["nats_ca"]) as stranger:
                wait_for("it is refused", lambda: stranger.events("events.fetch_failed"))
        context.check_hostname = False
        with Server(TLS % (folder, "other", folder, "other", folder), "tls", context) as other:
            with Bridge(stack, other.url, "deceived", **flags) as deceived:
                wait_for("it refuses", lambda: deceived.events("events.fetch_failed"))
                assert not deceived.events("bridge.connected"), deceived.log_text()


@once
def test_wrong_settings_of_the_bridge_end_with_2_and_one_line(driver):
    del driver
    with tempfile.TemporaryDirectory() as folder, admit(Stack("sqlite", without=("history",))) as stack:
        secret = write(folder + "/open", "s3cret\n", 0o644)
        for flags, line in (
                ({"nats-url": "http://a"}, "nats-url: http://a: must be nats://HOST:PORT or tls://HOST:PORT"),
                ({"nats-url": "nats"}, "nats-url: nats: must be nats://HOST:PORT or tls://HOST:PORT"),
                ({"nats-url": "nats://127.0.0.1:1,"}, "nats-url: : must be nats://HOST:PORT or tls://HOST:PORT"),
                ({"nats-url": "nats://u:s3cret@127.0.0.1:1"}, "nats-url: contains a secret, which others can read"),
                ({"nats-url": "nats://10.0.0.1:4222"}, "nats-url: events would be sent in clear to nats://10.0.0.1:4222"),
                ({"nats-token": secret}, "nats-token: %s: " % secret),
                ({"nats-key": "/x"}, "nats-certificate: must be given together with --nats-key"),
                ({"booking-events": "tcp://127.0.0.1:1"}, "booking-events: anybody could send events at tcp://127.0.0.1:1"),
                ({"stream-replicas": "6"}, "--stream-replicas: must be 1 to 5"),
                ({"token-key": "/absent"}, "token-key: /absent: ")):
            bridge = Bridge(stack, "nats://127.0.0.1:1")
            bridge.flags.update(flags)
            done = subprocess.run(bridge.arguments(), capture_output=True, text=True, timeout=DEADLINE_S, check=False)
            assert done.returncode == 2 and done.stderr.startswith("jetstream-bridge: " + line), (flags, done)
            assert done.stderr.count("\n") == 1 and "s3cret" not in done.stderr, done
