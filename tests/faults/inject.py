"""Applies faults to a running stack. Each method of Injector that is named after a kind applies one fault, as its part of the plan
describes it, and returns when the fault is over. A Strike is the moment of a fault."""
import os
import resource
import signal
import threading
import time
import traceback

from faults.door import DoorFaults
from faults.proxy import Mangler
from faults.restores import Restore
from kit import rpc
from kit.backup import back_up, restore, restore_live

WAIT_FOR_CALLS_S = 2.0  # a stack under many faults may accept no calls; the next fault then hits no call


class Strike:
    """A fault of the given kind, which can hit the calls that pass through any of `services`. at_ns is the time (monotonic ns) right
    before it. For a step of the clocks, until_ns is the time of the next step."""

    def __init__(self, kind, services, at_ns, sure=False):
        self.kind, self.services, self.at_ns, self.sure = kind, tuple(services), at_ns, sure
        self.until_ns = at_ns


class Injector:
    def __init__(self, stack, cluster, load, operator):
        self.stack, self.cluster, self.load, self.operator = stack, cluster, load, operator
        self.strikes, self.begun = [], time.monotonic()

    def run(self, faults):
        """Applies the faults in order. A fault that is marked `overlaps` continues during the next ones."""
        threads = []
        for fault in faults:
            self._wait_for_calls(fault["after_calls"])
            threads.append(threading.Thread(target=self._inject, args=(fault,), daemon=True))
            threads[-1].start()
            if not fault["overlaps"]:
                threads[-1].join()
        for thread in threads:
            thread.join()

    def _inject(self, fault):
        try:
            getattr(self, "_" + fault["kind"])(fault)
        except Exception:
            self.stack.problems.append("%s: %s" % (fault["kind"], traceback.format_exc()))

    def _wait_for_calls(self, count):
        goal, end = self.load.calls + count, time.monotonic() + WAIT_FOR_CALLS_S
        while self.load.calls < goal and time.monotonic() < end:
            time.sleep(0.005)

    def load_on(self, seconds):
        """Returns when the load has lasted `seconds` in total. Fault points may fire in that time."""
        time.sleep(max(0.0, self.begun + seconds - time.monotonic()))

    def _strike(self, kind, services, sure=False):
        """Waits until a call that the fault can hit is in flight, and records that moment. Call it right before the fault.
        `services` are services, processes of services, or the front door."""
        services = [self.stack.services[one].name if one in self.stack.services else one for one in services]
        end, at_ns = time.monotonic() + (0 if sure else WAIT_FOR_CALLS_S), None
        while at_ns is None and time.monotonic() < end:
            at_ns = self.load.met_ns(lambda op, way: concerns(services, op, way))
            if at_ns is None:
                time.sleep(0.001)
        self.strikes.append(Strike(kind, services, at_ns or time.monotonic_ns(), sure))
        return self.strikes[-1]

    def _kill(self, fault):
        if fault["gap_s"]:
            for name in fault["victims"]:
                self._strike("kill", [name])
                self.stack.kill([name])
                time.sleep(fault["gap_s"])
        else:
            for name in fault["victims"]:
                self._strike("kill", [name])
            self.stack.kill(fault["victims"])
        time.sleep(fault["down_s"])
        for name in fault["victims"]:
            self.stack.revive(name)

    def _door(self, fault):
        faults = DoorFaults(self.stack, fault)
        for how in fault["hows"]:
            self._wait_for_calls(fault["gap_calls"])
            self._strike("door", ["door"])
            faults.apply(how)

    def _restore(self, fault):
        """Makes a backup, and restores it after a number of calls."""
        name, begun_ns = fault["victim"], time.monotonic_ns()
        backup = back_up(self.stack, name)
        self._wait_for_calls(fault["calls"])
        with self.operator.lock:
            self._strike("restore", [name])
            self._go_back(name, backup, fault)
            self.operator.restored(Restore(name, begun_ns, time.monotonic_ns()))

    def _go_back(self, name, backup, fault):
        """Restores the backup while all replicas run, while one of them runs, or while none runs."""
        replicas = self.stack.replicas_of(name)
        killed = [] if fault["live"] else replicas[:1] if fault["half"] else replicas
        self.stack.kill(killed)
        (restore if killed == replicas else restore_live)(self.stack, name, backup)
        if killed:
            time.sleep(fault["down_s"])
        for one in killed:
            self.stack.revive(one)

    def _stop(self, fault):
        for name in fault["victims"]:
            self._strike("stop", [name])
            if fault["kill_after_s"] is None:
                self.stack.stop_and_start(name)
                continue
            # Kills the process in the middle of its drain.
            self.stack.begin_stop(name)
            time.sleep(fault["kill_after_s"])
            self.stack.kill([name])
            self.stack.revive(name)

    def _pause(self, fault):
        processes = [self.stack.services[name].process for name in fault["victims"]]
        for name, process in zip(fault["victims"], processes):
            self._strike("pause", [name])
            process.send_signal(signal.SIGSTOP)
        time.sleep(fault["for_s"])
        for process in processes:
            process.send_signal(signal.SIGCONT)

    def _database(self, fault):
        with self.cluster.lock:
            self._strike("database", self._users())
            self.cluster.kill(getattr(signal, fault["how"]))
            time.sleep(fault["down_s"])
            self.cluster.start()

    def _users(self):
        return ("hospital", "booking", "history") if self.stack.driver == "postgresql" else ("history",)

    def _hit_by(self, link):
        """Returns the processes whose calls pass through the link."""
        source, target = link.split(">")
        return [target.split(".")[0] if source == "client" else source]

    def _cut(self, fault):
        proxy = self.stack.proxies[fault["link"]]
        for _ in range(fault["times"]):
            self._strike("cut", self._hit_by(fault["link"]))
            proxy.refuse(fault["refuse_s"] > 0)
            proxy.cut()
            time.sleep(fault["refuse_s"])
            proxy.refuse(False)
            time.sleep(fault["gap_s"])

    def _delay(self, fault):
        proxy = self.stack.proxies[fault["link"]]
        self._strike("delay", self._hit_by(fault["link"]))
        if fault["delay_s"] == "hold":
            proxy.hold()
        else:
            proxy.delay_s = fault["delay_s"]
        time.sleep(fault["for_s"])
        proxy.hold(False)
        proxy.delay_s = 0.0

    def _pubsub(self, fault):
        mangler = Mangler(fault["seed"], **fault["share"])
        for link in fault["links"]:
            self.stack.proxies[link].mangler = mangler
        time.sleep(fault["for_s"])
        for link in fault["links"]:
            self.stack.proxies[link].mangler = None
        if mangler.count():
            self._strike("pubsub", (), sure=True)

    def _commit(self, fault):
        proxy = self.stack.proxies[fault["link"]]
        goal, end = proxy.answers_lost + fault["count"], time.monotonic() + WAIT_FOR_CALLS_S
        proxy.lose_answers(b"COMMIT", fault["count"])
        while proxy.answers_lost < goal and time.monotonic() < end:
            time.sleep(0.01)
        proxy.lose_answers(b"", 0)
        if proxy.answers_lost > goal - fault["count"]:
            self._strike("commit", (), sure=True)

    def _disk(self, fault):
        if fault["victim"] == "postgresql":
            self._disk_of_postgresql(fault)
            return
        # No file of the process can grow beyond the current size of its write-ahead log, plus a little.
        name = fault["victim"]
        process = self.stack.services[name].process
        path = self.stack.url(name)[len("sqlite:"):] + "-wal"
        limit = (os.path.getsize(path) if os.path.exists(path) else 0) + fault["room_bytes"]
        self._strike("disk", [name])
        self.stack.muted.add(process)
        try:
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
            time.sleep(fault["for_s"])
            # Remove the limit instead of restoring the previous one, which may belong to another fault that has ended in the
            # meantime.
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        except ProcessLookupError:
            pass  # another fault has ended the process in the meantime

    def _disk_of_postgresql(self, fault):
        """Limits the size of PostgreSQL's files. PostgreSQL may fail statements, or end if it cannot write its log. It is then
        started again."""
        with self.cluster.lock:
            self._strike("disk", self._users())
            self.cluster.limit_files(fault["room_bytes"])
            time.sleep(fault["for_s"])
            if self.cluster.runs():
                self.cluster.limit_files("unlimited")
            self.cluster.start()

    def _clock(self, fault):
        for step_s in fault["steps_s"]:
            strike = self._strike("clock", fault["victims"])
            for name in fault["victims"]:
                self.stack.step_clock(name, step_s)
            self._wait_for_calls(fault.get("calls", 0))
            time.sleep(fault["gap_s"])
            strike.until_ns = time.monotonic_ns()


CHANGING = ("CreateBooking", "CancelBooking", "SetCapacity", "RegisterHospital", "DeleteHospital")
ON_ITS_WAY_NS = 20_000_000  # maximum time from the answer to a call until the call's event reaches history-svc


def through(op, services, way=""):
    """Returns whether a call of the method `op` passes through one of the services, or by `way` to it."""
    if way in services:
        return True
    owner = rpc.METHODS[op][0].split("/")[0].split(".")[-1].replace("Service", "").lower()
    return owner in services or (op == "CreateBooking" and "hospital" in services)


def concerns(services, op, way=""):
    """Returns whether a fault of one of the services can hit a call of the method `op`, or the call's event on its way to
    history-svc. `way` is "door" if the call comes through the front door."""
    return through(op, services, way) or ("history" in services and op in CHANGING)


def calls_met(strike, records):
    """Returns how many calls through the strike's services were in flight at the moment of the strike. If history-svc is one of
    them, also counts the calls whose events were in flight."""
    met = 0
    for record in records:
        late_ns = ON_ITS_WAY_NS if "history" in strike.services and record["op"] in CHANGING else 0
        met += concerns(strike.services, record["op"], record.get("way", "")) and \
            record["begin_ns"] < strike.at_ns < record["end_ns"] + late_ns
    return met
