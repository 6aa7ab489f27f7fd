"""Holds what --insecure promises: every caller is trusted, with or without a token. All other tests run with tokens, except those that
name their reason."""
import functools
import importlib.util
import os

from kit import rpc, sse, web
from kit.marks import once
from kit.stack import Stack
from kit.world import CONFIRMED, book, booking_request, register, wait_agreement

InsecureStack = functools.partial(Stack, insecure=True)


@once
def test_insecure_services_play_the_twelve_lines(driver):
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "seed.py")
    spec = importlib.util.spec_from_file_location("seed", path)
    seed = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(seed)
    seed.Stack = InsecureStack
    lines = sorted(name for name in dir(seed) if name.startswith("seed_"))
    assert len(lines) >= 12, lines
    for line in lines:
        getattr(seed, line)(driver)


@once
def test_insecure_services_trust_everybody(driver):
    with InsecureStack(driver, gateway=True) as stack:
        hospital_id = register(stack)
        booking = book(stack, hospital_id, customer_id="kim")
        place = {"booking_id": rpc.new_id(), "hospital_id": hospital_id, "date": booking.date, "headcount": 1}
        for token in (None, "nonsense"):
            client = rpc.Client(stack.booking_svc.rpc, token=token)
            assert client.GetBooking(booking_id=booking.booking_id).code == rpc.OK
            assert client.Fetch(after_seq=0, subscriber="t").message.events[0].booking.booking_id == booking.booking_id
            client.close()
            client = rpc.Client(stack.hospital_svc.rpc, token=token)
            assert client.Reserve(**place).code == rpc.OK
            client.close()
            client = web.Client(stack.gateway_svc.http, token=token)
            assert client.get("/bookings/" + booking.booking_id).json["customerId"] == "kim"
            client.close()
            listener = sse.Listener(stack.gateway_svc.http, token=token, customerId="kim")
            assert listener.code == 200
            listener.close()
        made = stack.booking.CreateBooking(**booking_request(hospital_id, customer_id="lee"))
        assert made.code == rpc.OK and made.message.status == CONFIRMED, made
        assert stack.booking.AbandonBooking(**place).code == rpc.OK  # which frees the place
        wait_agreement(stack)
