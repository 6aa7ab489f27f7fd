#include "events/cursor.h"

#include "events/follower.h"

static const struct db_statement READ_CURSOR = {
    .name = "event_cursor_read",
    .sql = "SELECT log_id, seq, event_id, era FROM event_cursor WHERE log = $1",
};

static const struct db_statement FIRST_CURSOR = {
    .name = "event_cursor_first",
    .sql = "INSERT INTO event_cursor (log, log_id, seq, event_id, era) VALUES ($1, $2, $3, $4, $5) "
           "ON CONFLICT (log) DO UPDATE SET log_id = excluded.log_id, seq = excluded.seq, "
           "event_id = excluded.event_id, era = excluded.era WHERE event_cursor.seq = 0",
};

static const struct db_statement MOVE_CURSOR = {
    .name = "event_cursor_move",
    .sql = "UPDATE event_cursor SET seq = $3, event_id = $4, era = $5 "
           "WHERE log = $1 AND log_id = $2 AND seq = $6",
};

static const struct db_statement REWIND_CURSOR = {
    .name = "event_cursor_rewind",
    .sql = "UPDATE event_cursor SET seq = $2, event_id = $3 WHERE log = $1",
};

static const struct db_statement ENTER_ERA = {
    .name = "event_cursor_enter_era",
    .sql = "INSERT INTO event_cursor (log, log_id, seq, event_id, era) VALUES ($1, $2, 0, $3, $4) "
           "ON CONFLICT (log) DO UPDATE SET era = excluded.era",
};

static const struct db_statement FORGET_CURSOR = {
    .name = "event_cursor_forget",
    .sql = "DELETE FROM event_cursor WHERE log = $1",
};

static enum status take_cursor(void *context, const struct db_row *row)
{
    struct event_cursor *cursor = context;
    cursor->log_id = db_row_uuid(row, 0);
    cursor->seq = db_row_unsigned(row, 1);
    cursor->event_id = db_row_uuid(row, 2);
    cursor->era = db_row_int(row, 3);
    return STATUS_OK;
}

bool event_cursor_equal(const struct event_cursor *a, const struct event_cursor *b)
{
    /* Before the first event, log_id may be known in memory but not yet stored. */
    return a->seq == b->seq && a->era == b->era &&
           (a->seq == 0 || (uuid_equal(&a->log_id, &b->log_id) && uuid_equal(&a->event_id, &b->event_id)));
}

enum status event_cursor_read(struct db *db, const char *log, struct event_cursor *out, struct error *error)
{
    struct event_cursor cursor = {0};
    TRY(db_run(db, &READ_CURSOR, DB_ROW(db_text(log)), take_cursor, &cursor, error));
    *out = cursor;
    return STATUS_OK;
}

enum status event_cursor_move(struct db *db, const char *log, uint64_t old_seq,
                              const struct event_cursor *new_cursor, bool *moved, struct error *error)
{
    const struct db_value log_id = db_uuid(&new_cursor->log_id), seq = db_int((int64_t)new_cursor->seq);
    const struct db_value event_id = db_uuid(&new_cursor->event_id), era = db_int(new_cursor->era);
    int64_t changed = 0;
    TRY(old_seq > 0
            ? db_run_counting(db, &MOVE_CURSOR,
                              DB_ROW(db_text(log), log_id, seq, event_id, era, db_int((int64_t)old_seq)),
                              &changed, error)
            : db_run_counting(db, &FIRST_CURSOR, DB_ROW(db_text(log), log_id, seq, event_id, era), &changed,
                              error));
    *moved = changed == 1;
    return STATUS_OK;
}

enum status event_cursor_enter_era(struct db *db, const char *log, const struct uuid *log_id, int64_t era,
                                   struct error *error)
{
    const struct uuid none = {{0}};
    return db_run(db, &ENTER_ERA, DB_ROW(db_text(log), db_uuid(log_id), db_uuid(&none), db_int(era)), NULL,
                  NULL, error);
}

enum status event_cursor_forget(struct db *db, const char *log, struct error *error)
{
    int64_t changed; /* 0 = there was no cursor */
    return db_run_counting(db, &FORGET_CURSOR, DB_ROW(db_text(log)), &changed, error);
}

enum status event_cursor_rewind(struct db *db, const char *log, uint64_t seq, const struct uuid *event_id,
                                struct error *error)
{
    if (seq == 0)
        return event_cursor_forget(db, log, error);
    return db_run(db, &REWIND_CURSOR, DB_ROW(db_text(log), db_int((int64_t)seq), db_uuid(event_id)), NULL,
                  NULL, error);
}
