// Clients of the gateway at SCREENING_GATEWAY: each way in which the official client can call it.
import { randomUUID } from "node:crypto";
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

export const baseUrl = setting("SCREENING_GATEWAY");
export const tomorrow = setting("SCREENING_TOMORROW");
export const bodyMaxBytes = Number(setting("SCREENING_BODY_MAX_BYTES"));

export interface Way {
  name: string;
  useBinaryFormat: boolean;
  useHttpGet: boolean; // for methods without side effects
}

export const ways: Way[] = [
  { name: "JSON by POST", useBinaryFormat: false, useHttpGet: false },
  { name: "JSON by GET", useBinaryFormat: false, useHttpGet: true },
  { name: "binary by POST", useBinaryFormat: true, useHttpGet: false },
  { name: "binary by GET", useBinaryFormat: true, useHttpGet: true },
];

export function open(way: Way, ...interceptors: Interceptor[]): Transport {
  return createConnectTransport({ ...way, baseUrl, httpVersion: "1.1", interceptors });
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
