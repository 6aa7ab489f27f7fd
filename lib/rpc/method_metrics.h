/*
 * What is counted per method: answers by code, and how long they took from the request's arrival. Made once
 * for each service and kept until the process ends, also when its server is gone; counting takes no lock.
 */
#ifndef SCREENING_RPC_METHOD_METRICS_H
#define SCREENING_RPC_METHOD_METRICS_H

#include <protobuf-c/protobuf-c.h>
#include <stdint.h>

#include "base/metrics.h"
#include "base/status.h"

struct rpc_method_metrics {
    struct histogram seconds;
    struct metric answers[STATUS_COUNT]; /* each becomes visible with its first answer */
};

/* Those of the service's methods, in the descriptor's order. NULL when out of memory. Any thread. */
struct rpc_method_metrics *rpc_method_metrics_of(const ProtobufCServiceDescriptor *service);

/* Those of all requests that name no method of ours. NULL when out of memory. Any thread. */
struct rpc_method_metrics *rpc_method_metrics_unknown(void);

/* A request was answered with `status`, so long after it arrived. Any thread. */
void rpc_method_metrics_answered(struct rpc_method_metrics *method, enum status status, int64_t took_us);

#endif
