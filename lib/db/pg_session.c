/* Opens the PostgreSQL connection, detects its loss and reopens it. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "db/pg.h"
#include "db/pg_status.h"
#include "db/url_safety.h"

enum { BACKOFF_FIRST_MS = 100, BACKOFF_MAX_MS = 2000, CONNECT_KEYS_MAX = 16 };

/* Connection keywords in addition to those of the URL. */
struct connect_keys {
    const char *keywords[CONNECT_KEYS_MAX + 1];
    const char *values[CONNECT_KEYS_MAX + 1];
    size_t count;
};

static void set_key(struct connect_keys *keys, const char *keyword, const char *value)
{
    keys->keywords[keys->count] = keyword;
    keys->values[keys->count++] = value;
}

static const char *url_value(const PQconninfoOption *given, const char *keyword)
{
    for (; given->keyword != NULL; given++)
        if (strcmp(given->keyword, keyword) == 0)
            return given->val;
    return NULL;
}

static void default_key(struct connect_keys *keys, const PQconninfoOption *given, const char *keyword,
                        const char *value)
{
    if (url_value(given, keyword) == NULL)
        set_key(keys, keyword, value);
}

/*
 * Passes the URL's `options` to the server; our settings follow later (see pg_setup.c). The empty default
 * overrides PGOPTIONS, which is not meant for us.
 */
static void fill_keys(const struct pg *pg, const PQconninfoOption *given, struct connect_keys *keys)
{
    set_key(keys, "dbname", pg->url);
    default_key(keys, given, "options", "");
    set_key(keys, "client_encoding", "UTF8");
    set_key(keys, "fallback_application_name", program_invocation_short_name);
    default_key(keys, given, "connect_timeout", "2");
    /* These detect within about ten seconds that the peer has vanished silently, while we send or wait. */
    default_key(keys, given, "tcp_user_timeout", "10000");
    default_key(keys, given, "keepalives_idle", "4");
    default_key(keys, given, "keepalives_interval", "2");
    default_key(keys, given, "keepalives_count", "3");
}

PGconn *pg_session_connect(const struct pg *pg)
{
    struct connect_keys keys = {.count = 0};
    PQconninfoOption *given = PQconninfoParse(pg->url, NULL);

    if (given == NULL)
        return NULL;
    fill_keys(pg, given, &keys);
    PGconn *connection = PQconnectdbParams(keys.keywords, keys.values, 1);
    PQconninfoFree(given);
    return connection;
}

/* Logs only codes, because a warning's text may quote values. */
static void log_notice(void *context, const PGresult *notice)
{
    struct pg *pg = context;
    const char *severity = PQresultErrorField(notice, PG_DIAG_SEVERITY_NONLOCALIZED);
    /* If a session ends while idle, libpq delivers the server's last message as a notice. */
    if (severity != NULL && (strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0))
        pg->said_goodbye = true;
    log_event(LOG_WARN, "database.notice", LOG_TEXT("severity", severity),
              LOG_TEXT("sqlstate", PQresultErrorField(notice, PG_DIAG_SQLSTATE)));
}

/* Reports a failure to connect. Joins the lines of libpq's message, one for each address tried. */
static enum status report_connect_failure(const PGconn *connection, struct error *error)
{
    char message[ERROR_MESSAGE_SIZE];
    snprintf(message, sizeof message, "%s",
             connection == NULL ? "out of memory" : PQerrorMessage(connection));
    for (size_t length = strlen(message); length > 0 && message[length - 1] == '\n'; length--)
        message[length - 1] = '\0';
    for (char *newline = message; (newline = strchr(newline, '\n')) != NULL;)
        *newline = ' ';
    return error_set(error, STATUS_UNAVAILABLE, NULL, "database: %s", message);
}

/* Prepares a fresh connection for use. Returns FAILED_PRECONDITION if it does not meet our requirements. */
static enum status set_up(struct pg *pg, PGconn *connection, struct error *error)
{
    PQconninfoOption *given = PQconninfoParse(pg->url, NULL);

    if (given == NULL)
        return error_set(error, STATUS_RESOURCE_EXHAUSTED, NULL, "database: out of memory");
    PQsetNoticeReceiver(connection, log_notice, pg);
    enum status status = pg_setup(pg, connection, url_value(given, "options"), error);
    PQconninfoFree(given);
    if (status == STATUS_OK && (PQsetnonblocking(connection, 1) != 0 || !PQenterPipelineMode(connection)))
        status = report_connect_failure(connection, error);
    return status;
}

static enum status adopt(struct pg *pg, PGconn *connection, struct error *error)
{
    enum status status = set_up(pg, connection, error);
    if (status == STATUS_OK) {
        pg->connection = connection;
        pg->db.session++;
        return STATUS_OK;
    }
    PQfinish(connection);
    return status;
}

/* Returns the status for a refusal by a server, and marks it if other hosts may answer differently. */
static enum status refused(const struct pg *pg, struct error *error)
{
    if (!db_url_has_several_hosts(pg->url))
        return STATUS_INVALID_ARGUMENT;
    snprintf(error->reason, sizeof error->reason, "%s", DB_HOST_REFUSES);
    return STATUS_UNAVAILABLE;
}

/* Returns why the connection failed, or OK if a further attempt succeeded. */
static enum status find_cause(const struct pg *pg, PGconn *connection, struct error *error)
{
    enum status status = pg_status_of_connection(PQerrorMessage(connection));
    if (PQconnectionNeedsPassword(connection))
        return refused(pg, error);
    if (connection == NULL || status == STATUS_INVALID_ARGUMENT)
        return status;
    /*
     * libpq reports the SQLSTATE of a failed connection only in its message, and only if the verbosity was
     * set before the attempt. So another attempt is necessary.
     */
    PQsetErrorVerbosity(connection, PQERRORS_SQLSTATE);
    PQreset(connection);
    if (PQstatus(connection) != CONNECTION_OK) {
        status = pg_status_of_connection(PQerrorMessage(connection));
        return status == STATUS_INVALID_ARGUMENT ? refused(pg, error) : status;
    }
    PQsetErrorVerbosity(connection, PQERRORS_DEFAULT);
    return STATUS_OK;
}

enum status pg_session_open(struct pg *pg, struct error *error)
{
    PGconn *connection = pg_session_connect(pg);
    if (PQstatus(connection) == CONNECTION_OK)
        return adopt(pg, connection, error);
    report_connect_failure(connection, error);
    enum status status = find_cause(pg, connection, error);
    if (status == STATUS_OK)
        return adopt(pg, connection, error);
    error->status = status;
    PQfinish(connection);
    return status;
}

/*
 * Sets the next delay. Delays double up to BACKOFF_MAX_MS. Jitter prevents replicas from reconnecting at the
 * same moment.
 */
static void back_off(struct pg *pg)
{
    pg->backoff_ms = pg->backoff_ms == 0 ? BACKOFF_FIRST_MS : pg->backoff_ms * 2;
    if (pg->backoff_ms > BACKOFF_MAX_MS)
        pg->backoff_ms = BACKOFF_MAX_MS;
    uint32_t half = pg->backoff_ms / 2;
    pg->next_attempt_ns = clock_monotonic_ns() + (int64_t)(half + arc4random_uniform(half + 1)) * NS_PER_MS;
}

/* Fills `error` for a failed connection. Replaces libpq's message, which may name hosts and paths, because
 * clients see this error. */
static enum status not_reachable(const struct pg *pg, struct error *error)
{
    if (pg->unsuitable)
        error_set(error, STATUS_UNAVAILABLE, DB_UNSUITABLE, "the database is not set up as it must be");
    else
        error_set(error, STATUS_UNAVAILABLE, NULL, "the database is not reachable");
    error->retry_after_ms = (uint32_t)clock_remaining_ms(pg->next_attempt_ns) + 1;
    return STATUS_UNAVAILABLE;
}

static void note_failure(struct pg *pg, const struct error *error)
{
    bool unsuitable = strcmp(error->reason, DB_UNSUITABLE) == 0;
    if (unsuitable != pg->unsuitable)
        (void)repeat_end(&pg->outage); /* a different failure, so log it immediately */
    pg->unsuitable = unsuitable;
    if (!repeat_is_due(&pg->outage, clock_monotonic_ns()))
        return;
    if (unsuitable)
        log_event(LOG_ERROR, "database.unsuitable", LOG_TEXT("message", error->message));
    else
        log_event(LOG_WARN, "database.not_reachable", LOG_TEXT("message", error->message));
}

static enum status reconnect(struct pg *pg, struct error *error)
{
    enum status status;
    if (clock_monotonic_ns() < pg->next_attempt_ns)
        return not_reachable(pg, error);
    PGconn *connection = pg_session_connect(pg);
    if (PQstatus(connection) == CONNECTION_OK) {
        status = adopt(pg, connection, error);
    } else {
        status = report_connect_failure(connection, error);
        PQfinish(connection);
    }
    if (status == STATUS_OK) {
        pg->backoff_ms = 0;
        pg->unsuitable = false;
        (void)repeat_end(&pg->outage);
        return STATUS_OK;
    }
    note_failure(pg, error);
    back_off(pg);
    return not_reachable(pg, error);
}

/* Returns whether the server has ended the session since it was last used. Usually takes one system call. */
static bool has_ended(const struct pg *pg)
{
    struct pollfd descriptor = {.fd = PQsocket(pg->connection), .events = POLLIN};
    while (poll(&descriptor, 1, 0) > 0) {
        /* PQisBusy parses the data that was read. */
        if (PQconsumeInput(pg->connection) == 0 || PQisBusy(pg->connection) || pg->said_goodbye)
            return true;
    }
    return PQstatus(pg->connection) != CONNECTION_OK;
}

enum status pg_session_ensure(struct pg *pg, struct error *error)
{
    if (pg->connection != NULL && !has_ended(pg))
        return STATUS_OK;
    pg_session_drop(pg);
    return reconnect(pg, error);
}

void pg_session_drop(struct pg *pg)
{
    PQfinish(pg->connection);
    pg->connection = NULL;
    pg->said_goodbye = false;
    pg->pending_count = 0;
    pg_forget_prepared(pg);
}
