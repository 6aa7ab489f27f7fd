/* Schema migrations. They are applied at start, each in one transaction together with its version number. */
#ifndef SCREENING_DB_MIGRATE_H
#define SCREENING_DB_MIGRATE_H

#include <stddef.h>

#include "base/status.h"
#include "db/db.h"

/*
 * One step of a component's schema. Its version is its position in the list, from 1. Scripts contain no BEGIN
 * or COMMIT.
 */
struct db_migration {
    const char *name;   /* "initial" */
    const char *sqlite; /* NULL if this component does not run on SQLite */
    const char *postgresql;
};

/*
 * Claims the database for the service `owner` ("booking") before its migrations. Records the component with
 * version 0 unless it is already there. Returns FAILED_PRECONDITION if the database has a component of
 * another service, or if a SQLite file has tables of another program. If several processes call it
 * concurrently on an empty database, one owner wins.
 */
MUST_CHECK enum status db_claim(struct db *db, const char *owner, struct error *error);

/*
 * Brings the component's tables up to the last migration of the list. The table schema_version{component,
 * version} records the progress. Several processes may call it concurrently. Returns FAILED_PRECONDITION if
 * the database is newer than the list (an older binary on a newer database). Otherwise returns the status of
 * the failed database call.
 */
MUST_CHECK enum status db_migrate(struct db *db, const char *component, const struct db_migration *migrations,
                                  size_t count, struct error *error);

#endif
