/*
 * What is counted per server that a process calls under a breaker. Made once for each name and kept until the
 * process ends; counting takes no lock.
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

/* Those of the peer of this name, registered. NULL when out of memory. Any thread. */
struct rpc_peer_metrics *rpc_peer_metrics_of(const char *peer);

#endif
