/*
 * Metrics for each server that the process calls under a name (`peer` in channel.h). They are created once
 * per name and kept until the process exits. Counting takes no lock.
 */
#ifndef SCREENING_RPC_PEER_METRICS_H
#define SCREENING_RPC_PEER_METRICS_H

#include "base/metrics.h"

struct rpc_peer_metrics {
    struct metric breaker_state; /* enum breaker_state */
    struct metric breaker_opened;
    struct metric breaker_half_opened;
    struct metric breaker_closed;
    struct metric refused_by_breaker;
    struct metric refused_by_bulkhead;
    struct metric retries;
    struct metric retries_refused;
    struct metric in_flight;
};

/* Returns the registered metrics of this peer, or NULL when out of memory. Any thread. */
struct rpc_peer_metrics *rpc_peer_metrics_of(const char *peer);

#endif
