"""Runs the real services on their own loopback address, with a proxy in each connection that the plan disturbs, and a
watch thread that restarts services ended by a fault point."""
import os
import random
import shutil
import signal
import struct
import subprocess
import threading
import time

from faults.proxy import Proxy
from kit.stack import BUILD, PROGRAMS, STUCK, Service, Stack

PORTS = {"hospital": (7101, 7102), "booking": (7201, 7202), "history": (7301, None),
         "hospital2": (7103, 7104), "booking2": (7203, 7204)}
SECOND = {"hospital": "hospital2", "booking": "booking2"}  # the names of the second replicas
CLOCK_STEP = os.path.join(BUILD, "tests/clock_step.so")
STOP_S = 15  # from SIGTERM to the end: the grace period of the drain is 10 s

# Connections in which a proxy can be put, as FROM>TO.WHAT.
RPC_LINKS = ("booking>hospital.rpc", "hospital>booking.rpc", "history>booking.rpc", "history>hospital.rpc")
EVENT_LINKS = ("booking>hospital.events", "hospital>booking.events", "history>booking.events",
               "history>hospital.events")
CLIENT_LINKS = ("client>booking.rpc", "client>hospital.rpc")


def database_links(driver):
    return tuple(name + ">postgresql" for name in PROGRAMS if driver == "postgresql" or name == "history")


def loopback():
    """Returns an address of this machine that probably nothing else uses, so that every port is free there."""
    return "127.%d.%d.%d" % tuple(random.SystemRandom().randint(1, 254) for _ in range(3))


class FaultStack(Stack):
    """Runs the services under faults. `links`: where proxies are wanted. `points`: {service: [SCREENING_FAULTS of its
    first start, of its second, ...]}. `clock`: whether the services' wall clocks can be stepped. `replicas`: whether
    hospital-svc and booking-svc run twice, each pair on one PostgreSQL database; the second replicas call and follow
    each other, and history-svc follows the first ones."""

    def __init__(self, driver, cluster_url, flags=None, links=(), points=None, clock=False, replicas=False):
        self.host, self.links = loopback(), links
        self.proxies, self.direct_urls = {}, {}
        self.points = {name: list(entries) for name, entries in (points or {}).items()}
        self.lock = threading.RLock()
        self.down = set()  # services that a fault has stopped and will restart itself
        self.killed = set()  # processes that a fault has ended with SIGKILL
        self.asked = set()  # processes asked to stop; a second request would end them at once
        self.muted = set()  # processes whose logs may lack lines because of a full disk
        self.problems, self.kept = [], None
        self._watching = threading.Event()
        super().__init__(driver, flags=flags, cluster_url=cluster_url)
        if replicas:
            for name, second in SECOND.items():
                self.services[second] = self._second(name, second)
        self.names = tuple(self.services)
        for service in self.services.values():
            service.supervised = False  # _watch starts it again, with its next fault points
        self.clock = clock
        if clock:
            # for a sanitizer's runtime, which must be the first library
            asan = os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"
            for name in PROGRAMS:
                self.step_clock(name, 0)
                self.services[name].environment.update(
                    {"LD_PRELOAD": CLOCK_STEP, "SCREENING_CLOCK_STEP": self._clock_file(name), "ASAN_OPTIONS": asan})

    # ---- addresses

    def address(self, name):
        service, what = name.split(".")
        return "tcp://%s:%d" % (self.host, PORTS[service][what == "events"])

    def _flags(self, name):
        flags = super()._flags(name)
        for other in ("hospital", "booking"):
            for what in ("rpc", "events"):
                if other != name:
                    flags["%s-%s" % (other, what)] = self._by_way_of("%s>%s.%s" % (name, other, what))
        link = name + ">postgresql"
        self.direct_urls[name] = flags["database"]
        if link in self.links:
            flags["database"] = self._database_by_way_of(link, flags["database"])
        return flags

    def _second(self, name, second):
        flags = {**self.services[name].flags, "rpc-listen": self.address(second + ".rpc"),
                 "events-listen": self.address(second + ".events")}
        other = "booking" if name == "hospital" else "hospital"
        flags.update({other + "-rpc": self.address(SECOND[other] + ".rpc"),
                      other + "-events": self.address(SECOND[other] + ".events")})
        service = Service(self, name, flags)
        service.log_path = os.path.join(self.folder, second + ".log")
        return service

    def replicas_of(self, name):
        """Returns the names of all processes on this service's database, the first replica first."""
        return [one for one in self.names if self.services[one].name == name]

    def _by_way_of(self, link):
        target = self.address(link.split(">")[1])
        if link not in self.links:
            return target
        if link not in self.proxies:
            self.proxies[link] = Proxy("tcp://%s:0" % self.host, target, framed=link.endswith(".events"))
        return self.proxies[link].address

    def _database_by_way_of(self, link, url):
        folder = os.path.join(self.folder, link.replace(">", "-"))
        os.mkdir(folder)
        server = url.split("host=")[1].split("&")[0]
        self.proxies[link] = Proxy("ipc://%s/.s.PGSQL.5432" % folder, "ipc://%s/.s.PGSQL.5432" % server)
        return url.replace(server, folder)

    def client_address(self, name):
        return self._by_way_of("client>%s.rpc" % name)

    def url(self, name):
        return self.direct_urls[name]

    # ---- processes

    def spawn(self, name, **more):
        """Starts the process with its next fault points. `more`: additional flags for this start."""
        service = self.services[name]
        entries = self.points.get(name)
        service.environment["SCREENING_FAULTS"] = entries.pop(0) if entries else ""
        service.spawn(**more)

    def kill(self, names):
        """Kills all of these at the same moment with SIGKILL. They stay down until `revive`."""
        with self.lock:
            self.down.update(names)
            processes = [self.services[name].process for name in names]
            self.killed.update(processes)
            for process in processes:
                process.send_signal(signal.SIGKILL)
            for process in processes:
                process.wait()

    def revive(self, name, **more):
        """Restarts the process, unless another concurrent fault has done so."""
        with self.lock:
            if name in self.down and self.services[name].process.poll() is not None:
                self.spawn(name, **more)
                self.down.discard(name)

    def begin_stop(self, name):
        """Sends SIGTERM. The service stays down until `revive`."""
        with self.lock:
            self.down.add(name)
            self._ask_to_stop(self.services[name].process)

    def _ask_to_stop(self, process):
        """Sends SIGTERM, unless another fault has already sent it. The caller holds the lock."""
        if process not in self.asked:
            self.asked.add(process)
            process.send_signal(signal.SIGTERM)

    def stop_and_start(self, name):
        """Sends SIGTERM, expects exit code 0, and restarts the process."""
        self.stop([name])
        self.revive(name)

    def stop(self, names):
        """Stops all of these with SIGTERM and expects exit code 0. They stay down until `revive`."""
        for name in names:
            self.begin_stop(name)
        for name in names:
            self.end(name)

    def end(self, name):
        """Sends SIGTERM. Anything but exit code 0 in time is a problem, unless a fault point ended the process."""
        with self.lock:
            process = self.services[name].process
            self._ask_to_stop(process)
        try:
            code = process.wait(timeout=STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            self.problems.append("%s-svc did not end within %d s of SIGTERM" % (name, STOP_S))
            return
        if code not in (0, STUCK) and process not in self.killed and not self._crashed_by_point(name):
            self.problems.append("%s-svc ended with %d after SIGTERM" % (name, code))

    def _crashed_by_point(self, name):
        process = self.services[name].process
        # other threads may have written a line between this one and the end
        return process.returncode == -signal.SIGKILL and (process in self.muted or any(
            line.get("event") == "fault.fired" and line.get("action") == "crash"
            for line in self.services[name].log_lines()[-5:]))

    def watch(self):
        """Restarts services that end by themselves, until `unwatch`. Only a fault point or a stuck transport may end
        one."""
        self._watching.set()
        threading.Thread(target=self._watch, daemon=True).start()

    def unwatch(self):
        with self.lock:
            self._watching.clear()

    def _watch(self):
        while self._watching.is_set():
            for name in self.names:
                with self.lock:
                    process = self.services[name].process
                    if not self._watching.is_set() or name in self.down or process.poll() is None:
                        continue
                    if process.returncode != STUCK and not self._crashed_by_point(name):
                        self.problems.append("%s-svc ended by itself with %d" % (name, process.returncode))
                    self.spawn(name)
            time.sleep(0.01)

    # ---- clocks

    def _clock_file(self, name):
        return os.path.join(self.folder, name + ".clock")

    def step_clock(self, name, offset_s):
        """Makes the service's wall clock wrong by this much from now on."""
        with open(self._clock_file(name), "r+b" if os.path.exists(self._clock_file(name)) else "wb") as file:
            file.write(struct.pack("q", int(offset_s * 1e9)))

    # ---- begin and end

    def __enter__(self):
        try:
            for name in self.names:
                self.spawn(name)
            self.watch()
        except BaseException:
            self.close(failed=True)
            raise
        return self

    def ready(self):
        """Returns whether all services report that they are serving."""
        def serving(service):
            try:
                return service.serving()
            except AssertionError:
                return False  # it has just ended, and the watch thread restarts it
        return all(serving(self.services[name]) for name in self.names)

    def heal(self):
        """Undoes the effects of all faults, and starts services that are down."""
        for proxy in self.proxies.values():
            proxy.heal()
        for name in self.names:
            with self.lock:
                self.revive(name)
                self.services[name].process.send_signal(signal.SIGCONT)
            if self.clock:
                self.step_clock(name, 0)

    def end_all(self):
        self.unwatch()
        for name in ("booking", "booking2", "hospital", "hospital2", "history"):
            if name in self.names:
                self.end(name)
        self.problems += self._sanitizer_reports()

    def keep(self, folder):
        """Moves everything to this folder instead of deleting it. Call it before the end of `with`."""
        self.kept = folder

    def close(self, failed=False):
        self.unwatch()
        for name in self.names:
            process = self.services[name].process
            if process is not None and process.poll() is None:
                process.kill()
                process.wait()
        for client in self.clients:
            client.close()
        for proxy in self.proxies.values():
            proxy.close()
        if self.kept:
            self._dump()
            shutil.move(self.folder, self.kept)
        super().close(failed=False)

    def _dump(self):
        for name in PROGRAMS:
            if self.url(name).startswith("postgresql:"):
                with open(os.path.join(self.folder, name + ".sql"), "wb") as out:
                    subprocess.run(["pg_dump", self.url(name)], stdout=out, stderr=out, check=False)
