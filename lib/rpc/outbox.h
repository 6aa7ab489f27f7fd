/*
 * Sends replies that one thread produces in a batch, such as a writer thread after a group commit. Sending is
 * expensive, and every caller waits for the writer thread. So the writer thread hands over the whole batch
 * with a single wake-up. The outbox's thread sends the replies while the writer thread works on the next
 * batch.
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

/* Sends the queued replies, then ends the thread. No replies may be queued afterwards. */
void rpc_outbox_stop(struct rpc_outbox *outbox);

/* Holds the calling thread's replies until that thread calls rpc_outbox_release. */
void rpc_outbox_hold(void);

/* If the calling thread holds its replies, adds the reply of `slot` to them and returns true. */
bool rpc_outbox_take(struct rpc_slot *slot);

/* Sends the held replies and ends the hold. Later replies of the calling thread are sent immediately. */
void rpc_outbox_release(struct rpc_outbox *outbox);

#endif
