#include "store.h"

#include "db/db_table.h"
#include "db/migrate.h"

static const struct db_column BOOKING_COLUMNS[] = {
    DB_COLUMN(struct booking_row, booking_id, UUID, DB_KEY),
    DB_COLUMN_AS("customer_id", struct booking_row, message.customer_id, TEXT, DB_CHANGES),
    DB_COLUMN_AS("customer_name", struct booking_row, message.customer_name, TEXT, DB_CHANGES),
    DB_COLUMN(struct booking_row, hospital_id, UUID, DB_CHANGES),
    DB_COLUMN_AS("date", struct booking_row, day, DATE, DB_CHANGES),
    DB_COLUMN_AS("headcount", struct booking_row, message.headcount, INT, DB_CHANGES),
    DB_COLUMN_IN_AS("status", struct booking_row, message.status, DB_CHANGES,
                    SCREENING__V1__BOOKING_STATUS__REQUESTED, SCREENING__V1__BOOKING_STATUS__FORCE_CANCELLED),
    DB_COLUMN_AS("status_reason", struct booking_row, message.status_reason, TEXT, DB_CHANGES),
    DB_COLUMN(struct booking_row, created_at_us, INT, DB_CHANGES),
    DB_COLUMN(struct booking_row, updated_at_us, INT, DB_CHANGES),
    DB_COLUMN_AS("version", struct booking_row, message.version, INT, DB_CHANGES),
};
static const struct db_table BOOKING = DB_TABLE("booking_summary", BOOKING_COLUMNS);

static const struct db_column ENTRY_COLUMNS[] = {
    DB_COLUMN(struct entry_row, booking_id, UUID, DB_KEY),
    DB_COLUMN(struct entry_row, version, INT, DB_KEY),
    DB_COLUMN(struct entry_row, event_id, UUID, DB_KEY),
    DB_COLUMN_IN(struct entry_row, status, DB_FIXED, SCREENING__V1__BOOKING_STATUS__REQUESTED,
                 SCREENING__V1__BOOKING_STATUS__FORCE_CANCELLED),
    DB_COLUMN(struct entry_row, reason, TEXT, DB_FIXED),
    DB_COLUMN(struct entry_row, occurred_at_us, INT, DB_FIXED),
    DB_COLUMN(struct entry_row, source, TEXT, DB_FIXED),
    DB_COLUMN(struct entry_row, seq, INT, DB_FIXED),
};
static const struct db_table ENTRY = DB_TABLE("timeline_entry", ENTRY_COLUMNS);

static const struct db_column HOSPITAL_COLUMNS[] = {
    DB_COLUMN(struct hospital_row, hospital_id, UUID, DB_KEY),
    DB_COLUMN(struct hospital_row, name, TEXT, DB_CHANGES),
    DB_COLUMN(struct hospital_row, address, TEXT, DB_CHANGES),
    DB_COLUMN_WITH("deleted_day", struct hospital_row, deletion.day, DATE, DB_CHANGES, deletion.deleted),
    DB_COLUMN_WITH("deleted_at_us", struct hospital_row, deleted_at_us, INT, DB_CHANGES, deletion.deleted),
};
static const struct db_table HOSPITAL = DB_TABLE("hospital", HOSPITAL_COLUMNS);

static const struct db_column UNKNOWN_COLUMNS[] = {
    DB_COLUMN(struct unknown_row, log, TEXT, DB_KEY),
    DB_COLUMN(struct unknown_row, seq, INT, DB_KEY),
    DB_COLUMN(struct unknown_row, event_id, UUID, DB_FIXED),
    DB_COLUMN(struct unknown_row, type, TEXT, DB_FIXED),
    DB_COLUMN_WITH("event", struct unknown_row, event, BYTES, DB_FIXED, event_size),
};
static const struct db_table UNKNOWN = DB_TABLE("unknown_event", UNKNOWN_COLUMNS);

static const struct db_statement SAVE_BOOKINGS = {
    .name = "save_bookings",
    .postgresql_set =
        "INSERT INTO booking_summary ({booking_summary}) SELECT * FROM unnest({booking_summary arrays}) "
        "ON CONFLICT (booking_id) DO UPDATE SET {booking_summary set excluded} "
        "WHERE excluded.version > booking_summary.version",
    .tables = {&BOOKING},
};

static const struct db_statement OPEN_MONTH = {
    .name = "open_month",
    .sql = "SELECT from_us, to_us FROM open_timeline_month($1)",
};

static const struct db_statement INSERT_ENTRIES = {
    .name = "insert_entries",
    .postgresql_set = DB_INSERT_POSTGRESQL_SET("timeline_entry"),
    .tables = {&ENTRY},
};

static const struct db_statement INSERT_MISSING_ENTRIES = {
    .name = "insert_missing_entries",
    .postgresql_set = DB_INSERT_POSTGRESQL_SET("timeline_entry") " ON CONFLICT DO NOTHING",
    .tables = {&ENTRY},
};

static const struct db_statement SAVE_HOSPITALS = {
    .name = "save_hospitals",
    .postgresql_set =
        "INSERT INTO hospital ({hospital}) SELECT * FROM unnest({hospital arrays}) "
        "ON CONFLICT (hospital_id) DO UPDATE SET "
        "name = CASE WHEN excluded.name <> '' THEN excluded.name ELSE hospital.name END, "
        "address = CASE WHEN excluded.address <> '' THEN excluded.address ELSE hospital.address END, "
        "deleted_day = COALESCE(hospital.deleted_day, excluded.deleted_day), "
        "deleted_at_us = COALESCE(hospital.deleted_at_us, excluded.deleted_at_us)",
    .tables = {&HOSPITAL},
};

static const struct db_statement INSERT_UNKNOWN = {
    .name = "insert_unknown",
    .postgresql_set = DB_INSERT_POSTGRESQL_SET("unknown_event") " ON CONFLICT DO NOTHING",
    .tables = {&UNKNOWN},
};

/* The columns of the hospital in a summary. They are null if the hospital is unknown. */
static const struct db_column SHOWN_COLUMNS[] = {
    DB_COLUMN_AS("name", struct summary_row, hospital_name, TEXT, DB_FIXED),
    DB_COLUMN_WITH("deleted_day", struct summary_row, deletion.day, DATE, DB_FIXED, deletion.deleted),
};
static const struct db_table SHOWN = DB_TABLE("hospital", SHOWN_COLUMNS);

/* The second condition repeats auth_caller_may_see. batch_test checks that both agree. */
static const struct db_statement LOAD_HISTORY = {
    .name = "load_history",
    .sql = "SELECT {booking_summary s}, {hospital h}, {timeline_entry t} "
           "FROM booking_summary s JOIN timeline_entry t ON t.booking_id = s.booking_id "
           "LEFT JOIN hospital h ON h.hospital_id = s.hospital_id WHERE s.booking_id = $1 "
           "AND ($2 = 1 OR s.customer_id = $3 OR s.hospital_id = ANY (string_to_array($4, ',')::uuid[])) "
           "ORDER BY t.version, t.seq",
    .tables = {&BOOKING, &SHOWN, &ENTRY},
};

/* The CASE repeats projection_view. batch_test checks that both agree. */
static const struct db_statement LIST_CUSTOMER = {
    .name = "list_customer",
    .sql = "SELECT {booking_summary s}, {hospital h} FROM booking_summary s "
           "LEFT JOIN hospital h ON h.hospital_id = s.hospital_id "
           "WHERE s.customer_id = $1 AND (s.created_at_us, s.booking_id) < ($2, $3) "
           "AND s.date BETWEEN $4 AND $5 AND ($6 = 0 OR "
           "CASE WHEN s.status IN (1, 2) AND s.date >= h.deleted_day THEN 5 ELSE s.status END = $6) "
           "ORDER BY s.created_at_us DESC, s.booking_id DESC LIMIT $7",
    .tables = {&BOOKING, &SHOWN},
};

enum status store_migrate(struct db *db, struct error *error)
{
    return db_migrate(db, "history", HISTORY_MIGRATIONS, HISTORY_MIGRATION_COUNT, error);
}

/* ---- writing ---- */

/* Runs a statement once with the `count` rows at `rows`, each of `row_size` bytes. */
static enum status write_rows(struct db *db, const struct db_statement *statement,
                              const struct db_table *table, const void *rows, size_t row_size, size_t count,
                              struct error *error)
{
    struct db_params *params = db_params_create();
    if (params == NULL)
        return error_no_memory(error);
    for (size_t i = 0; i < count; i++)
        db_params_record(params, table, (const char *)rows + i * row_size);
    enum status status = db_run(db, statement, params, NULL, NULL, error);
    db_params_destroy(params);
    return status;
}

enum status store_save_bookings(struct db *db, struct booking_row *const *rows, size_t count,
                                struct error *error)
{
    return db_run_records(db, &SAVE_BOOKINGS, db_params_record, &BOOKING, (void *const *)rows, count, error);
}

static enum status take_month(void *context, const struct db_row *row)
{
    *(struct timeline_month *)context = (struct timeline_month){db_row_int(row, 0), db_row_int(row, 1)};
    return STATUS_OK;
}

enum status store_open_month(struct db *db, int64_t instant_us, struct timeline_month *out,
                             struct error *error)
{
    return db_run(db, &OPEN_MONTH, DB_ROW(db_int(instant_us)), take_month, out, error);
}

enum status store_insert_entries(struct db *db, const struct entry_row *rows, size_t count, bool some_exist,
                                 struct error *error)
{
    return write_rows(db, some_exist ? &INSERT_MISSING_ENTRIES : &INSERT_ENTRIES, &ENTRY, rows, sizeof *rows,
                      count, error);
}

enum status store_save_hospitals(struct db *db, struct hospital_row *const *rows, size_t count,
                                 struct error *error)
{
    return db_run_records(db, &SAVE_HOSPITALS, db_params_record, &HOSPITAL, (void *const *)rows, count,
                          error);
}

enum status store_insert_unknown(struct db *db, const struct unknown_row *rows, size_t count,
                                 struct error *error)
{
    return write_rows(db, &INSERT_UNKNOWN, &UNKNOWN, rows, sizeof *rows, count, error);
}

/* ---- reading ---- */

bool store_keep_booking(struct booking_row *row, struct arena *arena)
{
    return db_table_keep(&BOOKING, row, arena);
}

/* Reads a summary. Returns the number of the column after the summary. */
static int read_summary(const struct db_row *row, struct summary_row *out)
{
    screening__v1__booking__init(&out->booking.message);
    int next = db_row_record(row, 0, &BOOKING, &out->booking);
    return db_row_record(row, next, &SHOWN, out);
}

/* The callbacks for the rows of a statement. Only the one that the statement needs is set. */
struct receiver {
    store_summary_fn summary;
    store_entry_fn entry;
    void *context;
};

static enum status take_history(void *context, const struct db_row *row)
{
    const struct receiver *receiver = context;
    struct summary_row summary;
    struct entry_row entry;
    int next = read_summary(row, &summary);
    (void)db_row_record(row, next, &ENTRY, &entry);
    return db_row_is_sound(row) ? receiver->entry(receiver->context, &summary, &entry) : STATUS_INTERNAL;
}

const struct booking_viewer STORE_SEES_ALL = {.sees_all = true, .hospital_ids = ""};

enum status store_viewer(const struct auth_caller *caller, struct arena *arena, struct booking_viewer *out,
                         struct error *error)
{
    const size_t count = (caller->roles & AUTH_STAFF) != 0 ? caller->scope_count : 0;
    char *ids = arena_alloc(arena, count * UUID_TEXT_SIZE + 1);
    if (ids == NULL)
        return error_no_memory(error);
    for (size_t i = 0; i < count; i++) {
        (void)uuid_format(&caller->scope[i], ids + i * UUID_TEXT_SIZE);
        ids[(i + 1) * UUID_TEXT_SIZE - 1] = ','; /* instead of the NUL */
    }
    ids[count > 0 ? count * UUID_TEXT_SIZE - 1 : 0] = '\0';
    *out = (struct booking_viewer){
        .sees_all = (caller->roles & (AUTH_ADMIN | AUTH_AUDITOR | AUTH_SERVICE)) != 0,
        .customer_id = (caller->roles & AUTH_CUSTOMER) != 0 ? caller->subject : NULL,
        .hospital_ids = ids,
    };
    return STATUS_OK;
}

enum status store_load_history(struct db *db, const struct uuid *booking_id,
                               const struct booking_viewer *viewer, store_entry_fn found, void *context,
                               struct error *error)
{
    struct receiver receiver = {.entry = found, .context = context};
    const struct db_value customer =
        viewer->customer_id != NULL ? db_text(viewer->customer_id) : (struct db_value){.type = DB_NULL};
    return db_run(
        db, &LOAD_HISTORY,
        DB_ROW(db_uuid(booking_id), db_int(viewer->sees_all), customer, db_text(viewer->hospital_ids)),
        take_history, &receiver, error);
}

static enum status take_summary(void *context, const struct db_row *row)
{
    const struct receiver *receiver = context;
    struct summary_row summary;
    (void)read_summary(row, &summary);
    return db_row_is_sound(row) ? receiver->summary(receiver->context, &summary) : STATUS_INTERNAL;
}

enum status store_list_customer(struct db *db, const struct customer_filter *filter,
                                const struct customer_position *after, uint32_t limit, store_summary_fn found,
                                void *context, struct error *error)
{
    struct receiver receiver = {.summary = found, .context = context};
    return db_run(db, &LIST_CUSTOMER,
                  DB_ROW(db_text(filter->customer_id), db_int(after->created_at_us),
                         db_uuid(&after->booking_id), db_date(filter->from_day), db_date(filter->to_day),
                         db_int(filter->status), db_int(limit)),
                  take_summary, &receiver, error);
}
