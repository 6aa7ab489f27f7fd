// Clients of the gateway behind the door at SCREENING_GATEWAY and, with TLS, SCREENING_GATEWAY_TLS: each way in which the
// official client can call it.
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { createClient, type Interceptor, type Transport } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { BookingService } from "../generated/now/screening/v1/booking_pb.js";
import { HistoryService } from "../generated/now/screening/v1/history_pb.js";
import { HospitalService } from "../generated/now/screening/v1/hospital_pb.js";

function setting(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set: start this with tests/connect/run`);
  return value;
}

const cleartext = setting("SCREENING_GATEWAY");
const tls = setting("SCREENING_GATEWAY_TLS"); // NODE_EXTRA_CA_CERTS names its certificate
export const tomorrow = setting("SCREENING_TOMORROW");
export const messageMaxBytes = Number(setting("SCREENING_MESSAGE_MAX_BYTES"));

export interface Way {
  name: string;
  baseUrl: string;
  httpVersion: "1.1" | "2";
  useBinaryFormat: boolean;
  useHttpGet: boolean; // for methods without side effects
}

const formats = [
  { format: "JSON by POST", useBinaryFormat: false, useHttpGet: false },
  { format: "JSON by GET", useBinaryFormat: false, useHttpGet: true },
  { format: "binary by POST", useBinaryFormat: true, useHttpGet: false },
  { format: "binary by GET", useBinaryFormat: true, useHttpGet: true },
];

function waysOver(protocol: string, baseUrl: string, httpVersion: "1.1" | "2"): Way[] {
  return formats.map(({ format, ...options }) => ({ name: `${format}, ${protocol}`, baseUrl, httpVersion, ...options }));
}

export const waysOverHttp1 = waysOver("HTTP/1.1", cleartext, "1.1");
export const ways = [
  ...waysOverHttp1,
  ...waysOver("HTTP/2", cleartext, "2"),
  ...waysOver("HTTP/1.1 with TLS", tls, "1.1"),
  ...waysOver("HTTP/2 with TLS", tls, "2"),
];

// The caller is an administrator.
export const authorization = `Bearer ${readFileSync(setting("SCREENING_TOKEN_FILE"), "ascii").trim()}`;

export const authorized: Interceptor = (next) => (request) => {
  request.header.set("Authorization", authorization);
  return next(request);
};

export function open(way: Way, ...interceptors: Interceptor[]): Transport {
  return createConnectTransport({ ...way, interceptors: [authorized, ...interceptors] });
}

export function clientsOf(transport: Transport) {
  return {
    booking: createClient(BookingService, transport),
    history: createClient(HistoryService, transport),
    hospital: createClient(HospitalService, transport),
  };
}

export type Clients = ReturnType<typeof clientsOf>;

// A new hospital that screens tomorrow.
export async function register(clients: Clients, capacity: number): Promise<string> {
  const hospital = await clients.hospital.registerHospital({
    hospitalId: randomUUID(),
    name: "한빛검진센터",
    address: "서울",
    days: [{ date: tomorrow, capacity }],
  });
  return hospital.hospitalId;
}

export function bookingOf(hospitalId: string) {
  return {
    bookingId: randomUUID(),
    customerId: `c-${randomUUID()}`,
    customerName: "김하늘",
    hospitalId,
    date: tomorrow,
    headcount: 1,
  };
}
