"""Tests what users type and read: conventions of screenctl's command line, names instead of ids, tables, CSV, Korean."""
import csv
import fcntl
import io
import json
import os
import pty
import re
import struct
import subprocess
import termios
import unicodedata

from kit.front import Front, PlayedGateway
from kit.marks import once
from kit.screenctl import check_error, command, done, screenctl
from kit.stack import DEADLINE_S, Stack, free_port, wait_for
from kit.world import book, booking_request, day, register, remaining

KOREAN = {"LC_ALL": "", "LANG": "ko_KR.UTF-8"}


def on_screen(words, columns, answer=None, keys=()):
    """Runs screenctl on a terminal of this many columns. Types `answer` once screenctl asks. `keys` is a list of (text, key): types
    each key, or calls it if it is a function, once its text has appeared. Returns (exit code, text)."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG"))} \
        | {"LC_ALL": "C.UTF-8"}
    if answer is not None:
        keys = ((b"[y/N]", answer.encode() + b"\n"),)
    process = subprocess.Popen(words, stdin=follower, stdout=follower, stderr=follower, env=environment)
    os.close(follower)
    shown = b""
    try:
        while True:
            try:
                chunk = os.read(leader, 65536)
            except OSError:  # the other side has closed the terminal
                break
            if not chunk:
                break
            shown += chunk
            if keys and keys[0][0] in shown:
                key = keys[0][1]
                if callable(key):
                    key()
                else:
                    os.write(leader, key)
                keys = keys[1:]
        process.wait(DEADLINE_S)
    finally:
        process.kill()
        process.wait()
        os.close(leader)
    return process.returncode, shown.decode().replace("\r\n", "\n")


def width(line):
    """Returns the width of the line in terminal columns. A Hangul syllable takes two."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in line)


@once
def test_screenctl_says_on_a_terminal_what_it_waits_for(driver):
    with Stack(driver, without=("booking", "history")) as stack:
        register(stack, name="한빛")
        hospital, words = stack.services["hospital"], command(stack, "hospital", "list", services=("hospital",))
        hospital.pause()
        code, shown = on_screen(words, 80, keys=((b"waiting for hospital-svc ...", hospital.resume),))
        before, cleared, after = shown.partition("waiting for hospital-svc ...\r\x1b[K")
        assert code == 0 and cleared and "한빛" in after and before == "", (code, shown)
        assert "waiting" not in on_screen(words, 80)[1]


@once
def test_screenctl_help_and_version_are_found_however_they_are_asked_for(driver):
    with Stack(driver, without=("hospital", "booking", "history")) as stack:
        whole = screenctl(stack, "--help").stdout
        assert "hospital register" in whole and "--hospital-addr" in whole, whole
        for words in (("-h",), ("help",)):
            assert screenctl(stack, *words).stdout == whole
        for words in (("--version",), ("-v",), ("version",)):
            assert screenctl(stack, *words).stdout == screenctl(stack, "version", services=()).stdout != ""
        group = screenctl(stack, "hospital", "-h")
        assert group.returncode == 0 and "hospital import" in group.stdout and "booking" not in group.stdout.split("\n")[0], group
        assert screenctl(stack, "help", "hospital").stdout == screenctl(stack, "hospital", "--help").stdout == group.stdout
        one = screenctl(stack, "hospital", "list", "-h")
        assert one.returncode == 0 and "--deleted" in one.stdout, one
        assert screenctl(stack, "help", "hospital", "list").stdout == one.stdout
        check_error(screenctl(stack, "hospital", "foo"), 2, "hospital foo", "register, list, show")
        check_error(screenctl(stack, "hospital", "lits"), 2, "hospital lits", "did you mean list?")
        check_error(screenctl(stack, "hospital"), 2, "register, list, show")
        check_error(screenctl(stack, "bok"), 2, "did you mean book?")
        check_error(screenctl(stack, "nonsense"), 2, "nonsense", "hospital, book, booking, history")
        check_error(screenctl(stack, "hospital", "list", "--nmae", "x"), 2, "--nmae", "did you mean --name?")


@once
def test_screenctl_wrong_values_are_named(driver):
    with Stack(driver, without=("hospital", "booking", "history")) as stack:
        wanted = ("book", "--customer", "c", "--name", "n", "--hospital", "x")
        for words, expected in (
                ((*wanted, "--date", "+1", "--headcount", "two"), ("--headcount two", "1 to 100")),
                ((*wanted, "--date", "+1", "--headcount=-1"), ("--headcount -1", "1 to 100")),
                ((*wanted, "--date", "20261220"), ("--date 20261220", "YYYY-MM-DD")),
                (("hospital", "register", "--name", "n", "--day", "20261220=5"), ("--day 20261220=5", "YYYY-MM-DD")),
                (("hospital", "register", "--name", "n", "--day", "+1=abc"), ("--day +1=abc", "capacity")),
                (("booking", "list", "--customer", "c", "--status", "CANCELED"), ("did you mean CANCELLED?",)),
                (("booking", "list", "--customer", "c", "--status", "x"), ("--status x", "CONFIRMED")),
                (("--time-zone", "Mars/Base", "health"), ("--time-zone Mars/Base",)),
                (("--timeout=0", "health"), ("--timeout 0", "1 to 60000")),
                (("--hospital-addr=http://x", "health"), ("--hospital-addr http://x", "tcp://HOST:PORT")),
        ):
            check_error(screenctl(stack, *words), 2, *expected)
        check_error(screenctl(stack, "health", services=(), SCREENING_BOOKING_ADDR="booking:7201"), 2,
                    "SCREENING_BOOKING_ADDR booking:7201")


@once
def test_screenctl_sends_nothing_in_clear_text_to_another_machine(driver):
    with Stack(driver, without=("hospital", "booking", "history")) as stack:
        far = "tcp://192.0.2.1:7101"  # of the block for documentation, where nobody answers
        said = "--hospital-addr %s: is not on this machine" % far
        for words in (("--hospital-addr", far, "hospital", "list"), ("hospital", "list", "--hospital-addr", far),
                      ("--hospital-addr", far, "--tls-ca", "/nowhere", "health")):
            check_error(screenctl(stack, *words, services=()), 2, said, "--insecure")
        # Each part of a list counts.
        for near in ("ipc:///nowhere", "tcp://127.0.0.1:1", "tls+tcp://db.example:1"):
            for both in ("%s,%s" % (near, far), "%s,%s" % (far, near)):
                check_error(screenctl(stack, "--hospital-addr", both, "hospital", "list", services=()), 2,
                            "--hospital-addr %s: is not on this machine" % both)
        near = "tcp://127.0.0.1:1,tcp://127.0.0.1:2"
        check_error(screenctl(stack, "--timeout", "100", "--hospital-addr", near, "hospital", "list", services=()), 1, near)
        check_error(screenctl(stack, "book", services=(), SCREENING_BOOKING_ADDR="tcp://db.example:1"), 2, "--customer: must be given")
        check_error(screenctl(stack, "stats", services=(), SCREENING_BOOKING_ADDR="tcp://db.example:1"), 2,
                    "SCREENING_BOOKING_ADDR tcp://db.example:1: is not on this machine")
        allowed = ("--timeout", "100", "--hospital-addr", far, "hospital", "list")
        check_error(screenctl(stack, "--insecure", *allowed, services=()), 1, far)
        check_error(screenctl(stack, *allowed, services=(), SCREENING_INSECURE="true"), 1, far)
        check_error(screenctl(stack, *allowed, services=(), SCREENING_INSECURE="false"), 2, said)
        check_error(screenctl(stack, *allowed, services=(), SCREENING_INSECURE="1"), 2, "SCREENING_INSECURE 1: must be true or false")
        # A command without calls has no use for addresses.
        check_error(screenctl(stack, "--hospital-addr", far, "token", "show", "/nowhere", services=()), 1, "/nowhere")
        # An option without effect is a mistake; a variable may be set for all commands.
        check_error(screenctl(stack, "--tls-ca", "/nowhere", "health", services=()), 2, "--tls-ca: is for addresses tls+tcp://HOST:PORT")
        assert screenctl(stack, "health", "front", SCREENING_TLS_CA="/nowhere").returncode == 1


@once
def test_screenctl_takes_a_name_or_the_beginning_of_an_id_for_a_hospital(driver):
    with Stack(driver, without=("history",)) as stack:
        first = done(stack, "hospital", "register", "--name=한빛검진센터", "--address=서울", "--day=+1=5")["hospitalId"]
        second = done(stack, "hospital", "register", "--name=한빛의원", "--id=018f0000-0000-7000-8000-00000000000b")["hospitalId"]
        for word in (first, first[:18], "한빛검진센터", "검진"):
            assert done(stack, "hospital", "show", word)["hospitalId"] == first
        assert done(stack, "hospital", "set-capacity", "한빛검진센터", "+1", "6")["capacity"] == 6
        booked = done(stack, "book", "--customer=c", "--name=n", "--hospital=검진센터", "--date=+1")
        assert booked["hospitalId"] == first
        assert [b["bookingId"] for b in done(stack, "booking", "list", "--hospital", first[:13])["bookings"]] \
            == [booked["bookingId"]]
        several = screenctl(stack, "hospital", "show", "한빛")
        assert several.returncode == 1 and "한빛: matches 2 hospitals" in several.stderr, several
        assert first in several.stderr and second in several.stderr, several
        check_error(screenctl(stack, "hospital", "show", "없는병원"), 1, "없는병원", "no hospital")
        check_error(screenctl(stack, "hospital", "show", "018"), 1, "018", "no hospital")  # too short to be unambiguous
        check_error(screenctl(stack, "hospital", "delete", "의원", "--yes"), 1, "no hospital")  # a part of a name is not enough
        assert done(stack, "hospital", "delete", "한빛의원", "--yes")["status"] == "DELETED"


@once
def test_screenctl_deletion_asks_first(driver):
    with Stack(driver, without=("history",)) as stack:
        hospital_id = register(stack, capacity=9)
        book(stack, hospital_id, headcount=2)
        book(stack, hospital_id)
        rejected = stack.booking.CreateBooking(**booking_request(hospital_id, headcount=50))
        assert rejected.reason == "SOLD_OUT"
        refused = screenctl(stack, "hospital", "delete", hospital_id)
        check_error(refused, 2, "2 bookings for 3 people", "--yes")
        words = command(stack, "hospital", "delete", hospital_id)
        code, shown = on_screen(words, 80, answer="n")
        assert code == 1 and "2 bookings for 3 people will be force-cancelled" in shown and "nothing was deleted" in shown, shown
        assert done(stack, "hospital", "show", hospital_id)["status"] == "ACTIVE"
        code, shown = on_screen(words, 80, answer="y")
        assert code == 0 and "DELETED" in shown, shown
        assert done(stack, "hospital", "show", hospital_id)["status"] == "DELETED"
        other = register(stack, capacity=1)
        stack.booking_svc.stop()
        check_error(screenctl(stack, "hospital", "delete", other), 2, "unknown number of bookings")


@once
def test_screenctl_book_says_what_is_available(driver):
    with Stack(driver, without=("history",)) as stack:
        hospital_id = register(stack, capacity=5)
        done(stack, "hospital", "set-capacity", hospital_id, "+2", "40")
        words = ("book", "--customer", "c", "--name", "n", "--hospital", hospital_id)
        check_error(screenctl(stack, *words, "--date", "+1", "--headcount", "6"), 1, "SOLD_OUT", "6 wanted, 5 left",
                    "free days: %s (40)" % day(2))
        check_error(screenctl(stack, *words, "--date", "+3"), 1, "DATE_NOT_OPEN",
                    "free days: %s (5), %s (40)" % (day(1), day(2)))
        check_error(screenctl(stack, *words, "--date", "+1", "--headcount", "41"), 1, "no free day")
        repeat = (*words, "--date", "+1", "--id", "018f0000-0000-7000-8000-00000000000c")
        first, second = screenctl(stack, *repeat), screenctl(stack, *repeat)
        assert "already" not in first.stdout and "already existed" in second.stdout, (first, second)
        assert remaining(stack, hospital_id) == 4


@once
def test_screenctl_tables_fit_eighty_columns_and_pipes_get_everything(driver):
    with Stack(driver) as stack:
        hospital_id = done(stack, "hospital", "register", "--name=한빛종합건강검진센터", "--day=+1=5",
                           "--address=서울특별시 성동구 서울숲길 17, 숲길메디컬타워 3층")["hospitalId"]
        booking_id = book(stack, hospital_id, customer_id="kim-haneul", customer_name="김하늘").booking_id
        book(stack, hospital_id, customer_id="lee-dain", customer_name="이다인")
        stack.booking.CancelBooking(booking_id=booking_id, reason="일정 변경")
        cancelled = (("booking", "list", "--customer", "kim-haneul"), ("history", "customer", "kim-haneul"))
        lists = (("hospital", "list"), ("hospital", "list", "--date", "+1"), ("hospital", "show", hospital_id),
                 ("booking", "list", "--hospital", hospital_id, "--date", "+1", "--all"), *cancelled,
                 ("booking", "trace", booking_id), ("projection",), ("call", "--list"), ("describe", "booking"))
        for words in lists:
            code, shown = on_screen(command(stack, *words), 80)
            assert code == 0 and max(width(line) for line in shown.splitlines()) <= 80, shown
        piped = screenctl(stack, "booking", "list", "--hospital", hospital_id, "--date", "+1", "--all").stdout
        assert booking_id in piped and "일정 변경" in piped and hospital_id not in piped, piped
        comes = screenctl(stack, "booking", "list", "--hospital", hospital_id, "--date", "+1").stdout
        assert "이다인" in comes and "김하늘" not in comes and "1 confirmed booking for 1 person" in comes, comes
        assert screenctl(stack, "booking", "list", "--customer", "nobody").stdout == "no bookings\n"
        assert screenctl(stack, "history", "customer", "nobody").stdout == "no bookings\n"
        assert screenctl(stack, "hospital", "list", "--name", "nobody").stdout == "no hospitals\n"


@once
def test_screenctl_csv_opens_in_excel(driver):
    with Stack(driver, without=("history",)) as stack:
        hospital_id = register(stack, capacity=5)
        book(stack, hospital_id, customer_name='=HYPERLINK("http://x")', customer_id="c-1")
        table = screenctl(stack, "booking", "list", "--hospital", hospital_id, "--csv")
        assert table.returncode == 0 and table.stdout.startswith("\ufeffBOOKING,"), table
        (row,) = csv.DictReader(io.StringIO(table.stdout[1:]))
        assert row["NAME"] == '\'=HYPERLINK("http://x")' and row["HOSPITAL"] == hospital_id and row["STATUS"] == "CONFIRMED", row
        assert screenctl(stack, "hospital", "list", "--csv").stdout.startswith("\ufeffHOSPITAL,NAME,ADDRESS,STATUS")
        assert len(screenctl(stack, "hospital", "list", "--csv", "--name", "none").stdout.splitlines()) == 1


@once
def test_screenctl_times_are_the_clinics(driver):
    with Stack(driver, without=("history",)) as stack:
        hospital_id = register(stack, capacity=5)
        booking_id = book(stack, hospital_id).booking_id
        created = stack.booking.GetBooking(booking_id=booking_id).message.created_at.seconds
        for zone, offset_s in (("Asia/Seoul", 9 * 3600), ("Asia/Kathmandu", 5 * 3600 + 45 * 60)):
            shown = screenctl(stack, "booking", "show", booking_id, "--time-zone", zone).stdout
            hour, minute = re.search(r"created +\d{4}-\d\d-\d\d (\d\d):(\d\d):\d\d$", shown, re.M).groups()
            assert (int(hour) * 60 + int(minute)) == (created + offset_s) // 60 % (24 * 60), (zone, shown, created)


@once
def test_screenctl_statuses_and_rules_are_korean_in_a_korean_locale(driver):
    with Stack(driver) as stack:
        hospital_id = register(stack, capacity=5)
        booking_id = book(stack, hospital_id, customer_id="c-1").booking_id
        assert "예약 완료" in screenctl(stack, "booking", "show", booking_id, **KOREAN).stdout
        assert booking_id in screenctl(stack, "booking", "list", "--customer", "c-1", "--status", "예약 완료", **KOREAN).stdout
        assert "운영 중" in screenctl(stack, "hospital", "show", hospital_id, **KOREAN).stdout
        assert "정상" in screenctl(stack, "health", **KOREAN).stdout
        assert "잔여 인원" in screenctl(stack, "hospital", "show", hospital_id, **KOREAN).stdout
        check_error(screenctl(stack, "booking", "list", "--customer", "a b", **KOREAN), 1,
                    "INVALID_ARGUMENT: customer_id: 공백을 쓸 수 없습니다")
        check_error(screenctl(stack, "booking", "cancel", booking_id, "--reason", 300 * "x", **KOREAN), 1, "reason: ", "자여야 합니다")
        assert "예약이 없습니다" in screenctl(stack, "booking", "list", "--customer", "nobody", **KOREAN).stdout


@once
def test_screenctl_names_what_listens_at_a_wrong_address_at_once(driver):
    with Stack(driver, without=("history",), gateway=True) as stack:
        address = {name: stack.services[name].rpc for name in ("hospital", "booking")}
        events = stack.booking_svc.flags["events-listen"]
        for found, words in ((events, ("is an event port", "tcp://127.0.0.1:7201")),
                             ("tcp://" + stack.gateway_svc.http, ("is not booking-svc",)),
                             (address["hospital"], ("UNIMPLEMENTED", "the address of booking-svc"))):
            result = screenctl(stack, "--booking-addr", found, "booking", "list", "--customer", "c", services=())
            check_error(result, 1, found, *words)
        check_error(screenctl(stack, "--booking-addr", "tcp://127.0.0.1:%d" % free_port(), "booking", "list", "--customer", "c"),
                    1, "no booking-svc at")


@once
def test_screenctl_health_needs_no_token(driver):
    """Without one, or with that of a customer, it shows whether a service is ready, and says who sees more."""
    with Stack(driver, without=("hospital", "history")) as stack:
        for token in ("", stack.keyring.token_file("kim", "customer")):
            shown = screenctl(stack, "--json", "health", "booking", SCREENING_TOKEN_FILE=token)
            state, = json.loads(shown.stdout)["services"]
            assert (shown.returncode, state["status"]) == (0, "SERVING"), shown
            assert "only the token of an administrator" in state["detail"], shown


@once
def test_screenctl_health_asks_the_gateway_too(driver):
    with Stack(driver, gateway=True) as stack:
        def states(result):
            return {one["service"]: one["status"] for one in json.loads(result.stdout)["services"]}
        all_well = screenctl(stack, "--json", "health")
        assert all_well.returncode == 0 and states(all_well)["gateway-svc"] == "SERVING", all_well
        assert screenctl(stack, "health", "gateway").returncode == 0
        stack.booking_svc.stop()
        wait_for("the gateway misses booking-svc", lambda: states(screenctl(stack, "--json", "health", "gateway"))
                 == {"gateway-svc": "NOT_SERVING"})
        unready = screenctl(stack, "health", "gateway")
        assert unready.returncode == 1 and "booking-svc" in unready.stdout, unready
        stack.gateway_svc.stop()
        away = screenctl(stack, "health", "gateway")
        assert away.returncode == 1 and "NOT_RUNNING" in away.stdout and stack.gateway_svc.ops in away.stdout, away
        nowhere = screenctl(stack, "--json", "health", SCREENING_GATEWAY_OPS="")  # there is no such hospital
        assert "gateway-svc" not in states(nowhere), nowhere
        check_error(screenctl(stack, "--gateway-ops=nonsense", "health"), 2, "--gateway-ops nonsense")


@once
def test_screenctl_health_asks_the_front_door_too(driver):
    with Stack(driver, without=("hospital", "booking", "history"), gateway=True) as stack, Front(stack.gateway_svc.behind_door) as door, \
            PlayedGateway(answer=b"HTTP/1.1 404 Not Found\r\n") as foreign:
        def check(address, exit_code, state, detail=""):
            result = screenctl(stack, "--json", "health", "front", SCREENING_FRONT_HTTP=address)
            found, = json.loads(result.stdout)["services"]
            assert (result.returncode, found["service"], found["address"], found["status"]) == (exit_code, "front", address, state), result
            assert detail in found["detail"] and (detail or not found["detail"]), result
        check(door.http, 0, "SERVING")
        assert "정상" in screenctl(stack, "health", "front", SCREENING_FRONT_HTTP=door.http, **KOREAN).stdout
        check(foreign.address, 1, "UNAVAILABLE", "not one from the front door")
        stack.gateway_svc.kill()
        check(door.http, 1, "NOT_SERVING", "the gateway does not answer: repeat the same request")
        door.stop()
        check(door.http, 1, "NOT_RUNNING", "nothing listens")
        named = screenctl(stack, "--front-http", door.http, "health")
        assert named.returncode == 1 and re.search(r"^front +%s +NOT_RUNNING" % door.http, named.stdout, re.M), named
        assert "front" not in screenctl(stack, "health").stdout  # an empty address: there is none
        check_error(screenctl(stack, "--front-http=nonsense", "health"), 2, "--front-http nonsense")
        check_error(screenctl(stack, "health", SCREENING_FRONT_HTTP="nonsense"), 2, "SCREENING_FRONT_HTTP nonsense")


# Runs a command in a network of its own, in which a program that is not the front door listens at its default port.
WITH_FOREIGN_PROGRAM = """
import fcntl, http.server, socket, struct, subprocess, sys, threading
fcntl.ioctl(socket.socket(), 0x8914, struct.pack("16sh", b"lo", 1))  # lo is up
server = http.server.ThreadingHTTPServer(("127.0.0.1", 8080), http.server.BaseHTTPRequestHandler)
threading.Thread(target=server.serve_forever, daemon=True).start()
sys.exit(subprocess.run(sys.argv[1:]).returncode)
"""


@once
def test_screenctl_health_does_not_count_another_program_at_the_front_doors_default_port(driver):
    if subprocess.run(["unshare", "-rn", "true"], stderr=subprocess.DEVNULL, check=False).returncode != 0:
        return  # such as in a container, which may not make networks
    with Stack(driver) as stack:
        environment = {name: value for name, value in os.environ.items() if name != "SCREENING_FRONT_HTTP"}
        for more, exit_code in ((), 0), (("--front-http", "127.0.0.1:8080"), 1):
            result = subprocess.run(["unshare", "-rn", "/usr/bin/python3", "-c", WITH_FOREIGN_PROGRAM,
                                     *command(stack, "--gateway-ops", "", *more, "health")], capture_output=True, text=True, check=False,
                                    env={**environment, "LC_ALL": "C.UTF-8"}, timeout=DEADLINE_S)
            assert result.returncode == exit_code and re.search(r"^front +127.0.0.1:8080 +UNAVAILABLE", result.stdout, re.M), result


@once
def test_screenctl_watch_shows_the_next_open_day_the_fullest_hospital_first(driver):
    with Stack(driver, without=("history",)) as stack:
        names = ["병원%02d" % number for number in range(40)]
        ids = {name: register(stack, capacity=4, days=(2,), name=name) for name in names}
        book(stack, ids[names[17]], offset=2, headcount=3)
        code, shown = on_screen(command(stack, "watch", "--interval", "100"), 80, keys=((b"1 to", b"j"), (b"2 to", b"q")))
        lines = [line for line in re.sub(r"\033\[[0-9?]*[A-Za-z]", "", shown).splitlines() if line.startswith("병원")]
        assert code == 0 and lines[0].startswith("병원17 ") and "######" in lines[0] and day(2) in lines[0], shown
        assert "of 40" in shown and max(width(line) for line in lines) <= 80, shown


@once
def test_screenctl_watch_of_a_hospital_by_its_name_shows_its_days_in_each_frame(driver):
    with Stack(driver, without=("history",)) as stack:
        register(stack, capacity=4, days=range(1, 41), name="한빛의원")
        code, shown = on_screen(command(stack, "watch", "--hospital-id", "한빛의원", "--interval", "100"), 80,
                                keys=((b"1 to", b"j"), (b"2 to", b"j"), (b"3 to", b"q")))
        assert code == 0 and "of 40" in shown and "INVALID_ARGUMENT" not in shown, shown
