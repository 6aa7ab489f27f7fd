#include "store_reads.h"

#include "store_tables.h"

#include <string.h>

/* $5 and $6 are alternative forms of $3, or empty if equal to $3. */
#define LIST_FILTER_WITH(like)                                                                               \
    " WHERE h.hospital_id >= $1 AND ($2 = 1 OR h.state = 1)"                                                 \
    " AND ($3 = '' OR h.name " like " $3 ESCAPE '\\'"                                                        \
    " OR ($5 <> '' AND h.name " like " $5 ESCAPE '\\') OR ($6 <> '' AND h.name " like " $6 ESCAPE '\\'))"
#define LIST_FILTER            LIST_FILTER_WITH("LIKE")
#define LIST_FILTER_POSTGRESQL LIST_FILTER_WITH("ILIKE")

static const struct db_statement READ_HOSPITAL = {
    .name = "read_hospital",
    .sql = "SELECT {hospital h} FROM hospital h WHERE h.hospital_id = $1",
    .tables = {&STORE_HOSPITAL_SHOWN},
};

static const struct db_statement READ_DAYS = {
    .name = "read_days",
    .sql = "SELECT {screening_day d} FROM screening_day d"
           " WHERE d.hospital_id = $1 AND d.date BETWEEN $2 AND $3 AND d.version > 0 ORDER BY d.date",
    .tables = {&STORE_DAY_SHOWN},
};

static const struct db_statement COUNT_OVERCOMMITTED = {
    .name = "count_overcommitted",
    .sql = "SELECT count(*) FROM screening_day WHERE date >= $1 AND reserved > capacity",
};

static const struct db_statement LIST_HOSPITALS = {
    .name = "list_hospitals",
    .sql = "SELECT {hospital h} FROM hospital h" LIST_FILTER " ORDER BY h.hospital_id LIMIT $4",
    .postgresql =
        "SELECT {hospital h} FROM hospital h" LIST_FILTER_POSTGRESQL " ORDER BY h.hospital_id LIMIT $4",
    .tables = {&STORE_HOSPITAL_SHOWN},
};

static const struct db_statement LIST_HOSPITALS_ON_DATE = {
    .name = "list_hospitals_on_date",
    .sql = "SELECT {hospital h}, {screening_day d} FROM hospital h JOIN screening_day d"
           " ON d.hospital_id = h.hospital_id AND d.date = $7 AND d.capacity > 0" LIST_FILTER
           " ORDER BY h.hospital_id LIMIT $4",
    .postgresql =
        "SELECT {hospital h}, {screening_day d} FROM hospital h JOIN screening_day d"
        " ON d.hospital_id = h.hospital_id AND d.date = $7 AND d.capacity > 0" LIST_FILTER_POSTGRESQL
        " ORDER BY h.hospital_id LIMIT $4",
    .tables = {&STORE_HOSPITAL_SHOWN, &STORE_DAY_SHOWN},
};

static const struct db_statement COUNT_LIVE = {
    .name = "count_live",
    .sql = "SELECT count(*) FROM reservation WHERE state = 1",
};

static const struct db_statement LIST_RESERVATIONS = {
    .name = "list_reservations",
    .sql = "SELECT {reservation} FROM reservation WHERE state = 1 AND booking_id > $1"
           " ORDER BY booking_id LIMIT $2",
    .tables = {&STORE_RESERVATION},
};

static const struct db_statement FIND_RESERVATIONS = {
    .name = "find_reservations",
    .sql = "SELECT {reservation} FROM reservation WHERE state = 1 AND booking_id = $1",
    .postgresql_set = "SELECT {reservation} FROM reservation WHERE state = 1"
                      " AND booking_id = ANY ($1::uuid[])",
    .tables = {&STORE_RESERVATION},
};

static const struct db_statement LIST_LIVE = {
    .name = "list_live",
    .sql = "SELECT booking_id FROM reservation WHERE state = 1 ORDER BY booking_id DESC LIMIT $1",
};

struct hospital_read {
    struct arena *arena;
    struct hospital *out;
};

static enum status take_hospital(void *context, const struct db_row *row)
{
    struct hospital_read *read = context;
    (void)db_row_record(row, 0, &STORE_HOSPITAL_SHOWN, read->out);
    return db_table_keep(&STORE_HOSPITAL_SHOWN, read->out, read->arena) ? STATUS_OK
                                                                        : STATUS_RESOURCE_EXHAUSTED;
}

enum status store_read_hospital(struct db *db, const struct uuid *id, struct arena *arena,
                                struct hospital *out, struct error *error)
{
    struct hospital_read read = {arena, out};
    *out = (struct hospital){.id = *id, .name = "", .address = ""};
    return db_run(db, &READ_HOSPITAL, DB_ROW(db_uuid(id)), take_hospital, &read, error);
}

struct days_read {
    store_day_fn on_day;
    void *context;
};

static enum status take_day(void *context, const struct db_row *row)
{
    const struct days_read *read = context;
    struct screening_day day = {0};
    (void)db_row_record(row, 0, &STORE_DAY_SHOWN, &day);
    return db_row_is_sound(row) ? read->on_day(read->context, &day) : STATUS_INTERNAL;
}

enum status store_read_days(struct db *db, const struct uuid *hospital_id, int32_t from, int32_t to,
                            store_day_fn on_day, void *context, struct error *error)
{
    struct days_read read = {on_day, context};
    return db_run(db, &READ_DAYS, DB_ROW(db_uuid(hospital_id), db_date(from), db_date(to)), take_day, &read,
                  error);
}

enum status store_count_overcommitted(struct db *db, int32_t today, int64_t *days, struct error *error)
{
    return db_run(db, &COUNT_OVERCOMMITTED, DB_ROW(db_date(today)), db_take_int, days, error);
}

struct list_read {
    store_hospital_fn on_hospital;
    void *context;
    bool on_date;
};

static enum status take_listed(void *context, const struct db_row *row)
{
    const struct list_read *read = context;
    struct hospital hospital = {0};
    struct screening_day day = {0};
    int next = db_row_record(row, 0, &STORE_HOSPITAL_SHOWN, &hospital);
    if (read->on_date)
        (void)db_row_record(row, next, &STORE_DAY_SHOWN, &day);
    if (!db_row_is_sound(row))
        return STATUS_INTERNAL;
    return read->on_hospital(read->context, &hospital, read->on_date ? &day : NULL);
}

/*
 * Returns the LIKE pattern for strings that contain `part`, or "" if `part` is empty. Returns NULL when out
 * of memory.
 */
static char *contains_pattern(struct arena *arena, const char *part)
{
    char *pattern = arena_alloc(arena, 2 * strlen(part) + sizeof "%%");
    if (pattern == NULL || part[0] == '\0')
        return pattern;
    char *end = pattern;
    *end++ = '%';
    for (const char *from = part; *from != '\0'; from++) {
        if (strchr("%_\\", *from) != NULL)
            *end++ = '\\';
        *end++ = *from;
    }
    *end = '%';
    return pattern;
}

/*
 * Returns the pattern for an alternative form, or "" if the form equals `before`. Returns NULL when out of
 * memory.
 */
static char *other_pattern(struct arena *arena, const char *part, const char *before)
{
    return contains_pattern(arena, strcmp(part, before) != 0 ? part : "");
}

enum status store_list_hospitals(struct db *db, const struct store_list *list, store_hospital_fn on_hospital,
                                 void *context, struct error *error)
{
    struct list_read read = {on_hospital, context, list->on_date};
    struct arena arena;
    arena_init(&arena);
    char *pattern = contains_pattern(&arena, list->name_contains);
    char *decomposed = other_pattern(&arena, list->decomposed, list->name_contains);
    char *as_sent = other_pattern(&arena, list->as_sent, list->name_contains);
    enum status status;
    if (pattern == NULL || decomposed == NULL || as_sent == NULL)
        status = error_no_memory(error);
    else if (list->on_date)
        status = db_run(db, &LIST_HOSPITALS_ON_DATE,
                        DB_ROW(db_uuid(&list->first_id), db_int(list->include_deleted), db_text(pattern),
                               db_int(list->max), db_text(decomposed), db_text(as_sent), db_date(list->date)),
                        take_listed, &read, error);
    else
        status = db_run(db, &LIST_HOSPITALS,
                        DB_ROW(db_uuid(&list->first_id), db_int(list->include_deleted), db_text(pattern),
                               db_int(list->max), db_text(decomposed), db_text(as_sent)),
                        take_listed, &read, error);
    arena_fini(&arena);
    return status;
}

struct live_read {
    store_reservation_fn on_reservation;
    void *context;
};

static enum status take_live(void *context, const struct db_row *row)
{
    const struct live_read *read = context;
    struct uuid booking_id = db_row_uuid(row, 0);
    read->on_reservation(read->context, &booking_id);
    return STATUS_OK;
}

enum status store_list_live(struct db *db, int64_t max, int64_t *count, store_reservation_fn on_reservation,
                            void *context, struct error *error)
{
    struct live_read read = {on_reservation, context};
    TRY(db_run(db, &COUNT_LIVE, NULL, db_take_int, count, error));
    return db_run(db, &LIST_LIVE, DB_ROW(db_int(max)), take_live, &read, error);
}

struct reservations_read {
    store_live_fn on_live;
    void *context;
};

static enum status take_reservation(void *context, const struct db_row *row)
{
    const struct reservations_read *read = context;
    struct reservation reservation = {0};
    (void)db_row_record(row, 0, &STORE_RESERVATION, &reservation);
    return db_row_is_sound(row) ? read->on_live(read->context, &reservation) : STATUS_INTERNAL;
}

enum status store_list_reservations(struct db *db, const struct store_live *wanted, store_live_fn on_live,
                                    void *context, struct error *error)
{
    struct reservations_read read = {on_live, context};
    if (wanted->id_count == 0)
        return db_run(db, &LIST_RESERVATIONS, DB_ROW(db_uuid(&wanted->after), db_int(wanted->max)),
                      take_reservation, &read, error);
    return db_run_uuids(db, &FIND_RESERVATIONS, wanted->ids, wanted->id_count, take_reservation, &read,
                        error);
}
