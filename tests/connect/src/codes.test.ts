// A booking-svc played by the test fails with the code that the booking's id names: the client gets the same code.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Code } from "@connectrpc/connect";
import { clientsOf, open, ways } from "./clients.js";
import { failureOf } from "./failures.js";

const codes = Object.values(Code).filter((code): code is Code => typeof code === "number" && code !== Code.Unknown);

for (const way of ways) {
  test(`every code arrives as it is: ${way.name}`, async () => {
    assert.equal(codes.length, 15);
    const { booking } = clientsOf(open(way));
    for (const code of codes) {
      const failure = await failureOf(booking.getBooking({ bookingId: String(code) }));
      assert.deepEqual([failure.code, failure.reason, failure.retryAfterMs], [Code[code], "A_WORD", 1500]);
    }
  });
}
