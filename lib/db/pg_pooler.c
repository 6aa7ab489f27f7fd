/*
 * Detects a pooler that gives each transaction a different PostgreSQL session, as pgbouncer does with
 * pool_mode=transaction or statement. Settings, prepared statements and locks belong to a session, so we
 * cannot work through such a pooler. With pool_mode=session we can.
 *
 * Such a pooler offers a session that we have just used, outside a transaction, to other clients. Most
 * poolers give the most recently used session to the next client, so a transaction on a second connection
 * gets our session, which proves the sharing. Otherwise the first connection may get a different session now,
 * which proves it too.
 */
#include <stdlib.h>

#include "db/pg.h"

/* There is more than one attempt, because other clients may have taken the session first. */
enum { ATTEMPTS = 2, ANSWER_MS = 500 };

enum finding { FOUND_NOTHING, FOUND_SHARED, FOUND_NO_ANSWER };

enum status pg_pooler_refuse(struct error *error)
{
    return error_set(error, STATUS_FAILED_PRECONDITION, DB_UNSUITABLE,
                     "database: a pooler changes the session between transactions: set it to session mode "
                     "(pgbouncer: pool_mode=session)");
}

/*
 * Runs one statement. Sets *number to the first number of its only row, or to 0 if it has none. Returns false
 * if there is no result, for example because the pool has no session left.
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
 * Compares the session of a transaction on the second connection, which pins it, with the session that the
 * first connection gets during that transaction.
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
