/*
 * A call in hand: what a handler holds from the method's invocation until it answers, also when the server
 * has answered for it meanwhile. Calls are pooled, each with its arena.
 */
#ifndef SCREENING_RPC_CALL_H
#define SCREENING_RPC_CALL_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/uuid.h"
#include "rpc/server.h"
#include "rpc/slot.h"

#include "rpc/v1/envelope.pb-c.h"

struct rpc_method_metrics;
struct rpc_service_entry;

struct rpc_call {
    struct rpc_server *server;
    struct rpc_slot *slot; /* may have gone on to another call */
    struct rpc_call *next; /* in the pool */
    struct rpc_method_metrics
        *metrics; /* of the method, or of what is unknown; set before the slot holds the call */
    const struct rpc_service_entry *entry; /* of the method; set with it by rpc_dispatch_decode */
    const ProtobufCMethodDescriptor *method;
    uint32_t connection; /* a number for where it came from */
    int64_t arrival_ns;
    int64_t deadline_ns;
    size_t size_bytes;         /* of the request */
    Rpc__V1__Request *request; /* in the arena */
    const char *request_id;    /* NULL until someone asks */
    char request_id_made[UUID_TEXT_SIZE];
    struct arena arena;
};

/* Memory of a larger request is not kept for the next, and counts for RPC_LARGE_REQUESTS. */
enum { RPC_CALL_KEEP_BYTES_MAX = 4096 };

struct rpc_call_pool {
    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t all_released;
    struct rpc_call *spare;
    size_t spare_count;
    size_t held; /* acquired and not released */
};

void rpc_call_pool_init(struct rpc_call_pool *pool);

/* When no call is held. */
void rpc_call_pool_fini(struct rpc_call_pool *pool);

/* Waits until no call is held. */
void rpc_call_pool_wait(struct rpc_call_pool *pool);

/* A call for the request that arrived at `slot`. NULL when out of memory. */
struct rpc_call *rpc_call_acquire(struct rpc_server *server, struct rpc_slot *slot, int64_t arrival_ns);

#endif
