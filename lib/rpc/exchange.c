#include "rpc/exchange.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/fault_point.h"
#include "rpc/channel_state.h"
#include "rpc/envelope.h"
#include "rpc/wire.h"

#include "rpc/v1/envelope.pb-c.h"
#include "screening/v1/words.h"

/*
 * The longest wait for a connection. Without a connection, a call must fail soon, however large its budget.
 */
enum { SEND_TIMEOUT_MAX_MS = 100 };

/* The bounds of the pause before a retry; the server may ask for a longer pause. */
enum { PAUSE_FIRST_MS = 20, PAUSE_MAX_MS = 500 };

static void on_event(void *context);

/* Ends the call. If `response` is NULL, the call's error has the reason. */
static void finish(struct rpc_exchange *exchange, const ProtobufCMessage *response)
{
    exchange->state = RPC_EXCHANGE_IDLE;
    nng_msg_free(exchange->kept);
    exchange->kept = NULL;
    exchange->closure(response, exchange->call);
    arena_reset(&exchange->arena);
    rpc_channel_release(exchange->channel, exchange);
}

/* Starts `operation` on `aio`. Returns false if the exchange has been stopped. */
static bool begin(struct rpc_exchange *exchange, void (*operation)(nng_ctx, nng_aio *), nng_aio *aio)
{
    pthread_mutex_lock(&exchange->mutex);
    bool begun = !exchange->stopped;
    if (begun)
        operation(exchange->ctx, aio);
    pthread_mutex_unlock(&exchange->mutex);
    return begun;
}

/* ---- the outcome of an attempt ---- */

static enum breaker_outcome judge(const struct rpc_exchange *exchange)
{
    const struct error *error = &exchange->call->error;
    int64_t now_ns = clock_monotonic_ns();
    /*
     * A message that was never sent has been waiting since the call began. If the message was sent, the
     * server had the budget that remained when the attempt began.
     */
    int64_t began_ns = exchange->deadline_ns - (int64_t)exchange->timeout_ms * NS_PER_MS;
    int64_t had_ns = exchange->left ? exchange->deadline_ns - exchange->begun_ns : now_ns - began_ns;
    return breaker_judge(error->status, error->reason, exchange->left, had_ns / NS_PER_MS,
                         exchange->channel->guard.breaker.options.fair_ms);
}

/* Reports the outcome to the breaker if the breaker admitted the attempt. */
static void record(struct rpc_exchange *exchange, enum breaker_outcome outcome)
{
    if (!exchange->admitted)
        return;
    exchange->admitted = false;
    const struct breaker_count count = {
        .successes = outcome == BREAKER_SUCCESS,
        .failures = outcome == BREAKER_FAILURE,
        .nothing = outcome == BREAKER_NOTHING,
    };
    rpc_guard_record(&exchange->channel->guard, exchange->era, &count);
}

/*
 * Returns the pause in ms before the failed call is retried, or 0 if it is not retried. Takes the retry from
 * the retry budget.
 */
static nng_duration next_pause(struct rpc_exchange *exchange)
{
    const struct rpc_client_call *call = exchange->call;
    if (exchange->kept == NULL || !retry_may_help(&call->error, exchange->left, call->idempotent))
        return 0;
    int64_t pause_ms = backoff_next_ns(&exchange->backoff) / NS_PER_MS + 1;
    if (pause_ms < call->error.retry_after_ms)
        pause_ms = call->error.retry_after_ms;
    if (pause_ms >= clock_remaining_ms(exchange->deadline_ns))
        return 0;
    return rpc_guard_take_retry(&exchange->channel->guard) ? (nng_duration)pause_ms : 0;
}

/* Begins the pause. Returns false if the exchange has been stopped. */
static bool begin_pause(struct rpc_exchange *exchange, nng_duration pause_ms)
{
    CHECK(exchange->kept != NULL && pause_ms > 0);
    exchange->state = RPC_EXCHANGE_PAUSING;
    pthread_mutex_lock(&exchange->mutex);
    bool begun = !exchange->stopped;
    if (begun)
        expiring_aio_sleep(exchange->aio, pause_ms);
    pthread_mutex_unlock(&exchange->mutex);
    return begun;
}

/*
 * Ends an attempt: begins the pause before a retry, or ends the call. If `response` is NULL, the call's error
 * has the reason.
 */
static void conclude(struct rpc_exchange *exchange, const ProtobufCMessage *response)
{
    nng_duration pause_ms = response == NULL ? next_pause(exchange) : 0;
    if (pause_ms > 0) {
        record(exchange, BREAKER_NOTHING); /* only the last attempt's result counts */
        if (begin_pause(exchange, pause_ms))
            return;
    }
    record(exchange, judge(exchange));
    finish(exchange, response);
}

static void fail(struct rpc_exchange *exchange, enum status status, const char *format)
{
    (void)error_set(&exchange->call->error, status, NULL, "%s %s", format, exchange->channel->address);
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

static void on_sent(struct rpc_exchange *exchange)
{
    int rv = nng_aio_result(exchange->aio);
    if (rv != 0) {
        nng_msg_free(nng_aio_get_msg(exchange->aio));
        nng_aio_set_msg(exchange->aio, NULL);
        fail(exchange, STATUS_UNAVAILABLE,
             rv == NNG_ETIMEDOUT ? "not connected to" : "closed the channel to");
        return;
    }
    exchange->left = exchange->call->left = true;
    FAULT_POINT("rpc.client.after_send");
    exchange->state = RPC_EXCHANGE_RECEIVING;
    nng_aio_set_timeout(exchange->receive.aio, remaining(exchange));
    if (!begin(exchange, nng_ctx_recv, exchange->receive.aio))
        fail(exchange, STATUS_UNAVAILABLE, "closed the channel to");
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
    const char *address = exchange->channel->address;
    Rpc__V1__Response *envelope = (Rpc__V1__Response *)wire_unpack_answer(
        &rpc__v1__response__descriptor, nng_msg_body(msg), nng_msg_len(msg), &exchange->arena, NULL);
    if (envelope == NULL) {
        (void)error_set(error, STATUS_INTERNAL, NULL, "the answer of %s is no rpc.v1.Response", address);
        return NULL;
    }
    if (envelope->code != STATUS_OK) {
        (void)error_set(error, status_of(envelope->code), envelope->reason, "%s", envelope->message);
        error->retry_after_ms = envelope->retry_after_ms;
        if (strcmp(error->reason, SCREENING_REASON_DRAINING) == 0) {
            rpc_guard_record_draining(&exchange->channel->guard, error->retry_after_ms,
                                      nng_pipe_id(nng_msg_get_pipe(msg)));
        }
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
    switch (nng_aio_result(exchange->receive.aio)) {
    case 0: {
        nng_msg *msg = nng_aio_get_msg(exchange->receive.aio);
        nng_aio_set_msg(exchange->receive.aio, NULL);
        expiring_aio_note(&exchange->receive, exchange->deadline_ns);
        ProtobufCMessage *response = decode(exchange, msg);
        nng_msg_free(msg);
        conclude(exchange, response);
        return;
    }
    case NNG_ETIMEDOUT:
        fail(exchange, STATUS_DEADLINE_EXCEEDED, "no answer in time from");
        return;
    default:
        fail(exchange, STATUS_UNAVAILABLE, "lost the connection to");
        return;
    }
}

/*
 * Returns whether a request may be sent to the server now. If not, because the server is draining, sets the
 * call's error.
 */
static bool may_be_asked(struct rpc_exchange *exchange)
{
    struct rpc_channel *channel = exchange->channel;
    struct error *error = &exchange->call->error;
    uint32_t wait_ms = rpc_guard_pause_ms(&channel->guard, atomic_load(&channel->pipe_id));
    if (wait_ms > 0) {
        (void)error_set(error, STATUS_UNAVAILABLE, SCREENING_REASON_DRAINING, "%s is shutting down",
                        channel->address);
        error->retry_after_ms = wait_ms;
    }
    return wait_ms == 0;
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

/* Sends `msg`, unless the server is draining or the breaker refuses the attempt. Takes ownership of `msg`. */
static void attempt(struct rpc_exchange *exchange, nng_msg *msg, bool first)
{
    CHECK(!exchange->admitted); /* the result of the previous attempt must have been recorded */
    exchange->left = false;
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
    FAULT_POINT("rpc.client.before_send");
    nng_duration budget_ms = remaining(exchange);
    exchange->state = RPC_EXCHANGE_SENDING;
    nng_aio_set_msg(exchange->aio, msg);
    nng_aio_set_timeout(exchange->aio, budget_ms < SEND_TIMEOUT_MAX_MS ? budget_ms : SEND_TIMEOUT_MAX_MS);
    if (!begin(exchange, nng_ctx_send, exchange->aio)) {
        nng_aio_set_msg(exchange->aio, NULL);
        nng_msg_free(msg);
        fail(exchange, STATUS_UNAVAILABLE, "closed the channel to");
    }
}

static void on_paused(struct rpc_exchange *exchange)
{
    nng_msg *msg;
    if (nng_aio_result(exchange->aio) != NNG_ETIMEDOUT || nng_msg_dup(&msg, exchange->kept) != 0) {
        finish(exchange, NULL); /* with the error of the previous attempt */
        return;
    }
    arena_reset(&exchange->arena);
    rpc_envelope_shorten(msg, exchange->timeout_ms, (uint32_t)remaining(exchange));
    error_clear(&exchange->call->error);
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

struct rpc_exchange *rpc_exchange_create(struct rpc_channel *channel)
{
    struct rpc_exchange *exchange = calloc(1, sizeof *exchange);
    if (exchange == NULL)
        return NULL;
    exchange->channel = channel;
    if (nng_aio_alloc(&exchange->aio, on_event, exchange) != 0)
        goto free_exchange;
    if (expiring_aio_alloc(&exchange->receive, on_event, exchange) != 0)
        goto free_aio;
    if (nng_ctx_open(&exchange->ctx, channel->socket) != 0)
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

void rpc_exchange_start(struct rpc_exchange *exchange, nng_msg *msg)
{
    CHECK(exchange->state == RPC_EXCHANGE_IDLE && exchange->kept == NULL);
    exchange->admitted = false;
    if (!expiring_aio_renew(&exchange->receive, &exchange->mutex, &exchange->stopped)) {
        nng_msg_free(msg);
        (void)error_no_memory(&exchange->call->error);
        finish(exchange, NULL);
        return;
    }
    exchange->backoff = (struct backoff){.first_ms = PAUSE_FIRST_MS, .max_ms = PAUSE_MAX_MS};
    if (!exchange->call->unguarded && exchange->channel->guard.has_retries)
        (void)nng_msg_dup(&exchange->kept, msg); /* if this fails, the call is not retried */
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
