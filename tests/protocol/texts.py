"""Checks that texts that look the same are treated as the same: names, addresses, reasons and searches, even if the database
contains texts that earlier versions stored as they were sent."""
import hashlib
import os
import subprocess
import unicodedata
import uuid

from kit import rpc, web
from kit.marks import once
from kit.rest import RestStack, booking_of, check_problem
from kit.rpc import booking_pb2, hospital_pb2
from kit.stack import DEADLINE_S, Stack, program
from kit.world import CONFIRMED, booking_request, check_refused, day, register

IMPORTED = uuid.UUID("5b6a2d0e-91c4-4f0b-8d57-3a1e6c9f42b8")  # namespace of the ids that an import makes for hospitals without one
NAME = "한빛 검진센터"
SENT = "  " + unicodedata.normalize("NFD", NAME).replace(" ", " \u3000")
BLANK = (" ", "\u200b", "\u200d", "\u3164", "\u115f", "\U000e0041", "\u2800")
BIDI = ("a\u202eb", "\u2066a\u2069", "\u200fa", "\u061ca")
INVISIBLE = ("c\u200d", "\u3164", "c\u115f", "c\u202e", "c\u00ad", "c\ufe0f")


def digest(message):
    """Returns the digest that is stored with a creation."""
    return hashlib.sha256(message.SerializeToString()).digest()[:16]


def literal(driver, content):
    return "x'%s'" % content.hex() if driver == "sqlite" else "'\\x%s'" % content.hex()


def keep_booking_as_sent(stack, driver, request):
    """Stores a booking as the version before normalization did, with texts and digest as they were sent."""
    stack.execute("booking", "UPDATE booking SET customer_id = '%s', customer_name = '%s', first_content = %s;" % (
        request["customer_id"], request["customer_name"], literal(driver, digest(booking_pb2.CreateBookingRequest(**request)))))


def test_texts_of_a_booking_are_kept_tidy(driver):
    with Stack(driver, without=("history",)) as stack:
        hospital_id = register(stack)
        request = booking_request(hospital_id, customer_name=SENT)
        made = stack.booking.CreateBooking(**request)
        assert made.code == rpc.OK and made.message.customer_name == NAME, made
        for name in (NAME, SENT, NAME + " "):  # a repeat, in any spelling
            again = stack.booking.CreateBooking(**{**request, "customer_name": name})
            assert again.code == rpc.OK and again.message == made.message, again
        check_refused(stack.booking.CreateBooking(**{**request, "customer_name": NAME + "x"}), rpc.ALREADY_EXISTS)
        reason = stack.booking.CancelBooking(booking_id=request["booking_id"], reason=" e\u0301 \u2003 x ")
        assert reason.message.status_reason == "\u00e9 x", reason


def test_texts_of_a_hospital_are_kept_tidy(driver):
    with Stack(driver, without=("booking", "history")) as stack:
        request = {"hospital_id": rpc.new_id(), "name": SENT, "address": " 서울 ", "days": [{"date": day(1), "capacity": 1}]}
        made = stack.hospital.RegisterHospital(**request)
        assert (made.message.name, made.message.address) == (NAME, "서울"), made
        for name in (NAME, SENT):
            again = stack.hospital.RegisterHospital(**{**request, "name": name})
            assert again.code == rpc.OK and again.message == made.message, again
        check_refused(stack.hospital.RegisterHospital(**{**request, "name": "x"}), rpc.ALREADY_EXISTS)
        for part in ("빛 검", unicodedata.normalize("NFD", "빛\u3000 검"), " " + NAME, ""):
            assert len(stack.hospital.ListHospitals(name_contains=part).message.hospitals) == 1, part
        assert len(stack.hospital.ListHospitals(name_contains="x").message.hospitals) == 0


def test_texts_that_hide_something_are_refused(driver):
    with Stack(driver, without=("history",)) as stack:
        hospital_id = register(stack)
        request = booking_request(hospital_id)
        hospital = {"hospital_id": rpc.new_id(), "name": "n", "address": "a"}
        for text in BLANK + BIDI:
            check_refused(stack.booking.CreateBooking(**{**request, "customer_name": text}), rpc.INVALID_ARGUMENT,
                          field="customer_name: ")
            check_refused(stack.hospital.RegisterHospital(**{**hospital, "name": text}), rpc.INVALID_ARGUMENT, field="name: ")
        for text in BLANK[1:] + BIDI:  # an empty text is allowed here
            check_refused(stack.hospital.RegisterHospital(**{**hospital, "address": text}), rpc.INVALID_ARGUMENT,
                          field="address: ")
            check_refused(stack.booking.CancelBooking(booking_id=request["booking_id"], reason=text), rpc.INVALID_ARGUMENT,
                          field="reason: ")
        for text in INVISIBLE:
            check_refused(stack.booking.CreateBooking(**{**request, "customer_id": text}), rpc.INVALID_ARGUMENT,
                          field="customer_id: ")
            assert stack.booking.ListBookings(customer_id=text).code == rpc.OK  # an earlier version may have accepted it
        assert stack.value("booking", "SELECT COUNT(*) FROM booking") == 0
        assert stack.value("hospital", "SELECT COUNT(*) FROM hospital") == 1
        joined = stack.booking.CreateBooking(**{**request, "customer_name": "\u0915\u094d\u200d\u0937"})
        assert joined.code == rpc.OK and joined.message.customer_name == "\u0915\u094d\u200d\u0937", joined


def test_texts_of_a_booking_kept_as_sent_are_still_the_same(driver):
    with Stack(driver, without=("history",)) as stack:
        hospital_id = register(stack)
        for name, others in ((SENT, (NAME, SENT, NAME + "  ")), ("a\u202e", ()), ("\u3164", ())):
            stack.execute("booking", "DELETE FROM booking;")
            request = booking_request(hospital_id, customer_name=SENT)
            made = stack.booking.CreateBooking(**request)
            assert made.code == rpc.OK, made
            request.update(customer_name=name, customer_id="c-1" if others else "c\u200d")
            keep_booking_as_sent(stack, driver, request)
            for repeat in (name,) + others:
                again = stack.booking.CreateBooking(**{**request, "customer_name": repeat})
                assert again.code == rpc.OK and again.message.customer_name == name, again
                assert again.message.status == CONFIRMED
            for other in ({"customer_name": name + "x"}, {"headcount": 2}, {"customer_id": "c-2"}, {"date": day(2)}):
                code = stack.booking.CreateBooking(**{**request, "customer_name": others[0] if others else name, **other}).code
                assert code == rpc.ALREADY_EXISTS, (name, other, code)


def test_texts_of_a_hospital_kept_as_sent_are_still_found(driver):
    with Stack(driver, without=("booking", "history")) as stack:
        request = {"hospital_id": rpc.new_id(), "name": SENT, "address": "서울"}
        assert stack.hospital.RegisterHospital(**request).code == rpc.OK
        stack.execute("hospital", "UPDATE hospital SET name = '%s', content = %s;" % (
            SENT, literal(driver, digest(hospital_pb2.RegisterHospitalRequest(**request)))))
        again = stack.hospital.RegisterHospital(**request)
        assert again.code == rpc.OK and again.message.name == SENT, again
        check_refused(stack.hospital.RegisterHospital(**{**request, "name": NAME + "x"}), rpc.ALREADY_EXISTS)
        other = {**request, "hospital_id": rpc.new_id(), "name": unicodedata.normalize("NFD", "다른")}
        assert stack.hospital.RegisterHospital(**other).code == rpc.OK
        stack.execute("hospital", "UPDATE hospital SET content = %s WHERE name = '다른';" % (
            literal(driver, digest(hospital_pb2.RegisterHospitalRequest(**{**other, "address": unicodedata.normalize("NFD", "서울")})))))
        for name in ("다른", other["name"]):
            assert stack.hospital.RegisterHospital(**{**other, "name": name}).code == rpc.OK, name
        for part in ("한빛", "센터", unicodedata.normalize("NFD", "검진"), SENT):
            assert len(stack.hospital.ListHospitals(name_contains=part).message.hospitals) == 1, part
        assert len(stack.hospital.ListHospitals(name_contains="없음").message.hospitals) == 0


@once
def test_texts_are_the_same_through_the_gateway(driver):
    with RestStack(driver, without=("history",)) as stack:
        path = stack.hospital_path(name=SENT)
        assert stack.rest.get(path).json["name"] == NAME
        found = stack.rest.get("/hospitals", query={"nameContains": unicodedata.normalize("NFD", "한빛")}).json["hospitals"]
        assert [h["name"] for h in found] == [NAME]
        key = {"Idempotency-Key": "texts"}
        made = stack.rest.post("/bookings", booking_of(path, customerName=NAME), headers=key)
        again = stack.rest.post("/bookings", booking_of(path, customerName=SENT), headers=key)
        assert made.code == again.code == 201 and made.json == again.json, again
        check_problem(stack.rest.post("/bookings", booking_of(path, customerName="\u3164")), 422, "INVALID_ARGUMENT")
        check_problem(stack.rest.post("/bookings", booking_of(path, customerId="c\u200d")), 422, "INVALID_ARGUMENT")
        connect = web.Client(stack.gateway_svc.http)
        wrong = connect.post("/screening.v1.BookingService/CreateBooking", booking_of(path, customerName="a\u202e"))
        connect.close()
        assert wrong.code == 400 and "bidirectional" in wrong.json["message"], wrong


def import_csv(stack, name, address):
    path = os.path.join(stack.folder, "import.csv")
    with open(path, "w", encoding="utf-8") as file:
        file.write("hospital_id,name,address,date,capacity\n,%s,%s,+1,10\n,,,,\n,,,,\n" % (name, address))
    done = subprocess.run([program("screenctl"), "--hospital", stack.hospital_svc.rpc, "--timeout", "50000", "hospital", "import",
                           path], capture_output=True, text=True, timeout=2 * DEADLINE_S, check=False, stdin=subprocess.DEVNULL,
                          env={**os.environ, "LC_ALL": "C.UTF-8"})
    assert done.returncode == 0 and done.stderr == "", done


@once
def test_texts_of_one_hospital_are_imported_once(driver):
    with Stack(driver, without=("booking", "history")) as stack:
        tidy, sent = (NAME, "서울"), (SENT, "서울  ")
        decomposed = tuple(unicodedata.normalize("NFD", text) for text in tidy)
        for spelling in (tidy, sent, decomposed, tidy):
            import_csv(stack, *spelling)
        assert stack.value("hospital", "SELECT COUNT(*) FROM hospital") == 1
        # An earlier version derived the id from the bytes as sent, and stored them unchanged.
        for former, spellings in ((decomposed, (decomposed, tidy)), (sent, (sent,)), (tidy, (sent, decomposed, tidy))):
            stack.execute("hospital", "DELETE FROM capacity_change; DELETE FROM screening_day; DELETE FROM hospital;")
            register(stack, hospital_id=str(uuid.uuid5(IMPORTED, "\n".join(former))))
            stack.execute("hospital", "UPDATE hospital SET name = '%s', address = '%s';" % former)
            for spelling in spellings:
                import_csv(stack, *spelling)
            assert stack.value("hospital", "SELECT COUNT(*) FROM hospital") == 1, former
