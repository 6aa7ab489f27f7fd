/*
 * The readers' SQL, and what is listed for the operator. Each function is one or two statements outside any
 * transaction. Statuses are those of db.h, and RESOURCE_EXHAUSTED when out of memory. One connection, one
 * thread.
 */
#ifndef SCREENING_HOSPITAL_SVC_STORE_READ_H
#define SCREENING_HOSPITAL_SVC_STORE_READ_H

#include "hospital.h"

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"
#include "db/db.h"

enum { STORE_DATE_LAST = 2932896 }; /* 9999-12-31: no day is stored beyond it */

/* Called for every row; what it gets is valid during the call only. Another status than OK ends the read. */
typedef enum status (*store_hospital_fn)(void *context, const struct hospital *hospital,
                                         const struct screening_day *day);
typedef enum status (*store_day_fn)(void *context, const struct screening_day *day);
typedef void (*store_reservation_fn)(void *context, const struct uuid *booking_id);

/* *out is all zero but its id if there is no such hospital; its texts lie in `arena`. */
MUST_CHECK enum status store_read_hospital(struct db *db, const struct uuid *id, struct arena *arena,
                                           struct hospital *out, struct error *error);

/* The hospital's days of `from` to `to`, both included, in order; only those that were ever opened. */
MUST_CHECK enum status store_read_days(struct db *db, const struct uuid *hospital_id, int32_t from,
                                       int32_t to, store_day_fn on_day, void *context, struct error *error);

/* *days from `today` on with more places reserved than their capacity. */
MUST_CHECK enum status store_count_overcommitted(struct db *db, int32_t today, int64_t *days,
                                                 struct error *error);

struct store_list {
    struct uuid first_id; /* the smallest id to show */
    /* Empty = any; letters of either case are the same (ASCII at least). The others are forms of it that are
     * found too. */
    const char *name_contains, *decomposed, *as_sent;
    bool include_deleted;
    bool on_date; /* only hospitals open on `date`, each with that day */
    int32_t date;
    uint32_t max; /* rows */
};

/* In order of id; `day` is NULL unless on_date. */
MUST_CHECK enum status store_list_hospitals(struct db *db, const struct store_list *list,
                                            store_hospital_fn on_hospital, void *context,
                                            struct error *error);

/* *count of all live reservations; calls on_reservation for the `max` with the greatest ids, newest first. */
MUST_CHECK enum status store_list_live(struct db *db, int64_t max, int64_t *count,
                                       store_reservation_fn on_reservation, void *context,
                                       struct error *error);

struct store_live {
    const struct uuid *ids; /* only these; NULL = all */
    size_t id_count;
    struct uuid after; /* of all: the page before ended here */
    uint32_t max;      /* of all: rows */
};

typedef enum status (*store_live_fn)(void *context, const struct reservation *reservation);

/* Live reservations: all in order of booking_id, or those of `ids` in any. */
MUST_CHECK enum status store_list_reservations(struct db *db, const struct store_live *wanted,
                                               store_live_fn on_live, void *context, struct error *error);

#endif
