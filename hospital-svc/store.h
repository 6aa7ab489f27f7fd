/*
 * The writer's SQL: what a batch loads and saves, one statement per table however many rows. Statuses are
 * those of db.h. One thread.
 */
#ifndef SCREENING_HOSPITAL_SVC_STORE_H
#define SCREENING_HOSPITAL_SVC_STORE_H

#include "working_set.h"

#include <stdint.h>

#include "base/status.h"
#include "db/db.h"
#include "db/migrate.h"

/* Takes the head of the event log, with the number of the last commit. */
extern const struct db_statement STORE_LOCK_HEAD;

/* The schema's steps, for db_migrate. */
extern const struct db_migration HOSPITAL_MIGRATIONS[];
enum { HOSPITAL_MIGRATION_COUNT = 5 };

/* `params` is scratch space in all of these. */

/* Fills in the rows of the set that are not loaded yet; those that are not stored stay as they are. */
MUST_CHECK enum status store_load_reservations(struct db *db, struct db_params *params,
                                               struct working_set *set, struct error *error);
MUST_CHECK enum status store_load_hospitals(struct db *db, struct db_params *params, struct working_set *set,
                                            struct error *error);
/* Also adds, for hospitals with_days, all days from `today` on. */
MUST_CHECK enum status store_load_days(struct db *db, struct db_params *params, struct working_set *set,
                                       int32_t today, struct error *error);

/*
 * The capacity that the command of that id has set on day->hospital_id and day->date: *found, and
 * day->capacity and day->version. Otherwise *day stays as it is.
 */
MUST_CHECK enum status store_find_capacity_change(struct db *db, struct db_params *params,
                                                  const struct uuid *change_id, struct screening_day *day,
                                                  bool *found, struct error *error);

/* Whether the set changes days or reservations. */
bool store_counts_commit(const struct working_set *set);

/*
 * Writes every dirty row and every capacity change. If days or reservations are among them, this is the next
 * commit by number, and what was taken, released and set carries it.
 */
MUST_CHECK enum status store_save(struct db *db, struct db_params *params, const struct working_set *set,
                                  struct error *error);

/*
 * Deletes at most `max` reservations that were released, or tombstones, and whose screening date is before
 * `before`; *purged tells how many.
 */
MUST_CHECK enum status store_purge(struct db *db, struct db_params *params, int32_t before, int64_t max,
                                   int64_t *purged, struct error *error);

#endif
