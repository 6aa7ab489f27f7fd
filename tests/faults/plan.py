"""Makes the plan of a round from its seed: the load, the settings, the faults and their times."""
import itertools
import random

from faults.door import HOWS
from faults.fault_stack import CLIENT_LINKS, EVENT_LINKS, REPLICAS, RPC_LINKS, database_links
from kit.stack import PROGRAMS

# A restore is not among the kinds drawn at random, because it loses the registrations of the lost interval. A round with a restore
# therefore leaves the hospitals unchanged, and otherwise has only faults that lose nothing.
RESTORE = "restore"
KINDS = ("kill", "stop", "pause", "database", "cut", "delay", "pubsub", "point", "commit", "disk", "clock", "door")
# The kinds that spare no hospital-svc: all replicas share one database, and nng of Debian 12 counts its timeouts by the wall clock, so
# a booking-svc whose clock is set forward gives up its calls.
OF_ALL_REPLICAS = ("database", "disk", "clock", RESTORE)
OFTENER = {"kill": 2, "point": 3}
FAULTS_S = 4.0  # duration of all faults of a round, which takes 12 s including its start and its end
ORDERS = [order for size in (1, 2, 3) for order in itertools.permutations(PROGRAMS, size)]

# For each fault point: the services that pass it, a pass that every round reaches, and the possible actions. Errors of the database
# and of events occur only where a retry succeeds, because a second INTERNAL would make a dead letter.
ALL, LOGS = PROGRAMS, ("hospital", "booking")
HIT, ERROR = ("crash", "crash", "stall=700"), ("fail", "fail=UNAVAILABLE", "fail=DEADLINE_EXCEEDED")
POINTS = {
    "writer.before_begin": (ALL, 60, HIT),
    "writer.before_apply": (ALL, 60, HIT),
    "writer.before_commit": (ALL, 60, HIT),
    "writer.after_commit": (ALL, 60, HIT),
    "writer.after_replies": (ALL, 60, HIT),
    "writer.after_publish": (ALL, 60, HIT),
    "db.begin": (ALL, 60, ERROR),
    "db.run": (ALL, 300, ERROR),
    "db.commit": (ALL, 60, ERROR),
    "db.commit_answer": (ALL, 60, ("fail",)),
    "rpc.server.before_handler": (LOGS, 200, HIT),
    "rpc.server.before_reply": (LOGS, 200, HIT),
    "rpc.server.after_reply": (LOGS, 200, HIT),
    "rpc.client.before_send": (ALL, 20, HIT),
    "rpc.client.after_send": (ALL, 20, HIT),
    "events.before_publish": (LOGS, 60, HIT + ("fail",)),
    "events.fetch.before_answer": (LOGS, 3, HIT),
    "events.chunk.before_apply": (ALL, 20, HIT),
    "events.chunk.before_cursor": (ALL, 20, HIT),
    "reserve.before_call": (("booking",), 60, HIT),
    "reserve.after_call": (("booking",), 60, HIT),
    "settler.take_up": (("booking",), 1, HIT),
    "force_cancel.chunk": (("booking",), 1, HIT),
    "force_cancel.after_chunk": (("booking",), 1, HIT),
    "migrate.step": (ALL, 2, ("crash",)),
}


def _point(randoms, points):
    name = randoms.choice(sorted(points))
    services, passes, actions = POINTS[name]
    service, action = randoms.choice(services), randoms.choice(actions)
    first = randoms.randint(1, passes * randoms.choice((1, 8)))
    span = "@%d" % first
    if action != "crash" and randoms.random() < 0.5:
        span = "@%d-%d" % (first, first + randoms.randint(1, 10 if action.startswith("fail") else 2))
    return service, "%s:%s%s" % (name, action, span)


def _kill(randoms, driver):
    del driver
    order = list(randoms.choice(ORDERS))
    return {"victims": order, "gap_s": round(randoms.choice((0, randoms.uniform(0.01, 0.3))), 3),
            "down_s": round(randoms.choice((0, randoms.uniform(0.05, 0.8))), 3)}


def _stop(randoms, driver):
    del driver
    return {"victims": list(randoms.choice(ORDERS[:9])),
            "kill_after_s": round(randoms.uniform(0.01, 0.3), 3) if randoms.random() < 0.3 else None}


def _pause(randoms, driver):
    """Pauses services for longer than the budgets of the callers and every timeout between services, and sometimes for longer than
    the silence after which a subscriber fetches a log."""
    del driver
    return {"victims": list(randoms.choice(ORDERS[:9])), "for_s": randoms.choice((1.5, 1.5, 2.0, 3.5))}


def _database(randoms, driver):
    del driver
    return {"how": randoms.choice(("SIGKILL", "SIGQUIT")), "down_s": round(randoms.uniform(0, 0.8), 3)}


def _any_link(randoms, driver):
    return randoms.choice(RPC_LINKS + EVENT_LINKS + CLIENT_LINKS + database_links(driver))


def _cut(randoms, driver):
    return {"link": _any_link(randoms, driver), "times": randoms.randint(1, 5),
            "gap_s": round(randoms.uniform(0.02, 0.3), 3), "refuse_s": round(randoms.choice((0, 0, 0.3, 1.0)), 3)}


def _delay(randoms, driver):
    return {"link": _any_link(randoms, driver), "delay_s": randoms.choice((0.03, 0.2, 0.45, "hold")),
            "for_s": round(randoms.uniform(0.8, 2.5), 3)}


def _pubsub(randoms, driver):
    del driver
    share = randoms.choice(({"drop": 0.5}, {"double": 0.5}, {"reorder": 0.5}, {"drop": 1.0},
                            {"drop": 0.2, "double": 0.2, "reorder": 0.3}))
    return {"links": list(randoms.choice((EVENT_LINKS, (randoms.choice(EVENT_LINKS),)))), "share": share,
            "seed": randoms.randrange(1 << 30), "for_s": round(randoms.uniform(1, 2.5), 3)}


def _commit(randoms, driver):
    return {"link": randoms.choice(database_links(driver)), "count": randoms.randint(1, 6)}


def _disk(randoms, driver):
    if driver == "postgresql":
        return {"victim": "postgresql", "room_bytes": randoms.choice((0, 200000, 1 << 20, 8 << 20)),
                "for_s": round(randoms.uniform(0.3, 1.5), 3)}
    return {"victim": randoms.choice(LOGS), "room_bytes": randoms.choice((0, 4096, 50000)),
            "for_s": round(randoms.uniform(0.3, 1.5), 3)}


def _clock(randoms, driver):
    """Steps the clocks of services. Bookings are for at least two days ahead, so that no date passes."""
    del driver
    return {"victims": list(randoms.choice(ORDERS)), "steps_s": [round(randoms.choice(
        (-86400 * 20, -3600, -2, -0.05, 0.05, 2, 3600, 72000)), 2) for _ in range(randoms.randint(1, 4))],
        "gap_s": round(randoms.uniform(0.1, 0.5), 3)}


def _restore(randoms, driver):
    """Restores a database after a number of further calls, sometimes while the service or one of its two replicas runs."""
    del driver
    return {"victim": randoms.choice(LOGS), "calls": randoms.choice((0, 20, 150, 400)), "live": randoms.random() < 0.3,
            "half": randoms.random() < 0.3, "down_s": round(randoms.choice((0, randoms.uniform(0.05, 0.8))), 3)}


def _door(randoms, driver):
    """Kills, pauses, reloads and stops the front door, and kills and stops the gateway behind it, in random order."""
    del driver
    return {"hows": randoms.sample(HOWS, len(HOWS)), "gap_calls": randoms.choice((0, 30, 100)),
            "down_s": round(randoms.choice((0, randoms.uniform(0.05, 0.5))), 3), "pause_s": randoms.choice((0.3, 1.5, 2.5))}


MAKERS = {RESTORE: _restore, "kill": _kill, "stop": _stop, "pause": _pause, "database": _database, "cut": _cut, "delay": _delay,
          "pubsub": _pubsub, "commit": _commit, "disk": _disk, "clock": _clock, "door": _door}


class Spread:
    """Decides which processes a fault of a service hits, if each service has two: one of them, or sometimes both. No fault hits the
    hospital-svc `spared`, if one is named."""

    def __init__(self, randoms, spared):
        self.randoms, self.spared = randoms, spared

    def one(self, name):
        return self.randoms.choice([one for one in REPLICAS[name] if one != self.spared]) if name in REPLICAS else name

    def _some(self, name):
        every = [one for one in REPLICAS[name] if one != self.spared]
        return every if self.randoms.random() < 0.3 else [self.randoms.choice(every)]

    def link(self, link):
        source, target = link.split(">")
        name, dot, what = target.partition(".")
        return "%s>%s%s%s" % (self.one(source), self.one(name), dot, what)

    def fault(self, fault):
        """Returns the fault of processes that stands for a fault of services."""
        fault = dict(fault)
        if "victims" in fault:
            names = fault["victims"]
            if self.spared and fault["kind"] == "pause":
                # The calls of a frozen booking-svc to hospital-svc time out meanwhile.
                names = [name for name in names if name != "booking"] or ["hospital"]
            fault["victims"] = [one for name in names for one in self._some(name)]
        if "link" in fault:
            fault["link"] = self.link(fault["link"])
        if "links" in fault:
            fault["links"] = [self.link(link) for link in fault["links"]]
        return fault


def _draw(randoms, kinds):
    weights = [OFTENER.get(kind, 1) for kind in kinds]
    return randoms.choices(kinds, weights, k=randoms.choice((1, 2, 2, 3, 4)))


def make(seed, driver, kinds, points, replicas=False, each=False):
    """Returns the plan of a round. `driver` is sqlite, postgresql or both (then it is drawn at random). `kinds` are the kinds of
    faults to draw from; if `each` is true, the round has each of them once instead. `points` are the fault points of the build. If
    `replicas` is true, there are two processes of each service, on PostgreSQL, and in half of the rounds the faults spare one
    hospital-svc, whose name is plan["spared"], and the database."""
    randoms = random.Random(seed)
    driver = "postgresql" if replicas else randoms.choice(("sqlite", "postgresql")) if driver == "both" else driver
    # The customers of the front door know of no restore.
    kinds = [kind for kind in kinds if (kind != "point" or points) and (kind != "door" or RESTORE not in kinds)]
    known = sorted(set(points) & set(POINTS))
    budget_ms = randoms.choice((400, 800, 1500))
    plan = {"seed": seed, "driver": driver, "budget_ms": budget_ms, "clients": randoms.randint(6, 14),
            "hospitals": randoms.randint(2, 5), "days": [2, 3, 4][:randoms.randint(1, 3)],
            "capacity": randoms.choice(([2, 20], [20, 200], [100, 1500])), "deletions": randoms.randint(0, 3),
            "think_ms": randoms.choice((0, 2, 10)), "load_s": 2.5,
            "flags": {"booking": {"reserve-timeout-ms": randoms.choice((150, 300, 600)),
                                  "reserve-calls-max": randoms.choice((2, 32))}},
            "points": {}, "faults": []}
    plan["went_back"] = RESTORE in kinds
    plan["replicas"], plan["spared"] = replicas, ""
    if plan["went_back"]:
        plan["deletions"] = 0
        plan["replicas"] = replicas or (driver == "postgresql" and randoms.random() < 0.5)
    if not kinds:
        return plan
    drawn = kinds if each else _draw(randoms, kinds)
    spread = None
    if replicas:
        if not set(drawn) & set(OF_ALL_REPLICAS) and (each or randoms.random() < 0.5):
            _spare(plan, randoms)
        spread = Spread(randoms, plan["spared"])
    total_s = 0.0
    for kind in drawn:
        if kind == "point":
            # The later entries are for starts after a crash or after a fault of another kind.
            for _ in range(randoms.randint(2, 5)):
                service, entry = _point(randoms, known)
                plan["points"].setdefault(spread.one(service) if spread else service, []).append(entry)
            continue
        fault = {"kind": kind, "after_calls": randoms.randint(50, 500), "overlaps": randoms.random() < 0.3,
                 **MAKERS[kind](randoms, driver)}
        fault = spread.fault(fault) if spread else fault
        # Add the fault if it still fits into the round, or if it is the first.
        if each or not plan["faults"] or total_s + seconds(fault) < FAULTS_S:
            plan["faults"].append(fault)
            total_s += seconds(fault)
    return plan


def _spare(plan, randoms):
    """Makes a plan whose faults spare one hospital-svc. No booking may be rejected because hospital-svc gave no answer, so the
    budgets have room for a second attempt on a busy machine."""
    plan["spared"] = randoms.choice(REPLICAS["hospital"])
    plan["budget_ms"] = 5000
    plan["flags"]["booking"]["reserve-timeout-ms"] = 4000


def seconds(fault):
    """Returns roughly how many seconds a fault takes."""
    each = {"stop": 1.0, "kill": fault.get("gap_s", 0) + 0.1}.get(fault["kind"], 0) * len(fault.get("victims", ()))
    steps = fault.get("times", len(fault.get("steps_s", ()))) * (fault.get("gap_s", 0) + fault.get("refuse_s", 0))
    work = {"database": 1.5, "commit": 1, RESTORE: 1, "door": 2}.get(fault["kind"], 0)
    return each + steps + work + fault.get("down_s", 0) + fault.get("for_s", 0) + fault.get("pause_s", 0)


def links(plan):
    """Returns the connections in which the plan needs proxies."""
    wanted = set()
    for fault in plan["faults"]:
        wanted.update(fault.get("links", ()))
        if "link" in fault:
            wanted.add(fault["link"])
    return tuple(sorted(wanted))


def kinds_of(plan):
    return sorted({fault["kind"] for fault in plan["faults"]} | ({"point"} if plan["points"] else set()))
