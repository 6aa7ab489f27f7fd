#include "events/event_store.h"

#include <stdbool.h>

#include "db/migrate.h"
#include "events/event_log.h"

/* The scripts in migrations/. The build generates the array. */
extern const struct db_migration EVENTS_MIGRATIONS[];
extern const size_t EVENTS_MIGRATION_COUNT;

static const struct db_statement MAKE_HEAD = {
    .name = "event_make_head",
    .sql = "INSERT INTO event_log_head (only_row, log_id, head_seq, head_event_id) VALUES (1, $1, 0, $2) "
           "ON CONFLICT DO NOTHING",
};

/*
 * Locks in a separate statement, because under READ COMMITTED a statement that both locks and loads may read
 * stale rows. On SQLite, BEGIN IMMEDIATE has already locked the database.
 */
static const struct db_statement LOCK_HEAD = EVENT_LOCK_HEAD("0", "");

static const struct db_statement READ_HEAD = {
    .name = "event_read_head",
    .sql = "SELECT log_id, head_seq, head_event_id, era FROM event_log_head",
};

static const struct db_statement MOVE_HEAD = {
    .name = "event_move_head",
    .sql = "UPDATE event_log_head SET head_seq = $1, head_event_id = $2",
};

#define EVENT_COLUMNS "seq, event_id, type, occurred_at_us, event, subject"

static const struct db_statement INSERT_EVENT = {
    .name = "event_insert",
    .sql = "INSERT INTO event_log (" EVENT_COLUMNS ") VALUES ($1, $2, $3, $4, $5, $6)",
    .postgresql_set = "INSERT INTO event_log (" EVENT_COLUMNS ") SELECT * FROM "
                      "unnest($1::int8[], $2::uuid[], $3::text[], $4::int8[], $5::bytea[], $6::uuid[])",
};

/* A single statement, which reads a single snapshot even under READ COMMITTED. */
static const struct db_statement READ_POSITION = {
    .name = "event_read_position",
    .sql = "SELECT log_id, head_seq, head_event_id, era, (SELECT min(seq) FROM event_log), "
           "(SELECT event_id FROM event_log WHERE seq = $1) FROM event_log_head",
};

static const struct db_statement READ_EVENTS = {
    .name = "event_read",
    .sql = "SELECT seq, event FROM event_log WHERE seq > $1 ORDER BY seq LIMIT $2",
};

struct position_row {
    struct event_position position;
    bool found;
};

/* Creates the head row with a new log_id unless the row exists. */
static enum status make_head(struct db *db, struct error *error)
{
    const struct uuid log_id = uuid_v7();
    const struct uuid none = {{0}};
    return db_run(db, &MAKE_HEAD, DB_ROW(db_uuid(&log_id), db_uuid(&none)), NULL, NULL, error);
}

enum status events_migrate(struct db *db, struct error *error)
{
    TRY(db_migrate(db, "events", EVENTS_MIGRATIONS, EVENTS_MIGRATION_COUNT, error));
    return make_head(db, error);
}

static enum status take_place(struct position_row *out, const struct db_row *row)
{
    out->position.head.log_id = db_row_uuid(row, 0);
    out->position.head.seq = db_row_unsigned(row, 1);
    out->position.head.event_id = db_row_uuid(row, 2);
    out->found = true;
    return STATUS_OK;
}

static enum status take_head_row(void *context, const struct db_row *row)
{
    struct position_row *out = context;
    out->position.head.era = db_row_int(row, 3);
    return take_place(out, row);
}

static enum status need_head(const struct position_row *row, struct error *error)
{
    if (!row->found)
        return error_set(error, STATUS_INTERNAL, NULL, "event_log_head has no row");
    return STATUS_OK;
}

static enum status read_head_with(struct db *db, const struct db_statement *statement, struct event_head *out,
                                  struct error *error)
{
    struct position_row row = {0};
    TRY(db_run(db, statement, NULL, take_head_row, &row, error));
    TRY(need_head(&row, error));
    *out = row.position.head;
    return STATUS_OK;
}

struct locked_row {
    struct position_row position;
    struct era_place place;
    bool has_table; /* whether the row includes `table` and `commit_no` (PostgreSQL) */
};

static enum status take_locked_row(void *context, const struct db_row *row)
{
    struct locked_row *out = context;
    out->place.era = (struct event_era){.no = db_row_unsigned(row, 3),
                                        .id = db_row_int(row, 4),
                                        .peer = db_row_int(row, 5),
                                        .paired = db_row_int(row, 6) != 0};
    if (out->has_table) {
        out->place.table = db_row_int(row, 7);
        out->place.commit_no = (int64_t)db_row_unsigned(row, 8);
    }
    out->position.position.head.era = out->place.era.id;
    return take_place(&out->position, row);
}

enum status event_store_lock_head(struct db *db, const struct db_statement *lock, struct event_head *out,
                                  struct era_place *place, struct error *error)
{
    struct locked_row row = {.has_table = db_dialect(db) == DB_POSTGRESQL};
    TRY(db_run(db, lock != NULL ? lock : &LOCK_HEAD, NULL, take_locked_row, &row, error));
    TRY(need_head(&row.position, error));
    *out = row.position.position.head;
    *place = row.place;
    place->session = db_session(db);
    place->head_seq = out->seq;
    place->head_event_id = out->event_id;
    return STATUS_OK;
}

enum status event_store_read_head(struct db *db, struct event_head *out, struct error *error)
{
    return read_head_with(db, &READ_HEAD, out, error);
}

enum status event_store_move_head(struct db *db, const struct event_head *head, struct error *error)
{
    return db_run(db, &MOVE_HEAD, DB_ROW(db_int((int64_t)head->seq), db_uuid(&head->event_id)), NULL, NULL,
                  error);
}

void event_store_add_row(struct db_params *params, uint64_t seq, const struct uuid *event_id,
                         const char *type, int64_t occurred_at_us, const uint8_t *bytes, size_t size,
                         const struct uuid *subject)
{
    db_params_int(params, (int64_t)seq);
    db_params_uuid(params, event_id);
    db_params_text(params, type);
    db_params_int(params, occurred_at_us);
    db_params_bytes(params, bytes, size);
    db_params_uuid(params, subject);
    db_params_end_row(params);
}

enum status event_store_insert(struct db *db, const struct db_params *params, struct error *error)
{
    return db_run(db, &INSERT_EVENT, params, NULL, NULL, error);
}

static enum status take_position_row(void *context, const struct db_row *row)
{
    struct position_row *out = context;
    out->position.first_seq = db_row_unsigned(row, 4);
    if (!db_row_is_null(row, 5))
        out->position.event_id = db_row_uuid(row, 5);
    return take_head_row(context, row);
}

enum status event_store_read_position(struct db *db, uint64_t after_seq, struct event_position *out,
                                      struct error *error)
{
    struct position_row row = {0};
    TRY(db_run(db, &READ_POSITION, DB_ROW(db_int(after_seq > INT64_MAX ? INT64_MAX : (int64_t)after_seq)),
               take_position_row, &row, error));
    TRY(need_head(&row, error));
    if (row.position.first_seq == 0)
        row.position.first_seq = row.position.head.seq + 1;
    *out = row.position;
    return STATUS_OK;
}

enum status event_store_read(struct db *db, uint64_t after_seq, uint32_t limit, db_row_fn on_row,
                             void *context, struct error *error)
{
    return db_run(db, &READ_EVENTS, DB_ROW(db_int((int64_t)after_seq), db_int(limit)), on_row, context,
                  error);
}
