/* The channel's own thread: it redials, follows the names, and checks ejected backends. */
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/container.h"
#include "base/log.h"
#include "base/ticker.h"
#include "rpc/channel_state.h"
#include "rpc/envelope.h"

#include "grpc/health/v1/health.pb-c.h"

enum { PERIOD_MS = 500, CHECK_TIMEOUT_MS = 1000 };

/*
 * A backend that leaves is closed after this time without a call. The reply to a call that was given up may
 * still arrive, and a connection must not be closed while it does (stuck_reaper.h).
 */
enum { LEAVE_AFTER_MS = 5000 };

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

const char *rpc_keeper_name_of(const struct rpc_channel *channel, const struct resolved_address *address)
{
    const struct listed_address *part = &channel->list.items[address->part];
    return part->named ? part->host : NULL;
}

/* Lets the backends leave that are not wanted, and takes back those that had left and are wanted again. */
static void mark_leaving(struct rpc_channel *channel, const struct resolved *wanted)
{
    for (size_t slot = 0; slot < BALANCE_MAX; slot++) {
        const struct rpc_backend *backend = channel->backends[slot];
        if (backend == NULL)
            continue;
        bool leaving = !resolved_contains(wanted, backend->address);
        pthread_mutex_lock(&channel->mutex);
        bool changed = channel->balance.marks[slot].leaving != leaving;
        channel->balance.marks[slot].leaving = leaving;
        pthread_mutex_unlock(&channel->mutex);
        if (changed && leaving)
            log_event(LOG_INFO, "rpc.backend_left", LOG_TEXT("peer", peer_of(channel)),
                      LOG_TEXT("address", backend->address));
    }
}

static bool has_backend(const struct rpc_channel *channel, const char *address)
{
    for (size_t slot = 0; slot < BALANCE_MAX; slot++) /* only this thread changes the backends */
        if (channel->backends[slot] != NULL && strcmp(channel->backends[slot]->address, address) == 0)
            return true;
    return false;
}

/* Opens the backend of an address that a name has got. */
static void add_backend(struct rpc_channel *channel, const struct resolved_address *added)
{
    struct error error;
    if (rpc_backend_open(channel, added->text, rpc_keeper_name_of(channel, added), false, &error) ==
        STATUS_OK)
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
    bool idle = mark->leaving && mark->in_flight == 0;
    pthread_mutex_unlock(&channel->mutex);
    if (!idle)
        backend->left_ns = 0;
    else if (backend->left_ns == 0)
        backend->left_ns = now_ns;
    else if (now_ns - backend->left_ns >= LEAVE_AFTER_MS * (int64_t)NS_PER_MS)
        (void)rpc_backend_close(backend);
}

/* ---- health checks ---- */

static void on_check(const ProtobufCMessage *response, void *closure_data)
{
    struct rpc_backend *backend = container_of(closure_data, struct rpc_backend, check);
    struct rpc_channel *channel = backend->channel;
    const Grpc__Health__V1__HealthCheckResponse *answer = (const void *)response;
    bool good =
        answer != NULL && answer->status == GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING;
    pthread_mutex_lock(&channel->mutex);
    balance_note_check(&channel->balance.marks[backend->slot], good, clock_monotonic_ns());
    backend->checking = false;
    if (good && backend->metrics != NULL)
        metric_set(&backend->metrics->ejected, 0);
    pthread_mutex_unlock(&channel->mutex);
    if (good)
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

static void redial(struct rpc_backend *backend)
{
    struct rpc_channel *channel = backend->channel;
    pthread_mutex_lock(&channel->mutex);
    bool connected = channel->balance.marks[backend->slot].connection != 0;
    pthread_mutex_unlock(&channel->mutex);
    redial_look(&backend->redial, connected);
}

static void tick(void *context, struct ticker *ticker)
{
    struct rpc_channel *channel = context;
    if (channel->resolver != NULL)
        follow_names(channel);
    for (size_t slot = 0; slot < BALANCE_MAX && !ticker_stopping(ticker); slot++) {
        struct rpc_backend *backend = channel->backends[slot];
        if (backend == NULL)
            continue;
        int64_t now_ns = clock_monotonic_ns();
        redial(backend);
        check_if_due(backend, now_ns);
        close_idle(channel, slot, now_ns);
    }
}

void rpc_keeper_wake(struct rpc_channel *channel)
{
    struct ticker *keeper = atomic_load(&channel->keeper);
    if (keeper != NULL)
        ticker_wake(keeper);
}

enum status rpc_keeper_open(struct rpc_channel *channel, struct error *error)
{
    struct ticker *keeper;
    TRY(ticker_open(PERIOD_MS, tick, channel, &keeper, error));
    atomic_store(&channel->keeper, keeper);
    return STATUS_OK;
}
