/*
 * Metrics of the calls that the process serves and makes. The metrics of a service or a peer are created once
 * and kept until the process exits, even after the server or the channel has been closed. Counting takes no
 * lock. Any thread.
 */
#ifndef SCREENING_RPC_METRICS_H
#define SCREENING_RPC_METRICS_H

#include <protobuf-c/protobuf-c.h>
#include <stdint.h>

#include "base/metrics.h"
#include "base/status.h"

/* The metrics of all servers in the process, added up. */
struct rpc_server_metrics {
    struct metric calls;
    struct metric in_flight;
    /* Calls that the server itself answered, because the handler did not reply within the call's budget. */
    struct metric expired;
    struct metric dropped;   /* handlers' replies dropped because the server had already replied */
    struct metric not_taken; /* replies dropped because the client did not read them in time */
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
    struct metric answers[STATUS_COUNT]; /* each is registered on its first reply */
};

/*
 * Returns the metrics of the service's methods in the descriptor's order. If `service` is NULL, returns the
 * metrics that all requests for unknown methods share. Returns NULL when out of memory.
 */
struct rpc_method_metrics *rpc_method_metrics_of(const ProtobufCServiceDescriptor *service);

/* Counts a reply with `status`, sent `took_us` after the request arrived. */
void rpc_method_metrics_answered(struct rpc_method_metrics *method, enum status status, int64_t took_us);

/* Client-side metrics for one named server that this process calls (`peer` in channel.h). */
struct rpc_peer_metrics {
    struct metric breaker_state; /* a value of enum breaker_state */
    struct metric breaker_opened;
    struct metric breaker_half_opened;
    struct metric breaker_closed;
    struct metric refused_by_breaker;
    struct metric refused_by_bulkhead;
    struct metric retries;
    struct metric retries_refused;
    struct metric in_flight;
    struct metric failovers;
};

/*
 * Returns the metrics of `peer`. The first call for a peer creates and registers them. Returns NULL when out
 * of memory.
 */
struct rpc_peer_metrics *rpc_peer_metrics_of(const char *peer);

/* Client-side metrics for one backend of a peer, by the address that is dialled. */
struct rpc_backend_metrics {
    struct metric connected; /* 0 or 1 */
    struct metric in_flight;
    struct metric ejected; /* 0 or 1 */
    struct metric ejections;
};

/*
 * Returns the metrics of the backend at `address`. The first call for a backend creates and registers them.
 * Returns NULL when out of memory, and after RPC_BACKEND_METRICS_MAX different addresses in the process, so
 * that addresses that change for ever do not fill the memory.
 */
enum { RPC_BACKEND_METRICS_MAX = 256 };
struct rpc_backend_metrics *rpc_backend_metrics_of(const char *peer, const char *address);

#endif
