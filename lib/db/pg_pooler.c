/*
 * Detects a pooler that gives each transaction a different PostgreSQL session, as pgbouncer does with
 * pool_mode=transaction or statement. Settings, prepared statements and locks belong to a session, so we
 * cannot use such a pooler. We can use one with pool_mode=session.
 *
 * Because we are outside a transaction, a pooler that shares sessions lets other clients use ours. Most
 * poolers give the most recently used session to the next client. So a transaction on a second connection
 * gets our session, or the first connection then gets a different one. Either case proves that sessions are
 * shared.
 */
#include <stdlib.h>

#include "db/pg.h"

/* There are several attempts, because another client may take the session first. */
enum { ATTEMPTS = 2, ANSWER_MS = 500 };

enum finding { FOUND_NOTHING, FOUND_SHARED, FOUND_NO_ANSWER };

enum status pg_pooler_refuse(struct error *error)
{
    return error_set(error, STATUS_FAILED_PRECONDITION, DB_UNSUITABLE,
                     "database: a pooler changes the session between transactions: set it to session mode "
                     "(pgbouncer: pool_mode=session)");
}

/*
 * Runs one statement. Sets *number to the number in its only row, or to 0 if there is no row. Sets *refused
 * to whether the statement failed. Returns false if there is no result, for example because the pool has no
 * session left.
 */
static bool run(PGconn *connection, const char *sql, int *number, bool *refused)
{
    PGresult *result = pg_ask(connection, sql, ANSWER_MS);
    if (result == NULL)
        return false;
    *number = PQntuples(result) == 1 ? (int)strtol(PQgetvalue(result, 0, 0), NULL, 10) : 0;
    *refused = PQresultStatus(result) == PGRES_FATAL_ERROR;
    PQclear(result);
    return true;
}

/*
 * Begins a transaction on the second connection, which then keeps its session. Compares our session with this
 * session, and with the one that the first connection gets afterwards.
 */
static enum finding compare(const struct pg *pg, PGconn *first, PGconn *second)
{
    static const char own_pid[] = "SELECT pg_backend_pid()";
    int other = 0, again = pg->backend, ignored;
    bool no_transaction = false, refused = false;
    if (!run(second, "BEGIN", &ignored, &no_transaction))
        return FOUND_NO_ANSWER;
    if (no_transaction) /* pool_mode=statement allows no transactions */
        return FOUND_SHARED;
    if (run(second, own_pid, &other, &refused) && !refused && other != pg->backend)
        (void)run(first, own_pid, &again, &refused);
    (void)run(second, "ROLLBACK", &ignored, &refused);
    return other == pg->backend || again != pg->backend ? FOUND_SHARED : FOUND_NOTHING;
}

enum status pg_pooler_check(const struct pg *pg, PGconn *connection, struct error *error)
{
    enum finding finding = FOUND_NOTHING;
    for (int i = 0; i < ATTEMPTS && finding == FOUND_NOTHING; i++) {
        PGconn *second = pg_session_connect(pg);
        if (PQstatus(second) == CONNECTION_OK)
            finding = compare(pg, connection, second);
        PQfinish(second);
    }
    return finding == FOUND_SHARED ? pg_pooler_refuse(error) : STATUS_OK;
}
