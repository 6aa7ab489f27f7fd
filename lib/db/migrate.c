#include "db/migrate.h"

#include "base/fault_point.h"

enum { CREATE_ATTEMPTS = 10 };

static const char create_table[] = "CREATE TABLE IF NOT EXISTS schema_version ("
                                   " component text NOT NULL PRIMARY KEY,"
                                   " version bigint NOT NULL)";

/*
 * Keeps other processes from migrating until the commit. There is no lock timeout, so that a long migration
 * in another process does not make this one fail. (SQLite's BEGIN IMMEDIATE already locks.)
 */
static const char lock_table[] = "SET LOCAL lock_timeout = 0;"
                                 "LOCK TABLE schema_version IN SHARE ROW EXCLUSIVE MODE";

/*
 * Finds the table. CREATE TABLE needs the right to create even if the table exists, and a role that only
 * reads and writes rows does not have it.
 */
static const struct db_statement find_table = {
    .name = "find_schema_version",
    .sql = "SELECT count(*) FROM pg_catalog.pg_tables"
           " WHERE schemaname = current_schema() AND tablename = 'schema_version'",
};

static const struct db_statement select_version = {
    .name = "select_schema_version",
    .sql = "SELECT version FROM schema_version WHERE component = $1",
};

static const struct db_statement save_version = {
    .name = "save_schema_version",
    .sql = "INSERT INTO schema_version (component, version) VALUES ($1, $2)"
           " ON CONFLICT (component) DO UPDATE SET version = excluded.version",
};

/* The component that every service's database has. */
static const char shared_component[] = "events";

static const struct db_statement find_other = {
    .name = "find_other_component",
    .sql = "SELECT min(component) FROM schema_version WHERE component NOT IN ($1, $2) HAVING count(*) > 0",
};

static const struct db_statement save_owner = {
    .name = "save_schema_owner",
    .sql =
        "INSERT INTO schema_version (component, version) VALUES ($1, 0) ON CONFLICT (component) DO NOTHING",
};

/*
 * Finds tables of other programs in a SQLite file, which belongs to one program. A PostgreSQL database may
 * have other tables, for example of an extension in the schema public.
 */
static const struct db_statement find_strangers = {
    .name = "find_strangers",
    .sql = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite~_%' ESCAPE '~'"
           " AND NOT EXISTS (SELECT 1 FROM sqlite_master WHERE name = 'schema_version')",
};

/*
 * Creates the table if necessary. Retries, because PostgreSQL's IF NOT EXISTS still fails when another
 * process creates the table at the same moment.
 */
static enum status ensure_table(struct db *db, struct error *error)
{
    enum status status = STATUS_OK;
    int64_t tables = 0;
    if (db_dialect(db) == DB_POSTGRESQL)
        TRY(db_run(db, &find_table, NULL, db_take_int, &tables, error));
    for (int attempt = 0; tables == 0 && attempt < CREATE_ATTEMPTS; attempt++) {
        status = db_run_script(db, create_table, error);
        if (status != STATUS_ALREADY_EXISTS)
            break;
    }
    return status;
}

static enum status load_version(struct db *db, const char *component, int64_t *version, struct error *error)
{
    *version = 0;
    return db_run(db, &select_version, DB_ROW(db_text(component)), db_take_int, version, error);
}

static enum status store_version(struct db *db, const char *component, int64_t version, struct error *error)
{
    return db_run(db, &save_version, DB_ROW(db_text(component), db_int(version)), NULL, NULL, error);
}

/* ---- ownership ---- */

struct owner {
    const char *name;
    struct error *error;
};

static enum status refuse_owner(void *context, const struct db_row *row)
{
    struct owner *owner = context;
    return error_set(owner->error, STATUS_FAILED_PRECONDITION, NULL,
                     "database: it is the database of %s-svc; %s-svc needs one of its own",
                     db_row_text(row, 0), owner->name);
}

static enum status check_owner(struct db *db, const char *owner, struct error *error)
{
    struct error refusal = {0};
    struct owner wanted = {.name = owner, .error = &refusal};
    enum status status = db_run(db, &find_other, DB_ROW(db_text(owner), db_text(shared_component)),
                                refuse_owner, &wanted, error);
    if (refusal.status != STATUS_OK && error != NULL)
        *error = refusal;
    return status;
}

static enum status write_owner(struct db *db, const char *owner, struct error *error)
{
    return db_run(db, &save_owner, DB_ROW(db_text(owner)), NULL, NULL, error);
}

static enum status check_strangers(struct db *db, const char *owner, struct error *error)
{
    int64_t count = 0;
    if (db_dialect(db) == DB_SQLITE)
        TRY(db_run(db, &find_strangers, NULL, db_take_int, &count, error));
    if (count == 0)
        return STATUS_OK;
    return error_set(error, STATUS_FAILED_PRECONDITION, NULL,
                     "database: it is the database of another program; %s-svc needs one of its own", owner);
}

enum status db_claim(struct db *db, const char *owner, struct error *error)
{
    enum status status = STATUS_OK;
    TRY(check_strangers(db, owner, error));
    TRY(ensure_table(db, error));
    TRY(db_begin(db, error));
    if (db_dialect(db) == DB_POSTGRESQL)
        status = db_run_script(db, lock_table, error);
    if (status == STATUS_OK)
        status = check_owner(db, owner, error);
    if (status == STATUS_OK)
        status = write_owner(db, owner, error);
    if (status == STATUS_OK)
        return db_commit(db, error);
    db_rollback(db);
    return status;
}

/* ---- migrations ---- */

static enum status apply(struct db *db, const char *component, const struct db_migration *migration,
                         int64_t version, struct error *error)
{
    const char *script = db_dialect(db) == DB_SQLITE ? migration->sqlite : migration->postgresql;
    struct error cause = {0};
    if (script == NULL)
        return error_invalid(error, "database: %s does not run on %s", component,
                             db_dialect(db) == DB_SQLITE ? "SQLite" : "PostgreSQL");
    enum status status = db_run_script(db, script, &cause);
    if (status != STATUS_OK)
        return error_set(error, status, NULL, "database: migration %s %lld (%s): %s", component,
                         (long long)version, migration->name, cause.message);
    FAULT_POINT("migrate.step");
    return store_version(db, component, version, error);
}

/* Applies the next migration, if there is one. Runs inside a transaction. */
static enum status step(struct db *db, const char *component, const struct db_migration *migrations,
                        size_t count, bool *done, struct error *error)
{
    int64_t version = 0;
    if (db_dialect(db) == DB_POSTGRESQL)
        TRY(db_run_script(db, lock_table, error));
    TRY(load_version(db, component, &version, error));
    if (version > (int64_t)count)
        return error_set(error, STATUS_FAILED_PRECONDITION, NULL,
                         "database: schema version %lld of %s is newer than this program, which knows %zu",
                         (long long)version, component, count);
    *done = version == (int64_t)count;
    if (*done)
        return STATUS_OK;
    return apply(db, component, &migrations[version], version + 1, error);
}

/*
 * SQLite's ALTER TABLE opens the connection's temporary database, which from then on takes part in each
 * transaction. Setting temp_store to another value and back closes that database.
 */
static const char close_temporary[] = "PRAGMA temp_store = MEMORY; PRAGMA temp_store = DEFAULT";

enum status db_migrate(struct db *db, const char *component, const struct db_migration *migrations,
                       size_t count, struct error *error)
{
    enum status status = ensure_table(db, error);
    bool done = false;
    size_t steps = 0;
    for (; status == STATUS_OK && !done; steps++) {
        TRY(db_begin(db, error));
        status = step(db, component, migrations, count, &done, error);
        if (status == STATUS_OK)
            status = db_commit(db, error);
        else
            db_rollback(db);
    }
    if (status == STATUS_OK && steps > 1 && db_dialect(db) == DB_SQLITE)
        status = db_run_script(db, close_temporary, error);
    return status;
}
