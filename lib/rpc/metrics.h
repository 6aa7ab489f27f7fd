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

/* The metrics of all servers of the process together. */
struct rpc_server_metrics {
    struct metric calls;
    struct metric in_flight;
    /* Calls that the server answered because the handler exceeded the call's budget. */
    struct metric expired;
    struct metric dropped;   /* replies that a handler gave after that */
    struct metric not_taken; /* replies that were dropped because the client did not take them in time */
    struct metric slots;
    struct metric connections;
};
extern struct rpc_server_metrics rpc_server_metrics;

/* Registers rpc_server_metrics. Idempotent. */
void rpc_server_metrics_register(void);

/*
 * The metrics of a method: its replies by status code, and the time from the request's arrival to the reply.
 */
struct rpc_method_metrics {
    struct histogram seconds;
    struct metric answers[STATUS_COUNT]; /* each one is registered with its first reply */
};

/*
 * Returns the metrics of the service's methods in the descriptor's order. For NULL, returns those that all
 * requests for unknown methods share. Returns NULL when out of memory.
 */
struct rpc_method_metrics *rpc_method_metrics_of(const ProtobufCServiceDescriptor *service);

/* Counts a reply with `status`, sent `took_us` after the request arrived. */
void rpc_method_metrics_answered(struct rpc_method_metrics *method, enum status status, int64_t took_us);

/* The metrics of a server that the process calls under a name (`peer` in channel.h). */
struct rpc_peer_metrics {
    struct metric breaker_state; /* the value of the enum breaker_state */
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
