/*
 * Encodes parameters in PostgreSQL's binary form: single values, or a column as an array. Pure; any thread.
 */
#ifndef SCREENING_DB_PG_ARRAY_H
#define SCREENING_DB_PG_ARRAY_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>

#include "db/driver.h"

/* Type OIDs from pg_type.dat; they never change. */
enum {
    PG_OID_BOOL = 16,
    PG_OID_BYTEA = 17,
    PG_OID_INT8 = 20,
    PG_OID_INT2 = 21,
    PG_OID_INT4 = 23,
    PG_OID_TEXT = 25,
    PG_OID_VARCHAR = 1043,
    PG_OID_DATE = 1082,
    PG_OID_UUID = 2950,
    PG_DATE_EPOCH_DAY = 10957 /* the civil day of 2000-01-01 */
};

/* A growable buffer that is reused by later calls. */
struct pg_buffer {
    char *bytes;
    size_t size;
    size_t capacity;
    bool failed; /* whether memory ran out */
};

void pg_buffer_fini(struct pg_buffer *buffer);

/*
 * Return the OID of the type of one value, and of an array of such values. Both are 0 for DB_NULL, whose type
 * the server infers.
 */
Oid pg_scalar_oid(enum db_type type);
Oid pg_array_oid(enum db_type type);

/* Returns the type of an array's elements, or DB_NULL if `array` is not one of our array types. */
enum db_type pg_type_of_array(Oid array);

/* Appends one non-null value. */
void pg_append_value(struct pg_buffer *buffer, const struct db_value *value);

/*
 * Appends column `column` of all rows as a one-dimensional array of `type`. A column of DB_NULL (only nulls,
 * type unknown) is written as text, "{NULL,NULL}", which the server accepts as an array of any type.
 */
void pg_append_array(struct pg_buffer *buffer, const struct db_params *params, size_t column,
                     enum db_type type);

#endif
