"""Makes three machines in namespaces of this machine, as docs/operations.md sets them up: its own commands run on each of them, with
the templates of deploy/ha.

A machine has its own network, processes, /etc and data. Only these differ from a real one: a stub of systemctl starts what the units
of Debian start, the packages are those of this machine, and no watchdog is there."""
import contextlib
import ctypes
import glob
import json
import os
import re
import secrets
import shutil
import ssl
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request

from kit.marks import Skipped
from kit.stack import wait_for

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
GUIDE = os.path.join(ROOT, "docs/operations.md")
TOOLS = {"/usr/bin/patroni": "patroni", "/usr/bin/etcd": "etcd-server", "/usr/bin/etcdctl": "etcd-client", "/usr/sbin/ip": "iproute2",
         "/usr/lib/python3/dist-packages/etcd": "python3-etcd"}
NUMBERS = (1, 2, 3)
NEW_MOUNTS, NEW_NETWORK = 0x00020000, 0x40000000  # CLONE_NEWNS, CLONE_NEWNET
STEP_S, READY_S = 60, 90
# The parts that the machines have in common with this one, except for their content.
OWN_FOLDERS = ("/etc", "/var/lib/etcd", "/var/lib/postgresql", "/run/postgresql")
INIT = """set -e
for name in %s; do mount --bind "$0$name" "$name"; done
ip link set lo up
echo ready
sleep infinity & wait
""" % " ".join(OWN_FOLDERS)
# What the units of Debian start.
SYSTEMCTL = """#!/bin/sh
case "$*" in
daemon-reload | "stop etcd") exit ;;
"restart etcd" | "start etcd") name=etcd user=etcd file=/etc/default/etcd command=/usr/bin/etcd ;;
"enable --now patroni" | "start patroni") name=patroni user=postgres file=/etc/patroni_env.conf command="/usr/bin/patroni /etc/patroni/config.yml" ;;
*) echo "systemctl: not known here: $*" >&2; exit 1 ;;
esac
set -a
HOME=$(getent passwd $user | cut -d: -f6)
. $file
setsid setpriv --reuid=$user --regid=$user --init-groups $command >>@FOLDER@/$name.log 2>&1 </dev/null &
echo $! >@FOLDER@/$name.pid
"""


def run(words, folder=None, environment=None):
    done = subprocess.run(words, capture_output=True, text=True, cwd=folder, timeout=STEP_S, check=False,
                          env={**os.environ, **(environment or {})})
    assert done.returncode == 0, (words, done.stdout, done.stderr)
    return done.stdout


def steps():
    """Returns the commands that docs/operations.md gives for three machines, in order, one text for each block."""
    with open(GUIDE, encoding="utf-8") as file:
        section = re.search(r"^### On three machines\n(.*?)^### ", file.read(), re.M | re.S)[1]
    return [re.sub(r"^ {3}", "", block, flags=re.M) for block in re.findall(r"^ {3}```sh\n(.*?)^ {3}```$", section, re.M | re.S)]


@contextlib.contextmanager
def own_network(hosts):
    """This thread has its own network and mounts for the time of the block, with `hosts` as /etc/hosts."""
    libc = ctypes.CDLL(None, use_errno=True)
    kept = [(os.open("/proc/thread-self/ns/" + name, os.O_RDONLY), flag) for name, flag in (("net", NEW_NETWORK), ("mnt", NEW_MOUNTS))]
    try:
        if libc.unshare(NEW_NETWORK | NEW_MOUNTS) != 0:
            raise Skipped("no namespaces can be made here: %s" % os.strerror(ctypes.get_errno()))
        try:
            run(["mount", "--make-rprivate", "/"])
            run(["mount", "--bind", hosts, "/etc/hosts"])
            run(["sh", "-ec", "ip link set lo up; ip link add br0 type bridge; ip address add 10.77.0.1/24 dev br0; ip link set br0 up"])
            yield
        finally:
            for file, flag in kept:
                assert libc.setns(file, flag) == 0, os.strerror(ctypes.get_errno())
    finally:
        for file, _ in kept:
            os.close(file)


class Machine:
    """One of the machines. `boot` and `switch_off` are what they are to a real one: its disk stays."""

    def __init__(self, three, number):
        self.three, self.number = three, number
        self.name, self.address = "db%d.example" % number, "10.77.0.1%d" % number
        self.folder = os.path.join(three.folder, "machine%d" % number)
        self.process = self.init = None
        for path in OWN_FOLDERS:
            os.makedirs(self.folder + path)
        run(["cp", "-a", "/etc/.", self.folder + "/etc"])
        for path, user in (("/var/lib/etcd", "etcd"), ("/var/lib/postgresql", "postgres"), ("/run/postgresql", "postgres")):
            shutil.chown(self.folder + path, user, user)
        shutil.copy(three.hosts, self.folder + "/etc/hosts")
        with open(os.path.join(self.folder, "systemctl"), "w", encoding="ascii") as file:
            file.write(SYSTEMCTL.replace("@FOLDER@", self.folder))
        os.symlink("/bin/true", os.path.join(self.folder, "apt-get"))
        os.chmod(os.path.join(self.folder, "systemctl"), 0o755)

    def boot(self):
        self.process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "unshare", "-n", "-m", "-u", "-p", "--fork", "--mount-proc",
                                         "--kill-child", "sh", "-c", INIT, self.folder],
                                        stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
        assert self.process.stdout.readline() == "ready\n", self.name
        with open("/proc/%d/task/%d/children" % (self.process.pid, self.process.pid), encoding="ascii") as file:
            self.init = int(file.read())
        run(["sh", "-ec", "ip link add $0 type veth peer name eth0 netns $1; ip link set $0 master br0 up", "db%d" % self.number,
             str(self.init)])
        self.run("ip address add %s/24 dev eth0; ip link set eth0 up" % self.address)

    def switch_off(self):
        """Ends all of its processes at once."""
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()
            self.process = None
            # The kernel removes the cable some time after the network of the machine.
            run(["sh", "-c", "ip link delete db%d 2>/dev/null || true" % self.number])

    def run(self, script, folder="/"):
        """Runs a script as root on the machine. Returns what it prints."""
        words = ["nsenter", "-t", str(self.init), "-n", "-m", "-u", "-p", "sh", "-ec", 'cd "$0"\n' + script, folder]
        return run(words, environment={"PATH": self.folder + ":/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8",
                                                      **self.three.passwords})

    def kill(self, name):
        self.run("kill -9 $(cat %s/%s.pid)" % (self.folder, name))

    def log(self, name):
        path = os.path.join(self.folder, name + ".log")
        if not os.path.exists(path):
            return ""
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()


class Three:
    """The machines during a `with` block, set up until a leader and two standbys serve."""

    def __init__(self):
        self.folder = self.hosts = None
        self.machines = []
        self.passwords = {name: secrets.token_hex(16) for name in ("REPLICATION_PASSWORD", "REWIND_PASSWORD")}
        self.password = secrets.token_hex(16)
        self.stack = contextlib.ExitStack()

    def __enter__(self):
        if os.geteuid() != 0:
            raise Skipped("namespaces for three machines need root")
        for path, package in TOOLS.items():
            if not os.path.exists(path):
                raise Skipped("the package %s is not installed" % package)
        try:
            self._set_up()
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        return self

    def __exit__(self, kind, *_):
        if kind is not None:
            for machine in self.machines:
                for name in ("etcd", "patroni"):
                    print("---- the end of %s.log of %s\n%s" % (name, machine.name, "\n".join(machine.log(name).splitlines()[-30:])))
        self.close()

    def close(self):
        for machine in self.machines:
            machine.switch_off()
        self.stack.close()
        if self.folder:
            shutil.rmtree(self.folder)

    def _set_up(self):
        self.folder = tempfile.mkdtemp(prefix="screening-three-", dir="/var/tmp")
        os.chmod(self.folder, 0o755)
        self.hosts = os.path.join(self.folder, "hosts")
        with open(self.hosts, "w", encoding="ascii") as file:
            file.write("127.0.0.1 localhost\n" + "".join("10.77.0.1%d db%d.example\n" % (n, n) for n in NUMBERS))
        self.stack.enter_context(own_network(self.hosts))
        self.machines = [Machine(self, number) for number in NUMBERS]
        self._follow_guide()

    def _follow_guide(self):
        install, certificates, protect, fill, etcd, healthy, patroni, shown, roles = steps()
        version = max(int(path.split("/")[-2]) for path in glob.glob("/usr/lib/postgresql/*/bin"))
        run(["sh", "-ec", certificates], folder=self.folder)
        for machine in self.machines:
            machine.boot()
            machine.run(install)
            shutil.copytree("%s/db%d" % (self.folder, machine.number), machine.folder + "/etc/screening-db")
            machine.run(protect)
            own = fill.replace("@THIS@/db1.example", "@THIS@/" + machine.name).replace("10.77.0.11", machine.address)
            machine.run(own.replace("@VERSION@/15", "@VERSION@/%d" % version), ROOT + "/deploy/ha")
            machine.run("sed -i 's/mode: required.*/mode: off/' /etc/patroni/config.yml")  # no watchdog is here
            machine.run(etcd)
        wait_for("etcd is healthy", lambda: self.succeeds(healthy), READY_S)
        for machine in self.machines:
            machine.run(patroni)
        wait_for("a leader and two standbys serve", self.is_whole, READY_S)
        assert "Sync Standby" in self.machines[0].run(shown)
        leader = self.leader()
        leader.run(roles, ROOT + "/deploy/postgresql")
        leader.run("""runuser -u postgres -- psql -qc "CREATE ROLE trial LOGIN CREATEDB PASSWORD '%s'" """ % self.password)

    def succeeds(self, script):
        try:
            self.machines[0].run(script)
        except AssertionError:
            return False
        return True

    @property
    def url(self):
        """Leads to the current leader."""
        path = os.path.join(self.folder, "pgpass")
        with open(path, "w", encoding="ascii", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            file.write("*:*:*:trial:%s\n" % self.password)
        return "postgresql://trial@%s/postgres?target_session_attrs=read-write&passfile=%s&sslmode=verify-full&sslrootcert=%s/ca.pem" % (
            ",".join(machine.name for machine in self.machines), path, self.folder)

    def members(self):
        """Returns {name: (role, state)} as Patroni sees them; empty if none answers."""
        context = ssl.create_default_context(cafile=self.folder + "/ca.pem")
        for machine in self.machines:
            try:
                with urllib.request.urlopen("https://%s:8008/cluster" % machine.name, timeout=2, context=context) as answer:
                    return {member["name"]: (member["role"], member["state"]) for member in json.load(answer)["members"]}
            except (OSError, ValueError):
                continue
        return {}

    def named(self, role):
        for name, (its_role, state) in self.members().items():
            if its_role == role and state in ("running", "streaming"):
                return next(machine for machine in self.machines if machine.name == name)
        return None

    def leader(self):
        return self.named("leader")

    def is_whole(self):
        roles = sorted(role for role, state in self.members().values() if state in ("running", "streaming"))
        return roles == ["leader", "replica", "sync_standby"]
