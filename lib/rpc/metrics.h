/*
 * Metrics of the calls that the process serves and makes. Those of a service or a peer are created once and
 * kept until the process exits, even after the server or the channel is closed. Counting takes no lock. Any
 * thread.
 */
#ifndef SCREENING_RPC_METRICS_H
#define SCREENING_RPC_METRICS_H

#include <protobuf-c/protobuf-c.h>
#include <stdint.h>

#include "base/metrics.h"
#include "base/status.h"

/* All servers of the process, added up. */
struct rpc_server_metrics {
    struct metric calls;
    struct metric in_flight;
    struct metric expired;   /* the server replied for a handler that exceeded the call's budget */
    struct metric dropped;   /* a handler's reply came after that */
    struct metric not_taken; /* a reply was dropped because its client did not take it in time */
    struct metric slots;
    struct metric connections;
};
extern struct rpc_server_metrics rpc_server_metrics;

/* Registers rpc_server_metrics. Idempotent. */
void rpc_server_metrics_register(void);

/* A method: replies by status code, and the time from the request's arrival to the reply. */
struct rpc_method_metrics {
    struct histogram seconds;
    struct metric answers[STATUS_COUNT]; /* each is registered with its first reply */
};

/*
 * Returns the metrics of the service's methods in the descriptor's order; for NULL, those that all requests
 * for unknown methods share. NULL when out of memory.
 */
struct rpc_method_metrics *rpc_method_metrics_of(const ProtobufCServiceDescriptor *service);

/* Counts a reply with `status`, sent `took_us` after the request arrived. */
void rpc_method_metrics_answered(struct rpc_method_metrics *method, enum status status, int64_t took_us);

/* A server that the process calls under a name (`peer` in channel.h). */
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

/* Returns the registered metrics of this peer, or NULL when out of memory. */
struct rpc_peer_metrics *rpc_peer_metrics_of(const char *peer);

#endif
