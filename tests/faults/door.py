"""The front door of a round: HAProxy in front of gateway-svc, the faults that hit either of them, and customers that book over HTTP."""
import collections
import contextlib
import http.client
import os
import random
import signal
import threading
import time
import traceback

from google.protobuf import json_format

from faults.facts import REJECTIONS
from faults.history import plain
from kit import rpc
from kit.front import Front
from kit.ids import keyed_id, new_id
from kit.stack import DEADLINE_S, wait_for
from kit.web import Client

CUSTOMERS = 4
# Answers that do not say whether the booking was made, of HAProxy or of the gateway: the same request is sent again.
REPEATED = {408: rpc.UNAVAILABLE, 429: rpc.RESOURCE_EXHAUSTED, 500: rpc.INTERNAL, 502: rpc.UNAVAILABLE, 503: rpc.UNAVAILABLE,
            504: rpc.DEADLINE_EXCEEDED}
ANSWERED = (201, 202)


class Door(Front):
    """A front door that faults may end at any time. `lock` is held during a fault."""

    def __init__(self, gateway):
        super().__init__(gateway, address_connections=2000, address_requests=100000,
                         address_streams=1500)
        self.lock = threading.Lock()

    def signal(self, number, with_master=True):
        """Sends a signal to all processes of HAProxy that serve and, by default, to their master."""
        for pid in self.workers():
            with contextlib.suppress(ProcessLookupError):  # it may just have ended
                os.kill(pid, number)
        if with_master:
            self.process.send_signal(number)

    def kill(self, with_master):
        """Kills all processes, or those that serve, after which the master ends by itself."""
        self.signal(signal.SIGKILL, with_master)
        self.process.wait(timeout=DEADLINE_S)

    def heal(self):
        """Lets the front door serve again, whatever a fault has left."""
        with self.lock:
            if self.process.poll() is None:
                self.signal(signal.SIGCONT)
            else:
                self.start()


class DoorFaults:
    """The faults that a plan names. Each returns when it is over and the front door serves again."""

    def __init__(self, stack, fault):
        self.stack, self.door, self.fault = stack, stack.door, fault

    def kill(self):
        self._kill(with_master=True)

    def kill_worker(self):
        self._kill(with_master=False)

    def _kill(self, with_master):
        self.door.kill(with_master)
        time.sleep(self.fault["down_s"])
        self.door.start()

    def pause(self):
        self.door.signal(signal.SIGSTOP)
        time.sleep(self.fault["pause_s"])
        self.door.signal(signal.SIGCONT)

    def reload(self):
        self.door.reload()

    def stop(self):
        self.door.stop()
        self.door.start()

    def kill_gateway(self):
        self.stack.kill(["gateway"])
        time.sleep(self.fault["down_s"])
        self.stack.revive("gateway")
        self._wait_gateway()

    def stop_gateway(self):
        self.stack.stop_and_start("gateway")
        self._wait_gateway()

    def _wait_gateway(self):
        wait_for("gateway-svc is ready", self.stack.services["gateway"].serving)

    def apply(self, how):
        with self.door.lock:
            getattr(self, how)()


HOWS = ("kill", "kill_worker", "pause", "reload", "stop", "kill_gateway", "stop_gateway")


def read_answer(answer):
    """Returns an answer over HTTP as the record of an attempt has it."""
    if answer.code in ANSWERED:
        booking = json_format.Parse(answer.body, rpc.types_pb2.Booking())
        return {"code": rpc.OK, "reason": "", "retry_after_ms": 0, "message": plain(booking)}
    problem = answer.json if answer.headers.get("Content-Type") == "application/problem+json" else {}
    reason = problem.get("reason", "")
    if reason in REJECTIONS:
        return {"code": rpc.FAILED_PRECONDITION, "reason": reason, "retry_after_ms": 0}
    if answer.code not in REPEATED:
        raise AssertionError("POST /bookings was answered %r" % answer)
    # Of these reasons, only OVERLOADED says that nothing was executed.
    return {"code": REPEATED[answer.code], "reason": reason if reason == "OVERLOADED" else "",
            "retry_after_ms": problem.get("retry_after_ms", 0)}


class DoorCustomers:
    """Customers that book through the front door. Each booking has an Idempotency-Key and a customer of its own, and its request is
    repeated until the answer is definite."""

    def __init__(self, address, load):
        self.address, self.load = address, load
        self.problems = []
        self.keys = {}  # of each customer, whose only booking has the id that follows from the key
        self._threads = [threading.Thread(target=self._run, args=(number,), daemon=True) for number in range(CUSTOMERS)]

    def start(self):
        for thread in self._threads:
            thread.start()

    def join(self):
        """Waits until all have their last answer. Call it after the end of the load."""
        for thread in self._threads:
            thread.join(timeout=DEADLINE_S)
            if thread.is_alive():
                self.problems.append("a customer of the front door hangs")

    def _run(self, number):
        randoms = random.Random(self.load.plan["seed"] * 1000 + 500 + number)
        customer = DoorCustomer(self, number, randoms)
        try:
            while not self.load.ending.is_set():
                customer.book()
                time.sleep(randoms.random() * self.load.plan["think_ms"] / 1000)
        except Exception:
            self.problems.append("customer %d of the front door: %s" % (number, traceback.format_exc()))
        finally:
            customer.drop()

    def check(self, snapshot):
        """Returns the keys that have not exactly one booking. The checker compares the bookings with the answers."""
        booked = collections.defaultdict(list)
        for booking in snapshot["bookings"]:
            booked[booking["customer_id"]].append(booking["booking_id"])
        problems = ["no booking was made through the front door"] if not self.keys else []
        for customer, (key, booking_id) in self.keys.items():
            if booked[customer] != [booking_id]:
                problems.append("Idempotency-Key %s: expected one booking, %s, but there are: %s" % (
                    key, booking_id, ", ".join(booked[customer]) or "none"))
        return problems


class DoorCustomer:
    def __init__(self, customers, number, randoms):
        self.customers, self.load, self.number, self.random = customers, customers.load, number, randoms
        self.made, self.client = 0, None

    def drop(self):
        if self.client is not None:
            self.client.close()
        self.client = None

    def book(self):
        """Books until the answer is definite. Sends every fourth request once more after that."""
        hospital = self.random.choice(self.load.world.hospitals)
        self.made += 1
        customer = "door-%d-%d" % (self.number, self.made)
        key = new_id() if self.random.random() < 0.5 else "order %s of %s" % (self.made, customer)
        request = {"booking_id": key if "order" not in key else keyed_id(key), "customer_id": customer,
                   "customer_name": "김하늘", "hospital_id": hospital["hospital_id"],
                   "date": self.random.choice(hospital["dates"]), "headcount": self.random.choice((1, 1, 2)),
                   "queue_if_unavailable": False}
        self.customers.keys[customer] = key, request["booking_id"]
        while not self._attempt(key, request):
            if self.load.out_of_patience():
                self.customers.problems.append("Idempotency-Key %s has no definite answer" % key)
                return
            time.sleep(self.random.uniform(0.01, 0.05))
        if self.random.random() < 0.25:
            self._attempt(key, request)

    def _attempt(self, key, request):
        """Makes and records one attempt. Returns whether the answer is definite."""
        record = {"client": "d%d" % self.number, "op": "CreateBooking", "id": request["booking_id"], "request": request,
                  "way": "door", "begin_ns": time.monotonic_ns(), "end_ns": 0, "answer": None}
        body = {"customerId": request["customer_id"], "customerName": request["customer_name"], "date": request["date"],
                "hospitalId": request["hospital_id"], "headcount": request["headcount"]}
        budget_ms = self.load.plan["budget_ms"]
        self.load.begun(record)
        try:
            self.client = self.client or Client(self.customers.address, timeout=budget_ms / 1000 + 1)
            answer = self.client.post("/bookings", body, headers={"Idempotency-Key": key, "Request-Timeout-Ms": str(budget_ms)})
        except (OSError, http.client.HTTPException):
            self.drop()
            answer = None
        self.load.ended(record)
        record["answer"] = read_answer(answer) if answer is not None else None
        self.load.note(record)
        return record["answer"] is not None and record["answer"]["code"] in (rpc.OK, rpc.FAILED_PRECONDITION)
