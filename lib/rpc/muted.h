/*
 * The connections whose clients did not take an answer in time. They are not closed: nng 1.5.2 can stop
 * closing connections altogether, for good, if one is closed while a request is coming in on it (its read
 * callback starts the next read without looking whether the connection was closed, and the reaper waits for
 * that read). Instead the answers for a muted connection are dropped at once unless it takes them at once, so
 * that its client costs the others no slots. It is heard again with the first answer that it takes.
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
    _Atomic size_t count;  /* of entries, to spare everyone the mutex while there are none */
    pthread_mutex_t mutex; /* guards what follows */
    struct map pipes;
};

void rpc_muted_init(struct rpc_muted *muted);
void rpc_muted_fini(struct rpc_muted *muted);

/* All of these: any thread; again: nothing. */
void rpc_muted_add(struct rpc_muted *muted, nng_pipe pipe);
void rpc_muted_remove(struct rpc_muted *muted, nng_pipe pipe);
bool rpc_muted_has(struct rpc_muted *muted, nng_pipe pipe);

#endif
