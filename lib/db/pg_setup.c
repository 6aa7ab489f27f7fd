/*
 * Applies the settings of a fresh PostgreSQL session and verifies them.
 *
 * These settings are not part of the startup packet, because a pooler may drop or refuse the packet, or may
 * have opened the session earlier with a packet of its own. Statements set them, and a query then reads them
 * back.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "db/damage.h"
#include "db/pg.h"
#include "db/pg_options.h"
#include "db/pg_status.h"

struct setting {
    const char *name;
    const char *value; /* as SHOW prints it */
    bool for_writers;
};

/*
 * `options` in the URL override these.
 *
 * enable_seqscan is off because a plan made while a table is empty is a sequential scan, and a prepared
 * statement keeps that plan while the table grows. Each of our statements on a big table can use an index,
 * and a statement without an index still runs. jit is off because, without enable_seqscan, the server
 * considers an unavoidable sequential scan so expensive that it compiles the query.
 *
 * Our statements find rows by key, so one generic plan suits all values. By default the server plans each of
 * the first five executions of a statement in each session, which takes 5 ms for a table with many
 * partitions. Measured for a writer with 64 rows per transaction (load, save, event): 18,000 rows/s with the
 * server's defaults on tables that were empty at first, 22,000 to 47,000 with
 * plan_cache_mode=force_custom_plan, 45,000 to 51,000 without sequential scans, and 47,000 to 59,000 with
 * generic plans as well.
 *
 * A writer that stalls between two statements holds locks for which every replica waits, so with the last
 * setting the server ends its session.
 */
static const struct setting settings[] = {
    {"statement_timeout", "5s", false},
    {"lock_timeout", "2s", false},
    {"default_transaction_isolation", "read committed", false},
    {"client_min_messages", "warning", false},
    {"enable_seqscan", "off", false},
    {"jit", "off", false},
    {"plan_cache_mode", "force_generic_plan", false},
    {"idle_in_transaction_session_timeout", "500ms", true},
};

/*
 * The maximum duration of each wait. A pooler may have no session left, and a server may hang. The limit
 * equals the default statement_timeout.
 */
enum { SETTINGS = sizeof settings / sizeof settings[0], ANSWER_MS = 5000 };

static const char least_commit[] = "on";

/* A session during its setup. */
struct setup {
    struct pg *pg;
    PGconn *connection;
    const char *options; /* the options of the URL; NULL = none */
    struct error *error;
    char commit[16]; /* the lowest synchronous_commit allowed */
};

/* ---- queries ---- */

/*
 * Waits for the next result or for the end of the results. Returns false if the deadline has passed or poll
 * fails.
 */
static bool await(PGconn *connection, int64_t deadline_ns)
{
    while (PQisBusy(connection)) {
        struct pollfd descriptor = {.fd = PQsocket(connection), .events = POLLIN};
        int ready = poll(&descriptor, 1, clock_remaining_ms(deadline_ns));
        if (ready == 0 || (ready < 0 && errno != EINTR))
            return false;
        if (ready > 0 && PQconsumeInput(connection) == 0)
            return true; /* PQgetResult will report the reason */
    }
    return true;
}

PGresult *pg_ask(PGconn *connection, const char *sql, int timeout_ms)
{
    int64_t deadline_ns = clock_monotonic_ns() + timeout_ms * (int64_t)NS_PER_MS;
    PGresult *result = NULL, *next;
    if (PQsendQuery(connection, sql) == 0)
        return NULL;
    while (await(connection, deadline_ns)) {
        next = PQgetResult(connection);
        if (next == NULL)
            return result;
        PQclear(result);
        result = next;
    }
    PQclear(result);
    return NULL;
}

static enum status unsuitable(const struct setup *setup, const char *what, const char *is, const char *must)
{
    return error_set(setup->error, STATUS_FAILED_PRECONDITION, DB_UNSUITABLE,
                     "database: %s is %s: it must be %s", what, is, must);
}

/* Returns the result of `sql`, which the caller clears. On failure, returns NULL and sets the error. */
static PGresult *ask(const struct setup *setup, const char *sql, const char *doing, enum status *status)
{
    PGresult *result = pg_ask(setup->connection, sql, ANSWER_MS);
    ExecStatusType code = PQresultStatus(result);

    if (code == PGRES_TUPLES_OK || code == PGRES_COMMAND_OK) {
        *status = STATUS_OK;
        return result;
    }
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    if (sqlstate == NULL) {
        *status = error_set(setup->error, STATUS_UNAVAILABLE, NULL, "database: %s: no answer", doing);
    } else if (pg_status_is_damage(sqlstate)) {
        *status = db_damage_report(setup->error, NULL, doing,
                                   PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY), sqlstate);
    } else {
        const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
        *status = pg_status(sqlstate, PQresultErrorField(result, PG_DIAG_SOURCE_FILE));
        /* The server rejects a value, or we lack a privilege, so waiting does not help. */
        if (!status_is_transient(*status))
            *status = STATUS_FAILED_PRECONDITION;
        error_set(setup->error, *status, status_is_transient(*status) ? NULL : DB_UNSUITABLE,
                  "database: %s: %s (%s)", doing, message == NULL ? "refused" : message, sqlstate);
    }
    PQclear(result);
    return NULL;
}

/* ---- inspecting the server ---- */

static enum status check_encoding(const struct setup *setup, const char *encoding)
{
    if (strcmp(encoding, "UTF8") == 0 || strcmp(encoding, "SQL_ASCII") == 0)
        return STATUS_OK;
    return unsuitable(setup, "server_encoding", encoding, "UTF8 (CREATE DATABASE ... ENCODING 'UTF8')");
}

/*
 * Chooses synchronous_commit. A server that by default replies before the commit is on its disk could lose
 * data that we have confirmed, so this function raises the setting to `on`. A higher setting, with which the
 * server waits for its standbys, is kept.
 */
static void choose_commit(struct setup *setup, const char *preset)
{
    bool strong = pg_commit_rank(preset) >= pg_commit_rank(least_commit);
    snprintf(setup->commit, sizeof setup->commit, "%s", strong ? preset : least_commit);
}

/*
 * Inspects the server and sets *pooled. A read-only connection commits no changes, so it does not query
 * pg_settings, which is a large view.
 */
static enum status look(struct setup *setup, bool *pooled)
{
    const char *sql = setup->pg->db.access == DB_READ_WRITE
                          ? "SELECT pg_backend_pid(), current_setting('server_encoding'),"
                            " (SELECT reset_val FROM pg_settings WHERE name = 'synchronous_commit')"
                          : "SELECT pg_backend_pid(), current_setting('server_encoding'), ''";
    enum status status;
    PGresult *result = ask(setup, sql, "looking at the server", &status);
    if (result == NULL)
        return status;
    setup->pg->backend = (int)strtol(PQgetvalue(result, 0, 0), NULL, 10);
    /* A pooler invents the backend PID that it reports to its clients. */
    *pooled = setup->pg->backend != PQbackendPID(setup->connection);
    choose_commit(setup, PQgetvalue(result, 0, 2));
    status = check_encoding(setup, PQgetvalue(result, 0, 1));
    PQclear(result);
    return status;
}

/* ---- setting ---- */

static bool is_ours(const struct setup *setup, const struct setting *setting)
{
    if (setting->for_writers && setup->pg->db.access != DB_READ_WRITE)
        return false;
    return !pg_options_name(setup->options, setting->name);
}

static void write_setting(FILE *out, const struct setup *setup, const char *name, const char *value)
{
    char *quoted_name = PQescapeLiteral(setup->connection, name, strlen(name));
    char *quoted_value = PQescapeLiteral(setup->connection, value, strlen(value));
    /* A failure (out of memory) shows when the settings are read back. */
    if (quoted_name != NULL && quoted_value != NULL)
        fprintf(out, ", set_config(%s, %s, false)", quoted_name, quoted_value);
    PQfreemem(quoted_name);
    PQfreemem(quoted_value);
}

/* Applies all settings in one statement. */
static enum status set_all(struct setup *setup, const struct setting *wanted, size_t count)
{
    char *sql = NULL;
    size_t size;
    FILE *out = open_memstream(&sql, &size);
    enum status status;
    if (out == NULL)
        return error_set(setup->error, STATUS_RESOURCE_EXHAUSTED, NULL, "database: out of memory");
    fputs("SELECT 1", out);
    for (size_t i = 0; i < count; i++)
        write_setting(out, setup, wanted[i].name, wanted[i].value);
    if (fclose(out) != 0) {
        free(sql);
        return error_set(setup->error, STATUS_RESOURCE_EXHAUSTED, NULL, "database: out of memory");
    }
    PQclear(ask(setup, sql, "settings", &status));
    free(sql);
    return status;
}

static enum status set_ours(struct setup *setup)
{
    struct setting wanted[SETTINGS + 2];
    size_t count = 0;
    for (int i = 0; i < SETTINGS; i++)
        if (is_ours(setup, &settings[i]))
            wanted[count++] = settings[i];
    if (setup->pg->db.access == DB_READ_WRITE && !pg_options_name(setup->options, "synchronous_commit"))
        wanted[count++] = (struct setting){.name = "synchronous_commit", .value = setup->commit};
    if (setup->pg->schema[0] != '\0')
        wanted[count++] = (struct setting){.name = "search_path", .value = setup->pg->schema};
    return set_all(setup, wanted, count);
}

/*
 * Applies the URL's settings on a server that did not receive them because of a pooler. Skips those that can
 * only be set at session start.
 */
static enum status set_theirs(struct setup *setup)
{
    static const char too_late[] = "(55P02)";
    const char *rest = setup->options;
    struct pg_option option;
    enum status status = STATUS_OK;
    while (status == STATUS_OK && rest != NULL && pg_options_next(&rest, &option)) {
        status = set_all(setup, &(struct setting){.name = option.name, .value = option.value}, 1);
        if (status != STATUS_OK && strstr(setup->error->message, too_late) != NULL)
            status = STATUS_OK;
    }
    return status;
}

/* ---- reading back ---- */

/*
 * The columns of the query that reads the settings back. One column for each of `settings` follows, in order.
 */
enum { OWN_BACKEND, OWN_SCHEMA, CLIENT_ENCODING, COMMIT, FIRST_SETTING };

static char *write_question(void)
{
    char *sql = NULL;
    size_t size;
    FILE *out = open_memstream(&sql, &size);
    if (out == NULL)
        return NULL;
    fputs("SELECT pg_backend_pid(), current_schema(), current_setting('client_encoding'),"
          " current_setting('synchronous_commit')",
          out);
    for (int i = 0; i < SETTINGS; i++)
        fprintf(out, ", current_setting('%s')", settings[i].name);
    if (fclose(out) == 0)
        return sql;
    free(sql);
    return NULL;
}

static enum status verify_session(const struct setup *setup, const PGresult *row)
{
    const char *schema = setup->pg->schema;
    if (strtol(PQgetvalue(row, 0, OWN_BACKEND), NULL, 10) != setup->pg->backend)
        return pg_pooler_refuse(setup->error);
    if (schema[0] != '\0' && strcmp(PQgetvalue(row, 0, OWN_SCHEMA), schema) != 0)
        return error_set(setup->error, STATUS_FAILED_PRECONDITION, DB_UNSUITABLE,
                         "database: there is no schema %s", schema);
    if (strcmp(PQgetvalue(row, 0, CLIENT_ENCODING), "UTF8") != 0)
        return unsuitable(setup, "client_encoding", PQgetvalue(row, 0, CLIENT_ENCODING), "UTF8");
    return STATUS_OK;
}

static enum status verify_settings(const struct setup *setup, const PGresult *row)
{
    const char *commit = PQgetvalue(row, 0, COMMIT);
    if (setup->pg->db.access == DB_READ_WRITE && pg_commit_rank(commit) < pg_commit_rank(setup->commit))
        return unsuitable(setup, "synchronous_commit", commit, setup->commit);
    for (int i = 0; i < SETTINGS; i++) {
        const char *value = PQgetvalue(row, 0, FIRST_SETTING + i);
        if (is_ours(setup, &settings[i]) && strcmp(settings[i].value, value) != 0)
            return unsuitable(setup, settings[i].name, value, settings[i].value);
    }
    return STATUS_OK;
}

static enum status read_back(const struct setup *setup)
{
    char *sql = write_question();
    enum status status;
    if (sql == NULL)
        return error_set(setup->error, STATUS_RESOURCE_EXHAUSTED, NULL, "database: out of memory");
    PGresult *row = ask(setup, sql, "reading the settings back", &status);
    free(sql);
    if (status == STATUS_OK)
        status = verify_session(setup, row);
    if (status == STATUS_OK)
        status = verify_settings(setup, row);
    if (status == STATUS_OK) /* statement_timeout is the first of `settings` */
        snprintf(setup->pg->statement_timeout, sizeof setup->pg->statement_timeout, "%s",
                 PQgetvalue(row, 0, FIRST_SETTING));
    PQclear(row);
    return status;
}

/* ---- setup ---- */

enum status pg_setup(struct pg *pg, PGconn *connection, const char *options, struct error *error)
{
    struct setup setup = {.pg = pg, .connection = connection, .options = options, .error = error};
    TRY(look(&setup, &pg->pooled));
    if (pg->pooled)
        TRY(pg_pooler_check(pg, connection, error));
    TRY(set_ours(&setup));
    if (pg->pooled)
        TRY(set_theirs(&setup));
    TRY(read_back(&setup));
    snprintf(pg->guard, sizeof pg->guard,
             "DO $$ BEGIN IF pg_backend_pid() <> %d THEN RAISE 'not the session that was set up'"
             " USING ERRCODE = 'connection_exception'; END IF; END $$",
             pg->backend);
    return STATUS_OK;
}
