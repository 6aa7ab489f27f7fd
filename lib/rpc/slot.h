/*
 * A slot is one nng context of the server's REP socket. It receives a request, holds it while the call is in
 * flight, sends one reply, and receives again.
 *
 *   RECEIVING --request--> IN_FLIGHT --claimed--> SENDING --sent, or timed out--> RECEIVING
 *
 * The call is claimed by the thread that answers it or, when its budget ends, by the janitor. That thread
 * sends the reply or puts it into the outbox. A later reply is dropped, because the slot no longer has the
 * call. A slot's mutex is never held while nng or a handler runs. A thread must not touch a slot after
 * calling nng_ctx_send or nng_ctx_recv on it, because the callback may already be running on another thread.
 */
#ifndef SCREENING_RPC_SLOT_H
#define SCREENING_RPC_SLOT_H

#include <nng/nng.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/queue.h"
#include "base/status.h"

struct rpc_call;
struct rpc_method_metrics;
struct rpc_server;

enum rpc_slot_state { RPC_SLOT_RECEIVING, RPC_SLOT_IN_FLIGHT, RPC_SLOT_SENDING };

#define RPC_SLOT_NO_DEADLINE INT64_MAX

struct rpc_slot {
    struct rpc_server *server;
    nng_ctx ctx;
    nng_aio *aio;
    /* Deadline of the call in flight; written with the mutex held, read without it. */
    _Atomic int64_t deadline_ns;
    pthread_mutex_t mutex; /* guards state and call */
    enum rpc_slot_state state;
    struct rpc_call *call; /* NULL unless IN_FLIGHT; owned by the handler */
    nng_pipe pipe;         /* the connection on which the request arrived */
    /* The following members are owned by the thread that claimed the call, then by the outbox. */
    nng_msg *answer;
    struct queue_node to_send; /* node in the outbox's queue */
};

/* Opens the slot. Does not receive yet. Returns RESOURCE_EXHAUSTED when out of memory. */
MUST_CHECK enum status rpc_slot_open(struct rpc_slot *slot, struct rpc_server *server, struct error *error);

/* Starts to receive the next request. The callback runs the dispatcher. */
void rpc_slot_receive(struct rpc_slot *slot);

/*
 * Claims the call for a reply. Only the first claim of a call returns true, and the claiming thread must then
 * call rpc_slot_send.
 */
bool rpc_slot_claim(struct rpc_slot *slot, const struct rpc_call *call);

struct rpc_expired {
    struct rpc_method_metrics *metrics;
    int64_t arrival_ns;
};
/*
 * If the budget of the slot's call has ended by `now_ns`, claims the call, sets *expired and returns true.
 * The handler still owns the call.
 */
bool rpc_slot_claim_expired(struct rpc_slot *slot, int64_t now_ns, struct rpc_expired *expired);

/*
 * Sends the reply or, if the calling thread holds its replies (outbox.h), adds it to them. Takes ownership of
 * `msg`. If `msg` is NULL (out of memory), the client gets no reply.
 */
void rpc_slot_send(struct rpc_slot *slot, nng_msg *msg);

/* Sends the slot's reply immediately. */
void rpc_slot_send_now(struct rpc_slot *slot);

/* Cancels the slot's current operation and waits for its callback. */
void rpc_slot_stop(struct rpc_slot *slot);

/*
 * Closes the slot. Call it after rpc_slot_stop. Handlers may still try to claim their calls, but the server
 * has already answered them.
 */
void rpc_slot_close(struct rpc_slot *slot);

/* Frees the slot. Call it after rpc_slot_close, once no handler holds a call. */
void rpc_slot_fini(struct rpc_slot *slot);

#endif
