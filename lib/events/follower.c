#include "events/follower.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "events/dead_letter_store.h"
#include "events/event_text.h"
#include "events/follower_internal.h"

enum {
    SILENCE_MS_DEFAULT = 3000,
    GAP_WAIT_MS_DEFAULT = 10,
    FETCH_RETRY_FIRST_MS = 50,
    FETCH_RETRY_MAX_MS = 1000,
};

/* ---- shared by all parts ---- */

bool follower_closing(struct event_follower *follower)
{
    monitor_lock(&follower->monitor);
    bool closing = follower->closing;
    monitor_unlock(&follower->monitor);
    return closing;
}

void follower_look_after_connections(struct event_follower *follower)
{
    rpc_channel_look_after(follower->channel);
    inbox_look_after(&follower->inbox);
}

bool follower_sleep(struct event_follower *follower, int64_t pause_ns)
{
    int64_t until_ns = clock_monotonic_ns() + pause_ns;
    monitor_lock(&follower->monitor);
    while (!follower->closing && clock_monotonic_ns() < until_ns)
        monitor_wait(&follower->monitor, until_ns);
    bool closing = follower->closing;
    monitor_unlock(&follower->monitor);
    return !closing;
}

static bool is_halted(enum follower_state state)
{
    return state == FOLLOWER_DIVERGED || state == FOLLOWER_STOPPED;
}

void follower_halt(struct event_follower *follower, enum follower_state state, const char *why)
{
    monitor_lock(&follower->monitor);
    follower->progress.halted = state;
    monitor_unlock(&follower->monitor);
    inbox_mute(&follower->inbox);
    log_event(LOG_ERROR, "events.halted", LOG_TEXT("log", follower->log),
              LOG_TEXT("state", follower_state_name(state)), LOG_INT("seq", follower->cursor.seq),
              LOG_TEXT("why", why));
}

void follower_resume(struct event_follower *follower)
{
    inbox_unmute(&follower->inbox); /* before: what is missing is fetched first, it does not follow yet */
    monitor_lock(&follower->monitor);
    follower->progress.halted = FOLLOWER_CATCHING_UP;
    monitor_unlock(&follower->monitor);
    log_event(LOG_INFO, "events.goes_on", LOG_TEXT("log", follower->log),
              LOG_INT("seq", follower->cursor.seq));
}

bool follower_halted(struct event_follower *follower)
{
    monitor_lock(&follower->monitor);
    bool halted = is_halted(follower->progress.halted);
    monitor_unlock(&follower->monitor);
    return halted;
}

void follower_note_head(struct event_follower *follower, uint64_t head_seq)
{
    monitor_lock(&follower->monitor);
    struct progress *progress = &follower->progress;
    if (head_seq > progress->head_seq)
        progress->head_seq = head_seq;
    if (progress->head_seq > progress->applied_seq && progress->head_heard_us == 0)
        progress->head_heard_us = clock_now_us();
    monitor_unlock(&follower->monitor);
}

void follower_lower_head(struct event_follower *follower, uint64_t head_seq)
{
    monitor_lock(&follower->monitor);
    struct progress *progress = &follower->progress;
    if (head_seq < progress->head_seq)
        progress->head_seq = head_seq > progress->applied_seq ? head_seq : progress->applied_seq;
    if (progress->head_seq == progress->applied_seq)
        progress->head_heard_us = 0;
    monitor_unlock(&follower->monitor);
}

void follower_note_cursor(struct event_follower *follower, const struct event_cursor *cursor)
{
    follower->cursor = *cursor;
    monitor_lock(&follower->monitor);
    struct progress *progress = &follower->progress;
    progress->applied_seq = cursor->seq;
    progress->log_id = cursor->log_id;
    if (progress->head_seq < cursor->seq)
        progress->head_seq = cursor->seq;
    if (progress->applied_seq == progress->head_seq)
        progress->head_heard_us = 0;
    progress->oldest_in_flight_us = 0;
    monitor_unlock(&follower->monitor);
}

void follower_move_cursor(struct event_follower *follower, const struct event_cursor *cursor)
{
    monitor_lock(&follower->monitor);
    if (cursor->seq < follower->progress.applied_seq) {
        follower->progress.head_seq = cursor->seq; /* the head reported earlier may never have existed */
        follower->progress.caught_up = false;
    }
    monitor_unlock(&follower->monitor);
    follower_note_cursor(follower, cursor);
}

bool follower_reread(struct event_follower *follower)
{
    struct event_cursor cursor;
    uint64_t letters;
    if (dead_letter_count(follower->db, follower->log, &letters, NULL) ==
        STATUS_OK) { /* some are forgotten */
        monitor_lock(&follower->monitor);
        follower->progress.dead_letters = letters;
        monitor_unlock(&follower->monitor);
    }
    if (event_cursor_read(follower->db, follower->log, &cursor, NULL) != STATUS_OK ||
        event_cursor_equal(&cursor, &follower->cursor))
        return false;
    follower_move_cursor(follower, &cursor);
    return true;
}

void follower_note_dead_letter(struct event_follower *follower)
{
    monitor_lock(&follower->monitor);
    uint64_t count = ++follower->progress.dead_letters;
    monitor_unlock(&follower->monitor);
    if (count >= DEAD_LETTER_MAX)
        follower_halt(follower, FOLLOWER_STOPPED, "too many dead letters");
}

void follower_fetch_at(struct event_follower *follower, int64_t at_ns)
{
    if (follower->fetch_ns == 0 || at_ns < follower->fetch_ns)
        follower->fetch_ns = at_ns;
}

/* ---- opening ---- */

static enum status load(struct event_follower *follower, struct error *error)
{
    struct event_cursor cursor;
    TRY(event_cursor_read(follower->db, follower->log, &cursor, error));
    TRY(dead_letter_count(follower->db, follower->log, &follower->progress.dead_letters, error));
    follower_note_cursor(follower, &cursor);
    return STATUS_OK;
}

static enum status open_database(struct event_follower *follower,
                                 const struct event_follower_options *options, struct error *error)
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
static enum status create(const struct event_follower_options *options, struct event_follower **out)
{
    struct event_follower *follower = calloc(1, sizeof *follower);
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
    monitor_init(&follower->monitor);
    if (follower->log != NULL && follower->name != NULL && follower->client != NULL) {
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

static void destroy(struct event_follower *follower)
{
    monitor_fini(&follower->monitor);
    rpc_client_destroy(follower->client);
    arena_fini(&follower->arena);
    free(follower->run);
    free(follower->name);
    free(follower->log);
    free(follower);
}

enum status event_follower_open(const struct event_follower_options *options, struct event_follower **out,
                                struct error *error)
{
    struct event_follower *follower;
    if (create(options, &follower) != STATUS_OK)
        return error_no_memory(error);
    enum status status = open_database(follower, options, error);
    if (status != STATUS_OK)
        goto destroy_follower;
    status = inbox_open(&follower->inbox, options->log, options->events_address, &follower->monitor, error);
    if (status != STATUS_OK)
        goto close_database;
    if (follower->progress.dead_letters >= DEAD_LETTER_MAX)
        follower_halt(follower, FOLLOWER_STOPPED, "too many dead letters");
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

void event_follower_close(struct event_follower *follower)
{
    if (follower == NULL)
        return;
    monitor_lock(&follower->monitor);
    follower->closing = true;
    monitor_notify(&follower->monitor);
    monitor_unlock(&follower->monitor);
    pthread_join(follower->thread, NULL);
    inbox_close(&follower->inbox);
    db_close(follower->db);
    destroy(follower);
}

void event_follower_reread(struct event_follower *follower)
{
    monitor_lock(&follower->monitor);
    follower->reread = true;
    monitor_notify(&follower->monitor);
    monitor_unlock(&follower->monitor);
}

/* ---- status ---- */

/* With the monitor's lock held. */
static enum follower_state state_of(const struct event_follower *follower)
{
    if (is_halted(follower->progress.halted))
        return follower->progress.halted;
    if (follower->inbox.connections <= 0)
        return FOLLOWER_DISCONNECTED;
    if (follower->progress.caught_up && !follower->inbox.fetch_wanted)
        return FOLLOWER_FOLLOWING;
    return FOLLOWER_CATCHING_UP;
}

void event_follower_status(struct event_follower *follower, struct event_follower_status *out)
{
    monitor_lock(&follower->monitor);
    const struct progress *progress = &follower->progress;
    *out = (struct event_follower_status){
        .state = state_of(follower),
        .applied_seq = progress->applied_seq,
        .head_seq = progress->head_seq,
        .dead_letters = progress->dead_letters,
        .oldest_unapplied_us =
            progress->oldest_in_flight_us != 0 ? progress->oldest_in_flight_us : progress->head_heard_us,
    };
    event_id_format(&progress->log_id, out->log_id);
    monitor_unlock(&follower->monitor);
}

const char *follower_state_name(enum follower_state state)
{
    switch (state) {
    case FOLLOWER_CATCHING_UP:
        return "catching up";
    case FOLLOWER_FOLLOWING:
        return "following";
    case FOLLOWER_DISCONNECTED:
        return "disconnected";
    case FOLLOWER_DIVERGED:
        return "diverged";
    case FOLLOWER_STOPPED:
        return "stopped";
    }
    return "unrecognised";
}

bool event_follower_degraded(struct event_follower *follower, char *out, size_t size)
{
    struct event_follower_status now;
    event_follower_status(follower, &now);
    if (now.state == FOLLOWER_DIVERGED || now.state == FOLLOWER_STOPPED)
        (void)snprintf(out, size, "%s log %s", follower->log, follower_state_name(now.state));
    else if (now.dead_letters > 0)
        (void)snprintf(out, size, "%llu dead letter%s of the %s log", (unsigned long long)now.dead_letters,
                       now.dead_letters == 1 ? "" : "s", follower->log);
    else
        return false;
    return true;
}
