/*
 * The PostgreSQL schemas that hold history-svc's tables. Everything lives in one schema, so that a rebuild
 * can fill a second one and swap their names. From the main thread, outside a transaction.
 */
#ifndef HISTORY_SVC_SCHEMA_H
#define HISTORY_SVC_SCHEMA_H

#include "base/status.h"
#include "db/db.h"

extern const char SCHEMA_LIVE[];
extern const char SCHEMA_REBUILD[];

/* Makes the schema if it is not there, lets names on this connection resolve to it, and migrates its tables.
 * Fails as db_migrate does. */
MUST_CHECK enum status schema_prepare(struct db *db, const char *schema, struct error *error);

/* The same for the schema of a rebuild, which must not be there, ready to be filled fast. */
MUST_CHECK enum status schema_prepare_rebuild(struct db *db, struct error *error);

/* Drops the schema of a rebuild with all that is in it; none: nothing. */
MUST_CHECK enum status schema_drop_rebuild(struct db *db, struct error *error);

/*
 * Completes the rebuilt schema and puts it in the place of the live one in one transaction, and drops the old
 * one. What a running history-svc has in hand ends before, what comes later meets the new tables.
 * DEADLINE_EXCEEDED or ABORTED if the live tables were busy: nothing has changed, try again.
 */
MUST_CHECK enum status schema_swap(struct db *db, struct error *error);

#endif
