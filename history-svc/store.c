#include "store.h"

#include "db/migrate.h"

static const struct db_statement SAVE_BOOKINGS = {
    .name = "save_bookings",
    .postgresql_set =
        "INSERT INTO booking_summary (booking_id, customer_id, customer_name, hospital_id, date, headcount, "
        "status, status_reason, created_at_us, updated_at_us, version) "
        "SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[], $5::date[], $6::int8[], "
        "$7::int8[], $8::text[], $9::int8[], $10::int8[], $11::int8[]) "
        "ON CONFLICT (booking_id) DO UPDATE SET customer_id = excluded.customer_id, "
        "customer_name = excluded.customer_name, hospital_id = excluded.hospital_id, date = excluded.date, "
        "headcount = excluded.headcount, status = excluded.status, status_reason = excluded.status_reason, "
        "created_at_us = excluded.created_at_us, updated_at_us = excluded.updated_at_us, "
        "version = excluded.version WHERE excluded.version > booking_summary.version",
};

static const struct db_statement OPEN_MONTH = {
    .name = "open_month",
    .sql = "SELECT from_us, to_us FROM open_timeline_month($1)",
};

#define INSERT_ENTRY                                                                                         \
    "INSERT INTO timeline_entry (booking_id, version, event_id, status, reason, occurred_at_us, source, "    \
    "seq) SELECT * FROM unnest($1::uuid[], $2::int8[], $3::uuid[], $4::int8[], $5::text[], $6::int8[], "     \
    "$7::text[], $8::int8[])"

static const struct db_statement INSERT_ENTRIES = {
    .name = "insert_entries",
    .postgresql_set = INSERT_ENTRY,
};

static const struct db_statement INSERT_MISSING_ENTRIES = {
    .name = "insert_missing_entries",
    .postgresql_set = INSERT_ENTRY " ON CONFLICT DO NOTHING",
};

static const struct db_statement SAVE_HOSPITALS = {
    .name = "save_hospitals",
    .postgresql_set =
        "INSERT INTO hospital (hospital_id, name, address, deleted_day, deleted_at_us) "
        "SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::date[], $5::int8[]) "
        "ON CONFLICT (hospital_id) DO UPDATE SET "
        "name = CASE WHEN excluded.name <> '' THEN excluded.name ELSE hospital.name END, "
        "address = CASE WHEN excluded.address <> '' THEN excluded.address ELSE hospital.address END, "
        "deleted_day = COALESCE(hospital.deleted_day, excluded.deleted_day), "
        "deleted_at_us = COALESCE(hospital.deleted_at_us, excluded.deleted_at_us)",
};

static const struct db_statement INSERT_UNKNOWN = {
    .name = "insert_unknown",
    .postgresql_set =
        "INSERT INTO unknown_event (log, seq, event_id, type, event) SELECT * FROM unnest($1::text[], "
        "$2::int8[], $3::uuid[], $4::text[], $5::bytea[]) ON CONFLICT DO NOTHING",
};

/* Every statement that returns summaries uses this column order; read_summary depends on it. */
#define SUMMARY_COLUMNS                                                                                      \
    "s.booking_id, s.customer_id, s.customer_name, s.hospital_id, s.date, s.headcount, s.status, "           \
    "s.status_reason, s.created_at_us, s.updated_at_us, s.version, h.name, h.deleted_day"
enum { SUMMARY_COLUMN_COUNT = 13 };

static const struct db_statement LOAD_HISTORY = {
    .name = "load_history",
    .sql = "SELECT " SUMMARY_COLUMNS ", t.version, t.event_id, t.status, t.reason, t.occurred_at_us, "
           "t.source, t.seq FROM booking_summary s JOIN timeline_entry t ON t.booking_id = s.booking_id "
           "LEFT JOIN hospital h ON h.hospital_id = s.hospital_id WHERE s.booking_id = $1 "
           "ORDER BY t.version, t.seq",
};

/* The CASE repeats projection_view; history_batch_test checks that both agree. */
static const struct db_statement LIST_CUSTOMER = {
    .name = "list_customer",
    .sql = "SELECT " SUMMARY_COLUMNS " FROM booking_summary s "
           "LEFT JOIN hospital h ON h.hospital_id = s.hospital_id "
           "WHERE s.customer_id = $1 AND (s.created_at_us, s.booking_id) < ($2, $3) "
           "AND s.date BETWEEN $4 AND $5 AND ($6 = 0 OR "
           "CASE WHEN s.status IN (1, 2) AND s.date >= h.deleted_day THEN 5 ELSE s.status END = $6) "
           "ORDER BY s.created_at_us DESC, s.booking_id DESC LIMIT $7",
};

enum status store_migrate(struct db *db, struct error *error)
{
    return db_migrate(db, "history", HISTORY_MIGRATIONS, HISTORY_MIGRATION_COUNT, error);
}

static enum status no_memory(struct error *error)
{
    return error_set(error, STATUS_UNAVAILABLE, NULL, "out of memory");
}

/* ---- writing ---- */

/* Runs a statement that returns nothing and frees its parameters. */
static enum status write_rows(struct db *db, const struct db_statement *statement, struct db_params *params,
                              struct error *error)
{
    enum status status = db_run(db, statement, params, NULL, NULL, error);
    db_params_destroy(params);
    return status;
}

enum status store_save_bookings(struct db *db, struct booking_row *const *rows, size_t count,
                                struct error *error)
{
    struct db_params *params = db_params_create();
    if (params == NULL)
        return no_memory(error);
    for (size_t i = 0; i < count; i++) {
        const struct booking_row *row = rows[i];
        db_params_uuid(params, &row->booking_id);
        db_params_text(params, row->customer_id);
        db_params_text(params, row->customer_name);
        db_params_uuid(params, &row->hospital_id);
        db_params_date(params, row->day);
        db_params_int(params, row->headcount);
        db_params_int(params, row->status);
        db_params_text(params, row->status_reason);
        db_params_int(params, row->created_at_us);
        db_params_int(params, row->updated_at_us);
        db_params_int(params, (int64_t)row->version);
        db_params_end_row(params);
    }
    return write_rows(db, &SAVE_BOOKINGS, params, error);
}

static enum status take_month(void *context, const struct db_row *row)
{
    *(struct timeline_month *)context = (struct timeline_month){db_row_int(row, 0), db_row_int(row, 1)};
    return STATUS_OK;
}

enum status store_open_month(struct db *db, int64_t instant_us, struct timeline_month *out,
                             struct error *error)
{
    struct db_params *params = db_params_create();
    if (params == NULL)
        return no_memory(error);
    db_params_int(params, instant_us);
    db_params_end_row(params);
    enum status status = db_run(db, &OPEN_MONTH, params, take_month, out, error);
    db_params_destroy(params);
    return status;
}

enum status store_insert_entries(struct db *db, const struct entry_row *rows, size_t count, bool some_exist,
                                 struct error *error)
{
    struct db_params *params = db_params_create();
    if (params == NULL)
        return no_memory(error);
    for (size_t i = 0; i < count; i++) {
        db_params_uuid(params, &rows[i].booking_id);
        db_params_int(params, (int64_t)rows[i].version);
        db_params_uuid(params, &rows[i].event_id);
        db_params_int(params, rows[i].status);
        db_params_text(params, rows[i].reason);
        db_params_int(params, rows[i].occurred_at_us);
        db_params_text(params, rows[i].source);
        db_params_int(params, (int64_t)rows[i].seq);
        db_params_end_row(params);
    }
    return write_rows(db, some_exist ? &INSERT_MISSING_ENTRIES : &INSERT_ENTRIES, params, error);
}

static void add_deletion(struct db_params *params, const struct hospital_row *row)
{
    if (row->deletion.deleted) {
        db_params_date(params, row->deletion.day);
        db_params_int(params, row->deleted_at_us);
    } else {
        db_params_null(params);
        db_params_null(params);
    }
}

enum status store_save_hospitals(struct db *db, struct hospital_row *const *rows, size_t count,
                                 struct error *error)
{
    struct db_params *params = db_params_create();
    if (params == NULL)
        return no_memory(error);
    for (size_t i = 0; i < count; i++) {
        db_params_uuid(params, &rows[i]->hospital_id);
        db_params_text(params, rows[i]->name);
        db_params_text(params, rows[i]->address);
        add_deletion(params, rows[i]);
        db_params_end_row(params);
    }
    return write_rows(db, &SAVE_HOSPITALS, params, error);
}

enum status store_insert_unknown(struct db *db, const struct unknown_row *rows, size_t count,
                                 struct error *error)
{
    struct db_params *params = db_params_create();
    if (params == NULL)
        return no_memory(error);
    for (size_t i = 0; i < count; i++) {
        db_params_text(params, rows[i].log);
        db_params_int(params, (int64_t)rows[i].seq);
        db_params_uuid(params, &rows[i].event_id);
        db_params_text(params, rows[i].type);
        db_params_bytes(params, rows[i].event, rows[i].event_size);
        db_params_end_row(params);
    }
    return write_rows(db, &INSERT_UNKNOWN, params, error);
}

/* ---- reading ---- */

static struct summary_row read_summary(const struct db_row *row)
{
    bool deleted = !db_row_is_null(row, 12);
    return (struct summary_row){
        .booking =
            {
                .booking_id = db_row_uuid(row, 0),
                .customer_id = db_row_text(row, 1),
                .customer_name = db_row_text(row, 2),
                .hospital_id = db_row_uuid(row, 3),
                .day = db_row_date(row, 4),
                .headcount = (uint32_t)db_row_int(row, 5),
                .status = (enum booking_status)db_row_int(row, 6),
                .status_reason = db_row_text(row, 7),
                .created_at_us = db_row_int(row, 8),
                .updated_at_us = db_row_int(row, 9),
                .version = (uint64_t)db_row_int(row, 10),
            },
        .hospital_name = db_row_text(row, 11),
        .deletion = {deleted, deleted ? db_row_date(row, 12) : 0},
    };
}

/* The callback for the rows; only the one that the statement uses is set. */
struct receiver {
    store_summary_fn summary;
    store_entry_fn entry;
    void *context;
};

static enum status take_history(void *context, const struct db_row *row)
{
    const struct receiver *receiver = context;
    const struct summary_row summary = read_summary(row);
    const struct entry_row entry = {
        .booking_id = summary.booking.booking_id,
        .version = (uint64_t)db_row_int(row, SUMMARY_COLUMN_COUNT),
        .event_id = db_row_uuid(row, SUMMARY_COLUMN_COUNT + 1),
        .status = (enum booking_status)db_row_int(row, SUMMARY_COLUMN_COUNT + 2),
        .reason = db_row_text(row, SUMMARY_COLUMN_COUNT + 3),
        .occurred_at_us = db_row_int(row, SUMMARY_COLUMN_COUNT + 4),
        .source = db_row_text(row, SUMMARY_COLUMN_COUNT + 5),
        .seq = (uint64_t)db_row_int(row, SUMMARY_COLUMN_COUNT + 6),
    };
    return receiver->entry(receiver->context, &summary, &entry);
}

enum status store_load_history(struct db *db, const struct uuid *booking_id, store_entry_fn found,
                               void *context, struct error *error)
{
    struct receiver receiver = {.entry = found, .context = context};
    struct db_params *params = db_params_create();
    if (params == NULL)
        return no_memory(error);
    db_params_uuid(params, booking_id);
    db_params_end_row(params);
    enum status status = db_run(db, &LOAD_HISTORY, params, take_history, &receiver, error);
    db_params_destroy(params);
    return status;
}

static enum status take_summary(void *context, const struct db_row *row)
{
    const struct receiver *receiver = context;
    const struct summary_row summary = read_summary(row);
    return receiver->summary(receiver->context, &summary);
}

enum status store_list_customer(struct db *db, const struct customer_filter *filter,
                                const struct customer_position *after, uint32_t limit, store_summary_fn found,
                                void *context, struct error *error)
{
    struct receiver receiver = {.summary = found, .context = context};
    struct db_params *params = db_params_create();
    if (params == NULL)
        return no_memory(error);
    db_params_text(params, filter->customer_id);
    db_params_int(params, after->created_at_us);
    db_params_uuid(params, &after->booking_id);
    db_params_date(params, filter->from_day);
    db_params_date(params, filter->to_day);
    db_params_int(params, filter->status);
    db_params_int(params, limit);
    db_params_end_row(params);
    enum status status = db_run(db, &LIST_CUSTOMER, params, take_summary, &receiver, error);
    db_params_destroy(params);
    return status;
}
