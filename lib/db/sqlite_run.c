/* Runs SQLite's prepared statements, with their parameters and rows. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/civil.h"
#include "base/container.h"
#include "db/sqlite.h"

struct prepared {
    sqlite3_stmt *handle;
    int parameter_count;
    /* SQLite numbers parameters in order of occurrence. The name, such as $1, identifies the column. */
    unsigned char columns[DB_COLUMNS_MAX];
};

/* ---- preparing ---- */

static enum status fail(const struct db_statement *statement, const char *why, struct error *error)
{
    return error_set(error, STATUS_INTERNAL, NULL, "database: %s: %s", statement->name, why);
}

static bool map_parameters(struct prepared *prepared)
{
    prepared->parameter_count = sqlite3_bind_parameter_count(prepared->handle);
    if (prepared->parameter_count > DB_COLUMNS_MAX)
        return false;
    for (int i = 0; i < prepared->parameter_count; i++) {
        const char *name = sqlite3_bind_parameter_name(prepared->handle, i + 1);
        char *end = NULL;
        long number = name == NULL || name[0] != '$' ? 0 : strtol(name + 1, &end, 10);
        if (number < 1 || number > DB_COLUMNS_MAX || *end != '\0')
            return false;
        prepared->columns[i] = (unsigned char)(number - 1);
    }
    return true;
}

static enum status compile(struct sqlite *sqlite, const struct db_statement *statement,
                           struct prepared *prepared, struct error *error)
{
    char *text = NULL;
    const char *tail = NULL;
    if (statement->sql == NULL)
        return fail(statement, "has no text for SQLite", error);
    TRY(db_statement_expand(statement, statement->sql, &text, error));
    int code =
        sqlite3_prepare_v3(sqlite->handle, text, -1, SQLITE_PREPARE_PERSISTENT, &prepared->handle, &tail);
    bool is_one = code != SQLITE_OK || tail[strspn(tail, " \t\r\n;")] == '\0';
    free(text);
    if (code != SQLITE_OK)
        return sqlite_fail(sqlite, code, statement->name, error);
    if (!is_one)
        return fail(statement, "is more than one statement", error);
    if (!map_parameters(prepared))
        return fail(statement, "parameters must be $1, $2, ...", error);
    return STATUS_OK;
}

static struct prepared *find_or_compile(struct sqlite *sqlite, const struct db_statement *statement,
                                        struct error *error)
{
    struct prepared *prepared = map_get(&sqlite->statements, &statement);
    if (prepared != NULL)
        return prepared;
    prepared = calloc(1, sizeof *prepared);
    if (prepared == NULL) {
        error_set(error, STATUS_RESOURCE_EXHAUSTED, NULL, "database: out of memory");
        return NULL;
    }
    enum status status = compile(sqlite, statement, prepared, error);
    if (status == STATUS_OK) {
        status = map_put(&sqlite->statements, &statement, prepared);
        if (status == STATUS_OK)
            return prepared;
        error_set(error, status, NULL, "database: out of memory");
    }
    sqlite3_finalize(prepared->handle);
    free(prepared);
    return NULL;
}

/* Returns the prepared statement. Prepares it if necessary. On failure, returns NULL and sets `error`. */
static struct prepared *find_prepared(struct sqlite *sqlite, const struct db_statement *statement,
                                      struct error *error)
{
    size_t place = (uintptr_t)statement / sizeof *statement % SQLITE_RECENT;
    if (sqlite->recent[place].statement != statement) {
        struct prepared *prepared = find_or_compile(sqlite, statement, error);
        if (prepared == NULL)
            return NULL;
        sqlite->recent[place].statement = statement;
        sqlite->recent[place].prepared = prepared;
    }
    return sqlite->recent[place].prepared;
}

void sqlite_forget_statements(struct sqlite *sqlite)
{
    struct prepared *prepared;
    size_t position = 0;
    while ((prepared = map_next(&sqlite->statements, &position, NULL)) != NULL) {
        sqlite3_finalize(prepared->handle);
        free(prepared);
    }
    map_clear(&sqlite->statements);
    memset(sqlite->recent, 0, sizeof sqlite->recent);
}

/* ---- running ---- */

static int bind_date(sqlite3_stmt *handle, int index, int32_t day)
{
    char text[CIVIL_TEXT_SIZE];
    return sqlite3_bind_text(handle, index, civil_format(day, text), -1, SQLITE_TRANSIENT);
}

/* Binds a value, whose bytes must stay valid until the statement is reset. */
static int bind_value(sqlite3_stmt *handle, int index, const struct db_value *value)
{
    switch (value->type) {
    case DB_NULL:
        return sqlite3_bind_null(handle, index);
    case DB_INT:
        return sqlite3_bind_int64(handle, index, value->as.number);
    case DB_TEXT:
        return sqlite3_bind_text64(handle, index, value->as.text, value->size_bytes, SQLITE_STATIC,
                                   SQLITE_UTF8);
    case DB_BYTES:
        return sqlite3_bind_blob64(handle, index, value->as.bytes, value->size_bytes, SQLITE_STATIC);
    case DB_UUID:
        return sqlite3_bind_blob(handle, index, value->as.uuid.bytes, sizeof value->as.uuid.bytes,
                                 SQLITE_STATIC);
    case DB_DATE:
        return bind_date(handle, index, value->as.day);
    }
    return SQLITE_MISUSE;
}

static enum status bind_row(struct sqlite *sqlite, const struct prepared *prepared,
                            const struct db_statement *statement, const struct db_params *params, size_t row,
                            struct error *error)
{
    size_t columns = params == NULL ? 0 : params->columns;
    CHECK(params == NULL || (row + 1) * columns <= params->count);
    for (int i = 0; i < prepared->parameter_count; i++) {
        if (prepared->columns[i] >= columns)
            return fail(statement, "has more parameters than were given", error);
        int code = bind_value(prepared->handle, i + 1, &params->values[row * columns + prepared->columns[i]]);
        if (code != SQLITE_OK)
            return sqlite_fail(sqlite, code, statement->name, error);
    }
    return STATUS_OK;
}

/* Steps to the end and passes every row to the sink. The caller must reset the statement. */
static enum status step_all(struct sqlite *sqlite, sqlite3_stmt *handle, const struct db_statement *statement,
                            const struct db_sink *sink, struct error *error)
{
    int code;
    while ((code = sqlite3_step(handle)) == SQLITE_ROW)
        if (sink->on_row != NULL)
            TRY(db_sink_row(sink, &sqlite_driver, handle, 0, statement->name, error));
    if (code != SQLITE_DONE)
        return sqlite_fail(sqlite, code, statement->name, error);
    if (sink->changed != NULL && !sqlite3_stmt_readonly(handle))
        *sink->changed += sqlite3_changes64(sqlite->handle);
    return STATUS_OK;
}

enum status sqlite_run(struct db *db, const struct db_statement *statement, const struct db_params *params,
                       const struct db_sink *sink, struct error *error)
{
    struct sqlite *sqlite = container_of(db, struct sqlite, db);
    size_t rows = params == NULL ? 1 : params->rows;
    struct prepared *prepared = find_prepared(sqlite, statement, error);
    enum status status = STATUS_OK;
    if (prepared == NULL)
        return error->status;
    for (size_t row = 0; row < rows && status == STATUS_OK; row++) {
        status = bind_row(sqlite, prepared, statement, params, row, error);
        if (status == STATUS_OK)
            status = step_all(sqlite, prepared->handle, statement, sink, error);
        (void)sqlite3_reset(prepared->handle); /* returns the step's failure, which was already reported */
    }
    return status;
}

/* ---- rows ---- */

/*
 * The following functions read a value of one type. The value is fetched once and read directly, because each
 * sqlite3_column function would find the column again. This is safe because a connection belongs to one
 * thread.
 */
static bool cell_text(sqlite3_value *value, struct db_value *out)
{
    if (sqlite3_value_type(value) != SQLITE_TEXT)
        return false;
    out->as.text = (const char *)sqlite3_value_text(value);
    out->size_bytes = (size_t)sqlite3_value_bytes(value);
    return out->as.text != NULL;
}

static bool cell_bytes(sqlite3_value *value, struct db_value *out)
{
    if (sqlite3_value_type(value) != SQLITE_BLOB)
        return false;
    out->as.bytes = sqlite3_value_blob(value);
    out->size_bytes = (size_t)sqlite3_value_bytes(value);
    return out->as.bytes != NULL || out->size_bytes == 0;
}

static bool cell_uuid(sqlite3_value *value, struct db_value *out)
{
    struct db_value bytes = {0};
    if (!cell_bytes(value, &bytes) || bytes.size_bytes != sizeof out->as.uuid.bytes)
        return false;
    memcpy(out->as.uuid.bytes, bytes.as.bytes, sizeof out->as.uuid.bytes);
    return true;
}

static bool cell_date(sqlite3_value *value, struct db_value *out)
{
    struct db_value text = {0};
    return cell_text(value, &text) && civil_parse(text.as.text, &out->as.day);
}

bool sqlite_cell(const struct db_row *row, int column, enum db_type wanted, struct db_value *out)
{
    sqlite3_stmt *handle = row->source;
    if (column < 0 || column >= sqlite3_column_count(handle))
        return false;
    sqlite3_value *value = sqlite3_column_value(handle, column);
    if (sqlite3_value_type(value) == SQLITE_NULL) {
        out->type = DB_NULL;
        return true;
    }
    out->type = wanted;
    switch (wanted) {
    case DB_INT:
        out->as.number = sqlite3_value_int64(value);
        return sqlite3_value_type(value) == SQLITE_INTEGER;
    case DB_TEXT:
        return cell_text(value, out);
    case DB_BYTES:
        return cell_bytes(value, out);
    case DB_UUID:
        return cell_uuid(value, out);
    case DB_DATE:
        return cell_date(value, out);
    case DB_NULL:
        break;
    }
    return false;
}

bool sqlite_is_null(const struct db_row *row, int column)
{
    return sqlite3_column_type(row->source, column) == SQLITE_NULL;
}
