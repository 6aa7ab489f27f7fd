#include "db/pg_array.h"

#include <arpa/inet.h>
#include <endian.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"

struct type_oids {
    Oid scalar;
    Oid array;
};

static const struct type_oids oids[DB_TYPE_COUNT] = {
    [DB_NULL] = {0, 0},
    [DB_INT] = {PG_OID_INT8, 1016},
    [DB_TEXT] = {PG_OID_TEXT, 1009},
    [DB_BYTES] = {PG_OID_BYTEA, 1001},
    [DB_UUID] = {PG_OID_UUID, 2951},
    [DB_DATE] = {PG_OID_DATE, 1182},
};

Oid pg_scalar_oid(enum db_type type)
{
    return oids[type].scalar;
}

Oid pg_array_oid(enum db_type type)
{
    return oids[type].array;
}

enum db_type pg_type_of_array(Oid array)
{
    for (int type = DB_NULL + 1; type < DB_TYPE_COUNT; type++)
        if (oids[type].array == array)
            return (enum db_type)type;
    return DB_NULL;
}

void pg_buffer_fini(struct pg_buffer *buffer)
{
    free(buffer->bytes);
    *buffer = (struct pg_buffer){0};
}

static void append(struct pg_buffer *buffer, const void *bytes, size_t size)
{
    if (buffer->failed || size == 0)
        return;
    if (array_reserve(&buffer->bytes, &buffer->capacity, buffer->size + size) != STATUS_OK) {
        buffer->failed = true;
        return;
    }
    memcpy(buffer->bytes + buffer->size, bytes, size);
    buffer->size += size;
}

static void append_int32(struct pg_buffer *buffer, uint32_t number)
{
    uint32_t wire = htonl(number);
    append(buffer, &wire, sizeof wire);
}

static size_t value_size(const struct db_value *value)
{
    switch (value->type) {
    case DB_INT:
        return sizeof(int64_t);
    case DB_DATE:
        return sizeof(int32_t);
    case DB_UUID:
        return sizeof value->as.uuid.bytes;
    case DB_TEXT:
    case DB_BYTES:
        return value->size_bytes;
    case DB_NULL:
        break;
    }
    return 0;
}

void pg_append_value(struct pg_buffer *buffer, const struct db_value *value)
{
    uint64_t wire;
    switch (value->type) {
    case DB_INT:
        wire = htobe64((uint64_t)value->as.number);
        append(buffer, &wire, sizeof wire);
        break;
    case DB_DATE:
        append_int32(buffer, (uint32_t)(value->as.day - PG_DATE_EPOCH_DAY));
        break;
    case DB_UUID:
        append(buffer, value->as.uuid.bytes, sizeof value->as.uuid.bytes);
        break;
    case DB_TEXT:
    case DB_BYTES:
        append(buffer, value->as.bytes, value->size_bytes);
        break;
    case DB_NULL:
        break;
    }
}

static void append_array_of_nulls(struct pg_buffer *buffer, size_t rows)
{
    for (size_t row = 0; row < rows; row++)
        append(buffer, row == 0 ? "{NULL" : ",NULL", 5);
    append(buffer, "}", 2); /* with a NUL, because a parameter in text format has no length */
}

static bool has_nulls(const struct db_params *params, size_t column)
{
    for (size_t row = 0; row < params->rows; row++)
        if (params->values[row * params->columns + column].type == DB_NULL)
            return true;
    return false;
}

void pg_append_array(struct pg_buffer *buffer, const struct db_params *params, size_t column,
                     enum db_type type)
{
    if (type == DB_NULL) {
        append_array_of_nulls(buffer, params->rows);
        return;
    }
    append_int32(buffer, 1); /* number of dimensions */
    append_int32(buffer, has_nulls(params, column));
    append_int32(buffer, pg_scalar_oid(type));
    append_int32(buffer, (uint32_t)params->rows);
    append_int32(buffer, 1); /* index of the first element */
    for (size_t row = 0; row < params->rows; row++) {
        const struct db_value *value = &params->values[row * params->columns + column];
        if (value->type == DB_NULL) {
            append_int32(buffer, UINT32_MAX); /* length -1 */
            continue;
        }
        append_int32(buffer, (uint32_t)value_size(value));
        pg_append_value(buffer, value);
    }
}
