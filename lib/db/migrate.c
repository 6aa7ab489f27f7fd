#include "db/migrate.h"

#include "base/fault_point.h"

enum { CREATE_ATTEMPTS = 10 };

static const char create_table[] = "CREATE TABLE IF NOT EXISTS schema_version ("
                                   " component text NOT NULL PRIMARY KEY,"
                                   " version bigint NOT NULL)";

/*
 * Holds other processes back until the commit; a long migration of theirs must not fail this one. (SQLite's
 * BEGIN IMMEDIATE already does.)
 */
static const char lock_table[] = "SET LOCAL lock_timeout = 0;"
                                 "LOCK TABLE schema_version IN SHARE ROW EXCLUSIVE MODE";

static const struct db_statement select_version = {
    .name = "select_schema_version",
    .sql = "SELECT version FROM schema_version WHERE component = $1",
};

static const struct db_statement save_version = {
    .name = "save_schema_version",
    .sql = "INSERT INTO schema_version (component, version) VALUES ($1, $2)"
           " ON CONFLICT (component) DO UPDATE SET version = excluded.version",
};

/* PostgreSQL's IF NOT EXISTS still fails when another process creates the table at the same moment. */
static enum status ensure_table(struct db *db, struct error *error)
{
    enum status status = STATUS_OK;

    for (int attempt = 0; attempt < CREATE_ATTEMPTS; attempt++) {
        status = db_run_script(db, create_table, error);
        if (status != STATUS_ALREADY_EXISTS)
            break;
    }
    return status;
}

static enum status take_version(void *context, const struct db_row *row)
{
    *(int64_t *)context = db_row_int(row, 0);
    return STATUS_OK;
}

static enum status load_version(struct db *db, const char *component, int64_t *version, struct error *error)
{
    struct db_params *params = db_params_create();
    enum status status;

    if (params == NULL)
        return error_set(error, STATUS_RESOURCE_EXHAUSTED, NULL, "database: out of memory");
    db_params_text(params, component);
    db_params_end_row(params);
    *version = 0;
    status = db_run(db, &select_version, params, take_version, version, error);
    db_params_destroy(params);
    return status;
}

static enum status store_version(struct db *db, const char *component, int64_t version, struct error *error)
{
    struct db_params *params = db_params_create();
    enum status status;

    if (params == NULL)
        return error_set(error, STATUS_RESOURCE_EXHAUSTED, NULL, "database: out of memory");
    db_params_text(params, component);
    db_params_int(params, version);
    db_params_end_row(params);
    status = db_run(db, &save_version, params, NULL, NULL, error);
    db_params_destroy(params);
    return status;
}

static enum status apply(struct db *db, const char *component, const struct db_migration *migration,
                         int64_t version, struct error *error)
{
    const char *script = db_dialect(db) == DB_SQLITE ? migration->sqlite : migration->postgresql;
    struct error cause = {0};
    enum status status;

    if (script == NULL)
        return error_set(error, STATUS_INVALID_ARGUMENT, NULL, "database: %s does not run on %s", component,
                         db_dialect(db) == DB_SQLITE ? "SQLite" : "PostgreSQL");
    status = db_run_script(db, script, &cause);
    if (status != STATUS_OK)
        return error_set(error, status, NULL, "database: migration %s %lld (%s): %s", component,
                         (long long)version, migration->name, cause.message);
    FAULT_POINT("migrate.step");
    return store_version(db, component, version, error);
}

/* Inside a transaction: applies the next migration, if one is missing. */
static enum status step(struct db *db, const char *component, const struct db_migration *migrations,
                        size_t count, bool *done, struct error *error)
{
    int64_t version = 0;
    enum status status = STATUS_OK;

    if (db_dialect(db) == DB_POSTGRESQL)
        status = db_run_script(db, lock_table, error);
    if (status == STATUS_OK)
        status = load_version(db, component, &version, error);
    if (status != STATUS_OK)
        return status;
    if (version > (int64_t)count)
        return error_set(error, STATUS_FAILED_PRECONDITION, NULL,
                         "database: schema version %lld of %s is newer than this program, which knows %zu",
                         (long long)version, component, count);
    *done = version == (int64_t)count;
    if (*done)
        return STATUS_OK;
    return apply(db, component, &migrations[version], version + 1, error);
}

enum status db_migrate(struct db *db, const char *component, const struct db_migration *migrations,
                       size_t count, struct error *error)
{
    enum status status = ensure_table(db, error);
    bool done = false;

    while (status == STATUS_OK && !done) {
        status = db_begin(db, error);
        if (status != STATUS_OK)
            return status;
        status = step(db, component, migrations, count, &done, error);
        if (status == STATUS_OK)
            status = db_commit(db, error);
        else
            db_rollback(db);
    }
    return status;
}
