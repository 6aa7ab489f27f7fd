/*
 * Private to the PostgreSQL driver.
 *
 *   postgresql.c  the driver: transactions, runs, scripts
 *   pg_session.c  opening the connection, detecting its loss, reopening it
 *   pg_setup.c    settings of a fresh session, and their verification
 *   pg_pooler.c   detecting a pooler that changes sessions
 *   pg_options.c  `options` of a URL
 *   pg_queue.c    the pipeline: requests in flight and their results
 *   pg_send.c     prepared statements and their parameters
 *   pg_array.c    parameters in binary form
 *   pg_rows.c     rows in binary form
 *   pg_status.c   the meaning of failures
 *
 * Once set up, the connection is in libpq's pipeline mode and non-blocking, except during a script.
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
    char name[PG_NAME_SIZE]; /* the statement's name on the server */
    enum pg_prepare_state state;
    unsigned generation; /* increased when more types become known */
    size_t columns;
    Oid types[DB_COLUMNS_MAX]; /* the types as sent; 0 = inferred by the server */
};

enum pg_kind { PG_PREPARE, PG_STATEMENT, PG_COMMIT, PG_SYNC };

/* A pipeline entry whose result has not been read yet. */
struct pg_pending {
    enum pg_kind kind;
    bool wanted; /* whether its rows or count go to the sink */
    const char *name;
    struct pg_prepared *prepared; /* for PG_PREPARE only */
};

/* The first failure among the results read. */
struct pg_failure {
    enum status status;
    bool session_over; /* whether the connection is lost or about to be lost */
    bool told;         /* whether the server reported the cause */
    enum pg_kind kind; /* the kind of the entry that failed */
    bool committed;    /* whether the server has reported the success of a COMMIT */
};

struct pg {
    struct db db;
    char *url;
    char schema[PG_SCHEMA_SIZE]; /* the schema in which names are looked up; empty = the server's default */
    PGconn *connection;          /* NULL while the connection is lost */
    bool pooled;                 /* whether there is a pooler in front of the server */
    int backend;                 /* the PID of the session's backend */
    char statement_timeout[16];  /* the value of this setting in this session */
    char guard[192];             /* a statement that fails in every other session */
    bool said_goodbye;           /* whether the server has announced the end of the session */
    int64_t next_attempt_ns;
    uint32_t backoff_ms; /* 0 = the last attempt, if any, succeeded */
    bool unsuitable;     /* whether the last attempt failed with DB_UNSUITABLE */
    struct repeat outage;
    struct pg_pending *pending; /* in the order in which they were sent */
    size_t pending_count;
    size_t pending_capacity;
    struct map prepared; /* from the address of a statement's text to struct pg_prepared * */
    struct pg_buffer buffer;
};

/* ---- pg_session.c ---- */

/* Opens the first connection. Fails like db_open. */
MUST_CHECK enum status pg_session_open(struct pg *pg, struct error *error);

/*
 * Checks that the connection is alive, and reconnects if it is not. Returns UNAVAILABLE if that fails, or
 * during the backoff. Call it outside a transaction.
 */
MUST_CHECK enum status pg_session_ensure(struct pg *pg, struct error *error);

/*
 * Connects with the parameters of the URL, without any setup. The caller must check PQstatus. Returns NULL
 * when out of memory.
 */
PGconn *pg_session_connect(const struct pg *pg);

/* Closes the connection, if any, and forgets which entries were sent and which statements were prepared. */
void pg_session_drop(struct pg *pg);

/* ---- pg_setup.c ---- */

/*
 * Inspects the server, applies all settings and reads them back. Returns FAILED_PRECONDITION `DB_UNSUITABLE`
 * if the database, the server or a pooler does not meet our requirements. `options` are those of the URL, or
 * NULL.
 */
MUST_CHECK enum status pg_setup(struct pg *pg, PGconn *connection, const char *options, struct error *error);

/*
 * Runs one statement outside the pipeline and waits up to `timeout_ms` for its result, which the caller owns.
 * Returns NULL if there is no result; the connection is then unusable.
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

/* Makes room for `count` more entries, so that each request can be recorded when it is sent. */
MUST_CHECK enum status pg_queue_reserve(struct pg *pg, size_t count, struct error *error);
void pg_queue_add(struct pg *pg, const struct pg_pending *pending);

/*
 * Sends a statement without parameters, such as COMMIT, or a sync. Returns false on failure; the caller must
 * then drop the session.
 */
bool pg_queue_plain(struct pg *pg, enum pg_kind kind, const char *sql);
bool pg_queue_sync(struct pg *pg);

/*
 * Reads the results of everything that was sent, and writes unsent data in the meantime. Rows and counts of
 * wanted entries go to the sink. Sets `failure` and `error` to the first failure. If on_row fails for a row,
 * failure->status is its status and `error` only names the statement. Drops the session if it has ended.
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
 * Sends the statement for every row of `params`, or once if `params` is NULL. If `wanted`, the results go to
 * the sink.
 */
MUST_CHECK enum status pg_send(struct pg *pg, const struct db_statement *statement,
                               const struct db_params *params, bool wanted, struct error *error);
void pg_forget_prepared(struct pg *pg);

/* ---- pg_rows.c ---- */

bool pg_cell(const struct db_row *row, int column, enum db_type wanted, struct db_value *out);
bool pg_is_null(const struct db_row *row, int column);

#endif
