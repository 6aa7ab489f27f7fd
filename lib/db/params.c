#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "db/db.h"
#include "db/driver.h"

struct db_params *db_params_create(void)
{
    return calloc(1, sizeof(struct db_params));
}

void db_params_destroy(struct db_params *params)
{
    if (params == NULL)
        return;
    free(params->values);
    free(params);
}

void db_params_reset(struct db_params *params)
{
    struct db_value *values = params->values;
    size_t capacity = params->capacity;
    *params = (struct db_params){.values = values, .capacity = capacity};
}

static void fail(struct db_params *params, enum status status, const char *fault)
{
    if (params->status != STATUS_OK)
        return;
    params->status = status;
    params->fault = fault;
}

static bool grow(struct db_params *params)
{
    size_t capacity = params->capacity == 0 ? 64 : params->capacity * 2;
    struct db_value *values = reallocarray(params->values, capacity, sizeof *values);
    if (values == NULL)
        return false;
    params->values = values;
    params->capacity = capacity;
    return true;
}

static void add(struct db_params *params, struct db_value value)
{
    size_t column = params->count - params->row_start;
    CHECK(params->row_start <= params->count && params->count <= params->capacity);
    if (column == DB_COLUMNS_MAX) {
        fail(params, STATUS_INTERNAL, "too many parameters");
        return;
    }
    if (params->count == params->capacity && !grow(params)) {
        fail(params, STATUS_RESOURCE_EXHAUSTED, "out of memory");
        return;
    }
    if (value.type != DB_NULL) {
        if (params->types[column] == DB_NULL)
            params->types[column] = value.type;
        else if (params->types[column] != value.type)
            fail(params, STATUS_INTERNAL, "a parameter changes its type from row to row");
    }
    params->values[params->count++] = value;
}

const struct db_params *db_params_of(struct db_params *params, const struct db_value *values, size_t count)
{
    CHECK(count <= DB_COLUMNS_MAX);
    *params = (struct db_params){
        .values = (struct db_value *)values, .count = count, .row_start = count, .columns = count, .rows = 1};
    for (size_t i = 0; i < count; i++)
        params->types[i] = values[i].type;
    return params;
}

void db_params_int(struct db_params *params, int64_t value)
{
    add(params, db_int(value));
}

void db_params_text(struct db_params *params, const char *value)
{
    add(params, db_text(value));
}

void db_params_bytes(struct db_params *params, const void *bytes, size_t size)
{
    add(params, db_bytes(bytes, size));
}

void db_params_uuid(struct db_params *params, const struct uuid *value)
{
    add(params, db_uuid(value));
}

void db_params_date(struct db_params *params, int32_t day)
{
    add(params, db_date(day));
}

void db_params_null(struct db_params *params)
{
    add(params, (struct db_value){.type = DB_NULL});
}

void db_params_end_row(struct db_params *params)
{
    size_t columns = params->count - params->row_start;
    CHECK(columns <= DB_COLUMNS_MAX);
    if (params->rows == 0)
        params->columns = columns;
    else if (params->columns != columns)
        fail(params, STATUS_INTERNAL, "rows of parameters differ in length");
    params->row_start = params->count;
    params->rows++;
}

size_t db_params_rows(const struct db_params *params)
{
    return params->rows;
}
