#include "store.h"

#include "db/db_table.h"
#include "db/migrate.h"

/* The scripts in migrations/. The build generates the array. */
extern const struct db_migration BOOKING_MIGRATIONS[];
extern const size_t BOOKING_MIGRATION_COUNT;

static const struct db_column BOOKING_COLUMNS[] = {
    DB_COLUMN(struct booking, booking_id, UUID, DB_KEY),
    DB_COLUMN(struct booking, customer_id, TEXT, DB_FIXED),
    DB_COLUMN(struct booking, customer_name, TEXT, DB_FIXED),
    DB_COLUMN(struct booking, hospital_id, UUID, DB_FIXED),
    DB_COLUMN_AS("date", struct booking, day, DATE, DB_FIXED),
    DB_COLUMN_IN(struct booking, headcount, DB_FIXED, 0, INT32_MAX),
    DB_COLUMN_IN(struct booking, status, DB_CHANGES, SCREENING__V1__BOOKING_STATUS__REQUESTED,
                 SCREENING__V1__BOOKING_STATUS__FORCE_CANCELLED),
    DB_COLUMN(struct booking, status_reason, TEXT, DB_CHANGES),
    DB_COLUMN(struct booking, created_at_us, INT, DB_FIXED),
    DB_COLUMN(struct booking, updated_at_us, INT, DB_CHANGES),
    DB_COLUMN_IN(struct booking, version, DB_CHANGES, 1, INT64_MAX),
    DB_COLUMN_WITH("first_content", struct booking, first_content, BYTES, DB_FIXED, has_first_content),
    DB_COLUMN(struct booking, queue_if_unavailable, INT, DB_FIXED),
    DB_COLUMN(struct booking, announced, INT, DB_CHANGES),
};
static const struct db_table BOOKING = DB_TABLE("booking", BOOKING_COLUMNS);

static const struct db_column DELETION_COLUMNS[] = {
    DB_COLUMN(struct hospital_deletion, hospital_id, UUID, DB_KEY),
    DB_COLUMN(struct hospital_deletion, day, DATE, DB_FIXED),
    DB_COLUMN(struct hospital_deletion, next_booking_id, UUID, DB_CHANGES),
    DB_COLUMN(struct hospital_deletion, done, INT, DB_CHANGES),
};
static const struct db_table DELETION = DB_TABLE("hospital_deletion", DELETION_COLUMNS);

static const struct db_statement LOAD_BOOKINGS = {
    .name = "load_bookings",
    DB_LOAD("booking"),
    .tables = {&BOOKING},
};

static const struct db_statement INSERT_BOOKINGS = {
    .name = "insert_bookings",
    DB_INSERT("booking"),
    .tables = {&BOOKING},
};

static const struct db_statement UPDATE_BOOKINGS = {
    .name = "update_bookings",
    DB_UPDATE("booking", "booking_id"),
    .tables = {&BOOKING},
};

/* Selects a page of bookings in order of id. Status 0 means any status. $5 is the day. */
#define LIST_WHERE(condition)                                                                                \
    "SELECT {booking} FROM booking WHERE " condition " AND booking_id > $2 AND ($3 = 0 OR status = $3)"      \
    " ORDER BY booking_id LIMIT $4"

static const struct db_statement LIST_BY_CUSTOMER = {
    .name = "list_by_customer",
    .sql = LIST_WHERE("customer_id = $1"),
    .tables = {&BOOKING},
};

static const struct db_statement LIST_BY_CUSTOMER_DAY = {
    .name = "list_by_customer_day",
    .sql = LIST_WHERE("customer_id = $1 AND date = $5"),
    .tables = {&BOOKING},
};

static const struct db_statement LIST_BY_HOSPITAL = {
    .name = "list_by_hospital",
    .sql = LIST_WHERE("hospital_id = $1"),
    .tables = {&BOOKING},
};

static const struct db_statement LIST_BY_HOSPITAL_DAY = {
    .name = "list_by_hospital_day",
    .sql = LIST_WHERE("hospital_id = $1 AND date = $5"),
    .tables = {&BOOKING},
};

static const struct db_statement LIST_REQUESTED = {
    .name = "list_requested",
    .sql = "SELECT {booking} FROM booking WHERE status = 1 AND announced = $1 "
           "AND (created_at_us, booking_id) > ($2, $3) ORDER BY created_at_us, booking_id LIMIT $4",
    .tables = {&BOOKING},
};

static const struct db_statement COUNT_REQUESTED = {
    .name = "count_requested",
    .sql = "SELECT count(*) FROM booking WHERE status = 1",
};

/* MATERIALIZED prevents the planner from scanning all bookings by id to find the few unannounced ones. */
static const struct db_statement LIST_UNANNOUNCED = {
    .name = "list_unannounced",
    .sql = "WITH unannounced AS MATERIALIZED (SELECT {booking} FROM booking "
           "WHERE status = 1 AND announced = 0) "
           "SELECT {booking} FROM unannounced WHERE booking_id > $1 ORDER BY booking_id LIMIT $2",
    .tables = {&BOOKING},
};

static const struct db_statement LIST_LIVE = {
    .name = "list_live",
    .sql = "SELECT {booking} FROM booking WHERE hospital_id = $1 AND booking_id > $2 "
           "AND status IN (1, 2) ORDER BY booking_id LIMIT $3",
    .tables = {&BOOKING},
};

static const struct db_statement LOAD_DELETIONS = {
    .name = "load_deletions",
    DB_LOAD("hospital_deletion"),
    .tables = {&DELETION},
};

static const struct db_statement LIST_UNFINISHED_DELETIONS = {
    .name = "list_unfinished_deletions",
    .sql = "SELECT {hospital_deletion} FROM hospital_deletion WHERE done = 0 ORDER BY hospital_id LIMIT $1",
    .tables = {&DELETION},
};

static const struct db_statement LIST_DELETIONS = {
    .name = "list_deletions",
    .sql = "SELECT {hospital_deletion} FROM hospital_deletion WHERE hospital_id > $1 "
           "ORDER BY hospital_id LIMIT $2",
    .tables = {&DELETION},
};

static const struct db_statement SAVE_DELETIONS = {
    .name = "save_deletions",
    .sql = "INSERT INTO hospital_deletion ({hospital_deletion}) VALUES ({hospital_deletion values}) "
           "ON CONFLICT (hospital_id) DO UPDATE SET {hospital_deletion set excluded}",
    .tables = {&DELETION},
};

static const struct db_statement FORGET_DELETIONS = {
    .name = "forget_deletions",
    .sql = "DELETE FROM hospital_deletion",
};

enum status store_migrate(struct db *db, struct error *error)
{
    return db_migrate(db, "booking", BOOKING_MIGRATIONS, BOOKING_MIGRATION_COUNT, error);
}

struct booking *store_copy_booking(struct arena *arena, const struct booking *booking)
{
    struct booking *copy = arena_alloc(arena, sizeof *copy);
    if (copy == NULL)
        return NULL;
    *copy = *booking;
    return db_table_keep(&BOOKING, copy, arena) ? copy : NULL;
}

struct found_booking {
    store_booking_fn found;
    void *context;
};

static enum status read_booking(void *context, const struct db_row *row)
{
    const struct found_booking *receiver = context;
    struct booking booking = {0};
    (void)db_row_record(row, 0, &BOOKING, &booking);
    return db_row_is_sound(row) ? receiver->found(receiver->context, &booking) : STATUS_INTERNAL;
}

/* Runs a statement that returns bookings. */
static enum status run_bookings(struct db *db, const struct db_statement *statement,
                                const struct db_params *params, store_booking_fn found, void *context,
                                struct error *error)
{
    struct found_booking receiver = {found, context};
    return db_run(db, statement, params, read_booking, &receiver, error);
}

enum status store_load_bookings(struct db *db, const struct uuid *ids, size_t count, store_booking_fn found,
                                void *context, struct error *error)
{
    struct found_booking receiver = {found, context};
    return db_run_uuids(db, &LOAD_BOOKINGS, ids, count, read_booking, &receiver, error);
}

enum status store_insert_bookings(struct db *db, struct booking *const *bookings, size_t count,
                                  struct error *error)
{
    return db_run_records(db, &INSERT_BOOKINGS, db_params_record, &BOOKING, (void *const *)bookings, count,
                          error);
}

enum status store_update_bookings(struct db *db, struct booking *const *bookings, size_t count,
                                  struct error *error)
{
    return db_run_records(db, &UPDATE_BOOKINGS, db_params_changed, &BOOKING, (void *const *)bookings, count,
                          error);
}

enum status store_list_bookings(struct db *db, const struct booking_filter *filter, const struct uuid *after,
                                uint32_t limit, store_booking_fn found, void *context, struct error *error)
{
    const bool by_customer = filter->customer_id != NULL;
    const struct db_value owner = by_customer ? db_text(filter->customer_id) : db_uuid(&filter->hospital_id);
    if (!filter->has_day)
        return run_bookings(db, by_customer ? &LIST_BY_CUSTOMER : &LIST_BY_HOSPITAL,
                            DB_ROW(owner, db_uuid(after), db_int(filter->status), db_int(limit)), found,
                            context, error);
    return run_bookings(
        db, by_customer ? &LIST_BY_CUSTOMER_DAY : &LIST_BY_HOSPITAL_DAY,
        DB_ROW(owner, db_uuid(after), db_int(filter->status), db_int(limit), db_date(filter->day)), found,
        context, error);
}

enum status store_list_requested(struct db *db, const struct requested_filter *filter, uint32_t limit,
                                 store_booking_fn found, void *context, struct error *error)
{
    return run_bookings(
        db, &LIST_REQUESTED,
        DB_ROW(db_int(filter->announced), db_int(filter->after_us), db_uuid(&filter->after), db_int(limit)),
        found, context, error);
}

enum status store_list_unannounced(struct db *db, const struct uuid *after, uint32_t limit,
                                   store_booking_fn found, void *context, struct error *error)
{
    return run_bookings(db, &LIST_UNANNOUNCED, DB_ROW(db_uuid(after), db_int(limit)), found, context, error);
}

enum status store_count_requested(struct db *db, int64_t *out, struct error *error)
{
    return db_run(db, &COUNT_REQUESTED, NULL, db_take_int, out, error);
}

enum status store_list_live(struct db *db, const struct uuid *hospital_id, const struct uuid *after,
                            uint32_t limit, store_booking_fn found, void *context, struct error *error)
{
    return run_bookings(db, &LIST_LIVE, DB_ROW(db_uuid(hospital_id), db_uuid(after), db_int(limit)), found,
                        context, error);
}

struct found_deletion {
    store_deletion_fn found;
    void *context;
};

static enum status read_deletion(void *context, const struct db_row *row)
{
    const struct found_deletion *receiver = context;
    struct hospital_deletion deletion;
    (void)db_row_record(row, 0, &DELETION, &deletion);
    return db_row_is_sound(row) ? receiver->found(receiver->context, &deletion) : STATUS_INTERNAL;
}

enum status store_load_deletions(struct db *db, const struct uuid *hospital_ids, size_t count,
                                 store_deletion_fn found, void *context, struct error *error)
{
    struct found_deletion receiver = {found, context};
    return db_run_uuids(db, &LOAD_DELETIONS, hospital_ids, count, read_deletion, &receiver, error);
}

enum status store_list_unfinished_deletions(struct db *db, uint32_t limit, store_deletion_fn found,
                                            void *context, struct error *error)
{
    struct found_deletion receiver = {found, context};
    return db_run(db, &LIST_UNFINISHED_DELETIONS, DB_ROW(db_int(limit)), read_deletion, &receiver, error);
}

enum status store_list_deletions(struct db *db, const struct uuid *after, uint32_t limit,
                                 store_deletion_fn found, void *context, struct error *error)
{
    struct found_deletion receiver = {found, context};
    return db_run(db, &LIST_DELETIONS, DB_ROW(db_uuid(after), db_int(limit)), read_deletion, &receiver,
                  error);
}

enum status store_save_deletions(struct db *db, struct hospital_deletion *const *deletions, size_t count,
                                 struct error *error)
{
    return db_run_records(db, &SAVE_DELETIONS, db_params_record, &DELETION, (void *const *)deletions, count,
                          error);
}

enum status store_forget_deletions(struct db *db, struct error *error)
{
    return db_run(db, &FORGET_DELETIONS, NULL, NULL, NULL, error);
}
