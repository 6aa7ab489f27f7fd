"""Runs the services with wire doors between all of them, renews certificates under load, and ends doors.

With SCREENING_FULL=1, renews the certificates of two doors 50 times each under load instead of 10 times."""
import os
import random
import shutil
import signal
import subprocess
import threading
import time
import types

from kit import rpc
from kit.marks import once
from kit.stack import Stack, program, wait_for
from kit.wires import Authority, Wires, connect, folder_with_pki, free_address
from kit.world import CONFIRMED, book, booking_request, register

RENEWALS, IN_FLIGHT = 50 if os.environ.get("SCREENING_FULL") == "1" else 10, 64
DAYS = range(1, 31)
UNAUTHENTICATED, PERMISSION_DENIED = 16, 7


def test_services_work_together_over_wires(driver):
    with Stack(driver, wires=True, gateway=True) as stack:
        hospital_id = register(stack)
        booking = book(stack, hospital_id)
        wait_for("the booking is in the history",
                 lambda: stack.history.GetBookingHistory(booking_id=booking.booking_id).code == rpc.OK)
        assert stack.gateway.get("/bookings/" + booking.booking_id).json["status"] == "CONFIRMED"
        assert stack.booking.CancelBooking(booking_id=booking.booking_id, reason="r").code == rpc.OK
        wait_for("its place is free", lambda: stack.hospital.GetAvailability(
            hospital_id=hospital_id, from_date=booking.date, to_date=booking.date).message.days[0].remaining == 10)


@once
def test_services_check_certificates_and_tokens_over_wires(driver):
    with Stack(driver, wires=True, gateway=True) as stack:
        hospital_id = register(stack)
        door, keys = stack.doors["booking"], stack.keyring

        def client(token, port="clients"):
            context = door.pki.context("gateway-svc" if port == "rpc" else None, door.pki.clients if port == "clients" else None)
            return rpc.Client("tcp://" + door.settings[port], token=token, tls=context)
        kim = client(keys.token("customer", "kim"))
        booked = kim.CreateBooking(**booking_request(hospital_id, customer_id="kim"))
        assert booked.code == rpc.OK and booked.message.status == CONFIRMED, booked
        lee = client(keys.token("customer", "lee"))
        assert lee.GetBooking(booking_id=booked.message.booking_id).code == rpc.NOT_FOUND
        assert client(None).GetBooking(booking_id=booked.message.booking_id).code == UNAUTHENTICATED
        # The token of a service is worth nothing without the service's certificate.
        stolen = client(keys.service_token("history-svc", "booking-svc"))
        assert stolen.Fetch(after_seq=0).code == PERMISSION_DENIED
        wait_for("the booking is in the history", lambda: stack.history.GetBookingHistory(
            booking_id=booked.message.booking_id).code == rpc.OK)
        for one in (kim, lee, stolen):
            one.close()


class Load:
    """Books through a wire door, with IN_FLIGHT calls in flight on one connection, until it is stopped."""

    def __init__(self, door, hospital_id):
        self.client = rpc.Client("tcp://" + door.settings["clients"], tls=door.pki.context(authority=door.pki.clients))
        self.hospital_id = hospital_id
        self.stopping, self.answered, self.failed = False, 0, []
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _send(self):
        return self.client.send("CreateBooking", **booking_request(self.hospital_id, random.choice(DAYS)))

    def _run(self):
        sent = [self._send() for _ in range(IN_FLIGHT)]
        while sent:
            try:
                reply = self.client.receive(sent.pop(0))
                if reply.code != rpc.OK or reply.message.status != CONFIRMED:
                    self.failed.append(reply)
                self.answered += 1
                if not self.stopping:
                    sent.append(self._send())
            except OSError as problem:
                self.failed.append(problem)
                return

    def stop(self):
        self.stopping = True
        self.thread.join()
        self.client.close()


def serial(address, context):
    with connect(address, context) as sock:
        return sock.getpeercert()["serialNumber"]


@once
def test_wires_take_new_certificates_while_calls_are_in_flight(driver):
    with Stack(driver, without=("history",), wires=True) as stack:
        hospital_id = register(stack, capacity=100000, days=DAYS)
        booking, hospital = stack.doors["booking"], stack.doors["hospital"]
        pki = booking.pki
        load = Load(booking, hospital_id)
        try:
            for _ in range(RENEWALS):
                for one in (booking, hospital):
                    before = serial(one.settings["rpc"], pki.context("history-svc"))
                    pki.renew(one.service)
                    one.renew()
                    renewed_at = time.monotonic()
                    assert serial(one.settings["rpc"], pki.context("history-svc")) != before
                    assert time.monotonic() - renewed_at < 1
            answered = load.answered
            wait_for("calls go on", lambda: load.answered > answered + IN_FLIGHT)
        finally:
            load.stop()
        assert load.failed == [] and load.answered > RENEWALS, (load.failed[:3], load.answered)
        # The services have noticed nothing: each has made one connection through its door.
        assert booking.log().count('"wires.connection","door":"hospital-rpc"') == 0, booking.log()


@once
def test_wires_show_a_renewed_certificate_to_others(driver):
    # The certificates of before are revoked, so only a door that shows the new one gets through.
    del driver
    with folder_with_pki() as (folder, pki):
        service = rpc.FakeService("ipc://%s/rpc" % folder, lambda name, request: None)
        hospital = Wires(pki, "hospital-svc", os.path.join(folder, "hospital"), rpc=free_address(), to_rpc=os.path.join(folder, "rpc"))
        old = os.path.join(folder, "old.pem")
        shutil.copy(pki.path("booking-svc", "tls.pem"), old)
        with Wires(pki, "booking-svc", os.path.join(folder, "booking"), hospital_rpc=hospital.settings["rpc"]) as booking:
            pki.services.revoke(old)
            pki.renew("booking-svc")
            with hospital:
                assert booking.run("--renew").returncode == 2  # the list of revoked certificates is new
                os.unlink(pki.services.crl)
                booking.renew()
                rpc.Client(booking.socket("hospital.rpc")).close()
        service.close()


@once
def test_services_reconnect_after_their_wires_were_killed(driver):
    with Stack(driver, wires=True, gateway=True) as stack:
        hospital_id = register(stack)
        for name in ("hospital", "booking"):
            book(stack, hospital_id)
            stack.doors[name].kill()
            stack.doors[name].start()
            # The outcome of a call that meets the break may be that hospital-svc does not answer.
            wait_for("bookings are confirmed again", lambda: stack.booking.CreateBooking(
                **booking_request(hospital_id)).message.status == CONFIRMED)
            booking = book(stack, hospital_id)
            wait_for("events arrive again", lambda: stack.history.GetBookingHistory(booking_id=booking.booking_id).code == rpc.OK)
            wait_for("the gateway answers again", lambda: stack.gateway.get("/bookings/" + booking.booking_id).code == 200)


@once
def test_wires_use_the_certificates_that_screenctl_makes(driver):
    with Stack(driver, without=("booking", "history")) as stack:
        made = os.path.join(stack.folder, "pki")
        subprocess.run([program("screenctl"), "pki", "init", made], check=True, capture_output=True)
        pki = types.SimpleNamespace(folder=made)
        hospital = Wires(pki, "hospital-svc", os.path.join(stack.folder, "hospital"), rpc=free_address(), clients=free_address(),
                         to_rpc=os.path.join(stack.folder, "hospital.rpc"), to_clients="127.0.0.1:1")
        with hospital, Wires(pki, "booking-svc", os.path.join(stack.folder, "booking"), hospital_rpc=hospital.settings["rpc"]) as booking:
            for _ in range(2):
                client = rpc.Client(booking.socket("hospital.rpc"))
                assert client.Check().message.status == 1
                client.close()
                subprocess.run([program("screenctl"), "pki", "renew", made], check=True, capture_output=True)
                hospital.renew()
                booking.renew()


# ---- what the door refuses to start with

def refused(door, words, *arguments):
    done = door.run(*(arguments or ("--check",)))
    assert done.returncode == 2 and done.stderr.rstrip().endswith(words), (words, done)


@once
def test_wires_refuse_wrong_settings_and_files(driver):
    del driver
    with folder_with_pki() as (folder, pki):
        certificate = pki.path("booking-svc", "tls.pem")

        def door(**settings):
            return Wires(pki, settings.pop("service", "booking-svc"), os.path.join(folder, "door"), **{"hospital_rpc": "127.0.0.1:1", **settings})
        assert door().run("--check").returncode == 0
        assert door().run("--help").stdout.startswith("usage: wires") and door().run("--helpless").returncode == 2
        refused(door(service="user-svc"), "WIRES_SERVICE=user-svc: must be hospital-svc, booking-svc, history-svc or gateway-svc")
        refused(door(connections="many"), "WIRES_CONNECTIONS=many: must be a number from 1 to 9999999")
        refused(door(rpc=free_address()), "WIRES_TO_RPC: must be set, because WIRES_RPC is")
        refused(door(hospital_rpc="127.0.0.1:99999"), "the settings above are wrong")
        os.rename(pki.path("booking-svc", "client-tls.pem"), pki.path("booking-svc", "away"))
        refused(door(clients=free_address(), to_clients="127.0.0.1:1"), pki.path("booking-svc", "client-tls.pem") + ": can't be read")
        refused(door(), "the wire door does not run", "--renew")
        os.chmod(certificate, 0o640)
        refused(door(), certificate + ": mode 640: must be readable by its owner only (chmod 600)")
        pki.services.issue(certificate, "booking-svc", "booking-svc", days=-1)
        refused(door(), certificate + ": the certificate has expired")
        Authority(folder, "services-ca").issue(certificate, "booking-svc", "booking-svc")
        refused(door(), "%s: is not of the authority in %s" % (certificate, pki.services.certificate))
        with open(certificate, "w", encoding="ascii") as file:
            file.write("")
        refused(door(), certificate + ": has no certificate")
        with open(certificate, "w", encoding="ascii") as file, open(pki.services.certificate, encoding="ascii") as other:
            file.write(other.read())
        refused(door(), certificate + ": must have the certificate and its key")


@once
def test_wires_keep_their_certificate_if_the_new_one_is_wrong(driver):
    del driver
    with folder_with_pki() as (folder, pki):
        with Wires(pki, "booking-svc", os.path.join(folder, "door"), rpc=free_address(), to_rpc=folder + "/rpc") as door:
            context = pki.context("hospital-svc")
            before = serial(door.settings["rpc"], context)
            pki.renew("booking-svc")
            os.chmod(pki.path("booking-svc", "tls.pem"), 0o640)
            refused(door, "(chmod 600)", "--renew")
            door.process.send_signal(signal.SIGUSR2)  # a reload reads the door's own copies, which are as before
            wait_for("a new process serves", lambda: "Reloading" in door.log() and "success" in door.log().rpartition("Reloading")[2])
            assert serial(door.settings["rpc"], context) == before
