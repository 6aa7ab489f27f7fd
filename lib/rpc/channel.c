#include "rpc/channel.h"

#include <errno.h>
#include <nng/nng.h>
#include <nng/protocol/reqrep0/req.h>
#include <nng/supplemental/util/platform.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "nng/stuck_reaper.h"
#include "rpc/channel_state.h"
#include "rpc/envelope.h"

enum { RECONNECT_MIN_MS = 20, RECONNECT_MAX_MS = 500, CLOSE_SETTLE_MS = 20 };

static void on_pipe(nng_pipe pipe, nng_pipe_ev event, void *context)
{
    struct rpc_channel *channel = context;
    int id = nng_pipe_id(pipe);
    if (event == NNG_PIPE_EV_ADD_POST) {
        atomic_store(&channel->pipe_id, id);
    } else {
        /* Reset only the current id, because nng also reports the removal of a refused connection. */
        (void)atomic_compare_exchange_strong(&channel->pipe_id, &id, 0);
    }
}

/* Sets the options of the socket. Returns nng's error code, or 0. */
static int set_options(struct rpc_channel *channel)
{
    int rv = nng_socket_set_size(channel->socket, NNG_OPT_RECVMAXSZ,
                                 channel->message_max_bytes + RPC_NNG_HEADER_BYTES);
    if (rv == 0) {
        /*
         * Without this, nng itself would resend a request after it has lost the connection, and the server
         * could execute the request twice.
         */
        rv = nng_socket_set_ms(channel->socket, NNG_OPT_REQ_RESENDTIME, NNG_DURATION_INFINITE);
    }
    if (rv == 0)
        rv = nng_socket_set_ms(channel->socket, NNG_OPT_RECONNMINT, RECONNECT_MIN_MS);
    if (rv == 0)
        rv = nng_socket_set_ms(channel->socket, NNG_OPT_RECONNMAXT, RECONNECT_MAX_MS);
    if (rv == 0)
        rv = nng_pipe_notify(channel->socket, NNG_PIPE_EV_ADD_POST, on_pipe, channel);
    if (rv == 0)
        rv = nng_pipe_notify(channel->socket, NNG_PIPE_EV_REM_POST, on_pipe, channel);
    return rv;
}

static enum status dial(struct rpc_channel *channel, bool connect_now, struct error *error)
{
    int rv = redial_start(&channel->redial, channel->socket, channel->address, &channel->tls,
                          connect_now ? 0 : NNG_FLAG_NONBLOCK);
    switch (rv) {
    case 0:
        return STATUS_OK;
    case NNG_EADDRINVAL:
    case NNG_ENOTSUP:
    case NNG_EINVAL:
        return error_invalid(error, "address: %s: %s", channel->address, nng_strerror(rv));
    default:
        return error_set(error, STATUS_UNAVAILABLE, NULL, "not connected to %s: %s", channel->address,
                         nng_strerror(rv));
    }
}

/* Checks what TLS needs. nng would not say which file is wrong. */
static enum status check_tls(const struct rpc_channel_options *options, struct error *error)
{
    if (!tls_is_address(options->address))
        return STATUS_OK;
    if (options->tls_ca == NULL || options->tls_name == NULL)
        return error_invalid(error, "address: %s: needs the certificates of the trusted authorities",
                             options->address);
    if (access(options->tls_ca, R_OK) != 0)
        return error_invalid(error, "%s: %s", options->tls_ca, strerror(errno));
    return STATUS_OK;
}

enum status rpc_channel_open(const struct rpc_channel_options *options, struct rpc_channel **out,
                             struct error *error)
{
    TRY(check_tls(options, error));
    struct rpc_channel *channel = calloc(1, sizeof *channel);
    char *address = strdup(options->address);
    char *tls_ca = options->tls_ca != NULL ? strdup(options->tls_ca) : NULL;
    if (channel == NULL || address == NULL || (tls_ca == NULL && options->tls_ca != NULL)) {
        free(tls_ca);
        free(address);
        free(channel);
        return error_set(error, STATUS_RESOURCE_EXHAUSTED, NULL, "rpc channel: out of memory");
    }
    channel->address = address;
    channel->tls_ca = tls_ca;
    channel->tls = (struct tls_dialing){.ca = tls_ca, .fallback = options->tls_name};
    channel->message_max_bytes =
        options->message_max_bytes != 0 ? options->message_max_bytes : RPC_MESSAGE_MAX_DEFAULT;
    channel->calls_max = options->calls_max;
    channel->authorize = options->authorize;
    channel->authorize_context = options->authorize_context;
    enum status status = rpc_guard_init(&channel->guard, options->peer, &options->breaker, &options->retry);
    if (status != STATUS_OK) {
        (void)error_set(error, status, NULL, "rpc channel: out of memory");
        goto free_memory;
    }
    pthread_mutex_init(&channel->mutex, NULL);
    int rv = nng_req0_open(&channel->socket);
    if (rv != 0) {
        status = error_set(error, STATUS_RESOURCE_EXHAUSTED, NULL, "rpc channel: %s", nng_strerror(rv));
        goto free_channel;
    }
    rv = set_options(channel);
    if (rv != 0) {
        status = error_set(error, STATUS_INTERNAL, NULL, "rpc channel: %s", nng_strerror(rv));
        goto close_socket;
    }
    status = dial(channel, options->connect_now, error);
    if (status != STATUS_OK)
        goto close_socket;
    *out = channel;
    return STATUS_OK;

close_socket:
    (void)nng_close(channel->socket);
free_channel:
    pthread_mutex_destroy(&channel->mutex);
    rpc_guard_fini(&channel->guard);
free_memory:
    free(channel->tls_ca);
    free(channel->address);
    free(channel);
    return status;
}

void rpc_channel_stop(struct rpc_channel *channel)
{
    pthread_mutex_lock(&channel->mutex);
    if (!channel->closing)
        channel->answers_may_come = channel->busy > 0;
    channel->closing = true; /* no exchange is added to `all` from here on */
    pthread_mutex_unlock(&channel->mutex);
    for (struct rpc_exchange *exchange = channel->all; exchange != NULL; exchange = exchange->next_of_all)
        rpc_exchange_stop(exchange);
}

void rpc_channel_close(struct rpc_channel *channel)
{
    if (channel == NULL)
        return;
    rpc_channel_stop(channel);
    while (channel->all != NULL) {
        struct rpc_exchange *exchange = channel->all;
        channel->all = exchange->next_of_all;
        rpc_exchange_destroy(exchange);
    }
    /* Do not close a connection while a message is arriving (stuck_reaper.h). */
    if (channel->answers_may_come)
        nng_msleep(CLOSE_SETTLE_MS);
    if (!socket_close(channel->socket))
        return; /* nng's callbacks may still use the channel */
    pthread_mutex_destroy(&channel->mutex);
    rpc_guard_fini(&channel->guard);
    free(channel->tls_ca);
    free(channel->address);
    free(channel);
}

bool rpc_channel_connected(struct rpc_channel *channel)
{
    return atomic_load(&channel->pipe_id) != 0;
}

void rpc_channel_look_after(struct rpc_channel *channel)
{
    redial_look(&channel->redial, rpc_channel_connected(channel));
}

struct rpc_guard *rpc_channel_guard(struct rpc_channel *channel)
{
    return &channel->guard;
}

const char *rpc_channel_address(const struct rpc_channel *channel)
{
    return channel->address;
}

/*
 * Returns UNAVAILABLE if the channel is closing, and RESOURCE_EXHAUSTED if calls_max calls are in flight.
 * Lock held.
 */
static enum status check_room(const struct rpc_channel *channel, struct error *error)
{
    if (channel->closing)
        return error_set(error, STATUS_UNAVAILABLE, NULL, "closed the channel to %s", channel->address);
    if (channel->calls_max != 0 && channel->busy >= channel->calls_max) {
        if (channel->guard.metrics != NULL)
            metric_add(&channel->guard.metrics->refused_by_bulkhead, 1);
        return error_set(error, STATUS_RESOURCE_EXHAUSTED, "CALLS_MAX", "%zu calls to %s are in flight",
                         channel->busy, channel->address);
    }
    return STATUS_OK;
}

/* Changes the number of busy exchanges. Lock held. */
static void change_busy(struct rpc_channel *channel, int delta)
{
    CHECK(delta > 0 || channel->busy > 0);
    channel->busy += (size_t)delta;
    if (channel->guard.metrics != NULL)
        metric_add(&channel->guard.metrics->in_flight, delta);
}

/*
 * Creates an exchange and adds it to `all`. The caller has already counted it in `busy`. On failure,
 * decrements `busy`, sets `error` and returns NULL.
 */
static struct rpc_exchange *add_exchange(struct rpc_channel *channel, struct error *error)
{
    struct rpc_exchange *exchange = rpc_exchange_create(channel);
    pthread_mutex_lock(&channel->mutex);
    bool closing = channel->closing;
    if (exchange != NULL && !closing) {
        exchange->next_of_all = channel->all;
        channel->all = exchange;
    } else {
        change_busy(channel, -1);
    }
    pthread_mutex_unlock(&channel->mutex);
    if (exchange == NULL) {
        /* Clients see this message. */
        error_set(error, STATUS_RESOURCE_EXHAUSTED, NULL, "no memory for a call");
        return NULL;
    }
    if (closing) {
        rpc_exchange_destroy(exchange);
        error_set(error, STATUS_UNAVAILABLE, NULL, "closed the channel to %s", channel->address);
        return NULL;
    }
    return exchange;
}

struct rpc_exchange *rpc_channel_acquire(struct rpc_channel *channel, struct error *error)
{
    pthread_mutex_lock(&channel->mutex);
    enum status status = check_room(channel, error);
    struct rpc_exchange *exchange = status == STATUS_OK ? channel->idle : NULL;
    if (exchange != NULL)
        channel->idle = exchange->next_idle;
    if (status == STATUS_OK)
        change_busy(channel, 1);
    pthread_mutex_unlock(&channel->mutex);
    return exchange != NULL || status != STATUS_OK ? exchange : add_exchange(channel, error);
}

void rpc_channel_release(struct rpc_channel *channel, struct rpc_exchange *exchange)
{
    pthread_mutex_lock(&channel->mutex);
    CHECK(channel->idle != exchange && exchange->state == RPC_EXCHANGE_IDLE);
    exchange->next_idle = channel->idle;
    channel->idle = exchange;
    change_busy(channel, -1);
    pthread_mutex_unlock(&channel->mutex);
}
