"""Plays a publisher's log in a test."""

import uuid

from . import rpc
from .rpc import FakePublisher, FakeService, envelope_pb2, event_pb2
from .world import booking_request


class Log:
    """A log whose events the test publishes. Fetch returns the events added so far, unless `answering` is False."""

    def __init__(self, stack, topic, events=()):
        self.log_id, self.events, self.answering = str(uuid.uuid4()), list(events), True
        self.service = FakeService(stack.address(topic + ".rpc"), self._answer)
        self.publisher = FakePublisher(stack.address(topic + ".events"), topic)

    def add(self, booking_id, version, status, **more):
        event = event_pb2.Event(seq=len(self.events) + 1, event_id=rpc.new_id(), type="booking.changed")
        names = {2: "booking.confirmed", 3: "booking.rejected", 4: "booking.cancelled", 5: "booking.force_cancelled"}
        event.type = names.get(status, "booking.requested")
        event.occurred_at.GetCurrentTime()
        fields = {**booking_request(rpc.new_id(), booking_id=booking_id), **more}
        event.booking.MergeFrom(event_pb2.Event(booking=dict(fields, version=version, status=status)).booking)
        event.booking.created_at.GetCurrentTime()
        event.booking.updated_at.GetCurrentTime()
        self.events.append(event)
        return event

    def batch(self, first, last):
        previous = self.events[first - 2].event_id if first > 1 else ""
        return event_pb2.EventBatch(log_id=self.log_id, head_seq=last, prev_event_id=previous,
                                    events=self.events[first - 1:last])

    def _answer(self, name, request):
        if name != "Fetch" or not self.answering:
            return None
        after = request.after_seq
        known = self.events[after - 1].event_id if 0 < after <= len(self.events) else ""
        if after > len(self.events) or (request.after_event_id and request.after_event_id != known):
            return envelope_pb2.Response(code=rpc.DATA_LOSS, reason="LOG_DIVERGED")
        return event_pb2.FetchResponse(log_id=self.log_id, first_seq=1, head_seq=len(self.events),
                                       events=self.events[after:after + (request.max_events or 256)])

    def close(self):
        self.publisher.close()
        self.service.close()
