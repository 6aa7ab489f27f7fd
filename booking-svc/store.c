#include "store.h"

#include <string.h>

#include "db/migrate.h"

/* The scripts in migrations/, listed by the build. */
extern const struct db_migration BOOKING_MIGRATIONS[];
extern const size_t BOOKING_MIGRATION_COUNT;

/* The column order of all statements that return bookings; read_booking depends on it. */
#define BOOKING_COLUMNS                                                                                      \
    "booking_id, customer_id, customer_name, hospital_id, date, headcount, status, status_reason, "          \
    "created_at_us, updated_at_us, version, content_hash, queue_if_unavailable, announced"

static const struct db_statement LOAD_BOOKINGS = {
    .name = "load_bookings",
    .sql = "SELECT " BOOKING_COLUMNS " FROM booking WHERE booking_id = $1",
    .postgresql_set = "SELECT " BOOKING_COLUMNS " FROM booking WHERE booking_id = ANY($1::uuid[])",
};

static const struct db_statement INSERT_BOOKINGS = {
    .name = "insert_bookings",
    .sql = "INSERT INTO booking (" BOOKING_COLUMNS ") "
           "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
    .postgresql_set =
        "INSERT INTO booking (" BOOKING_COLUMNS ") SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], "
        "$4::uuid[], $5::date[], $6::int8[], $7::int8[], $8::text[], $9::int8[], $10::int8[], $11::int8[], "
        "$12::bytea[], $13::int8[], $14::int8[])",
};

static const struct db_statement UPDATE_BOOKINGS = {
    .name = "update_bookings",
    .sql = "UPDATE booking SET status = $2, status_reason = $3, updated_at_us = $4, version = $5, announced "
           "= $6 "
           "WHERE booking_id = $1",
    .postgresql_set =
        "UPDATE booking SET status = n.status, status_reason = n.status_reason, updated_at_us = "
        "n.updated_at_us, "
        "version = n.version, announced = n.announced FROM unnest($1::uuid[], $2::int8[], $3::text[], "
        "$4::int8[], "
        "$5::int8[], $6::int8[]) AS n (booking_id, status, status_reason, updated_at_us, version, announced) "
        "WHERE booking.booking_id = n.booking_id",
};

static const struct db_statement LIST_BY_CUSTOMER = {
    .name = "list_by_customer",
    .sql = "SELECT " BOOKING_COLUMNS " FROM booking WHERE customer_id = $1 AND booking_id > $2 "
           "AND ($3 = 0 OR status = $3) ORDER BY booking_id LIMIT $4",
};

static const struct db_statement LIST_BY_CUSTOMER_DAY = {
    .name = "list_by_customer_day",
    .sql = "SELECT " BOOKING_COLUMNS " FROM booking WHERE customer_id = $1 AND booking_id > $2 "
           "AND ($3 = 0 OR status = $3) AND date = $5 ORDER BY booking_id LIMIT $4",
};

static const struct db_statement LIST_BY_HOSPITAL = {
    .name = "list_by_hospital",
    .sql = "SELECT " BOOKING_COLUMNS " FROM booking WHERE hospital_id = $1 AND booking_id > $2 "
           "AND ($3 = 0 OR status = $3) ORDER BY booking_id LIMIT $4",
};

static const struct db_statement LIST_BY_HOSPITAL_DAY = {
    .name = "list_by_hospital_day",
    .sql = "SELECT " BOOKING_COLUMNS " FROM booking WHERE hospital_id = $1 AND booking_id > $2 "
           "AND ($3 = 0 OR status = $3) AND date = $5 ORDER BY booking_id LIMIT $4",
};

static const struct db_statement LIST_REQUESTED = {
    .name = "list_requested",
    .sql = "SELECT " BOOKING_COLUMNS " FROM booking WHERE status = 1 AND announced = $1 "
           "AND (created_at_us, booking_id) > ($2, $3) ORDER BY created_at_us, booking_id LIMIT $4",
};

static const struct db_statement COUNT_REQUESTED = {
    .name = "count_requested",
    .sql = "SELECT count(*) FROM booking WHERE status = 1",
};

/* MATERIALIZED keeps the planner from scanning all bookings in order of id for the few unannounced ones. */
static const struct db_statement LIST_UNANNOUNCED = {
    .name = "list_unannounced",
    .sql = "WITH unannounced AS MATERIALIZED (SELECT " BOOKING_COLUMNS " FROM booking "
           "WHERE status = 1 AND announced = 0) "
           "SELECT " BOOKING_COLUMNS " FROM unannounced WHERE booking_id > $1 ORDER BY booking_id LIMIT $2",
};

static const struct db_statement LIST_LIVE = {
    .name = "list_live",
    .sql = "SELECT " BOOKING_COLUMNS " FROM booking WHERE hospital_id = $1 AND booking_id > $2 "
           "AND status IN (1, 2) ORDER BY booking_id LIMIT $3",
};

static const struct db_statement LOAD_DELETIONS = {
    .name = "load_deletions",
    .sql = "SELECT hospital_id, day, next_booking_id, done FROM hospital_deletion WHERE hospital_id = $1",
    .postgresql_set = "SELECT hospital_id, day, next_booking_id, done FROM hospital_deletion "
                      "WHERE hospital_id = ANY($1::uuid[])",
};

static const struct db_statement LIST_UNFINISHED_DELETIONS = {
    .name = "list_unfinished_deletions",
    .sql = "SELECT hospital_id, day, next_booking_id, done FROM hospital_deletion WHERE done = 0 "
           "ORDER BY hospital_id LIMIT $1",
};

static const struct db_statement LIST_DELETIONS = {
    .name = "list_deletions",
    .sql = "SELECT hospital_id, day, next_booking_id, done FROM hospital_deletion WHERE hospital_id > $1 "
           "ORDER BY hospital_id LIMIT $2",
};

static const struct db_statement SAVE_DELETIONS = {
    .name = "save_deletions",
    .sql = "INSERT INTO hospital_deletion (hospital_id, day, next_booking_id, done) VALUES ($1, $2, $3, $4) "
           "ON CONFLICT (hospital_id) DO UPDATE SET next_booking_id = excluded.next_booking_id, "
           "done = excluded.done",
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
    copy->customer_id = arena_strdup(arena, booking->customer_id);
    copy->customer_name = arena_strdup(arena, booking->customer_name);
    copy->status_reason = arena_strdup(arena, booking->status_reason);
    if (copy->customer_id == NULL || copy->customer_name == NULL || copy->status_reason == NULL)
        return NULL;
    return copy;
}

struct found_booking {
    store_booking_fn found;
    void *context;
};

static enum status read_booking(void *context, const struct db_row *row)
{
    const struct found_booking *receiver = context;
    struct booking booking = {
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
        .queue_if_unavailable = db_row_int(row, 12) != 0,
        .announced = db_row_int(row, 13) != 0,
    };
    size_t size = 0;
    const void *hash = db_row_bytes(row, 11, &size);
    if (size == BOOKING_HASH_BYTES)
        memcpy(booking.content_hash, hash, BOOKING_HASH_BYTES);
    return receiver->found(receiver->context, &booking);
}

/* Runs a statement that returns bookings, and frees `params`. */
static enum status run_bookings(struct db *db, const struct db_statement *statement, struct db_params *params,
                                store_booking_fn found, void *context, struct error *error)
{
    struct found_booking receiver = {found, context};
    enum status status = db_run(db, statement, params, read_booking, &receiver, error);
    db_params_destroy(params);
    return status;
}

static enum status no_memory(struct error *error)
{
    return error_set(error, STATUS_UNAVAILABLE, NULL, "out of memory");
}

static struct db_params *id_params(const struct uuid *ids, size_t count)
{
    struct db_params *params = db_params_create();
    for (size_t i = 0; params != NULL && i < count; i++) {
        db_params_uuid(params, &ids[i]);
        db_params_end_row(params);
    }
    return params;
}

enum status store_load_bookings(struct db *db, const struct uuid *ids, size_t count, store_booking_fn found,
                                void *context, struct error *error)
{
    struct db_params *params = id_params(ids, count);
    if (params == NULL)
        return no_memory(error);
    return run_bookings(db, &LOAD_BOOKINGS, params, found, context, error);
}

static void add_insert_row(struct db_params *params, const struct booking *booking)
{
    db_params_uuid(params, &booking->booking_id);
    db_params_text(params, booking->customer_id);
    db_params_text(params, booking->customer_name);
    db_params_uuid(params, &booking->hospital_id);
    db_params_date(params, booking->day);
    db_params_int(params, booking->headcount);
    db_params_int(params, booking->status);
    db_params_text(params, booking->status_reason);
    db_params_int(params, booking->created_at_us);
    db_params_int(params, booking->updated_at_us);
    db_params_int(params, (int64_t)booking->version);
    db_params_bytes(params, booking->content_hash, BOOKING_HASH_BYTES);
    db_params_int(params, booking->queue_if_unavailable);
    db_params_int(params, booking->announced);
    db_params_end_row(params);
}

static void add_update_row(struct db_params *params, const struct booking *booking)
{
    db_params_uuid(params, &booking->booking_id);
    db_params_int(params, booking->status);
    db_params_text(params, booking->status_reason);
    db_params_int(params, booking->updated_at_us);
    db_params_int(params, (int64_t)booking->version);
    db_params_int(params, booking->announced);
    db_params_end_row(params);
}

static enum status write_bookings(struct db *db, const struct db_statement *statement,
                                  void (*add_row)(struct db_params *, const struct booking *),
                                  struct booking *const *bookings, size_t count, struct error *error)
{
    if (count == 0)
        return STATUS_OK;
    struct db_params *params = db_params_create();
    if (params == NULL)
        return no_memory(error);
    for (size_t i = 0; i < count; i++)
        add_row(params, bookings[i]);
    enum status status = db_run(db, statement, params, NULL, NULL, error);
    db_params_destroy(params);
    return status;
}

enum status store_insert_bookings(struct db *db, struct booking *const *bookings, size_t count,
                                  struct error *error)
{
    return write_bookings(db, &INSERT_BOOKINGS, add_insert_row, bookings, count, error);
}

enum status store_update_bookings(struct db *db, struct booking *const *bookings, size_t count,
                                  struct error *error)
{
    return write_bookings(db, &UPDATE_BOOKINGS, add_update_row, bookings, count, error);
}

enum status store_list_bookings(struct db *db, const struct booking_filter *filter, const struct uuid *after,
                                uint32_t limit, store_booking_fn found, void *context, struct error *error)
{
    const struct db_statement *statement;
    struct db_params *params = db_params_create();
    if (params == NULL)
        return no_memory(error);
    if (filter->customer_id != NULL) {
        statement = filter->has_day ? &LIST_BY_CUSTOMER_DAY : &LIST_BY_CUSTOMER;
        db_params_text(params, filter->customer_id);
    } else {
        statement = filter->has_day ? &LIST_BY_HOSPITAL_DAY : &LIST_BY_HOSPITAL;
        db_params_uuid(params, &filter->hospital_id);
    }
    db_params_uuid(params, after);
    db_params_int(params, filter->status);
    db_params_int(params, limit);
    if (filter->has_day)
        db_params_date(params, filter->day);
    db_params_end_row(params);
    return run_bookings(db, statement, params, found, context, error);
}

enum status store_list_requested(struct db *db, const struct requested_filter *filter, uint32_t limit,
                                 store_booking_fn found, void *context, struct error *error)
{
    struct db_params *params = db_params_create();
    if (params == NULL)
        return no_memory(error);
    db_params_int(params, filter->announced);
    db_params_int(params, filter->after_us);
    db_params_uuid(params, &filter->after);
    db_params_int(params, limit);
    db_params_end_row(params);
    return run_bookings(db, &LIST_REQUESTED, params, found, context, error);
}

enum status store_list_unannounced(struct db *db, const struct uuid *after, uint32_t limit,
                                   store_booking_fn found, void *context, struct error *error)
{
    struct db_params *params = db_params_create();
    if (params == NULL)
        return no_memory(error);
    db_params_uuid(params, after);
    db_params_int(params, limit);
    db_params_end_row(params);
    return run_bookings(db, &LIST_UNANNOUNCED, params, found, context, error);
}

static enum status read_count(void *context, const struct db_row *row)
{
    *(int64_t *)context = db_row_int(row, 0);
    return STATUS_OK;
}

enum status store_count_requested(struct db *db, int64_t *out, struct error *error)
{
    return db_run(db, &COUNT_REQUESTED, NULL, read_count, out, error);
}

enum status store_list_live(struct db *db, const struct uuid *hospital_id, const struct uuid *after,
                            uint32_t limit, store_booking_fn found, void *context, struct error *error)
{
    struct db_params *params = db_params_create();
    if (params == NULL)
        return no_memory(error);
    db_params_uuid(params, hospital_id);
    db_params_uuid(params, after);
    db_params_int(params, limit);
    db_params_end_row(params);
    return run_bookings(db, &LIST_LIVE, params, found, context, error);
}

struct found_deletion {
    store_deletion_fn found;
    void *context;
};

static enum status read_deletion(void *context, const struct db_row *row)
{
    const struct found_deletion *receiver = context;
    struct hospital_deletion deletion = {
        .hospital_id = db_row_uuid(row, 0),
        .day = db_row_date(row, 1),
        .next_booking_id = db_row_uuid(row, 2),
        .done = db_row_int(row, 3) != 0,
    };
    return receiver->found(receiver->context, &deletion);
}

enum status store_load_deletions(struct db *db, const struct uuid *hospital_ids, size_t count,
                                 store_deletion_fn found, void *context, struct error *error)
{
    struct found_deletion receiver = {found, context};
    struct db_params *params = id_params(hospital_ids, count);
    if (params == NULL)
        return no_memory(error);
    enum status status = db_run(db, &LOAD_DELETIONS, params, read_deletion, &receiver, error);
    db_params_destroy(params);
    return status;
}

enum status store_list_unfinished_deletions(struct db *db, uint32_t limit, store_deletion_fn found,
                                            void *context, struct error *error)
{
    struct found_deletion receiver = {found, context};
    struct db_params *params = db_params_create();
    if (params == NULL)
        return no_memory(error);
    db_params_int(params, limit);
    db_params_end_row(params);
    enum status status = db_run(db, &LIST_UNFINISHED_DELETIONS, params, read_deletion, &receiver, error);
    db_params_destroy(params);
    return status;
}

enum status store_list_deletions(struct db *db, const struct uuid *after, uint32_t limit,
                                 store_deletion_fn found, void *context, struct error *error)
{
    struct found_deletion receiver = {found, context};
    struct db_params *params = db_params_create();
    if (params == NULL)
        return no_memory(error);
    db_params_uuid(params, after);
    db_params_int(params, limit);
    db_params_end_row(params);
    enum status status = db_run(db, &LIST_DELETIONS, params, read_deletion, &receiver, error);
    db_params_destroy(params);
    return status;
}

enum status store_save_deletions(struct db *db, struct hospital_deletion *const *deletions, size_t count,
                                 struct error *error)
{
    if (count == 0)
        return STATUS_OK;
    struct db_params *params = db_params_create();
    if (params == NULL)
        return no_memory(error);
    for (size_t i = 0; i < count; i++) {
        db_params_uuid(params, &deletions[i]->hospital_id);
        db_params_date(params, deletions[i]->day);
        db_params_uuid(params, &deletions[i]->next_booking_id);
        db_params_int(params, deletions[i]->done);
        db_params_end_row(params);
    }
    enum status status = db_run(db, &SAVE_DELETIONS, params, NULL, NULL, error);
    db_params_destroy(params);
    return status;
}

enum status store_forget_deletions(struct db *db, struct error *error)
{
    return db_run(db, &FORGET_DELETIONS, NULL, NULL, NULL, error);
}
