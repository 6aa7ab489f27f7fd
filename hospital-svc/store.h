/*
 * The SQL of the writer. Loads and saves a batch with a fixed number of statements, regardless of the number
 * of rows. The functions return the statuses of db.h. One thread.
 */
#ifndef SCREENING_HOSPITAL_SVC_STORE_H
#define SCREENING_HOSPITAL_SVC_STORE_H

#include "working_set.h"

#include <stdint.h>

#include "base/status.h"
#include "db/db.h"
#include "db/migrate.h"

/* Locks and reads the head row of the event log, and reads the number of the last commit. */
extern const struct db_statement STORE_LOCK_HEAD;

/* The scripts in migrations/, for db_migrate. The build generates the array. */
extern const struct db_migration HOSPITAL_MIGRATIONS[];
extern const size_t HOSPITAL_MIGRATION_COUNT;

/* In the functions below, `params` is scratch space. */

/* Loads the rows of the set that are not loaded yet. Rows that do not exist in the database keep their
 * values. */
MUST_CHECK enum status store_load_reservations(struct db *db, struct db_params *params,
                                               struct working_set *set, struct error *error);
MUST_CHECK enum status store_load_hospitals(struct db *db, struct db_params *params, struct working_set *set,
                                            struct error *error);
/* Also adds, for each hospital that has `with_days` set, all its days from `today` on. */
MUST_CHECK enum status store_load_days(struct db *db, struct db_params *params, struct working_set *set,
                                       int32_t today, struct error *error);

/*
 * Looks up the capacity that the command `change_id` set on day->hospital_id and day->date. If *found, sets
 * day->capacity and day->version. Otherwise leaves *day unchanged.
 */
MUST_CHECK enum status store_find_capacity_change(struct db *db, const struct uuid *change_id,
                                                  struct screening_day *day, bool *found,
                                                  struct error *error);

/* Returns whether the set changes days or reservations. */
bool store_counts_commit(const struct working_set *set);

/*
 * Writes every dirty row and every capacity change. If days or reservations changed, takes the next commit
 * number and stores it with every place taken or released and every capacity set.
 */
MUST_CHECK enum status store_save(struct db *db, struct db_params *params, const struct working_set *set,
                                  struct error *error);

/*
 * Deletes up to `max` released reservations and tombstones whose screening date is before `before`. Sets
 * *purged to the number deleted.
 */
MUST_CHECK enum status store_purge(struct db *db, int32_t before, int64_t max, int64_t *purged,
                                   struct error *error);

#endif
