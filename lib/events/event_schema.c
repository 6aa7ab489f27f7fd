/* Creates the tables of this folder. */
#include "db/migrate.h"
#include "events/event_log.h"
#include "events/event_store.h"

/* The scripts in migrations/, listed by the build. */
extern const struct db_migration EVENTS_MIGRATIONS[];
extern const size_t EVENTS_MIGRATION_COUNT;

enum status events_migrate(struct db *db, struct error *error)
{
    TRY(db_migrate(db, "events", EVENTS_MIGRATIONS, EVENTS_MIGRATION_COUNT, error));
    return event_store_make_head(db, error);
}
