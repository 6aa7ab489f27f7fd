// The failure of a call that must fail.
import assert from "node:assert/strict";
import { Code, ConnectError } from "@connectrpc/connect";
import { ErrorInfoSchema, RetryInfoSchema } from "../generated/now/google/rpc/error_details_pb.js";

export interface Failure {
  code: string;
  message: string;
  reason: string; // "" = none given
  retryAfterMs: number; // 0 = not given
}

export async function failureOf(call: Promise<unknown>): Promise<Failure> {
  const error = await call.then(
    (answer) => assert.fail(`it was answered: ${String(answer)}`),
    (problem: unknown) => problem,
  );
  assert.ok(error instanceof ConnectError, String(error));
  const [info] = error.findDetails(ErrorInfoSchema);
  const [retry] = error.findDetails(RetryInfoSchema);
  if (info !== undefined) assert.equal(info.domain, "screening.v1");
  const delay = retry?.retryDelay;
  return {
    code: Code[error.code],
    message: error.rawMessage,
    reason: info?.reason ?? "",
    retryAfterMs: delay === undefined ? 0 : Number(delay.seconds) * 1000 + delay.nanos / 1e6,
  };
}
