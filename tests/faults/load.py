"""Runs many concurrent clients, each with its own connections, that book, cancel, look up, repeat requests and change hospitals.
Every attempt is recorded with its answer."""
import collections
import random
import threading
import time
import traceback

from faults.history import plain
from kit import rpc
from kit.ids import new_id
from kit.world import CONFIRMED, day

UNKNOWN = (rpc.UNAVAILABLE, rpc.DEADLINE_EXCEEDED, rpc.RESOURCE_EXHAUSTED, rpc.INTERNAL)
PATIENCE_S = 30  # time to get a definite answer after the end of all faults


class World:
    """The state that the clients share."""

    def __init__(self, randoms):
        self.lock = threading.Lock()
        self.random = randoms
        self.hospitals = []  # {"hospital_id", "dates"}
        self.recent = collections.deque(maxlen=400)  # CreateBooking requests
        self.deletions = 0

    def add(self, hospital):
        with self.lock:
            self.hospitals.append(hospital)


class Client:
    """A client. Only `run` belongs to the client's thread; other threads read the other members. With several replicas, the client
    calls one of them, and its twin calls another."""

    def __init__(self, load, index):
        self.load, self.name, self.index = load, "c%d" % index, index
        self.random = random.Random(load.plan["seed"] * 1000 + index)
        self.connections = {}

    # ---- attempts

    def connection(self, service, twin=False):
        key = (service, twin)
        if key not in self.connections:
            timeout_s = self.load.plan["budget_ms"] / 1000 + 1
            addresses = self.load.addresses[service]
            self.connections[key] = rpc.Client(addresses[(self.index + twin) % len(addresses)], timeout=timeout_s)
        return self.connections[key]

    def drop(self, service, twin=False):
        client = self.connections.pop((service, twin), None)
        if client is not None:
            client.close()

    def begin(self, service, op, ident, request, twin=False):
        """Sends a request. Returns the argument for `finish`."""
        record = {"client": self.name + ("b" if twin else ""), "op": op, "id": ident, "request": request,
                  "begin_ns": time.monotonic_ns(), "end_ns": 0, "answer": None}
        self.load.begun(record)
        try:
            client = self.connection(service, twin)
            sent = client.send(op, timeout_ms=self.load.plan["budget_ms"], **request)
        except OSError:
            self.drop(service, twin)
            client = sent = None
        return service, twin, record, client, sent

    def finish(self, begun):
        """Waits for the answer, records it and returns it. Returns None if no answer came."""
        service, twin, record, client, sent = begun
        reply = None
        if sent is not None:
            try:
                reply = client.receive(sent)
            except OSError:
                if self.connections.get((service, twin)) is client:
                    self.drop(service, twin)
        self.load.ended(record)
        if reply is not None:
            record["answer"] = {"code": reply.code, "reason": reply.reason, "retry_after_ms": reply.retry_after_ms}
            if reply.code == rpc.OK:
                record["answer"]["message"] = plain(reply.message)
        self.load.note(record)
        return reply

    def attempt(self, service, op, ident, **request):
        return self.finish(self.begin(service, op, ident, request))

    def ask(self, service, op, ident, **request):
        """Repeats the request until the answer is definite, and returns that answer. With several replicas, each attempt goes to
        another one than the attempt before."""
        replicas, attempts = len(self.load.addresses[service]), 0
        while True:
            reply = self.finish(self.begin(service, op, ident, request, twin=attempts % replicas == 1))
            attempts += 1
            if reply is not None and reply.code not in UNKNOWN:
                return reply
            if self.load.out_of_patience():
                self.load.problems.append("%s %s has no definite answer %d s after the last fault, the last was: %r"
                                          % (op, ident, PATIENCE_S, reply))
                return None
            time.sleep(min(reply.retry_after_ms if reply else 0, 200) / 1000 + self.random.uniform(0.01, 0.05))

    def may_give_up(self, service, op, ident, **request):
        """Makes one attempt in a quarter of all cases, and otherwise repeats the request until the answer is definite, because some
        people give up."""
        once = self.random.random() < 0.25
        return (self.attempt if once else self.ask)(service, op, ident, **request)

    # ---- actions of clients

    def pick_hospital(self):
        world = self.load.world
        with world.lock:
            # Half of all bookings are for the first hospital.
            return world.hospitals[0] if self.random.random() < 0.5 else self.random.choice(world.hospitals)

    def new_booking(self, hospital=None):
        hospital = hospital or self.pick_hospital()
        request = {"booking_id": new_id(), "customer_id": "customer-%d" % self.random.randrange(40),
                   "customer_name": "김하늘", "hospital_id": hospital["hospital_id"],
                   "date": self.random.choice(hospital["dates"]), "headcount": self.random.choice((1, 1, 1, 2, 3)),
                   "queue_if_unavailable": self.random.random() < 0.3}
        self.load.world.recent.append(request)
        return request

    def any_booking(self):
        recent = self.load.world.recent
        return self.random.choice(list(recent)) if recent else self.new_booking()

    def create(self):
        request = self.new_booking()
        self.may_give_up("booking", "CreateBooking", request["booking_id"], **request)

    def burst(self):
        """Sends many bookings for one hospital at once, on one connection."""
        hospital = self.pick_hospital()
        requests = [self.new_booking(hospital) for _ in range(self.random.randint(5, 40))]
        begun = [self.begin("booking", "CreateBooking", r["booking_id"], r) for r in requests]
        for one in begun:
            self.finish(one)

    def repeat(self):
        request = self.any_booking()
        self.attempt("booking", "CreateBooking", request["booking_id"], **request)

    def twins(self):
        """Sends the same new booking over two connections at the same time."""
        request = self.new_booking()
        begun = [self.begin("booking", "CreateBooking", request["booking_id"], request, twin) for twin in (False, True)]
        for one in begun:
            self.finish(one)

    def cancel(self):
        ident = self.any_booking()["booking_id"]
        self.may_give_up("booking", "CancelBooking", ident, booking_id=ident, reason="r")

    def create_and_cancel(self):
        """Sends the cancellation right after the booking, before the answer to the booking has arrived."""
        request = self.new_booking()
        ident = request["booking_id"]
        begun = [self.begin("booking", "CreateBooking", ident, request),
                 self.begin("booking", "CancelBooking", ident, {"booking_id": ident, "reason": "r"}, True)]
        for one in begun:
            self.finish(one)

    def look(self):
        ident = self.any_booking()["booking_id"]
        self.attempt("booking", "GetBooking", ident, booking_id=ident)

    def look_back(self):
        ident = self.any_booking()["booking_id"]
        self.attempt("history", "GetBookingHistory", ident, booking_id=ident)

    def availability(self):
        hospital = self.pick_hospital()
        reply = self.attempt("hospital", "GetAvailability", hospital["hospital_id"], hospital_id=hospital["hospital_id"],
                             from_date=hospital["dates"][0], to_date=hospital["dates"][-1])
        if reply is not None and reply.code == rpc.OK and self.random.random() < 0.3:
            # The change succeeds only if no other client has changed the day in the meantime.
            seen = self.random.choice(reply.message.days)
            self.set_capacity(hospital["hospital_id"], seen.date, seen.version)

    def capacity(self):
        hospital = self.pick_hospital()
        self.set_capacity(hospital["hospital_id"], self.random.choice(hospital["dates"]), 0)

    def set_capacity(self, ident, date, expected_version):
        low, high = self.load.plan["capacity"]
        self.may_give_up("hospital", "SetCapacity", ident, hospital_id=ident, date=date,
                         capacity=self.random.randint(low // 2, high), expected_version=expected_version)

    def register(self, capacity=None, in_world=True):
        """Registers a hospital. If `in_world` is true, all clients may use the hospital."""
        low, high = self.load.plan["capacity"]
        dates = [day(offset) for offset in self.load.plan["days"]]
        request = {"hospital_id": new_id(), "name": "한빛검진센터", "address": "서울",
                   "days": [{"date": date, "capacity": capacity or self.random.randint(low, high)} for date in dates]}
        reply = self.ask("hospital", "RegisterHospital", request["hospital_id"], **request)
        hospital = {"hospital_id": request["hospital_id"], "dates": dates}
        if reply is not None and reply.code == rpc.OK and in_world:
            self.load.world.add(hospital)
        return hospital

    def probe(self, hospital, replica):
        """Books at a hospital that has places left. Returns whether the booking is confirmed through this replica of
        booking-svc."""
        request = {"booking_id": new_id(), "customer_id": "customer-0", "customer_name": "김하늘",
                   "hospital_id": hospital["hospital_id"], "date": hospital["dates"][0], "headcount": 1}
        begun = self.begin("booking", "CreateBooking", request["booking_id"], request, twin=replica != "booking")
        reply = self.finish(begun)
        return reply is not None and reply.code == rpc.OK and reply.message.status == CONFIRMED

    def delete(self):
        """Deletes one of the hospitals, up to the limit of the plan. Never deletes the first two, so that some always remain."""
        world = self.load.world
        with world.lock:
            if world.deletions >= self.load.plan["deletions"] or len(world.hospitals) < 3:
                return
            world.deletions += 1
            ident = self.random.choice(world.hospitals[2:])["hospital_id"]
        self.may_give_up("hospital", "DeleteHospital", ident, hospital_id=ident)

    DOINGS = ((create, 34), (burst, 6), (repeat, 10), (twins, 6), (cancel, 14), (create_and_cancel, 4), (look, 8),
              (look_back, 4), (availability, 5), (capacity, 5), (register, 1), (delete, 1))

    def run(self):
        # In a round with a restore, the hospitals stay unchanged.
        changes = (Client.capacity, Client.register, Client.delete, Client.availability)
        doings, weights = zip(*(one for one in self.DOINGS if not self.load.plan.get("went_back") or one[0] not in changes))
        try:
            while not self.load.ending.is_set():
                self.random.choices(doings, weights)[0](self)
                time.sleep(self.random.random() * self.load.plan["think_ms"] / 1000)
        except Exception:
            self.load.problems.append("client %s: %s" % (self.name, traceback.format_exc()))
        finally:
            for service, twin in list(self.connections):
                self.drop(service, twin)


class Load:
    """Runs the clients of a round. `addresses` maps each service to the addresses of its replicas. `history` records every
    attempt."""

    def __init__(self, plan, addresses, history):
        self.plan, self.addresses, self.history = plan, addresses, history
        self.world = World(random.Random(plan["seed"]))
        self.problems = []
        self.ending = threading.Event()
        self.calls, self._ended_at = 0, None
        self._lock = threading.Lock()
        self._under_way = collections.Counter()  # calls in flight, by method and way
        self._threads = []

    def begun(self, record):
        with self._lock:
            self._under_way[record["op"], record.get("way", "")] += 1

    def ended(self, record):
        with self._lock:
            record["end_ns"] = time.monotonic_ns()
            self._under_way[record["op"], record.get("way", "")] -= 1

    def met_ns(self, concerns):
        """Returns the current time in ns, by the clock of the records, if a call for whose method and way concerns(op, way) is
        true is in flight. Otherwise returns None."""
        with self._lock:
            return time.monotonic_ns() if any(concerns(*one) for one, count in self._under_way.items() if count) else None

    def note(self, record):
        self.history.append(record)
        with self._lock:
            self.calls += 1

    def out_of_patience(self):
        return self._ended_at is not None and time.monotonic() > self._ended_at + PATIENCE_S

    def start(self):
        """Registers the first hospitals, then starts all clients."""
        first = Client(self, 0)
        for _ in range(self.plan["hospitals"]):
            first.register()
        self._threads = [threading.Thread(target=Client(self, index + 1).run, daemon=True)
                         for index in range(self.plan["clients"])]
        for thread in self._threads:
            thread.start()

    def client(self):
        """Returns a client for a caller that is not part of the load."""
        return Client(self, 0)

    def end(self):
        """Lets the clients finish their current work, and waits until they all have. Call it after the end of all faults."""
        self._ended_at = time.monotonic()
        self.ending.set()
        for thread in self._threads:
            thread.join(timeout=PATIENCE_S + 10)
            if thread.is_alive():
                self.problems.append("a client hangs")

    def look_at_all(self, count):
        """Asks the services for the final state of `count` bookings, and records the answers too."""
        last = Client(self, len(self._threads) + 1)
        for request in list(self.world.recent)[-count:]:
            ident = request["booking_id"]
            last.attempt("booking", "GetBooking", ident, booking_id=ident)
            last.attempt("history", "GetBookingHistory", ident, booking_id=ident)
