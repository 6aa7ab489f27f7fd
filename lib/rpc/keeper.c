/*
 * The channel's own thread: it redials, follows the names, checks ejected backends, and ends the waits for
 * silent ones.
 */
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/container.h"
#include "base/log.h"
#include "base/ticker.h"
#include "rpc/channel_state.h"
#include "rpc/envelope.h"

#include "grpc/health/v1/health.pb-c.h"

/* PATIENCE_MS is the period of a channel that may have several backends, whose calls must not wait long. */
enum { PERIOD_MS = 500, PATIENCE_MS = 20, CHECK_TIMEOUT_MS = 1000 };

/*
 * A backend that leaves is closed after this time without a call, because some DNS servers return other
 * addresses of a name each time, so it is likely to be wanted again. Besides, the reply to a call that was
 * given up may still arrive, and a connection must not be closed while it does (stuck_reaper.h).
 */
enum { LEAVE_AFTER_MS = 60000 };

/*
 * A tick that comes later than LATE_MS after the previous one shows that this process was suspended or
 * starved. The answers that it has missed wait in its sockets, and nng's threads take them within
 * FAIR_AFTER_MS.
 */
enum { LATE_MS = 200, FAIR_AFTER_MS = 100 };

/* ---- names ---- */

/* Returns the server's name for the log. */
static const char *peer_of(const struct rpc_channel *channel)
{
    return channel->guard.peer != NULL ? channel->guard.peer : "";
}

void rpc_keeper_get_wanted(struct rpc_channel *channel, struct resolved *out)
{
    pthread_mutex_lock(&channel->mutex);
    *out = channel->wanted;
    pthread_mutex_unlock(&channel->mutex);
}

/* Returns whether the backend of a wanted address is connected and gets calls. Lock held. */
static bool is_wanted_connected(const struct rpc_channel *channel, const struct resolved *wanted)
{
    for (size_t slot = 0; slot < BALANCE_MAX; slot++) {
        const struct balance_mark *mark = &channel->balance.marks[slot];
        if (mark->used && mark->connection != 0 &&
            resolved_contains(wanted, channel->backends[slot]->address))
            return true;
    }
    return false;
}

/*
 * Lets the backends leave that are not wanted, once a wanted one is connected. Takes back those that had left
 * and are wanted again.
 */
static void mark_leaving(struct rpc_channel *channel, const struct resolved *wanted)
{
    uint64_t left = 0;
    pthread_mutex_lock(&channel->mutex);
    bool replaced = is_wanted_connected(channel, wanted);
    for (size_t slot = 0; slot < BALANCE_MAX; slot++) {
        struct balance_mark *mark = &channel->balance.marks[slot];
        if (!mark->used)
            continue;
        bool is_wanted = resolved_contains(wanted, channel->backends[slot]->address);
        if (!is_wanted && replaced && !mark->leaving && !channel->backends[slot]->nobody)
            left |= UINT64_C(1) << slot;
        mark->leaving = !is_wanted && (replaced || mark->leaving);
    }
    pthread_mutex_unlock(&channel->mutex);
    for (size_t slot = 0; slot < BALANCE_MAX; slot++)
        if ((left & UINT64_C(1) << slot) != 0)
            log_event_once_a_minute(LOG_INFO, "rpc.backend_left", channel->backends[slot]->address,
                                    LOG_TEXT("peer", peer_of(channel)),
                                    LOG_TEXT("address", channel->backends[slot]->address));
}

static bool has_backend(const struct rpc_channel *channel, const char *address)
{
    for (size_t slot = 0; slot < BALANCE_MAX; slot++) { /* only this thread changes the backends */
        const struct rpc_backend *backend = channel->backends[slot];
        if (backend != NULL && !backend->stuck && strcmp(backend->address, address) == 0)
            return true;
    }
    return false;
}

/* Opens the backend of an address that a name has got. */
static void add_backend(struct rpc_channel *channel, const struct resolved_address *added)
{
    struct error error;
    if (rpc_backend_open(channel, added, false, &error) == STATUS_OK)
        log_event(LOG_INFO, "rpc.backend_came", LOG_TEXT("peer", peer_of(channel)),
                  LOG_TEXT("address", added->text));
    else
        log_event_once_a_minute(LOG_ERROR, "rpc.backend_failed", channel->address,
                                LOG_TEXT("address", added->text), LOG_TEXT("why", error.message));
}

/* Opens a backend for each address that has got none, and lets those go that are no longer wanted. */
static void follow_names(struct rpc_channel *channel)
{
    struct resolved wanted;
    rpc_keeper_get_wanted(channel, &wanted);
    if (wanted.count == 0)
        return;
    mark_leaving(channel, &wanted);
    for (size_t i = 0; i < wanted.count; i++)
        if (!has_backend(channel, wanted.items[i].text))
            add_backend(channel, &wanted.items[i]);
}

/* ---- backends that leave ---- */

static void close_idle(struct rpc_channel *channel, size_t slot, int64_t now_ns)
{
    struct rpc_backend *backend = channel->backends[slot];
    pthread_mutex_lock(&channel->mutex);
    const struct balance_mark *mark = &channel->balance.marks[slot];
    bool idle = mark->leaving && mark->in_flight == 0, connected = mark->connection != 0;
    pthread_mutex_unlock(&channel->mutex);
    if (!idle) {
        backend->left_ns = 0;
        return;
    }
    if (backend->left_ns == 0)
        backend->left_ns = now_ns;
    if (!connected || now_ns - backend->left_ns >= LEAVE_AFTER_MS * (int64_t)NS_PER_MS)
        (void)rpc_backend_close(backend);
}

/* ---- health checks ---- */

static enum balance_health health_of(const struct rpc_client_call *call,
                                     const Grpc__Health__V1__HealthCheckResponse *answer)
{
    if (answer == NULL)
        return call->error.status == STATUS_DEADLINE_EXCEEDED ? BALANCE_SILENT : BALANCE_NOT_SERVING;
    return answer->status == GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING
               ? BALANCE_SERVING
               : BALANCE_NOT_SERVING;
}

static void on_check(const ProtobufCMessage *response, void *closure_data)
{
    struct rpc_backend *backend = container_of(closure_data, struct rpc_backend, check);
    struct rpc_channel *channel = backend->channel;
    enum balance_health health = health_of(&backend->check, (const void *)response);
    pthread_mutex_lock(&channel->mutex);
    balance_note_check(&channel->balance.marks[backend->slot], health, clock_monotonic_ns());
    backend->checking = false;
    if (health == BALANCE_SERVING && backend->metrics != NULL)
        metric_set(&backend->metrics->ejected, 0);
    pthread_mutex_unlock(&channel->mutex);
    if (health == BALANCE_SERVING)
        log_event(LOG_INFO, "rpc.backend_back", LOG_TEXT("peer", peer_of(channel)),
                  LOG_TEXT("address", backend->address));
}

static void check(struct rpc_backend *backend)
{
    struct rpc_channel *channel = backend->channel;
    Grpc__Health__V1__HealthCheckRequest message = GRPC__HEALTH__V1__HEALTH_CHECK_REQUEST__INIT;
    const struct rpc_request request = {
        .method = "grpc.health.v1.Health/Check", .message = &message.base, .timeout_ms = CHECK_TIMEOUT_MS};
    nng_msg *msg;
    backend->check = (struct rpc_client_call){.timeout_ms = CHECK_TIMEOUT_MS, .unguarded = true};
    if (rpc_envelope_request(&request, channel->message_max_bytes, &msg, &backend->check.error) !=
        STATUS_OK) {
        on_check(NULL, &backend->check);
        return;
    }
    struct rpc_exchange *exchange = rpc_channel_acquire_check(backend, &backend->check.error);
    if (exchange == NULL) {
        nng_msg_free(msg);
        on_check(NULL, &backend->check);
        return;
    }
    exchange->timeout_ms = CHECK_TIMEOUT_MS;
    exchange->deadline_ns = clock_monotonic_ns() + CHECK_TIMEOUT_MS * (int64_t)NS_PER_MS;
    exchange->call = &backend->check;
    exchange->output = &grpc__health__v1__health_check_response__descriptor;
    exchange->closure = on_check;
    exchange->into = &exchange->arena;
    rpc_exchange_start(exchange, msg);
}

static void check_if_due(struct rpc_backend *backend, int64_t now_ns)
{
    struct rpc_channel *channel = backend->channel;
    pthread_mutex_lock(&channel->mutex);
    bool due = !backend->checking && balance_check_is_due(&channel->balance.marks[backend->slot], now_ns);
    if (due)
        backend->checking = true;
    pthread_mutex_unlock(&channel->mutex);
    if (due)
        check(backend);
}

/* ---- the thread ---- */

/* Returns whether the channel has several backends, or may get several. */
static bool has_several(const struct rpc_channel *channel)
{
    return channel->resolver != NULL || channel->list.count > 1;
}

static void redial(struct rpc_backend *backend)
{
    struct rpc_channel *channel = backend->channel;
    pthread_mutex_lock(&channel->mutex);
    bool connected = channel->balance.marks[backend->slot].connection != 0;
    pthread_mutex_unlock(&channel->mutex);
    redial_look(&backend->redial, connected);
}

static void look_at_backends(struct rpc_channel *channel, struct ticker *ticker)
{
    for (size_t slot = 0; slot < BALANCE_MAX && !ticker_stopping(ticker); slot++) {
        struct rpc_backend *backend = channel->backends[slot];
        if (backend == NULL || backend->stuck)
            continue;
        int64_t now_ns = clock_monotonic_ns();
        if (!backend->nobody)
            redial(backend);
        check_if_due(backend, now_ns);
        close_idle(channel, slot, now_ns);
    }
}

/* Looks at all exchanges. Only this thread removes one. */
static void look_at_exchanges(struct rpc_channel *channel, int64_t now_ns)
{
    pthread_mutex_lock(&channel->mutex);
    struct rpc_exchange *exchange = channel->busy > 0 ? channel->all : NULL;
    pthread_mutex_unlock(&channel->mutex);
    for (; exchange != NULL; exchange = exchange->next_of_all)
        rpc_exchange_look(exchange, now_ns);
}

/* Returns whether a backend may be taken for silent: this process has run long enough to hear it. */
static bool is_fair(struct rpc_channel *channel, int64_t now_ns)
{
    if (now_ns - channel->ticked_ns > LATE_MS * (int64_t)NS_PER_MS)
        channel->fair_ns = now_ns + FAIR_AFTER_MS * (int64_t)NS_PER_MS;
    channel->ticked_ns = now_ns;
    return now_ns >= channel->fair_ns;
}

static void tick(void *context, struct ticker *ticker)
{
    struct rpc_channel *channel = context;
    int64_t now_ns = clock_monotonic_ns();
    if (has_several(channel) && is_fair(channel, now_ns))
        look_at_exchanges(channel, now_ns);
    if (!atomic_exchange(&channel->woken, false) && now_ns < channel->look_ns)
        return;
    channel->look_ns = now_ns + PERIOD_MS * (int64_t)NS_PER_MS;
    pthread_mutex_lock(&channel->mutex);
    bool lost = channel->lost;
    channel->lost = false;
    pthread_mutex_unlock(&channel->mutex);
    if (lost)
        resolver_ask(channel->resolver);
    if (channel->resolver != NULL)
        follow_names(channel);
    look_at_backends(channel, ticker);
}

void rpc_keeper_wake(struct rpc_channel *channel)
{
    struct ticker *keeper = atomic_load(&channel->keeper);
    atomic_store(&channel->woken, true);
    if (keeper != NULL)
        ticker_wake(keeper);
}

enum status rpc_keeper_open(struct rpc_channel *channel, struct error *error)
{
    struct ticker *keeper;
    TRY(ticker_open(has_several(channel) ? PATIENCE_MS : PERIOD_MS, tick, channel, &keeper, error));
    atomic_store(&channel->keeper, keeper);
    return STATUS_OK;
}
