#include "schema.h"

#include "store.h"

#include <stdio.h>

#include "db/migrate.h"
#include "events/event_log.h"

const char SCHEMA_LIVE[] = "history";
const char SCHEMA_REBUILD[] = "history_rebuild";

enum { SCRIPT_SIZE = 128 };

static const char DROP_REBUILD[] = "DROP SCHEMA IF EXISTS history_rebuild CASCADE";

/*
 * Filling takes a fifth less time without this index, the only one that is not written in order. COMPLETE
 * creates the index.
 */
static const char DROP_INDEX[] = "DROP INDEX history_rebuild.booking_summary_by_customer";

/* A new table has no statistics until autovacuum analyses it. */
static const char COMPLETE[] = "CREATE INDEX IF NOT EXISTS booking_summary_by_customer "
                               "ON history_rebuild.booking_summary (customer_id, created_at_us, booking_id);"
                               "ANALYZE history_rebuild.booking_summary, history_rebuild.timeline_entry, "
                               "history_rebuild.hospital";

/*
 * Takes the locks in the order in which writers and readers use the tables, to avoid deadlocks. event_cursor
 * comes first, so that a transaction that has read it can finish. event_log_head keeps its log_id. That table
 * exists only because lib/events creates it; this service publishes no log.
 */
static const char SWAP[] =
    "LOCK TABLE history.event_cursor, history.booking_summary, history.timeline_entry, history.hospital, "
    "history.unknown_event, history.dead_letter, history.event_log, history.event_log_head, "
    "history.schema_version IN ACCESS EXCLUSIVE MODE;"
    "UPDATE history_rebuild.event_log_head n SET log_id = o.log_id FROM history.event_log_head o;"
    "ALTER SCHEMA history RENAME TO history_old;"
    "ALTER SCHEMA history_rebuild RENAME TO history;"
    "DROP SCHEMA history_old CASCADE";

enum status schema_prepare(struct db *db, const char *schema, struct error *error)
{
    char script[SCRIPT_SIZE];
    snprintf(script, sizeof script, "CREATE SCHEMA IF NOT EXISTS %s", schema);
    enum status status = db_run_script(db, script, error);
    if (status != STATUS_ALREADY_EXISTS) /* another process created the schema at the same moment */
        TRY(status);
    TRY(db_use_schema(db, schema, error));
    TRY(db_claim(db, "history", error));
    TRY(events_migrate(db, error));
    return store_migrate(db, error);
}

enum status schema_prepare_rebuild(struct db *db, struct error *error)
{
    TRY(schema_prepare(db, SCHEMA_REBUILD, error));
    return db_run_script(db, DROP_INDEX, error);
}

enum status schema_drop_rebuild(struct db *db, struct error *error)
{
    return db_run_script(db, DROP_REBUILD, error);
}

enum status schema_swap(struct db *db, struct error *error)
{
    TRY(db_run_script(db, COMPLETE, error));
    TRY(db_begin(db, error));
    enum status status = db_run_script(db, SWAP, error);
    if (status == STATUS_OK)
        return db_commit(db, error);
    db_rollback(db);
    return status;
}
