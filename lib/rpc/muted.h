/*
 * The connections whose clients did not take a reply in time. A reply to one of them is dropped unless the
 * client takes it at once, so that a slow client costs the others no slots. The first reply that the client
 * takes unmutes its connection.
 *
 * We do not close these connections because of a bug in nng 1.5.2 (fixed later): its tcp and ipc read
 * callbacks start the next read without checking whether the connection was closed in the meantime. That read
 * never ends, and nng's only reaper thread waits for it. From then on nng frees no connection of the process
 * and closes no socket. So we never close a connection on which a message may be arriving.
 */
#ifndef SCREENING_RPC_MUTED_H
#define SCREENING_RPC_MUTED_H

#include <nng/nng.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/map.h"

struct rpc_muted {
    _Atomic size_t count;  /* number of entries; while it is 0, lookups and removals skip the mutex */
    pthread_mutex_t mutex; /* guards the fields below */
    struct map pipes;
};

void rpc_muted_init(struct rpc_muted *muted);
void rpc_muted_fini(struct rpc_muted *muted);

/* Any thread. Adding and removing are idempotent. */
void rpc_muted_add(struct rpc_muted *muted, nng_pipe pipe);
void rpc_muted_remove(struct rpc_muted *muted, nng_pipe pipe);
bool rpc_muted_has(struct rpc_muted *muted, nng_pipe pipe);

#endif
