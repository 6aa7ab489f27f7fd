"""G3: checks that repeating a creation changes nothing and returns the current state."""
import threading

from kit import rpc
from kit.marks import once
from kit.rpc import FakeService, envelope_pb2, hospital_pb2
from kit.stack import Stack, wait_for
from kit.world import (CANCELLED, CONFIRMED, DELETED, FORCE_CANCELLED, REQUESTED, all_bookings, book, booking_request,
                       check_refused, day, queue, register, remaining, status_of, wait_agreement)


def test_booking_same_content_again_takes_nothing(driver):
    with Stack(driver) as stack:
        hospital_id = register(stack)
        request = booking_request(hospital_id, headcount=2)
        first = stack.booking.CreateBooking(**request).message
        second = stack.booking.CreateBooking(**request)
        assert second.code == rpc.OK and second.message == first
        upper = stack.booking.CreateBooking(**{**request, "booking_id": request["booking_id"].upper()})
        assert upper.code == rpc.OK and upper.message == first
        assert remaining(stack, hospital_id) == 8
        wait_agreement(stack)


def test_booking_other_content_already_exists(driver):
    with Stack(driver, without=("history",)) as stack:
        hospital_id = register(stack)
        request = booking_request(hospital_id)
        stack.booking.CreateBooking(**request)
        others = {"customer_id": "c-2", "customer_name": "다른", "hospital_id": rpc.new_id(), "date": day(2),
                  "headcount": 2, "queue_if_unavailable": True}
        for name, value in others.items():
            check_refused(stack.booking.CreateBooking(**{**request, name: value}), rpc.ALREADY_EXISTS)
        assert remaining(stack, hospital_id) == 9
        assert len(all_bookings(stack, hospital_id)) == 1


def test_booking_content_includes_fields_that_this_version_does_not_know(driver):
    def create(unknown):
        full, descriptor = rpc.METHODS["CreateBooking"]
        payload = rpc.message_class(descriptor.input_type)(**request).SerializeToString() + unknown
        return stack.client("booking").raw(rpc.pack(full, payload, 20000)).code

    one, two = b"\x98\x06\x01", b"\x98\x06\x02"  # field 99
    with Stack(driver, without=("history",)) as stack:
        hospital_id = register(stack)
        for first, others in ((one, (two, b"")), (b"", (one,))):
            request = booking_request(hospital_id)
            assert [create(first), create(first)] == [rpc.OK, rpc.OK]
            for other in others:
                assert create(other) == rpc.ALREADY_EXISTS, (first, other)


def test_booking_default_headcount_is_the_same_content(driver):
    with Stack(driver, without=("history",)) as stack:
        request = booking_request(register(stack), headcount=0)
        assert stack.booking.CreateBooking(**request).message.headcount == 1
        assert stack.booking.CreateBooking(**{**request, "headcount": 1}).code == rpc.OK


def test_booking_again_after_cancellation_stays_cancelled(driver):
    with Stack(driver) as stack:
        hospital_id = register(stack)
        request = booking_request(hospital_id)
        stack.booking.CreateBooking(**request)
        stack.booking.CancelBooking(booking_id=request["booking_id"], reason="r")
        again = stack.booking.CreateBooking(**request)
        assert again.code == rpc.OK and again.message.status == CANCELLED
        wait_agreement(stack)
        assert remaining(stack, hospital_id) == 10


def test_booking_again_after_rejection_and_forced_cancellation(driver):
    with Stack(driver) as stack:
        hospital_id = register(stack, capacity=1)
        request, refused = booking_request(hospital_id), booking_request(hospital_id)
        stack.booking.CreateBooking(**request)
        for _ in range(2):
            check_refused(stack.booking.CreateBooking(**refused), rpc.FAILED_PRECONDITION, "SOLD_OUT")
        stack.booking.CancelBooking(booking_id=request["booking_id"])
        wait_for("the place is free", lambda: remaining(stack, hospital_id) == 1)
        check_refused(stack.booking.CreateBooking(**refused), rpc.FAILED_PRECONDITION, "SOLD_OUT")  # a repeat gets the same answer
        forced = booking_request(hospital_id)
        stack.booking.CreateBooking(**forced)
        stack.hospital.DeleteHospital(hospital_id=hospital_id)
        wait_for("force-cancelled", lambda: status_of(stack, forced["booking_id"]) == FORCE_CANCELLED)
        again = stack.booking.CreateBooking(**forced)
        assert again.code == rpc.OK and again.message.status == FORCE_CANCELLED
        wait_agreement(stack)


def test_concurrent_duplicates_book_once(driver):
    with Stack(driver) as stack:
        hospital_id = register(stack, capacity=100)
        requests = [booking_request(hospital_id) for _ in range(20)]
        answers = [[] for _ in range(4)]

        def run(index):
            client = rpc.Client(stack.booking_svc.rpc)
            answers[index] = client.call_all("CreateBooking", requests * 3)
            client.close()
        threads = [threading.Thread(target=run, args=(index,)) for index in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        replies = [reply for some in answers for reply in some]
        assert len(replies) == 240
        assert all(r.code == rpc.OK and r.message.status == CONFIRMED for r in replies), \
            [r for r in replies if r.code != rpc.OK][:3]
        assert remaining(stack, hospital_id) == 80
        wait_agreement(stack)


def in_flight(stack):
    """Returns the number of calls in flight at booking-svc, except the call that asks for it."""
    stats = {stat.name: stat.value for stat in stack.booking.Stats().message.stats}
    return stats["rpc_server_in_flight"] - 1


@once
def test_repeat_while_in_progress_waits_for_the_same_outcome(driver):
    with Stack(driver, without=("hospital", "history")) as stack:
        release = threading.Event()

        def answer(name, request):
            if name == "Fetch":
                return None
            release.wait(30)
            results = [{"booking_id": r.booking_id, "code": 0, "remaining": 4} for r in request.requests]
            return hospital_pb2.BatchReserveResponse(results=results)
        fake = FakeService(stack.address("hospital.rpc"), answer)
        stack.booking_svc.restart()
        wait_for("booking-svc reaches hospital-svc", lambda: fake.count("Fetch") > 0)
        request = booking_request(rpc.new_id())
        clients = [stack.client("booking") for _ in range(3)]
        sent = [(clients[0], clients[0].send("CreateBooking", timeout_ms=20000, **request))]
        wait_for("the Reserve is under way", lambda: fake.count("BatchReserve") == 1)
        sent += [(c, c.send("CreateBooking", timeout_ms=20000, **request)) for c in clients[1:]]
        wait_for("both repeats are in hand", lambda: in_flight(stack) == 3)
        # This call is behind the repeats in the writer's queue.
        assert stack.booking.CancelBooking(booking_id=rpc.new_id()).code == rpc.NOT_FOUND
        assert status_of(stack, request["booking_id"]) == REQUESTED
        release.set()
        replies = [client.receive(one) for client, one in sent]
        assert [r.code for r in replies] == [0, 0, 0], replies
        assert all(r.message == replies[0].message and r.message.status == CONFIRMED for r in replies)
        asked = [item for name, call in fake.seen if name == "BatchReserve" for item in call.requests]
        assert len(asked) == 1, asked
        fake.close()


def test_register_again_same_content_other_content_deleted(driver):
    with Stack(driver, without=("booking", "history")) as stack:
        request = {"hospital_id": rpc.new_id(), "name": "n", "address": "a",
                   "days": [{"date": day(2), "capacity": 2}, {"date": day(1), "capacity": 1}]}
        first = stack.hospital.RegisterHospital(**request).message
        assert stack.hospital.RegisterHospital(**request).message == first
        for name, value in {"name": "m", "address": "b", "days": request["days"][:1]}.items():
            check_refused(stack.hospital.RegisterHospital(**{**request, name: value}), rpc.ALREADY_EXISTS)
        stack.hospital.SetCapacity(hospital_id=request["hospital_id"], date=day(1), capacity=7)
        again = stack.hospital.RegisterHospital(**request).message
        assert [d.capacity for d in again.days] == [7, 2]  # the current state
        stack.hospital.DeleteHospital(hospital_id=request["hospital_id"])
        revived = stack.hospital.RegisterHospital(**request)
        assert revived.code == rpc.OK and revived.message.status == DELETED
        assert stack.hospital.GetHospital(hospital_id=request["hospital_id"]).message.status == DELETED


def test_concurrent_cancels_free_the_place_once(driver):
    with Stack(driver) as stack:
        hospital_id = register(stack, capacity=5)
        bookings = [book(stack, hospital_id) for _ in range(3)]
        requests = [{"booking_id": b.booking_id, "reason": "r%d" % i} for i in range(10) for b in bookings[:2]]
        replies = stack.booking.call_all("CancelBooking", requests)
        assert all(r.code == rpc.OK and r.message.status == CANCELLED and r.message.version == 3 for r in replies)
        wait_agreement(stack)
        assert remaining(stack, hospital_id) == 4


@once
def test_a_late_reserve_for_a_cancelled_booking_is_refused(driver):
    """hospital-svc receives the cancellation before the Reserve, which then meets a tombstone and is refused."""
    with Stack(driver, without=("history",)) as stack:
        hospital_id = register(stack, capacity=5)
        stack.hospital_svc.kill()
        request = booking_request(hospital_id, queue_if_unavailable=True)
        queue(stack, request)
        assert stack.booking.CancelBooking(booking_id=request["booking_id"]).message.status == CANCELLED
        stack.hospital_svc.start()
        wait_for("the tombstone is there",
                 lambda: stack.value("hospital", "SELECT COUNT(*) FROM reservation WHERE state <> 1") == 1)
        stack.wait_paired()
        late = {key: request[key] for key in ("booking_id", "hospital_id", "date", "headcount")}
        check_refused(stack.hospital.Reserve(**late), rpc.FAILED_PRECONDITION, "RELEASED")
        assert remaining(stack, hospital_id) == 5


@once
def test_a_cancellation_during_the_call_to_hospital_svc_stays(driver):
    """hospital-svc grants the place, but when booking-svc settles the booking, it is not REQUESTED any more. It stays CANCELLED,
    and the place is released."""
    with Stack(driver, without=("hospital", "history")) as stack:
        go = threading.Event()

        def answer(name, request):
            if name == "Fetch":
                return None
            go.wait(30)
            return hospital_pb2.BatchReserveResponse(results=[{"booking_id": r.booking_id} for r in request.requests])
        fake = FakeService(stack.address("hospital.rpc"), answer)
        request = booking_request(rpc.new_id())
        waiting = stack.client("booking")
        sent = waiting.send("CreateBooking", **request)
        wait_for("the Reserve is under way", lambda: fake.count("BatchReserve") == 1)
        assert stack.booking.CancelBooking(booking_id=request["booking_id"], reason="plans").code == rpc.OK
        go.set()
        reply = waiting.receive(sent)
        assert reply.code == rpc.OK and reply.message.status == CANCELLED, reply
        assert status_of(stack, request["booking_id"]) == CANCELLED
        published = stack.booking.Fetch(subscriber="t").message.events
        assert [event.type for event in published] == ["booking.cancelled", "booking.released"], published
        fake.close()


@once
def test_an_unreadable_answer_is_no_answer(driver):
    with Stack(driver, without=("hospital", "history")) as stack:
        def answer(name, _):
            return None if name == "Fetch" else envelope_pb2.Response(payload=b"\xff\xff")
        fake = FakeService(stack.address("hospital.rpc"), answer)
        reply = stack.booking.CreateBooking(**booking_request(rpc.new_id()))
        check_refused(reply, rpc.FAILED_PRECONDITION, "HOSPITAL_UNAVAILABLE")
        assert reply.retry_after_ms > 0 and "new booking_id" in reply.text
        fake.close()
