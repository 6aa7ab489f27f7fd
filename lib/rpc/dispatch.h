/* Decodes a received message and calls the requested method. On nng's callback threads. */
#ifndef SCREENING_RPC_DISPATCH_H
#define SCREENING_RPC_DISPATCH_H

#include <nng/nng.h>

#include "base/status.h"

struct rpc_call;

/*
 * Decodes the envelope into the call and finds the method; takes ownership of `msg`. The call's deadline is
 * set in any case. INVALID_ARGUMENT if the message is not an rpc.v1.Request or asks for too long a timeout,
 * RESOURCE_EXHAUSTED if too many large requests are held, UNIMPLEMENTED if there is no such method.
 */
MUST_CHECK enum status rpc_dispatch_decode(struct rpc_call *call, nng_msg *msg, struct error *error);

/*
 * For a call that was decoded with OK: checks and unpacks its request and calls the handler, or replies with
 * the error.
 */
void rpc_dispatch(struct rpc_call *call);

#endif
