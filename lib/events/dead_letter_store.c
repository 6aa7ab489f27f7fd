#include "events/dead_letter_store.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "events/event_text.h"

static const struct db_statement COUNT_LOG = {
    .name = "dead_letter_count_log",
    .sql = "SELECT count(*) FROM dead_letter WHERE log = $1",
};

static const struct db_statement COUNT_ALL = {
    .name = "dead_letter_count_all",
    .sql = "SELECT count(*) FROM dead_letter",
};

static const struct db_statement INSERT_LETTER = {
    .name = "dead_letter_insert",
    .sql = "INSERT INTO dead_letter (log, log_id, seq, event_id, type, reason, stored_at_us, event) "
           "VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (log, log_id, seq) DO UPDATE "
           "SET event_id = excluded.event_id, type = excluded.type, reason = excluded.reason, "
           "stored_at_us = excluded.stored_at_us, event = excluded.event",
};

static const struct db_statement LETTER_EXISTS = {
    .name = "dead_letter_exists",
    .sql = "SELECT count(*) FROM dead_letter WHERE log = $1 AND log_id = $2 AND seq = $3",
};

static const struct db_statement DELETE_LETTER = {
    .name = "dead_letter_delete",
    .sql = "DELETE FROM dead_letter WHERE log = $1 AND log_id = $2 AND seq = $3",
};

static const struct db_statement FORGET_LETTERS = {
    .name = "dead_letter_forget",
    .sql = "DELETE FROM dead_letter WHERE log = $1",
};

static const struct db_statement FORGET_LETTERS_AFTER = {
    .name = "dead_letter_forget_after",
    .sql = "DELETE FROM dead_letter WHERE log = $1 AND seq > $2",
};

static const struct db_statement NEXT_LETTER = {
    .name = "dead_letter_next",
    .sql = "SELECT log, log_id, seq, event FROM dead_letter WHERE (log, log_id, seq) > ($1, $2, $3) "
           "ORDER BY log, log_id, seq LIMIT 1",
};

enum status dead_letter_count(struct db *db, const char *log, uint64_t *out, struct error *error)
{
    int64_t count = 0;
    TRY(log == NULL ? db_run(db, &COUNT_ALL, NULL, db_take_int, &count, error)
                    : db_run(db, &COUNT_LOG, DB_ROW(db_text(log)), db_take_int, &count, error));
    *out = (uint64_t)count;
    return STATUS_OK;
}

static enum status insert_packed(struct db *db, const char *log, const struct uuid *log_id,
                                 const Screening__V1__Event *event, const char *reason, const uint8_t *packed,
                                 size_t size, struct error *error)
{
    struct uuid event_id;
    if (!event_id_parse(event->event_id, &event_id))
        return error_set(error, STATUS_INTERNAL, NULL, "event_id: must be a UUID");
    return db_run(db, &INSERT_LETTER,
                  DB_ROW(db_text(log), db_uuid(log_id), db_int((int64_t)event->seq), db_uuid(&event_id),
                         db_text(event->type), db_text(reason), db_int(clock_now_us()),
                         db_bytes(packed, size)),
                  NULL, NULL, error);
}

enum status dead_letter_insert(struct db *db, const char *log, const struct uuid *log_id,
                               const Screening__V1__Event *event, const char *reason, struct error *error)
{
    size_t size = screening__v1__event__get_packed_size(event);
    uint8_t *packed = malloc(size + 1); /* an event may pack to zero bytes */
    if (packed == NULL)
        return error_no_memory(error);
    screening__v1__event__pack(event, packed);
    enum status status = insert_packed(db, log, log_id, event, reason, packed, size, error);
    free(packed);
    return status;
}

#define KEY_ROW(key) DB_ROW(db_text((key)->log), db_uuid(&(key)->log_id), db_int((int64_t)(key)->seq))

enum status dead_letter_exists(struct db *db, const struct dead_letter_key *key, bool *out,
                               struct error *error)
{
    int64_t count = 0;
    TRY(db_run(db, &LETTER_EXISTS, KEY_ROW(key), db_take_int, &count, error));
    *out = count > 0;
    return STATUS_OK;
}

enum status dead_letter_delete(struct db *db, const struct dead_letter_key *key, bool *deleted,
                               struct error *error)
{
    int64_t changed = 0;
    TRY(db_run_counting(db, &DELETE_LETTER, KEY_ROW(key), &changed, error));
    *deleted = changed > 0;
    return STATUS_OK;
}

enum status dead_letter_forget(struct db *db, const char *log, struct error *error)
{
    int64_t changed; /* 0 = there was no letter */
    return db_run_counting(db, &FORGET_LETTERS, DB_ROW(db_text(log)), &changed, error);
}

enum status dead_letter_forget_after(struct db *db, const char *log, uint64_t seq, struct error *error)
{
    int64_t changed; /* 0 = there was no letter */
    return db_run_counting(db, &FORGET_LETTERS_AFTER, DB_ROW(db_text(log), db_int((int64_t)seq)), &changed,
                           error);
}

struct next_letter {
    struct dead_letter_key key;
    struct buffer *event;
    bool found;
};

static enum status take_letter(void *context, const struct db_row *row)
{
    struct next_letter *next = context;
    const char *log = db_row_text(row, 0);
    size_t log_size = strlen(log) + 1;
    size_t size;
    const void *event = db_row_bytes(row, 3, &size);
    buffer_reset(next->event);
    uint8_t *at = buffer_extend(next->event, size);
    if (at == NULL)
        return STATUS_RESOURCE_EXHAUSTED;
    if (log_size > sizeof next->key.log)
        return STATUS_INTERNAL;
    if (size > 0)
        memcpy(at, event, size);
    memcpy(next->key.log, log, log_size);
    next->key.log_id = db_row_uuid(row, 1);
    next->key.seq = db_row_unsigned(row, 2);
    next->found = true;
    return STATUS_OK;
}

enum status dead_letter_next(struct db *db, struct dead_letter_key *key, struct buffer *event,
                             struct error *error)
{
    struct next_letter next = {.event = event};
    TRY(db_run(db, &NEXT_LETTER, KEY_ROW(key), take_letter, &next, error));
    if (!next.found)
        return error_set(error, STATUS_NOT_FOUND, NULL, "no more dead letters");
    *key = next.key;
    return STATUS_OK;
}
