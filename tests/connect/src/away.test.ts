// history-svc has ended, and hospital-svc is suspended.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { bookingOf, clientsOf, open, ways } from "./clients.js";
import { failureOf } from "./failures.js";

for (const way of ways) {
  const clients = clientsOf(open(way));

  test(`a service that is away is unavailable: ${way.name}`, async () => {
    assert.equal((await failureOf(clients.history.getProjectionStatus({}))).code, "Unavailable");
  });

  test(`a booking is refused, with the time to retry: ${way.name}`, async () => {
    const failure = await failureOf(clients.booking.createBooking(bookingOf(randomUUID()), { timeoutMs: 30_000 }));
    assert.deepEqual([failure.code, failure.reason], ["FailedPrecondition", "HOSPITAL_UNAVAILABLE"]);
    assert.ok(failure.retryAfterMs > 0);
    assert.match(failure.message, /booking_id/);
  });
}
