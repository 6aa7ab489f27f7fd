/*
 * The SQL of the readers, including the lists for the operator. Each function runs one or two statements
 * outside a transaction. The functions return the statuses of db.h, and RESOURCE_EXHAUSTED when out of
 * memory. One connection, one thread.
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

/* Called for each row. The arguments are valid only during the call. A status other than OK ends the read. */
typedef enum status (*store_hospital_fn)(void *context, const struct hospital *hospital,
                                         const struct screening_day *day);
typedef enum status (*store_day_fn)(void *context, const struct screening_day *day);
typedef void (*store_reservation_fn)(void *context, const struct uuid *booking_id);

/*
 * Reads a hospital, with its strings in `arena`. If there is none, *out contains only the id and empty
 * strings.
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
     * Empty = any name. The match ignores case, at least for ASCII. `decomposed` and `as_sent` are other
     * forms of the same text. A name matches if it contains any of the three.
     */
    const char *name_contains, *decomposed, *as_sent;
    bool include_deleted;
    bool on_date; /* whether to list only hospitals that are open on `date`, each with only that day */
    int32_t date;
    uint32_t max; /* maximum number of rows */
};

/* Lists hospitals in order of id. `day` is NULL unless list->on_date. */
MUST_CHECK enum status store_list_hospitals(struct db *db, const struct store_list *list,
                                            store_hospital_fn on_hospital, void *context,
                                            struct error *error);

/*
 * Sets *count to the number of live reservations, and calls on_reservation for the `max` greatest ids,
 * greatest (newest) first.
 */
MUST_CHECK enum status store_list_live(struct db *db, int64_t max, int64_t *count,
                                       store_reservation_fn on_reservation, void *context,
                                       struct error *error);

struct store_live {
    const struct uuid *ids; /* the ids to list; used if id_count > 0 */
    size_t id_count;
    struct uuid after; /* when listing all: the last id of the previous page */
    uint32_t max;      /* when listing all: the maximum number of rows */
};

typedef enum status (*store_live_fn)(void *context, const struct reservation *reservation);

/* Lists live reservations: all of them in order of booking_id, or those in `ids` in any order. */
MUST_CHECK enum status store_list_reservations(struct db *db, const struct store_live *wanted,
                                               store_live_fn on_live, void *context, struct error *error);

#endif
