"""Starts the stack, plays every step, and stops the stack again. ./demo runs this package after the build."""

import sys

import interrupts

interrupts.install()

import accounts  # noqa: E402  from here on, a signal only sets a flag
import cleaning  # noqa: E402
import ports  # noqa: E402
from clinic import CLINIC, import_hospitals  # noqa: E402
from places import DEMO, ROOT, VAR, program  # noqa: E402
from problems import PROBLEMS  # noqa: E402
from report import Report, say, show, text_of  # noqa: E402


def play(stack, report):
    """Plays every step in order. Returns the number of bookings by status."""
    # These modules need files that the build makes, but --clean must work without a build, so they are imported here.
    import agreement
    import rush
    import thief
    from looking import Look
    from outage import Outage
    from over_http import OverHttp
    from seed_lines import SeedLines
    from strangers import Strangers
    clinic = import_hospitals(stack.screenctl)
    stack.open_accounts(clinic)
    SeedLines(stack, report, clinic).play()
    days = Look(stack.screenctl).days(clinic)
    rush_date = max(days, key=lambda date: days[date][1])  # the largest day: 100 places, 30 days from now
    rush.play(stack, report, clinic, rush_date)
    Outage(stack, report, clinic, rush_date).play()
    OverHttp(stack, report, clinic).play()
    Strangers(stack, report, clinic).play()
    thief.play(stack, report, clinic)
    return agreement.play(stack, report)


def stop(stack, report):
    """Stops the stack and adds the last line of the report. The line fails if a service does not drain."""
    names = [service.name for service in stack.services.values()]
    say("stopping the services and PostgreSQL")
    ends = stack.close()
    report.add("every service drains", "SIGTERM to each, SIGUSR1 to the front door", {name: "exit 0" for name in names},
               {name: ends.get(name, "had ended by itself") for name in names})


def show_how_to_count(counts):
    """Prints the counts, and the commands that count the same directly in the databases."""
    by_status = "SELECT status, COUNT(*) FROM booking%s GROUP BY status ORDER BY status"
    show("\nThe services counted %s bookings: %s." % (text_of(sum(counts.values())), text_of(counts)))
    show("Count by hand (2 = CONFIRMED, 3 = REJECTED, 4 = CANCELLED, 5 = FORCE_CANCELLED), in %s:" % ROOT)
    show('  sqlite3 var/demo/booking.db "%s"' % by_status % "")
    show('  sqlite3 var/demo/booking.db "%s"' % by_status % " WHERE customer_id LIKE 'rush-%'")
    show('  sqlite3 var/demo/hospital.db "SELECT date, capacity, reserved FROM screening_day NATURAL JOIN hospital '
         "WHERE name = '%s'\"" % CLINIC)
    show("  deploy/private-postgres start var/pg")
    show('  psql "$(deploy/private-postgres url var/pg history)" -c "%s"' % by_status.replace("booking%s", "history.booking_summary"))
    show("  deploy/private-postgres stop var/pg")


def play_and_stop(stack, report):
    """Plays every step and stops the stack. Returns the number of bookings by status, or None if a step could not be carried
    out."""
    try:
        stack.start()
        counts = play(stack, report)
        stop(stack, report)
        return counts
    except PROBLEMS as problem:
        say("failed: %s" % problem)
        return None
    finally:
        stack.close()


def run_play():
    from stack import Stack
    stack = Stack()
    stack.prepare()
    report = Report(DEMO / "demo.json")
    counts = play_and_stop(stack, report)
    report.show_table()
    if counts is not None:
        show_how_to_count(counts)
    held = counts is not None and report.all_held()
    show("\nNext: ./demo --serve starts the system again and keeps it running, so that you can try it (README.md).")
    show("\n%s (%d lines, also in %s)" % ("Everything held." if held else "NOT everything held.", len(report.lines),
                                        (DEMO / "demo.json").relative_to(ROOT)))
    return 0 if held else 1


def show_how_to_call(stack, clinic):
    """Prints the addresses of the services, and commands to type in another terminal."""
    day = stack.screenctl.ask("hospital", "show", clinic)["days"][0]["date"]
    tool = program("screenctl").relative_to(ROOT) if program("screenctl").is_relative_to(ROOT) else program("screenctl")
    show("\nThe system is running:")
    for name, address in stack.rpc.items():
        show("  %-13s %s, ops http://%s" % (name + "-svc", address, stack.ops[name]))
    show("  %-13s %s, ops http://%s" % ("gateway-svc", stack.services["gateway"].address, stack.ops["gateway"]))
    show("  %-13s http://%s, https://%s, whose certificate is var/demo/front/certificate.pem" %
         ("front", stack.web.address, stack.tls.address))
    show("  ops: /metrics, /livez, /readyz")
    show("  tokens for %d hours, in var/demo: %s" % (accounts.HOURS, ", ".join(
        "%s.token (%s)" % (name, role) for name, role in accounts.ROLES.items())))
    show("\nIn another terminal, in %s:" % ROOT)
    show("  export SCREENING_TOKEN_FILE=%s" % stack.admin)
    if stack.ports != ports.DEFAULT:
        for name, address in stack.rpc.items():
            show("  export SCREENING_%s_ADDR=%s" % (name.upper(), address))
        show("  export SCREENING_GATEWAY_OPS=%s" % stack.ops["gateway"])
        show("  export SCREENING_FRONT_HTTP=%s" % stack.web.address)
    for words in ("hospital list", "hospital show " + CLINIC,
                  "book --customer kim-haneul --name 김하늘 --hospital %s --date %s" % (CLINIC, day),
                  "booking list --customer kim-haneul", "booking cancel BOOKING_ID", "history customer kim-haneul", "health",
                  "call GetProjectionStatus '{}'", "--help"):
        show("  %s %s" % (tool, words))
    show("  curl http://%s/hospitals/%s/availability" % (stack.web.address, clinic))
    show("  curl -N 'http://%s/events?hospitalId=%s'" % (stack.web.address, clinic))
    show("  " + stack.web.shown("GET", "/bookings?customerId=kim-haneul"))
    show("  %s token issue --key %s --sub NAME --role customer --out FILE" % (tool, accounts.ISSUER_KEY.relative_to(ROOT)))
    show("\nDatabases and logs: %s. Ctrl-C stops everything." % DEMO)


def watch(stack):
    """Runs until a signal arrives. Fails if a service ends by itself."""
    while True:
        for service in stack.services.values():
            if not service.running():
                service.fail("ended with %d" % service.process.returncode)
        interrupts.sleep(0.2)


def run_serve(base_port):
    from stack import Stack
    stack, ready = Stack(ports.from_base(base_port) if base_port else ports.DEFAULT), False
    try:
        stack.prepare()
        stack.start()
        clinic = import_hospitals(stack.screenctl)
        stack.open_accounts(clinic)
        show_how_to_call(stack, clinic)
        ready = True
        watch(stack)
    except interrupts.Interrupted:
        if not ready:
            raise
    finally:
        say("stopping the services and PostgreSQL")
        ends = stack.close()
    for name, end in ends.items():
        say("%s: %s" % (name, end))
    return 0 if all(end == "exit 0" for end in ends.values()) else 1


def main():
    mode = sys.argv[1]
    if mode == "--clean":
        return cleaning.clean()
    VAR.mkdir(exist_ok=True)
    try:
        return run_serve(int(sys.argv[2]) if len(sys.argv) > 2 else None) if mode == "--serve" else run_play()
    except interrupts.Interrupted as interrupted:
        say("interrupted; everything that was started has been stopped")
        return interrupted.exit_code
    except PROBLEMS as problem:
        say("failed: %s" % problem)
        return 1


sys.exit(main())
