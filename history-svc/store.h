/* history-svc's tables: SQL only, no rules. Every function runs on the caller's connection and thread. */
#ifndef HISTORY_SVC_STORE_H
#define HISTORY_SVC_STORE_H

#include "projection.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/uuid.h"
#include "db/db.h"

MUST_CHECK enum status store_migrate(struct db *db, struct error *error);

/* ---- rows: texts and bytes belong to whoever made the row ---- */

/* A booking as its highest version tells it. */
struct booking_row {
    struct uuid booking_id;
    const char *customer_id;
    const char *customer_name;
    struct uuid hospital_id;
    int32_t day;
    uint32_t headcount;
    enum booking_status status;
    const char *status_reason;
    int64_t created_at_us;
    int64_t updated_at_us;
    uint64_t version;
};

/* One event of a booking's story. */
struct entry_row {
    struct uuid booking_id;
    uint64_t version;
    struct uuid event_id;
    enum booking_status status;
    const char *reason;
    int64_t occurred_at_us;
    const char *source; /* the log that told */
    uint64_t seq;
};

struct hospital_row {
    struct uuid hospital_id;
    const char *name; /* empty = not told */
    const char *address;
    struct hospital_deletion deletion;
    int64_t deleted_at_us; /* when deleted */
};

/* An event of a type that this program does not know, packed. */
struct unknown_row {
    const char *log;
    uint64_t seq;
    struct uuid event_id;
    const char *type;
    const uint8_t *event;
    size_t event_size;
};

/* ---- writing: one set-based statement per table; nothing for `count` 0 ---- */

/* Inserts, or replaces what has a lower version. No booking may occur twice. */
MUST_CHECK enum status store_save_bookings(struct db *db, struct booking_row *const *rows, size_t count,
                                           struct error *error);

/* A month of the timeline, in UTC: its instants, to_us excluded. */
struct timeline_month {
    int64_t from_us;
    int64_t to_us;
};

/* Makes the month of an instant if it is not there. Holds back other writers that make one until the end of
 * the transaction; nobody else. */
MUST_CHECK enum status store_open_month(struct db *db, int64_t instant_us, struct timeline_month *out,
                                        struct error *error);

/*
 * Inserts. Their months must be there, or it is INTERNAL. If some of the entries may be there already, they
 * stay; looking for them costs an eighth of all that a batch costs, so that else it is ALREADY_EXISTS.
 */
MUST_CHECK enum status store_insert_entries(struct db *db, const struct entry_row *rows, size_t count,
                                            bool some_exist, struct error *error);

/* Inserts, or adds what is told now; a deletion stays as it was first told. No hospital may occur twice. */
MUST_CHECK enum status store_save_hospitals(struct db *db, struct hospital_row *const *rows, size_t count,
                                            struct error *error);

/* Inserts; an event that is there already stays. */
MUST_CHECK enum status store_insert_unknown(struct db *db, const struct unknown_row *rows, size_t count,
                                            struct error *error);

/* ---- reading: texts are valid during the callback only ---- */

/* A booking with what is known of its hospital. */
struct summary_row {
    struct booking_row booking;
    const char *hospital_name; /* empty = not known */
    struct hospital_deletion deletion;
};

typedef enum status (*store_summary_fn)(void *context, const struct summary_row *summary);

/* Called once for each entry, in order of version, each time with the booking. */
typedef enum status (*store_entry_fn)(void *context, const struct summary_row *summary,
                                      const struct entry_row *entry);

/* Booking and entries of one snapshot; no call if there is no such booking. */
MUST_CHECK enum status store_load_history(struct db *db, const struct uuid *booking_id, store_entry_fn found,
                                          void *context, struct error *error);

struct customer_filter {
    const char *customer_id;
    int status; /* as shown, see projection_view; 0 = any */
    int32_t from_day;
    int32_t to_day; /* inclusive */
};

/* Where the page before ended: older bookings follow. */
struct customer_position {
    int64_t created_at_us;
    struct uuid booking_id;
};

/* Newest booking first, at most `limit`. */
MUST_CHECK enum status store_list_customer(struct db *db, const struct customer_filter *filter,
                                           const struct customer_position *after, uint32_t limit,
                                           store_summary_fn found, void *context, struct error *error);

#endif
