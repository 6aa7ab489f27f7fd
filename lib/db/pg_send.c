/*
 * Sends prepared statements and their parameters. A statement is prepared in the pipeline, right before its
 * first use in a session. We declare the types of its parameters, except for columns that have had only nulls
 * so far; the server infers their types. When such a column later gets a value, the statement is prepared
 * again under another name.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "db/pg.h"

/* The text of the statement for this run. */
struct text {
    const struct db_statement *statement;
    const char *sql; /* with markers; its address identifies the prepared statement */
    const char *name;
    bool is_set; /* whether the parameters are arrays */
};

static struct text choose_text(const struct db_statement *statement, const struct db_params *params)
{
    struct text text = {.statement = statement, .sql = statement->sql, .name = statement->name};
    if (statement->postgresql != NULL)
        text.sql = statement->postgresql;
    if (params != NULL && statement->postgresql_set != NULL) {
        text.sql = statement->postgresql_set;
        text.is_set = true;
    }
    return text;
}

/* ---- prepared statements ---- */

void pg_forget_prepared(struct pg *pg)
{
    struct pg_prepared *prepared;
    size_t position = 0;
    while ((prepared = map_next(&pg->prepared, &position, NULL)) != NULL)
        free(prepared);
    map_clear(&pg->prepared);
}

static struct pg_prepared *find_or_add(struct pg *pg, const struct text *text)
{
    struct pg_prepared *prepared = map_get(&pg->prepared, &text->sql);
    if (prepared != NULL)
        return prepared;
    prepared = calloc(1, sizeof *prepared);
    if (prepared == NULL)
        return NULL;
    if (map_put(&pg->prepared, &text->sql, prepared) != STATUS_OK) {
        free(prepared);
        return NULL;
    }
    return prepared;
}

/* Updates the statement's types from the parameters. Returns false if a parameter has changed its type. */
static bool merge_types(struct pg_prepared *prepared, const struct text *text, const struct db_params *params)
{
    bool better_known = prepared->generation == 0;
    prepared->columns = params == NULL ? 0 : params->columns;
    for (size_t i = 0; i < prepared->columns; i++) {
        Oid type = text->is_set ? pg_array_oid(params->types[i]) : pg_scalar_oid(params->types[i]);
        if (type == 0 || type == prepared->types[i])
            continue;
        if (prepared->types[i] != 0)
            return false;
        prepared->types[i] = type;
        better_known = true;
    }
    if (better_known) {
        prepared->generation++;
        prepared->state = PG_UNKNOWN;
    }
    return true;
}

static void set_name(struct pg_prepared *prepared, const struct text *text)
{
    const char *kind = text->is_set ? "/set" : "";
    if (prepared->generation == 1)
        snprintf(prepared->name, sizeof prepared->name, "%s%s", text->name, kind);
    else
        snprintf(prepared->name, sizeof prepared->name, "%s%s/%u", text->name, kind, prepared->generation);
}

static enum status send_prepare(struct pg *pg, const struct text *text, struct pg_prepared *prepared,
                                struct error *error)
{
    char *sql = NULL;
    TRY(db_statement_expand(text->statement, text->sql, &sql, error));
    set_name(prepared, text);
    bool sent =
        PQsendPrepare(pg->connection, prepared->name, sql, (int)prepared->columns, prepared->types) != 0;
    free(sql);
    if (!sent)
        return pg_connection_lost(pg, text->name, error);
    prepared->state = PG_SENT;
    pg_queue_add(pg, &(struct pg_pending){.kind = PG_PREPARE, .name = text->name, .prepared = prepared});
    return STATUS_OK;
}

/*
 * Returns the prepared statement, and sends its preparation if necessary. On failure, returns NULL and sets
 * `error`.
 */
static struct pg_prepared *ensure_prepared(struct pg *pg, const struct text *text,
                                           const struct db_params *params, struct error *error)
{
    struct pg_prepared *prepared = find_or_add(pg, text);
    if (prepared == NULL) {
        error_set(error, STATUS_RESOURCE_EXHAUSTED, NULL, "database: out of memory");
        return NULL;
    }
    if (!merge_types(prepared, text, params)) {
        error_set(error, STATUS_INTERNAL, NULL, "database: %s: a parameter has changed its type", text->name);
        return NULL;
    }
    if (prepared->state == PG_UNKNOWN && send_prepare(pg, text, prepared, error) != STATUS_OK)
        return NULL;
    return prepared;
}

/* ---- parameters ---- */

struct encoded {
    size_t offsets[DB_COLUMNS_MAX + 1];
    const char *values[DB_COLUMNS_MAX];
    int lengths[DB_COLUMNS_MAX];
    int formats[DB_COLUMNS_MAX];
};

/*
 * Encodes row `row`, or all rows as arrays. `encoded` is valid until the buffer is reused. Returns false when
 * out of memory.
 */
static bool encode(struct pg_buffer *buffer, const struct text *text, const struct pg_prepared *prepared,
                   const struct db_params *params, size_t row, struct encoded *encoded)
{
    size_t columns = prepared->columns;
    const struct db_value *values = columns == 0 ? NULL : &params->values[row * columns];
    buffer->size = 0;
    buffer->failed = false;
    for (size_t i = 0; i < columns; i++) {
        encoded->offsets[i] = buffer->size;
        encoded->formats[i] = 1;
        if (!text->is_set) {
            pg_append_value(buffer, &values[i]);
            continue;
        }
        encoded->formats[i] = prepared->types[i] != 0;
        pg_append_array(buffer, params, i, pg_type_of_array(prepared->types[i]));
    }
    encoded->offsets[columns] = buffer->size;
    /* From here on the buffer does not move. */
    for (size_t i = 0; i < columns; i++) {
        bool null = !text->is_set && values[i].type == DB_NULL;
        const char *start = buffer->bytes == NULL ? "" : buffer->bytes + encoded->offsets[i];
        encoded->values[i] = null ? NULL : start;
        encoded->lengths[i] = (int)(encoded->offsets[i + 1] - encoded->offsets[i]);
    }
    return !buffer->failed;
}

/* ---- sending ---- */

static enum status send_once(struct pg *pg, const struct text *text, const struct pg_prepared *prepared,
                             const struct db_params *params, size_t row, bool wanted, struct error *error)
{
    struct encoded encoded;
    if (!encode(&pg->buffer, text, prepared, params, row, &encoded))
        return error_set(error, STATUS_RESOURCE_EXHAUSTED, NULL, "database: out of memory");
    if (!PQsendQueryPrepared(pg->connection, prepared->name, (int)prepared->columns, encoded.values,
                             encoded.lengths, encoded.formats, 1))
        return pg_connection_lost(pg, text->name, error);
    pg_queue_add(pg, &(struct pg_pending){.kind = PG_STATEMENT, .name = text->name, .wanted = wanted});
    return STATUS_OK;
}

enum status pg_send(struct pg *pg, const struct db_statement *statement, const struct db_params *params,
                    bool wanted, struct error *error)
{
    struct text text = choose_text(statement, params);
    size_t times = params == NULL || text.is_set ? 1 : params->rows;
    if (text.sql == NULL)
        return error_set(error, STATUS_INTERNAL, NULL, "database: %s: has no text for PostgreSQL", text.name);
    TRY(pg_queue_reserve(pg, times + 1, error));
    struct pg_prepared *prepared = ensure_prepared(pg, &text, params, error);
    if (prepared == NULL)
        return error->status;
    for (size_t row = 0; row < times; row++)
        TRY(send_once(pg, &text, prepared, params, row, wanted, error));
    return STATUS_OK;
}
