// booking-svc is suspended: its callers are answered in time.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import type { Interceptor } from "@connectrpc/connect";
import { bookingOf, clientsOf, open, ways } from "./clients.js";
import { failureOf } from "./failures.js";

// The budget without the client's own timeout, so that the gateway's takes effect.
const budget = (text: string): Interceptor => (next) => (request) => {
  request.header.set("Connect-Timeout-Ms", text);
  return next(request);
};

async function timed<T>(call: Promise<T>): Promise<[T, number]> {
  const begun = performance.now();
  return [await call, performance.now() - begun];
}

for (const way of ways) {
  const clients = clientsOf(open(way));

  test(`the caller's own clock: ${way.name}`, async () => {
    const call = clients.booking.getBooking({ bookingId: randomUUID() }, { timeoutMs: 300 });
    assert.equal((await failureOf(call)).code, "DeadlineExceeded");
  });

  test(`the gateway's clock with the caller's budget: ${way.name}`, async () => {
    const hurried = clientsOf(open(way, budget("250")));
    for (const call of [
      () => hurried.booking.getBooking({ bookingId: randomUUID() }),
      () => hurried.booking.createBooking(bookingOf(randomUUID())),
    ]) {
      const [failure, tookMs] = await timed(failureOf(call()));
      assert.equal(failure.code, "DeadlineExceeded");
      assert.match(failure.message, /ask again with the same id/);
      assert.ok(tookMs >= 249 && tookMs < 20_000, `${tookMs} ms`);
    }
  });

  test(`no call waits for ever: ${way.name}`, async () => {
    const failure = await failureOf(clients.booking.getBooking({ bookingId: randomUUID() }));
    assert.equal(failure.code, "DeadlineExceeded");
  });

  test(`others don't wait for it: ${way.name}`, async () => {
    assert.ok((await clients.hospital.listHospitals({})).hospitals.length >= 0);
  });
}
