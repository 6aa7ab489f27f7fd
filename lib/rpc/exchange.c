#include "rpc/exchange.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/fault_point.h"
#include "rpc/channel_state.h"
#include "rpc/envelope.h"
#include "rpc/outcome.h"
#include "rpc/wire.h"

#include "rpc/v1/envelope.pb-c.h"
#include "screening/v1/words.h"

/*
 * The longest wait for a connection. Without a connection, a call must fail soon, however large its budget.
 */
enum { SEND_TIMEOUT_MAX_MS = 100 };

/* The same while another backend is usable: the connection has just been lost, or takes nothing. */
enum { SEND_TIMEOUT_SHORT_MS = 20 };

/* The bounds of the pause before a retry; the server may ask for a longer pause. */
enum { PAUSE_FIRST_MS = 20, PAUSE_MAX_MS = 500 };

static void on_event(void *context);
static bool hop(struct rpc_exchange *exchange);

/* Ends the call. If `response` is NULL, the call's error has the reason. */
static void finish(struct rpc_exchange *exchange, const ProtobufCMessage *response)
{
    exchange->state = RPC_EXCHANGE_IDLE;
    nng_msg_free(exchange->kept);
    exchange->kept = NULL;
    exchange->call->left = exchange->left || exchange->doubtful;
    exchange->closure(response, exchange->call);
    arena_reset(&exchange->arena);
    rpc_channel_release(exchange->channel, exchange);
}

/* Starts to send. Returns false if the exchange has been stopped. */
static bool begin_send(struct rpc_exchange *exchange)
{
    pthread_mutex_lock(&exchange->mutex);
    bool begun = !exchange->stopped;
    if (begun)
        nng_ctx_send(exchange->ctx, exchange->aio);
    pthread_mutex_unlock(&exchange->mutex);
    return begun;
}

static bool is_stopped(struct rpc_exchange *exchange)
{
    pthread_mutex_lock(&exchange->mutex);
    bool stopped = exchange->stopped;
    pthread_mutex_unlock(&exchange->mutex);
    return stopped;
}

/* ---- the end of an attempt ---- */

/* Begins the pause. Returns false if the exchange has been stopped. */
static bool begin_pause(struct rpc_exchange *exchange, nng_duration pause_ms)
{
    CHECK(exchange->kept != NULL && pause_ms > 0);
    rpc_channel_note_answer(exchange); /* now, because after the pause it would be no sign of life */
    exchange->state = RPC_EXCHANGE_PAUSING;
    pthread_mutex_lock(&exchange->mutex);
    bool begun = !exchange->stopped;
    if (begun)
        expiring_aio_sleep(exchange->aio, pause_ms);
    pthread_mutex_unlock(&exchange->mutex);
    return begun;
}

/* Ends the call. If `response` is NULL, the call's error has the reason. */
static void end(struct rpc_exchange *exchange, const ProtobufCMessage *response)
{
    outcome_record(exchange, outcome_judge(exchange));
    if (response == NULL)
        outcome_tell_doubt(exchange);
    finish(exchange, response);
}

/*
 * Ends an attempt: sends the call to another backend, begins the pause before a retry, or ends the call. If
 * `response` is NULL, the call's error has the reason.
 */
static void conclude(struct rpc_exchange *exchange, const ProtobufCMessage *response)
{
    outcome_note(exchange, response != NULL);
    if (response == NULL && hop(exchange))
        return;
    nng_duration pause_ms = response == NULL ? outcome_pause(exchange) : 0;
    if (pause_ms > 0) {
        outcome_record(exchange, BREAKER_NOTHING); /* only the last attempt's result counts */
        if (begin_pause(exchange, pause_ms))
            return;
    }
    end(exchange, response);
}

static void fail(struct rpc_exchange *exchange, enum rpc_fate fate, enum status status, const char *format)
{
    exchange->fate = fate;
    (void)error_set(&exchange->call->error, status, NULL, "%s %s", format, exchange->backend->address);
    conclude(exchange, NULL);
}

/* ---- sending and receiving ---- */

/*
 * Returns the remaining budget in ms, but at least 1, because nng requires a receive after a send, even if
 * the receive times out immediately.
 */
static nng_duration remaining(const struct rpc_exchange *exchange)
{
    int64_t left_ms = (exchange->deadline_ns - clock_monotonic_ns() + NS_PER_MS - 1) / NS_PER_MS;
    if (left_ms < 1)
        return 1;
    return left_ms > INT32_MAX ? INT32_MAX : (nng_duration)left_ms;
}

/*
 * Returns the time from which the call may go to another backend if this one is silent (it may be frozen):
 * when half of the remaining budget has passed, in which it has answered no other call either. A backend that
 * answers others is slow, and another one on the same database is as slow. 0 = never.
 */
static int64_t when_to_give_up(const struct rpc_exchange *exchange)
{
    if (!exchange->several || exchange->kept == NULL || !exchange->call->idempotent || exchange->gave_up)
        return 0;
    return exchange->sent_ns + (exchange->deadline_ns - exchange->sent_ns) / 2;
}

/* Starts to receive. Returns false if the exchange has been stopped. */
static bool begin_receive(struct rpc_exchange *exchange)
{
    int64_t give_up_ns = when_to_give_up(exchange);
    exchange->watched = give_up_ns != 0;
    pthread_mutex_lock(&exchange->mutex);
    bool begun = !exchange->stopped;
    if (begun) {
        exchange->give_up_ns = give_up_ns;
        nng_ctx_recv(exchange->ctx, exchange->receive.aio);
    }
    pthread_mutex_unlock(&exchange->mutex);
    return begun;
}

void rpc_exchange_look(struct rpc_exchange *exchange, int64_t now_ns)
{
    pthread_mutex_lock(&exchange->mutex);
    const int64_t give_up_ns = exchange->give_up_ns; /* not 0: sent_ns is set and does not change */
    if (!exchange->stopped && give_up_ns != 0 && now_ns >= give_up_ns &&
        rpc_channel_is_silent(exchange, now_ns - (give_up_ns - exchange->sent_ns)) &&
        rpc_channel_has_other(exchange)) {
        exchange->give_up_ns = 0;
        if (rpc_guard_take_retry(&exchange->channel->guard)) {
            exchange->cut = true;
            nng_aio_cancel(exchange->receive.aio);
        }
    }
    pthread_mutex_unlock(&exchange->mutex);
}

/* Ends the watch of rpc_exchange_look. Returns whether it has ended the wait for the reply. */
static bool end_watch(struct rpc_exchange *exchange)
{
    if (!exchange->watched)
        return false;
    exchange->watched = false;
    pthread_mutex_lock(&exchange->mutex);
    bool cut = exchange->cut;
    exchange->cut = false;
    exchange->give_up_ns = 0;
    pthread_mutex_unlock(&exchange->mutex);
    return cut;
}

static void on_sent(struct rpc_exchange *exchange)
{
    int rv = nng_aio_result(exchange->aio);
    if (rv != 0) {
        nng_msg_free(nng_aio_get_msg(exchange->aio));
        nng_aio_set_msg(exchange->aio, NULL);
        fail(exchange, RPC_FATE_UNSENT, STATUS_UNAVAILABLE,
             rv == NNG_ETIMEDOUT ? "not connected to" : "closed the channel to");
        return;
    }
    exchange->left = true;
    if (exchange->several)
        exchange->sent_ns = clock_monotonic_ns();
    FAULT_POINT("rpc.client.after_send");
    exchange->state = RPC_EXCHANGE_RECEIVING;
    nng_aio_set_timeout(exchange->receive.aio, remaining(exchange));
    if (!begin_receive(exchange))
        fail(exchange, RPC_FATE_NONE, STATUS_UNAVAILABLE, "closed the channel to");
}

/* Returns the status that the server sent, or INTERNAL for an unknown code. */
static enum status status_of(uint32_t code)
{
    return code >= STATUS_COUNT || code == STATUS_UNKNOWN ? STATUS_INTERNAL : (enum status)code;
}

/* Unpacks the reply. On failure, returns NULL and sets the call's error. */
static ProtobufCMessage *decode(struct rpc_exchange *exchange, nng_msg *msg)
{
    struct error *error = &exchange->call->error;
    const char *address = exchange->backend->address;
    Rpc__V1__Response *envelope = (Rpc__V1__Response *)wire_unpack_answer(
        &rpc__v1__response__descriptor, nng_msg_body(msg), nng_msg_len(msg), &exchange->arena, NULL);
    if (envelope == NULL) {
        (void)error_set(error, STATUS_INTERNAL, NULL, "the answer of %s is no rpc.v1.Response", address);
        return NULL;
    }
    if (envelope->code != STATUS_OK) {
        (void)error_set(error, status_of(envelope->code), envelope->reason, "%s", envelope->message);
        error->retry_after_ms = envelope->retry_after_ms;
        outcome_note_refusal(exchange, nng_pipe_id(nng_msg_get_pipe(msg)));
        return NULL;
    }
    struct error problem;
    ProtobufCMessage *response = wire_unpack_answer(exchange->output, envelope->payload.data,
                                                    envelope->payload.len, exchange->into, &problem);
    if (response == NULL) {
        (void)error_set(error, STATUS_INTERNAL, NULL, "the answer of %s is wrong: %s", address,
                        problem.message);
    }
    return response;
}

static void on_received(struct rpc_exchange *exchange)
{
    bool cut = end_watch(exchange);
    int rv = nng_aio_result(exchange->receive.aio);
    if (rv != NNG_ETIMEDOUT)
        expiring_aio_note(&exchange->receive, exchange->deadline_ns);
    if (rv == 0) {
        nng_msg *msg = nng_aio_get_msg(exchange->receive.aio);
        nng_aio_set_msg(exchange->receive.aio, NULL);
        exchange->fate = RPC_FATE_ANSWERED;
        ProtobufCMessage *response = decode(exchange, msg);
        nng_msg_free(msg);
        conclude(exchange, response);
    } else if (rv == NNG_ETIMEDOUT) {
        fail(exchange, RPC_FATE_SILENT, STATUS_DEADLINE_EXCEEDED, "no answer in time from");
    } else if (rv == NNG_ECANCELED && cut) {
        exchange->gave_up = true;
        fail(exchange, RPC_FATE_GIVEN_UP, STATUS_UNAVAILABLE, "no answer yet from");
    } else {
        fail(exchange, RPC_FATE_LOST, STATUS_UNAVAILABLE, "lost the connection to");
    }
}

/*
 * Returns whether a request may be sent to the server now. If not, because the server is draining, sets the
 * call's error.
 */
static bool may_be_asked(struct rpc_exchange *exchange)
{
    struct error *error = &exchange->call->error;
    if (exchange->pause_ms > 0) {
        (void)error_set(error, STATUS_UNAVAILABLE, SCREENING_REASON_DRAINING, "%s is shutting down",
                        exchange->backend->address);
        error->retry_after_ms = exchange->pause_ms;
    }
    return exchange->pause_ms == 0;
}

/* Returns whether the breaker admits the attempt. If not, sets the call's error. */
static bool admit(struct rpc_exchange *exchange, bool first)
{
    struct rpc_channel *channel = exchange->channel;
    struct error *error = &exchange->call->error;
    if (exchange->call->unguarded)
        return true;
    exchange->admitted = rpc_guard_admit(&channel->guard, 1, first, &exchange->era) == 1;
    if (!exchange->admitted) {
        (void)error_set(error, STATUS_UNAVAILABLE, "BREAKER_OPEN", "%s has failed too often",
                        channel->address);
        error->retry_after_ms = rpc_guard_wait_ms(&channel->guard);
    }
    return exchange->admitted;
}

/* Sends `msg` to the backend. Takes ownership of `msg`. */
static void send_to_backend(struct rpc_exchange *exchange, nng_msg *msg)
{
    FAULT_POINT("rpc.client.before_send");
    nng_duration budget_ms = remaining(exchange);
    bool has_other = exchange->several && exchange->kept != NULL && rpc_channel_has_other(exchange);
    nng_duration most_ms = has_other ? SEND_TIMEOUT_SHORT_MS : SEND_TIMEOUT_MAX_MS;
    exchange->left = false;
    exchange->fate = RPC_FATE_NONE;
    exchange->state = RPC_EXCHANGE_SENDING;
    nng_aio_set_msg(exchange->aio, msg);
    nng_aio_set_timeout(exchange->aio, budget_ms < most_ms ? budget_ms : most_ms);
    if (!begin_send(exchange)) {
        nng_aio_set_msg(exchange->aio, NULL);
        nng_msg_free(msg);
        fail(exchange, RPC_FATE_NONE, STATUS_UNAVAILABLE, "closed the channel to");
    }
}

/* Sends `msg`, unless the server is draining or the breaker refuses the attempt. Takes ownership of `msg`. */
static void attempt(struct rpc_exchange *exchange, nng_msg *msg, bool first)
{
    CHECK(!exchange->admitted); /* the result of the previous attempt must have been recorded */
    exchange->left = false;
    exchange->fate = RPC_FATE_NONE;
    exchange->tried = 0;
    exchange->begun_ns = clock_monotonic_ns();
    if (!may_be_asked(exchange)) {
        nng_msg_free(msg);
        conclude(exchange, NULL);
        return;
    }
    if (!admit(exchange, first)) {
        nng_msg_free(msg);
        /* Do not retry, because the caller must be told immediately that the breaker is open. */
        finish(exchange, NULL);
        return;
    }
    send_to_backend(exchange, msg);
}

/* Returns a copy of the kept message with the remaining budget, or NULL when out of memory. */
static nng_msg *copy_kept(struct rpc_exchange *exchange)
{
    nng_msg *msg;
    if (nng_msg_dup(&msg, exchange->kept) != 0)
        return NULL;
    arena_reset(&exchange->arena);
    rpc_envelope_shorten(msg, exchange->timeout_ms, (uint32_t)remaining(exchange));
    error_clear(&exchange->call->error);
    return msg;
}

/* Returns to which kinds of backends a failed call may go at once. */
static unsigned kinds_after(enum rpc_fate fate)
{
    switch (fate) {
    case RPC_FATE_ANSWERED: /* the answer says when to ask again; an ejected backend may say nothing at all */
        return BALANCE_ONLY_USABLE;
    case RPC_FATE_UNSENT:
        return BALANCE_ALSO_EJECTED;
    case RPC_FATE_LOST:     /* a backend that refuses says when to ask again, unlike a lost connection */
    case RPC_FATE_GIVEN_UP: /* another one was usable; it may have been ejected since */
    case RPC_FATE_SILENT:
    case RPC_FATE_NONE:
        break;
    }
    return BALANCE_CONNECTED;
}

/*
 * Sends the failed call to another backend at once, if that is safe and there is one. Returns whether the
 * call goes on. The breaker's admission is not asked again.
 */
static bool hop(struct rpc_exchange *exchange)
{
    if (!outcome_may_hop(exchange) || is_stopped(exchange))
        return false;
    if (exchange->fate == RPC_FATE_GIVEN_UP)
        exchange->tried = 0; /* one that refused before may serve by now; a call gives up only once */
    exchange->tried |= UINT64_C(1) << exchange->backend->slot;
    if (!rpc_channel_move(exchange, kinds_after(exchange->fate)))
        return false;
    exchange->hopped |= exchange->fate == RPC_FATE_LOST;
    if (exchange->channel->guard.metrics != NULL)
        metric_add(&exchange->channel->guard.metrics->failovers, 1);
    nng_msg *msg = copy_kept(exchange);
    if (msg == NULL)
        return false;
    send_to_backend(exchange, msg);
    return true;
}

static void on_paused(struct rpc_exchange *exchange)
{
    nng_msg *msg = NULL;
    exchange->tried = 0;
    if (nng_aio_result(exchange->aio) != NNG_ETIMEDOUT || !rpc_channel_move(exchange, BALANCE_ANY) ||
        (msg = copy_kept(exchange)) == NULL) {
        end(exchange, NULL); /* with the error of the previous attempt */
        return;
    }
    attempt(exchange, msg, false);
}

static void on_event(void *context)
{
    struct rpc_exchange *exchange = context;
    switch (exchange->state) {
    case RPC_EXCHANGE_SENDING:
        on_sent(exchange);
        break;
    case RPC_EXCHANGE_RECEIVING:
        on_received(exchange);
        break;
    case RPC_EXCHANGE_PAUSING:
        on_paused(exchange);
        break;
    case RPC_EXCHANGE_IDLE:
        break;
    }
}

struct rpc_exchange *rpc_exchange_create(struct rpc_backend *backend)
{
    struct rpc_exchange *exchange = calloc(1, sizeof *exchange);
    if (exchange == NULL)
        return NULL;
    exchange->channel = backend->channel;
    exchange->backend = backend;
    if (nng_aio_alloc(&exchange->aio, on_event, exchange) != 0)
        goto free_exchange;
    if (expiring_aio_alloc(&exchange->receive, on_event, exchange) != 0)
        goto free_aio;
    if (nng_ctx_open(&exchange->ctx, backend->socket) != 0)
        goto free_receive_aio;
    pthread_mutex_init(&exchange->mutex, NULL);
    arena_init(&exchange->arena);
    return exchange;

free_receive_aio:
    nng_aio_free(exchange->receive.aio);
free_aio:
    nng_aio_free(exchange->aio);
free_exchange:
    free(exchange);
    return NULL;
}

void rpc_exchange_destroy(struct rpc_exchange *exchange)
{
    CHECK(exchange->state == RPC_EXCHANGE_IDLE && exchange->kept == NULL);
    nng_aio_free(exchange->aio);
    nng_aio_free(exchange->receive.aio);
    (void)nng_ctx_close(exchange->ctx);
    pthread_mutex_destroy(&exchange->mutex);
    arena_fini(&exchange->arena);
    free(exchange);
}

bool rpc_exchange_connect(struct rpc_exchange *exchange, nng_socket socket)
{
    nng_ctx ctx;
    if (nng_ctx_open(&ctx, socket) != 0)
        return false;
    (void)nng_ctx_close(exchange->ctx);
    exchange->ctx = ctx;
    return true;
}

void rpc_exchange_start(struct rpc_exchange *exchange, nng_msg *msg)
{
    CHECK(exchange->state == RPC_EXCHANGE_IDLE && exchange->kept == NULL);
    exchange->admitted = exchange->left = exchange->doubtful = exchange->gave_up = exchange->hopped = false;
    exchange->fate = RPC_FATE_NONE;
    if (!expiring_aio_renew(&exchange->receive, &exchange->mutex, &exchange->stopped)) {
        nng_msg_free(msg);
        (void)error_no_memory(&exchange->call->error);
        finish(exchange, NULL);
        return;
    }
    exchange->backoff = (struct backoff){.first_ms = PAUSE_FIRST_MS, .max_ms = PAUSE_MAX_MS};
    exchange->retries = !exchange->call->unguarded && exchange->channel->guard.has_retries;
    if (exchange->retries || exchange->several)
        (void)nng_msg_dup(&exchange->kept, msg); /* if this fails, the call is not sent again */
    attempt(exchange, msg, true);
}

void rpc_exchange_stop(struct rpc_exchange *exchange)
{
    pthread_mutex_lock(&exchange->mutex);
    exchange->stopped = true; /* from here on, receive.aio is not replaced */
    pthread_mutex_unlock(&exchange->mutex);
    nng_aio_stop(exchange->aio);
    nng_aio_stop(exchange->receive.aio);
}
