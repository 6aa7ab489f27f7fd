"""Measures what a second replica of hospital-svc and booking-svc costs on one PostgreSQL, in turns with one of each."""

from bench import must
from children import free_address
from figures import ratio_row, row
from load import cpu_us, load, only
from services import Services

SECONDS = 4
IN_FLIGHT = 64
GOAL = ">= 0.75"  # bookings per s in relation to one of each
KINDS = ("hospital", "booking")


class Replicas(Services):
    """Two of each service, for example "hospital" and "hospital2", on one database. All callers know both addresses."""

    numbers = ("", "2")

    def __enter__(self):
        super().__enter__()
        self.own = {kind + number: {"rpc": "tcp://" + free_address(), "events": "tcp://" + free_address()}
                    for kind in KINDS for number in self.numbers}
        self.rpc = {kind: self.addresses(kind, "rpc") for kind in KINDS}  # the load calls these
        return self

    def addresses(self, kind, channel):
        return ",".join(self.own[kind + number][channel] for number in self.numbers)

    def command(self, name, *more):
        kind = name.rstrip("2")
        (other,) = set(KINDS) - {kind}
        flags = ["--ops-listen=", "--database=" + self.url(kind)]
        for channel, address in self.own[name].items():
            flags += ["--%s-listen=%s" % (channel, address), "--%s-%s=%s" % (other, channel, self.addresses(other, channel))]
        return self._service_command(kind, flags, more)

    def start(self, *names):
        for number in self.numbers:  # the first ones migrate the databases
            super().start(*(kind + number for kind in names))
        return self


class Single(Replicas):
    """One of each service, with the same settings."""

    numbers = ("",)


WAYS = {"one of each": Single, "two of each": Replicas}


def measured(bench, kind):
    """Returns (confirmed bookings per s, p50 in ms, processor time of the services per booking in us)."""
    with bench.services("postgresql", kind) as services:
        services.start(*KINDS)
        report = load(services, "--in-flight", IN_FLIGHT, "--seconds", bench.seconds(SECONDS))
        # A small load, whose figures do not count, may meet a machine so busy that a channel gives up sending.
        confirmed = only(report, "CONFIRMED")[0] if bench.scale == 1 else report["outcomes"]["CONFIRMED"]
        used = cpu_us(report)
        must(len(used) == len(KINDS) * len(kind.numbers), "the load has watched %s" % ", ".join(used))
        return confirmed["per_s"], confirmed["latency"]["p50_ms"], sum(used.values())


def measure(bench):
    found = {way: [] for way in WAYS}
    for _ in bench.each_round():
        for way, kind in WAYS.items():
            found[way].append(measured(bench, kind))
    figures = {way: [list(one) for one in zip(*rounds, strict=True)] for way, rounds in found.items()}
    one, two = (figures[way][0] for way in WAYS)
    rows = [ratio_row("%d in flight, PostgreSQL: bookings with two of each / one of each" % IN_FLIGHT, two, one, GOAL)]
    for way, (per_s, p50, cpu) in figures.items():
        rows += [row(way, "per s", per_s), row(way + ": p50", "ms", p50), row(way + ": processor time of the services", "us", cpu)]
    return rows
