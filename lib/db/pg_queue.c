/*
 * Manages PostgreSQL's pipeline: records each entry that is sent, and reads its results.
 *
 * Invariant: pending[] lists, in order, everything given to libpq since the last drain. A drain reads the
 * results of all entries, unless the session ends. After a failure the server skips everything up to the next
 * sync, and libpq returns PGRES_PIPELINE_ABORTED for each skipped entry.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "db/damage.h"
#include "db/pg.h"
#include "db/pg_status.h"

/*
 * The maximum time for which the server may be silent. The server cancels a statement after statement_timeout
 * (5 s by default), so a longer silence counts as the loss of the server.
 */
enum { SILENCE_MAX_MS = 30000 };

static const char silent_server[] = "no answer";

enum status pg_queue_reserve(struct pg *pg, size_t count, struct error *error)
{
    size_t needed = pg->pending_count + count;
    if (needed <= pg->pending_capacity)
        return STATUS_OK;
    if (needed < pg->pending_capacity * 2)
        needed = pg->pending_capacity * 2;
    struct pg_pending *pending = reallocarray(pg->pending, needed, sizeof *pending);
    if (pending == NULL)
        return error_set(error, STATUS_RESOURCE_EXHAUSTED, NULL, "database: out of memory");
    pg->pending = pending;
    pg->pending_capacity = needed;
    return STATUS_OK;
}

void pg_queue_add(struct pg *pg, const struct pg_pending *pending)
{
    CHECK(pg->pending_count < pg->pending_capacity); /* pg_queue_reserve has made room */
    pg->pending[pg->pending_count++] = *pending;
}

bool pg_queue_plain(struct pg *pg, enum pg_kind kind, const char *sql)
{
    struct error ignored;
    if (pg_queue_reserve(pg, 1, &ignored) != STATUS_OK ||
        !PQsendQueryParams(pg->connection, sql, 0, NULL, NULL, NULL, NULL, 1))
        return false;
    pg_queue_add(pg, &(struct pg_pending){.kind = kind, .name = sql});
    return true;
}

bool pg_queue_sync(struct pg *pg)
{
    struct error ignored;
    if (pg_queue_reserve(pg, 1, &ignored) != STATUS_OK || !PQpipelineSync(pg->connection))
        return false;
    pg_queue_add(pg, &(struct pg_pending){.kind = PG_SYNC, .name = "sync"});
    return true;
}

enum status pg_connection_lost(struct pg *pg, const char *doing, struct error *error)
{
    char reason[ERROR_MESSAGE_SIZE] = "connection lost";
    if (pg->connection != NULL && PQerrorMessage(pg->connection)[0] != '\0')
        snprintf(reason, sizeof reason, "%s", PQerrorMessage(pg->connection));
    reason[strcspn(reason, "\n")] = '\0';
    pg_session_drop(pg);
    return error_set(error, STATUS_UNAVAILABLE, NULL, "database: %s: %s", doing, reason);
}

enum status pg_result_failure(const struct pg *pg, const PGresult *result, const char *name,
                              struct error *error)
{
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    if (sqlstate == NULL)
        return error_set(error, STATUS_INTERNAL, NULL, "database: %s: unexpected answer %s", name,
                         PQresStatus(PQresultStatus(result)));
    enum status status = pg_status(sqlstate, PQresultErrorField(result, PG_DIAG_SOURCE_FILE));
    /*
     * On a read-only connection, a rejected write is an error of the statement. It does not mean that the
     * server is no longer the primary.
     */
    if (strcmp(sqlstate, "25006") == 0 && pg->db.access == DB_READ_ONLY)
        status = STATUS_INTERNAL;
    if (message == NULL || pg_status_quotes_values(sqlstate))
        message = "refused";
    if (pg_status_is_damage(sqlstate))
        return db_damage_report(error, NULL, name, message, sqlstate);
    return error_set(error, status, NULL, "database: %s: %s (%s)", name, message, sqlstate);
}

/* ---- waiting ---- */

/*
 * Flushes unsent data, then sleeps until the socket is ready. Returns false after SILENCE_MAX_MS, or if poll
 * fails.
 */
static bool wait_for_server(PGconn *connection)
{
    int unwritten = PQflush(connection);
    struct pollfd descriptor = {.fd = PQsocket(connection), .events = POLLIN};
    int ready;
    /* If the connection is lost, the next reads return the server's last message and then report the loss. */
    if (unwritten < 0)
        return PQconsumeInput(connection) >= 0;
    if (unwritten == 1)
        descriptor.events |= POLLOUT;
    do {
        ready = poll(&descriptor, 1, SILENCE_MAX_MS);
    } while (ready < 0 && errno == EINTR);
    if (ready <= 0)
        return false;
    if ((descriptor.revents & ~POLLOUT) != 0)
        (void)PQconsumeInput(connection); /* PQgetResult will report a failure */
    return true;
}

/*
 * Returns the next result, or NULL at the end of an entry's results. Sets *silent if the server did not
 * respond.
 */
static PGresult *next_result(struct pg *pg, bool *silent)
{
    while (PQisBusy(pg->connection)) {
        if (!wait_for_server(pg->connection)) {
            *silent = true;
            return NULL;
        }
    }
    return PQgetResult(pg->connection);
}

/* ---- reading results ---- */

struct drain {
    struct pg *pg;
    const struct db_sink *sink;
    struct pg_failure *failure;
    struct error *error;
};

static void fail(struct drain *drain, const struct pg_pending *pending, enum status status)
{
    drain->failure->status = status;
    drain->failure->kind = pending->kind;
}

static void take_failure(struct drain *drain, const struct pg_pending *pending, const PGresult *result)
{
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
    /* PostgreSQL sends both in every message. A pooler that has lost its server makes one up, with the
     * SQLSTATE only. */
    bool told = sqlstate != NULL && severity != NULL;
    bool lost = !told && (sqlstate != NULL || PQstatus(drain->pg->connection) != CONNECTION_OK);
    bool first = drain->failure->status == STATUS_OK;
    struct error ignored;
    struct error *error = first ? drain->error : &ignored;
    enum status status;
    if (lost)
        status = error_set(error, STATUS_UNAVAILABLE, NULL, "database: %s: connection lost", pending->name);
    else
        status = pg_result_failure(drain->pg, result, pending->name, error);
    if (lost || (told && strcmp(severity, "ERROR") != 0) ||
        (status == STATUS_UNAVAILABLE && told && pg_status_spoils_session(sqlstate)))
        drain->failure->session_over = true;
    if (!first)
        return;
    drain->failure->told = told;
    fail(drain, pending, status);
}

static void take_rows(struct drain *drain, const struct pg_pending *pending, PGresult *result)
{
    if (drain->sink->changed != NULL)
        *drain->sink->changed += strtoll(PQcmdTuples(result), NULL, 10);
    if (drain->sink->on_row == NULL)
        return;
    for (int row = 0; row < PQntuples(result) && drain->failure->status == STATUS_OK; row++) {
        enum status status =
            db_sink_row(drain->sink, &postgresql_driver, result, row, pending->name, drain->error);
        if (status != STATUS_OK)
            fail(drain, pending, status);
    }
}

static void take_result(struct drain *drain, const struct pg_pending *pending, PGresult *result)
{
    switch (PQresultStatus(result)) {
    case PGRES_COMMAND_OK:
    case PGRES_TUPLES_OK:
        if (pending->kind == PG_PREPARE)
            pending->prepared->state = PG_READY;
        if (pending->kind == PG_COMMIT && strcmp(PQcmdStatus(result), "COMMIT") == 0)
            drain->failure->committed = true;
        if (pending->wanted)
            take_rows(drain, pending, result);
        return;
    case PGRES_PIPELINE_SYNC:
        return;
    case PGRES_PIPELINE_ABORTED:
        break;
    default:
        take_failure(drain, pending, result);
        break;
    }
    if (pending->kind == PG_PREPARE)
        pending->prepared->state = PG_UNKNOWN;
}

/* Reads all results of one entry. */
static void take_answer(struct drain *drain, const struct pg_pending *pending)
{
    bool silent = false;
    PGresult *result;
    while ((result = next_result(drain->pg, &silent)) != NULL) {
        take_result(drain, pending, result);
        PQclear(result);
        if (pending->kind == PG_SYNC) /* there is no NULL after the result of a sync */
            return;
    }
    if (!silent)
        return;
    drain->failure->session_over = true;
    if (drain->failure->status == STATUS_OK)
        fail(drain, pending,
             error_set(drain->error, STATUS_UNAVAILABLE, NULL, "database: %s: %s", pending->name,
                       silent_server));
}

void pg_queue_drain(struct pg *pg, const struct db_sink *sink, struct pg_failure *failure,
                    struct error *error)
{
    struct drain drain = {.pg = pg, .sink = sink, .failure = failure, .error = error};
    for (size_t i = 0; i < pg->pending_count && !failure->session_over; i++)
        take_answer(&drain, &pg->pending[i]);
    pg->pending_count = 0;
    if (failure->session_over)
        pg_session_drop(pg);
}
