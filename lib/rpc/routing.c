/* Chooses the backends of calls, and keeps the exchanges that carry them. */
#include <nng/nng.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "rpc/channel_state.h"

/* ---- counts; lock held ---- */

/* Changes the number of calls in flight to the backend. */
static void change_in_flight(struct rpc_backend *backend, int delta)
{
    struct balance_mark *mark = &backend->channel->balance.marks[backend->slot];
    CHECK(delta > 0 || mark->in_flight > 0);
    mark->in_flight += (size_t)delta;
    if (backend->metrics != NULL)
        metric_add(&backend->metrics->in_flight, delta);
}

/* Changes the number of busy exchanges, in which health checks do not count. */
static void change_busy(struct rpc_backend *backend, bool check, int delta)
{
    struct rpc_channel *channel = backend->channel;
    change_in_flight(backend, delta);
    if (check)
        return;
    CHECK(delta > 0 || channel->busy > 0);
    channel->busy += (size_t)delta;
    if (channel->guard.metrics != NULL)
        metric_add(&channel->guard.metrics->in_flight, delta);
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

/* Returns a backend of the best of the `kinds`, or NULL if there is none. Lock held. */
static struct rpc_backend *choose(struct rpc_channel *channel, uint64_t skip, unsigned kinds, int64_t now_ns)
{
    size_t slot = balance_pick(&channel->balance, skip, kinds, next_random(channel), now_ns);
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
static struct rpc_exchange *add_exchange(struct rpc_backend *backend, bool check, struct error *error)
{
    struct rpc_channel *channel = backend->channel;
    struct rpc_exchange *exchange = rpc_exchange_create(backend);
    pthread_mutex_lock(&channel->mutex);
    bool closing = channel->closing;
    if (exchange != NULL && !closing) {
        exchange->next_of_all = channel->all;
        channel->all = exchange;
    } else {
        change_busy(backend, check, -1);
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
static struct rpc_exchange *take_idle(struct rpc_backend *backend, bool check)
{
    struct rpc_exchange *exchange = backend->idle;
    if (exchange != NULL)
        backend->idle = exchange->next_idle;
    change_busy(backend, check, 1);
    return exchange;
}

struct rpc_exchange *rpc_channel_acquire(struct rpc_channel *channel, struct error *error)
{
    const int64_t now_ns = clock_monotonic_ns();
    struct rpc_backend *backend = NULL;
    struct rpc_exchange *exchange = NULL;
    uint32_t pause_ms = 0;
    pthread_mutex_lock(&channel->mutex);
    enum status status = check_room(channel, error);
    if (status == STATUS_OK) {
        backend = choose(channel, 0, BALANCE_ANY, now_ns);
        CHECK(backend != NULL); /* the last backend never leaves */
        const struct balance_mark *mark = &channel->balance.marks[backend->slot];
        pause_ms = balance_pause_ms(mark, mark->connection, now_ns);
        exchange = take_idle(backend, false);
    }
    bool several = channel->used_count > 1;
    pthread_mutex_unlock(&channel->mutex);
    if (exchange == NULL && status == STATUS_OK)
        exchange = add_exchange(backend, false, error);
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
    struct rpc_exchange *exchange = take_idle(backend, true);
    pthread_mutex_unlock(&backend->channel->mutex);
    if (exchange == NULL)
        exchange = add_exchange(backend, true, error);
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
        balance_note_answer(&channel->balance.marks[backend->slot], clock_monotonic_ns());
    change_busy(backend, exchange->check, -1);
    pthread_mutex_unlock(&channel->mutex);
}

/* Moves the exchange from its backend to `to`, to which the caller has counted it. */
static bool move(struct rpc_exchange *exchange, struct rpc_backend *to)
{
    struct rpc_channel *channel = exchange->channel;
    struct rpc_backend *from = exchange->backend;
    bool moved = to == from || rpc_exchange_connect(exchange, to->socket);
    pthread_mutex_lock(&channel->mutex);
    if (moved)
        exchange->backend = to;
    change_in_flight(moved ? from : to, -1);
    pthread_mutex_unlock(&channel->mutex);
    return moved;
}

bool rpc_channel_move(struct rpc_exchange *exchange, unsigned kinds)
{
    struct rpc_channel *channel = exchange->channel;
    const int64_t now_ns = clock_monotonic_ns();
    pthread_mutex_lock(&channel->mutex);
    if (exchange->fate == RPC_FATE_ANSWERED)
        balance_note_answer(&channel->balance.marks[exchange->backend->slot], now_ns);
    struct rpc_backend *to = choose(channel, exchange->tried, kinds, now_ns);
    if (to != NULL) {
        const struct balance_mark *mark = &channel->balance.marks[to->slot];
        exchange->pause_ms = balance_pause_ms(mark, mark->connection, now_ns);
        change_in_flight(to, 1);
    }
    pthread_mutex_unlock(&channel->mutex);
    return to != NULL && move(exchange, to);
}

bool rpc_channel_has_other(const struct rpc_exchange *exchange)
{
    struct rpc_channel *channel = exchange->channel;
    uint64_t skip = UINT64_C(1) << exchange->backend->slot;
    pthread_mutex_lock(&channel->mutex);
    bool found = choose(channel, skip, BALANCE_ONLY_USABLE, clock_monotonic_ns()) != NULL;
    pthread_mutex_unlock(&channel->mutex);
    return found;
}

bool rpc_channel_is_silent(const struct rpc_exchange *exchange, int64_t since_ns)
{
    struct rpc_channel *channel = exchange->channel;
    pthread_mutex_lock(&channel->mutex);
    bool silent = channel->balance.marks[exchange->backend->slot].answered_ns < since_ns;
    pthread_mutex_unlock(&channel->mutex);
    return silent;
}

/* ---- marks ---- */

void rpc_channel_note_answer(struct rpc_exchange *exchange)
{
    if (exchange->fate != RPC_FATE_ANSWERED)
        return;
    struct rpc_channel *channel = exchange->channel;
    pthread_mutex_lock(&channel->mutex);
    balance_note_answer(&channel->balance.marks[exchange->backend->slot], clock_monotonic_ns());
    pthread_mutex_unlock(&channel->mutex);
    exchange->fate = RPC_FATE_NONE;
}

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

void rpc_channel_note_refusal(struct rpc_exchange *exchange, uint32_t retry_after_ms)
{
    struct rpc_channel *channel = exchange->channel;
    pthread_mutex_lock(&channel->mutex);
    balance_note_refusal(&channel->balance.marks[exchange->backend->slot], retry_after_ms,
                         clock_monotonic_ns());
    pthread_mutex_unlock(&channel->mutex);
}
