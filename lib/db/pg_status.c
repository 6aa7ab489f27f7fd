#include "db/pg_status.h"

#include <stddef.h>
#include <string.h>

struct mapping {
    const char *prefix; /* beginning of the SQLSTATE; two characters mean a whole class */
    enum status status;
};

/* The first match wins. */
static const struct mapping mappings[] = {
    {"08P01", STATUS_INTERNAL},          /* protocol_violation: wrong number of parameters */
    {"08", STATUS_UNAVAILABLE},          /* connection */
    {"23505", STATUS_ALREADY_EXISTS},    /* unique_violation */
    {"25006", STATUS_UNAVAILABLE},       /* read_only_sql_transaction: this server is no longer the primary */
    {"25P03", STATUS_UNAVAILABLE},       /* idle_in_transaction_session_timeout: the session has ended */
    {"25P04", STATUS_DEADLINE_EXCEEDED}, /* transaction_timeout */
    {"26000", STATUS_UNAVAILABLE},       /* no such prepared statement: a pooler changed the session */
    {"40", STATUS_ABORTED},              /* serialization_failure, deadlock_detected */
    {"42P05", STATUS_UNAVAILABLE},       /* duplicate prepared statement: same cause */
    {"42710", STATUS_ALREADY_EXISTS},    /* duplicate_object, _schema, _table: created by two processes */
    {"42P06", STATUS_ALREADY_EXISTS},
    {"42P07", STATUS_ALREADY_EXISTS},
    {"53", STATUS_UNAVAILABLE},          /* disk full, out of memory, too many connections */
    {"55P03", STATUS_DEADLINE_EXCEEDED}, /* lock_not_available: lock_timeout */
    {"57014", STATUS_DEADLINE_EXCEEDED}, /* query_canceled: statement_timeout */
    {"57P", STATUS_UNAVAILABLE},         /* shutting down, crashed, starting up */
    {"58", STATUS_UNAVAILABLE},          /* I/O error */
    {"XX001", STATUS_UNAVAILABLE},       /* data_corrupted, index_corrupted: not the statement's fault */
    {"XX002", STATUS_UNAVAILABLE},
};

/*
 * The cause of an XX000 is unknown, unless one of these source files of the server raised it. In that case
 * the file system failed with an errno for which the server has no code (such as EFBIG, at a file size
 * limit), which is not the statement's fault.
 */
static const char *const storage_files[] = {"md.c",   "fd.c",   "smgr.c",    "bufmgr.c",
                                            "slru.c", "xlog.c", "buffile.c", "copydir.c"};

/*
 * The failures that waiting cannot fix: a refused login, a database that does not exist, and `options` that
 * the server rejects.
 */
static const char *const wrong_connection[] = {"28", "3D000", "22023", "42501", "42704", "42601"};

/*
 * The message with which a pooler refuses `options`. A pooler uses the same SQLSTATE for everything that it
 * refuses.
 */
static const char options_refused[] = "unsupported startup parameter";

/* The line that libpq adds if a refused password came from a file. It is no cause. */
static const char password_remark[] = "password retrieved from file ";

static bool starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static bool is_of_storage(const char *source_file)
{
    for (size_t i = 0; i < sizeof storage_files / sizeof storage_files[0]; i++)
        if (strcmp(source_file, storage_files[i]) == 0)
            return true;
    return false;
}

enum status pg_status(const char *sqlstate, const char *source_file)
{
    if (strcmp(sqlstate, "XX000") == 0 && source_file != NULL && is_of_storage(source_file))
        return STATUS_UNAVAILABLE;
    for (size_t i = 0; i < sizeof mappings / sizeof mappings[0]; i++)
        if (starts_with(sqlstate, mappings[i].prefix))
            return mappings[i].status;
    return STATUS_INTERNAL;
}

bool pg_status_is_damage(const char *sqlstate)
{
    return starts_with(sqlstate, "XX001") ||
           starts_with(sqlstate, "XX002"); /* data_corrupted, index_corrupted */
}

bool pg_status_quotes_values(const char *sqlstate)
{
    return starts_with(sqlstate, "22"); /* data exceptions; the message quotes the value */
}

bool pg_status_spoils_session(const char *sqlstate)
{
    return (starts_with(sqlstate, "08") && !starts_with(sqlstate, "08P01")) || starts_with(sqlstate, "57P") ||
           starts_with(sqlstate, "25006") || starts_with(sqlstate, "25P03") ||
           starts_with(sqlstate, "26000") || starts_with(sqlstate, "42P05");
}

/*
 * Returns whether a line "connection to server at ... failed: FATAL: 28P01" ends in a code in
 * `wrong_connection`, or reports that libpq itself rejected an option: "invalid sslmode value: ...".
 */
static bool is_wrong(const char *line, size_t length)
{
    enum { SQLSTATE_LENGTH = 5 };
    static const char mark[] = "failed: ";
    const char *cause = memmem(line, length, mark, strlen(mark));
    if (starts_with(cause == NULL ? line : cause + strlen(mark), "invalid ") ||
        memmem(line, length, options_refused, strlen(options_refused)) != NULL)
        return true;
    if (length < SQLSTATE_LENGTH + 1 || line[length - SQLSTATE_LENGTH - 1] != ' ')
        return false;
    const char *code = line + length - SQLSTATE_LENGTH;
    for (size_t i = 0; i < sizeof wrong_connection / sizeof wrong_connection[0]; i++)
        if (starts_with(code, wrong_connection[i]))
            return true;
    return false;
}

enum status pg_status_of_connection(const char *message)
{
    bool found = false;
    while (*message != '\0') {
        size_t length = strcspn(message, "\n");
        bool is_cause = length > 0 && !starts_with(message, password_remark);
        if (is_cause && !is_wrong(message, length))
            return STATUS_UNAVAILABLE;
        found = found || is_cause;
        message += length;
        message += strspn(message, "\n");
    }
    return found ? STATUS_INVALID_ARGUMENT : STATUS_UNAVAILABLE;
}
