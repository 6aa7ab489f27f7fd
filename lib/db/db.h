/*
 * One interface to SQLite and PostgreSQL.
 *
 * A connection belongs to one thread at a time. A statement is run for each row of a parameter set: SQLite
 * loops over one prepared statement; PostgreSQL gets one set-based statement with array parameters where
 * there is one, else a pipeline. Statements without rows to return are queued in PostgreSQL's pipeline: their
 * failure may show only at a later call of the same transaction, at the latest at db_commit. A transaction in
 * which a call failed must be rolled back.
 *
 * Statuses: UNAVAILABLE = connection lost or not there, server shutting down, disk full or I/O error, busy,
 * too many connections, a damaged database; DEADLINE_EXCEEDED = statement or lock timeout; ABORTED =
 * serialisation failure or deadlock, run the transaction again; UNKNOWN = only from db_commit: the connection
 * broke before the answer came; ALREADY_EXISTS = a unique key, or an object that is to be created;
 * RESOURCE_EXHAUSTED = out of memory; INTERNAL = anything else, a fault of the statement or of its
 * parameters.
 *
 * A lost PostgreSQL connection is made anew by the next db_begin, or db_run outside a transaction; between
 * attempts there is a backoff (100 ms growing to 2 s, jittered) during which these calls fail at once with
 * UNAVAILABLE.
 */
#ifndef SCREENING_DB_DB_H
#define SCREENING_DB_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/uuid.h"

struct db;
struct db_params;
struct db_row;

enum db_dialect { DB_SQLITE, DB_POSTGRESQL };

enum db_access {
    DB_READ_WRITE, /* creates a SQLite file that is not there */
    DB_READ_ONLY   /* refuses to write; the database must exist */
};

/*
 * One SQL statement: a static constant in a store.c (what is prepared is found again by its address).
 * Parameters are $1, $2, ... in both dialects, $1 first. `postgresql` replaces `sql` there if not NULL.
 * `postgresql_set`, if not NULL, is used there whenever rows are run and takes each column as an array: "...
 * FROM unnest($1::uuid[], $2::int8[])".
 */
struct db_statement {
    const char *name; /* unique within the program; also the name of the prepared statement */
    const char *sql;
    const char *postgresql;
    const char *postgresql_set;
};

/* ---- connections ---- */

/* Reasons of an UNAVAILABLE that no waiting heals; their words go to callers. */
#define DB_GONE    "DATABASE_GONE"    /* the SQLite file was removed or replaced; begin fails from then on */
#define DB_DAMAGED "DATABASE_DAMAGED" /* what is read there makes no sense; logged once a minute */
#define DB_UNSUITABLE                                                                                        \
    "DATABASE_UNSUITABLE" /* PostgreSQL's settings, or a pooler, are not as they must be                     \
                           */

/*
 * Opens "sqlite:PATH" or "postgresql://..." ("postgres://..." too; multi-host and target_session_attrs work).
 * A SQLite file is opened for writing by one process at a time, which holds a lock on PATH-lock:
 * FAILED_PRECONDITION, naming the other process, if another one does.
 * `options` in the query of the URL, such as statement_timeout, overrule our own, but a
 * synchronous_commit below `on` is refused. Returns OK and a connection
 * in *out; UNAVAILABLE if the server is merely not there yet (*out untouched); INVALID_ARGUMENT for a
 * malformed URL, a path that can't be opened, a refused login or a database that does not exist: asking again
 * does not help; FAILED_PRECONDITION `DB_UNSUITABLE` if a setting that we rely on does not hold. Messages
 * never contain the password.
 */
MUST_CHECK enum status db_open(const char *url, enum db_access access, struct db **out, struct error *error);
void db_close(struct db *db);

/*
 * False while the SQLite file that a connection for writing has opened, its log or its shared memory is not
 * at its path any more; logged once. Any thread. Always true for other connections.
 */
bool db_in_place(struct db *db);

/* INVALID_ARGUMENT "database: ..." unless the URL is well-formed. Touches nothing. */
MUST_CHECK enum status db_url_check(const char *url, struct error *error);

/* The URL with its password replaced by ***, for logs and --print-config. Returns `out`. */
char *db_url_redact(const char *url, char *out, size_t out_size);

/* Whether a failure is due to that. */
bool db_is_damaged(const struct error *error);

/* Whether any connection of the process has met a damaged database so far. Any thread. */
bool db_damage_seen(void);

/* Whether waiting can heal a failure to open or to prepare a database: it is transient, and not for a damage.
 */
bool db_may_heal(const struct error *error);

enum db_dialect db_dialect(const struct db *db);

/*
 * Which session it is: 1 is the first. Each connection that is made anew adds one, and so does, on SQLite,
 * each transaction that finds the file changed by somebody else.
 */
uint64_t db_session(const struct db *db);

/*
 * A stamp for rows that the caller remembers. If it is the same in a later transaction, these rows are as
 * they were: nobody but this connection has written to the database, none of its transactions was rolled
 * back, and nobody has called db_restamp. 0: not known, as always outside of a transaction and on PostgreSQL,
 * where others write.
 */
uint64_t db_stamp(const struct db *db);

/* The caller writes to rows that others remember by their stamp. */
void db_restamp(struct db *db);

/*
 * Sets the schema that names resolve to (PostgreSQL's search_path, also after a reconnect); creates nothing.
 * SQLite: INTERNAL. `schema` must be a plain lower-case identifier.
 */
MUST_CHECK enum status db_use_schema(struct db *db, const char *schema, struct error *error);

/* ---- transactions ---- */

/* SQLite: BEGIN IMMEDIATE (a read-only connection: BEGIN). PostgreSQL: BEGIN, READ COMMITTED. */
MUST_CHECK enum status db_begin(struct db *db, struct error *error);

/*
 * Commits a transaction that changes nothing. With `write` it takes all that a change takes: room on the
 * disk, a sync, the right to write. Fails as db_begin, db_run and db_commit do.
 */
MUST_CHECK enum status db_probe(struct db *db, bool write, struct error *error);

/* OK: durable. UNKNOWN: the answer was lost. Anything else: nothing was committed, and the transaction is
 * over. */
MUST_CHECK enum status db_commit(struct db *db, struct error *error);

/* Ends the transaction, if there is one, without effect. Never fails: a connection that can't is dropped. */
void db_rollback(struct db *db);

/* ---- parameters ---- */

/* Rows of parameters, filled row by row, value by value. Reusable. NULL when out of memory. */
struct db_params *db_params_create(void);
void db_params_destroy(struct db_params *params);
void db_params_reset(struct db_params *params);

/*
 * Add the next value of the row at hand. Text and bytes are not copied: they must stay until db_run has
 * returned. Every row has the same types (null takes the type of its column, which some row before or after
 * it must show; a column of nulls only takes the type that the statement gives it). An allocation failure is
 * remembered and reported by db_run.
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
 * Called for every row that a statement returns. A status other than OK ends the run, which returns it. The
 * row and what its getters return are valid during the call only. It must not use the connection.
 */
typedef enum status (*db_row_fn)(void *context, const struct db_row *row);

/*
 * Runs `statement` for every row of `params`; NULL params = once, without parameters. `on_row` NULL: returns
 * no rows (and is pipelined on PostgreSQL). Rows may come in any order when there is a set-based variant.
 */
MUST_CHECK enum status db_run(struct db *db, const struct db_statement *statement,
                              const struct db_params *params, db_row_fn on_row, void *context,
                              struct error *error);

/*
 * As db_run without rows, but waits for the answer and tells how many rows of the database were changed in
 * all, for compare-and-set.
 */
MUST_CHECK enum status db_run_counting(struct db *db, const struct db_statement *statement,
                                       const struct db_params *params, int64_t *changed, struct error *error);

/* Runs a script of several statements without parameters, for migrations and set-up. It may take any time. */
MUST_CHECK enum status db_run_script(struct db *db, const char *script, struct error *error);

/* Columns count from 0. A null is 0, "" or zero bytes. The column must have the matching type. */
int64_t db_row_int(const struct db_row *row, int column);
const char *db_row_text(const struct db_row *row, int column);
const void *db_row_bytes(const struct db_row *row, int column, size_t *size);
struct uuid db_row_uuid(const struct db_row *row, int column);
int32_t db_row_date(const struct db_row *row, int column);
bool db_row_is_null(const struct db_row *row, int column);

#endif
