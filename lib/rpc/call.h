/*
 * A call. A handler holds it from the invocation of its method until it replies, even if the server has
 * replied for it in the meantime. Calls are pooled, each with its arena.
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
    struct rpc_slot *slot; /* the slot that received the request; it may have moved on to another call */
    struct rpc_call *next; /* the next call in the pool's list */
    /* The metrics of the method, or of unknown methods. Set before the slot holds the call. */
    struct rpc_method_metrics *metrics;
    const struct rpc_service_entry *entry; /* set with `method` by rpc_dispatch_decode */
    const ProtobufCMethodDescriptor *method;
    uint32_t connection; /* id of the nng pipe on which the request came */
    int64_t arrival_ns;
    int64_t deadline_ns;
    size_t size_bytes;         /* size of the packed request */
    Rpc__V1__Request *request; /* unpacked in the arena */
    const char *request_id;    /* NULL until rpc_call_request_id is first called */
    char request_id_made[UUID_TEXT_SIZE];
    struct arena arena;
};

/*
 * The arena of a larger request is freed, not reused, and the size of such a request counts towards
 * RPC_LARGE_REQUESTS.
 */
enum { RPC_CALL_KEEP_BYTES_MAX = 4096 };

struct rpc_call_pool {
    pthread_mutex_t mutex; /* guards the fields below */
    pthread_cond_t all_released;
    struct rpc_call *spare;
    size_t spare_count;
    size_t held; /* calls acquired and not yet released */
};

void rpc_call_pool_init(struct rpc_call_pool *pool);

/* Frees the pool. No call may be held. */
void rpc_call_pool_fini(struct rpc_call_pool *pool);

/* Blocks until no call is held. */
void rpc_call_pool_wait(struct rpc_call_pool *pool);

/* Returns a call for the request that arrived at `slot`, or NULL when out of memory. */
struct rpc_call *rpc_call_acquire(struct rpc_server *server, struct rpc_slot *slot, int64_t arrival_ns);

#endif
