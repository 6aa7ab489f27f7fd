// Every public method, in every way.
import assert from "node:assert/strict";
import { Agent } from "node:http";
import { test } from "node:test";
import { equals, type DescMethod } from "@bufbuild/protobuf";
import { createClient, type Interceptor } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { BookingService } from "../generated/now/screening/v1/booking_pb.js";
import { EventLogService } from "../generated/now/screening/v1/event_pb.js";
import { HistoryService } from "../generated/now/screening/v1/history_pb.js";
import { HospitalService } from "../generated/now/screening/v1/hospital_pb.js";
import { BookingSchema, BookingStatus, HospitalSchema, HospitalStatus } from "../generated/now/screening/v1/types_pb.js";
import { authorized, bookingOf, clientsOf, open, register, tomorrow, ways, waysOverHttp1, type Clients } from "./clients.js";
import { failureOf } from "./failures.js";

const INTERNAL = ["Reserve", "BatchReserve", "ListReservations", "LookUpBookings", "AbandonBooking"];

async function waitFor<T>(what: string, look: () => Promise<T | undefined>): Promise<T> {
  for (const end = Date.now() + 60_000; Date.now() < end; ) {
    const found = await look();
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.fail(`waited in vain for: ${what}`);
}

async function playHospital(clients: Clients): Promise<string> {
  const hospitalId = await register(clients, 5);
  const found = await clients.hospital.getHospital({ hospitalId });
  assert.equal(found.status, HospitalStatus.ACTIVE);
  assert.equal(found.name, "한빛검진센터");
  assert.ok(found.createdAt !== undefined && found.createdAt.seconds > 1_700_000_000n);
  const { name, address } = found;
  const again = await clients.hospital.registerHospital({ hospitalId, name, address, days: [{ date: tomorrow, capacity: 5 }] });
  assert.ok(equals(HospitalSchema, again, found));

  const day = await clients.hospital.setCapacity({ hospitalId, date: tomorrow, capacity: 7, expectedVersion: found.days[0].version });
  assert.deepEqual([day.capacity, day.remaining], [7, 7]);
  assert.ok(day.version > found.days[0].version);
  const { days } = await clients.hospital.getAvailability({ hospitalId, fromDate: tomorrow, toDate: tomorrow });
  assert.deepEqual(days.map(({ date, remaining }) => [date, remaining]), [[tomorrow, 7]]);

  let token = "";
  const listed: string[] = [];
  do {
    const page = await clients.hospital.listHospitals({ nameContains: "한빛", date: tomorrow, pageSize: 2, pageToken: token });
    listed.push(...page.hospitals.map((hospital) => hospital.hospitalId));
    token = page.nextPageToken;
  } while (token !== "");
  assert.ok(listed.includes(hospitalId));
  return hospitalId;
}

async function playBooking(clients: Clients, hospitalId: string): Promise<void> {
  const request = bookingOf(hospitalId);
  const booking = await clients.booking.createBooking(request);
  assert.equal(booking.status, BookingStatus.CONFIRMED);
  assert.equal(booking.customerName, request.customerName);
  assert.equal(booking.version, 2n);
  assert.ok(equals(BookingSchema, await clients.booking.createBooking(request), booking));
  assert.ok(equals(BookingSchema, await clients.booking.getBooking({ bookingId: request.bookingId }), booking));
  const listed = await clients.booking.listBookings({ customerId: request.customerId, status: BookingStatus.CONFIRMED });
  assert.equal(listed.bookings.length, 1);
  assert.ok(equals(BookingSchema, listed.bookings[0], booking));

  const cancelled = await clients.booking.cancelBooking({ bookingId: request.bookingId, reason: "감기" });
  assert.deepEqual([cancelled.status, cancelled.statusReason], [BookingStatus.CANCELLED, "감기"]);

  const { bookingId, customerId } = request;
  await waitFor("the history shows the cancellation", async () => {
    const { bookings } = await clients.history.listCustomerHistory({ customerId });
    return bookings[0]?.booking?.status === BookingStatus.CANCELLED ? bookings : undefined;
  });
  const story = await clients.history.getBookingHistory({ bookingId });
  assert.equal(story.summary?.hospitalName, "한빛검진센터");
  assert.deepEqual(story.entries.map((entry) => entry.status), [BookingStatus.CONFIRMED, BookingStatus.CANCELLED]);
  const { logs } = await clients.history.getProjectionStatus({});
  assert.deepEqual(logs.map(({ log, deadLetters }) => [log, deadLetters]).sort(), [["booking", 0n], ["hospital", 0n]]);
}

// Records which methods were called.
const noting = (called: Set<string>): Interceptor => (next) => (request) => {
  called.add(request.method.name);
  return next(request);
};

for (const way of ways) {
  test(`every public method is answered: ${way.name}`, async () => {
    const called = new Set<string>();
    const clients = clientsOf(open(way, noting(called)));
    const hospitalId = await playHospital(clients);
    await playBooking(clients, hospitalId);
    const deleted = await clients.hospital.deleteHospital({ hospitalId });
    assert.equal(deleted.status, HospitalStatus.DELETED);

    const all: DescMethod[] = [...HospitalService.methods, ...BookingService.methods, ...HistoryService.methods];
    const wanted = all.map((method) => method.name).filter((name) => !INTERNAL.includes(name));
    assert.deepEqual([...called].sort(), wanted.sort());
  });

  test(`internal methods are none: ${way.name}`, async () => {
    const { hospital, booking } = clientsOf(open(way));
    const log = createClient(EventLogService, open(way));
    for (const call of [() => hospital.reserve({}), () => hospital.batchReserve({}), () => hospital.listReservations({}),
      () => booking.lookUpBookings({}), () => booking.abandonBooking({}), () => log.fetch({})]) {
      assert.equal((await failureOf(call())).code, "Unimplemented");
    }
  });
}

// What the client really sends.
class NotingAgent extends Agent {
  readonly sent: string[] = [];

  createConnection(options: { method?: string }, callback: () => void): unknown {
    this.sent.push(options.method ?? "");
    const base = Agent.prototype as unknown as { createConnection(this: Agent, ...words: unknown[]): unknown };
    return base.createConnection.call(this, options, callback);
  }
}

for (const way of waysOverHttp1) {
  test(`methods without side effects go by GET, where they shall, and no others: ${way.name}`, async () => {
    const agent = new NotingAgent({ keepAlive: false });
    const clients = clientsOf(createConnectTransport({ ...way, interceptors: [authorized], httpVersion: "1.1", nodeOptions: { agent } }));
    await clients.hospital.listHospitals({});
    await clients.booking.createBooking(bookingOf(await register(clients, 1)));
    assert.deepEqual(agent.sent, [way.useHttpGet ? "GET" : "POST", "POST", "POST"]);
  });
}

test("all ways return the same booking", async () => {
  const clients = clientsOf(open(ways[0]));
  const booking = await clients.booking.createBooking(bookingOf(await register(clients, 1)));
  for (const way of ways) {
    const found = await clientsOf(open(way)).booking.getBooking({ bookingId: booking.bookingId });
    assert.ok(equals(BookingSchema, found, booking), way.name);
  }
});
