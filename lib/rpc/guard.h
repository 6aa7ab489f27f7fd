/*
 * Protects a channel's server from its callers, with the breaker, the retry budget, and the time until which
 * a draining server wants no requests. Any thread. While the breaker is closed and the server is not
 * draining, asking whether calls may be made takes no lock.
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
    _Atomic int state;             /* a copy of the breaker's state that can be read without the lock */
    _Atomic int64_t left_alone_ns; /* the time until which a draining server is sent nothing */
    _Atomic int drained;           /* id of the connection on which the server replied DRAINING; 0 = none */
    /* Guards the members below. While it is held, only the log and the metrics are called. */
    pthread_mutex_t mutex;
    struct breaker breaker;
    struct retry_budget budget;
};

/*
 * Initialises the guard. `peer` is the name in metrics and log and must outlive the guard; NULL = no name.
 * Returns RESOURCE_EXHAUSTED when out of memory.
 */
MUST_CHECK enum status rpc_guard_init(struct rpc_guard *guard, const char *peer,
                                      const struct breaker_options *breaker,
                                      const struct retry_options *retry);
void rpc_guard_fini(struct rpc_guard *guard);

/*
 * Like breaker_admit. `first` says that the calls are not retries. Together they then earn one call's share
 * of a retry.
 */
size_t rpc_guard_admit(struct rpc_guard *guard, size_t wanted, bool first, uint64_t *era);

/* Like breaker_record. */
void rpc_guard_record(struct rpc_guard *guard, uint64_t era, const struct breaker_count *count);

/* Like breaker_room. */
size_t rpc_guard_room(struct rpc_guard *guard);

/* Like breaker_wait_ms. 0 means that the breaker lets calls through. */
uint32_t rpc_guard_wait_ms(struct rpc_guard *guard);

/* Takes one retry from the budget. Returns false if none is left now. */
bool rpc_guard_take_retry(struct rpc_guard *guard);

/* Records that the server replied DRAINING on the connection with this id. */
void rpc_guard_leave_alone(struct rpc_guard *guard, uint32_t retry_after_ms, int connection);

/*
 * Returns the milliseconds, rounded up, until the server may be sent a request again, or 0 if it may be now.
 * `connection` is the id of the current connection, or 0 if there is none. If it is still the connection on
 * which the server replied DRAINING, the wait goes on for up to 2 s, because the server is about to close it
 * and a request sent on it may be lost.
 */
uint32_t rpc_guard_alone_ms(struct rpc_guard *guard, int connection);

#endif
