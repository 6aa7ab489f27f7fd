"""Tests logs that two replicas publish, each the events of its own commits. Everyone who follows a log dials both replicas.

With SCREENING_FULL=1, which needs a quiet machine, measures more often and limits the lag as docs/guarantees.md does."""
import os
import re
import statistics
import time

from kit import rpc, sse, web
from kit.hosts import Hosts
from kit.marks import once
from kit.stack import PATIENT_MS, Service, Stack, free_port, wait_for
from kit.world import (CANCELLED, CONFIRMED, DELETED, FORCE_CANCELLED, booking_request, history_shows, register, remaining,
                       wait_agreement, wait_history)

FULL = os.environ.get("SCREENING_FULL") == "1"
SAMPLES = 400 if FULL else 20  # bookings of which the lag is measured
LOGS = ("hospital", "booking")  # also the names of the services that publish them


class Replicas(Stack):
    """Runs hospital-svc and booking-svc twice, each pair on one PostgreSQL database. The second replicas are the services hospital2
    and booking2. Each service follows both replicas of a log, and calls both."""

    def __init__(self, **more):
        super().__init__("postgresql", **more)
        for name in LOGS:
            flags = dict(self.services[name].flags)
            for flag in ("rpc-listen", "events-listen", "gateway-listen", "client-listen"):
                if flag in flags:
                    flags[flag] = self.address("%s2.%s" % (name, flag))
            second = self.services[name + "2"] = Service(self, name, flags)
            second.log_path = os.path.join(self.folder, name + "2.log")
        for service in self.services.values():
            for log in LOGS:
                if log + "-events" in service.flags:
                    self.follow(service, log, log, log + "2")
                    listener = "gateway-listen" if service.name == "gateway" else "rpc-listen"
                    service.flags[log + "-rpc"] = ",".join(self.services[name].flags[listener] for name in (log, log + "2"))

    def follow(self, service, log, *names):
        """Makes the service follow these replicas of the log from its next start on."""
        service.flags[log + "-events"] = ",".join(self.services[name].flags["events-listen"] for name in names)

    def close(self, failed=False):
        try:
            for service in (self.services["booking2"], self.services["hospital2"]):
                if service.process is not None and service.process.poll() is None:
                    service.resume()
                    service.kill() if failed else service.stop()
        finally:
            super().close(failed)

    def book(self, name, hospital_id, **more):
        """Books through this replica of booking-svc. The booking must be CONFIRMED."""
        clients = self.__dict__.setdefault("replica_clients", {})
        process = self.services[name].process
        if clients.get(name, (None,))[0] is not process:
            clients[name] = (process, self.client(name))
        reply = clients[name][1].CreateBooking(timeout_ms=PATIENT_MS, **booking_request(hospital_id, **more))
        assert reply.code == rpc.OK and reply.message.status == CONFIRMED, reply
        return reply.message

    def lag(self, name, hospital_id):
        """Books through this replica. Returns how long history-svc took to show the booking, in seconds."""
        booking = self.book(name, hospital_id)
        begun = time.monotonic()
        wait_for("history shows what was booked through " + name,
                 lambda: history_shows(self, booking.booking_id, CONFIRMED), interval_s=0.001)
        return time.monotonic() - begun


def figures(what, lags):
    """Prints the lags. Returns their median, in seconds."""
    lags = sorted(lags)
    print("%s: lag p50 %.1f ms, p99 %.1f ms, max %.1f ms of %d" % (
        what, 1000 * statistics.median(lags), 1000 * lags[len(lags) * 99 // 100], 1000 * lags[-1], len(lags)))
    return statistics.median(lags)


@once
def test_what_either_replica_publishes_reaches_history_at_once(driver):
    """What goes through a replica that nobody dials is seen only by its heartbeats and by Fetch, on average a quarter of a second
    later."""
    del driver
    with Replicas() as stack:
        hospital_id = register(stack, capacity=100000)
        stack.history_svc.stop()
        stack.follow(stack.history_svc, "booking", "booking")
        stack.history_svc.start()
        one = figures("history-svc follows one replica", [stack.lag("booking", hospital_id) for _ in range(SAMPLES)])
        figures("the other replica, not followed", [stack.lag("booking2", hospital_id) for _ in range(5)])

        stack.history_svc.stop()
        stack.follow(stack.history_svc, "booking", "booking", "booking2")
        stack.history_svc.start()
        lags = {"booking": [], "booking2": []}
        for _ in range(SAMPLES):
            for name, found in lags.items():
                found.append(stack.lag(name, hospital_id))
        for name, found in lags.items():
            both = figures("history-svc follows both replicas, through " + name, found)
            assert both <= 2 * one + (0.01 if FULL else 0.1), (name, one, both)
        wait_agreement(stack)


@once
def test_followers_go_on_while_one_publisher_of_the_log_lives(driver):
    """The first replicas of both services stop to run, and then die for good."""
    del driver
    with Replicas() as stack:
        hospital_id = register(stack, capacity=100000)
        places = remaining(stack, hospital_id)
        bookings = [stack.book(name, hospital_id) for name in ("booking", "booking2") for _ in range(3)]
        for end in (Service.pause, Service.kill):
            end(stack.booking_svc)
            lags = [stack.lag("booking2", hospital_id) for _ in range(SAMPLES)]
            figures("history-svc after %s of the other booking-svc" % end.__name__, lags)
            if end is Service.pause:
                stack.booking_svc.resume()
        assert remaining(stack, hospital_id) == places - len(bookings) - 2 * SAMPLES

        # hospital-svc follows the surviving booking-svc, and booking-svc the surviving hospital-svc.
        stack.hospital_svc.kill()
        booking, survivor = stack.client("booking2"), stack.client("hospital2")
        reply = booking.CancelBooking(booking_id=bookings[0].booking_id, reason="busy")
        assert reply.code == rpc.OK and reply.message.status == CANCELLED, reply
        wait_for("the place is free again", lambda: survivor.GetHospital(hospital_id=hospital_id).message.days[0].remaining ==
                 places - len(bookings) - 2 * SAMPLES + 1)
        reply = survivor.DeleteHospital(hospital_id=hospital_id)
        assert reply.code == rpc.OK and reply.message.status == DELETED, reply
        wait_history(stack, bookings[1].booking_id, FORCE_CANCELLED)
        wait_history(stack, bookings[0].booking_id, CANCELLED)

        # The first replicas come back. Their events are followed too.
        stack.hospital_svc.start()
        stack.booking_svc.start()
        another = register(stack, capacity=10)
        wait_history(stack, stack.book("booking", another).booking_id, CONFIRMED)
        wait_agreement(stack)


@once
def test_the_gateway_sends_what_either_replica_publishes(driver):
    del driver
    with Replicas(gateway=True) as stack:
        hospital_id = register(stack, capacity=100)
        listener = sse.Listener(stack.gateway_svc.http2, customerId="c-1")
        try:
            for names in (("booking", "booking2"), ("booking2",)):
                for name in names:
                    booking = stack.book(name, hospital_id)
                    listener.wait("booking", lambda data: (data["bookingId"], data["status"]) == (booking.booking_id, "CONFIRMED"))
                stack.booking_svc.kill()
        finally:
            listener.close()


# ---- host names

HOST = "publishers.test"


def publishers(stack, log):
    """Returns the number of publishers of the log that history-svc is connected to."""
    client = web.Client(stack.history_svc.flags["ops-listen"])
    try:
        page = client.get("/metrics").body.decode()
    finally:
        client.close()
    return int(re.search(r'^events_publishers\{log="%s"\} ([0-9]+)$' % log, page, re.M).group(1))


def events(stack, event):
    return [line for line in stack.history_svc.log_lines() if line.get("event") == event]


@once
def test_a_host_name_stands_for_all_publishers_that_it_resolves_to(driver):
    """The name resolves to nothing at first, then to one address, to both, to nothing, and at last to the second one."""
    del driver
    with Replicas(without=("history",), insecure=True) as stack:  # names and ports are for events over TCP
        first, second, port = stack.booking_svc, stack.services["booking2"], free_port()
        for service, number in ((first, "127.0.0.2"), (second, "127.0.0.3")):
            service.stop()
            service.flags.update({"events-listen": "tcp://%s:%d" % (number, port)})
            service.start()
        stack.hospital_svc.restart(booking_events=second.flags["events-listen"])
        hosts = Hosts(stack, stack.history_svc, HOST)
        stack.history_svc.flags.update({"booking-events": "tcp://%s:%d" % (HOST, port),
                                        "ops-listen": "127.0.0.1:%d" % free_port()})
        stack.history_svc.start()
        wait_for("the name does not resolve", lambda: events(stack, "names.unresolved"))
        hosts.write("127.0.0.2")
        wait_for("history-svc is connected to the first replica", lambda: publishers(stack, "booking") == 1)
        hospital_id = register(stack, capacity=100)
        stack.lag("booking", hospital_id)
        hosts.write("127.0.0.2", "127.0.0.3")
        begun = time.monotonic()
        wait_for("history-svc is connected to both", lambda: publishers(stack, "booking") == 2)
        print("an address that was added is used after %.1f s" % (time.monotonic() - begun))
        stack.lag("booking", hospital_id)
        stack.lag("booking2", hospital_id)

        hosts.write()  # both stay in use
        wait_for("the name does not resolve again", lambda: len(events(stack, "names.unresolved")) == 2)
        assert publishers(stack, "booking") == 2
        second.restart()
        wait_for("history-svc is connected to both", lambda: publishers(stack, "booking") == 2)

        hosts.write("127.0.0.3")
        wait_for("the name resolves again", lambda: len(events(stack, "names.resolved")) == 2)
        assert publishers(stack, "booking") == 2  # the connection of an address that was removed is not closed
        first.kill()
        wait_for("history-svc has lost the first replica", lambda: publishers(stack, "booking") == 1)
        first.start()
        for _ in range(5):  # history-svc does not dial the first replica any more, but Fetch has its events
            stack.lag("booking", hospital_id)
            stack.lag("booking2", hospital_id)
        assert publishers(stack, "booking") == 1
        assert stack.history_svc.process.poll() is None
        wait_agreement(stack)


@once
def test_a_wrong_list_of_publishers_is_refused_by_part(driver):
    del driver
    rule = "must be tcp://HOST:PORT (port 1 to 65535) or ipc://PATH"
    with Stack(without=("hospital", "booking", "history", "gateway"), gateway=True) as stack:
        for service in stack.services.values():
            for log in LOGS:
                flag = log + "-events"
                if flag not in service.flags:
                    continue
                for value, wrong in (("tcp://a:1,", "part 2 is empty"), (",tcp://a:1", "part 1 is empty"),
                                     ("tcp://a:1,tcp://b", "part 2 (tcp://b): " + rule),
                                     ("ipc:///a,tcp://b:1,ipc:///a", "part 3 (ipc:///a) is already part 1")):
                    done = service.run_once(**{flag: value})
                    assert (done.returncode, done.stdout) == (2, ""), done
                    assert done.stderr == "%s-svc: --%s: %s\n" % (service.name, flag, wrong), done
