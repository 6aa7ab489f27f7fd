/*
 * The SQL for booking-svc's tables, without business rules. Functions run on the caller's connection and
 * thread.
 */
#ifndef SCREENING_BOOKING_SVC_STORE_H
#define SCREENING_BOOKING_SVC_STORE_H

#include "booking.h"

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"
#include "db/db.h"

MUST_CHECK enum status store_migrate(struct db *db, struct error *error);

/* Called for each booking found. Its strings are valid only during the call. */
typedef enum status (*store_booking_fn)(void *context, const struct booking *booking);

/* Copies a booking with its strings into the arena. Returns NULL when out of memory. */
struct booking *store_copy_booking(struct arena *arena, const struct booking *booking);

/* Loads the bookings with the given ids, in any order. Ids that do not exist are skipped. */
MUST_CHECK enum status store_load_bookings(struct db *db, const struct uuid *ids, size_t count,
                                           store_booking_fn found, void *context, struct error *error);

MUST_CHECK enum status store_insert_bookings(struct db *db, struct booking *const *bookings, size_t count,
                                             struct error *error);

/* Saves the columns that can change: status, reason, updated_at, version and announced. */
MUST_CHECK enum status store_update_bookings(struct db *db, struct booking *const *bookings, size_t count,
                                             struct error *error);

/* ---- lists, in order of id unless stated otherwise, `after` excluded; status 0 = any ---- */

struct booking_filter {
    const char *customer_id; /* NULL = list by hospital */
    struct uuid hospital_id;
    bool has_day;
    int32_t day;
    int status;
};

MUST_CHECK enum status store_list_bookings(struct db *db, const struct booking_filter *filter,
                                           const struct uuid *after, uint32_t limit, store_booking_fn found,
                                           void *context, struct error *error);

/*
 * Selects either the announced or the unannounced bookings that follow the booking with created_at `after_us`
 * and id `after`.
 */
struct requested_filter {
    bool announced;
    int64_t after_us;
    struct uuid after;
};

/* Lists REQUESTED bookings, the oldest first. */
MUST_CHECK enum status store_list_requested(struct db *db, const struct requested_filter *filter,
                                            uint32_t limit, store_booking_fn found, void *context,
                                            struct error *error);

/* Counts the REQUESTED bookings. */
MUST_CHECK enum status store_count_requested(struct db *db, int64_t *out, struct error *error);

/* Lists REQUESTED bookings that are not announced. A Reserve for them may be in flight. */
MUST_CHECK enum status store_list_unannounced(struct db *db, const struct uuid *after, uint32_t limit,
                                              store_booking_fn found, void *context, struct error *error);

/* Lists the live bookings of a hospital. */
MUST_CHECK enum status store_list_live(struct db *db, const struct uuid *hospital_id,
                                       const struct uuid *after, uint32_t limit, store_booking_fn found,
                                       void *context, struct error *error);

/* ---- deleted hospitals ---- */

struct hospital_deletion {
    struct uuid hospital_id;
    int32_t day;
    struct uuid next_booking_id; /* the last booking that was processed, in order of id */
    bool done;
};

typedef enum status (*store_deletion_fn)(void *context, const struct hospital_deletion *deletion);

MUST_CHECK enum status store_load_deletions(struct db *db, const struct uuid *hospital_ids, size_t count,
                                            store_deletion_fn found, void *context, struct error *error);

/* Lists at most `limit` deletions that are not finished. */
MUST_CHECK enum status store_list_unfinished_deletions(struct db *db, uint32_t limit, store_deletion_fn found,
                                                       void *context, struct error *error);

/* Deletes all deletions, for an operator who abandons the hospital log. Runs in the caller's transaction. */
MUST_CHECK enum status store_forget_deletions(struct db *db, struct error *error);

/* Lists all deletions, in order of id, `after` excluded. */
MUST_CHECK enum status store_list_deletions(struct db *db, const struct uuid *after, uint32_t limit,
                                            store_deletion_fn found, void *context, struct error *error);

/* Inserts or updates deletions. */
MUST_CHECK enum status store_save_deletions(struct db *db, struct hospital_deletion *const *deletions,
                                            size_t count, struct error *error);

#endif
