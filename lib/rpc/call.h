/*
 * A call to a method of the server. The handler holds the call until it replies, even if the server itself
 * has already replied. Calls are pooled, each with its own arena.
 */
#ifndef SCREENING_RPC_CALL_H
#define SCREENING_RPC_CALL_H

#include <nng/nng.h>
#include <pthread.h>
#include <stdbool.h>
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
    struct rpc_slot *slot; /* the slot that received the request; it may hold another call by now */
    struct rpc_call *next; /* the next call in the pool's list */
    /* The metrics of the method, or of unknown methods. Set before the slot holds the call. */
    struct rpc_method_metrics *metrics;
    const struct rpc_service_entry *entry; /* rpc_dispatch_decode sets `entry` and `method` */
    const ProtobufCMethodDescriptor *method;
    const struct auth_caller *caller; /* set by rpc_identify before the handler is called */
    uint32_t connection;              /* id of the nng pipe on which the request arrived */
    int listener; /* id of that pipe's listener; 0 if the pipe was gone before it could be asked, or if nobody
                     asks */
    int64_t arrival_ns;
    int64_t deadline_ns;
    size_t size_bytes;         /* size of the packed request */
    Rpc__V1__Request *request; /* in the arena */
    const char *request_id;    /* NULL until rpc_call_request_id is first called */
    char request_id_made[UUID_TEXT_SIZE];
    struct arena arena;
};

/*
 * A request larger than this counts as large: its arena is freed instead of being reused, and its size counts
 * towards RPC_LARGE_REQUESTS.
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

/* Returns whether the call arrived on this listener. */
bool rpc_call_is_from(const struct rpc_call *call, nng_listener listener);

/* Returns a call for the request that `slot` received, or NULL when out of memory. */
struct rpc_call *rpc_call_acquire(struct rpc_server *server, struct rpc_slot *slot, int64_t arrival_ns);

#endif
