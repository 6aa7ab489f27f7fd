/* What follows from the end of an attempt, for exchange.c. On the thread that owns the exchange. */
#ifndef SCREENING_RPC_OUTCOME_H
#define SCREENING_RPC_OUTCOME_H

#include <nng/nng.h>
#include <stdbool.h>

#include "rpc/breaker.h"
#include "rpc/exchange.h"

/* Records how the backend has served the attempt, and whether the attempt may have been executed. */
void outcome_note(struct rpc_exchange *exchange, bool answered_ok);

/*
 * Records that the backend refused the call, if the call's error says so. `connection` is the id of the
 * connection on which the reply came.
 */
void outcome_note_refusal(struct rpc_exchange *exchange, int connection);

/*
 * Returns whether the failed call may go to another backend at once: it never left, was refused with DRAINING
 * or NOT_READY or, if the call is idempotent, the connection was lost for the first time or rpc_exchange_look
 * has ended the wait for the reply.
 */
bool outcome_may_hop(const struct rpc_exchange *exchange);

/*
 * Returns the pause in ms before the failed call is retried, or 0 if it is not retried. Takes the retry from
 * the retry budget.
 */
nng_duration outcome_pause(struct rpc_exchange *exchange);

/* Returns how the breaker counts the last attempt. */
enum breaker_outcome outcome_judge(const struct rpc_exchange *exchange);

/* Reports the outcome to the breaker if the breaker admitted the attempts. */
void outcome_record(struct rpc_exchange *exchange, enum breaker_outcome outcome);

/*
 * If the last reply says that nothing was executed, but an earlier attempt may have been, removes the reason,
 * because callers would rely on it.
 */
void outcome_tell_doubt(struct rpc_exchange *exchange);

#endif
