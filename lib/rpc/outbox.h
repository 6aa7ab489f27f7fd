/*
 * Sends replies that one thread gives together, such as a writer thread that has committed for many callers.
 * Every caller waits for the writer thread, and sending is expensive, so that thread hands the batch over
 * with a single wake-up. The outbox's thread sends the replies while the writer thread writes the next batch.
 */
#ifndef SCREENING_RPC_OUTBOX_H
#define SCREENING_RPC_OUTBOX_H

#include <pthread.h>
#include <stdbool.h>

#include "base/monitor.h"
#include "base/queue.h"
#include "base/status.h"

struct rpc_slot;

struct rpc_outbox {
    pthread_t thread;
    struct monitor monitor; /* guards the fields below */
    struct queue slots;
    bool sleeping;
    bool stopping;
    bool started; /* used only by the thread that starts and stops the outbox */
};

void rpc_outbox_init(struct rpc_outbox *outbox);
void rpc_outbox_fini(struct rpc_outbox *outbox);

MUST_CHECK enum status rpc_outbox_start(struct rpc_outbox *outbox, struct error *error);

/* Sends the queued replies, then ends the thread. The caller must not hand over further replies. */
void rpc_outbox_stop(struct rpc_outbox *outbox);

/* Holds the calling thread's replies from now on, until rpc_outbox_release. */
void rpc_outbox_hold(void);

/* Returns whether the calling thread holds its replies. If it does, this slot's reply is held too. */
bool rpc_outbox_take(struct rpc_slot *slot);

/* Sends the held replies and ends the hold. Later replies of the calling thread leave immediately. */
void rpc_outbox_release(struct rpc_outbox *outbox);

#endif
