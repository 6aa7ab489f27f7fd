/*
 * nng's callbacks take the monitor's lock. This lock is never held during a call that may wait for one of
 * these callbacks.
 *
 * Once inbox_open has succeeded, the socket is never closed, because nng may block forever if a connection is
 * closed while a message is arriving on it (nng/stuck_reaper.h). Messages arrive all the time, so nng blocked
 * in 6 % of the closes under load. An open socket is harmless, because a follower closes only when the
 * process ends.
 */
#include "events/inbox.h"

#include <nng/protocol/pubsub0/sub.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/metrics.h"

enum {
    RECEIVE_QUEUE_MESSAGES = 8192, /* nng's maximum */
    MESSAGE_MAX_BYTES = 1024 * 1024,
    RECONNECT_MIN_MS = 20,
    RECONNECT_MAX_MS = 500,
};

static struct metric reconnects_total =
    METRIC("events_reconnects_total", "Publishers connected to once more");
static struct metric dropped_total =
    METRIC("events_messages_dropped_total", "Pub/sub messages left to Fetch because too many waited");

/* Keeps a message. Returns false if the inbox is muted or full; the caller then still owns the message. */
static bool keep(struct inbox *inbox, nng_msg *message)
{
    size_t size = nng_msg_len(message);
    monitor_lock(inbox->monitor);
    inbox->heard_ns = clock_monotonic_ns();
    bool kept = !inbox->muted && inbox->count < INBOX_MESSAGES_MAX && inbox->bytes + size <= INBOX_BYTES_MAX;
    bool first = inbox->count == 0; /* notify only for the first one, because a wake-up is a system call */
    if (kept) {
        inbox->messages[(inbox->first + inbox->count) % INBOX_MESSAGES_MAX] = message;
        inbox->count++;
        inbox->bytes += size;
    } else if (!inbox->muted) {
        inbox->dropped = true;
        metric_add(&dropped_total, 1);
    }
    if (first || !kept)
        monitor_notify(inbox->monitor);
    monitor_unlock(inbox->monitor);
    return kept;
}

static void received(void *context)
{
    struct inbox *inbox = context;
    int failure = nng_aio_result(inbox->receive);
    if (failure == NNG_ECLOSED || failure == NNG_ECANCELED)
        return;
    if (failure == 0) {
        nng_msg *message = nng_aio_get_msg(inbox->receive);
        nng_aio_set_msg(inbox->receive, NULL);
        if (nng_msg_trim(message, inbox->topic_size) != 0 || !keep(inbox, message))
            nng_msg_free(message);
    }
    nng_recv_aio(inbox->socket, inbox->receive);
}

/*
 * The context of the socket's pipe callbacks. It points to the inbox and, like the socket, outlives the
 * inbox.
 */
struct inbox_link {
    pthread_mutex_t mutex; /* taken before the monitor's */
    struct inbox *inbox;   /* NULL once the inbox is closed */
};

static void note_connection(struct inbox *inbox, nng_pipe pipe, nng_pipe_ev event)
{
    monitor_lock(inbox->monitor);
    enum dialers_event noted = dialers_note(&inbox->dialers, pipe, event);
    if (noted == DIALERS_CONNECTED)
        metric_add(&reconnects_total, 1);
    if (noted == DIALERS_FIRST || noted == DIALERS_CONNECTED)
        inbox->fetch_wanted = true;
    else if (noted == DIALERS_LOST)
        resolver_ask(inbox->resolver);
    monitor_notify(inbox->monitor);
    monitor_unlock(inbox->monitor);
}

static void connection_changed(nng_pipe pipe, nng_pipe_ev event, void *context)
{
    struct inbox_link *link = context;
    pthread_mutex_lock(&link->mutex);
    if (link->inbox != NULL)
        note_connection(link->inbox, pipe, event);
    pthread_mutex_unlock(&link->mutex);
}

static struct inbox_link *create_link(struct inbox *inbox)
{
    struct inbox_link *link = malloc(sizeof *link);
    if (link != NULL)
        *link = (struct inbox_link){.mutex = PTHREAD_MUTEX_INITIALIZER, .inbox = inbox};
    return link;
}

static int configure(struct inbox *inbox, const char *topic)
{
    int size = snprintf(inbox->topic, sizeof inbox->topic, "%s\n", topic);
    if (size < 0 || (size_t)size >= sizeof inbox->topic)
        return NNG_EINVAL;
    inbox->topic_size = (size_t)size;
    int failure = nng_socket_set(inbox->socket, NNG_OPT_SUB_SUBSCRIBE, inbox->topic, inbox->topic_size);
    if (failure == 0)
        failure = nng_socket_set_int(inbox->socket, NNG_OPT_RECVBUF, RECEIVE_QUEUE_MESSAGES);
    if (failure == 0)
        failure = nng_socket_set_size(inbox->socket, NNG_OPT_RECVMAXSZ, MESSAGE_MAX_BYTES);
    if (failure == 0)
        failure = nng_socket_set_ms(inbox->socket, NNG_OPT_RECONNMINT, RECONNECT_MIN_MS);
    if (failure == 0)
        failure = nng_socket_set_ms(inbox->socket, NNG_OPT_RECONNMAXT, RECONNECT_MAX_MS);
    if (failure == 0)
        failure = nng_pipe_notify(inbox->socket, NNG_PIPE_EV_ADD_POST, connection_changed, inbox->link);
    if (failure == 0)
        failure = nng_pipe_notify(inbox->socket, NNG_PIPE_EV_REM_POST, connection_changed, inbox->link);
    return failure;
}

static enum status open_failed(const char *addresses, int failure, struct error *error)
{
    if (failure == NNG_ENOMEM)
        return error_no_memory(error);
    return error_invalid(error, "events address %s: %s", addresses, nng_strerror(failure));
}

/* Opens what receives, before anything is dialled. Returns nng's error code, or 0. */
static int open_socket(struct inbox *inbox, const char *topic)
{
    int failure = nng_sub0_open(&inbox->socket);
    if (failure != 0)
        return failure;
    inbox->link = create_link(inbox);
    failure = inbox->link != NULL ? nng_aio_alloc(&inbox->receive, received, inbox) : NNG_ENOMEM;
    if (failure != 0)
        goto close_socket;
    failure = configure(inbox, topic);
    if (failure == 0)
        return 0;
    nng_aio_free(inbox->receive);
close_socket:
    nng_close(inbox->socket); /* not connected yet */
    free(inbox->link);
    return failure;
}

static void want(void *context, const struct resolved *now)
{
    struct inbox *inbox = context;
    dialers_want(&inbox->dialers, now);
}

/* Stores the resolver where nng's threads find it. */
static enum status open_resolver(struct inbox *inbox, const struct address_list *list, struct error *error)
{
    struct resolver *resolver;
    const struct resolver_options options = {.list = list, .changed = want, .context = inbox};
    TRY(resolver_open(&options, &resolver, error));
    monitor_lock(inbox->monitor);
    inbox->resolver = resolver;
    monitor_unlock(inbox->monitor);
    return STATUS_OK;
}

enum status inbox_open(struct inbox *inbox, const char *topic, const char *addresses, struct monitor *monitor,
                       struct error *error)
{
    struct address_list list;
    struct error found;
    *inbox = (struct inbox){.monitor = monitor, .heard_ns = clock_monotonic_ns()};
    metric_register(&reconnects_total);
    metric_register(&dropped_total);
    if (address_list_parse(addresses, ADDRESS_TCP | ADDRESS_IPC, &list, &found) != STATUS_OK)
        return error_invalid(error, "events address: %s", found.message);
    int failure = open_socket(inbox, topic);
    if (failure != 0)
        return open_failed(addresses, failure, error);
    dialers_init(&inbox->dialers, monitor, inbox->socket);
    nng_recv_aio(inbox->socket, inbox->receive);
    enum status status = open_resolver(inbox, &list, error);
    if (status == STATUS_OK) {
        failure = dialers_look(&inbox->dialers);
        status = failure == 0 ? STATUS_OK : open_failed(addresses, failure, error);
    }
    if (status != STATUS_OK)
        inbox_close(inbox);
    return status;
}

void inbox_look_after(struct inbox *inbox)
{
    monitor_lock(inbox->monitor);
    bool connected = inbox->dialers.connections > 0;
    monitor_unlock(inbox->monitor);
    if (!connected)
        resolver_ask(inbox->resolver);   /* a publisher that was started again may have another address */
    (void)dialers_look(&inbox->dialers); /* a failure is logged, and tried again */
}

nng_msg *inbox_take(struct inbox *inbox)
{
    if (inbox->count == 0)
        return NULL;
    nng_msg *message = inbox->messages[inbox->first];
    inbox->first = (inbox->first + 1) % INBOX_MESSAGES_MAX;
    inbox->count--;
    inbox->bytes -= nng_msg_len(message);
    return message;
}

void inbox_mute(struct inbox *inbox)
{
    monitor_lock(inbox->monitor);
    inbox->muted = true;
    for (nng_msg *message = inbox_take(inbox); message != NULL; message = inbox_take(inbox))
        nng_msg_free(message);
    monitor_unlock(inbox->monitor);
}

void inbox_unmute(struct inbox *inbox)
{
    monitor_lock(inbox->monitor);
    inbox->muted = false;
    inbox->fetch_wanted = true;
    monitor_unlock(inbox->monitor);
}

void inbox_close(struct inbox *inbox)
{
    nng_aio_stop(inbox->receive);
    nng_aio_free(inbox->receive);
    pthread_mutex_lock(&inbox->link->mutex);
    inbox->link->inbox = NULL; /* from here on, nng's threads do not use the resolver */
    pthread_mutex_unlock(&inbox->link->mutex);
    resolver_close(inbox->resolver);
    /*
     * Unsubscribe, so that nng drops later messages. If this fails, nng queues them, which only costs memory.
     */
    (void)nng_socket_set(inbox->socket, NNG_OPT_SUB_UNSUBSCRIBE, inbox->topic, inbox->topic_size);
    inbox_mute(inbox);
}
