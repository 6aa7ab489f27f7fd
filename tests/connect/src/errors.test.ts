// What can go wrong with a call while all services serve, in every way.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { compressionGzip, createConnectTransport } from "@connectrpc/connect-node";
import { authorized, bookingOf, clientsOf, open, register, tomorrow, ways, type Clients } from "./clients.js";
import { failureOf } from "./failures.js";

interface Case {
  name: string;
  call: (clients: Clients) => Promise<unknown>;
  code: string;
  reason?: string;
  says?: RegExp;
}

const cases: Case[] = [
  {
    name: "a date that does not exist",
    call: (clients) => clients.booking.createBooking({ ...bookingOf(randomUUID()), date: "2026-02-30" }),
    code: "InvalidArgument",
    says: /^date: /,
  },
  {
    name: "text with NUL",
    call: (clients) => clients.booking.createBooking({ ...bookingOf(randomUUID()), customerName: "a\0b" }),
    code: "InvalidArgument",
    says: /^customer_name: /,
  },
  {
    name: "an id that nobody has",
    call: (clients) => clients.booking.getBooking({ bookingId: randomUUID() }),
    code: "NotFound",
  },
  {
    name: "an id with other content",
    call: async (clients) => {
      const booking = bookingOf(await register(clients, 2));
      await clients.booking.createBooking(booking);
      await clients.booking.createBooking({ ...booking, headcount: 2 });
    },
    code: "AlreadyExists",
  },
  {
    name: "a day that is sold out",
    call: async (clients) => {
      const hospitalId = await register(clients, 1);
      await clients.booking.createBooking(bookingOf(hospitalId));
      await clients.booking.createBooking(bookingOf(hospitalId));
    },
    code: "FailedPrecondition",
    reason: "SOLD_OUT",
  },
  {
    name: "a version that has gone",
    call: async (clients) => {
      const hospitalId = await register(clients, 1);
      await clients.hospital.setCapacity({ hospitalId, date: tomorrow, capacity: 5, expectedVersion: 999n });
    },
    code: "FailedPrecondition",
    reason: "VERSION_MISMATCH",
  },
  {
    name: "a caller who hangs up",
    call: async (clients) => {
      const hangUp = new AbortController();
      const call = clients.booking.listBookings({ customerId: "c" }, { signal: hangUp.signal });
      hangUp.abort();
      await call;
    },
    code: "Canceled",
  },
];

for (const way of ways) {
  for (const { name, call, code, reason, says } of cases) {
    test(`${name}: ${way.name}`, async () => {
      const failure = await failureOf(call(clientsOf(open(way))));
      assert.deepEqual([failure.code, failure.reason, failure.retryAfterMs], [code, reason ?? "", 0]);
      assert.match(failure.message, says ?? /./);
    });
  }

  test(`a compression that the gateway does not know: ${way.name}`, async () => {
    const transport = createConnectTransport({ ...way, interceptors: [authorized], compressMinBytes: 0, sendCompression: compressionGzip });
    const failure = await failureOf(clientsOf(transport).booking.getBooking({ bookingId: randomUUID() }));
    assert.equal(failure.code, "Unimplemented");
    assert.match(failure.message, /identity/);
  });
}
