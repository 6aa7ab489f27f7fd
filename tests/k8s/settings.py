"""Gives the settings of the containers to the real programs: what --help does not know, and what they refuse."""
import os
import re
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SERVICES = ("hospital-svc", "booking-svc", "history-svc", "gateway-svc")
DOORS = {"wires": "deploy/wires/wires", "front": "deploy/front/front"}
PREFIXES = {"wires": "WIRES_", "front": "FRONT_", **dict.fromkeys(SERVICES, "SCREENING_")}
DEADLINE_S = 30


class Programs:
    """The programs of a build. `run` plays /run/screening of a pod, with the keys of all services."""

    def __init__(self, build_folder, run):
        self.paths = {name: os.path.join(build_folder, name, name) for name in SERVICES}
        self.paths.update((name, os.path.join(ROOT, path)) for name, path in DOORS.items())
        self.run, self.helps, self.tried = run, {}, {}
        os.makedirs(os.path.join(run, "sockets"), mode=0o700)
        self._run([os.path.join(build_folder, "cli/screenctl"), "pki", "init", os.path.join(run, "pki")], {}).check_returncode()

    def _run(self, command, environment):
        own = {name: value for name, value in os.environ.items() if not name.startswith(tuple(PREFIXES.values()))}
        return subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=DEADLINE_S,
                              env={**own, **environment})

    def help(self, program):
        if program not in self.helps:
            self.helps[program] = self._run([self.paths[program], "--help"], {}).stdout
        return self.helps[program]

    def check(self, container):
        """Yields a line for each setting that the program does not know, or else why it does not start with them."""
        if container.program not in self.paths:
            yield "%s: %s is none of our images" % (container.where, container.program)
            return
        words = set(re.findall(r"[A-Z][A-Z_]+[A-Z]|--[a-z-]+", self.help(container.program)))
        used = [argument.partition("=")[0] for argument in container.arguments]
        used += [name for name in container.environment if name.startswith(PREFIXES[container.program])]
        unknown = [name for name in used if name not in words]
        for name in unknown:
            yield "%s: %s does not know %s" % (container.where, container.program, name)
        if not unknown:
            complaint = self._try(container)
            if complaint:
                yield "%s: %s" % (container.where, complaint)

    def _try(self, container):
        """Lets the program check the settings without running. Returns its message if it refuses them."""
        def here(value):
            return value.replace("/run/screening/", self.run + "/")
        environment = {name: here(value) for name, value in container.environment.items() if name.startswith(PREFIXES[container.program])}
        command = [self.paths[container.program], *map(here, container.arguments), "--check" if container.program in DOORS else "--print-config"]
        if container.program == "front":
            environment.update(FRONT_FOLDER=os.path.join(self.run, "front"), FRONT_CERTIFICATE=os.path.join(self.run, "pki/front/tls.pem"))
        key = (*command, *sorted(environment.items()))
        if key not in self.tried:
            done = self._run(command, environment)
            self.tried[key] = done.stderr.strip().replace(self.run, "/run/screening") if done.returncode != 0 else ""
        return self.tried[key]
