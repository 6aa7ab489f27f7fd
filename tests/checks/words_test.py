"""Checks that check.words reports a word that is in one of the two places only."""
import os
import subprocess

from checks import words

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TYPES, BOOKING, HOSPITAL, HISTORY = ("proto/screening/v1/%s.proto" % name for name in ("types", "booking", "hospital", "history"))
RULES = "hospital-svc/hospital.c"
# A tuple is (path, text, replacement of the text, part of the message that the check must then return).
CHANGES = (
    (words.HEADER, '_SOLD_OUT                "SOLD_OUT"', '_SOLD_OUT "SOLDOUT"', "SCREENING_REASON_SOLD_OUT is SOLDOUT"),
    (words.HEADER, "#define SCREENING_REASON_REFUSED ", '#define SCREENING_REASON_NEW "NEW"\n#define SCREENING_REASON_REFUSED ',
     "section 4: lacks NEW of"),
    (words.HEADER, '#define SCREENING_EVENT_BOOKING_RELEASED        "booking.released"', "", "booking.released is not in"),
    (words.HEADER, '"STOPPED"', '"STUCK"', "LogStatus: STOPPED is not in"),
    (words.DOCUMENT, "| `BOOKING_FINAL` |", "| `BOOKING_ENDED` |", "section 4: BOOKING_ENDED is not in"),
    (words.DOCUMENT, "`SOLD_OUT`; ALREADY_EXISTS", "`SOLDOUT`; ALREADY_EXISTS", "`SOLDOUT` is no reason and no code"),
    (words.DOCUMENT, "| 5 | NOT_FOUND |", "| 6 | NOT_FOUND |", "NOT_FOUND is not 6"),
    (words.DOCUMENT, "| | `hospital.deleted` |", "| | `hospital.closed` |", "section 10: lacks hospital.deleted of"),
    (words.DOCUMENT, "until it is paired, `booking.confirmed`", "until it is paired, `booking.granted`", "`booking.granted` is not in"),
    (words.DOCUMENT, "3 REJECTED", "6 REJECTED", "BookingStatus: lacks 3 REJECTED of"),
    (words.DOCUMENT, "(1 ACTIVE, 2 DELETED)", "(1 ACTIVE)", "HospitalStatus: lacks 2 DELETED of"),
    (words.DOCUMENT, "| LookUpBookings |", "| FindBookings |", "BookingService: lacks LookUpBookings of"),
    (words.DOCUMENT, "include_deleted, page_size", "page_size", "ListHospitals: lacks the field include_deleted"),
    (TYPES, "  FORCE_CANCELLED = 5;", "  FORCE_CANCELLED = 5;\n  EXPIRED = 6;", "BookingStatus: lacks EXPIRED of types.proto"),
    (BOOKING, "  string reason = 2;", "  string reason = 2;\n  string note = 3;", "CancelBooking: lacks the field note"),
    (HOSPITAL, "  rpc GetAvailability(", "  rpc GetDays(", "HospitalService: GetAvailability is not in"),
    (HISTORY, "service HistoryService", "service ReadService", "section 9: lacks ReadService of"),
    (words.OPENAPI, '"reason": "SOLD_OUT"', '"reason": "FULL_UP"', "FULL_UP is not in"),
    (words.OPENAPI, '"enum": ["booking", "hospital"]', '"enum": ["booking"]', "openapi.json: lacks hospital of"),
    (RULES, "SCREENING_REASON_SOLD_OUT", '"SOLD_OUT"', '"SOLD_OUT" is a word of'),
)


def contract():
    listed = subprocess.run(["git", "-C", ROOT, "ls-files", "--cached", "--others", "--exclude-standard", "proto", words.DOCUMENT,
                             words.OPENAPI, words.STATUS, RULES], capture_output=True, text=True, check=True).stdout.split()
    texts = {}
    for path in listed:
        with open(os.path.join(ROOT, path), encoding="utf-8") as file:
            texts[path] = file.read()
    return texts


def test_words_of_the_contract_are_the_same_everywhere(_):
    assert words.check(contract()) == []


def test_words_check_objects_to_each_change(_):
    texts = contract()
    for path, old, new, objection in CHANGES:
        assert old in texts[path], (path, old)
        wrong = words.check({**texts, path: texts[path].replace(old, new, 1)})
        assert any(objection in line for line in wrong), (path, new, wrong)
