/*
 * One interface to SQLite and PostgreSQL.
 *
 * A connection belongs to one thread at a time. A statement runs for each row of a parameter set. SQLite
 * loops over one prepared statement. PostgreSQL gets one set-based statement with array parameters if there
 * is one, otherwise a pipeline. PostgreSQL queues statements that return no rows in the pipeline, so their
 * failure may surface only in a later call of the same transaction, at the latest in db_commit. The caller
 * must roll back a transaction in which a call failed.
 *
 * The functions return these statuses:
 *   - UNAVAILABLE: connection lost or not yet open, server shutting down, disk full, I/O error, busy,
 *     too many connections, damaged database;
 *   - DEADLINE_EXCEEDED: statement or lock timeout;
 *   - ABORTED: serialisation failure or deadlock; run the transaction again;
 *   - UNKNOWN: the connection broke before the result arrived (only from db_commit);
 *   - ALREADY_EXISTS: duplicate key, or the object to create exists;
 *   - RESOURCE_EXHAUSTED: out of memory;
 *   - INTERNAL: anything else, a fault of the statement or its parameters.
 *
 * The next db_begin reopens a lost PostgreSQL connection, and so does db_run or db_run_script outside a
 * transaction. Between attempts there is a backoff (100 ms growing to 2 s, jittered), during which these
 * calls fail immediately with UNAVAILABLE.
 */
#ifndef SCREENING_DB_DB_H
#define SCREENING_DB_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/status.h"
#include "base/uuid.h"

#include "screening/v1/words.h"

struct db;
struct db_row;
struct db_table;

enum db_dialect { DB_SQLITE, DB_POSTGRESQL };

enum db_access {
    DB_READ_WRITE, /* creates the SQLite file if there is none */
    DB_READ_ONLY   /* refuses to write; the database must already exist */
};

enum { DB_STATEMENT_TABLES = 3 };

/*
 * One SQL statement: a static constant in a store.c (the drivers find its prepared form by address).
 * Parameters are $1, $2, ... in both dialects. PostgreSQL uses `postgresql` instead of `sql` if it is not
 * NULL, and `postgresql_set`, if that is not NULL, for every parameter set. It takes each column as an array:
 * "... FROM unnest($1::uuid[], $2::int8[])". A statement with `tables` may contain the markers of db_table.h.
 */
struct db_statement {
    const char *name; /* unique within the program; also the name of the prepared statement */
    const char *sql;
    const char *postgresql;
    const char *postgresql_set;
    const struct db_table *tables[DB_STATEMENT_TABLES];
};

/* ---- connections ---- */

/*
 * Reasons of an UNAVAILABLE that waiting cannot fix. Clients see these words. GONE: the SQLite file was
 * removed or replaced, so db_begin fails. DAMAGED: the content is corrupt, which is logged at most once a
 * minute. UNSUITABLE: PostgreSQL's settings or encoding, or a pooler, do not meet our requirements.
 */
#define DB_GONE       SCREENING_REASON_DATABASE_GONE
#define DB_DAMAGED    SCREENING_REASON_DATABASE_DAMAGED
#define DB_UNSUITABLE SCREENING_REASON_DATABASE_UNSUITABLE

/*
 * Opens "sqlite:PATH" or "postgresql://..." (also "postgres://..."; several hosts and target_session_attrs
 * work).
 *
 * Only one process at a time can open a SQLite file for writing, because it holds a lock on PATH-lock. If
 * another process has the lock, db_open returns FAILED_PRECONDITION and names the holder. `options` in the
 * query of the URL, such as statement_timeout, override our own, but a synchronous_commit below `on` is
 * refused.
 *
 * Returns OK and a connection in *out. Returns UNAVAILABLE, with *out untouched, if the server is merely not
 * up yet. Returns INVALID_ARGUMENT if a retry cannot help: the URL is malformed, the path cannot be opened,
 * the login is refused or there is no such database. Returns FAILED_PRECONDITION `DB_UNSUITABLE` if a setting
 * that we rely on does not hold. Messages never contain the password.
 */
MUST_CHECK enum status db_open(const char *url, enum db_access access, struct db **out, struct error *error);
void db_close(struct db *db);

/*
 * Returns whether the SQLite file that the connection writes to, its log and its shared memory are still at
 * their paths. Logs it once if they are not. Always true for other connections. Any thread.
 */
bool db_in_place(struct db *db);

/* Returns INVALID_ARGUMENT "database: ..." unless the URL is well-formed. Does not access the database. */
MUST_CHECK enum status db_url_check(const char *url, struct error *error);

/* Writes the URL with its password replaced by ***, for logs and --print-config. Returns `out`. */
char *db_url_redact(const char *url, char *out, size_t out_size);

/* Returns whether the failure is due to a damaged database. */
bool db_is_damaged(const struct error *error);

/* Returns whether any connection of the process has met a damaged database so far. Any thread. */
bool db_damage_seen(void);

/*
 * Returns whether waiting can fix a failure to open or prepare a database, which is so if it is transient and
 * not due to damage.
 */
bool db_may_heal(const struct error *error);

enum db_dialect db_dialect(const struct db *db);

/*
 * Returns the number of the current session, from 1. It increases with each reconnect and, on SQLite, with
 * each transaction that finds the file changed by another connection.
 */
uint64_t db_session(const struct db *db);

/*
 * Returns a stamp for rows that the caller caches. If a later transaction has the same stamp, the rows are
 * unchanged, because no other connection has written to the database, no transaction of this one was rolled
 * back, and db_restamp was not called. Returns 0 for unknown: outside a transaction, and always on
 * PostgreSQL, where others write.
 */
uint64_t db_stamp(const struct db *db);

/* Changes the stamp. Call it after writing rows that others cache by stamp. */
void db_restamp(struct db *db);

/*
 * Sets the schema that names resolve to (PostgreSQL's search_path, also after a reconnect). Does not create
 * it. Returns INTERNAL on SQLite. `schema` must be a plain lower-case identifier.
 */
MUST_CHECK enum status db_use_schema(struct db *db, const char *schema, struct error *error);

/* ---- transactions ---- */

/*
 * Begins a transaction. On SQLite this is BEGIN IMMEDIATE, or BEGIN on a read-only connection. On PostgreSQL
 * it is BEGIN at READ COMMITTED.
 */
MUST_CHECK enum status db_begin(struct db *db, struct error *error);

/*
 * Commits a transaction that changes nothing. With `write` this requires everything that a change requires:
 * disk space, a sync and write permission. Fails like db_begin, db_run and db_commit.
 */
MUST_CHECK enum status db_probe(struct db *db, bool write, struct error *error);

/*
 * Commits the transaction, which is over in any case. Returns OK if it is durable and UNKNOWN if the result
 * was lost. After any other status, nothing was committed.
 */
MUST_CHECK enum status db_commit(struct db *db, struct error *error);

/*
 * Ends the open transaction, if any, without effect. Never fails, because it drops a connection that cannot
 * roll back.
 */
void db_rollback(struct db *db);

/* ---- parameters ---- */

enum db_type { DB_NULL, DB_INT, DB_TEXT, DB_BYTES, DB_UUID, DB_DATE };
enum { DB_TYPE_COUNT = 6, DB_COLUMNS_MAX = 64 };

/* A parameter, or the value of a row in one column. */
struct db_value {
    enum db_type type;
    size_t size_bytes; /* size of bytes, or of text without its NUL */
    union {
        int64_t number;
        const char *text;
        const void *bytes;
        struct uuid uuid;
        int32_t day;
    } as;
};

/* Rows of parameters. The members are private to lib/db. */
struct db_params {
    struct db_value *values; /* of all rows, one row after the other */
    size_t count;            /* number of values, including those of the current row */
    size_t capacity;
    size_t row_start; /* index of the current row's first value */
    size_t columns;   /* number of columns, known after the first row */
    size_t rows;
    enum db_type types[DB_COLUMNS_MAX]; /* DB_NULL: only nulls so far */
    enum status status;                 /* the first error that occurred while filling */
    const char *fault;
};

static inline struct db_value db_int(int64_t value)
{
    return (struct db_value){.type = DB_INT, .as.number = value};
}

static inline struct db_value db_text(const char *value)
{
    return (struct db_value){.type = DB_TEXT, .size_bytes = strlen(value), .as.text = value};
}

static inline struct db_value db_bytes(const void *bytes, size_t size)
{
    /* An empty value may have a NULL address, which a driver would take for null. */
    return (struct db_value){.type = DB_BYTES, .size_bytes = size, .as.bytes = bytes == NULL ? "" : bytes};
}

static inline struct db_value db_uuid(const struct uuid *value)
{
    return (struct db_value){.type = DB_UUID, .as.uuid = *value};
}

/* Returns the value for a civil day number, which is TEXT in SQLite and date in PostgreSQL. */
static inline struct db_value db_date(int32_t day)
{
    return (struct db_value){.type = DB_DATE, .as.day = day};
}

/*
 * Returns one row of parameters, as in db_run(db, &FIND, DB_ROW(db_uuid(&id), db_int(limit)), ...). Text and
 * bytes are not copied. The row is valid until the end of the enclosing block.
 */
#define DB_ROW(...)                                                                                          \
    db_params_of(&(struct db_params){0}, (const struct db_value[]){__VA_ARGS__},                             \
                 sizeof((const struct db_value[]){__VA_ARGS__}) / sizeof(struct db_value))

/* Use DB_ROW instead. */
const struct db_params *db_params_of(struct db_params *params, const struct db_value *values, size_t count);

/*
 * Creates an empty set of rows of parameters, which is filled row by row and value by value and can be
 * reused. Returns NULL when out of memory.
 */
struct db_params *db_params_create(void);
void db_params_destroy(struct db_params *params);
void db_params_reset(struct db_params *params);

/*
 * Add the next value of the current row. Text and bytes are not copied and must stay valid until db_run
 * returns. All rows have the same types. A null takes the type that its column has in other rows. A column of
 * only nulls takes the type that the statement gives it. db_run reports a failure to allocate.
 */
void db_params_int(struct db_params *params, int64_t value);
void db_params_text(struct db_params *params, const char *value);
void db_params_bytes(struct db_params *params, const void *bytes, size_t size);
void db_params_uuid(struct db_params *params, const struct uuid *value);
void db_params_date(struct db_params *params,
                    int32_t day); /* civil day number; SQLite TEXT, PostgreSQL date */
void db_params_null(struct db_params *params);
/* Ends the row. A set without rows runs nothing. */
void db_params_end_row(struct db_params *params);
size_t db_params_rows(const struct db_params *params);

/* ---- running ---- */

/*
 * Is called for every row that a statement returns. A status other than OK ends the run, and db_run returns
 * it. The row and the values from its getters are valid only during the call. The function must not use the
 * connection.
 */
typedef enum status (*db_row_fn)(void *context, const struct db_row *row);

/*
 * Runs `statement` for every row of `params`, or once without parameters if `params` is NULL. If `on_row` is
 * NULL, the statement returns no rows and is pipelined on PostgreSQL. A set-based variant may return rows in
 * any order.
 */
MUST_CHECK enum status db_run(struct db *db, const struct db_statement *statement,
                              const struct db_params *params, db_row_fn on_row, void *context,
                              struct error *error);

/*
 * Like db_run without rows, but waits for the result and sets *changed to the total number of rows changed in
 * the database, for compare-and-set.
 */
MUST_CHECK enum status db_run_counting(struct db *db, const struct db_statement *statement,
                                       const struct db_params *params, int64_t *changed, struct error *error);

/*
 * Runs a script of several statements without parameters, for migrations and setup. A script has no time
 * limit.
 */
MUST_CHECK enum status db_run_script(struct db *db, const char *script, struct error *error);

/*
 * Return the value of a column; columns count from 0. A null reads as 0, "" or zero bytes. The column must
 * have the matching type.
 */
int64_t db_row_int(const struct db_row *row, int column);
uint64_t db_row_unsigned(const struct db_row *row, int column); /* a negative number fails the run */
const char *db_row_text(const struct db_row *row, int column);
const void *db_row_bytes(const struct db_row *row, int column, size_t *size);
struct uuid db_row_uuid(const struct db_row *row, int column);
int32_t db_row_date(const struct db_row *row, int column);
bool db_row_is_null(const struct db_row *row, int column);

/*
 * Returns false once a getter has met a column of the wrong type, or db_row_record an integer out of its
 * range. The run then fails with INTERNAL, and on_row must not use the values.
 */
bool db_row_is_sound(const struct db_row *row);

#endif
