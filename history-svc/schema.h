/*
 * Manages the PostgreSQL schemas with history-svc's tables. All tables are in one schema, so that a rebuild
 * can fill a second one and swap the names. Main thread only, outside a transaction.
 */
#ifndef SCREENING_HISTORY_SVC_SCHEMA_H
#define SCREENING_HISTORY_SVC_SCHEMA_H

#include "base/status.h"
#include "db/db.h"

extern const char SCHEMA_LIVE[];
extern const char SCHEMA_REBUILD[];

/*
 * Creates the schema if it does not exist, makes names on this connection resolve to it, and migrates its
 * tables. Fails like db_migrate.
 */
MUST_CHECK enum status schema_prepare(struct db *db, const char *schema, struct error *error);

/*
 * Like schema_prepare, for the schema of a rebuild, which must not exist yet. Omits the index that makes
 * filling slow.
 */
MUST_CHECK enum status schema_prepare_rebuild(struct db *db, struct error *error);

/* Drops the schema of a rebuild and its contents. Idempotent. */
MUST_CHECK enum status schema_drop_rebuild(struct db *db, struct error *error);

/*
 * Completes the rebuilt schema, swaps it with the live one in one transaction, and drops the old one.
 * Transactions of a running history-svc that are in flight end before the swap, and later ones use the new
 * tables. Returns DEADLINE_EXCEEDED or ABORTED if the live tables were busy. In that case nothing has
 * changed, and the caller may retry.
 */
MUST_CHECK enum status schema_swap(struct db *db, struct error *error);

#endif
