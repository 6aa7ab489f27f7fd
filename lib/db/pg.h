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

/* The server's state of a prepared statement of this session. */
enum pg_prepare_state { PG_UNKNOWN, PG_SENT, PG_READY };

struct pg_prepared {
    char name[PG_NAME_SIZE]; /* on the server */
    enum pg_prepare_state state;
    unsigned generation; /* grows when more types become known */
    size_t columns;
    Oid types[DB_COLUMNS_MAX]; /* as sent; 0 = inferred by the server */
};

enum pg_kind { PG_PREPARE, PG_STATEMENT, PG_COMMIT, PG_SYNC };

/* An entry of the pipeline whose result was not read yet. */
struct pg_pending {
    enum pg_kind kind;
    bool wanted; /* its rows go to the sink */
    const char *name;
    struct pg_prepared *prepared; /* PG_PREPARE only */
};

/* The first failure among the results read. */
struct pg_failure {
    enum status status;
    bool session_over; /* the connection is lost, or about to be */
    bool told;         /* the server itself reported the cause */
    enum pg_kind kind; /* of the failed entry */
};

struct pg {
    struct db db;
    char *url;
    char schema[PG_SCHEMA_SIZE]; /* empty = the server's default */
    PGconn *connection;          /* NULL while lost */
    bool pooled;                 /* connected through a pooler */
    int backend;                 /* the server's PID for the session */
    char statement_timeout[16];  /* as set for the session */
    char guard[192];             /* fails in any other session */
    bool said_goodbye;           /* the server has announced that it ends the session */
    int64_t next_attempt_ns;
    uint32_t backoff_ms; /* 0 = the last attempt succeeded */
    bool unsuitable;     /* the last attempt failed with DB_UNSUITABLE */
    struct repeat outage;
    struct pg_pending *pending; /* in sending order */
    size_t pending_count;
    size_t pending_capacity;
    struct map prepared; /* address of the statement text -> struct pg_prepared * */
    struct pg_buffer buffer;
};

/* ---- pg_session.c ---- */

/* First connection: INVALID_ARGUMENT if the URL is at fault, UNAVAILABLE if the server is. */
MUST_CHECK enum status pg_session_open(struct pg *pg, struct error *error);

/* Outside a transaction: checks that the connection is alive, otherwise reconnects unless backing off. */
MUST_CHECK enum status pg_session_ensure(struct pg *pg, struct error *error);

/*
 * Connects with the parameters of the URL, without any setup; the caller checks PQstatus. NULL when out of
 * memory.
 */
PGconn *pg_session_connect(const struct pg *pg);

/* Closes the connection, if any, and forgets what was sent and prepared. */
void pg_session_drop(struct pg *pg);

/* ---- pg_setup.c ---- */

/*
 * Inspects the server, applies all settings and reads them back. FAILED_PRECONDITION `DB_UNSUITABLE` if the
 * database, the server or a pooler does not meet our needs. `options` are those of the URL, or NULL.
 */
MUST_CHECK enum status pg_setup(struct pg *pg, PGconn *connection, const char *options, struct error *error);

/*
 * Runs one statement outside the pipeline and waits up to `timeout_ms` for its result, which the caller owns.
 * Returns NULL if there is none; the connection is then unusable.
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
 * wanted entries go to the sink. Sets `failure` and `error` to the first failure; if on_row refuses a row,
 * failure->status is its status and `error` only names the statement. Drops the session if it is over.
 */
void pg_queue_drain(struct pg *pg, const struct db_sink *sink, struct pg_failure *failure,
                    struct error *error);

/* UNAVAILABLE, with libpq's message; drops the session. */
enum status pg_connection_lost(struct pg *pg, const char *doing, struct error *error);

/* Fills `error` from a failed result. */
enum status pg_result_failure(const struct pg *pg, const PGresult *result, const char *name,
                              struct error *error);

/* ---- pg_send.c ---- */

/* Sends the statement for every row of the set, or once. `wanted`: its result goes to the sink. */
MUST_CHECK enum status pg_send(struct pg *pg, const struct db_statement *statement,
                               const struct db_params *params, bool wanted, struct error *error);
void pg_forget_prepared(struct pg *pg);

/* ---- pg_rows.c ---- */

bool pg_cell(const struct db_row *row, int column, enum db_type wanted, struct db_value *out);
bool pg_is_null(const struct db_row *row, int column);

#endif
