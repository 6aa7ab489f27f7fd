/*
 * The SQL of the readers, and the lists for the operator. Each function runs one or two statements outside
 * any transaction. It returns the statuses of db.h, and RESOURCE_EXHAUSTED when out of memory. One
 * connection, one thread.
 */
#ifndef SCREENING_HOSPITAL_SVC_STORE_READS_H
#define SCREENING_HOSPITAL_SVC_STORE_READS_H

#include "hospital.h"

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"
#include "db/db.h"

enum { STORE_DATE_LAST = 2932896 }; /* 9999-12-31, the last day that can be stored */

/*
 * Is called for each row. The arguments are valid only during the call. A status other than OK ends the read.
 */
typedef enum status (*store_hospital_fn)(void *context, const struct hospital *hospital,
                                         const struct screening_day *day);
typedef enum status (*store_day_fn)(void *context, const struct screening_day *day);
typedef void (*store_reservation_fn)(void *context, const struct uuid *booking_id);

/*
 * Reads a hospital. If there is none, *out is zero except for its id. Its strings are allocated in `arena`.
 */
MUST_CHECK enum status store_read_hospital(struct db *db, const struct uuid *id, struct arena *arena,
                                           struct hospital *out, struct error *error);

/* Reads the hospital's days from `from` to `to`, both included, in order of date. Skips days that were never
 * opened. */
MUST_CHECK enum status store_read_days(struct db *db, const struct uuid *hospital_id, int32_t from,
                                       int32_t to, store_day_fn on_day, void *context, struct error *error);

/* Counts the days from `today` on that have more places reserved than their capacity. */
MUST_CHECK enum status store_count_overcommitted(struct db *db, int32_t today, int64_t *days,
                                                 struct error *error);

struct store_list {
    struct uuid first_id; /* smallest id to list */
    /*
     * Empty = any. The match ignores case, at least for ASCII. The other two are alternative forms of the
     * same text. A name matches if it contains any of the three.
     */
    const char *name_contains, *decomposed, *as_sent;
    bool include_deleted;
    bool on_date; /* whether to list only hospitals open on `date`, each together with that day */
    int32_t date;
    uint32_t max; /* maximum number of rows */
};

/* Lists hospitals in order of id. `day` is NULL unless on_date. */
MUST_CHECK enum status store_list_hospitals(struct db *db, const struct store_list *list,
                                            store_hospital_fn on_hospital, void *context,
                                            struct error *error);

/* Sets *count to the number of all live reservations, and calls on_reservation for the `max` greatest ids,
 * greatest (newest) first. */
MUST_CHECK enum status store_list_live(struct db *db, int64_t max, int64_t *count,
                                       store_reservation_fn on_reservation, void *context,
                                       struct error *error);

struct store_live {
    const struct uuid *ids; /* the ids to list; NULL = all */
    size_t id_count;
    struct uuid after; /* for a list of all: the last id of the previous page */
    uint32_t max;      /* for a list of all: the maximum number of rows */
};

typedef enum status (*store_live_fn)(void *context, const struct reservation *reservation);

/* Lists live reservations: all of them in order of booking_id, or those in `ids` in any order. */
MUST_CHECK enum status store_list_reservations(struct db *db, const struct store_live *wanted,
                                               store_live_fn on_live, void *context, struct error *error);

#endif
