/*
 * Private to the PostgreSQL driver.
 *
 *   postgresql.c  the driver: transactions, runs, scripts
 *   pg_session.c  making, losing and re-making the connection
 *   pg_setup.c    what a fresh session is set to, and whether it holds
 *   pg_pooler.c   a pooler in between that changes sessions
 *   pg_options.c  `options` of a URL
 *   pg_queue.c    the pipeline: what was sent and not yet answered, reading the answers
 *   pg_send.c     prepared statements and their parameters
 *   pg_array.c    parameters in binary form
 *   pg_rows.c     rows in binary form
 *   pg_status.c   what failures mean
 *
 * The connection is in libpq's pipeline mode and non-blocking all the time, except inside a script.
 */
#ifndef SCREENING_DB_PG_H
#define SCREENING_DB_PG_H

#include <libpq-fe.h>

#include "base/map.h"
#include "base/repeat.h"
#include "db/driver.h"
#include "db/pg_array.h"

enum { PG_NAME_SIZE = 64, PG_SCHEMA_SIZE = 64 };

/* Where the server stands with a prepared statement of this session. */
enum pg_prepare_state { PG_UNKNOWN, PG_SENT, PG_READY };

struct pg_prepared {
    char name[PG_NAME_SIZE]; /* on the server */
    enum pg_prepare_state state;
    unsigned generation; /* counts up when the types become better known */
    size_t columns;
    Oid types[DB_COLUMNS_MAX]; /* as sent; 0 = left to the server */
};

enum pg_kind { PG_PREPARE, PG_STATEMENT, PG_COMMIT, PG_SYNC };

/* One thing sent whose answer was not yet read. */
struct pg_pending {
    enum pg_kind kind;
    bool wanted; /* its rows go to the sink */
    const char *name;
    struct pg_prepared *prepared; /* PG_PREPARE only */
};

/* The first failure among the answers read. */
struct pg_failure {
    enum status status;
    bool session_over; /* the connection is lost, or about to be */
    bool told;         /* the server itself said why */
    enum pg_kind kind; /* of what failed */
};

struct pg {
    struct db db;
    char *url;
    char schema[PG_SCHEMA_SIZE]; /* empty = the server's default */
    PGconn *connection;          /* NULL while lost */
    bool pooled;                 /* by way of a pooler */
    int backend;                 /* the server's number of the session */
    char statement_timeout[16];  /* as set for the session */
    char guard[192];             /* fails in any other session */
    bool said_goodbye;           /* the server has told that it ends the session */
    int64_t next_attempt_ns;
    uint32_t backoff_ms; /* 0 = the last attempt succeeded */
    bool unsuitable;     /* the last attempt failed for that */
    struct repeat outage;

    struct pg_pending *pending; /* in order of sending */
    size_t pending_count;
    size_t pending_capacity;
    struct map prepared; /* text of the statement -> struct pg_prepared * */
    struct pg_buffer buffer;
};

/* ---- pg_session.c ---- */

/* First connection: INVALID_ARGUMENT if the URL is at fault, UNAVAILABLE if the server is. */
MUST_CHECK enum status pg_session_open(struct pg *pg, struct error *error);

/* Outside a transaction: sees whether the connection is still there, else makes it anew unless backing off.
 */
MUST_CHECK enum status pg_session_ensure(struct pg *pg, struct error *error);

/* A new connection as the URL says, as libpq makes it; NULL when out of memory. */
PGconn *pg_session_connect(const struct pg *pg);

/* Closes the connection, if there is one, and forgets what was sent and prepared. */
void pg_session_drop(struct pg *pg);

/* ---- pg_setup.c ---- */

/*
 * Looks at the server, makes all settings and reads them back. FAILED_PRECONDITION `DB_UNSUITABLE` if the
 * database, the server or a pooler is not as we need it; `options` are those of the URL, or NULL.
 */
MUST_CHECK enum status pg_setup(struct pg *pg, PGconn *connection, const char *options, struct error *error);

/*
 * Runs one statement outside the pipeline and waits for its answer, at most `timeout_ms`; NULL if there is
 * none, and then the connection is of no use. The result is the caller's.
 */
PGresult *pg_ask(PGconn *connection, const char *sql, int timeout_ms);

/* ---- pg_pooler.c ---- */

/* Of a connection by way of a pooler: as pg_pooler_refuse if it changes the session between transactions. */
MUST_CHECK enum status pg_pooler_check(const struct pg *pg, PGconn *connection, struct error *error);
enum status pg_pooler_refuse(struct error *error);

/* ---- pg_queue.c ---- */

/* Makes room for `count` more entries, so that what is sent can be noted down. */
MUST_CHECK enum status pg_queue_reserve(struct pg *pg, size_t count, struct error *error);
void pg_queue_add(struct pg *pg, const struct pg_pending *pending);

/* Sends a statement without parameters, such as COMMIT, or a sync. False: the connection is lost. */
bool pg_queue_plain(struct pg *pg, enum pg_kind kind, const char *sql);
bool pg_queue_sync(struct pg *pg);

/*
 * Reads the answers to everything that was sent, writing what is still to be written meanwhile. Rows and
 * counts of wanted entries go to the sink. Fills `failure` and `error` with the first failure; on_row's own
 * refusal is in failure->status only. When the session is over, it has been dropped.
 */
void pg_queue_drain(struct pg *pg, const struct db_sink *sink, struct pg_failure *failure,
                    struct error *error);

/* UNAVAILABLE, with libpq's reason; drops the session. */
enum status pg_connection_lost(struct pg *pg, const char *doing, struct error *error);

/* Fills `error` from a failed result. */
enum status pg_result_failure(const struct pg *pg, const PGresult *result, const char *name,
                              struct error *error);

/* ---- pg_send.c ---- */

/* Sends the statement for every row of the set, or once. `wanted`: its answer goes to the sink. */
MUST_CHECK enum status pg_send(struct pg *pg, const struct db_statement *statement,
                               const struct db_params *params, bool wanted, struct error *error);
void pg_forget_prepared(struct pg *pg);

/* ---- pg_rows.c ---- */

bool pg_cell(const struct db_row *row, int column, enum db_type wanted, struct db_value *out);
bool pg_is_null(const struct db_row *row, int column);

#endif
