#include "rpc/slot.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/fault_point.h"
#include "base/log.h"
#include "rpc/dispatch.h"
#include "rpc/janitor.h"
#include "rpc/metrics.h"
#include "rpc/outbox.h"
#include "rpc/server_state.h"

/*
 * While more than half of the slots are sending, slow clients may leave too few slots for other clients, so
 * replies time out sooner.
 */
enum { HURRIED_TIMEOUT_MS = 100 };

static void drop_answer(struct rpc_slot *slot)
{
    nng_msg_free(nng_aio_get_msg(slot->aio));
    nng_aio_set_msg(slot->aio, NULL);
}

static void on_sent(struct rpc_slot *slot)
{
    struct rpc_server *server = slot->server;
    size_t sending = atomic_fetch_sub(&server->sending, 1);
    CHECK(sending > 0);
    switch (nng_aio_result(slot->aio)) {
    case 0:
        FAULT_POINT("rpc.server.after_reply");
        muted_remove(&server->muted, slot->pipe);
        break;
    case NNG_ETIMEDOUT:
        metric_add(&rpc_server_metrics.not_taken, 1);
        muted_add(&server->muted, slot->pipe);
        drop_answer(slot);
        break;
    default:
        drop_answer(slot); /* nng is out of memory, or the slot is being stopped and receives nothing more */
        break;
    }
    rpc_slot_receive(slot);
}

/* Puts the call into the slot. From here on, the janitor may answer the call. */
static void hold(struct rpc_slot *slot, struct rpc_call *call)
{
    metric_add(&rpc_server_metrics.calls, 1);
    metric_add(&rpc_server_metrics.in_flight, 1);
    atomic_fetch_add(&slot->server->in_flight, 1);
    int64_t deadline_ns = rpc_call_deadline_ns(call);
    pthread_mutex_lock(&slot->mutex);
    CHECK(slot->state == RPC_SLOT_RECEIVING && slot->call == NULL);
    slot->state = RPC_SLOT_IN_FLIGHT;
    slot->call = call;
    atomic_store(&slot->deadline_ns, deadline_ns);
    pthread_mutex_unlock(&slot->mutex);
    rpc_janitor_expect(&slot->server->janitor, deadline_ns);
}

static void on_received(struct rpc_slot *slot)
{
    int64_t arrival_ns = clock_monotonic_ns();
    struct rpc_server *server = slot->server;
    int rv = nng_aio_result(slot->aio);
    if (rv == NNG_ETIMEDOUT) {
        /*
         * A receive has no timeout. This is the timeout of the previous send, which nng reports to the next
         * operation (nng/expiring_aio.h). No message was received. `receiving` still counts the slot, because
         * the check against RPC_SLOTS_LOW below must not see a lower count even for a moment.
         */
        nng_ctx_recv(slot->ctx, slot->aio);
        return;
    }
    if (rv != 0)
        return; /* the slot is being stopped; a REP receive does not fail for any other reason */
    nng_msg *msg = nng_aio_get_msg(slot->aio);
    nng_aio_set_msg(slot->aio, NULL);
    size_t receiving = atomic_fetch_sub(&server->receiving, 1);
    CHECK(receiving > 0);
    if (receiving == RPC_SLOTS_LOW)
        rpc_janitor_wake(&server->janitor); /* to open more slots */
    slot->pipe = nng_msg_get_pipe(msg);
    struct rpc_call *call = rpc_call_acquire(server, slot, arrival_ns);
    if (call == NULL) {
        log_plain(LOG_ERROR, "rpc.out_of_memory");
        nng_msg_free(msg); /* the client's call will time out */
        rpc_slot_receive(slot);
        return;
    }
    struct error error;
    enum status status = rpc_dispatch_decode(call, msg, &error);
    hold(slot, call);
    if (status != STATUS_OK) {
        rpc_call_fail(call, &error);
        return;
    }
    rpc_dispatch(call);
}

static void on_event(void *context)
{
    struct rpc_slot *slot = context;
    /* This read needs no mutex, because the state was written before the current operation was started. */
    if (slot->state == RPC_SLOT_SENDING)
        on_sent(slot);
    else
        on_received(slot);
}

enum status rpc_slot_open(struct rpc_slot *slot, struct rpc_server *server, struct error *error)
{
    slot->server = server;
    atomic_init(&slot->deadline_ns, RPC_SLOT_NO_DEADLINE);
    int rv = nng_aio_alloc(&slot->aio, on_event, slot);
    if (rv != 0)
        return error_set(error, STATUS_RESOURCE_EXHAUSTED, NULL, "rpc slot: %s", nng_strerror(rv));
    rv = nng_ctx_open(&slot->ctx, server->socket);
    if (rv != 0) {
        nng_aio_free(slot->aio);
        return error_set(error, STATUS_RESOURCE_EXHAUSTED, NULL, "rpc slot: %s", nng_strerror(rv));
    }
    pthread_mutex_init(&slot->mutex, NULL);
    return STATUS_OK;
}

void rpc_slot_receive(struct rpc_slot *slot)
{
    pthread_mutex_lock(&slot->mutex);
    CHECK(slot->state != RPC_SLOT_IN_FLIGHT && slot->call == NULL);
    slot->state = RPC_SLOT_RECEIVING;
    pthread_mutex_unlock(&slot->mutex);
    atomic_fetch_add(&slot->server->receiving, 1);
    nng_aio_set_timeout(slot->aio, NNG_DURATION_INFINITE);
    nng_ctx_recv(slot->ctx, slot->aio);
}

/* Removes the call from the slot. Mutex held. */
static void take(struct rpc_slot *slot)
{
    CHECK(slot->state == RPC_SLOT_IN_FLIGHT && slot->call != NULL);
    slot->call = NULL;
    slot->state = RPC_SLOT_SENDING;
    atomic_store(&slot->deadline_ns, RPC_SLOT_NO_DEADLINE);
}

bool rpc_slot_claim(struct rpc_slot *slot, const struct rpc_call *call)
{
    pthread_mutex_lock(&slot->mutex);
    bool mine = slot->call == call;
    if (mine)
        take(slot);
    pthread_mutex_unlock(&slot->mutex);
    return mine;
}

bool rpc_slot_claim_expired(struct rpc_slot *slot, int64_t now_ns, struct rpc_expired *expired)
{
    pthread_mutex_lock(&slot->mutex);
    bool mine = slot->state == RPC_SLOT_IN_FLIGHT && atomic_load(&slot->deadline_ns) <= now_ns;
    if (mine) {
        *expired = (struct rpc_expired){slot->call->metrics, slot->call->arrival_ns};
        take(slot);
    }
    pthread_mutex_unlock(&slot->mutex);
    return mine;
}

/* Returns how long, in ms, the reply may wait for its client if `sending` other replies are waiting too. */
static nng_duration patience(const struct rpc_slot *slot, size_t sending)
{
    struct rpc_server *server = slot->server;
    nng_duration full = (nng_duration)server->reply_timeout_ms;
    if (muted_has(&server->muted, slot->pipe))
        return NNG_DURATION_ZERO;
    return sending > server->slot_max / 2 && full > HURRIED_TIMEOUT_MS ? HURRIED_TIMEOUT_MS : full;
}

void rpc_slot_send(struct rpc_slot *slot, nng_msg *msg)
{
    slot->answer = msg;
    if (!rpc_outbox_take(slot))
        rpc_slot_send_now(slot);
}

void rpc_slot_send_now(struct rpc_slot *slot)
{
    struct rpc_server *server = slot->server;
    nng_msg *msg = slot->answer;
    CHECK(slot->state == RPC_SLOT_SENDING); /* the thread that replies must have claimed the call */
    if (msg == NULL) {
        log_plain(LOG_ERROR, "rpc.out_of_memory");
        atomic_fetch_sub(&server->in_flight, 1);
        rpc_slot_receive(slot);
        return;
    }
    FAULT_POINT("rpc.server.before_reply");
    size_t sending = atomic_fetch_add(&server->sending, 1);
    size_t in_flight =
        atomic_fetch_sub(&server->in_flight, 1); /* after `sending`, so that is_busy sees one of the two */
    CHECK(in_flight > 0);
    nng_aio_set_msg(slot->aio, msg);
    nng_aio_set_timeout(slot->aio, patience(slot, sending));
    nng_ctx_send(slot->ctx, slot->aio);
}

void rpc_slot_stop(struct rpc_slot *slot)
{
    nng_aio_stop(slot->aio);
}

void rpc_slot_close(struct rpc_slot *slot)
{
    /* A reply that was passed to the aio after rpc_slot_stop is still in the aio. */
    nng_msg *unsent = nng_aio_get_msg(slot->aio);
    if (unsent != NULL)
        nng_msg_free(unsent);
    nng_aio_free(slot->aio);
    (void)nng_ctx_close(slot->ctx);
}

void rpc_slot_fini(struct rpc_slot *slot)
{
    pthread_mutex_destroy(&slot->mutex);
}
