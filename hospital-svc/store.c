#include "store.h"

#include <string.h>

#include "events/event_log.h"

#define RESERVATION_COLUMNS "booking_id, hospital_id, date, headcount, state"
#define HOSPITAL_COLUMNS    "hospital_id, name, address, state, created_at_us, content"
#define DAY_COLUMNS         "hospital_id, date, capacity, reserved, version"

static const struct db_statement LOAD_RESERVATION = {
    .name = "load_reservation",
    .sql = "SELECT " RESERVATION_COLUMNS " FROM reservation WHERE booking_id = $1",
    .postgresql_set = "SELECT " RESERVATION_COLUMNS " FROM reservation WHERE booking_id = ANY ($1::uuid[])",
};

static const struct db_statement LOAD_HOSPITAL = {
    .name = "load_hospital",
    .sql = "SELECT " HOSPITAL_COLUMNS " FROM hospital WHERE hospital_id = $1",
    .postgresql_set = "SELECT " HOSPITAL_COLUMNS " FROM hospital WHERE hospital_id = ANY ($1::uuid[])",
};

static const struct db_statement LOAD_DAY = {
    .name = "load_day",
    .sql = "SELECT " DAY_COLUMNS " FROM screening_day WHERE hospital_id = $1 AND date = $2",
    .postgresql_set = "SELECT " DAY_COLUMNS " FROM screening_day"
                      " JOIN unnest($1::uuid[], $2::date[]) AS wanted (hospital_id, date)"
                      " USING (hospital_id, date)",
};

static const struct db_statement LOAD_DAYS_FROM = {
    .name = "load_days_from",
    .sql = "SELECT " DAY_COLUMNS " FROM screening_day WHERE hospital_id = $1 AND date >= $2",
    .postgresql_set = "SELECT d.hospital_id, d.date, capacity, reserved, version FROM screening_day d"
                      " JOIN unnest($1::uuid[], $2::date[]) AS wanted (hospital_id, date)"
                      " ON d.hospital_id = wanted.hospital_id AND d.date >= wanted.date",
};

static const struct db_statement SAVE_HOSPITAL = {
    .name = "save_hospital",
    .sql = "INSERT INTO hospital (" HOSPITAL_COLUMNS ") VALUES ($1, $2, $3, $4, $5, $6)"
           " ON CONFLICT (hospital_id) DO UPDATE SET state = excluded.state",
    .postgresql_set = "INSERT INTO hospital (" HOSPITAL_COLUMNS ")"
                      " SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::int8[], $5::int8[],"
                      " $6::bytea[]) ON CONFLICT (hospital_id) DO UPDATE SET state = excluded.state",
};

static const struct db_statement SAVE_DAY = {
    .name = "save_day",
    .sql = "INSERT INTO screening_day (" DAY_COLUMNS ") VALUES ($1, $2, $3, $4, $5)"
           " ON CONFLICT (hospital_id, date) DO UPDATE SET capacity = excluded.capacity,"
           " reserved = excluded.reserved, version = excluded.version",
    .postgresql_set = "INSERT INTO screening_day (" DAY_COLUMNS ")"
                      " SELECT * FROM unnest($1::uuid[], $2::date[], $3::int8[], $4::int8[], $5::int8[])"
                      " ON CONFLICT (hospital_id, date) DO UPDATE SET capacity = excluded.capacity,"
                      " reserved = excluded.reserved, version = excluded.version",
};

/* The head of the event log is locked, so no other replica counts at the same time. */
static const struct db_statement COUNT_COMMIT = {
    .name = "count_commit",
    .sql = "UPDATE commit_counter SET commit_no = commit_no + 1",
};

/* Number of the current commit, once COUNT_COMMIT has run. Statements select it themselves, which saves a
 * round trip. */
#define COMMIT_NO "(SELECT commit_no FROM commit_counter)"

const struct db_statement STORE_LOCK_HEAD = EVENT_LOCK_HEAD("commit_no", ", commit_counter");

#define SAVED_COLUMNS RESERVATION_COLUMNS ", taken_commit, released_commit"
/* A row stored as live keeps the commit in which it was taken. Any other stored row is saved again only when
 * its place is reinstated. */
#define ON_SAVED                                                                                             \
    " ON CONFLICT (booking_id) DO UPDATE SET hospital_id = excluded.hospital_id, date = excluded.date,"      \
    " headcount = excluded.headcount, state = excluded.state, taken_commit = CASE WHEN reservation.state"    \
    " = 1 THEN reservation.taken_commit ELSE excluded.taken_commit END,"                                     \
    " released_commit = excluded.released_commit"

/* taken_commit is NULL for a tombstone, released_commit for a live reservation. */
static const struct db_statement SAVE_RESERVATION = {
    .name = "save_reservation",
    .sql = "INSERT INTO reservation (" SAVED_COLUMNS ") VALUES ($1, $2, $3, $4, $5,"
           " CASE WHEN $5 <> 3 THEN " COMMIT_NO " END, CASE WHEN $5 <> 1 THEN " COMMIT_NO " END)" ON_SAVED,
    .postgresql_set = "INSERT INTO reservation (" SAVED_COLUMNS ") SELECT *,"
                      " CASE WHEN state <> 3 THEN " COMMIT_NO " END, CASE WHEN state <> 1 THEN " COMMIT_NO
                      " END FROM unnest($1::uuid[], $2::uuid[], $3::date[], $4::int8[], $5::int8[])"
                      " AS saved (" RESERVATION_COLUMNS ")" ON_SAVED,
};

static const struct db_statement SAVE_CAPACITY_CHANGE = {
    .name = "save_capacity_change",
    .sql = "INSERT INTO capacity_change (hospital_id, date, version, capacity, change_id, commit_no)"
           " VALUES ($1, $2, $3, $4, $5, " COMMIT_NO ")",
    .postgresql_set = "INSERT INTO capacity_change (hospital_id, date, version, capacity, change_id,"
                      " commit_no) SELECT *, " COMMIT_NO
                      " FROM unnest($1::uuid[], $2::date[], $3::int8[], $4::int8[], $5::uuid[])",
};

static const struct db_statement FIND_CAPACITY_CHANGE = {
    .name = "find_capacity_change",
    .sql = "SELECT version, capacity FROM capacity_change WHERE hospital_id = $1 AND date = $2"
           " AND change_id = $3",
};

static const struct db_statement PURGE_RESERVATIONS = {
    .name = "purge_reservations",
    .sql = "DELETE FROM reservation WHERE booking_id IN (SELECT booking_id FROM reservation"
           " WHERE state <> 1 AND date < $1 LIMIT $2)",
    .postgresql = "DELETE FROM reservation WHERE booking_id IN (SELECT booking_id FROM reservation"
                  " WHERE state <> 1 AND date < $1::date LIMIT $2::int8)",
};

static enum status take_reservation(void *context, const struct db_row *row)
{
    struct uuid booking_id = db_row_uuid(row, 0);
    struct reservation_row *target = working_set_reservation(context, &booking_id);
    if (target == NULL)
        return STATUS_RESOURCE_EXHAUSTED;
    target->reservation = (struct reservation){.booking_id = booking_id,
                                               .hospital_id = db_row_uuid(row, 1),
                                               .date = db_row_date(row, 2),
                                               .headcount = (uint32_t)db_row_int(row, 3),
                                               .state = (enum reservation_state)db_row_int(row, 4)};
    return STATUS_OK;
}

enum status store_load_reservations(struct db *db, struct db_params *params, struct working_set *set,
                                    struct error *error)
{
    db_params_reset(params);
    for (struct reservation_row *row = set->reservations; row != NULL; row = row->next) {
        if (!row->loaded) {
            row->loaded = true;
            db_params_uuid(params, &row->reservation.booking_id);
            db_params_end_row(params);
        }
    }
    return db_run(db, &LOAD_RESERVATION, params, take_reservation, set, error);
}

static enum status take_hospital(void *context, const struct db_row *row)
{
    struct working_set *set = context;
    struct uuid id = db_row_uuid(row, 0);
    struct hospital_row *target = working_set_hospital(set, &id);
    const char *name = arena_strdup(set->arena, db_row_text(row, 1));
    const char *address = arena_strdup(set->arena, db_row_text(row, 2));
    if (target == NULL || name == NULL || address == NULL)
        return STATUS_RESOURCE_EXHAUSTED;
    size_t size;
    const void *content = db_row_bytes(row, 5, &size);
    if (size != DIGEST_SIZE)
        return STATUS_INTERNAL;
    target->hospital = (struct hospital){.id = id,
                                         .state = (enum hospital_state)db_row_int(row, 3),
                                         .name = name,
                                         .address = address,
                                         .created_at_us = db_row_int(row, 4)};
    memcpy(target->hospital.content, content, DIGEST_SIZE);
    return STATUS_OK;
}

enum status store_load_hospitals(struct db *db, struct db_params *params, struct working_set *set,
                                 struct error *error)
{
    db_params_reset(params);
    for (struct hospital_row *row = set->hospitals; row != NULL; row = row->next) {
        if (!row->loaded) {
            row->loaded = true;
            db_params_uuid(params, &row->hospital.id);
            db_params_end_row(params);
        }
    }
    return db_run(db, &LOAD_HOSPITAL, params, take_hospital, set, error);
}

static enum status take_day(void *context, const struct db_row *row)
{
    struct uuid hospital_id = db_row_uuid(row, 0);
    int32_t date = db_row_date(row, 1);
    struct day_row *target = working_set_day(context, &hospital_id, date);
    if (target == NULL)
        return STATUS_RESOURCE_EXHAUSTED;
    target->loaded = true;
    target->day = (struct screening_day){.hospital_id = hospital_id,
                                         .date = date,
                                         .capacity = (uint32_t)db_row_int(row, 2),
                                         .reserved = (uint32_t)db_row_int(row, 3),
                                         .version = (uint64_t)db_row_int(row, 4)};
    return STATUS_OK;
}

enum status store_load_days(struct db *db, struct db_params *params, struct working_set *set, int32_t today,
                            struct error *error)
{
    db_params_reset(params);
    for (struct day_row *row = set->days; row != NULL; row = row->next) {
        if (!row->loaded) {
            row->loaded = true;
            db_params_uuid(params, &row->day.hospital_id);
            db_params_date(params, row->day.date);
            db_params_end_row(params);
        }
    }
    enum status status = db_run(db, &LOAD_DAY, params, take_day, set, error);
    if (status != STATUS_OK)
        return status;
    db_params_reset(params);
    for (const struct hospital_row *row = set->hospitals; row != NULL; row = row->next) {
        if (row->with_days) {
            db_params_uuid(params, &row->hospital.id);
            db_params_date(params, today);
            db_params_end_row(params);
        }
    }
    return db_run(db, &LOAD_DAYS_FROM, params, take_day, set, error);
}

struct change_found {
    struct screening_day *day;
    bool found;
};

static enum status take_change(void *context, const struct db_row *row)
{
    struct change_found *change = context;
    change->day->version = (uint64_t)db_row_int(row, 0);
    change->day->capacity = (uint32_t)db_row_int(row, 1);
    change->found = true;
    return STATUS_OK;
}

enum status store_find_capacity_change(struct db *db, struct db_params *params, const struct uuid *change_id,
                                       struct screening_day *day, bool *found, struct error *error)
{
    struct change_found change = {day, false};
    db_params_reset(params);
    db_params_uuid(params, &day->hospital_id);
    db_params_date(params, day->date);
    db_params_uuid(params, change_id);
    db_params_end_row(params);
    enum status status = db_run(db, &FIND_CAPACITY_CHANGE, params, take_change, &change, error);
    *found = change.found;
    return status;
}

static enum status save_hospitals(struct db *db, struct db_params *params, const struct working_set *set,
                                  struct error *error)
{
    db_params_reset(params);
    for (const struct hospital_row *row = set->hospitals; row != NULL; row = row->next) {
        if (row->dirty) {
            db_params_uuid(params, &row->hospital.id);
            db_params_text(params, row->hospital.name);
            db_params_text(params, row->hospital.address);
            db_params_int(params, row->hospital.state);
            db_params_int(params, row->hospital.created_at_us);
            db_params_bytes(params, row->hospital.content, DIGEST_SIZE);
            db_params_end_row(params);
        }
    }
    return db_run(db, &SAVE_HOSPITAL, params, NULL, NULL, error);
}

static enum status save_days(struct db *db, struct db_params *params, const struct working_set *set,
                             struct error *error)
{
    db_params_reset(params);
    for (const struct day_row *row = set->days; row != NULL; row = row->next) {
        if (row->dirty) {
            db_params_uuid(params, &row->day.hospital_id);
            db_params_date(params, row->day.date);
            db_params_int(params, row->day.capacity);
            db_params_int(params, row->day.reserved);
            db_params_int(params, (int64_t)row->day.version);
            db_params_end_row(params);
        }
    }
    return db_run(db, &SAVE_DAY, params, NULL, NULL, error);
}

static enum status save_reservations(struct db *db, struct db_params *params, const struct working_set *set,
                                     struct error *error)
{
    db_params_reset(params);
    for (const struct reservation_row *row = set->reservations; row != NULL; row = row->next) {
        if (row->dirty) {
            db_params_uuid(params, &row->reservation.booking_id);
            db_params_uuid(params, &row->reservation.hospital_id);
            db_params_date(params, row->reservation.date);
            db_params_int(params, row->reservation.headcount);
            db_params_int(params, row->reservation.state);
            db_params_end_row(params);
        }
    }
    return db_run(db, &SAVE_RESERVATION, params, NULL, NULL, error);
}

static enum status save_capacity_changes(struct db *db, struct db_params *params,
                                         const struct working_set *set, struct error *error)
{
    db_params_reset(params);
    for (const struct capacity_change *change = set->capacity_changes; change != NULL;
         change = change->next) {
        db_params_uuid(params, &change->day.hospital_id);
        db_params_date(params, change->day.date);
        db_params_int(params, (int64_t)change->day.version);
        db_params_int(params, change->day.capacity);
        if (uuid_is_zero(&change->change_id))
            db_params_null(params);
        else
            db_params_uuid(params, &change->change_id);
        db_params_end_row(params);
    }
    return db_run(db, &SAVE_CAPACITY_CHANGE, params, NULL, NULL, error);
}

/* Every change of a day comes with a change of a reservation or of the day's capacity. */
bool store_counts_commit(const struct working_set *set)
{
    bool changes = set->capacity_changes != NULL;
    for (const struct reservation_row *row = set->reservations; row != NULL && !changes; row = row->next)
        changes = row->dirty;
    return changes;
}

enum status store_save(struct db *db, struct db_params *params, const struct working_set *set,
                       struct error *error)
{
    enum status status = STATUS_OK;
    if (store_counts_commit(set))
        status = db_run(db, &COUNT_COMMIT, NULL, NULL, NULL, error);
    if (status == STATUS_OK)
        status = save_hospitals(db, params, set, error);
    if (status == STATUS_OK)
        status = save_days(db, params, set, error);
    if (status == STATUS_OK)
        status = save_reservations(db, params, set, error);
    if (status == STATUS_OK)
        status = save_capacity_changes(db, params, set, error);
    return status;
}

enum status store_purge(struct db *db, struct db_params *params, int32_t before, int64_t max, int64_t *purged,
                        struct error *error)
{
    db_params_reset(params);
    db_params_date(params, before);
    db_params_int(params, max);
    db_params_end_row(params);
    return db_run_counting(db, &PURGE_RESERVATIONS, params, purged, error);
}
