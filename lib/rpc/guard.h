/*
 * What stands between the callers of a channel and its server: the breaker, the retry budget, and the time
 * until which the server wants to be left alone. Any thread; while the breaker is closed and the server
 * content, asking whether calls may be made takes no lock.
 */
#ifndef SCREENING_RPC_GUARD_H
#define SCREENING_RPC_GUARD_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rpc/breaker.h"
#include "rpc/peer_metrics.h"
#include "rpc/retry.h"

struct rpc_guard {
    const char *peer;
    struct rpc_peer_metrics *metrics; /* NULL = nothing is counted */
    bool has_breaker, has_retries;
    _Atomic int state;             /* of the breaker */
    _Atomic int64_t left_alone_ns; /* the server is draining: until then nothing is sent */
    _Atomic int drained;           /* the connection over which it said so; 0 = none */

    pthread_mutex_t mutex; /* guards what follows; only the log and metrics are called with it held */
    struct breaker breaker;
    struct retry_budget budget;
};

/* `peer` NULL: nothing is counted or logged under a name; it must outlive the guard. RESOURCE_EXHAUSTED when
 * out of memory. */
MUST_CHECK enum status rpc_guard_init(struct rpc_guard *guard, const char *peer,
                                      const struct breaker_options *breaker,
                                      const struct retry_options *retry);
void rpc_guard_fini(struct rpc_guard *guard);

/* As breaker_admit. `first`: they are no retries, so that together they earn a share of a retry. */
size_t rpc_guard_admit(struct rpc_guard *guard, size_t wanted, bool first, uint64_t *era);

/* As breaker_record. */
void rpc_guard_record(struct rpc_guard *guard, uint64_t era, const struct breaker_count *count);

/* As breaker_room. */
size_t rpc_guard_room(struct rpc_guard *guard);

/* As breaker_wait_ms, if the breaker stands in the way; 0 = it does not. */
uint32_t rpc_guard_wait_ms(struct rpc_guard *guard);

/* Takes a retry out of the budget; false: there is none now. */
bool rpc_guard_take_retry(struct rpc_guard *guard);

/* The server answered DRAINING over the connection with this id. */
void rpc_guard_leave_alone(struct rpc_guard *guard, uint32_t retry_after_ms, int connection);

/*
 * Milliseconds, rounded up, until something may be sent to the server again; 0 = now. `connection` is the one
 * that stands, 0 = none: while that is still the one over which the server said that it drains, it will be
 * closed at any moment, and what is sent then may be lost.
 */
uint32_t rpc_guard_alone_ms(struct rpc_guard *guard, int connection);

#endif
