/*
 * Protects a service from its callers with a circuit breaker and a retry budget, one of each for all backends
 * of a channel. Any thread. While the breaker is closed, rpc_guard_room and rpc_guard_wait_ms take no lock.
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
    _Atomic int state; /* a copy of the breaker's state that can be read without the lock */
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

#endif
