/*
 * The steps that apply a chunk inside the writer's transaction. After a failure they may run again for the
 * same chunk, so they keep no state except the members that event_chunk_begin sets.
 */
#include "events/chunk.h"

#include <string.h>

#include "base/check.h"
#include "base/fault_point.h"
#include "events/cursor.h"
#include "events/dead_letter_store.h"
#include "events/event_text.h"
#include "events/follower.h"

bool chunk_fits_era(const struct event_chunk *chunk, int64_t cursor_era)
{
    return cursor_era == chunk->era || cursor_era == chunk->from_era;
}

static enum status moved_elsewhere(const struct event_chunk *chunk, struct error *error)
{
    return error_set(error, STATUS_ABORTED, "CURSOR_MOVED", "the cursor of the %s log does not fit the chunk",
                     chunk->log);
}

static enum status letter_key(const struct event_chunk *chunk, struct dead_letter_key *out,
                              struct error *error)
{
    size_t log_size = strlen(chunk->log) + 1;
    if (log_size > sizeof out->log || !uuid_parse(chunk->log_id, &out->log_id))
        return error_set(error, STATUS_INTERNAL, NULL, "the chunk names no log");
    memcpy(out->log, chunk->log, log_size);
    out->seq = chunk->events[0]->seq;
    return STATUS_OK;
}

static enum status begin_replay(struct event_chunk *chunk, struct db *db, size_t *count, struct error *error)
{
    struct dead_letter_key key;
    bool exists;
    TRY(letter_key(chunk, &key, error));
    TRY(dead_letter_exists(db, &key, &exists, error));
    chunk->skip = exists ? 0 : chunk->count;
    *count = chunk->count - chunk->skip;
    return STATUS_OK;
}

/*
 * Returns whether the chunk follows the cursor, or overlaps it with the same events. The eras must match too,
 * because equal seqs and ids prove nothing across eras.
 */
static bool cursor_fits(const struct event_chunk *chunk, const struct uuid *log_id,
                        const struct event_cursor *cursor)
{
    uint64_t first = chunk->events[0]->seq;
    if (!chunk_fits_era(chunk, cursor->era))
        return false;
    if (cursor->seq == 0)
        return first == 1;
    if (!uuid_equal(&cursor->log_id, log_id) || cursor->seq + 1 < first)
        return false;
    if (cursor->seq < first || cursor->seq >= first + chunk->count)
        return true;
    struct uuid applied;
    return uuid_parse(chunk->events[cursor->seq - first]->event_id, &applied) &&
           uuid_equal(&applied, &cursor->event_id);
}

enum status event_chunk_begin(struct event_chunk *chunk, struct db *db, size_t *count, struct error *error)
{
    if (!chunk->as_dead_letter) /* this fault affects only the application of events */
        TRY(FAULT_STATUS("events.chunk.before_apply", error));
    CHECK(chunk->count > 0 && (chunk->count == 1 || (!chunk->replay && !chunk->as_dead_letter)));
    if (chunk->replay)
        return begin_replay(chunk, db, count, error);
    struct uuid log_id;
    if (!uuid_parse(chunk->log_id, &log_id))
        return error_set(error, STATUS_INTERNAL, NULL, "log_id: must be a UUID");
    struct event_cursor cursor;
    TRY(event_cursor_read(db, chunk->log, &cursor, error));
    if (!cursor_fits(chunk, &log_id, &cursor)) {
        /* Refuse only this chunk. The other commands of the batch are not affected. */
        (void)moved_elsewhere(chunk, &chunk->writer.outcome);
        chunk->skip = chunk->count;
        *count = 0;
        return STATUS_OK;
    }
    CHECK(cursor.seq + 1 >= chunk->events[0]->seq); /* cursor_fits has excluded a gap */
    uint64_t applied = cursor.seq + 1 - chunk->events[0]->seq;
    chunk->skip = applied < chunk->count ? (size_t)applied : chunk->count;
    chunk->cursor_seq = cursor.seq;
    *count = chunk->as_dead_letter ? 0 : chunk->count - chunk->skip;
    return STATUS_OK;
}

Screening__V1__Event *const *event_chunk_events(const struct event_chunk *chunk)
{
    CHECK(chunk->skip <= chunk->count);
    return chunk->events + chunk->skip;
}

bool event_chunk_moves_cursor(const struct event_chunk *chunk)
{
    return !chunk->replay && chunk->skip < chunk->count;
}

static enum status finish_replay(struct event_chunk *chunk, struct db *db, struct error *error)
{
    struct dead_letter_key key;
    bool deleted;
    TRY(letter_key(chunk, &key, error));
    TRY(dead_letter_delete(db, &key, &deleted, error));
    if (!deleted)
        return moved_elsewhere(chunk, error);
    return STATUS_OK;
}

static enum status move_cursor(struct event_chunk *chunk, struct db *db, struct error *error)
{
    const Screening__V1__Event *last = chunk->events[chunk->count - 1];
    struct event_cursor cursor = {.seq = last->seq, .era = chunk->era};
    if (!uuid_parse(chunk->log_id, &cursor.log_id) || !uuid_parse(last->event_id, &cursor.event_id))
        return error_set(error, STATUS_INTERNAL, NULL, "log_id and event_id: must be UUIDs");
    bool moved;
    TRY(event_cursor_move(db, chunk->log, chunk->cursor_seq, &cursor, &moved, error));
    if (!moved)
        return moved_elsewhere(chunk, error);
    return STATUS_OK;
}

enum status event_chunk_finish(struct event_chunk *chunk, struct db *db, struct error *error)
{
    if (chunk->skip == chunk->count)
        return STATUS_OK;
    FAULT_POINT("events.chunk.before_cursor");
    if (chunk->replay)
        return finish_replay(chunk, db, error);
    TRY(move_cursor(chunk, db, error));
    if (!chunk->as_dead_letter)
        return STATUS_OK;
    struct uuid log_id;
    if (!uuid_parse(chunk->log_id, &log_id))
        return error_set(error, STATUS_INTERNAL, NULL, "log_id: must be a UUID");
    return dead_letter_insert(db, chunk->log, &log_id, chunk->events[0], chunk->dead_letter_reason, error);
}

/* How long a chunk without effects waits for another command to start a batch. */
enum { PATIENCE_MS = 20 };

enum status chunk_run(struct writer *writer, const struct event_chunk *chunk, bool patient,
                      struct error *error)
{
    struct event_chunk submitted = *chunk;
    submitted.writer = (struct writer_command){.class = WRITER_EVENT};
    return writer_submit_and_wait(writer, &submitted.writer, patient ? PATIENCE_MS : 0, error);
}
