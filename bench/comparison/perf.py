"""Measures how the services spend their processor time: perf samples them under load, by thread and by owner of the code."""

import contextlib

from children import Child, CompareError, step

HERTZ = "997"  # sampling rate: a prime number, so that no periodic activity stays in step with the samples
OWNERS = {"[kernel": "kernel", "libc.so": "libc", "libnng": "nng", "libsqlite3": "SQLite", "libpq": "libpq",
          "libprotobuf-c": "protobuf-c", "booking-svc": "own code", "hospital-svc": "own code"}
OTHERS = "others"


@contextlib.contextmanager
def recorded(pids, folder):
    """Samples the processes {name: pid} during a `with` block. Yields {name: path of the samples}."""
    outputs = {name: folder / (name + ".perf") for name in pids}
    with contextlib.ExitStack() as stack:
        for name, pid in pids.items():
            child = Child(["perf", "record", "-q", "-e", "cpu-clock", "-F", HERTZ, "-o", outputs[name], "-p", pid],
                          folder / (name + ".perf.txt"))
            stack.callback(child.stop)
        yield outputs


def owner(library):
    return next((whose for begin, whose in OWNERS.items() if library.startswith(begin)), OTHERS)


def parse(text):
    """Parses lines of perf such as "12.50%|nng:task|libnng.so.1". Returns {(threads, owner of the code): share of all samples}."""
    shares = {}
    for line in text.splitlines():
        words = [word.strip() for word in line.split("|")]
        if len(words) != 3 or not words[0].endswith("%"):
            continue
        key = "nng's" if words[1].startswith("nng:") else "its own", owner(words[2])
        shares[key] = shares.get(key, 0) + float(words[0].rstrip("%")) / 100
    if not 0.98 < sum(shares.values()) < 1.02:
        raise CompareError("perf: its shares do not add up: %s" % text[:2000])
    return shares


def parts(samples, cpu_us):
    """Divides `cpu_us`, the processor time of one booking in a process, in proportion to the samples of that process. Returns
    [{"threads", "owner", "us"}]."""
    text = step(["perf", "report", "-q", "--stdio", "-i", samples, "--sort", "comm,dso", "-F", "overhead,comm,dso", "-t", "|"])
    return [{"threads": threads, "owner": whose, "us": share * cpu_us} for (threads, whose), share in parse(text).items()]
