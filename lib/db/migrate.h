/* Migrates schemas at startup. Each migration is committed together with its version number. */
#ifndef SCREENING_DB_MIGRATE_H
#define SCREENING_DB_MIGRATE_H

#include <stddef.h>

#include "base/status.h"
#include "db/db.h"

/*
 * One step of a component's schema. Its version is its position in the list, counted from 1. Scripts contain
 * no BEGIN or COMMIT.
 */
struct db_migration {
    const char *name;   /* such as "initial" */
    const char *sqlite; /* NULL if this component does not run on SQLite */
    const char *postgresql;
};

/*
 * Claims the database for the service `owner`, such as "booking", before its migrations. Records `owner` as a
 * component with version 0, unless it is already recorded. Returns FAILED_PRECONDITION if the database has a
 * component of another service, or if a SQLite file has tables of another program. If several processes call
 * it concurrently on an empty database, exactly one owner gets the database.
 */
MUST_CHECK enum status db_claim(struct db *db, const char *owner, struct error *error);

/*
 * Applies the migrations in the list that have not yet been applied to the component's tables. The table
 * schema_version{component, version} records the progress. Several processes may call db_migrate
 * concurrently. Returns FAILED_PRECONDITION if the database is newer than the list (an older binary on a
 * newer database). Returns INVALID_ARGUMENT if a script for this kind of database is missing. Other failures
 * are those of the database calls.
 */
MUST_CHECK enum status db_migrate(struct db *db, const char *component, const struct db_migration *migrations,
                                  size_t count, struct error *error);

#endif
