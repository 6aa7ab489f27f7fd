/*
 * The PostgreSQL driver: transactions, runs and scripts on a pipeline.
 *
 * A transaction is BEGIN, its statements and COMMIT in one pipeline. The driver waits for a result only after
 * COMMIT, or if the caller wants a statement's rows or count.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/container.h"
#include "db/pg.h"

static const struct db_sink no_sink;

/* ---- connection ---- */

static void close_connection(struct db *db)
{
    struct pg *pg = container_of(db, struct pg, db);
    pg_session_drop(pg);
    map_fini(&pg->prepared);
    pg_buffer_fini(&pg->buffer);
    free(pg->pending);
    free(pg->url);
    free(pg);
}

static enum status open_connection(const char *url, enum db_access access, struct db **out,
                                   struct error *error)
{
    struct pg *pg = calloc(1, sizeof *pg);
    char *own_url = strdup(url);
    if (pg == NULL || own_url == NULL) {
        free(pg);
        free(own_url);
        return error_set(error, STATUS_RESOURCE_EXHAUSTED, NULL, "database: out of memory");
    }
    pg->db = (struct db){.driver = &postgresql_driver, .dialect = DB_POSTGRESQL, .access = access};
    pg->url = own_url;
    map_init(&pg->prepared, sizeof(const char *));
    enum status status = pg_session_open(pg, error);
    if (status == STATUS_OK)
        *out = &pg->db;
    else
        close_connection(&pg->db);
    return status;
}

/* ---- transactions ---- */

/*
 * Returns the statement that begins a transaction. READ ONLY is not a session setting, because a pooler might
 * give the session to a client that writes.
 */
static const char *begin_of(const struct db *db)
{
    return db->access == DB_READ_ONLY ? "BEGIN READ ONLY" : "BEGIN";
}

static enum status begin(struct db *db, struct error *error)
{
    struct pg *pg = container_of(db, struct pg, db);
    TRY(pg_session_ensure(pg, error));
    if (!pg_queue_plain(pg, PG_STATEMENT, begin_of(db)) ||
        (pg->pooled && !pg_queue_plain(pg, PG_STATEMENT, pg->guard)))
        return pg_connection_lost(pg, "BEGIN", error);
    return STATUS_OK;
}

static void rollback(struct db *db)
{
    struct pg *pg = container_of(db, struct pg, db);
    struct pg_failure failure = {0};
    struct error ignored;
    if (pg->connection == NULL)
        return;
    /* After a failure the server skips everything up to the next sync, so ROLLBACK must follow a sync. */
    if (!pg_queue_sync(pg) || !pg_queue_plain(pg, PG_STATEMENT, "ROLLBACK") || !pg_queue_sync(pg)) {
        pg_session_drop(pg);
        return;
    }
    pg_queue_drain(pg, &no_sink, &failure, &ignored);
    if (pg->connection != NULL && PQtransactionStatus(pg->connection) != PQTRANS_IDLE)
        pg_session_drop(pg);
}

/*
 * Returns whether COMMIT may have taken effect although a result is missing. It cannot have taken effect if
 * the server reported the failure of an earlier statement, or if it refused COMMIT and the session continues
 * (a deferred constraint).
 */
static bool is_unknown(const struct pg_failure *failure)
{
    return failure->session_over &&
           (!failure->told || failure->kind == PG_COMMIT || failure->kind == PG_SYNC);
}

/* Returns the status of a successful COMMIT: OK, unless a fault point simulates that its result was lost. */
static enum status keep_answer(struct pg *pg, struct error *error)
{
    enum status status = DB_FAULT_STATUS(&pg->db, "db.commit_answer", error);
    if (status != STATUS_OK)
        pg_session_drop(pg);
    return status;
}

static enum status commit(struct db *db, struct error *error)
{
    struct pg *pg = container_of(db, struct pg, db);
    struct pg_failure failure = {0};
    if (!pg_queue_plain(pg, PG_COMMIT, "COMMIT"))
        return pg_connection_lost(pg, "COMMIT", error);
    if (!pg_queue_sync(pg)) {
        pg_session_drop(pg);
        return error_set(error, STATUS_UNKNOWN, NULL, "database: COMMIT: connection lost");
    }
    pg_queue_drain(pg, &no_sink, &failure, error);
    if (failure.status == STATUS_OK || failure.committed) {
        error_clear(error); /* the session may have ended after the answer */
        return keep_answer(pg, error);
    }
    if (is_unknown(&failure))
        return error_set(error, STATUS_UNKNOWN, NULL,
                         "database: COMMIT: the connection ended before its answer");
    /* If COMMIT was refused, the transaction has ended. If COMMIT was skipped, the transaction is open. */
    if (pg->connection != NULL && PQtransactionStatus(pg->connection) != PQTRANS_IDLE)
        rollback(db);
    return failure.status;
}

/* ---- running ---- */

/*
 * Sends a single statement outside a transaction. A read-only connection wraps it in a read-only transaction
 * and sends everything at once.
 */
static enum status send_alone(struct pg *pg, const struct db_statement *statement,
                              const struct db_params *params, bool wanted, struct error *error)
{
    bool wrap = pg->db.access == DB_READ_ONLY;
    TRY(wrap ? begin(&pg->db, error) : pg_session_ensure(pg, error));
    TRY(pg_send(pg, statement, params, wanted, error));
    if (wrap && !pg_queue_plain(pg, PG_STATEMENT, "END"))
        return pg_connection_lost(pg, "END", error);
    return STATUS_OK;
}

/* Ends the transaction of a failed read, whose END was skipped. */
static void end_read(struct db *db)
{
    struct pg *pg = container_of(db, struct pg, db);
    if (!db->in_transaction && db->access == DB_READ_ONLY && pg->connection != NULL &&
        PQtransactionStatus(pg->connection) != PQTRANS_IDLE)
        rollback(db);
}

static enum status run(struct db *db, const struct db_statement *statement, const struct db_params *params,
                       const struct db_sink *sink, struct error *error)
{
    struct pg *pg = container_of(db, struct pg, db);
    struct pg_failure failure = {0};
    bool wanted = sink->on_row != NULL || sink->changed != NULL;
    enum status status = db->in_transaction ? pg_send(pg, statement, params, wanted, error)
                                            : send_alone(pg, statement, params, wanted, error);
    if (db->in_transaction && !wanted)
        return status;
    if (pg->connection == NULL)
        return status;
    /*
     * Send a sync even inside a transaction, where a flush would suffice. The server ends a stalled client's
     * transaction only if the session is idle, and it treats the session as idle only after a sync.
     */
    if (!pg_queue_sync(pg))
        return pg_connection_lost(pg, statement->name, error);
    pg_queue_drain(pg, sink, &failure, status == STATUS_OK ? error : &(struct error){0});
    end_read(db);
    return status == STATUS_OK ? failure.status : status;
}

/* ---- scripts ---- */

/* Runs `sql` in libpq's simple query mode, which blocks and accepts several statements. */
static enum status execute(struct pg *pg, const char *sql, const char *name, struct error *error)
{
    PGresult *result = PQexec(pg->connection, sql);
    ExecStatusType code = PQresultStatus(result);
    enum status status = STATUS_OK;

    if (PQstatus(pg->connection) != CONNECTION_OK)
        status = pg_connection_lost(pg, name, error);
    else if (code != PGRES_COMMAND_OK && code != PGRES_TUPLES_OK && code != PGRES_EMPTY_QUERY)
        status = pg_result_failure(pg, result, name, error);
    PQclear(result);
    return status;
}

/* Leaves pipeline mode and reports any failure of the pending entries. */
static enum status leave_pipeline(struct pg *pg, struct error *error)
{
    struct pg_failure failure = {0};
    if (pg->pending_count > 0) {
        if (!pg_queue_sync(pg))
            return pg_connection_lost(pg, "script", error);
        pg_queue_drain(pg, &no_sink, &failure, error);
    }
    if (failure.status == STATUS_OK && !PQexitPipelineMode(pg->connection))
        return pg_connection_lost(pg, "script", error);
    return failure.status;
}

static enum status run_script(struct db *db, const char *script, struct error *error)
{
    struct pg *pg = container_of(db, struct pg, db);
    struct error ignored;
    char restore[sizeof "SET statement_timeout = ''" + sizeof pg->statement_timeout];
    TRY(db->in_transaction ? STATUS_OK : pg_session_ensure(pg, error));
    TRY(leave_pipeline(pg, error));
    /* A migration or the index build of a rebuild may take any length of time. */
    enum status status = execute(pg, "SET statement_timeout = 0", "script", error);
    if (status == STATUS_OK)
        status = execute(pg, script, "script", error);
    if (pg->connection == NULL)
        return status;
    /* In a failed transaction the server refuses the statement, but the rollback restores the timeout. */
    snprintf(restore, sizeof restore, "SET statement_timeout = '%s'", pg->statement_timeout);
    if (execute(pg, restore, "script", status == STATUS_OK ? error : &ignored) != STATUS_OK &&
        status == STATUS_OK)
        status = STATUS_INTERNAL;
    if (pg->connection != NULL && !PQenterPipelineMode(pg->connection))
        status = pg_connection_lost(pg, "script", error);
    return status;
}

static enum status use_schema(struct db *db, const char *schema, struct error *error)
{
    struct pg *pg = container_of(db, struct pg, db);
    char script[sizeof "SET search_path = " + PG_SCHEMA_SIZE];
    snprintf(pg->schema, sizeof pg->schema, "%s", schema);
    if (pg->connection == NULL)
        return STATUS_OK; /* the next connection gets the schema */
    snprintf(script, sizeof script, "SET search_path = %s", schema);
    return run_script(db, script, error);
}

const struct db_driver postgresql_driver = {
    .open = open_connection,
    .close = close_connection,
    .use_schema = use_schema,
    .begin = begin,
    .commit = commit,
    .rollback = rollback,
    .run = run,
    .run_script = run_script,
    .cell = pg_cell,
    .is_null = pg_is_null,
};
