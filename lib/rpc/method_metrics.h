/*
 * Metrics per method: replies by status code, and the time from the request's arrival to the reply. They are
 * created once per service and kept until the process exits, even after the server is closed. Counting takes
 * no lock.
 */
#ifndef SCREENING_RPC_METHOD_METRICS_H
#define SCREENING_RPC_METHOD_METRICS_H

#include <protobuf-c/protobuf-c.h>
#include <stdint.h>

#include "base/metrics.h"
#include "base/status.h"

struct rpc_method_metrics {
    struct histogram seconds;
    struct metric answers[STATUS_COUNT]; /* each is registered with its first reply */
};

/*
 * Returns the metrics of the service's methods in the descriptor's order, NULL when out of memory. Any
 * thread.
 */
struct rpc_method_metrics *rpc_method_metrics_of(const ProtobufCServiceDescriptor *service);

/* Returns the metrics shared by all requests for unknown methods, NULL when out of memory. Any thread. */
struct rpc_method_metrics *rpc_method_metrics_unknown(void);

/* Counts a reply with `status`, sent `took_us` after the request arrived. Any thread. */
void rpc_method_metrics_answered(struct rpc_method_metrics *method, enum status status, int64_t took_us);

#endif
