/* The SQL of history-svc's tables. The functions run on the caller's connection and thread. */
#ifndef SCREENING_HISTORY_SVC_STORE_H
#define SCREENING_HISTORY_SVC_STORE_H

#include "projection.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "auth/caller.h"
#include "base/arena.h"
#include "base/status.h"
#include "base/uuid.h"
#include "db/db.h"
#include "db/migrate.h"

/* The scripts in migrations/. The build generates the array. */
extern const struct db_migration HISTORY_MIGRATIONS[];
extern const size_t HISTORY_MIGRATION_COUNT;

MUST_CHECK enum status store_migrate(struct db *db, struct error *error);

/* ---- rows; their strings and bytes belong to the code that filled the row ---- */

/* A booking at its highest known version. `message` holds the texts and numbers, and the other members hold
 * the rest. */
struct booking_row {
    Screening__V1__Booking message;
    struct uuid booking_id;
    struct uuid hospital_id;
    int32_t day;
    int64_t created_at_us;
    int64_t updated_at_us;
};

/* One event of a booking's history. */
struct entry_row {
    struct uuid booking_id;
    uint64_t version;
    struct uuid event_id;
    Screening__V1__BookingStatus status;
    const char *reason;
    int64_t occurred_at_us;
    const char *source; /* the log that contains the event */
    uint64_t seq;
};

struct hospital_row {
    struct uuid hospital_id;
    const char *name; /* empty = not given */
    const char *address;
    struct hospital_deletion deletion;
    int64_t deleted_at_us; /* valid only if deleted */
};

/* A packed event whose type this version does not know. */
struct unknown_row {
    const char *log;
    uint64_t seq;
    struct uuid event_id;
    const char *type;
    const uint8_t *event;
    size_t event_size;
};

/* ---- writing: one set-based statement per table; `count` 0 does nothing ---- */

/* Inserts rows, or replaces those with a lower version. Each booking may occur only once in `rows`. */
MUST_CHECK enum status store_save_bookings(struct db *db, struct booking_row *const *rows, size_t count,
                                           struct error *error);

/* A month of the timeline in UTC; to_us is exclusive. */
struct timeline_month {
    int64_t from_us;
    int64_t to_us;
};

/*
 * Creates the month of an instant if it does not exist. Until the transaction ends, the creation blocks only
 * other writers that create a month.
 */
MUST_CHECK enum status store_open_month(struct db *db, int64_t instant_us, struct timeline_month *out,
                                        struct error *error);

/*
 * Inserts entries. If `some_exist`, keeps entries that already exist; checking for them takes an eighth of
 * the time of the whole batch. Otherwise an existing entry causes ALREADY_EXISTS. Fails with INTERNAL if the
 * month of an entry does not exist.
 */
MUST_CHECK enum status store_insert_entries(struct db *db, const struct entry_row *rows, size_t count,
                                            bool some_exist, struct error *error);

/*
 * Inserts hospitals, or updates existing ones: a name or an address that is not empty replaces the stored
 * one, and the first deletion is kept. Each hospital may occur only once.
 */
MUST_CHECK enum status store_save_hospitals(struct db *db, struct hospital_row *const *rows, size_t count,
                                            struct error *error);

/* Inserts events of unknown types. Existing rows are kept. */
MUST_CHECK enum status store_insert_unknown(struct db *db, const struct unknown_row *rows, size_t count,
                                            struct error *error);

/* ---- reading; strings are valid only during the callback ---- */

/* Copies the booking's texts into the arena. Returns false when out of memory. */
MUST_CHECK bool store_keep_booking(struct booking_row *row, struct arena *arena);

/* A booking with the known data of its hospital. */
struct summary_row {
    struct booking_row booking;
    const char *hospital_name; /* empty = not known */
    struct hospital_deletion deletion;
};

typedef enum status (*store_summary_fn)(void *context, const struct summary_row *summary);

/* Called once per entry, in order of version, each time with the booking. */
typedef enum status (*store_entry_fn)(void *context, const struct summary_row *summary,
                                      const struct entry_row *entry);

/*
 * Which bookings a caller may see, as auth_caller_may_see says: all, those of a customer, and those of
 * hospitals. The database compares them, so that a hidden booking costs as much as an unknown one.
 */
struct booking_viewer {
    bool sees_all;
    const char *customer_id;  /* NULL = none */
    const char *hospital_ids; /* separated by commas */
};

/* The viewer who sees all bookings. */
extern const struct booking_viewer STORE_SEES_ALL;

/* Makes the viewer of a caller, who must outlive it. Returns RESOURCE_EXHAUSTED when out of memory. */
MUST_CHECK enum status store_viewer(const struct auth_caller *caller, struct arena *arena,
                                    struct booking_viewer *out, struct error *error);

/*
 * Reads the booking and its entries from one snapshot. Does not call `found` if there is no such booking, or
 * if the viewer may not see it.
 */
MUST_CHECK enum status store_load_history(struct db *db, const struct uuid *booking_id,
                                          const struct booking_viewer *viewer, store_entry_fn found,
                                          void *context, struct error *error);

struct customer_filter {
    const char *customer_id;
    int status; /* the status that readers see (projection_view); 0 = any */
    int32_t from_day;
    int32_t to_day; /* inclusive */
};

/* The end of the previous page. Older bookings follow. */
struct customer_position {
    int64_t created_at_us;
    struct uuid booking_id;
};

/* Lists at most `limit` bookings, newest first. */
MUST_CHECK enum status store_list_customer(struct db *db, const struct customer_filter *filter,
                                           const struct customer_position *after, uint32_t limit,
                                           store_summary_fn found, void *context, struct error *error);

#endif
