/*
 * A cursor in the service's database. The writer applies chunks of events and moves the cursor in the same
 * transaction. After a transient failure, the chunk is retried until it succeeds or the follower is closed. A
 * chunk that fails for any other reason is split into single events, and an event that fails alone becomes a
 * dead letter.
 */
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/traceparent.h"
#include "events/chunk.h"
#include "events/dead_letter_store.h"
#include "events/event_text.h"
#include "events/follower_internal.h"

enum { RETRY_FIRST_MS = 50, RETRY_MAX_MS = 2000 };

static struct metric applied_total = METRIC("events_applied_total", "Events of other logs applied");
static struct metric dead_letters_total =
    METRIC("events_dead_letters_total", "Events stored as dead letters");

static struct metric other_era_total =
    METRIC("events_chunks_of_another_era_total", "Chunks left because the publisher's database went back");

/*
 * Reads the cursor, retrying until the read succeeds. Returns APPLY_DONE if the chunk still fits the cursor,
 * APPLY_LOST if it does not, and APPLY_ENDED if the follower is closed.
 */
static enum apply_result look_at_cursor(struct event_follower *follower, const struct event_chunk *chunk,
                                        struct backoff *backoff)
{
    struct event_cursor cursor;
    while (event_cursor_read(follower->db, follower->log, &cursor, NULL) != STATUS_OK)
        if (!follower_sleep(follower, backoff_next_ns(backoff)))
            return APPLY_ENDED;
    const bool fits = chunk_fits_era(chunk, cursor.era);
    if (event_cursor_equal(&cursor, &follower->cursor) && fits)
        return APPLY_DONE;
    if (!fits)
        metric_add(&other_era_total, 1);
    follower_move_cursor(follower, &cursor);
    return APPLY_LOST;
}

/* Logs only the first of a series of failures. */
static void note_outcome(struct event_follower *follower, const struct event_chunk *chunk, enum status status)
{
    bool failing = status != STATUS_OK;
    if (failing && !follower->apply_failing)
        log_event(LOG_WARN, "events.apply_failed", LOG_TEXT("log", follower->log),
                  LOG_INT("seq", chunk->events[0]->seq), LOG_INT("count", chunk->count),
                  LOG_TEXT("status", status_name(status)));
    follower->apply_failing = failing;
}

/* Returns whether the chunk only moves the cursor. */
static bool is_patient(const struct event_follower *follower, const struct event_chunk *chunk)
{
    bool patient = follower->has_effect != NULL && !chunk->as_dead_letter;
    for (size_t i = 0; i < chunk->count && patient; i++)
        patient = !follower->has_effect(chunk->events[i]);
    return patient;
}

/*
 * Runs the chunk until it succeeds or fails with an error that is not transient. A chunk that stores a dead
 * letter is retried after any failure. If the result is APPLY_DONE, *status is the outcome; otherwise there
 * is no outcome.
 */
static enum apply_result settle(struct event_follower *follower, const struct event_chunk *chunk,
                                struct error *error, enum status *status)
{
    struct backoff backoff = {.first_ms = RETRY_FIRST_MS, .max_ms = RETRY_MAX_MS};
    for (;;) {
        *status = chunk_run(follower->writer, chunk, is_patient(follower, chunk), error);
        note_outcome(follower, chunk, *status);
        if (*status == STATUS_OK || (!status_is_transient(*status) && !chunk->as_dead_letter))
            return APPLY_DONE;
        if (!follower_sleep(follower, backoff_next_ns(&backoff)))
            return APPLY_ENDED;
        enum apply_result result = look_at_cursor(follower, chunk, &backoff);
        if (result != APPLY_DONE)
            return result;
    }
}

/* Returns the event's trace id, or NULL if the event has none. The id relates log lines to the request. */
static const char *trace_id(const Screening__V1__Event *event, char out[TRACE_ID_LENGTH + 1])
{
    if (!traceparent_is_valid(event->traceparent))
        return NULL;
    (void)snprintf(out, TRACE_ID_LENGTH + 1, "%.*s", TRACE_ID_LENGTH, event->traceparent + TRACE_ID_OFFSET);
    return out;
}

static void log_applied(const struct event_follower *follower, const struct event_chunk *chunk)
{
    for (size_t i = 0; log_enabled(LOG_DEBUG) && i < chunk->count; i++) {
        const Screening__V1__Event *event = chunk->events[i];
        char id[TRACE_ID_LENGTH + 1];
        log_event(LOG_DEBUG, "events.applied", LOG_TEXT("log", follower->log), LOG_INT("seq", event->seq),
                  LOG_TEXT("event_id", event->event_id), LOG_TEXT("type", event->type),
                  LOG_TEXT("request_id", trace_id(event, id)));
    }
}

static void advance(struct event_follower *follower, const struct event_chunk *chunk)
{
    metric_add(&applied_total, (int64_t)chunk->count);
    follower_advance(follower, chunk->events[chunk->count - 1]);
}

static void note_dead_letter(struct event_follower *follower)
{
    monitor_lock(&follower->monitor);
    uint64_t count = ++follower->progress.dead_letters;
    monitor_unlock(&follower->monitor);
    if (count >= DEAD_LETTER_MAX)
        follower_halt(follower, FOLLOWER_STOPPED, "too many dead letters");
}

static enum apply_result bury(struct event_follower *follower, struct event_chunk *chunk,
                              const struct error *why)
{
    char reason[ERROR_MESSAGE_SIZE + ERROR_REASON_SIZE];
    (void)snprintf(reason, sizeof reason, "%s: %s", status_name(why->status), why->message);
    chunk->as_dead_letter = true;
    chunk->dead_letter_reason = reason;
    struct error error;
    enum status status;
    enum apply_result result = settle(follower, chunk, &error, &status);
    chunk->dead_letter_reason = NULL;
    if (result != APPLY_DONE)
        return result;
    const Screening__V1__Event *event = chunk->events[0];
    log_event(LOG_ERROR, "events.dead_letter", LOG_TEXT("log", follower->log), LOG_INT("seq", event->seq),
              LOG_TEXT("event_id", event->event_id), LOG_TEXT("type", event->type),
              LOG_TEXT("status", status_name(why->status)));
    metric_add(&dead_letters_total, 1);
    advance(follower, chunk);
    note_dead_letter(follower);
    return follower_halted(follower) ? APPLY_ENDED : APPLY_DONE;
}

static enum apply_result apply_chunk(struct event_follower *follower, Screening__V1__Event *const *events,
                                     size_t count)
{
    char log_id[UUID_TEXT_SIZE];
    struct event_chunk chunk = {
        .log = follower->log,
        .log_id = uuid_format(&follower->cursor.log_id, log_id),
        .era = follower->era,
        .from_era = follower->from_era,
        .events = events,
        .count = count,
    };
    follower_note_in_flight(follower, events[0]);
    struct error error;
    enum status status;
    enum apply_result result = settle(follower, &chunk, &error, &status);
    if (result != APPLY_DONE)
        return result;
    if (status == STATUS_OK) {
        log_applied(follower, &chunk);
        advance(follower, &chunk);
        return APPLY_DONE;
    }
    if (count == 1)
        return bury(follower, &chunk, &error);
    for (size_t i = 0; i < count && result == APPLY_DONE; i++)
        result = follower_closing(follower) ? APPLY_ENDED : apply_chunk(follower, events + i, 1);
    return result;
}

static enum apply_result apply(struct event_follower *follower, Screening__V1__Event *const *events,
                               size_t count)
{
    size_t done = 0;
    while (done < count) {
        if (follower_closing(follower))
            return APPLY_ENDED;
        size_t size = count - done < follower->chunk_max ? count - done : follower->chunk_max;
        enum apply_result result = apply_chunk(follower, events + done, size);
        if (result != APPLY_DONE)
            return result;
        done += size;
    }
    return APPLY_DONE;
}

/* ---- the cursor ---- */

static bool moved(struct event_follower *follower)
{
    struct event_cursor cursor;
    uint64_t letters;
    if (dead_letter_count(follower->db, follower->log, &letters, NULL) == STATUS_OK) {
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

/* Schedules a fetch if the cursor has been moved. Otherwise stops following the log, which has diverged. */
static bool lost(struct event_follower *follower, const char *why)
{
    if (moved(follower))
        follower_fetch_at(follower, clock_monotonic_ns());
    else
        follower_halt(follower, FOLLOWER_DIVERGED, why);
    return true;
}

const struct cursor_kind CURSOR_IN_DATABASE = {
    .moved = moved,
    .apply = apply,
    .lost = lost,
    .note_fetch = follower_note_fetch,
};

enum status database_cursor_open(struct event_follower *follower,
                                 const struct event_follower_options *options, struct error *error)
{
    struct event_cursor cursor;
    metric_register(&applied_total);
    metric_register(&dead_letters_total);
    metric_register(&other_era_total);
    TRY(db_open(options->database_url, DB_READ_ONLY, &follower->db, error));
    if (options->schema != NULL)
        TRY(db_use_schema(follower->db, options->schema, error));
    TRY(event_cursor_read(follower->db, follower->log, &cursor, error));
    TRY(dead_letter_count(follower->db, follower->log, &follower->progress.dead_letters, error));
    follower_note_cursor(follower, &cursor);
    follower->fetch_ns = clock_monotonic_ns(); /* fetch now; a live follower waits until it is connected */
    return STATUS_OK;
}
