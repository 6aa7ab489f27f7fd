#include "rpc/exchange.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/fault_point.h"
#include "rpc/channel_state.h"

#include "rpc/v1/envelope.pb-c.h"

/* A caller wants to know soon that there is no connection, however long its budget. */
enum { SEND_TIMEOUT_MAX_MS = 100 };

static void on_event(void *context);

/* NULL: the call's error says why. */
static void finish(struct rpc_exchange *exchange, const ProtobufCMessage *response)
{
    exchange->state = RPC_EXCHANGE_IDLE;
    exchange->closure(response, exchange->call);
    arena_reset(&exchange->arena);
    rpc_channel_release(exchange->channel, exchange);
}

static void fail(struct rpc_exchange *exchange, enum status status, const char *format)
{
    (void)error_set(&exchange->call->error, status, NULL, "%s %s", format, exchange->channel->address);
    finish(exchange, NULL);
}

/* Begins `operation`, unless the exchange was stopped. */
static bool begin(struct rpc_exchange *exchange, void (*operation)(nng_ctx, nng_aio *))
{
    pthread_mutex_lock(&exchange->mutex);
    bool begun = !exchange->stopped;
    if (begun) {
        operation(exchange->ctx, exchange->aio);
    }
    pthread_mutex_unlock(&exchange->mutex);
    return begun;
}

/* What is left of the budget, rounded up: a context that has sent must receive, be it for a moment. */
static nng_duration remaining(const struct rpc_exchange *exchange)
{
    int64_t left_ms = (exchange->deadline_ns - clock_monotonic_ns() + NS_PER_MS - 1) / NS_PER_MS;
    if (left_ms < 1) {
        return 1;
    }
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
    exchange->call->left = true;
    FAULT_POINT("rpc.client.after_send");
    exchange->state = RPC_EXCHANGE_RECEIVING;
    nng_aio_set_timeout(exchange->aio, remaining(exchange));
    if (!begin(exchange, nng_ctx_recv)) {
        fail(exchange, STATUS_UNAVAILABLE, "closed the channel to");
    }
}

/* The status that a server sent; codes that are none of ours are its fault. */
static enum status status_of(uint32_t code)
{
    return code >= STATUS_COUNT || code == STATUS_UNKNOWN ? STATUS_INTERNAL : (enum status)code;
}

/* Unpacks the answer. NULL: the call's error says why. */
static ProtobufCMessage *decode(struct rpc_exchange *exchange, nng_msg *msg)
{
    struct error *error = &exchange->call->error;
    const char *address = exchange->channel->address;
    Rpc__V1__Response *envelope =
        rpc__v1__response__unpack(arena_allocator(&exchange->arena), nng_msg_len(msg), nng_msg_body(msg));
    if (envelope == NULL) {
        (void)error_set(error, STATUS_INTERNAL, NULL, "the answer of %s is no rpc.v1.Response", address);
        return NULL;
    }
    if (envelope->code != STATUS_OK) {
        (void)error_set(error, status_of(envelope->code), envelope->reason, "%s", envelope->message);
        error->retry_after_ms = envelope->retry_after_ms;
        return NULL;
    }
    ProtobufCMessage *response = protobuf_c_message_unpack(exchange->output, arena_allocator(exchange->into),
                                                           envelope->payload.len, envelope->payload.data);
    if (response == NULL) {
        (void)error_set(error, STATUS_INTERNAL, NULL, "the answer of %s is no %s", address,
                        exchange->output->name);
    }
    return response;
}

static void on_received(struct rpc_exchange *exchange)
{
    switch (nng_aio_result(exchange->aio)) {
    case 0: {
        nng_msg *msg = nng_aio_get_msg(exchange->aio);
        nng_aio_set_msg(exchange->aio, NULL);
        ProtobufCMessage *response = decode(exchange, msg);
        nng_msg_free(msg);
        finish(exchange, response);
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

static void on_event(void *context)
{
    struct rpc_exchange *exchange = context;
    if (exchange->state == RPC_EXCHANGE_SENDING) {
        on_sent(exchange);
    } else {
        on_received(exchange);
    }
}

struct rpc_exchange *rpc_exchange_create(struct rpc_channel *channel)
{
    struct rpc_exchange *exchange = calloc(1, sizeof *exchange);
    if (exchange == NULL) {
        return NULL;
    }
    exchange->channel = channel;
    if (nng_aio_alloc(&exchange->aio, on_event, exchange) != 0) {
        goto free_exchange;
    }
    if (nng_ctx_open(&exchange->ctx, channel->socket) != 0) {
        goto free_aio;
    }
    pthread_mutex_init(&exchange->mutex, NULL);
    arena_init(&exchange->arena);
    return exchange;

free_aio:
    nng_aio_free(exchange->aio);
free_exchange:
    free(exchange);
    return NULL;
}

void rpc_exchange_destroy(struct rpc_exchange *exchange)
{
    nng_aio_free(exchange->aio);
    (void)nng_ctx_close(exchange->ctx);
    pthread_mutex_destroy(&exchange->mutex);
    arena_fini(&exchange->arena);
    free(exchange);
}

void rpc_exchange_start(struct rpc_exchange *exchange, nng_msg *msg)
{
    FAULT_POINT("rpc.client.before_send");
    nng_duration budget_ms = remaining(exchange);
    exchange->state = RPC_EXCHANGE_SENDING;
    nng_aio_set_msg(exchange->aio, msg);
    nng_aio_set_timeout(exchange->aio, budget_ms < SEND_TIMEOUT_MAX_MS ? budget_ms : SEND_TIMEOUT_MAX_MS);
    if (!begin(exchange, nng_ctx_send)) {
        nng_aio_set_msg(exchange->aio, NULL);
        nng_msg_free(msg);
        fail(exchange, STATUS_UNAVAILABLE, "closed the channel to");
    }
}

void rpc_exchange_stop(struct rpc_exchange *exchange)
{
    pthread_mutex_lock(&exchange->mutex);
    exchange->stopped = true;
    pthread_mutex_unlock(&exchange->mutex);
    nng_aio_stop(exchange->aio);
}
