/*
 * The connections whose clients did not take an answer in time. Their answers are dropped at once unless they
 * are taken at once, so that they cost the others no slots. A connection is heard again with the first answer
 * that its client takes.
 *
 * They are not closed, because of nng 1.5.2 (mended later): its tcp and ipc read callbacks go on to the next
 * read without looking whether the connection was closed meanwhile; that read never ends, and nng's only
 * reaper thread waits for it. From then on no connection of the process is freed and no socket closes. So we
 * never close a connection on which messages may be coming in.
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
