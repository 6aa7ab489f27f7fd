/*
 * Protects a channel's server from its callers with a circuit breaker, a retry budget, and a pause while the
 * server is draining. Any thread. While the breaker is closed, rpc_guard_room and rpc_guard_wait_ms take no
 * lock. rpc_guard_pause_ms never takes one.
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
    _Atomic int state;               /* a copy of the breaker's state that can be read without the lock */
    _Atomic int64_t paused_until_ns; /* nothing is sent to a draining server before this time */
    _Atomic int drained;             /* id of the connection on which the server replied DRAINING; 0 = none */
    /* Guards the members below. Nothing that may block is called while it is held, except the log. */
    pthread_mutex_t mutex;
    struct breaker breaker;
    struct retry_budget budget;
};

/*
 * Initialises the guard. `peer` is the server's name in the metrics and the log, and must outlive the guard.
 * NULL = no name. Returns RESOURCE_EXHAUSTED when out of memory.
 */
MUST_CHECK enum status rpc_guard_init(struct rpc_guard *guard, const char *peer,
                                      const struct breaker_options *breaker,
                                      const struct retry_options *retry);
void rpc_guard_fini(struct rpc_guard *guard);

/*
 * Like breaker_admit. `first` means that the calls are not retries. If at least one of them is admitted, they
 * add the share of one call to the retry budget.
 */
size_t rpc_guard_admit(struct rpc_guard *guard, size_t wanted, bool first, uint64_t *era);

/* Like breaker_record. */
void rpc_guard_record(struct rpc_guard *guard, uint64_t era, const struct breaker_count *count);

/* Like breaker_room. */
size_t rpc_guard_room(struct rpc_guard *guard);

/* Like breaker_wait_ms. 0 means that the breaker lets calls through. */
uint32_t rpc_guard_wait_ms(struct rpc_guard *guard);

/* Takes one retry from the budget. Returns false if there is none now. */
bool rpc_guard_take_retry(struct rpc_guard *guard);

/*
 * Records that the server replied DRAINING on the connection with the id `connection`. Nothing is then sent
 * to the server for `retry_after_ms`, but for at most 10 s.
 */
void rpc_guard_record_draining(struct rpc_guard *guard, uint32_t retry_after_ms, int connection);

/*
 * Returns the time in ms, rounded up, until a request may be sent to the server, or 0 if one may be sent now.
 * `connection` is the id of the current connection, or 0 if there is none. If the server replied DRAINING on
 * this connection, the wait continues for up to 2 s, in steps of 50 ms, because the server is about to close
 * this connection, and a request sent on it may be lost.
 */
uint32_t rpc_guard_pause_ms(struct rpc_guard *guard, int connection);

#endif
