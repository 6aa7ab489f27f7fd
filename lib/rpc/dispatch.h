/*
 * Decodes a received message and calls the requested method. Everything here runs on nng's callback threads.
 */
#ifndef SCREENING_RPC_DISPATCH_H
#define SCREENING_RPC_DISPATCH_H

#include <nng/nng.h>

#include "base/status.h"

struct rpc_call;

/*
 * Decodes the envelope into the call and finds the method. Takes ownership of `msg`. Sets the call's deadline
 * in any case. Returns INVALID_ARGUMENT if the message is not an rpc.v1.Request or asks for too long a
 * timeout, RESOURCE_EXHAUSTED if too many large requests are held, UNIMPLEMENTED if there is no such method.
 */
MUST_CHECK enum status rpc_dispatch_decode(struct rpc_call *call, nng_msg *msg, struct error *error);

/*
 * Checks and unpacks the request of a call that was decoded with OK, and calls the handler. Replies with the
 * error if the request is wrong.
 */
void rpc_dispatch(struct rpc_call *call);

#endif
