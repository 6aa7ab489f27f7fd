/*
 * Answers that one thread gives together: a writer that has committed for many callers. Its time is what all
 * of them wait for, and sending is dear; so it only hands them over, with one wake-up, and the outbox's
 * thread sends them while the next batch is being written.
 */
#ifndef SCREENING_RPC_OUTBOX_H
#define SCREENING_RPC_OUTBOX_H

#include <pthread.h>
#include <stdbool.h>

#include "base/status.h"

struct rpc_slot;

struct rpc_outbox {
    pthread_t thread;
    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t filled;
    struct rpc_slot *first, **end; /* linked by next_to_send */
    bool sleeping;
    bool stopping;
    bool started; /* of the thread that starts and stops it */
};

void rpc_outbox_init(struct rpc_outbox *outbox);
void rpc_outbox_fini(struct rpc_outbox *outbox);

MUST_CHECK enum status rpc_outbox_start(struct rpc_outbox *outbox, struct error *error);

/* Sends what is there and ends the thread. Nothing may be handed over any more. */
void rpc_outbox_stop(struct rpc_outbox *outbox);

/* From now on the calling thread's answers are held, until rpc_outbox_release. */
void rpc_outbox_hold(void);

/* Whether the calling thread holds its answers; then this one is held too. */
bool rpc_outbox_take(struct rpc_slot *slot);

/* Sends the answers held, and what the calling thread answers from now on at once. */
void rpc_outbox_release(struct rpc_outbox *outbox);

#endif
