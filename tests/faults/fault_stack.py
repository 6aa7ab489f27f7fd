"""Runs the real services, at sockets or at a loopback address of their own, with a proxy in each connection that the plan disturbs,
and a watch thread that restarts services ended by a fault point."""
import os
import random
import shutil
import signal
import struct
import subprocess
import threading
import time

from faults.door import Door
from faults.proxy import Proxy
from kit.stack import BUILD, PROGRAMS, STUCK, Service, Stack

PORTS = {"hospital": (7101, 7102), "booking": (7201, 7202), "history": (7301, None),
         "hospital2": (7103, 7104), "booking2": (7203, 7204), "history2": (7303, None)}
REPLICAS = {name: (name, name + "2") for name in PROGRAMS}  # names of the two processes of a service
CLOCK_STEP = os.path.join(BUILD, "tests/clock_step.so")
STOP_S = 15  # time from SIGTERM to the end of a process; the grace period of the drain is 10 s

# The connections in which a proxy can be put, as FROM>TO.WHAT. With replicas, FROM and TO are processes, such as booking2.
RPC_LINKS = ("booking>hospital.rpc", "hospital>booking.rpc", "history>booking.rpc", "history>hospital.rpc")
EVENT_LINKS = ("booking>hospital.events", "hospital>booking.events", "history>booking.events",
               "history>hospital.events")
CLIENT_LINKS = ("client>booking.rpc", "client>hospital.rpc")


def database_links(driver):
    return tuple(name + ">postgresql" for name in PROGRAMS if driver == "postgresql" or name == "history")


def loopback():
    """Returns a random loopback address. Other programs hardly use it, so every port is free there."""
    return "127.%d.%d.%d" % tuple(random.SystemRandom().randint(1, 254) for _ in range(3))


def _has_begun(pid):
    """Returns whether SIGTERM no longer kills the service. It then ignores SIGXFSZ; the mask of blocked signals is no evidence,
    because sigtimedwait empties it while it waits."""
    with open("/proc/%d/status" % pid, encoding="ascii") as status:
        ignored = next(line.split()[1] for line in status if line.startswith("SigIgn:"))
    return bool(int(ignored, 16) >> (signal.SIGXFSZ - 1) & 1)


class FaultStack(Stack):
    """Runs the services under faults. `links` names the connections that get a proxy. `points` maps each service to
    [SCREENING_FAULTS of its first start, of its second, ...]. If `clock` is true, the services' wall clocks can be stepped. If
    `replicas` is true, each service runs twice, both processes on one PostgreSQL database, and every process calls and follows both
    processes of another service. If `door` is true, gateway-svc and the front door run too. Services whose clocks differ refuse each other's tokens, so a stack with `clock` is insecure, and then its services listen at TCP addresses."""

    def __init__(self, driver, cluster_url, flags=None, links=(), points=None, clock=False, replicas=False, door=False):
        self.host, self.links, self.replicas = loopback(), links, replicas
        self.proxies, self.direct_urls = {}, {}
        self.points = {name: list(entries) for name, entries in (points or {}).items()}
        self.lock = threading.RLock()
        self.down = set()  # services that a fault has stopped and will restart
        self.killed = set()  # processes that a fault has ended with SIGKILL
        self.asked = set()  # processes that got a SIGTERM; a second one would end them at once
        self.muted = set()  # processes whose logs may lack lines because of a full disk
        self.problems, self.kept = [], None
        self._watching = threading.Event()
        super().__init__(driver, flags=flags, cluster_url=cluster_url, gateway=door, insecure=clock)
        self.door = Door(self.gateway_svc.behind_door) if door else None
        if replicas:
            for name, (_, second) in REPLICAS.items():
                self.services[second] = self._second(name, second)
        self.names = tuple(self.services)
        for service in self.services.values():
            service.supervised = False  # _watch starts the service again, with its next fault points
        self.clock = clock
        if clock:
            # A sanitizer's runtime otherwise insists on being loaded first, but the library for the clock is preloaded.
            asan = os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"
            for name in PORTS.keys() & set(self.names):
                self.step_clock(name, 0)
                self.services[name].environment.update(
                    {"LD_PRELOAD": CLOCK_STEP, "SCREENING_CLOCK_STEP": self._clock_file(name), "ASAN_OPTIONS": asan})

    # ---- addresses

    def address(self, name):
        service, what = name.split(".")
        if what == "gateway" or (self.keyring and what != "clients"):
            return super().address(name)
        return "tcp://%s:%d" % (self.host, PORTS[service][what == "events"])

    def _flags(self, name):
        flags = super()._flags(name)
        self.direct_urls[name] = flags["database"]
        return {**flags, **self._disturbed(name, name)}

    def _gateway_flags(self):
        flags = super()._gateway_flags()
        for name in PROGRAMS:
            flags[name + "-rpc"] = ",".join(self.address(one + ".gateway") for one in self.replicas_of(name))
            if name != "history":
                flags[name + "-events"] = ",".join(self.address(one + ".events") for one in self.replicas_of(name))
        return flags

    def _disturbed(self, name, process):
        """Returns the flags of a process of the service `name` for the connections in which there may be proxies."""
        flags = {}
        for other in ("hospital", "booking"):
            for what in ("rpc", "events"):
                if other != name:
                    flags["%s-%s" % (other, what)] = ",".join(
                        self._by_way_of("%s>%s.%s" % (process, one, what)) for one in self.replicas_of(other))
        link, url = process + ">postgresql", self.direct_urls[name]
        flags["database"] = self._database_by_way_of(link, url) if link in self.links else url
        return flags

    def _second(self, name, second):
        """Returns the second process of the service `name`."""
        flags = {**self.services[name].flags, **self._disturbed(name, second)}
        for what, flag in (("rpc", "rpc-listen"), ("events", "events-listen"), ("clients", "client-listen"),
                           ("gateway", "gateway-listen")):
            if flag in flags:
                flags[flag] = self.address("%s.%s" % (second, what))
        service = Service(self, name, flags)
        service.log_path = os.path.join(self.folder, second + ".log")
        return service

    def replicas_of(self, name):
        """Returns the names of the replicas of a service, the first replica first."""
        return list(REPLICAS[name]) if self.replicas else [name]

    def _by_way_of(self, link, target=None):
        target = target or self.address(link.split(">")[1])
        if link not in self.links:
            return target
        if link not in self.proxies:
            # The two transports frame messages differently, so a proxy has the same on both sides.
            near = "tcp://%s:0" % self.host if target.startswith("tcp:") else super().address(link.replace(">", "-") + ".proxy")
            self.proxies[link] = Proxy(near, target, framed=link.endswith(".events"))
        return self.proxies[link].address

    def _database_by_way_of(self, link, url):
        folder = os.path.join(self.folder, link.replace(">", "-"))
        os.mkdir(folder)
        server = url.split("host=")[1].split("&")[0]
        self.proxies[link] = Proxy("ipc://%s/.s.PGSQL.5432" % folder, "ipc://%s/.s.PGSQL.5432" % server)
        return url.replace(server, folder)

    def client_address(self, name):
        return self._by_way_of("client>%s.rpc" % name, self.services[name].rpc)

    def url(self, name):
        return self.direct_urls[name]

    # ---- processes

    def spawn(self, name, **more):
        """Starts the service with its next fault points. `more` are additional flags for this start."""
        service = self.services[name]
        entries = self.points.get(name)
        service.environment["SCREENING_FAULTS"] = entries.pop(0) if entries else ""
        service.spawn(**more)

    def kill(self, names):
        """Sends SIGKILL to all the named services at once. They stay down until `revive`."""
        with self.lock:
            self.down.update(names)
            processes = [self.services[name].process for name in names]
            self.killed.update(processes)
            for process in processes:
                process.send_signal(signal.SIGKILL)
            for process in processes:
                process.wait()

    def revive(self, name, **more):
        """Restarts the service, unless another concurrent fault has restarted it."""
        with self.lock:
            if name in self.down and self.services[name].process.poll() is not None:
                self.spawn(name, **more)
                self.down.discard(name)

    def begin_stop(self, name):
        """Sends SIGTERM to the service, which then stays down until `revive`."""
        with self.lock:
            self.down.add(name)
            self._ask_to_stop(self.services[name].process)

    def _ask_to_stop(self, process):
        """Sends SIGTERM to the process once it has begun, unless another fault has done so. The caller must hold the lock."""
        if process not in self.asked:
            self.asked.add(process)
            deadline = time.monotonic() + STOP_S
            while process.poll() is None and not _has_begun(process.pid) and time.monotonic() < deadline:
                time.sleep(0.005)
            process.send_signal(signal.SIGTERM)

    def stop_and_start(self, name):
        """Stops the service with SIGTERM and restarts it. Any exit code but 0 is a problem."""
        self.stop([name])
        self.revive(name)

    def stop(self, names):
        """Stops all the named services with SIGTERM. Any exit code but 0 is a problem. They stay down until `revive`."""
        for name in names:
            self.begin_stop(name)
        for name in names:
            self.end(name)

    def end(self, name):
        """Sends SIGTERM and waits until the process ends. It is a problem if the process does not end within STOP_S or its exit
        code is not 0, unless a fault ended it."""
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
        # Other threads may have written lines between the line of the fault point and the end of the log.
        return process.returncode == -signal.SIGKILL and (process in self.muted or any(
            line.get("event") == "fault.fired" and line.get("action") == "crash"
            for line in self.services[name].log_lines()[-5:]))

    def watch(self):
        """Restarts services that end by themselves, until `unwatch`. Only a fault point or a stuck transport may end a service."""
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
        """Makes the service's wall clock wrong by `offset_s` seconds from now on."""
        with open(self._clock_file(name), "r+b" if os.path.exists(self._clock_file(name)) else "wb") as file:
            file.write(struct.pack("q", int(offset_s * 1e9)))

    # ---- start and end of the stack

    def __enter__(self):
        try:
            for name in self.names:
                self.spawn(name)
            self.watch()
            if self.door:
                self.door.start()
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
                return False  # the service has just ended, and the watch thread restarts it
        return all(serving(self.services[name]) for name in self.names)

    def heal(self):
        """Undoes the effects of all faults, and starts the services and the front door if they are down."""
        if self.door:
            self.door.heal()
        for proxy in self.proxies.values():
            proxy.heal()
        for name in self.names:
            with self.lock:
                self.revive(name)
                self.services[name].process.send_signal(signal.SIGCONT)
            if self.clock and name in PORTS:
                self.step_clock(name, 0)

    def end_all(self):
        self.unwatch()
        if self.door:
            self.door.stop()
        for name in ("gateway", "booking", "booking2", "hospital", "hospital2", "history", "history2"):
            if name in self.names:
                self.end(name)
        self.problems += self._sanitizer_reports()

    def keep(self, folder):
        """Makes the end of the `with` block move all files to `folder` instead of deleting them."""
        self.kept = folder

    def close(self, failed=False):
        self.unwatch()
        if self.door:
            self.door.close(failed or bool(self.kept))
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
