// hospital-svc and history-svc have ended.
import assert from "node:assert/strict";
import { test } from "node:test";
import { bookingOf, clientsOf, open, ways } from "./clients.js";
import { failureOf } from "./failures.js";

for (const way of ways) {
  const clients = clientsOf(open(way));

  test(`a service that is away is unavailable: ${way.name}`, async () => {
    for (const call of [clients.history.getProjectionStatus({}), clients.hospital.listHospitals({})]) {
      assert.equal((await failureOf(call)).code, "Unavailable");
    }
  });

  test(`a booking is refused, and told when to ask again: ${way.name}`, async () => {
    const failure = await failureOf(clients.booking.createBooking(bookingOf(crypto.randomUUID())));
    assert.deepEqual([failure.code, failure.reason], ["FailedPrecondition", "HOSPITAL_UNAVAILABLE"]);
    assert.ok(failure.retryAfterMs > 0);
    assert.match(failure.message, /booking_id/);
  });
}
