#include "events/subscriber.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "events/dead_letter_store.h"
#include "events/event_text.h"
#include "events/follower.h"

enum {
    SILENCE_MS_DEFAULT = 3000,
    GAP_WAIT_MS_DEFAULT = 10,
    FETCH_RETRY_FIRST_MS = 50,
    FETCH_RETRY_MAX_MS = 1000,
};

/* ---- opening ---- */

static enum status load(struct event_subscriber *follower, struct error *error)
{
    struct event_cursor cursor;
    enum status status = event_cursor_read(follower->db, follower->log, &cursor, error);
    if (status == STATUS_OK)
        status = dead_letter_count(follower->db, follower->log, &follower->progress.dead_letters, error);
    if (status != STATUS_OK)
        return status;
    follower_note_cursor(follower, &cursor);
    return STATUS_OK;
}

static enum status open_database(struct event_subscriber *follower,
                                 const struct event_subscriber_options *options, struct error *error)
{
    struct db *db;
    enum status status = db_open(options->database_url, DB_READ_ONLY, &db, error);
    if (status != STATUS_OK)
        return status;
    if (options->schema != NULL)
        status = db_use_schema(db, options->schema, error);
    follower->db = db;
    if (status == STATUS_OK)
        status = load(follower, error);
    if (status != STATUS_OK)
        db_close(db);
    return status;
}

/* Creates everything that can fail only for lack of memory: copies of the texts, the RPC client, and so
 * on. */
static enum status create(const struct event_subscriber_options *options, struct event_subscriber **out)
{
    struct event_subscriber *follower = calloc(1, sizeof *follower);
    if (follower == NULL)
        return STATUS_RESOURCE_EXHAUSTED;
    arena_init(&follower->arena);
    follower->writer = options->writer;
    follower->has_effect = options->has_effect;
    follower->channel = options->channel;
    follower->silence_ns =
        (int64_t)(options->silence_ms > 0 ? options->silence_ms : SILENCE_MS_DEFAULT) * NS_PER_MS;
    follower->gap_wait_ns =
        (int64_t)(options->gap_wait_ms > 0 ? options->gap_wait_ms : GAP_WAIT_MS_DEFAULT) * NS_PER_MS;
    follower->interval_ns = (int64_t)options->interval_ms * NS_PER_MS;
    follower->chunk_max = options->chunk_max > 0 ? options->chunk_max : EVENT_CHUNK_MAX;
    follower->fetch_backoff =
        (struct backoff){.first_ms = FETCH_RETRY_FIRST_MS, .max_ms = FETCH_RETRY_MAX_MS};
    follower->fetch_ns = clock_monotonic_ns();
    follower->log = strdup(options->log);
    follower->name = strdup(options->subscriber);
    follower->client = rpc_client_create(options->channel, &screening__v1__event_log_service__descriptor);
    if (follower->log != NULL && follower->name != NULL && follower->client != NULL &&
        monitor_init(&follower->monitor) == STATUS_OK) {
        *out = follower;
        return STATUS_OK;
    }
    if (follower->client != NULL)
        rpc_client_destroy(follower->client);
    free(follower->name);
    free(follower->log);
    free(follower);
    return STATUS_RESOURCE_EXHAUSTED;
}

static void destroy(struct event_subscriber *follower)
{
    monitor_fini(&follower->monitor);
    rpc_client_destroy(follower->client);
    arena_fini(&follower->arena);
    free(follower->run);
    free(follower->name);
    free(follower->log);
    free(follower);
}

enum status event_subscriber_open(const struct event_subscriber_options *options,
                                  struct event_subscriber **out, struct error *error)
{
    struct event_subscriber *follower;
    if (create(options, &follower) != STATUS_OK)
        return error_no_memory(error);
    enum status status = open_database(follower, options, error);
    if (status != STATUS_OK)
        goto destroy_follower;
    status = inbox_open(&follower->inbox, options->log, options->events_address, &follower->monitor, error);
    if (status != STATUS_OK)
        goto close_database;
    if (follower->progress.dead_letters >= DEAD_LETTER_MAX)
        follower_halt(follower, SUBSCRIBER_STOPPED, "too many dead letters");
    if (pthread_create(&follower->thread, NULL, follower_run, follower) != 0) {
        status =
            error_set(error, STATUS_RESOURCE_EXHAUSTED, NULL, "no thread to follow the %s log", options->log);
        goto close_inbox;
    }
    *out = follower;
    return STATUS_OK;

close_inbox:
    inbox_close(&follower->inbox);
close_database:
    db_close(follower->db);
destroy_follower:
    destroy(follower);
    return status;
}

void event_subscriber_close(struct event_subscriber *subscriber)
{
    if (subscriber == NULL)
        return;
    monitor_lock(&subscriber->monitor);
    subscriber->closing = true;
    monitor_notify(&subscriber->monitor);
    monitor_unlock(&subscriber->monitor);
    pthread_join(subscriber->thread, NULL);
    inbox_close(&subscriber->inbox);
    db_close(subscriber->db);
    destroy(subscriber);
}

void event_subscriber_reread(struct event_subscriber *subscriber)
{
    monitor_lock(&subscriber->monitor);
    subscriber->reread = true;
    monitor_notify(&subscriber->monitor);
    monitor_unlock(&subscriber->monitor);
}

/* ---- status ---- */

/* With the monitor's lock held. */
static enum subscriber_state state_of(const struct event_subscriber *subscriber)
{
    enum subscriber_state halted = subscriber->progress.halted;
    if (halted == SUBSCRIBER_DIVERGED || halted == SUBSCRIBER_STOPPED)
        return halted;
    if (subscriber->inbox.connections <= 0)
        return SUBSCRIBER_DISCONNECTED;
    if (subscriber->progress.caught_up && !subscriber->inbox.fetch_wanted)
        return SUBSCRIBER_FOLLOWING;
    return SUBSCRIBER_CATCHING_UP;
}

void event_subscriber_status(struct event_subscriber *subscriber, struct event_subscriber_status *out)
{
    monitor_lock(&subscriber->monitor);
    const struct progress *progress = &subscriber->progress;
    *out = (struct event_subscriber_status){
        .state = state_of(subscriber),
        .applied_seq = progress->applied_seq,
        .head_seq = progress->head_seq,
        .dead_letters = progress->dead_letters,
        .oldest_unapplied_us =
            progress->oldest_in_flight_us != 0 ? progress->oldest_in_flight_us : progress->head_heard_us,
    };
    event_id_format(&progress->log_id, out->log_id);
    monitor_unlock(&subscriber->monitor);
}

const char *subscriber_state_name(enum subscriber_state state)
{
    switch (state) {
    case SUBSCRIBER_CATCHING_UP:
        return "catching up";
    case SUBSCRIBER_FOLLOWING:
        return "following";
    case SUBSCRIBER_DISCONNECTED:
        return "disconnected";
    case SUBSCRIBER_DIVERGED:
        return "diverged";
    case SUBSCRIBER_STOPPED:
        return "stopped";
    }
    return "unrecognised";
}

bool event_subscriber_degraded(struct event_subscriber *subscriber, char *out, size_t size)
{
    struct event_subscriber_status now;
    event_subscriber_status(subscriber, &now);
    if (now.state == SUBSCRIBER_DIVERGED || now.state == SUBSCRIBER_STOPPED)
        (void)snprintf(out, size, "%s log %s", subscriber->log, subscriber_state_name(now.state));
    else if (now.dead_letters > 0)
        (void)snprintf(out, size, "%llu dead letter%s of the %s log", (unsigned long long)now.dead_letters,
                       now.dead_letters == 1 ? "" : "s", subscriber->log);
    else
        return false;
    return true;
}
