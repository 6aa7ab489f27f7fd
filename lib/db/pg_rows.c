/* Reads rows of a PGresult, whose columns are all in binary form. */
#include <endian.h>
#include <string.h>

#include "db/pg.h"

static int64_t read_int(const char *bytes, int size)
{
    uint16_t two;
    uint32_t four;
    uint64_t eight;
    switch (size) {
    case sizeof two:
        memcpy(&two, bytes, sizeof two);
        return (int16_t)be16toh(two);
    case sizeof four:
        memcpy(&four, bytes, sizeof four);
        return (int32_t)be32toh(four);
    case sizeof eight:
        memcpy(&eight, bytes, sizeof eight);
        return (int64_t)be64toh(eight);
    default:
        return bytes[0];
    }
}

static bool is_type(Oid oid, enum db_type wanted)
{
    switch (wanted) {
    case DB_INT:
        return oid == PG_OID_INT8 || oid == PG_OID_INT4 || oid == PG_OID_INT2 || oid == PG_OID_BOOL;
    case DB_TEXT:
        return oid == PG_OID_TEXT || oid == PG_OID_VARCHAR;
    case DB_BYTES:
        return oid == PG_OID_BYTEA;
    case DB_UUID:
        return oid == PG_OID_UUID;
    case DB_DATE:
        return oid == PG_OID_DATE;
    case DB_NULL:
        break;
    }
    return false;
}

bool pg_cell(const struct db_row *row, int column, enum db_type wanted, struct db_value *out)
{
    const PGresult *result = row->source;
    if (column < 0 || column >= PQnfields(result))
        return false;
    out->type = PQgetisnull(result, row->number, column) ? DB_NULL : wanted;
    if (!is_type(PQftype(result, column), wanted))
        return false;
    if (out->type == DB_NULL)
        return true;
    const char *bytes = PQgetvalue(result, row->number, column);
    int size = PQgetlength(result, row->number, column);
    out->size_bytes = (size_t)size;
    if (wanted == DB_INT)
        out->as.number = read_int(bytes, size);
    else if (wanted == DB_DATE)
        out->as.day = (int32_t)(read_int(bytes, size) + PG_DATE_EPOCH_DAY);
    else if (wanted == DB_UUID)
        memcpy(out->as.uuid.bytes, bytes, sizeof out->as.uuid.bytes);
    else
        out->as.bytes = bytes; /* libpq terminates every value with a NUL, so text need not be copied */
    return true;
}

bool pg_is_null(const struct db_row *row, int column)
{
    return PQgetisnull(row->source, row->number, column) == 1;
}
