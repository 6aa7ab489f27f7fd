/* Creates the tables of this folder. */
#include "event_log.h"
#include "event_store.h"

#include "db/migrate.h"

extern const char events_0001_initial_sqlite[];
extern const char events_0001_initial_postgresql[];
extern const char events_0002_eras_sqlite[];
extern const char events_0002_eras_postgresql[];
extern const char events_0003_cursor_era_sqlite[];
extern const char events_0003_cursor_era_postgresql[];

enum status events_migrate(struct db *db, struct error *error)
{
    const struct db_migration migrations[] = {
        {"initial", events_0001_initial_sqlite, events_0001_initial_postgresql},
        {"eras", events_0002_eras_sqlite, events_0002_eras_postgresql},
        {"cursor_era", events_0003_cursor_era_sqlite, events_0003_cursor_era_postgresql},
    };
    enum status status =
        db_migrate(db, "events", migrations, sizeof migrations / sizeof migrations[0], error);
    if (status != STATUS_OK)
        return status;
    return event_store_make_head(db, error);
}
