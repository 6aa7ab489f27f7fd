/*
 * Guards a channel's server against its callers: the breaker, the retry budget, and the time until which a
 * draining server wants no requests. Any thread. While the breaker is closed and the server is not draining,
 * asking whether calls may be made takes no lock.
 */
#ifndef SCREENING_RPC_GUARD_H
#define SCREENING_RPC_GUARD_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rpc/breaker.h"
#include "rpc/metrics.h"
#include "rpc/retry.h"

struct rpc_guard {
    const char *peer;
    struct rpc_peer_metrics *metrics; /* NULL = no metrics */
    bool has_breaker, has_retries;
    _Atomic int state;             /* copy of the breaker's state, readable without the lock */
    _Atomic int64_t left_alone_ns; /* a draining server is sent nothing until then */
    _Atomic int drained;           /* id of the connection on which the server said so; 0 = none */
    /* guards the fields below; while it is held, only the log and the metrics are called */
    pthread_mutex_t mutex;
    struct breaker breaker;
    struct retry_budget budget;
};

/*
 * `peer` is the name in metrics and log and must outlive the guard; NULL = neither. RESOURCE_EXHAUSTED when
 * out of memory.
 */
MUST_CHECK enum status rpc_guard_init(struct rpc_guard *guard, const char *peer,
                                      const struct breaker_options *breaker,
                                      const struct retry_options *retry);
void rpc_guard_fini(struct rpc_guard *guard);

/* Like breaker_admit. `first`: the calls are not retries; together they earn one call's share of a retry. */
size_t rpc_guard_admit(struct rpc_guard *guard, size_t wanted, bool first, uint64_t *era);

/* As breaker_record. */
void rpc_guard_record(struct rpc_guard *guard, uint64_t era, const struct breaker_count *count);

/* Like breaker_room. */
size_t rpc_guard_room(struct rpc_guard *guard);

/* Like breaker_wait_ms; 0 = the breaker lets calls through. */
uint32_t rpc_guard_wait_ms(struct rpc_guard *guard);

/* Takes one retry from the budget. Returns false if none is left now. */
bool rpc_guard_take_retry(struct rpc_guard *guard);

/* Notes that the server replied DRAINING on the connection with this id. */
void rpc_guard_leave_alone(struct rpc_guard *guard, uint32_t retry_after_ms, int connection);

/*
 * Returns the milliseconds, rounded up, until the server may be sent a request again; 0 = now. `connection`
 * is the id of the current connection, 0 = none. If that is still the one on which the server replied
 * DRAINING, the wait goes on for up to 2 s: the server is about to close it, and a request sent on it may be
 * lost.
 */
uint32_t rpc_guard_alone_ms(struct rpc_guard *guard, int connection);

#endif
