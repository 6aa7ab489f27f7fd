"""Chooses the ports of the stack, and names the programs that hold a port in use."""

import os
import random
import re
import socket

from problems import StackError

# The documented ports, which the programs use by default.
DEFAULT = {"hospital": 7101, "hospital ops": 7109,
           "booking": 7201, "booking ops": 7209,
           "history": 7301, "history ops": 7309,
           "gateway ops": 8089,
           "front": 8080, "front tls": 8443}
LISTEN = "0A"  # the state of a listening socket in /proc/net/tcp


def from_base(base):
    """Returns nine consecutive ports by name, from `base`. The front door has the port `base`, because it is typed most
    often."""
    names = sorted(DEFAULT, key=lambda name: (name != "front", DEFAULT[name]))
    return {name: base + number for number, name in enumerate(names)}


def free():
    """Returns free ports below those that the system assigns to clients. No client takes such a port while a service is down for a
    moment."""
    wanted, sockets = [], []
    for port in random.sample(range(20000, 30000), 500):
        sock = socket.socket()
        try:
            sock.bind(("127.0.0.1", port))
        except OSError:
            sock.close()
            continue
        sockets.append(sock)
        wanted.append(port)
        if len(wanted) == len(DEFAULT):
            break
    for sock in sockets:
        sock.close()
    if len(wanted) < len(DEFAULT):
        raise StackError("no %d free ports between 20000 and 30000" % len(DEFAULT))
    return dict(zip(DEFAULT, wanted))


def _is_taken(port):
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a recently closed connection does not block the port
        try:
            sock.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def _listeners(port):
    """Returns the inodes of the sockets that listen on the port."""
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            with open(table, encoding="ascii") as lines:
                for fields in map(str.split, lines):
                    if fields[3] == LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
                        inodes.add(fields[9])
        except OSError:
            continue
    return inodes


def holder(port):
    """Returns the program that listens on the port, as "python3 (process 4711)". A program of another user is not visible."""
    inodes = _listeners(port)
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            for name in os.listdir("/proc/%s/fd" % pid):
                found = re.fullmatch(r"socket:\[(\d+)\]", os.readlink("/proc/%s/fd/%s" % (pid, name)))
                if found and found[1] in inodes:
                    with open("/proc/%s/comm" % pid, encoding="utf-8", errors="replace") as comm:
                        return "%s (process %s)" % (comm.read().strip(), pid)
        except OSError:
            continue  # the process has ended, or belongs to another user
    return "a process of another user"


def check(ports):
    """Raises StackError if a port is in use. The error names each such port and suggests others. Call it before anything is
    started."""
    taken = ["port %d (%s) is taken by %s" % (port, name if " " in name or name == "front" else name + "-svc", holder(port))
             for name, port in ports.items() if _is_taken(port)]
    if taken:
        base = 28000 if ports["front"] == 18000 else 18000
        raise StackError("%s\nother ports: ./demo --serve --base-port %d takes %d to %d" %
                         ("\n".join(taken), base, base, base + len(DEFAULT) - 1))
