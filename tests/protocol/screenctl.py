"""Tests screenctl with the real services: every command, every method, correct exit codes, errors of one line."""
import fcntl
import json
import os
import pty
import select
import subprocess
import termios

from kit import rpc
from kit.marks import once
from kit.screenctl import check_error, command, done, screenctl
from kit.stack import DEADLINE_S, PROGRAMS, Stack, wait_for
from kit.world import CANCELLED, CONFIRMED, behind, book, booking_request, day, history_shows, register, remaining


@once
def test_screenctl_calls_every_method(driver):
    with Stack(driver) as stack:
        hospital_id, booking_id = rpc.new_id(), rpc.new_id()
        place = {"hospitalId": hospital_id, "date": day(1)}
        booking = {"bookingId": booking_id, "customerId": "c", "customerName": "김", **place}
        one = {"bookingId": rpc.new_id(), "headcount": 1, **place}
        requests = [
            ("RegisterHospital", {"hospitalId": hospital_id, "name": "n", "days": [{"date": day(1), "capacity": 9}]}),
            ("GetHospital", {"hospitalId": hospital_id}),
            ("ListHospitals", {}),
            ("SetCapacity", {"capacity": 8, **place}),
            ("GetAvailability", {"hospitalId": hospital_id}),
            ("Reserve", one),
            ("BatchReserve", {"requests": [one]}),
            ("ListReservations", {}),
            ("LookUpBookings", {"bookingIds": [booking_id]}),
            ("AbandonBooking", one),
            ("CreateBooking", booking),
            ("GetBooking", {"bookingId": booking_id}),
            ("ListBookings", {"customerId": "c"}),
            ("CancelBooking", {"bookingId": booking_id}),
            ("ListCustomerHistory", {"customerId": "c"}),
            ("GetProjectionStatus", {}),
            ("DeleteHospital", {"hospitalId": hospital_id}),
        ]
        for name, request in requests:
            done(stack, "call", name, json.dumps(request))
        wait_for("history knows the booking", lambda: screenctl(
            stack, "call", "GetBookingHistory", json.dumps({"bookingId": booking_id})).returncode == 0)
        for name in PROGRAMS:
            for method in ("Check", "Describe", "Stats"):
                done(stack, "call", method, "{}", "--to", name)
        for name in ("hospital", "booking"):
            assert done(stack, "call", "Fetch", "{}", "--to", name)["events"]
        called = {name for name, _ in requests} | {"GetBookingHistory", "Check", "Describe", "Stats", "Fetch"}
        assert called | {"Pair"} == set(rpc.METHODS)  # Pair is for hospital-svc only


@once
def test_screenctl_plays_the_clinics_day(driver):
    with Stack(driver) as stack:
        made = done(stack, "hospital", "register", "--name", "한빛", "--day", "+1=5", "--day", "+2=7")
        hospital_id = made["hospitalId"]
        assert [d["capacity"] for d in done(stack, "hospital", "show", hospital_id)["days"]] == [5, 7]
        assert done(stack, "hospital", "set-capacity", hospital_id, "+1", "6")["capacity"] == 6
        booked = done(stack, "book", "--customer", "c-1", "--name", "김하늘", "--hospital", hospital_id, "--date", "+1",
                      "--headcount", "2")
        assert booked["status"] == "CONFIRMED"
        comes = screenctl(stack, "booking", "list", "--hospital", hospital_id, "--date", "+1")
        assert comes.returncode == 0 and "김하늘" in comes.stdout and "2 people" in comes.stdout, comes
        assert done(stack, "booking", "show", booked["bookingId"])["headcount"] == 2
        assert done(stack, "booking", "cancel", booked["bookingId"], "--reason", "여행")["status"] == "CANCELLED"
        wait_for("history shows it", lambda: history_shows(stack, booked["bookingId"], 4))
        assert "CANCELLED" in screenctl(stack, "history", "booking", booked["bookingId"]).stdout
        assert booked["bookingId"] in screenctl(stack, "history", "customer", "c-1").stdout
        assert screenctl(stack, "projection").returncode == 0 and screenctl(stack, "health").returncode == 0
        assert hospital_id in screenctl(stack, "hospital", "list", "--name", "한빛").stdout
        assert done(stack, "hospital", "delete", hospital_id, "--yes")["status"] == "DELETED"


@once
def test_screenctl_errors_are_one_line_with_the_right_exit_code(driver):
    with Stack(driver, without=("history",)) as stack:
        hospital_id = register(stack, capacity=1)
        check_error(screenctl(stack, "booking", "show", rpc.new_id()), 1, "NOT_FOUND")
        check_error(screenctl(stack, "booking", "show", "nonsense"), 1, "INVALID_ARGUMENT", "booking_id")
        check_error(screenctl(stack, "book", "--customer", "c", "--name", "n", "--hospital", hospital_id, "--date", "+1",
                              "--headcount", "2"), 1, "FAILED_PRECONDITION", "SOLD_OUT")
        check_error(screenctl(stack, "health", "nonsense"), 2, "nonsense")
        assert screenctl(stack, "health", "booking").returncode == 0  # the health check of a container
        assert screenctl(stack, "health", "history").returncode == screenctl(stack, "health").returncode == 1
        check_error(screenctl(stack, "history", "customer", "c"), 1, stack.history_svc.rpc, "--database postgresql://")
        check_error(screenctl(stack, "nonsense"), 2, "nonsense")
        check_error(screenctl(stack, "book", "--customer", "c"), 2, "--name")
        check_error(screenctl(stack, "booking", "list"), 2)
        check_error(screenctl(stack, "--no-such-flag"), 2, "--no-such-flag")
        check_error(screenctl(stack, "call", "NoSuchMethod", "{}"), 2, "NoSuchMethod")
        check_error(screenctl(stack, "call", "GetBooking", '{"nope": 1}'), 2, "nope")
        check_error(screenctl(stack, "call", "GetBooking", "{"), 2)
        check_error(screenctl(stack, "--hospital", "http://x", "hospital", "list", services=()), 2, "--hospital")


def write(stack, name, content):
    path = os.path.join(stack.folder, name)
    with open(path, "wb") as file:
        file.write(content)
    return name


@once
def test_screenctl_import_repeats_open_missing_days_and_report_bad_lines(driver):
    with Stack(driver, without=("booking", "history")) as stack:
        explicit = rpc.new_id()
        content = ("\ufeffhospital_id,name,address,date,capacity\r\n"
                   ',"한빛, ""본원""","서울, 중구",+1,10\r\n'
                   ',"한빛, ""본원""","서울, 중구",+2,20\r\n'
                   "%s,두번째,부산,%s,5\r\n" % (explicit, day(3)))
        file = write(stack, "good.csv", content.encode())
        first = screenctl(stack, "hospital", "import", file)
        assert first.returncode == 0, first
        hospitals = stack.hospital.ListHospitals().message.hospitals
        assert {h.name for h in hospitals} == {'한빛, "본원"', "두번째"}
        events = stack.hospital.Fetch(subscriber="t").message.head_seq
        assert screenctl(stack, "hospital", "import", file).returncode == 0
        assert stack.hospital.Fetch(subscriber="t").message.head_seq == events  # a repeat changes nothing
        stack.hospital.SetCapacity(hospital_id=explicit, date=day(3), capacity=9)
        more = write(stack, "more.csv", ("hospital_id,name,address,date,capacity\n%s,두번째,부산,+3,5\n%s,두번째,부산,+4,6\n"
                                         % (explicit, explicit)).encode())
        differs = screenctl(stack, "hospital", "import", more)
        assert differs.returncode == 1 and "more.csv:2: capacity: 5 in the file, but 9 is set" in differs.stderr, differs
        assert "1 day opened" in differs.stdout and "1 day differs" in differs.stdout, differs
        days = stack.hospital.GetHospital(hospital_id=explicit).message.days
        assert [(d.date, d.capacity) for d in days] == [(day(3), 9), (day(4), 6)]
        dry = screenctl(stack, "hospital", "import", more, "--update", "--dry-run")
        assert dry.returncode == 0 and "1 capacity changed" in dry.stdout and "dry run" in dry.stdout, dry
        assert stack.hospital.GetHospital(hospital_id=explicit).message.days[0].capacity == 9
        assert done(stack, "hospital", "import", more, "--update")["daysChanged"] == 1
        assert stack.hospital.GetHospital(hospital_id=explicit).message.days[0].capacity == 5
        bad = write(stack, "bad.csv", (
            "hospital_id,name,address,date,capacity\n"
            ",세번째,a,+1,10\n"
            ",세번째,a,2026-02-30,10\n"
            ",세번째,a,+2,many\n"
            "no-uuid,네번째,a,+1,1\n"
            ",,a,+1,1\n").encode() + b",\xff\xfe,a,+1,1\n")
        result = screenctl(stack, "hospital", "import", bad)
        assert result.returncode == 1, result
        assert '"2026-02-30"' in result.stderr and '"many"' in result.stderr, result
        for line, field in ((3, "date"), (4, "capacity"), (5, "hospital_id"), (6, "name"), (7, "name")):
            assert "bad.csv:%d: %s: " % (line, field) in result.stderr, result
        third = stack.hospital.ListHospitals(name_contains="세번째").message.hospitals
        assert len(third) == 1  # the other services continued
        assert len(stack.hospital.GetHospital(hospital_id=third[0].hospital_id).message.days) == 1


@once
def test_screenctl_import_says_what_is_wrong_with_the_whole_file(driver):
    header = "hospital_id,name,address,date,capacity\n"
    with Stack(driver, without=("booking", "history")) as stack:
        for content, words in ((header.replace(",", ";"), ("header", "commas", "hospital_id;name")), (header, ("no hospital",)),
                               ("", ("header",)), ("이름,주소\n", ("header", "이름,주소"))):
            result = screenctl(stack, "hospital", "import", write(stack, "x.csv", content.encode()))
            assert result.returncode == 1 and all(word in result.stderr for word in words), result
        korean = header + ",갑병원,서울특별시 성동구,+1,5\n"
        for encoding in ("cp949", "utf-16"):
            result = screenctl(stack, "hospital", "import", write(stack, "x.csv", korean.encode(encoding)))
            assert result.returncode == 1 and "CSV UTF-8" in result.stderr, result
        assert not stack.hospital.ListHospitals().message.hospitals
        piped = subprocess.run(command(stack, "--json", "hospital", "import", "-"), input=korean.encode(), capture_output=True,
                               check=False, timeout=DEADLINE_S)
        assert piped.returncode == 0 and json.loads(piped.stdout)["registered"] == 1, piped
        elsewhere = screenctl(stack, "hospital", "import", write(stack, "x.csv", korean.replace("성동구", "성둥구").encode()))
        assert elsewhere.returncode == 0 and "a hospital of this name already exists" in elsewhere.stderr, elsewhere


@once
def test_screenctl_repeats_a_booking_with_its_own_id(driver):
    with Stack(driver, without=("history",)) as stack:
        hospital_id, booking_id = register(stack, capacity=5), rpc.new_id()
        words = ("book", "--customer", "c", "--name", "n", "--hospital", hospital_id, "--date", "+1", "--id", booking_id)
        assert done(stack, *words) == done(stack, *words)
        assert remaining(stack, hospital_id) == 4
        assert stack.booking.GetBooking(booking_id=booking_id).message.status == CONFIRMED
        other = booking_request(hospital_id)
        assert book(stack, hospital_id, booking_id=other["booking_id"]).booking_id == other["booking_id"]


def on_terminal(words, cwd, keys=b"", until=()):
    """Runs screenctl with a terminal for stdout and stderr. Types `keys` after all texts in `until` have appeared. Returns (exit
    code, output, whether the settings of the terminal are restored)."""
    leader, follower = pty.openpty()
    before = termios.tcgetattr(follower)
    process = subprocess.Popen(words, stdin=follower, stdout=follower, stderr=follower, cwd=cwd, start_new_session=True,
                               preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
    shown = b""
    try:
        while process.poll() is None or select.select([leader], [], [], 0)[0]:
            if select.select([leader], [], [], 0.1)[0]:
                shown += os.read(leader, 65536)
            if keys and all(word in shown for word in until):
                os.write(leader, keys)
                keys = b""
        same = termios.tcgetattr(follower) == before
    finally:
        process.kill()
        process.wait()
        os.close(follower)
        os.close(leader)
    return process.returncode, shown.decode(), same


@once
def test_screenctl_import_draws_its_progress_on_a_terminal_only(driver):
    with Stack(driver, without=("booking", "history")) as stack:
        lines = ["hospital_id,name,address,date,capacity"] + [",n%d,a,+1,1" % number for number in range(3)]
        file = write(stack, "three.csv", "\n".join(lines + [",bad,a,+1,x", ""]).encode())
        code, shown, _ = on_terminal(command(stack, "hospital", "import", file), stack.folder)
        assert code == 1 and "[%s] 3/3" % (40 * "#") in shown and "three.csv:5: capacity" in shown, shown
        assert "#]" not in shown.splitlines()[-1].rpartition("\033[K")[2], shown  # cleared at the end
        piped = screenctl(stack, "hospital", "import", file)
        assert "#" not in piped.stderr and "\033" not in piped.stderr, piped


@once
def test_screenctl_describe_and_stats_ask_one_service_or_all(driver):
    with Stack(driver, without=("history",)) as stack:
        check_error(screenctl(stack, "stats", "nonsense"), 2, "nonsense")
        (described,) = done(stack, "describe", "booking")["services"]
        assert described["program"] == "booking-svc"
        methods = {method["name"] for service in described["services"] for method in service["methods"]}
        assert "screening.v1.BookingService/CreateBooking" in methods
        piped = screenctl(stack, "describe", "hospital")
        assert piped.returncode == 0 and "screening.v1.HospitalService/Reserve" in piped.stdout, piped
        (stats,) = done(stack, "stats", "hospital")["services"]
        assert {stat["name"] for stat in stats["stats"]} >= {"writer_commits_total", "rpc_server_calls_total"}, stats
        every = screenctl(stack, "--json", "stats")
        check_error(every, 1, stack.history_svc.rpc)
        assert [one["program"] for one in json.loads(every.stdout)["services"]] == ["hospital-svc", "booking-svc"]


def events(result):
    """Returns (log, seq, type) of each line that `events tail --json` printed."""
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    return [(line["log"], int(line["event"]["seq"]), line["event"]["type"]) for line in lines]


@once
def test_screenctl_events_tail_shows_both_logs_and_resumes(driver):
    with Stack(driver, without=("history",)) as stack:
        hospital_id = register(stack, capacity=3)
        first, second = book(stack, hospital_id).booking_id, book(stack, hospital_id).booking_id
        stack.booking.CancelBooking(booking_id=first)
        whole = [("hospital", 1, "hospital.registered"), ("booking", 1, "booking.confirmed"),
                 ("booking", 2, "booking.confirmed"), ("booking", 3, "booking.cancelled")]
        once_json = ("--json", "events", "tail", "--once")
        assert sorted(events(screenctl(stack, *once_json))) == sorted(whole)
        assert events(screenctl(stack, *once_json, "--after", "booking:1", "--log", "booking")) == whole[2:]
        assert events(screenctl(stack, *once_json, "--booking", first)) == [whole[1], whole[3]]
        assert events(screenctl(stack, *once_json, "--hospital-id", rpc.new_id())) == []
        assert events(screenctl(stack, *once_json, "--type", "booking.cancelled")) == whole[3:]
        assert len(events(screenctl(stack, *once_json, "--max", "2"))) == 2
        piped = screenctl(stack, "events", "tail", "--once", "--log", "booking")
        assert piped.returncode == 0 and piped.stdout.startswith("booking:1 ") and second in piped.stdout, piped
        check_error(screenctl(stack, "events", "tail", "--after", "history:1"), 2, "--after")
        check_error(screenctl(stack, "events", "tail", "--log", "history"), 2, "--log")
        check_error(screenctl(stack, "events", "tail", "--once", "--after", "booking:99"), 1, "LOG_DIVERGED")


@once
def test_screenctl_events_tail_goes_on_through_a_restart(driver):
    with Stack(driver, without=("history",)) as stack:
        hospital_id = register(stack, capacity=3)
        tail = subprocess.Popen(command(stack, "--json", "events", "tail", "--after", "booking:0", "--log", "booking",
                                        "--max", "2"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            book(stack, hospital_id)
            assert json.loads(tail.stdout.readline())["event"]["seq"] == "1"
            stack.booking_svc.restart()
            book(stack, hospital_id)
            assert json.loads(tail.stdout.readline())["event"]["seq"] == "2"
            assert tail.wait(timeout=DEADLINE_S) == 0
            said = tail.stderr.read()
            assert said.count("\n") <= 1 and (not said or stack.booking_svc.for_services in said), said
        finally:
            tail.kill()
            tail.communicate()


@once
def test_screenctl_booking_trace_shows_states_events_and_progress(driver):
    with Stack(driver) as stack:
        hospital_id = register(stack, capacity=3)
        booking_id = book(stack, hospital_id).booking_id
        stack.booking.CancelBooking(booking_id=booking_id, reason="trip")
        wait_for("history has it", lambda: history_shows(stack, booking_id, CANCELLED))
        wait_for("everybody has read the logs to their ends", lambda: not behind(stack))
        trace = done(stack, "booking", "trace", booking_id)
        assert trace["booking"]["status"] == "CANCELLED" and trace["caughtUp"] is True
        assert [(one["status"], one["seq"], one["source"]) for one in trace["entries"]] == [
            ("CONFIRMED", "1", "booking"), ("CANCELLED", "2", "booking")], trace
        assert {log["log"] for log in trace["logs"]} == {"booking", "hospital"}
        assert all(log["appliedSeq"] == log["headSeq"] for log in trace["logs"]), trace
        piped = screenctl(stack, "booking", "trace", booking_id)
        assert piped.returncode == 0 and "booking.cancelled" in piped.stdout and "FOLLOWING" in piped.stdout, piped
        check_error(screenctl(stack, "booking", "trace", rpc.new_id()), 1, "NOT_FOUND")
        check_error(screenctl(stack, "booking", "trace"), 2, "BOOKING_ID")
        stack.history_svc.stop()
        check_error(screenctl(stack, "booking", "trace", booking_id), 1, stack.history_svc.rpc)


@once
def test_screenctl_watch_shows_days_filling_and_gives_the_terminal_back(driver):
    with Stack(driver) as stack:
        hospital_id = register(stack, capacity=4)
        book(stack, hospital_id, headcount=3)
        words = command(stack, "watch", "--date", "+1", "--interval", "100")
        filled = ("%s%s" % (18 * "#", 6 * ".")).encode()
        for keys in (b"q", b"\x03"):
            code, shown, same = on_terminal(words, stack.folder, keys, until=(filled, b"FOLLOWING"))
            assert code == 0 and same and "한빛검진센터" in shown and "FOLLOWING" in shown, shown
            assert shown.endswith("\033[?25h\033[?1049l"), shown[-60:]
        stack.booking_svc.stop()  # shown, not fatal
        code, shown, same = on_terminal(words + ["--hospital-id", hospital_id], stack.folder, b"q",
                                        until=(b"no booking-svc at",))
        assert code == 0 and same, shown
        check_error(screenctl(stack, "watch"), 2, "terminal")
        check_error(screenctl(stack, "watch", "--interval", "1"), 2, "--interval")


@once
def test_screenctl_speaks_korean_in_a_korean_locale_whether_or_not_it_is_installed(driver):
    korean = {"LC_ALL": "", "LANG": "ko_KR.UTF-8"}
    with Stack(driver, without=("history",)) as stack:
        hospital_id = register(stack, capacity=1)
        check_error(screenctl(stack, "history", "customer", "c", **korean), 1, "UNAVAILABLE: ", stack.history_svc.rpc,
                    "시작하세요")
        check_error(screenctl(stack, "nonsense", **korean), 2, "알 수 없는 명령")
        sold_out = ("book", "--customer", "c", "--name", "n", "--hospital", hospital_id, "--date", "+1", "--headcount", "2")
        check_error(screenctl(stack, *sold_out, **korean), 1, "FAILED_PRECONDITION SOLD_OUT: ", "잔여 인원이 부족합니다",
                    "요청 2명, 잔여 1명")
        assert "사용법: screenctl" in screenctl(stack, "--help", **korean).stdout
        assert "날짜" in screenctl(stack, "hospital", "show", hospital_id, **korean).stdout
        machine = ("--json", "hospital", "show", hospital_id)
        assert screenctl(stack, *machine, **korean).stdout == screenctl(stack, *machine).stdout
        for english in ({}, {"LANGUAGE": "ko"}, {"LC_ALL": "", "LANG": "en_US.UTF-8"}, {"LC_ALL": "C", "LANG": "ko_KR.UTF-8"}):
            check_error(screenctl(stack, "nonsense", **english), 2, "unknown command")
        check_error(screenctl(stack, "nonsense", LC_ALL="en_US.UTF-8", LANGUAGE="ko"), 2, "알 수 없는 명령")
