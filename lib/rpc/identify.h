/* Decides whether a caller may call a method of the server. Runs on nng's callback threads. */
#ifndef SCREENING_RPC_IDENTIFY_H
#define SCREENING_RPC_IDENTIFY_H

#include "base/status.h"

struct rpc_call;

/*
 * Identifies the caller of a decoded call, and sets call->caller. Returns UNAUTHENTICATED if the method needs
 * a token and the call has none, or if its token is not valid. Returns PERMISSION_DENIED if the caller has no
 * role that may call the method on this listener, and RESOURCE_EXHAUSTED with retry_after_ms if the caller
 * calls too often. Counts refusals by reason.
 */
MUST_CHECK enum status rpc_identify(struct rpc_call *call, struct error *error);

/* Registers the counters. Idempotent. */
void rpc_identify_register_metrics(void);

#endif
