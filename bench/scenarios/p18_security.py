"""Measures what tokens and TLS cost a booking, through the wire doors of booking-svc and hospital-svc, in turns with plain ones."""

from bench import must
from children import ROOT, free_address, run
from figures import ratio_row, row
from load import cpu_us, load, only
from services import BUILD, Services

SECONDS = 4
GOALS = {64: ">= 0.6", 256: ">= 0.7"}  # bookings per s in relation to plain ones, by bookings in flight
ALONE_GOAL = "<= 1.5"  # p50 of one booking at a time
WIDE = 1_000_000  # a limit of one caller or address, as all callers of the load are
NAMES = ("hospital", "booking")


class WithTokens(Services):
    """Services that check tokens. They call each other through sockets in a private folder; clients use tcp without TLS."""

    def __enter__(self):
        super().__enter__()
        self.folder.chmod(0o700)
        self.pki, self.token = self.folder / "pki", self.folder / "token"
        screenctl = BUILD / "cli/screenctl"
        run([screenctl, "pki", "init", self.pki])
        run([screenctl, "token", "issue", "--key", self.pki / "screening.key.json", "--sub", "bench", "--role", "admin", "--out", self.token])
        self.ports = {name: free_address() for name in NAMES}
        self.rpc = {name: "tcp://" + port for name, port in self.ports.items()}
        return self

    def socket(self, name, kind):
        return "%s/%s.%s" % (self.folder, name, kind)

    def peer(self, caller, name, kind):
        """Returns the path at which `caller` reaches a socket of another service."""
        del caller
        return self.socket(name, kind)

    def command(self, name, *more):
        (other,) = set(NAMES) - {name}
        flags = {"ops-listen": "", "database": self.url(name), "insecure": "false", "issuers": self.pki / "issuers.json",
                 "token-key": self.pki / (name + "-svc") / "token.key.json", "client-listen": "tcp://" + self.ports[name],
                 **dict.fromkeys(("changes-per-s", "changes-burst", "reads-per-s", "reads-burst"), WIDE)}
        for kind in ("rpc", "events"):
            flags[kind + "-listen"] = "ipc://" + self.socket(name, kind)
            flags["%s-%s" % (other, kind)] = "ipc://" + self.peer(name, other, kind)
        return self._service_command(name, ["--%s=%s" % flag for flag in flags.items()], more)

    def open(self):
        self.start(*NAMES)
        return ["--token-file", self.token]


class WithTls(WithTokens):
    """Services that check tokens. They and their clients reach each other by TLS, through wire doors."""

    def __enter__(self):
        super().__enter__()
        self.doors = {name: {kind: free_address() for kind in ("rpc", "events", "clients")} for name in NAMES}
        self.rpc = {name: "tls+tcp://" + door["clients"] for name, door in self.doors.items()}
        return self

    def peer(self, caller, name, kind):
        return "%s/wires-%s/%s.%s" % (self.folder, caller, name, kind)

    def command(self, name, *more):
        if not name.startswith("wires-"):
            return super().command(name, *more)
        name = name.removeprefix("wires-")
        (other,) = set(NAMES) - {name}
        settings = {"SERVICE": name + "-svc", "PKI": self.pki, "FOLDER": self.folder / ("wires-" + name),
                    "TO_CLIENTS": self.ports[name], "CLIENTS": self.doors[name]["clients"], "ADDRESS_CONNECTIONS": WIDE, "ADDRESS_RATE": WIDE}
        for kind in ("rpc", "events"):
            settings[kind.upper()] = self.doors[name][kind]
            settings["TO_" + kind.upper()] = self.socket(name, kind)
            settings["%s_%s" % (other.upper(), kind.upper())] = self.doors[other][kind]
        return ["env", *("WIRES_%s=%s" % setting for setting in settings.items()), ROOT / "deploy/wires/wires"]

    def open(self):
        self.start(*("wires-" + name for name in NAMES))
        return [*super().open(), "--tls-ca", self.pki / "clients-ca.pem"]


class Plain(Services):
    """Services that check nothing."""

    def open(self):
        self.start(*NAMES)
        return []


WAYS = {"plain": Plain, "tokens": WithTokens, "tokens and TLS": WithTls}


def measured(bench, way, in_flight):
    """Returns (confirmed bookings per s, p50 in ms, processor time per booking in us: of the services, of the wire doors)."""
    with bench.services(kind=WAYS[way]) as services:
        report = load(services, "--in-flight", in_flight, "--seconds", bench.seconds(SECONDS), *services.open())
        # A small load, whose figures do not count, may meet a machine so busy that a channel gives up sending.
        confirmed = only(report, "CONFIRMED")[0] if bench.scale == 1 else report["outcomes"]["CONFIRMED"]
        used = cpu_us(report)
        must(len(used) == (4 if way == "tokens and TLS" else 2), "the load has watched %s" % ", ".join(used))
        doors = sum(us for name, us in used.items() if name.startswith("wires-"))
        return confirmed["per_s"], confirmed["latency"]["p50_ms"], sum(used.values()) - doors, doors


def measure(bench):
    found = {(in_flight, way): [] for in_flight in (*GOALS, 1) for way in WAYS}
    for _ in bench.each_round():
        for in_flight, way in found:
            found[in_flight, way].append(measured(bench, way, in_flight))
    figures = {key: [list(one) for one in zip(*rounds, strict=True)] for key, rounds in found.items()}
    rows = []
    for in_flight, goal in GOALS.items():
        per_s = {way: figures[in_flight, way][0] for way in WAYS}
        rows.append(ratio_row("%d in flight: bookings with tokens and TLS / plain" % in_flight, per_s["tokens and TLS"], per_s["plain"], goal))
        rows.append(ratio_row("%d in flight: bookings with tokens / plain" % in_flight, per_s["tokens"], per_s["plain"]))
        for way in WAYS:
            _, _, services_us, doors_us = figures[in_flight, way]
            rows.append(row("%d in flight: %s" % (in_flight, way), "per s", per_s[way]))
            rows.append(row("%d in flight: %s, processor time of the services" % (in_flight, way), "us", services_us))
            if any(doors_us):
                rows.append(row("%d in flight: %s, processor time of the wire doors" % (in_flight, way), "us", doors_us))
    p50 = {way: figures[1, way][1] for way in WAYS}
    rows.append(ratio_row("one at a time: p50 with tokens and TLS / plain", p50["tokens and TLS"], p50["plain"], ALONE_GOAL))
    rows += [row("one at a time: p50, " + way, "ms", p50[way]) for way in WAYS]
    return rows
