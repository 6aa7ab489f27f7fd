// gRPC with both official clients for Node, in cleartext and over TLS.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { after, test } from "node:test";
import { create, fromBinary, toBinary, type DescMessage, type MessageInitShape, type MessageShape } from "@bufbuild/protobuf";
import { ConnectError, createClient, Code } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { Client, credentials, Metadata, status, type ServiceError } from "@grpc/grpc-js";
import { Health, HealthCheckRequestSchema, HealthCheckResponse_ServingStatus, HealthCheckResponseSchema } from "../generated/now/grpc/health/v1/health_pb.js";
import { ServerReflectionRequestSchema, ServerReflectionResponseSchema, type ServerReflectionResponse } from "../generated/now/grpc/reflection/v1/reflection_pb.js";
import { CreateBookingRequestSchema, GetBookingRequestSchema } from "../generated/now/screening/v1/booking_pb.js";
import { HospitalService } from "../generated/now/screening/v1/hospital_pb.js";
import { BookingSchema, BookingStatus } from "../generated/now/screening/v1/types_pb.js";
import { authorization, authorized, messageMaxBytes, bookingOf, clientsOf, register } from "./clients.js";
import { failureOf } from "./failures.js";

const BOOKINGS = "/screening.v1.BookingService/";
const { SERVING, SERVICE_UNKNOWN } = HealthCheckResponse_ServingStatus;

function setting(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set: start this with tests/connect/run`);
  return value;
}

const ways = [
  { name: "in cleartext", baseUrl: setting("SCREENING_GATEWAY"), encrypted: false },
  { name: "over TLS", baseUrl: setting("SCREENING_GATEWAY_TLS"), encrypted: true }, // NODE_EXTRA_CA_CERTS names its certificate
];

// ---- @connectrpc/connect-node

for (const { name, baseUrl } of ways) {
  const transport = createGrpcTransport({ baseUrl, interceptors: [authorized] });
  const clients = clientsOf(transport);

  test(`connect-node: books, and gets a refusal with its details, ${name}`, async () => {
    const hospitalId = await register(clients, 1);
    const booking = await clients.booking.createBooking(bookingOf(hospitalId));
    assert.equal(booking.status, BookingStatus.CONFIRMED);
    assert.equal(booking.customerName, "김하늘");
    const soldOut = await failureOf(clients.booking.createBooking(bookingOf(hospitalId)));
    assert.deepEqual([soldOut.code, soldOut.reason], ["FailedPrecondition", "SOLD_OUT"]);
    const wrong = await failureOf(clients.booking.createBooking({ ...bookingOf(hospitalId), date: "1일" }));
    assert.equal(wrong.code, "InvalidArgument");
    assert.match(wrong.message, /^date: /);
    assert.ok((await clients.hospital.listHospitals({})).hospitals.length > 0);
  });

  test(`connect-node: codes of the gateway itself, ${name}`, async () => {
    const internal = await failureOf(createClient(HospitalService, transport).reserve({}));
    assert.equal(internal.code, "Unimplemented");
    const large = await failureOf(clients.booking.createBooking({ ...bookingOf(randomUUID()), customerName: "n".repeat(messageMaxBytes) }));
    assert.equal(large.code, "ResourceExhausted");
    const cancelled = new AbortController();
    const call = clients.hospital.listHospitals({}, { signal: cancelled.signal });
    cancelled.abort();
    assert.equal((await failureOf(call)).code, "Canceled");
    const headers = { "x-custom-bin": Buffer.from([0, 255]).toString("base64"), "x-custom": "v" };
    assert.ok((await clients.hospital.listHospitals({}, { headers })).hospitals.length >= 0);
  });

  test(`connect-node: watches the health, ${name}`, async () => {
    const health = createClient(Health, transport);
    assert.equal((await health.check({})).status, SERVING);
    for (const [service, expected] of [["", SERVING], ["screening.v1.BookingService", SERVING], ["none", SERVICE_UNKNOWN]] as const) {
      const stopped = new AbortController();
      const problem = await (async () => {
        for await (const { status: said } of health.watch({ service }, { signal: stopped.signal })) {
          assert.equal(said, expected);
          stopped.abort();
        }
      })().catch((error: unknown) => error);
      assert.ok(problem instanceof ConnectError && problem.code === Code.Canceled, String(problem));
    }
  });
}

// ---- @grpc/grpc-js

function writer<Desc extends DescMessage>(schema: Desc) {
  return (message: MessageShape<Desc>) => Buffer.from(toBinary(schema, message));
}

function reader<Desc extends DescMessage>(schema: Desc) {
  return (bytes: Buffer) => fromBinary(schema, bytes);
}

for (const { name, baseUrl, encrypted } of ways) {
  const trusted = encrypted ? credentials.createSsl(readFileSync(setting("NODE_EXTRA_CA_CERTS"))) : credentials.createInsecure();
  const client = new Client(`localhost:${new URL(baseUrl).port}`, trusted); // TLS has no names that are addresses
  after(() => client.close());

  function call<I extends DescMessage, O extends DescMessage>(path: string, input: I, output: O, request: MessageInitShape<I>, timeoutMs = 60_000) {
    const metadata = new Metadata();
    metadata.set("authorization", authorization);
    metadata.set("x-custom-bin", Buffer.from([0, 1, 254, 255]));
    return new Promise<MessageShape<O> | undefined>((resolve, reject) => {
      client.makeUnaryRequest(path, writer(input), reader(output), create(input, request), metadata, { deadline: Date.now() + timeoutMs },
        (error: ServiceError | null, answer?: MessageShape<O>) => (error ? reject(error) : resolve(answer)));
    });
  }

  test(`grpc-js: books, and gets codes, ${name}`, async () => {
    const hospitalId = await register(clientsOf(createGrpcTransport({ baseUrl, interceptors: [authorized] })), 1);
    const request = bookingOf(hospitalId);
    const booking = await call(`${BOOKINGS}CreateBooking`, CreateBookingRequestSchema, BookingSchema, request);
    assert.equal(booking?.status, BookingStatus.CONFIRMED);
    const again = await call(`${BOOKINGS}CreateBooking`, CreateBookingRequestSchema, BookingSchema, request);
    assert.equal(again?.version, booking?.version);
    for (const [method, bookingId, code] of [["GetBooking", randomUUID(), status.NOT_FOUND], ["GetBooking", "예약", status.INVALID_ARGUMENT],
      ["None", randomUUID(), status.UNIMPLEMENTED]] as const)
      await assert.rejects(call(BOOKINGS + method, GetBookingRequestSchema, BookingSchema, { bookingId }), { code }, method + bookingId);
  });

  test(`grpc-js: watches the health and asks by reflection before it half-closes, ${name}`, async () => {
    const watch = client.makeServerStreamRequest("/grpc.health.v1.Health/Watch", writer(HealthCheckRequestSchema), reader(HealthCheckResponseSchema),
      create(HealthCheckRequestSchema));
    watch.on("error", (error: ServiceError) => assert.equal(error.code, status.CANCELLED));
    const [first] = await new Promise<[MessageShape<typeof HealthCheckResponseSchema>]>((resolve) => watch.once("data", (message) => resolve([message])));
    assert.equal(first.status, SERVING);
    watch.cancel();

    const reflection = client.makeBidiStreamRequest("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", writer(ServerReflectionRequestSchema),
      reader(ServerReflectionResponseSchema));
    const ended = new Promise<number>((resolve) => reflection.on("status", ({ code }) => resolve(code)));
    for (const symbol of ["screening.v1.BookingService", "screening.v1.Hospital"]) {
      const answer = new Promise<ServerReflectionResponse>((resolve) => reflection.once("data", resolve));
      reflection.write(create(ServerReflectionRequestSchema, { messageRequest: { case: "fileContainingSymbol", value: symbol } }));
      const { messageResponse, originalRequest } = await answer;
      assert.equal(messageResponse.case, "fileDescriptorResponse");
      assert.equal(originalRequest?.messageRequest.value, symbol);
    }
    reflection.on("data", () => assert.fail("another answer"));
    reflection.end();
    assert.equal(await ended, status.OK);
  });
}
