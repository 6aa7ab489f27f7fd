/*
 * Private to the PostgreSQL driver.
 *
 *   postgresql.c  the driver: transactions, runs, scripts
 *   pg_session.c  opening, losing and reopening the connection
 *   pg_setup.c    settings of a fresh session, and their verification
 *   pg_pooler.c   detecting a pooler that changes sessions
 *   pg_options.c  `options` of a URL
 *   pg_queue.c    the pipeline: requests in flight and their results
 *   pg_send.c     prepared statements and their parameters
 *   pg_array.c    parameters in binary form
 *   pg_rows.c     rows in binary form
 *   pg_status.c   the meaning of failures
 *
 * The connection is always in libpq's pipeline mode and non-blocking, except during a script.
 */
#ifndef SCREENING_DB_PG_H
#define SCREENING_DB_PG_H

#include <libpq-fe.h>

#include "base/map.h"
#include "base/repeat.h"
#include "db/driver.h"
#include "db/pg_array.h"

enum { PG_NAME_SIZE = 64, PG_SCHEMA_SIZE = 64 };

/* The state of a prepared statement in the server's session. */
enum pg_prepare_state { PG_UNKNOWN, PG_SENT, PG_READY };

struct pg_prepared {
    char name[PG_NAME_SIZE]; /* its name on the server */
    enum pg_prepare_state state;
    unsigned generation; /* grows when more types become known */
    size_t columns;
    Oid types[DB_COLUMNS_MAX]; /* the types as sent; 0 = inferred by the server */
};

enum pg_kind { PG_PREPARE, PG_STATEMENT, PG_COMMIT, PG_SYNC };

/* An entry of the pipeline whose result has not been read yet. */
struct pg_pending {
    enum pg_kind kind;
    bool wanted; /* its rows go to the sink */
    const char *name;
    struct pg_prepared *prepared; /* for PG_PREPARE only */
};

/* The first failure among the results read. */
struct pg_failure {
    enum status status;
    bool session_over; /* the connection is lost, or about to be */
    bool told;         /* the server itself reported the cause */
    enum pg_kind kind; /* the kind of the entry that failed */
};

struct pg {
    struct db db;
    char *url;
    char schema[PG_SCHEMA_SIZE]; /* empty = the server's default */
    PGconn *connection;          /* NULL while the connection is lost */
    bool pooled;                 /* whether a pooler is in between */
    int backend;                 /* the PID of the session's backend */
    char statement_timeout[16];  /* the value set for the session */
    char guard[192];             /* a statement that fails in any other session */
    bool said_goodbye;           /* the server has announced that it ends the session */
    int64_t next_attempt_ns;
    uint32_t backoff_ms; /* 0 = the last attempt succeeded */
    bool unsuitable;     /* the last attempt failed with DB_UNSUITABLE */
    struct repeat outage;
    struct pg_pending *pending; /* in the order in which they were sent */
    size_t pending_count;
    size_t pending_capacity;
    struct map prepared; /* address of the statement text -> struct pg_prepared * */
    struct pg_buffer buffer;
};

/* ---- pg_session.c ---- */

/*
 * Opens the first connection. Returns INVALID_ARGUMENT if the URL is at fault, UNAVAILABLE if the server is.
 */
MUST_CHECK enum status pg_session_open(struct pg *pg, struct error *error);

/*
 * Checks, outside a transaction, that the connection is alive. If it is not, reconnects unless backing off.
 */
MUST_CHECK enum status pg_session_ensure(struct pg *pg, struct error *error);

/*
 * Connects with the parameters of the URL, without any setup. The caller checks PQstatus. Returns NULL when
 * out of memory.
 */
PGconn *pg_session_connect(const struct pg *pg);

/* Closes the connection, if any, and forgets what was sent and prepared. */
void pg_session_drop(struct pg *pg);

/* ---- pg_setup.c ---- */

/*
 * Inspects the server, applies all settings and reads them back. Returns FAILED_PRECONDITION `DB_UNSUITABLE`
 * if the database, the server or a pooler does not meet our needs. `options` are those of the URL, or NULL.
 */
MUST_CHECK enum status pg_setup(struct pg *pg, PGconn *connection, const char *options, struct error *error);

/*
 * Runs one statement outside the pipeline and waits up to `timeout_ms` for its result, which the caller owns.
 * Returns NULL if there is none. The connection is then unusable.
 */
PGresult *pg_ask(PGconn *connection, const char *sql, int timeout_ms);

/* ---- pg_pooler.c ---- */

/*
 * Checks a connection through a pooler. Fails like pg_pooler_refuse if the pooler changes the session between
 * transactions.
 */
MUST_CHECK enum status pg_pooler_check(const struct pg *pg, PGconn *connection, struct error *error);
enum status pg_pooler_refuse(struct error *error);

/* ---- pg_queue.c ---- */

/* Makes room for `count` more entries, so that everything sent can be recorded. */
MUST_CHECK enum status pg_queue_reserve(struct pg *pg, size_t count, struct error *error);
void pg_queue_add(struct pg *pg, const struct pg_pending *pending);

/* Sends a statement without parameters, such as COMMIT, or a sync. Returns false if the connection is
 * lost. */
bool pg_queue_plain(struct pg *pg, enum pg_kind kind, const char *sql);
bool pg_queue_sync(struct pg *pg);

/*
 * Reads the results of everything that was sent, and writes unsent data in the meantime. Rows and counts of
 * wanted entries go to the sink. Sets `failure` and `error` to the first failure. If on_row refuses a row,
 * failure->status is its status and `error` only names the statement. Drops the session if it is over.
 */
void pg_queue_drain(struct pg *pg, const struct db_sink *sink, struct pg_failure *failure,
                    struct error *error);

/* Drops the session. Returns UNAVAILABLE with libpq's message. */
enum status pg_connection_lost(struct pg *pg, const char *doing, struct error *error);

/* Fills `error` from a failed result. Returns its status. */
enum status pg_result_failure(const struct pg *pg, const PGresult *result, const char *name,
                              struct error *error);

/* ---- pg_send.c ---- */

/*
 * Sends the statement for every row of the set, or once without a set. `wanted` says that its result goes to
 * the sink.
 */
MUST_CHECK enum status pg_send(struct pg *pg, const struct db_statement *statement,
                               const struct db_params *params, bool wanted, struct error *error);
void pg_forget_prepared(struct pg *pg);

/* ---- pg_rows.c ---- */

bool pg_cell(const struct db_row *row, int column, enum db_type wanted, struct db_value *out);
bool pg_is_null(const struct db_row *row, int column);

#endif
