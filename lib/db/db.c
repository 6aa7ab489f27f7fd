/*
 * The front end shared by both drivers. It checks the order of calls, keeps the first failure of a
 * transaction, and gives access to rows.
 *
 * Invariant: failure.status differs from OK only inside a transaction. Every later run then returns that
 * failure, and db_commit rolls back and returns it.
 */
#include "db/db.h"

#include <stdatomic.h>
#include <string.h>

#include "base/check.h"
#include "db/damage.h"
#include "db/driver.h"

static const char *const type_names[DB_TYPE_COUNT] = {
    [DB_NULL] = "null",   [DB_INT] = "int",   [DB_TEXT] = "text",
    [DB_BYTES] = "bytes", [DB_UUID] = "uuid", [DB_DATE] = "date",
};

/* ---- connections ---- */

enum status db_open(const char *url, enum db_access access, struct db **out, struct error *error)
{
    struct error own;
    const struct db_driver *driver = &postgresql_driver;
    TRY(db_url_check(url, error));
    metric_register(&db_damaged);
    if (db_url_sqlite_path(url) != NULL)
        driver = &sqlite_driver;
    TRY(driver->open(url, access, out, error == NULL ? &own : error));
    (*out)->access = access;
    return STATUS_OK;
}

void db_close(struct db *db)
{
    if (db != NULL)
        db->driver->close(db);
}

bool db_in_place(struct db *db)
{
    return db->driver->in_place == NULL || db->driver->in_place(db);
}

enum db_dialect db_dialect(const struct db *db)
{
    return db->dialect;
}

static bool is_plain_identifier(const char *text)
{
    size_t length = strlen(text);
    return length >= 1 && length <= 63 && strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_") == length &&
           strchr("0123456789", text[0]) == NULL;
}

enum status db_use_schema(struct db *db, const char *schema, struct error *error)
{
    struct error own;
    if (db->dialect != DB_POSTGRESQL || db->in_transaction || !is_plain_identifier(schema))
        return error_set(error, STATUS_INTERNAL, NULL,
                         "database: a schema cannot be chosen here, or not by this name");
    return db->driver->use_schema(db, schema, error == NULL ? &own : error);
}

/* ---- transactions ---- */

enum status db_begin(struct db *db, struct error *error)
{
    struct error own;
    struct error *told = error == NULL ? &own : error;
    if (db->in_transaction)
        return error_set(error, STATUS_INTERNAL, NULL, "database: a transaction is already open");
    CHECK(db->failure.status == STATUS_OK);
    enum status status = DB_FAULT_STATUS(db, "db.begin", told);
    if (status == STATUS_OK)
        status = db->driver->begin(db, told);
    db->in_transaction = status == STATUS_OK;
    return status;
}

enum status db_commit(struct db *db, struct error *error)
{
    struct error own;
    if (!db->in_transaction)
        return error_set(error, STATUS_INTERNAL, NULL, "database: no transaction is open");
    if (db->failure.status == STATUS_OK)
        db->failure.status = DB_FAULT_STATUS(db, "db.commit", &db->failure);
    if (db->failure.status != STATUS_OK) {
        enum status status = db->failure.status;
        if (error != NULL)
            *error = db->failure;
        db_rollback(db);
        return status;
    }
    db->in_transaction = false;
    return db->driver->commit(db, error == NULL ? &own : error);
}

uint64_t db_session(const struct db *db)
{
    return db->session;
}

uint64_t db_stamp(const struct db *db)
{
    return db->in_transaction ? db->stamp : 0;
}

void db_restamp(struct db *db)
{
    /* The counter is process-wide, so that a new connection never repeats a stamp of an earlier one. */
    static atomic_uint_fast64_t last;
    if (db->dialect == DB_SQLITE)
        db->stamp = atomic_fetch_add(&last, 1) + 1;
}

void db_rollback(struct db *db)
{
    if (!db->in_transaction)
        return;
    db->in_transaction = false;
    error_clear(&db->failure);
    db->driver->rollback(db);
}

/* ---- running ---- */

/* Returns OK if the call may proceed, otherwise the earlier failure of this transaction. */
static enum status check_transaction(const struct db *db, struct error *error)
{
    CHECK(db->in_transaction || db->failure.status == STATUS_OK);
    if (error != NULL && db->failure.status != STATUS_OK)
        *error = db->failure;
    return db->failure.status;
}

/*
 * Records a failure of the transaction. Every function that may have reached the database ends with this
 * call.
 */
static enum status remember(struct db *db, enum status status, const struct error *error)
{
    if (status != STATUS_OK && db->in_transaction && db->failure.status == STATUS_OK)
        db->failure = *error;
    return status;
}

static enum status check_params(const struct db_statement *statement, const struct db_params *params,
                                struct error *error)
{
    const char *fault = params->fault;
    enum status status = params->status;
    if (status == STATUS_OK && params->row_start != params->count) {
        fault = "a row of parameters was not ended";
        status = STATUS_INTERNAL;
    }
    if (status == STATUS_OK)
        return STATUS_OK;
    return error_set(error, status, NULL, "database: %s: %s", statement->name, fault);
}

static enum status run(struct db *db, const struct db_statement *statement, const struct db_params *params,
                       const struct db_sink *sink, struct error *error)
{
    struct error own;
    struct error *told = error == NULL ? &own : error;
    TRY(check_transaction(db, error));
    if (params != NULL) {
        enum status status = check_params(statement, params, told);
        if (status != STATUS_OK)
            return remember(db, status, told);
        if (params->rows == 0)
            return STATUS_OK;
    }
    enum status status = DB_FAULT_STATUS(db, "db.run", told);
    if (status == STATUS_OK)
        status = db->driver->run(db, statement, params, sink, told);
    return remember(db, status, told);
}

enum status db_run(struct db *db, const struct db_statement *statement, const struct db_params *params,
                   db_row_fn on_row, void *context, struct error *error)
{
    return run(db, statement, params, &(struct db_sink){.on_row = on_row, .context = context}, error);
}

enum status db_run_counting(struct db *db, const struct db_statement *statement,
                            const struct db_params *params, int64_t *changed, struct error *error)
{
    int64_t count = 0;
    TRY(run(db, statement, params, &(struct db_sink){.changed = &count}, error));
    *changed = count;
    return STATUS_OK;
}

enum status db_run_uuids(struct db *db, const struct db_statement *statement, const struct uuid *ids,
                         size_t count, db_row_fn on_row, void *context, struct error *error)
{
    struct db_params *params = db_params_create();
    if (params == NULL)
        return error_no_memory(error);
    for (size_t i = 0; i < count; i++) {
        db_params_uuid(params, &ids[i]);
        db_params_end_row(params);
    }
    enum status status = db_run(db, statement, params, on_row, context, error);
    db_params_destroy(params);
    return status;
}

enum status db_run_script(struct db *db, const char *script, struct error *error)
{
    struct error own;
    struct error *told = error == NULL ? &own : error;
    TRY(check_transaction(db, error));
    if (db->access == DB_READ_ONLY)
        return error_set(error, STATUS_INTERNAL, NULL,
                         "database: a connection that only reads runs no script");
    return remember(db, db->driver->run_script(db, script, told), told);
}

/* ---- probing ---- */

/*
 * This statement needs disk space but does not keep it. In PostgreSQL the table takes one page, and the
 * commit drops it.
 */
static const struct db_statement write_nothing = {
    .name = "write_nothing",
    .sql = "PRAGMA user_version = 0",
    .postgresql = "CREATE TEMP TABLE write_nothing ON COMMIT DROP AS SELECT 1 AS nothing",
};

enum status db_probe(struct db *db, bool write, struct error *error)
{
    struct error own;
    enum status status = db_begin(db, &own);
    if (status == STATUS_OK && write)
        status = db_run(db, &write_nothing, NULL, NULL, NULL, &own);
    if (status == STATUS_OK)
        status = db_commit(db, &own);
    else
        db_rollback(db);
    if (error != NULL && status != STATUS_OK)
        *error = own;
    return status;
}

/* ---- rows ---- */

enum status db_sink_row(const struct db_sink *sink, const struct db_driver *driver, void *source, int number,
                        const char *statement_name, struct error *error)
{
    struct db_mismatch mismatch = {0};
    struct db_row row = {.driver = driver, .source = source, .number = number, .mismatch = &mismatch};
    enum status status = sink->on_row(sink->context, &row);
    if (mismatch.wanted != NULL)
        return error_set(error, STATUS_INTERNAL, NULL, "database: %s: column %d is not of type %s",
                         statement_name, mismatch.column, mismatch.wanted);
    if (status != STATUS_OK)
        return error_set(error, status, NULL, "database: %s: its row was not accepted", statement_name);
    return STATUS_OK;
}

void db_row_reject(const struct db_row *row, int column, const char *wanted)
{
    if (row->mismatch->wanted == NULL)
        *row->mismatch = (struct db_mismatch){.wanted = wanted, .column = column};
}

static struct db_value cell(const struct db_row *row, int column, enum db_type wanted)
{
    struct db_value value = {.type = DB_NULL};
    if (row->driver->cell(row, column, wanted, &value))
        return value;
    db_row_reject(row, column, type_names[wanted]);
    return (struct db_value){.type = DB_NULL};
}

int64_t db_row_int(const struct db_row *row, int column)
{
    struct db_value value = cell(row, column, DB_INT);
    return value.type == DB_NULL ? 0 : value.as.number;
}

uint64_t db_row_unsigned(const struct db_row *row, int column)
{
    int64_t number = db_row_int(row, column);
    if (number < 0)
        db_row_reject(row, column, "int in its range");
    return (uint64_t)number;
}

const char *db_row_text(const struct db_row *row, int column)
{
    struct db_value value = cell(row, column, DB_TEXT);
    return value.type == DB_NULL ? "" : value.as.text;
}

const void *db_row_bytes(const struct db_row *row, int column, size_t *size)
{
    struct db_value value = cell(row, column, DB_BYTES);
    *size = value.type == DB_NULL ? 0 : value.size_bytes;
    return *size == 0 ? "" : value.as.bytes;
}

struct uuid db_row_uuid(const struct db_row *row, int column)
{
    struct db_value value = cell(row, column, DB_UUID);
    return value.type == DB_NULL ? (struct uuid){{0}} : value.as.uuid;
}

int32_t db_row_date(const struct db_row *row, int column)
{
    struct db_value value = cell(row, column, DB_DATE);
    return value.type == DB_NULL ? 0 : value.as.day;
}

bool db_row_is_sound(const struct db_row *row)
{
    return row->mismatch->wanted == NULL;
}

bool db_row_is_null(const struct db_row *row, int column)
{
    return row->driver->is_null(row, column);
}

enum status db_take_int(void *context, const struct db_row *row)
{
    *(int64_t *)context = db_row_int(row, 0);
    return STATUS_OK;
}
