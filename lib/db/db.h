/*
 * One interface to SQLite and PostgreSQL.
 *
 * A connection belongs to one thread at a time. A statement runs once for each row of a parameter set. The
 * SQLite driver executes one prepared statement in a loop. The PostgreSQL driver sends one set-based
 * statement with array parameters if there is one, and otherwise sends all executions in a pipeline. It does
 * not wait for statements that return no rows, so their failure may surface only in a later call in the same
 * transaction, at the latest in db_commit. The caller must roll back a transaction in which a call failed.
 *
 * Apart from db_open, the functions return these failures:
 *   - UNAVAILABLE: connection lost or not yet open, server shutting down, disk full, I/O error, busy,
 *     too many connections, damaged database;
 *   - DEADLINE_EXCEEDED: statement or lock timeout;
 *   - ABORTED: serialisation failure or deadlock; run the transaction again;
 *   - UNKNOWN: the connection broke before the result arrived (only from db_commit and db_probe);
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
 * One SQL statement: a static constant in a store.c (the drivers find the prepared statement by its address).
 * Parameters are $1, $2, ... in both dialects. On PostgreSQL, `postgresql` replaces `sql` if it is not NULL.
 * For a parameter set, `postgresql_set` replaces both if it is not NULL. It takes each column as an array:
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
 * The reasons for an UNAVAILABLE that waiting cannot fix. They are sent to clients. GONE: the SQLite file was
 * removed or replaced, so db_begin fails. DAMAGED: the content is corrupt, which is logged at most once a
 * minute. UNSUITABLE: PostgreSQL's settings or encoding, or a pooler, do not meet our requirements.
 */
#define DB_GONE       SCREENING_REASON_DATABASE_GONE
#define DB_DAMAGED    SCREENING_REASON_DATABASE_DAMAGED
#define DB_UNSUITABLE SCREENING_REASON_DATABASE_UNSUITABLE

/*
 * The reason for an UNAVAILABLE of db_open, not sent to clients: one of several hosts in the URL refuses the
 * login or has no such database. Another host, or the same one a moment later, may not.
 */
#define DB_HOST_REFUSES "DATABASE_HOST_REFUSES"

/*
 * Opens "sqlite:PATH" or "postgresql://..." (also "postgres://..."; several hosts and target_session_attrs
 * are supported).
 *
 * Only one process at a time can open a SQLite file for writing, because it holds a lock on PATH-lock. If
 * another process has the lock, db_open returns FAILED_PRECONDITION and names the holder. `options` in the
 * query of the URL, such as statement_timeout, override ours, but a synchronous_commit below `on` is refused.
 *
 * Returns OK and a connection in *out. Returns UNAVAILABLE, with *out unchanged, if a retry can help, for
 * example because the server is not running yet. Returns INVALID_ARGUMENT if a retry cannot help: the URL is
 * malformed, the path cannot be opened, the SQLite file is damaged, the login is refused or there is no such
 * database. If the URL has several hosts, the last two are UNAVAILABLE `DB_HOST_REFUSES`. Returns
 * FAILED_PRECONDITION `DB_UNSUITABLE` if a required setting is not in effect. Messages never contain the
 * password.
 */
MUST_CHECK enum status db_open(const char *url, enum db_access access, struct db **out, struct error *error);
void db_close(struct db *db);

/*
 * Returns whether the SQLite file that the connection writes to, its log and its shared memory are still at
 * their paths. Logs once if one of them is not. Always true for other connections. Any thread.
 */
bool db_in_place(struct db *db);

/* Returns INVALID_ARGUMENT "database: ..." unless the URL is well-formed. Does not access the database. */
MUST_CHECK enum status db_url_check(const char *url, struct error *error);

/* Writes the URL with its password replaced by ***, for logs and --print-config. Returns `out`. */
char *db_url_redact(const char *url, char *out, size_t out_size);

/* Returns whether the failure is due to a damaged database. */
bool db_is_damaged(const struct error *error);

/* Returns whether any connection of the process has found database damage so far. Any thread. */
bool db_damage_seen(void);

/*
 * Returns whether waiting can fix a failure to open or prepare a database, that is, whether the failure is
 * transient and not due to damage.
 */
bool db_may_heal(const struct error *error);

enum db_dialect db_dialect(const struct db *db);

/*
 * Returns the number of the current session, counted from 1. It increases with each reconnect and, on SQLite,
 * with each transaction that finds the file changed by another connection.
 */
uint64_t db_session(const struct db *db);

/*
 * Returns a stamp for rows that the caller caches. If a later transaction has the same stamp, the rows are
 * unchanged, because no other connection has written to the database, this one has not rolled back a
 * transaction, and db_restamp was not called. Returns 0 if the stamp is unknown: outside a transaction, and
 * always on PostgreSQL, where other connections write.
 */
uint64_t db_stamp(const struct db *db);

/* Changes the stamp. Call it after writing rows that are cached by stamp. */
void db_restamp(struct db *db);

/*
 * Sets the schema in which names are looked up (PostgreSQL's search_path), also after a reconnect. Does not
 * create the schema. `schema` must be a plain lower-case identifier. Returns INTERNAL on SQLite.
 */
MUST_CHECK enum status db_use_schema(struct db *db, const char *schema, struct error *error);

/* ---- transactions ---- */

/*
 * Begins a transaction. On SQLite this is BEGIN IMMEDIATE, or BEGIN on a read-only connection. On PostgreSQL
 * it is BEGIN at READ COMMITTED.
 */
MUST_CHECK enum status db_begin(struct db *db, struct error *error);

/*
 * Commits a transaction that changes nothing. If `write`, the commit requires everything that a change
 * requires: disk space, a sync and write permission. Fails like db_begin, db_run and db_commit.
 */
MUST_CHECK enum status db_probe(struct db *db, bool write, struct error *error);

/*
 * Commits the transaction. Whatever the status, the transaction has then ended. Returns OK if it is durable
 * and UNKNOWN if the result was lost. After any other status, nothing was committed.
 */
MUST_CHECK enum status db_commit(struct db *db, struct error *error);

/*
 * Rolls back the open transaction, if any. Never fails. On PostgreSQL, drops a connection that cannot roll
 * back.
 */
void db_rollback(struct db *db);

/* ---- parameters ---- */

enum db_type { DB_NULL, DB_INT, DB_TEXT, DB_BYTES, DB_UUID, DB_DATE };
enum { DB_TYPE_COUNT = 6, DB_COLUMNS_MAX = 64 };

/* A parameter, or one value of a row. */
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
    struct db_value *values; /* the values of all rows, row by row */
    size_t count;            /* number of values, including those of the current row */
    size_t capacity;
    size_t row_start; /* index of the first value of the current row */
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
    /* The address of an empty value may be NULL, which a driver would treat as a null. */
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
 * Creates an empty set of parameter rows. The caller fills it value by value and row by row, can reset it for
 * reuse, and must destroy it. Returns NULL when out of memory.
 */
struct db_params *db_params_create(void);
void db_params_destroy(struct db_params *params);
void db_params_reset(struct db_params *params);

/*
 * Add the next value to the current row. Text and bytes are not copied and must stay valid until db_run
 * returns. The types must be the same in all rows. A null takes the type that its column has in other rows. A
 * column with only nulls takes the type that the statement gives it. If memory runs out, db_run reports it.
 */
void db_params_int(struct db_params *params, int64_t value);
void db_params_text(struct db_params *params, const char *value);
void db_params_bytes(struct db_params *params, const void *bytes, size_t size);
void db_params_uuid(struct db_params *params, const struct uuid *value);
void db_params_date(struct db_params *params,
                    int32_t day); /* civil day number; SQLite TEXT, PostgreSQL date */
void db_params_null(struct db_params *params);
/* Ends the row. A set without rows executes nothing. */
void db_params_end_row(struct db_params *params);
size_t db_params_rows(const struct db_params *params);

/* ---- running ---- */

/*
 * Called for every row that a statement returns. A status other than OK ends the run, and db_run returns it.
 * The row and the values from its getters are valid only during the call. The function must not use the
 * connection.
 */
typedef enum status (*db_row_fn)(void *context, const struct db_row *row);

/*
 * Runs `statement` for every row of `params`, or once without parameters if `params` is NULL. If `on_row` is
 * NULL, the statement must not return rows; PostgreSQL then pipelines it. A set-based variant may return rows
 * in any order.
 */
MUST_CHECK enum status db_run(struct db *db, const struct db_statement *statement,
                              const struct db_params *params, db_row_fn on_row, void *context,
                              struct error *error);

/*
 * Like db_run without `on_row`, but waits for the result and sets *changed to the total number of rows that
 * the statement changed. Use it for compare-and-set.
 */
MUST_CHECK enum status db_run_counting(struct db *db, const struct db_statement *statement,
                                       const struct db_params *params, int64_t *changed, struct error *error);

/* Like db_run, with one row of parameters for each id. */
MUST_CHECK enum status db_run_uuids(struct db *db, const struct db_statement *statement,
                                    const struct uuid *ids, size_t count, db_row_fn on_row, void *context,
                                    struct error *error);

/*
 * Runs a script of several statements without parameters, for migrations and setup. A script has no time
 * limit.
 */
MUST_CHECK enum status db_run_script(struct db *db, const char *script, struct error *error);

/*
 * Return the value of a column; columns are numbered from 0. A null reads as 0, "" or zero bytes. The column
 * must have the matching type.
 */
int64_t db_row_int(const struct db_row *row, int column);
uint64_t db_row_unsigned(const struct db_row *row, int column); /* a negative number makes the run fail */
const char *db_row_text(const struct db_row *row, int column);
const void *db_row_bytes(const struct db_row *row, int column, size_t *size);
struct uuid db_row_uuid(const struct db_row *row, int column);
int32_t db_row_date(const struct db_row *row, int column);
bool db_row_is_null(const struct db_row *row, int column);

/*
 * Returns false once a getter or db_row_record has found a column of the wrong type or a number out of range.
 * The run then fails with INTERNAL, and on_row must not use the values.
 */
bool db_row_is_sound(const struct db_row *row);

/*
 * An `on_row` function for a statement that returns one number. `context` points to an int64_t, which is set
 * to that number.
 */
enum status db_take_int(void *context, const struct db_row *row);

#endif
