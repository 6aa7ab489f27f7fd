"""Plays the twelve lines of the specification, one after the other. Each line reads, derives the expected result, acts, and reads
again."""
from kit.ids import new_id
from looking import Look, count_by_status, look_until
from problems import Refused
from screenctl import shown

NAME, ADDRESS = "서초온마음검진센터", "서울특별시 서초구 반포대로 58, 3층"
CUSTOMER, CUSTOMER_NAME = "kim-haneul", "김하늘"


class SeedLines:
    """The twelve lines. `clinic` is an imported hospital that is not deleted, so a customer's booking there must stay."""

    def __init__(self, stack, report, clinic):
        self.screenctl, self.report, self.clinic = stack.screenctl, report, clinic
        self.look = Look(stack.screenctl)

    def play(self):
        self.register()
        self.book()
        self.cancel()
        self.delete()
        self.look_up()

    def _days_text(self, hospital_id):
        return ["%s: %d of %d" % (date, left, capacity) for date, (left, capacity) in self.look.days(hospital_id).items()]

    def _book(self, booking_id, hospital_id, date, customer, name, headcount):
        """Books, and returns the command as a user would type it."""
        words = ("book", "--customer", customer, "--name", name, "--hospital", hospital_id, "--date", date,
                 "--headcount", headcount, "--id", booking_id)
        self.screenctl.ask(*words)
        return shown(*words)

    # ---- line 1

    def register(self):
        before = len(self.look.hospitals_named(NAME))
        self.hospital_id = new_id()
        first, second = list(self.look.days(self.clinic))[:2]
        self.date, capacities = first, {first: 30, second: 20}
        words = ["hospital", "register", "--name", NAME, "--address", ADDRESS, "--id", self.hospital_id]
        for date, capacity in capacities.items():
            words += ["--day", "%s=%d" % (date, capacity)]
        self.screenctl.ask(*words)
        self.report.add(
            "a hospital is registered", shown(*words),
            {"hospitals of this name": before + 1, "places": ["%s: %d of %d" % (d, c, c) for d, c in capacities.items()]},
            {"hospitals of this name": len(self.look.hospitals_named(NAME)), "places": self._days_text(self.hospital_id)},
            seed="1. 관리자가 병원 정보를 등록한다")

    # ---- lines 2 to 5: one request and its effects

    def book(self):
        bookings = len(self.look.bookings("--customer", CUSTOMER))
        remaining = self.look.remaining(self.hospital_id, self.date)
        self.booking_id = new_id()
        timeline = self.look.timeline(self.booking_id)
        command = self._book(self.booking_id, self.hospital_id, self.date, CUSTOMER, CUSTOMER_NAME, 2)
        places = self.look.remaining(self.hospital_id, self.date)
        booking = self.look.booking(self.booking_id)
        self.report.add(
            "a booking is requested", command,
            {"bookings of the customer": bookings + 1, "date": self.date, "persons": 2},
            {"bookings of the customer": len(self.look.bookings("--customer", CUSTOMER)), "date": booking["date"],
             "persons": booking["headcount"]}, seed="2. 고객이 건강검진 예약을 요청한다")
        same = "the same request; looked at once after its answer"
        self.report.add("its places are taken", same, {"places left": remaining - 2}, {"places left": places},
                        seed="3. 검진가능 인원이 감소한다 (Sync)")
        self.report.add("the booking is CONFIRMED", same, {"status": "CONFIRMED"}, {"status": booking["status"]},
                        seed="4. 예약 상태가 예약 완료로 변경된다 (Sync)")
        self._add_story("history shows the confirmation", "the same request; looked at through history-svc",
                        timeline, booking["status"], "5. 예약관리에 내역의 상태가 등록된다")

    def _add_story(self, name, did, timeline_before, status, seed):
        """Checks that history-svc shows the same status as booking-svc, and one more entry than in `timeline_before`."""
        expected = {"status": status, "timeline": timeline_before + [status]}
        saw, took_s = look_until(expected, lambda: {"status": self.look.story_status(self.booking_id),
                                                    "timeline": self.look.timeline(self.booking_id)})
        self.report.add(name, did, expected, saw, seed=seed, took_s=took_s)

    # ---- lines 6 to 8

    def cancel(self):
        before = self.look.booking(self.booking_id)
        remaining = self.look.remaining(self.hospital_id, self.date)
        timeline = self.look.timeline(self.booking_id)
        words = ("booking", "cancel", self.booking_id, "--reason", "일정 변경")
        self.screenctl.ask(*words)
        booking = self.look.booking(self.booking_id)
        self.report.add(
            "the customer cancels", shown(*words),
            {"status": "CANCELLED", "reason": "일정 변경", "version": int(before["version"]) + 1},
            {"status": booking["status"], "reason": booking["statusReason"], "version": int(booking["version"])},
            seed="6. 고객이 건강검진 예약을 취소한다")
        expected = {"places left": remaining + before["headcount"]}
        saw, took_s = look_until(expected, lambda: {"places left": self.look.remaining(self.hospital_id, self.date)})
        self.report.add("its places are free again", "the same cancellation", expected, saw,
                        seed="7. 검진가능 인원이 증가한다 (Async)", took_s=took_s)
        self._add_story("history shows the cancellation", "the same cancellation; looked at through history-svc",
                        timeline, booking["status"], "8. 예약관리 내역의 상태가 예약 취소로 변경된다")

    # ---- lines 9 to 11

    def _fill(self):
        """Makes the bookings that the deletion must cancel, and one at another hospital, which must stay."""
        elsewhere = list(self.look.days(self.clinic))[0]
        self._book(new_id(), self.hospital_id, self.date, CUSTOMER, CUSTOMER_NAME, 1)
        self._book(new_id(), self.hospital_id, self.date, "lee-dain", "이다인", 2)
        self._book(new_id(), self.hospital_id, self.date, "park-seojun", "박서준", 1)
        self._book(new_id(), self.clinic, elsewhere, CUSTOMER, CUSTOMER_NAME, 1)

    def _refusal(self):
        """Tries to book at the deleted hospital. Returns the code of the refusal, or the status of the booking if there is none."""
        answer = self.screenctl.run("book", "--customer", "choi-yuna", "--name", "최유나", "--hospital", self.hospital_id,
                                    "--date", self.date)
        return answer.error.split(":")[1].strip() if answer.exit_code else answer.body["status"]

    def delete(self):
        self._fill()
        bookings = self.look.bookings("--hospital", self.hospital_id)
        live = [booking["bookingId"] for booking in bookings if booking["status"] == "CONFIRMED"]
        listed = len(self.look.hospitals_named(NAME))
        words = ("hospital", "delete", self.hospital_id, "--yes")
        self.screenctl.ask(*words)
        self._add_deletion(shown(*words), listed)
        self._add_forced(bookings, live)

    def _add_deletion(self, command, listed):
        self.report.add(
            "a hospital is deleted", command,
            {"status": "DELETED", "hospitals of this name": listed - 1, "a new booking": "FAILED_PRECONDITION HOSPITAL_DELETED"},
            {"status": self.screenctl.ask("hospital", "show", self.hospital_id)["status"],
             "hospitals of this name": len(self.look.hospitals_named(NAME)), "a new booking": self._refusal()},
            seed="9. 관리자가 병원 정보를 삭제한다")

    def _add_forced(self, bookings, live):
        """Checks that exactly the bookings that were CONFIRMED become FORCE_CANCELLED."""
        ids = [booking["bookingId"] for booking in bookings]
        after = [{**booking, "status": "FORCE_CANCELLED"} if booking["bookingId"] in live else booking for booking in bookings]
        expected = count_by_status(after)
        saw, took_s = look_until(expected, lambda: count_by_status(self.look.booking(one) for one in ids))
        self.report.add("its bookings are force-cancelled", "the same deletion", expected, saw,
                        seed="10. 해당 병원에 예약한 예약자의 상태를 변경한다", took_s=took_s)
        expected = {"FORCE_CANCELLED": len(live)}
        saw, took_s = look_until(expected, lambda: count_by_status({"status": self.look.story_status(one)} for one in live))
        self.report.add("history shows the forced cancellations", "the same deletion; looked at through history-svc",
                        expected, saw, seed="11. 예약관리 내역의 상태가 예약 강제 취소로 변경된다", took_s=took_s)

    # ---- line 12

    def look_up(self):
        names = {one: self.screenctl.ask("hospital", "show", one)["name"] for one in (self.hospital_id, self.clinic)}
        mine = self.look.bookings("--customer", CUSTOMER)
        if len(mine) < 3:
            raise Refused("the customer should have three bookings by now, and has %d" % len(mine))
        words = ("history", "customer", CUSTOMER)
        expected = ["%s %s %s" % (names[one["hospitalId"]], one["date"], one["status"]) for one in reversed(mine)]
        saw, took_s = look_until(expected, lambda: [
            "%s %s %s" % (one["hospitalName"], one["booking"]["date"], one["booking"]["status"])
            for one in self.screenctl.ask(*words)["bookings"]])
        self.report.add("a customer looks up the bookings", shown(*words), expected, saw,
                        seed="12. 사용자가 건강검진 예약내역 상태를 조회한다", took_s=took_s)
