/* Decodes a received message and calls the requested method. Both functions run on nng's callback threads. */
#ifndef SCREENING_RPC_DISPATCH_H
#define SCREENING_RPC_DISPATCH_H

#include <nng/nng.h>

#include "base/status.h"

struct rpc_call;

/*
 * Decodes the envelope into the call and finds the method. Takes ownership of `msg`. Always sets the call's
 * deadline. Returns INVALID_ARGUMENT if the message is not an rpc.v1.Request or asks for too long a timeout,
 * RESOURCE_EXHAUSTED if too many large requests are held, and UNIMPLEMENTED if the method does not exist.
 */
MUST_CHECK enum status rpc_dispatch_decode(struct rpc_call *call, nng_msg *msg, struct error *error);

/*
 * Checks and unpacks the request of a call for which rpc_dispatch_decode returned OK, then calls the handler.
 * Replies with an error if the server does not serve the method now, or if the request is invalid.
 */
void rpc_dispatch(struct rpc_call *call);

#endif
