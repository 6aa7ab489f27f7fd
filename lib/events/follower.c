#include "events/follower.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/instant.h"
#include "base/log.h"
#include "events/event_text.h"
#include "events/follower_internal.h"

enum {
    SILENCE_MS_DEFAULT = 3000,
    GAP_WAIT_MS_DEFAULT = 10,
    FETCH_RETRY_FIRST_MS = 20,
    FETCH_RETRY_MAX_MS = 1000,
    APPLY_RETRY_FIRST_MS = 50,
    APPLY_RETRY_MAX_MS = 2000,
};

/* ---- shared by the follower's source files ---- */

bool follower_closing(struct event_follower *follower)
{
    monitor_lock(&follower->monitor);
    bool closing = follower->closing;
    monitor_unlock(&follower->monitor);
    return closing;
}

bool follower_halted(const struct event_follower *follower)
{
    enum follower_state state = follower->progress.halted;
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
    /* Unmute first, because the follower then fetches the missed events before it continues. */
    inbox_unmute(&follower->inbox);
    monitor_lock(&follower->monitor);
    follower->progress.halted = FOLLOWER_CATCHING_UP;
    monitor_unlock(&follower->monitor);
    log_event(LOG_INFO, "events.goes_on", LOG_TEXT("log", follower->log),
              LOG_INT("seq", follower->cursor.seq));
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
        follower->progress.head_seq = cursor->seq; /* the head reported earlier may no longer exist */
        follower->progress.caught_up = false;
    }
    monitor_unlock(&follower->monitor);
    follower_note_cursor(follower, cursor);
}

void follower_advance(struct event_follower *follower, const Screening__V1__Event *last)
{
    struct event_cursor cursor = {.log_id = follower->cursor.log_id, .seq = last->seq, .era = follower->era};
    if (!uuid_parse(last->event_id, &cursor.event_id))
        cursor.event_id = (struct uuid){{0}}; /* unreachable, because the id was checked on arrival */
    follower->from_era = follower->era;
    follower_note_cursor(follower, &cursor);
}

void follower_note_in_flight(struct event_follower *follower, const Screening__V1__Event *first)
{
    int64_t occurred_at_us = 0;
    bool dated = instant_read(first->occurred_at, &occurred_at_us);
    monitor_lock(&follower->monitor);
    follower->progress.oldest_in_flight_us = dated ? occurred_at_us : 0;
    monitor_unlock(&follower->monitor);
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

void follower_note_fetch(struct event_follower *follower, enum status status, const struct error *error)
{
    if (status == STATUS_OK)
        log_event(LOG_INFO, "events.fetch_works_again", LOG_TEXT("log", follower->log));
    else
        log_event(LOG_WARN, "events.fetch_failed", LOG_TEXT("log", follower->log),
                  LOG_TEXT("status", status_name(status)), LOG_TEXT("why", error->message));
}

void follower_forget_held(struct event_follower *follower)
{
    while (follower->held_count > 0)
        nng_msg_free(follower->held[--follower->held_count].message);
}

void follower_fetch_at(struct event_follower *follower, int64_t at_ns)
{
    if (follower->fetch_ns == 0 || (!follower->fetch_failing && at_ns < follower->fetch_ns))
        follower->fetch_ns = at_ns;
}

/* ---- opening ---- */

static int64_t ms_or(uint32_t ms, int64_t otherwise_ms)
{
    return (ms > 0 ? ms : otherwise_ms) * NS_PER_MS;
}

static void init(struct event_follower *follower, const struct event_follower_options *options)
{
    follower->kind = options->writer != NULL         ? &CURSOR_IN_DATABASE
                     : options->outside.load != NULL ? &CURSOR_OUTSIDE
                                                     : &CURSOR_LIVE;
    follower->live = options->live;
    follower->outside = options->outside;
    follower->log = options->log;
    follower->name = options->subscriber;
    follower->writer = options->writer;
    follower->has_effect = options->has_effect;
    follower->channel = options->channel;
    follower->silence_ns = ms_or(options->silence_ms, SILENCE_MS_DEFAULT);
    follower->gap_wait_ns = ms_or(options->gap_wait_ms, GAP_WAIT_MS_DEFAULT);
    follower->interval_ns = ms_or(options->interval_ms, 0);
    follower->chunk_max = options->chunk_max > 0 ? options->chunk_max : EVENT_CHUNK_MAX;
    follower->fetch_backoff =
        (struct backoff){.first_ms = FETCH_RETRY_FIRST_MS, .max_ms = FETCH_RETRY_MAX_MS};
    follower->apply_backoff =
        (struct backoff){.first_ms = APPLY_RETRY_FIRST_MS, .max_ms = APPLY_RETRY_MAX_MS};
    arena_init(&follower->arena);
    monitor_init(&follower->monitor);
}

static enum status start(struct event_follower *follower, const struct event_follower_options *options,
                         struct error *error)
{
    follower->client = rpc_client_create(options->channel, &screening__v1__event_log_service__descriptor);
    if (follower->client == NULL)
        return error_no_memory(error);
    if (options->writer != NULL)
        TRY(database_cursor_open(follower, options, error));
    TRY(inbox_open(&follower->inbox, options->log, options->events_addresses, &follower->monitor, error));
    if (follower->progress.dead_letters >= DEAD_LETTER_MAX)
        follower_halt(follower, FOLLOWER_STOPPED, "too many dead letters");
    if (pthread_create(&follower->thread, NULL, follower_run, follower) == 0)
        return STATUS_OK;
    inbox_close(&follower->inbox);
    return error_set(error, STATUS_RESOURCE_EXHAUSTED, NULL, "no thread to follow the %s log", options->log);
}

static void destroy(struct event_follower *follower)
{
    db_close(follower->db);
    monitor_fini(&follower->monitor);
    rpc_client_destroy(follower->client);
    arena_fini(&follower->arena);
    free(follower->run);
    free(follower);
}

enum status event_follower_open(const struct event_follower_options *options, struct event_follower **out,
                                struct error *error)
{
    struct event_follower *follower = calloc(1, sizeof *follower);
    if (follower == NULL)
        return error_no_memory(error);
    init(follower, options);
    enum status status = start(follower, options, error);
    if (status == STATUS_OK)
        *out = follower;
    else
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

/* Returns the state of the follower. The caller holds the monitor's lock. */
static enum follower_state state_of(const struct event_follower *follower)
{
    if (follower_halted(follower))
        return follower->progress.halted;
    if (follower->inbox.dialers.connections == 0)
        return FOLLOWER_DISCONNECTED;
    if (follower->progress.caught_up && !follower->inbox.fetch_wanted && !follower->inbox.dropped)
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
        .publishers = follower->inbox.dialers.connections,
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
