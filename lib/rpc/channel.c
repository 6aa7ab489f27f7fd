#include "rpc/channel.h"

#include <errno.h>
#include <nng/nng.h>
#include <nng/supplemental/util/platform.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/random.h"
#include "base/ticker.h"
#include "nng/stuck_reaper.h"
#include "rpc/channel_state.h"
#include "rpc/envelope.h"

/* The longest wait for the first connection to one of several addresses. A single one is dialled in turn. */
enum { CONNECT_MAX_MS = 2000, CONNECT_LOOK_MS = 2 };

enum { CLOSE_SETTLE_MS = 20, SCHEMES = ADDRESS_TCP | ADDRESS_IPC | ADDRESS_TLS | ADDRESS_INPROC };

/* ---- opening ---- */

/* Checks what TLS needs. nng would not say which file is wrong. */
static enum status check_tls(const struct rpc_channel_options *options, const struct address_list *list,
                             struct error *error)
{
    for (size_t i = 0; i < list->count; i++) {
        if (!tls_is_address(list->items[i].text))
            continue;
        if (options->tls_ca == NULL || options->tls_name == NULL)
            return error_invalid(error, "address: %s: needs the certificates of the trusted authorities",
                                 list->items[i].text);
        if (access(options->tls_ca, R_OK) != 0)
            return error_invalid(error, "%s: %s", options->tls_ca, strerror(errno));
    }
    return STATUS_OK;
}

static void want(void *context, const struct resolved *now)
{
    struct rpc_channel *channel = context;
    pthread_mutex_lock(&channel->mutex);
    channel->wanted = *now;
    pthread_mutex_unlock(&channel->mutex);
    rpc_keeper_wake(channel);
}

/* Returns UNAVAILABLE, with the reason if it is a name's. */
static enum status not_connected(const struct rpc_channel *channel, const struct resolved *wanted,
                                 struct error *error)
{
    for (size_t part = 0; part < channel->list.count; part++)
        if (wanted->failures[part] != NULL)
            return error_set(error, STATUS_UNAVAILABLE, NULL, "not connected to %s: %s: %s", channel->address,
                             channel->list.items[part].host, wanted->failures[part]);
    return error_set(error, STATUS_UNAVAILABLE, NULL, "not connected to %s", channel->address);
}

/* Waits for the first connection. */
static void wait_connected(struct rpc_channel *channel)
{
    int64_t until_ns = clock_monotonic_ns() + CONNECT_MAX_MS * (int64_t)NS_PER_MS;
    while (!rpc_channel_connected(channel) && clock_monotonic_ns() < until_ns)
        nng_msleep(CONNECT_LOOK_MS);
}

/*
 * Opens the backends that are known, or one that stands for nobody if none is. With `connect_now`, fails if
 * none is connected in time. All are dialled at once.
 */
static enum status open_backends(struct rpc_channel *channel, bool connect_now, struct error *error)
{
    struct resolved wanted;
    rpc_keeper_get_wanted(channel, &wanted);
    const bool only = wanted.count == 1;
    for (size_t i = 0; i < wanted.count; i++)
        TRY(rpc_backend_open(channel, &wanted.items[i], connect_now && only, error));
    if (wanted.count == 0)
        TRY(rpc_backend_open(channel, NULL, false, error));
    if (!connect_now)
        return STATUS_OK;
    if (wanted.count > 1)
        wait_connected(channel);
    return rpc_channel_connected(channel) ? STATUS_OK : not_connected(channel, &wanted, error);
}

/* Closes all backends. Returns false if nng's callbacks may still use one of them. */
static bool close_backends(struct rpc_channel *channel)
{
    bool closed = true;
    for (size_t slot = 0; slot < BALANCE_MAX; slot++) {
        struct rpc_backend *backend = channel->backends[slot];
        if (backend != NULL && (backend->stuck || !rpc_backend_close(backend)))
            closed = false;
    }
    return closed;
}

/* Closes the backends, then frees the channel, unless nng's callbacks may still use it. No keeper may run. */
static void close_all(struct rpc_channel *channel)
{
    resolver_close(channel->resolver);
    if (!close_backends(channel))
        return;
    ticker_close(atomic_load(&channel->keeper));
    pthread_mutex_destroy(&channel->mutex);
    rpc_guard_fini(&channel->guard);
    free(channel->tls_ca);
    free(channel->address);
    free(channel);
}

/* Sets the members that need no thread and no socket. On failure, the channel needs to be freed only. */
static enum status fill_in(struct rpc_channel *channel, const struct rpc_channel_options *options,
                           struct error *error)
{
    struct error found;
    channel->address = strdup(options->address);
    channel->tls_ca = options->tls_ca != NULL ? strdup(options->tls_ca) : NULL;
    channel->tls_name = options->tls_name;
    channel->message_max_bytes =
        options->message_max_bytes != 0 ? options->message_max_bytes : RPC_MESSAGE_MAX_DEFAULT;
    channel->calls_max = options->calls_max;
    channel->authorize = options->authorize;
    channel->authorize_context = options->authorize_context;
    random_fill(&channel->random, sizeof channel->random);
    channel->random |= 1; /* xorshift must not begin with 0 */
    if (channel->address == NULL || (channel->tls_ca == NULL && options->tls_ca != NULL))
        return error_set(error, STATUS_RESOURCE_EXHAUSTED, NULL, "rpc channel: out of memory");
    if (address_list_parse(options->address, SCHEMES, &channel->list, &found) != STATUS_OK)
        return error_invalid(error, "address: %s", found.message);
    TRY(check_tls(options, &channel->list, error));
    if (rpc_guard_init(&channel->guard, options->peer, &options->breaker, &options->retry) != STATUS_OK)
        return error_set(error, STATUS_RESOURCE_EXHAUSTED, NULL, "rpc channel: out of memory");
    return STATUS_OK;
}

enum status rpc_channel_open(const struct rpc_channel_options *options, struct rpc_channel **out,
                             struct error *error)
{
    struct rpc_channel *channel = calloc(1, sizeof *channel);
    if (channel == NULL)
        return error_set(error, STATUS_RESOURCE_EXHAUSTED, NULL, "rpc channel: out of memory");
    enum status status = fill_in(channel, options, error);
    if (status != STATUS_OK) {
        free(channel->tls_ca);
        free(channel->address);
        free(channel);
        return status;
    }
    pthread_mutex_init(&channel->mutex, NULL);
    const struct resolver_options resolving = {
        .list = &channel->list, .changed = want, .context = channel, .now = options->connect_now};
    status = resolver_open(&resolving, &channel->resolver, error);
    if (status == STATUS_OK)
        status = open_backends(channel, options->connect_now, error);
    if (status == STATUS_OK)
        status = rpc_keeper_open(channel, error);
    if (status != STATUS_OK) {
        close_all(channel);
        return status;
    }
    *out = channel;
    return STATUS_OK;
}

/* ---- closing ---- */

/* Returns whether a call or a health check is in flight. Lock held. */
static bool is_busy(const struct rpc_channel *channel)
{
    for (size_t slot = 0; slot < channel->balance.count; slot++)
        if (channel->balance.marks[slot].in_flight > 0)
            return true;
    return false;
}

void rpc_channel_stop(struct rpc_channel *channel)
{
    pthread_mutex_lock(&channel->mutex);
    bool closing = channel->closing;
    if (!closing)
        channel->answers_may_come = is_busy(channel);
    channel->closing = true; /* no exchange is added to `all` from here on */
    pthread_mutex_unlock(&channel->mutex);
    if (!closing)
        ticker_stop(atomic_load(&channel->keeper)); /* from here on, no exchange is removed either */
    for (struct rpc_exchange *exchange = channel->all; exchange != NULL; exchange = exchange->next_of_all)
        rpc_exchange_stop(exchange);
}

void rpc_channel_close(struct rpc_channel *channel)
{
    if (channel == NULL)
        return;
    rpc_channel_stop(channel);
    /* Do not close a connection while a message is arriving (stuck_reaper.h). */
    if (channel->answers_may_come)
        nng_msleep(CLOSE_SETTLE_MS);
    close_all(channel);
}

/* ---- state ---- */

bool rpc_channel_connected(struct rpc_channel *channel)
{
    return atomic_load(&channel->connections) != 0;
}

struct rpc_guard *rpc_channel_guard(struct rpc_channel *channel)
{
    return &channel->guard;
}

const char *rpc_channel_address(const struct rpc_channel *channel)
{
    return channel->address;
}
