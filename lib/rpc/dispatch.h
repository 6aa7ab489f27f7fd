/* From a received message to the method that it asks for. On nng's callback threads. */
#ifndef SCREENING_RPC_DISPATCH_H
#define SCREENING_RPC_DISPATCH_H

#include <nng/nng.h>

#include "base/status.h"

struct rpc_call;

/*
 * Reads the envelope into the call, whose deadline is set in any case; takes ownership of `msg`.
 * Finds the method. INVALID_ARGUMENT if it
 * is no rpc.v1.Request or asks for too much time, UNIMPLEMENTED if there is no such method.
 */
MUST_CHECK enum status rpc_dispatch_decode(struct rpc_call *call, nng_msg *msg, struct error *error);

/* For a call decoded with OK: checks and unpacks its request, calls it; or answers why not. */
void rpc_dispatch(struct rpc_call *call);

#endif
