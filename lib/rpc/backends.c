/* Opens and closes the backends of a channel. */
#include <nng/nng.h>
#include <nng/protocol/reqrep0/req.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "nng/stuck_reaper.h"
#include "rpc/channel_state.h"
#include "rpc/envelope.h"

enum { RECONNECT_MIN_MS = 20, RECONNECT_MAX_MS = 500 };

/* ---- opening and closing ---- */

/* Sets the id of the connection; 0 = none. Lock held. */
static void set_connection(struct rpc_backend *backend, int id)
{
    struct rpc_channel *channel = backend->channel;
    struct balance_mark *mark = &channel->balance.marks[backend->slot];
    const bool connected = mark->connection != 0;
    if (id != 0)
        balance_note_connected(mark, id, clock_monotonic_ns());
    else
        mark->connection = 0;
    if (backend->metrics != NULL)
        metric_set(&backend->metrics->connected, id != 0);
    if (id != 0 && !connected)
        atomic_fetch_add(&channel->connections, 1);
    if (id == 0 && connected)
        atomic_fetch_sub(&channel->connections, 1);
    channel->lost |= id == 0 && connected;
}

static void on_pipe(nng_pipe pipe, nng_pipe_ev event, void *context)
{
    struct rpc_backend *backend = context;
    struct rpc_channel *channel = backend->channel;
    int id = nng_pipe_id(pipe);
    pthread_mutex_lock(&channel->mutex);
    if (event == NNG_PIPE_EV_ADD_POST && !backend->stuck)
        set_connection(backend, id);
    else if (channel->balance.marks[backend->slot].connection == id)
        set_connection(backend, 0); /* nng also reports the removal of a refused connection */
    pthread_mutex_unlock(&channel->mutex);
    rpc_keeper_wake(channel);
}

/* Sets the options of the socket. Returns nng's error code, or 0. */
static int set_options(struct rpc_backend *backend)
{
    int rv = nng_socket_set_size(backend->socket, NNG_OPT_RECVMAXSZ,
                                 backend->channel->message_max_bytes + RPC_NNG_HEADER_BYTES);
    if (rv == 0) {
        /*
         * Without this, nng itself would resend a request after it has lost the connection, and the server
         * could execute the request twice.
         */
        rv = nng_socket_set_ms(backend->socket, NNG_OPT_REQ_RESENDTIME, NNG_DURATION_INFINITE);
    }
    if (rv == 0)
        rv = nng_socket_set_ms(backend->socket, NNG_OPT_RECONNMINT, RECONNECT_MIN_MS);
    if (rv == 0)
        rv = nng_socket_set_ms(backend->socket, NNG_OPT_RECONNMAXT, RECONNECT_MAX_MS);
    if (rv == 0)
        rv = nng_pipe_notify(backend->socket, NNG_PIPE_EV_ADD_POST, on_pipe, backend);
    if (rv == 0)
        rv = nng_pipe_notify(backend->socket, NNG_PIPE_EV_REM_POST, on_pipe, backend);
    return rv;
}

static enum status dial(struct rpc_backend *backend, bool wait, struct error *error)
{
    int rv = redial_start(&backend->redial, backend->socket, backend->address, &backend->tls,
                          wait ? 0 : NNG_FLAG_NONBLOCK);
    switch (rv) {
    case 0:
        return STATUS_OK;
    case NNG_EADDRINVAL:
    case NNG_ENOTSUP:
    case NNG_EINVAL:
        return error_invalid(error, "address: %s: %s", backend->address, nng_strerror(rv));
    default:
        return error_set(error, STATUS_UNAVAILABLE, NULL, "not connected to %s: %s", backend->address,
                         nng_strerror(rv));
    }
}

static void destroy(struct rpc_backend *backend)
{
    free(backend->address);
    free(backend);
}

/* Returns a backend that is not open yet, or NULL when out of memory. */
static struct rpc_backend *create(struct rpc_channel *channel, const struct resolved_address *address)
{
    struct rpc_backend *backend = calloc(1, sizeof *backend);
    if (backend == NULL)
        return NULL;
    backend->channel = channel;
    backend->nobody = address == NULL;
    backend->address = strdup(address != NULL ? address->text : channel->address);
    backend->tls = (struct tls_dialing){.ca = channel->tls_ca, .fallback = channel->tls_name};
    if (address != NULL && channel->list.items[address->part].named) {
        /* The certificate must have the name as given, because the address that is dialled is a number. */
        backend->tls.fallback = channel->list.items[address->part].host;
    }
    if (backend->address == NULL) {
        free(backend);
        return NULL;
    }
    if (channel->guard.peer != NULL && !backend->nobody)
        backend->metrics = rpc_backend_metrics_of(channel->guard.peer, backend->address);
    return backend;
}

/* Gives the backend a free slot, in which it gets no call yet. Returns false if there is none. */
static bool enter(struct rpc_backend *backend)
{
    struct rpc_channel *channel = backend->channel;
    struct balance *balance = &channel->balance;
    pthread_mutex_lock(&channel->mutex);
    size_t slot = 0;
    while (slot < BALANCE_MAX && channel->backends[slot] != NULL)
        slot++;
    if (slot < BALANCE_MAX) {
        backend->slot = slot;
        channel->backends[slot] = backend;
        balance->marks[slot] = (struct balance_mark){.used = false};
        if (balance->count <= slot)
            balance->count = slot + 1;
    }
    pthread_mutex_unlock(&channel->mutex);
    return slot < BALANCE_MAX;
}

/* Lets the backend in the slot get calls, or no more. */
static void set_used(struct rpc_backend *backend, bool used)
{
    struct rpc_channel *channel = backend->channel;
    pthread_mutex_lock(&channel->mutex);
    struct balance_mark *mark = &channel->balance.marks[backend->slot];
    CHECK(mark->used != used && mark->in_flight == 0);
    mark->used = used;
    channel->used_count += used ? 1 : SIZE_MAX;
    pthread_mutex_unlock(&channel->mutex);
}

/* Closes the socket, and frees the backend and its slot. Returns false if the backend is now stuck. */
static bool leave(struct rpc_backend *backend)
{
    struct rpc_channel *channel = backend->channel;
    bool closed = socket_close(backend->socket);
    pthread_mutex_lock(&channel->mutex);
    CHECK(channel->backends[backend->slot] == backend);
    set_connection(backend, 0);
    backend->stuck = !closed;
    if (closed)
        channel->backends[backend->slot] = NULL;
    pthread_mutex_unlock(&channel->mutex);
    if (backend->metrics != NULL)
        metric_set(&backend->metrics->ejected, 0);
    if (closed)
        destroy(backend);
    return closed;
}

/* Prepares the socket and dials. */
static enum status connect_socket(struct rpc_backend *backend, bool wait, struct error *error)
{
    int rv = set_options(backend);
    if (rv != 0)
        return error_set(error, STATUS_INTERNAL, NULL, "rpc channel: %s", nng_strerror(rv));
    return backend->nobody ? STATUS_OK : dial(backend, wait, error);
}

enum status rpc_backend_open(struct rpc_channel *channel, const struct resolved_address *address, bool wait,
                             struct error *error)
{
    struct rpc_backend *backend = create(channel, address);
    if (backend == NULL)
        return error_set(error, STATUS_RESOURCE_EXHAUSTED, NULL, "rpc channel: out of memory");
    int rv = nng_req0_open(&backend->socket);
    if (rv != 0) {
        destroy(backend);
        return error_set(error, STATUS_RESOURCE_EXHAUSTED, NULL, "rpc channel: %s", nng_strerror(rv));
    }
    if (!enter(backend)) {
        (void)nng_close(backend->socket);
        destroy(backend);
        return error_set(error, STATUS_RESOURCE_EXHAUSTED, NULL, "%s has more than %d addresses",
                         channel->address, BALANCE_MAX);
    }
    enum status status = connect_socket(backend, wait, error);
    if (status == STATUS_OK)
        set_used(backend, true);
    else
        (void)leave(backend);
    return status;
}

/* Takes the backend's idle exchanges out of the channel's list. Returns them, linked by `next_idle`. */
static struct rpc_exchange *take_exchanges(struct rpc_backend *backend)
{
    struct rpc_channel *channel = backend->channel;
    pthread_mutex_lock(&channel->mutex);
    struct rpc_exchange *taken = backend->idle;
    backend->idle = NULL;
    for (struct rpc_exchange **at = &channel->all; *at != NULL;)
        if ((*at)->backend == backend)
            *at = (*at)->next_of_all;
        else
            at = &(*at)->next_of_all;
    pthread_mutex_unlock(&channel->mutex);
    return taken;
}

bool rpc_backend_close(struct rpc_backend *backend)
{
    set_used(backend, false);
    for (struct rpc_exchange *exchange = take_exchanges(backend); exchange != NULL;) {
        struct rpc_exchange *next = exchange->next_idle;
        rpc_exchange_stop(exchange);
        rpc_exchange_destroy(exchange);
        exchange = next;
    }
    return leave(backend);
}
