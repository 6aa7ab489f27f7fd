/*
 * Tables described by their columns. Each column is declared once. Everything that needs all columns of a
 * table is derived from the declarations: the lists in the SQL text, the parameters of a row, and the record
 * read from a row.
 *
 *   static const struct db_column THING_COLUMNS[] = {
 *       DB_COLUMN(struct thing, id, UUID, DB_KEY),
 *       DB_COLUMN(struct thing, label, TEXT, DB_FIXED),
 *       DB_COLUMN(struct thing, number, INT, DB_CHANGES),
 *   };
 *   static const struct db_table THING = DB_TABLE("thing", THING_COLUMNS);
 *
 *   static const struct db_statement LIST_THINGS = {
 *       .name = "list_things",
 *       .sql = "SELECT {thing} FROM thing WHERE number = $1",
 *       .tables = {&THING},
 *   };
 *
 * The driver replaces each marker when it prepares the statement. A marker names a table of the statement:
 *
 *   {thing}                 id, label, number
 *   {thing t}               t.id, t.label, t.number
 *   {thing values}          $1, $2, $3                       as db_params_record fills them
 *   {thing arrays}          $1::uuid[], $2::text[], $3::int8[]
 *   {thing.number}          $3
 *   {thing key}             id = $1                          as db_params_key fills it
 *   {thing any}             id = ANY ($1::uuid[])            one key column only
 *   {thing key_arrays}      $1::uuid[]
 *   {thing changed}         id, number                       the key and the columns that change
 *   {thing changed_arrays}  $1::uuid[], $2::int8[]           as db_params_changed fills them
 *   {thing set}             number = $2
 *   {thing set t}           number = t.number
 *
 * Key columns must come first. Statements with the same text must have the same tables. Any thread.
 */
#ifndef SCREENING_DB_DB_TABLE_H
#define SCREENING_DB_DB_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/uuid.h"
#include "db/db.h"

/* The role of a column; roles may be combined with |. */
enum db_role {
    DB_FIXED = 0,   /* written once */
    DB_KEY = 1,     /* part of the primary key */
    DB_CHANGES = 2, /* written by updates */
    DB_NIL = 4,     /* for a UUID: the nil id is stored as null */
};

/* The C type of the member that holds a column. */
enum db_member {
    DB_MEMBER_BOOL,
    DB_MEMBER_U32,
    DB_MEMBER_I64,
    DB_MEMBER_U64,
    DB_MEMBER_DAY,     /* int32_t, a civil day number */
    DB_MEMBER_TEXT,    /* const char * or, in a message, char *; NULL is stored as an empty text */
    DB_MEMBER_UUID,    /* struct uuid */
    DB_MEMBER_ARRAY,   /* uint8_t[N], exactly N bytes */
    DB_MEMBER_POINTER, /* const uint8_t *, with its size in another member */
};

struct db_column {
    const char *name;
    enum db_member member;
    unsigned roles;
    size_t offset, size; /* offset and size of the member */
    /*
     * The offset of a second member, or 0 if there is none. For DB_MEMBER_POINTER, the second member is a
     * size_t that holds the size. Otherwise it is a bool that is false if the column is null.
     */
    size_t second;
    int64_t low, high; /* the range of an integer; `high` 0 = the range of the member */
};

struct db_table {
    const char *name;
    const struct db_column *columns;
    size_t count;
};

/*
 * Expands to the enum db_member for the type of `x`. Other types do not compile. An enum counts as uint32_t.
 */
#define DB_MEMBER_OF_INT(x)                                                                                  \
    _Generic((x), bool                                                                                       \
             : DB_MEMBER_BOOL, uint32_t                                                                      \
             : DB_MEMBER_U32, int64_t                                                                        \
             : DB_MEMBER_I64, uint64_t                                                                       \
             : DB_MEMBER_U64)
#define DB_MEMBER_OF_DATE(x)  _Generic((x), int32_t : DB_MEMBER_DAY)
#define DB_MEMBER_OF_TEXT(x)  _Generic((x), const char * : DB_MEMBER_TEXT, char * : DB_MEMBER_TEXT)
#define DB_MEMBER_OF_UUID(x)  _Generic((x), struct uuid : DB_MEMBER_UUID)
#define DB_MEMBER_OF_BYTES(x) _Generic((x), uint8_t * : DB_MEMBER_ARRAY, const uint8_t * : DB_MEMBER_POINTER)

#define DB_COLUMN_(column, record, field, type, role, other)                                                 \
    {                                                                                                        \
        .name = (column), .member = DB_MEMBER_OF_##type(((record *)0)->field), .roles = (role),              \
        .offset = offsetof(record, field), .size = sizeof(((record *)0)->field), .second = (other)           \
    }

/* Declares a column that is named after its member. `type` is INT, DATE, TEXT, UUID or BYTES. */
#define DB_COLUMN(record, field, type, role) DB_COLUMN_(#field, record, field, type, role, 0)

/* Declares an integer column. A run fails if it reads a value outside `lowest` to `highest`. */
#define DB_COLUMN_IN(record, field, role, lowest, highest)                                                   \
    DB_COLUMN_IN_AS(#field, record, field, role, lowest, highest)
#define DB_COLUMN_IN_AS(column, record, field, role, lowest, highest)                                        \
    {                                                                                                        \
        .name = (column), .member = DB_MEMBER_OF_INT(((record *)0)->field), .roles = (role),                 \
        .offset = offsetof(record, field), .size = sizeof(((record *)0)->field), .low = (lowest),            \
        .high = (highest)                                                                                    \
    }

/* Declares a column whose name differs from that of its member. */
#define DB_COLUMN_AS(column, record, field, type, role) DB_COLUMN_(column, record, field, type, role, 0)

/* Declares a column with a second member (see struct db_column). */
#define DB_COLUMN_WITH(column, record, field, type, role, second_field)                                      \
    DB_COLUMN_(column, record, field, type, role, offsetof(record, second_field))

#define DB_TABLE(table, array)                                                                               \
    {                                                                                                        \
        .name = (table), .columns = (array), .count = sizeof(array) / sizeof((array)[0])                     \
    }

/* ---- the statements that every table needs; `table` is a string literal ---- */

#define DB_INSERT_SQL(table) "INSERT INTO " table " ({" table "}) VALUES ({" table " values})"
#define DB_INSERT_POSTGRESQL_SET(table)                                                                      \
    "INSERT INTO " table " ({" table "}) SELECT * FROM unnest({" table " arrays})"

/* Inserts records. Use it as .name = "insert_things", DB_INSERT("thing"), .tables = {&THING}. */
#define DB_INSERT(table) .sql = DB_INSERT_SQL(table), .postgresql_set = DB_INSERT_POSTGRESQL_SET(table)

/* Inserts records, or updates the changing columns of existing ones. `keys` lists the key columns. */
#define DB_ON_CONFLICT(table, keys) " ON CONFLICT (" keys ") DO UPDATE SET {" table " set excluded}"
#define DB_SAVE(table, keys)                                                                                 \
    .sql = DB_INSERT_SQL(table) DB_ON_CONFLICT(table, keys),                                                 \
    .postgresql_set = DB_INSERT_POSTGRESQL_SET(table) DB_ON_CONFLICT(table, keys)

/*
 * Updates the changing columns of existing records, which are found by their single key column `id`. Add the
 * parameters with db_params_changed.
 */
#define DB_UPDATE(table, id)                                                                                 \
    .sql = "UPDATE " table " SET {" table " set} WHERE {" table " key}",                                     \
    .postgresql_set = "UPDATE " table " SET {" table " set n} FROM unnest({" table                           \
                      " changed_arrays}) AS n ({" table " changed}) WHERE " table "." id " = n." id

/* Loads records by their single key column. Add the parameters with db_params_uuid or db_params_key. */
#define DB_LOAD(table)                                                                                       \
    .sql = "SELECT {" table "} FROM " table " WHERE {" table " key}",                                        \
    .postgresql_set = "SELECT {" table "} FROM " table " WHERE {" table " any}"

/* ---- records ---- */

/*
 * Add one row of parameters and end it. The row has all columns, the columns of {thing changed}, or the key
 * columns, respectively. The parameters refer to the record's texts and bytes, which must stay valid until
 * db_run returns.
 */
void db_params_record(struct db_params *params, const struct db_table *table, const void *record);
void db_params_changed(struct db_params *params, const struct db_table *table, const void *record);
void db_params_key(struct db_params *params, const struct db_table *table, const void *record);

/*
 * Like db_run, for a statement that returns no rows. `add_record` is one of the functions above. It is called
 * once per record and adds one row of parameters.
 */
MUST_CHECK enum status
db_run_records(struct db *db, const struct db_statement *statement,
               void (*add_record)(struct db_params *, const struct db_table *, const void *),
               const struct db_table *table, void *const *records, size_t count, struct error *error);

/*
 * Reads the table's columns, starting at column `first` of the row. Does not change other members. Texts and
 * bytes belong to the row. The run fails if a column has the wrong type, if the size of bytes differs from
 * that of their array, or if an integer does not fit its member (bool: 0 or 1; unsigned: not negative) or is
 * outside the column's range. A null reads as 0. Returns the number of the column after the last one read.
 */
int db_row_record(const struct db_row *row, int first, const struct db_table *table, void *record);

/*
 * Copies the record's texts, except those that are NULL, into the arena, and makes the record refer to the
 * copies. Returns false when out of memory.
 */
MUST_CHECK bool db_table_keep(const struct db_table *table, void *record, struct arena *arena);

#endif
