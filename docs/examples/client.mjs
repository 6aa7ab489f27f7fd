// Books a place, looks the booking up, cancels it: over REST, with nothing but Node (18 or later).
//
//     SCREENING_TOKEN_FILE=admin.token node client.mjs http://127.0.0.1:8080 HOSPITAL_ID 2026-12-01
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";

const [gateway, hospitalId, date] = process.argv.slice(2);
if (!date) {
  console.error("usage: node client.mjs GATEWAY HOSPITAL_ID DATE");
  process.exit(2);
}

const tokenFile = process.env.SCREENING_TOKEN_FILE;
const authorization = tokenFile ? { Authorization: `Bearer ${readFileSync(tokenFile, "ascii").trim()}` } : {};

async function call(method, path, body, headers = {}) {
  const response = await fetch(new URL(path, gateway), {
    method,
    headers: { ...authorization, ...(body && { "Content-Type": "application/json" }), ...headers },
    body: body && JSON.stringify(body),
    signal: AbortSignal.timeout(5000),
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(`${response.status} ${answer.reason ?? ""}: ${answer.detail ?? answer.title}`);
  return answer;
}

function show(name, booking) {
  console.log(`${name}: booking ${booking.bookingId} is ${booking.status}`);
}

try {
  // The client chooses the id: the same request, sent again, books once.
  const key = randomUUID();
  const booking = await call(
    "POST",
    "/bookings",
    { customerId: "kim-haneul", customerName: "김하늘", hospitalId, date, headcount: 1 },
    { "Idempotency-Key": key },
  );
  show("CreateBooking", booking);
  show("GetBooking", await call("GET", `/bookings/${key}`));
  show("CancelBooking", await call("POST", `/bookings/${key}/cancel`, { reason: "일정 변경" }));
} catch (error) {
  console.error(`client.mjs: ${error.message}`);
  process.exitCode = 1;
}
