// A client generated from future .proto files: each request has one more field, `added_later`. The gateway ignores it, and
// it makes bodies of any length.
import assert from "node:assert/strict";
import { test } from "node:test";
import { create, toBinary, toJsonString, type MessageInitShape } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import { BookingService, GetBookingRequestSchema } from "../generated/later/screening/v1/booking_pb.js";
import { BookingStatus } from "../generated/later/screening/v1/types_pb.js";
import { messageMaxBytes, bookingOf, clientsOf, open, register, ways, type Way } from "./clients.js";
import { failureOf } from "./failures.js";

const [firstWay] = ways;
const { bookingId } = await (async () => {
  const clients = clientsOf(open(firstWay));
  return clients.booking.createBooking(bookingOf(await register(clients, 1)));
})();

// A request for that booking with the given number of bytes.
function requestOf(way: Way, size: number): MessageInitShape<typeof GetBookingRequestSchema> {
  const sizeOf = (addedLater: string) => {
    const message = create(GetBookingRequestSchema, { bookingId, addedLater });
    return way.useBinaryFormat ? toBinary(GetBookingRequestSchema, message).length : toJsonString(GetBookingRequestSchema, message).length;
  };
  const half = "x".repeat(size / 2);
  const addedLater = "x".repeat(half.length + size - sizeOf(half));
  assert.equal(sizeOf(addedLater), size);
  return { bookingId, addedLater };
}

for (const way of ways) {
  const later = createClient(BookingService, open(way));

  test(`a field that the gateway does not know is ignored: ${way.name}`, async () => {
    const found = await later.getBooking({ bookingId, addedLater: "a color" });
    assert.equal(found.bookingId, bookingId);
    const hospitalId = await register(clientsOf(open(way)), 1);
    const booking = await later.createBooking({ ...bookingOf(hospitalId), addedLater: "a color" });
    assert.equal(booking.status, BookingStatus.CONFIRMED);
  });
}

for (const way of ways.filter(({ useHttpGet }) => !useHttpGet)) {
  const later = createClient(BookingService, open(way));

  test(`the largest body is taken: ${way.name}`, async () => {
    assert.equal((await later.getBooking(requestOf(way, messageMaxBytes))).bookingId, bookingId);
  });

  for (const size of [messageMaxBytes + 1, 4 * messageMaxBytes]) {
    test(`a larger body is refused: ${way.name}, ${size} bytes`, async () => {
      const failure = await failureOf(later.getBooking(requestOf(way, size)));
      assert.equal(failure.code, "ResourceExhausted");
      assert.equal((await later.getBooking({ bookingId })).bookingId, bookingId);
    });
  }
}

for (const way of ways.filter(({ useHttpGet }) => useHttpGet)) {
  test(`a query longer than a head may be is refused: ${way.name}`, async () => {
    const later = createClient(BookingService, open(way));
    // The protocol has no code for 414 and 431.
    await failureOf(later.getBooking({ bookingId, addedLater: "x".repeat(20_000) }));
    assert.equal((await later.getBooking({ bookingId, addedLater: "x".repeat(5_000) })).bookingId, bookingId);
  });
}
