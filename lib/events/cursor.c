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
    cursor->seq = (uint64_t)db_row_int(row, 1);
    cursor->event_id = db_row_uuid(row, 2);
    cursor->era = db_row_int(row, 3);
    return STATUS_OK;
}

/* Creates the parameters, starting with `log`, the first of every statement. NULL when out of memory. */
static struct db_params *begin_params(const char *log)
{
    struct db_params *params = db_params_create();
    if (params != NULL)
        db_params_text(params, log);
    return params;
}

bool event_cursor_equal(const struct event_cursor *a, const struct event_cursor *b)
{
    /* Before the first event, log_id is known only in memory, not stored. */
    return a->seq == b->seq && a->era == b->era &&
           (a->seq == 0 || (uuid_equal(&a->log_id, &b->log_id) && uuid_equal(&a->event_id, &b->event_id)));
}

enum status event_cursor_read(struct db *db, const char *log, struct event_cursor *out, struct error *error)
{
    struct event_cursor cursor = {0};
    struct db_params *params = begin_params(log);
    if (params == NULL)
        return error_no_memory(error);
    db_params_end_row(params);
    enum status status = db_run(db, &READ_CURSOR, params, take_cursor, &cursor, error);
    db_params_destroy(params);
    if (status == STATUS_OK)
        *out = cursor;
    return status;
}

enum status event_cursor_move(struct db *db, const char *log, uint64_t old_seq,
                              const struct event_cursor *new_cursor, bool *moved, struct error *error)
{
    struct db_params *params = begin_params(log);
    if (params == NULL)
        return error_no_memory(error);
    db_params_uuid(params, &new_cursor->log_id);
    db_params_int(params, (int64_t)new_cursor->seq);
    db_params_uuid(params, &new_cursor->event_id);
    db_params_int(params, new_cursor->era);
    if (old_seq > 0)
        db_params_int(params, (int64_t)old_seq);
    db_params_end_row(params);
    int64_t changed = 0;
    enum status status =
        db_run_counting(db, old_seq > 0 ? &MOVE_CURSOR : &FIRST_CURSOR, params, &changed, error);
    db_params_destroy(params);
    if (status == STATUS_OK)
        *moved = changed == 1;
    return status;
}

enum status event_cursor_enter_era(struct db *db, const char *log, const struct uuid *log_id, int64_t era,
                                   struct error *error)
{
    const struct uuid none = {{0}};
    struct db_params *params = begin_params(log);
    if (params == NULL)
        return error_no_memory(error);
    db_params_uuid(params, log_id);
    db_params_uuid(params, &none);
    db_params_int(params, era);
    db_params_end_row(params);
    enum status status = db_run(db, &ENTER_ERA, params, NULL, NULL, error);
    db_params_destroy(params);
    return status;
}

enum status event_cursor_forget(struct db *db, const char *log, struct error *error)
{
    struct db_params *params = begin_params(log);
    if (params == NULL)
        return error_no_memory(error);
    db_params_end_row(params);
    int64_t changed; /* 0 = there was no cursor */
    enum status status = db_run_counting(db, &FORGET_CURSOR, params, &changed, error);
    db_params_destroy(params);
    return status;
}

enum status event_cursor_rewind(struct db *db, const char *log, uint64_t seq, const struct uuid *event_id,
                                struct error *error)
{
    if (seq == 0)
        return event_cursor_forget(db, log, error);
    struct db_params *params = begin_params(log);
    if (params == NULL)
        return error_no_memory(error);
    db_params_int(params, (int64_t)seq);
    db_params_uuid(params, event_id);
    db_params_end_row(params);
    enum status status = db_run(db, &REWIND_CURSOR, params, NULL, NULL, error);
    db_params_destroy(params);
    return status;
}
