"""Sends the bookings of 2,000 concurrent customers for a day with 100 places."""

import collections
import threading
import time

import interrupts
from accounts import read_token
from kit import rpc
from looking import Look
from problems import StackError
from report import say

CUSTOMERS, CONNECTIONS = 2000, 20
CALL, METHOD = rpc.METHODS["CreateBooking"]


def _request(hospital_id, date, number, token):
    """Returns a request that is already packed, so that the rush itself only sends."""
    message = rpc.booking_pb2.CreateBookingRequest(
        booking_id=rpc.new_id(), customer_id="rush-%04d" % number, customer_name="손님 %d" % number, hospital_id=hospital_id,
        date=date, headcount=1)
    return rpc.pack(CALL, message.SerializeToString(), timeout_ms=20000, metadata={"authorization": "Bearer " + token})


class Crowd:
    """A connection and its share of the customers. It sends all requests before it reads the first answer."""

    def __init__(self, client, requests, start):
        self.client, self.requests, self.start = client, requests, start
        self.replies, self.problem = [], None
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        try:
            self.start.wait()
            sent = [self.client.requester.send(request) for request in self.requests]
            self.replies = [self.client.receive((one, METHOD)) for one in sent]
        except OSError as problem:
            self.problem = problem


def _outcome(reply):
    """Returns the status of the booking, or the reason for its refusal."""
    if reply.code == rpc.OK:
        return rpc.types_pb2.BookingStatus.Name(reply.message.status)
    return reply.reason or "code %d" % reply.code


def _ask_all(stack, requests):
    """Sends all requests at once. Returns the outcome of each."""
    start = threading.Event()
    clients = [stack.client("booking") for _ in range(CONNECTIONS)]
    try:
        crowds = [Crowd(client, requests[i::CONNECTIONS], start) for i, client in enumerate(clients)]
        start.set()
        for crowd in crowds:
            while crowd.thread.is_alive():
                interrupts.check()
                crowd.thread.join(0.1)
            if crowd.problem is not None:
                raise StackError("a connection of the rush broke: %s" % crowd.problem)
        return [_outcome(reply) for crowd in crowds for reply in crowd.replies]
    finally:
        for client in clients:
            client.close()


def play(stack, report, clinic, date):
    """Checks that as many bookings are CONFIRMED as there were places, and that all others are refused with SOLD_OUT."""
    look = Look(stack.screenctl)
    places = look.remaining(clinic, date)
    there = len(look.bookings("--hospital", clinic, "--date", date, "--status", "CONFIRMED"))
    token = read_token(stack.admin)
    requests = [_request(clinic, date, number + 1, token) for number in range(CUSTOMERS)]
    say("the rush: %s customers at once for %d places on %s" % (format(CUSTOMERS, ","), places, date))
    begun = time.monotonic()
    outcomes = collections.Counter(_ask_all(stack, requests))
    say("all %s got an answer within %.0f ms" % (format(sum(outcomes.values()), ","), (time.monotonic() - begun) * 1000))
    confirmed = min(places, CUSTOMERS)
    expected = {"CONFIRMED": confirmed, "SOLD_OUT": CUSTOMERS - confirmed, "other answers": 0, "places left": places - confirmed,
                "listed as CONFIRMED": there + confirmed}
    saw = {"CONFIRMED": outcomes.pop("CONFIRMED", 0), "SOLD_OUT": outcomes.pop("SOLD_OUT", 0),
           "other answers": sum(outcomes.values()), "places left": look.remaining(clinic, date),
           "listed as CONFIRMED": len(look.bookings("--hospital", clinic, "--date", date, "--status", "CONFIRMED"))}
    report.add("a rush sells no place twice", "%s CreateBooking at once over %d connections" % (format(CUSTOMERS, ","), CONNECTIONS),
               expected, saw)
