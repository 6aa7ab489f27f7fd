/* The backends of a channel, and the exchanges that carry its calls to them. */
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

static void on_pipe(nng_pipe pipe, nng_pipe_ev event, void *context)
{
    struct rpc_backend *backend = context;
    struct rpc_channel *channel = backend->channel;
    int id = nng_pipe_id(pipe);
    pthread_mutex_lock(&channel->mutex);
    struct balance_mark *mark = &channel->balance.marks[backend->slot];
    bool connected = mark->connection != 0;
    if (event == NNG_PIPE_EV_ADD_POST)
        balance_note_connected(mark, id, clock_monotonic_ns());
    else if (mark->connection == id) /* nng also reports the removal of a refused connection */
        mark->connection = 0;
    int change = (mark->connection != 0) - connected;
    if (backend->metrics != NULL)
        metric_set(&backend->metrics->connected, mark->connection != 0);
    if (change > 0)
        atomic_fetch_add(&channel->connections, 1);
    else if (change < 0)
        atomic_fetch_sub(&channel->connections, 1);
    pthread_mutex_unlock(&channel->mutex);
    if (change < 0)
        resolver_ask(channel->resolver);
    if (change != 0)
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
    free((char *)(uintptr_t)backend->tls.fallback);
    free(backend->address);
    free(backend);
}

/* Returns a backend that is not open yet, or NULL when out of memory. */
static struct rpc_backend *create(struct rpc_channel *channel, const char *address, const char *name)
{
    struct rpc_backend *backend = calloc(1, sizeof *backend);
    if (backend == NULL)
        return NULL;
    const char *tls_name = name != NULL ? name : channel->tls_name;
    backend->channel = channel;
    backend->address = strdup(address);
    backend->tls.ca = channel->tls_ca;
    backend->tls.fallback = tls_name != NULL ? strdup(tls_name) : NULL;
    if (backend->address == NULL || (tls_name != NULL && backend->tls.fallback == NULL)) {
        destroy(backend);
        return NULL;
    }
    if (channel->guard.peer != NULL)
        backend->metrics = rpc_backend_metrics_of(channel->guard.peer, address);
    return backend;
}

/* Gives the backend a free slot. Returns false if there is none. */
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
        channel->backend_count++;
        balance->marks[slot] = (struct balance_mark){.used = true};
        if (balance->count <= slot)
            balance->count = slot + 1;
    }
    pthread_mutex_unlock(&channel->mutex);
    return slot < BALANCE_MAX;
}

static void leave(struct rpc_backend *backend)
{
    struct rpc_channel *channel = backend->channel;
    pthread_mutex_lock(&channel->mutex);
    CHECK(channel->backends[backend->slot] == backend);
    channel->backends[backend->slot] = NULL;
    channel->backend_count--;
    channel->balance.marks[backend->slot] = (struct balance_mark){.used = false};
    pthread_mutex_unlock(&channel->mutex);
    if (backend->metrics != NULL) {
        metric_set(&backend->metrics->connected, 0);
        metric_set(&backend->metrics->ejected, 0);
    }
}

enum status rpc_backend_open(struct rpc_channel *channel, const char *address, const char *name, bool wait,
                             struct error *error)
{
    struct rpc_backend *backend = create(channel, address, name);
    if (backend == NULL)
        return error_set(error, STATUS_RESOURCE_EXHAUSTED, NULL, "rpc channel: out of memory");
    int rv = nng_req0_open(&backend->socket);
    if (rv != 0) {
        destroy(backend);
        return error_set(error, STATUS_RESOURCE_EXHAUSTED, NULL, "rpc channel: %s", nng_strerror(rv));
    }
    enum status status = STATUS_OK;
    if (!enter(backend)) {
        (void)nng_close(backend->socket);
        destroy(backend);
        return error_set(error, STATUS_RESOURCE_EXHAUSTED, NULL, "%s has more than %d addresses",
                         channel->address, BALANCE_MAX);
    }
    rv = set_options(backend);
    if (rv != 0)
        status = error_set(error, STATUS_INTERNAL, NULL, "rpc channel: %s", nng_strerror(rv));
    if (status == STATUS_OK)
        status = dial(backend, wait, error);
    if (status == STATUS_OK)
        return STATUS_OK;
    (void)nng_close(backend->socket);
    leave(backend);
    destroy(backend);
    return status;
}

/* Takes the backend's idle exchanges out of the channel's list. Returns them, linked by `next_idle`. */
static struct rpc_exchange *take_exchanges(struct rpc_backend *backend)
{
    struct rpc_channel *channel = backend->channel;
    pthread_mutex_lock(&channel->mutex);
    CHECK(channel->balance.marks[backend->slot].in_flight == 0);
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
    for (struct rpc_exchange *exchange = take_exchanges(backend); exchange != NULL;) {
        struct rpc_exchange *next = exchange->next_idle;
        rpc_exchange_stop(exchange);
        rpc_exchange_destroy(exchange);
        exchange = next;
    }
    bool closed = socket_close(backend->socket);
    if (!closed)
        return false; /* the slot stays taken, because on_pipe may still run */
    leave(backend);
    destroy(backend);
    return true;
}

/* ---- counts; lock held ---- */

/* Changes the number of busy exchanges. */
static void change_busy(struct rpc_channel *channel, int delta)
{
    CHECK(delta > 0 || channel->busy > 0);
    channel->busy += (size_t)delta;
    if (channel->guard.metrics != NULL)
        metric_add(&channel->guard.metrics->in_flight, delta);
}

static void change_in_flight(struct rpc_backend *backend, int delta)
{
    struct balance_mark *mark = &backend->channel->balance.marks[backend->slot];
    CHECK(delta > 0 || mark->in_flight > 0);
    mark->in_flight += (size_t)delta;
    if (backend->metrics != NULL)
        metric_add(&backend->metrics->in_flight, delta);
}

/* Returns a random number (xorshift, seeded by rpc_channel_open). */
static uint32_t next_random(struct rpc_channel *channel)
{
    channel->random ^= channel->random << 13;
    channel->random ^= channel->random >> 17;
    channel->random ^= channel->random << 5;
    return channel->random;
}

/* ---- exchanges ---- */

/* Returns the backend for a new call, or NULL if there is none. Lock held. */
static struct rpc_backend *choose(struct rpc_channel *channel, uint64_t skip, bool any, int64_t now_ns)
{
    const struct balance *balance = &channel->balance;
    uint32_t random = next_random(channel);
    size_t slot = balance_pick(balance, skip, random, now_ns);
    if (slot == BALANCE_NONE && any)
        slot = balance_last_resort(balance, random, now_ns);
    return slot != BALANCE_NONE ? channel->backends[slot] : NULL;
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

/*
 * Creates an exchange and adds it to `all`. The caller has already counted it. On failure, counts it down,
 * sets `error` and returns NULL.
 */
static struct rpc_exchange *add_exchange(struct rpc_backend *backend, struct error *error)
{
    struct rpc_channel *channel = backend->channel;
    struct rpc_exchange *exchange = rpc_exchange_create(backend);
    pthread_mutex_lock(&channel->mutex);
    bool closing = channel->closing;
    if (exchange != NULL && !closing) {
        exchange->next_of_all = channel->all;
        channel->all = exchange;
    } else {
        change_busy(channel, -1);
        change_in_flight(backend, -1);
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

/* Counts a call to the backend. Returns an idle exchange for it, or NULL if none is idle. Lock held. */
static struct rpc_exchange *take_idle(struct rpc_backend *backend)
{
    struct rpc_exchange *exchange = backend->idle;
    if (exchange != NULL)
        backend->idle = exchange->next_idle;
    change_busy(backend->channel, 1);
    change_in_flight(backend, 1);
    return exchange;
}

struct rpc_exchange *rpc_channel_acquire(struct rpc_channel *channel, struct error *error)
{
    const int64_t now_ns = clock_monotonic_ns();
    struct rpc_backend *backend = NULL;
    struct rpc_exchange *exchange = NULL;
    uint32_t pause_ms = 0;
    bool several = false;
    pthread_mutex_lock(&channel->mutex);
    enum status status = check_room(channel, error);
    if (status == STATUS_OK) {
        backend = choose(channel, 0, true, now_ns);
        if (backend == NULL)
            status = error_set(error, STATUS_UNAVAILABLE, NULL, "not connected to %s", channel->address);
    }
    if (backend != NULL) {
        const struct balance_mark *mark = &channel->balance.marks[backend->slot];
        pause_ms = balance_pause_ms(mark, mark->connection, now_ns);
        exchange = take_idle(backend);
        several = channel->backend_count > 1;
    }
    pthread_mutex_unlock(&channel->mutex);
    if (exchange == NULL && status == STATUS_OK)
        exchange = add_exchange(backend, error);
    if (exchange != NULL) {
        exchange->pause_ms = pause_ms;
        exchange->several = several;
        exchange->check = false;
    }
    return exchange;
}

struct rpc_exchange *rpc_channel_acquire_check(struct rpc_backend *backend, struct error *error)
{
    pthread_mutex_lock(&backend->channel->mutex);
    struct rpc_exchange *exchange = take_idle(backend);
    pthread_mutex_unlock(&backend->channel->mutex);
    if (exchange == NULL)
        exchange = add_exchange(backend, error);
    if (exchange != NULL) {
        exchange->pause_ms = 0;
        exchange->several = false;
        exchange->check = true;
    }
    return exchange;
}

void rpc_channel_release(struct rpc_channel *channel, struct rpc_exchange *exchange)
{
    struct rpc_backend *backend = exchange->backend;
    pthread_mutex_lock(&channel->mutex);
    CHECK(backend->idle != exchange && exchange->state == RPC_EXCHANGE_IDLE);
    exchange->next_idle = backend->idle;
    backend->idle = exchange;
    if (exchange->fate == RPC_FATE_ANSWERED && !exchange->check)
        balance_note_answer(&channel->balance.marks[backend->slot]);
    change_busy(channel, -1);
    change_in_flight(backend, -1);
    pthread_mutex_unlock(&channel->mutex);
}

bool rpc_channel_move(struct rpc_exchange *exchange, bool any)
{
    struct rpc_channel *channel = exchange->channel;
    struct rpc_backend *from = exchange->backend;
    const int64_t now_ns = clock_monotonic_ns();
    pthread_mutex_lock(&channel->mutex);
    struct rpc_backend *to = choose(channel, exchange->tried, false, now_ns);
    if (to == NULL && any)
        to = choose(channel, 0, true, now_ns);
    if (exchange->fate == RPC_FATE_ANSWERED)
        balance_note_answer(&channel->balance.marks[from->slot]);
    if (to != NULL) {
        const struct balance_mark *mark = &channel->balance.marks[to->slot];
        exchange->pause_ms = balance_pause_ms(mark, mark->connection, now_ns);
        change_in_flight(to, 1);
    }
    pthread_mutex_unlock(&channel->mutex);
    if (to == NULL)
        return false;
    bool moved = to == from || rpc_exchange_bind(exchange, to);
    pthread_mutex_lock(&channel->mutex);
    change_in_flight(moved ? from : to, -1);
    pthread_mutex_unlock(&channel->mutex);
    return moved;
}

bool rpc_channel_has_other(const struct rpc_exchange *exchange)
{
    struct rpc_channel *channel = exchange->channel;
    uint64_t skip = exchange->tried | UINT64_C(1) << exchange->backend->slot;
    pthread_mutex_lock(&channel->mutex);
    bool found = balance_has_other(&channel->balance, skip, clock_monotonic_ns());
    pthread_mutex_unlock(&channel->mutex);
    return found;
}

/* ---- marks ---- */

void rpc_channel_note_silence(struct rpc_exchange *exchange)
{
    struct rpc_backend *backend = exchange->backend;
    struct rpc_channel *channel = exchange->channel;
    pthread_mutex_lock(&channel->mutex);
    bool ejected = balance_note_silence(&channel->balance, backend->slot, clock_monotonic_ns());
    if (ejected && backend->metrics != NULL) {
        metric_set(&backend->metrics->ejected, 1);
        metric_add(&backend->metrics->ejections, 1);
    }
    pthread_mutex_unlock(&channel->mutex);
    if (ejected && channel->guard.peer != NULL)
        log_event(LOG_WARN, "rpc.backend_ejected", LOG_TEXT("peer", channel->guard.peer),
                  LOG_TEXT("address", backend->address));
}

void rpc_channel_note_draining(struct rpc_exchange *exchange, uint32_t retry_after_ms, int connection)
{
    struct rpc_channel *channel = exchange->channel;
    pthread_mutex_lock(&channel->mutex);
    balance_note_draining(&channel->balance.marks[exchange->backend->slot], retry_after_ms, connection,
                          clock_monotonic_ns());
    pthread_mutex_unlock(&channel->mutex);
}
