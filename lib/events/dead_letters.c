/* Replays dead letters on the operator's request. */
#include "base/log.h"
#include "events/chunk.h"
#include "events/dead_letter_store.h"
#include "events/follower.h"

struct replay {
    struct writer *writer;
    struct db *db; /* read-only; the writer's connection deletes the letters */
    struct buffer packed;
    struct arena arena;
    size_t applied;
    size_t left;
};

/*
 * Applies one letter. If the letter fails again with an error that is not transient, keeps it and returns OK.
 */
static enum status replay_one(struct replay *replay, const struct dead_letter_key *key, struct error *error)
{
    arena_reset(&replay->arena);
    Screening__V1__Event *event = screening__v1__event__unpack(arena_allocator(&replay->arena),
                                                               replay->packed.size, replay->packed.bytes);
    enum status status;
    if (event == NULL) {
        status = error_set(error, STATUS_INTERNAL, NULL, "the letter is not an event");
    } else {
        char log_id[UUID_TEXT_SIZE];
        const struct event_chunk chunk = {
            .log = key->log,
            .log_id = uuid_format(&key->log_id, log_id),
            .events = &event,
            .count = 1,
            .replay = true,
        };
        status = chunk_run(replay->writer, &chunk, false, error);
    }
    if (status == STATUS_OK) {
        replay->applied++;
        return STATUS_OK;
    }
    if (status_is_transient(status))
        return status;
    replay->left++;
    log_event(LOG_WARN, "events.dead_letter_failed_again", LOG_TEXT("log", key->log),
              LOG_INT("seq", key->seq), LOG_TEXT("status", status_name(status)));
    return STATUS_OK;
}

static enum status replay_all(struct replay *replay, struct error *error)
{
    struct dead_letter_key key = {0};
    for (;;) {
        enum status status = dead_letter_next(replay->db, &key, &replay->packed, error);
        if (status == STATUS_NOT_FOUND)
            return STATUS_OK;
        TRY(status);
        TRY(replay_one(replay, &key, error));
    }
}

enum status dead_letters_replay(struct writer *writer, const char *database_url, const char *schema,
                                size_t *applied, size_t *left, struct error *error)
{
    struct replay replay = {.writer = writer};
    buffer_init(&replay.packed);
    arena_init(&replay.arena);
    enum status status = db_open(database_url, DB_READ_ONLY, &replay.db, error);
    if (status == STATUS_OK) {
        if (schema != NULL)
            status = db_use_schema(replay.db, schema, error);
        if (status == STATUS_OK)
            status = replay_all(&replay, error);
        db_close(replay.db);
    }
    arena_fini(&replay.arena);
    buffer_fini(&replay.packed);
    if (status == STATUS_OK) {
        *applied = replay.applied;
        *left = replay.left;
    }
    return status;
}
