#include "store.h"

#include "store_tables.h"

#include "base/check.h"
#include "events/event_log.h"

static const struct db_column CHANGE_COLUMNS[] = {
    DB_COLUMN_AS("hospital_id", struct capacity_change, day.hospital_id, UUID, DB_KEY),
    DB_COLUMN_AS("date", struct capacity_change, day.date, DATE, DB_KEY),
    DB_COLUMN_AS("version", struct capacity_change, day.version, INT, DB_KEY),
    DB_COLUMN_AS("capacity", struct capacity_change, day.capacity, INT, DB_FIXED),
    DB_COLUMN(struct capacity_change, change_id, UUID, DB_NIL),
};
static const struct db_table CHANGE = DB_TABLE("capacity_change", CHANGE_COLUMNS);

static const struct db_column FOUND_CHANGE_COLUMNS[] = {
    DB_COLUMN(struct screening_day, version, INT, DB_FIXED),
    DB_COLUMN(struct screening_day, capacity, INT, DB_FIXED),
};
static const struct db_table FOUND_CHANGE = DB_TABLE("capacity_change", FOUND_CHANGE_COLUMNS);

static const struct db_statement LOAD_RESERVATION = {
    .name = "load_reservation",
    DB_LOAD("reservation"),
    .tables = {&STORE_RESERVATION},
};

static const struct db_statement LOAD_HOSPITAL = {
    .name = "load_hospital",
    DB_LOAD("hospital"),
    .tables = {&STORE_HOSPITAL},
};

static const struct db_statement LOAD_DAY = {
    .name = "load_day",
    .sql = "SELECT {screening_day} FROM screening_day WHERE {screening_day key}",
    .postgresql_set = "SELECT {screening_day} FROM screening_day"
                      " JOIN unnest({screening_day key_arrays}) AS wanted (hospital_id, date)"
                      " USING (hospital_id, date)",
    .tables = {&STORE_DAY},
};

static const struct db_statement LOAD_DAYS_FROM = {
    .name = "load_days_from",
    .sql = "SELECT {screening_day} FROM screening_day WHERE hospital_id = $1 AND date >= $2",
    .postgresql_set = "SELECT {screening_day d} FROM screening_day d"
                      " JOIN unnest({screening_day key_arrays}) AS wanted (hospital_id, date)"
                      " ON d.hospital_id = wanted.hospital_id AND d.date >= wanted.date",
    .tables = {&STORE_DAY},
};

static const struct db_statement SAVE_HOSPITAL = {
    .name = "save_hospital",
    DB_SAVE("hospital", "hospital_id"),
    .tables = {&STORE_HOSPITAL},
};

static const struct db_statement SAVE_DAY = {
    .name = "save_day",
    DB_SAVE("screening_day", "hospital_id, date"),
    .tables = {&STORE_DAY},
};

/* The head of the event log is locked, so no other replica counts concurrently. */
static const struct db_statement COUNT_COMMIT = {
    .name = "count_commit",
    .sql = "UPDATE commit_counter SET commit_no = commit_no + 1",
};

/* Selects the number of the current commit, after COUNT_COMMIT. Statements contain this query, which saves a
 * round trip. */
#define COMMIT_NO "(SELECT commit_no FROM commit_counter)"

const struct db_statement STORE_LOCK_HEAD = EVENT_LOCK_HEAD("commit_no", ", commit_counter");

/*
 * A row stored as live keeps the number of the commit that took its place. Any other stored row is saved
 * again only if its place is reinstated.
 */
#define ON_SAVED                                                                                             \
    " ON CONFLICT (booking_id) DO UPDATE SET {reservation set excluded}, taken_commit = CASE WHEN"           \
    " reservation.state = 1 THEN reservation.taken_commit ELSE excluded.taken_commit END,"                   \
    " released_commit = excluded.released_commit"

/* taken_commit is NULL for a tombstone; released_commit is NULL for a live reservation. */
static const struct db_statement SAVE_RESERVATION = {
    .name = "save_reservation",
    .sql =
        "INSERT INTO reservation ({reservation}, taken_commit, released_commit) VALUES ({reservation values},"
        " CASE WHEN {reservation.state} <> 3 THEN " COMMIT_NO " END,"
        " CASE WHEN {reservation.state} <> 1 THEN " COMMIT_NO " END)" ON_SAVED,
    .postgresql_set = "INSERT INTO reservation ({reservation}, taken_commit, released_commit) SELECT *,"
                      " CASE WHEN state <> 3 THEN " COMMIT_NO " END,"
                      " CASE WHEN state <> 1 THEN " COMMIT_NO " END"
                      " FROM unnest({reservation arrays}) AS saved ({reservation})" ON_SAVED,
    .tables = {&STORE_RESERVATION},
};

static const struct db_statement SAVE_CAPACITY_CHANGE = {
    .name = "save_capacity_change",
    .sql = "INSERT INTO capacity_change ({capacity_change}, commit_no)"
           " VALUES ({capacity_change values}, " COMMIT_NO ")",
    .postgresql_set = "INSERT INTO capacity_change ({capacity_change}, commit_no) SELECT *, " COMMIT_NO
                      " FROM unnest({capacity_change arrays})",
    .tables = {&CHANGE},
};

static const struct db_statement FIND_CAPACITY_CHANGE = {
    .name = "find_capacity_change",
    .sql = "SELECT {capacity_change} FROM capacity_change WHERE hospital_id = $1 AND date = $2"
           " AND change_id = $3",
    .tables = {&FOUND_CHANGE},
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
    struct reservation found = {0};
    (void)db_row_record(row, 0, &STORE_RESERVATION, &found);
    if (!db_row_is_sound(row))
        return STATUS_INTERNAL;
    struct reservation_row *target = working_set_reservation(context, &found.booking_id);
    if (target == NULL)
        return STATUS_RESOURCE_EXHAUSTED;
    target->reservation = found;
    return STATUS_OK;
}

enum status store_load_reservations(struct db *db, struct db_params *params, struct working_set *set,
                                    struct error *error)
{
    db_params_reset(params);
    for (struct reservation_row *row = set->reservations; row != NULL; row = row->next) {
        if (!row->loaded)
            db_params_key(params, &STORE_RESERVATION, &row->reservation);
        row->loaded = true;
    }
    return db_run(db, &LOAD_RESERVATION, params, take_reservation, set, error);
}

static enum status take_hospital(void *context, const struct db_row *row)
{
    struct working_set *set = context;
    struct hospital found = {0};
    (void)db_row_record(row, 0, &STORE_HOSPITAL, &found);
    if (!db_row_is_sound(row))
        return STATUS_INTERNAL;
    struct hospital_row *target = working_set_hospital(set, &found.id);
    if (target == NULL || !db_table_keep(&STORE_HOSPITAL, &found, set->arena))
        return STATUS_RESOURCE_EXHAUSTED;
    target->hospital = found;
    return STATUS_OK;
}

enum status store_load_hospitals(struct db *db, struct db_params *params, struct working_set *set,
                                 struct error *error)
{
    db_params_reset(params);
    for (struct hospital_row *row = set->hospitals; row != NULL; row = row->next) {
        if (!row->loaded)
            db_params_key(params, &STORE_HOSPITAL, &row->hospital);
        row->loaded = true;
    }
    return db_run(db, &LOAD_HOSPITAL, params, take_hospital, set, error);
}

static enum status take_day(void *context, const struct db_row *row)
{
    struct screening_day found = {0};
    (void)db_row_record(row, 0, &STORE_DAY, &found);
    if (!db_row_is_sound(row))
        return STATUS_INTERNAL;
    struct day_row *target = working_set_day(context, &found.hospital_id, found.date);
    if (target == NULL)
        return STATUS_RESOURCE_EXHAUSTED;
    target->loaded = true;
    target->day = found;
    return STATUS_OK;
}

enum status store_load_days(struct db *db, struct db_params *params, struct working_set *set, int32_t today,
                            struct error *error)
{
    db_params_reset(params);
    for (struct day_row *row = set->days; row != NULL; row = row->next) {
        if (!row->loaded)
            db_params_key(params, &STORE_DAY, &row->day);
        row->loaded = true;
    }
    TRY(db_run(db, &LOAD_DAY, params, take_day, set, error));
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
    (void)db_row_record(row, 0, &FOUND_CHANGE, change->day);
    change->found = true;
    return STATUS_OK;
}

enum status store_find_capacity_change(struct db *db, const struct uuid *change_id, struct screening_day *day,
                                       bool *found, struct error *error)
{
    struct change_found change = {day, false};
    enum status status = db_run(db, &FIND_CAPACITY_CHANGE,
                                DB_ROW(db_uuid(&day->hospital_id), db_date(day->date), db_uuid(change_id)),
                                take_change, &change, error);
    *found = change.found;
    return status;
}

static enum status save_hospitals(struct db *db, struct db_params *params, const struct working_set *set,
                                  struct error *error)
{
    db_params_reset(params);
    for (const struct hospital_row *row = set->hospitals; row != NULL; row = row->next) {
        if (!row->dirty)
            continue;
        CHECK(row->loaded && row->hospital.state != HOSPITAL_NONE);
        db_params_record(params, &STORE_HOSPITAL, &row->hospital);
    }
    return db_run(db, &SAVE_HOSPITAL, params, NULL, NULL, error);
}

static enum status save_days(struct db *db, struct db_params *params, const struct working_set *set,
                             struct error *error)
{
    db_params_reset(params);
    for (const struct day_row *row = set->days; row != NULL; row = row->next) {
        if (!row->dirty)
            continue;
        CHECK(row->loaded);
        db_params_record(params, &STORE_DAY, &row->day);
    }
    return db_run(db, &SAVE_DAY, params, NULL, NULL, error);
}

static enum status save_reservations(struct db *db, struct db_params *params, const struct working_set *set,
                                     struct error *error)
{
    db_params_reset(params);
    for (const struct reservation_row *row = set->reservations; row != NULL; row = row->next) {
        if (!row->dirty)
            continue;
        CHECK(row->loaded && row->reservation.state != RESERVATION_NONE);
        db_params_record(params, &STORE_RESERVATION, &row->reservation);
    }
    return db_run(db, &SAVE_RESERVATION, params, NULL, NULL, error);
}

static enum status save_capacity_changes(struct db *db, struct db_params *params,
                                         const struct working_set *set, struct error *error)
{
    db_params_reset(params);
    for (const struct capacity_change *change = set->capacity_changes; change != NULL; change = change->next)
        db_params_record(params, &CHANGE, change);
    return db_run(db, &SAVE_CAPACITY_CHANGE, params, NULL, NULL, error);
}

/*
 * Returns whether the batch counts its commit. Every change of a day comes with a change of a reservation or
 * of the day's capacity.
 */
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
    if (store_counts_commit(set))
        TRY(db_run(db, &COUNT_COMMIT, NULL, NULL, NULL, error));
    TRY(save_hospitals(db, params, set, error));
    TRY(save_days(db, params, set, error));
    TRY(save_reservations(db, params, set, error));
    return save_capacity_changes(db, params, set, error);
}

enum status store_purge(struct db *db, int32_t before, int64_t max, int64_t *purged, struct error *error)
{
    return db_run_counting(db, &PURGE_RESERVATIONS, DB_ROW(db_date(before), db_int(max)), purged, error);
}
