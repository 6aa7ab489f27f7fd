/*
 * One nng context of the server's REP socket: it receives a request, holds it while it is in hand, sends one
 * answer, and receives again.
 *
 *   RECEIVING --request--> IN_HAND --claimed--> SENDING --sent, or timed out--> RECEIVING
 *
 * Whoever claims the call, the handler's thread with its answer or the janitor when the budget ends, sends;
 * what comes later finds the slot gone on and is dropped. A slot's mutex is never held while nng or a handler
 * runs. A slot is not touched after nng_ctx_send or nng_ctx_recv was called on it: the callback may already
 * run elsewhere.
 */
#ifndef SCREENING_RPC_SLOT_H
#define SCREENING_RPC_SLOT_H

#include <nng/nng.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

struct rpc_call;
struct rpc_method_metrics;
struct rpc_server;

enum rpc_slot_state { RPC_SLOT_RECEIVING, RPC_SLOT_IN_HAND, RPC_SLOT_SENDING };

#define RPC_SLOT_NO_DEADLINE INT64_MAX

struct rpc_slot {
    struct rpc_server *server;
    nng_ctx ctx;
    nng_aio *aio;
    _Atomic int64_t deadline_ns; /* of the call in hand; written with the mutex held, read without */
    pthread_mutex_t mutex;       /* guards what follows */
    enum rpc_slot_state state;
    struct rpc_call *call; /* in hand: the handler's, the slot only points to it */
    nng_pipe pipe;         /* where the request came from */

    /* Of the thread that claimed the call, then of the outbox. */
    nng_msg *answer;
    struct rpc_slot *next_to_send;
};

/* RESOURCE_EXHAUSTED when out of memory. Receives nothing yet. */
MUST_CHECK enum status rpc_slot_open(struct rpc_slot *slot, struct rpc_server *server, struct error *error);

/* Waits for the next request; its callback runs the dispatcher. */
void rpc_slot_receive(struct rpc_slot *slot);

/* True for the one who is to answer the call: it must call rpc_slot_send. */
bool rpc_slot_claim(struct rpc_slot *slot, const struct rpc_call *call);

/* The same, for whatever call's budget has ended at `now_ns`; the call itself stays its handler's. */
struct rpc_expired {
    struct rpc_method_metrics *metrics;
    int64_t arrival_ns;
};
bool rpc_slot_claim_expired(struct rpc_slot *slot, int64_t now_ns, struct rpc_expired *expired);

/*
 * Sends the answer, or has it sent with others if the calling thread holds its answers (outbox.h). Takes
 * ownership of it. NULL (out of memory): the caller gets none.
 */
void rpc_slot_send(struct rpc_slot *slot, nng_msg *msg);

/* Sends the answer that was held. */
void rpc_slot_send_now(struct rpc_slot *slot);

/* Ends what the slot is doing and waits for its callback. */
void rpc_slot_stop(struct rpc_slot *slot);

/* After rpc_slot_stop. A handler may still try to claim a call that was answered for it. */
void rpc_slot_close(struct rpc_slot *slot);

/* After rpc_slot_close, when no handler holds a call any more. */
void rpc_slot_fini(struct rpc_slot *slot);

#endif
