/*
 * Opens SQLite connections and runs their transactions and scripts.
 *
 * A connection belongs to one thread at a time, so the library's own locks are off (NOMUTEX). With WAL,
 * readers run alongside the writer. synchronous=FULL makes every commit durable.
 */
#include "db/sqlite.h"

#include <errno.h>
#include <libgen.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/container.h"
#include "db/damage.h"
#include "db/sqlite_gather.h"

enum { BUSY_TIMEOUT_MS = 5000, RETRY_SLEEP_MS = 10 };

static const struct db_statement begin_writing = {.name = "begin", .sql = "BEGIN IMMEDIATE"};
static const struct db_statement begin_reading = {.name = "begin", .sql = "BEGIN"};
static const struct db_statement commit_statement = {.name = "commit", .sql = "COMMIT"};
static const struct db_statement rollback_statement = {.name = "rollback", .sql = "ROLLBACK"};

static const struct db_sink no_sink;

enum status sqlite_status(int code)
{
    if (code == SQLITE_CONSTRAINT_UNIQUE || code == SQLITE_CONSTRAINT_PRIMARYKEY ||
        code == SQLITE_CONSTRAINT_ROWID)
        return STATUS_ALREADY_EXISTS;
    switch (code & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return STATUS_OK;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_NOMEM:
    case SQLITE_CANTOPEN:
    case SQLITE_PROTOCOL:
    /*
     * Damage is not the statement's fault. With INTERNAL, valid commands would be refused and valid events
     * would become dead letters.
     */
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return STATUS_UNAVAILABLE;
    default:
        return STATUS_INTERNAL;
    }
}

bool sqlite_is_damage(int code)
{
    return (code & 0xff) == SQLITE_CORRUPT || (code & 0xff) == SQLITE_NOTADB ||
           code == SQLITE_IOERR_CORRUPTFS;
}

enum status sqlite_fail(const struct sqlite *sqlite, int code, const char *doing, struct error *error)
{
    char number[16];
    if (!sqlite_is_damage(code))
        return error_set(error, sqlite_status(code), NULL, "database: %s: %s (%d)", doing,
                         sqlite3_errmsg(sqlite->handle), code);
    snprintf(number, sizeof number, "%d", code);
    return db_damage_report(error, sqlite3_db_filename(sqlite->handle, "main"), doing,
                            sqlite3_errmsg(sqlite->handle), number);
}

/* ---- opening ---- */

static pthread_once_t library_configured = PTHREAD_ONCE_INIT;

/*
 * Turns off the statistics of SQLite's memory, which nothing reads. For them SQLite locks a mutex at each
 * allocation. The call fails, and the statistics remain, only if the process has used SQLite before.
 */
static void configure_library(void)
{
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

/*
 * Runs a pragma, which must return `expected` unless that is NULL. Retries while another connection has the
 * file locked, because SQLite itself does not retry here.
 */
static int pragma(sqlite3 *handle, const char *text, const char *expected)
{
    int64_t deadline_ns = clock_monotonic_ns() + (int64_t)BUSY_TIMEOUT_MS * NS_PER_MS;
    int code;
    do {
        sqlite3_stmt *statement = NULL;
        code = sqlite3_prepare_v2(handle, text, -1, &statement, NULL);
        if (code == SQLITE_OK)
            code = sqlite3_step(statement);
        if (code == SQLITE_ROW && expected != NULL &&
            strcmp((const char *)sqlite3_column_text(statement, 0), expected) != 0)
            code = SQLITE_CANTOPEN;
        sqlite3_finalize(statement);
        if ((code & 0xff) != SQLITE_BUSY)
            break;
        sqlite3_sleep(RETRY_SLEEP_MS);
    } while (clock_monotonic_ns() < deadline_ns);
    return code == SQLITE_ROW || code == SQLITE_DONE ? SQLITE_OK : code;
}

/*
 * Enlarges the cache of the writer. The bookings of customers are scattered over their index, so nearly every
 * booking changes a different page, and a page outside the cache must first be read again.
 */
static int configure_writer(sqlite3 *handle)
{
    return pragma(handle, "PRAGMA cache_size=-16384", NULL); /* in KiB */
}

static int configure(sqlite3 *handle, enum db_access access)
{
    int code = sqlite3_busy_timeout(handle, BUSY_TIMEOUT_MS);
    /* This is the first statement that reads the file, so it fails if the file is not a database. */
    if (code == SQLITE_OK && access == DB_READ_WRITE)
        code = pragma(handle, "PRAGMA journal_mode=WAL", "wal");
    if (code == SQLITE_OK)
        code = pragma(handle, "PRAGMA schema_version", NULL);
    if (code == SQLITE_OK)
        code = pragma(handle, "PRAGMA synchronous=FULL", NULL);
    if (code == SQLITE_OK)
        code = pragma(handle, "PRAGMA foreign_keys=ON", NULL);
    if (code == SQLITE_OK && access == DB_READ_WRITE)
        code = configure_writer(handle);
    if (code == SQLITE_OK && access == DB_READ_ONLY)
        code = pragma(handle, "PRAGMA query_only=ON", NULL);
    return code;
}

/*
 * Returns 0 if a file can be created in the folder of `path`, otherwise the errno. If SQLite cannot create a
 * file, it tries to open it read-only, and then reports only that the file does not exist.
 */
static int find_folder_fault(const char *path)
{
    char *copy = strdup(path);
    int reason = copy == NULL || access(dirname(copy), W_OK | X_OK) == 0 ? 0 : errno;
    free(copy);
    return reason;
}

static enum status report_open_failure(sqlite3 *handle, int code, const char *path, struct error *error)
{
    char buffer[96];
    int system = handle == NULL ? 0 : sqlite3_system_errno(handle);
    int folder = system == ENOENT ? find_folder_fault(path) : 0;
    const char *why = sqlite3_errstr(code);
    enum status status = STATUS_INVALID_ARGUMENT;
    if (sqlite_is_damage(code)) {
        (void)db_damage_report(error, path, "open", why, "SQLite");
        return error->status = status;
    }
    if ((code & 0xff) == SQLITE_CANTOPEN && system != 0)
        why = strerror_r(folder != 0 ? folder : system, buffer, sizeof buffer);
    /* Return UNAVAILABLE only if a retry can help. It cannot help if a path cannot be opened. */
    if ((code & 0xff) == SQLITE_BUSY || (code & 0xff) == SQLITE_FULL || (code & 0xff) == SQLITE_NOMEM)
        status = STATUS_UNAVAILABLE;
    return error_set(error, status, NULL, "database: cannot open %s: %s", path, why);
}

/*
 * Opens the file. `file` is not NULL for a connection that writes, which must take the lock before it reads
 * or writes the file.
 */
static enum status open_handle(const char *path, sqlite3 **out, struct sqlite_file **file,
                               struct error *error)
{
    /*
     * Readers also open the file for writing, since a reader of a WAL database writes to its shared memory
     * file.
     */
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    sqlite3 *handle = NULL;
    enum status status = STATUS_OK;
    if (file != NULL)
        flags |= SQLITE_OPEN_CREATE;
    (void)pthread_once(&library_configured, configure_library); /* fails only for an invalid argument */
    int code = sqlite3_open_v2(path, &handle, flags, file != NULL ? sqlite_gather_vfs() : NULL);
    /* SQLite silently opens a write-protected file as read-only. */
    if (code == SQLITE_OK && sqlite3_db_readonly(handle, "main") == 1)
        code = SQLITE_READONLY;
    if (code == SQLITE_OK && file != NULL)
        status = sqlite_file_claim(handle, file, error);
    if (code == SQLITE_OK && status == STATUS_OK)
        code = configure(handle, file != NULL ? DB_READ_WRITE : DB_READ_ONLY);
    if (code != SQLITE_OK)
        status = report_open_failure(handle, code, path, error);
    if (status == STATUS_OK)
        *out = handle;
    else
        sqlite3_close(handle);
    return status;
}

/* Starts the checkpoints of the writing connection. */
static enum status look_after_log(struct sqlite *sqlite, const char *path, struct error *error)
{
    sqlite3 *copier;
    TRY(open_handle(path, &copier, NULL, error));
    enum status status = sqlite_checkpoint_start(sqlite->handle, copier, &sqlite->checkpoint, error);
    if (status != STATUS_OK)
        sqlite3_close(copier);
    return status;
}

static enum status open_database(const char *url, enum db_access access, struct db **out, struct error *error)
{
    struct sqlite *sqlite = calloc(1, sizeof *sqlite);
    if (sqlite == NULL)
        return error_set(error, STATUS_RESOURCE_EXHAUSTED, NULL, "database: out of memory");
    enum status status = open_handle(db_url_sqlite_path(url), &sqlite->handle,
                                     access == DB_READ_WRITE ? &sqlite->file : NULL, error);
    if (status == STATUS_OK && access == DB_READ_WRITE)
        status = look_after_log(sqlite, db_url_sqlite_path(url), error);
    if (status != STATUS_OK) {
        sqlite3_close(sqlite->handle);
        sqlite_file_release(sqlite->file);
        free(sqlite);
        return status;
    }
    if (sqlite->file != NULL)
        sqlite_file_note(sqlite->file);
    sqlite->db = (struct db){.driver = &sqlite_driver, .dialect = DB_SQLITE, .session = 1};
    map_init(&sqlite->statements, sizeof(const struct db_statement *));
    *out = &sqlite->db;
    return STATUS_OK;
}

static void close_database(struct db *db)
{
    struct sqlite *sqlite = container_of(db, struct sqlite, db);
    sqlite_forget_statements(sqlite);
    map_fini(&sqlite->statements);
    sqlite_checkpoint_stop(sqlite->checkpoint);
    sqlite3_close(sqlite->handle);
    sqlite_file_release(sqlite->file);
    free(sqlite);
}

static bool in_place(struct db *db)
{
    struct sqlite *sqlite = container_of(db, struct sqlite, db);
    return sqlite->file == NULL || sqlite_file_in_place(sqlite->file);
}

static enum status use_schema(struct db *db, const char *schema, struct error *error)
{
    (void)db;
    return error_set(error, STATUS_INTERNAL, NULL, "database: SQLite has no schema %s", schema);
}

/* ---- transactions ---- */

/*
 * Returns the version of the content. It changes with each commit of this connection, and with each commit of
 * another connection that SQLite notices.
 */
static unsigned read_version(const struct sqlite *sqlite)
{
    unsigned version = 0;
    (void)sqlite3_file_control(sqlite->handle, NULL, SQLITE_FCNTL_DATA_VERSION, &version);
    return version;
}

static void note_version(struct sqlite *sqlite)
{
    sqlite->version = read_version(sqlite);
    sqlite->version_known = true;
}

/*
 * Starts a new session if another connection has changed the file, as a restore does. The content may then
 * lack what this session wrote.
 */
static void look_for_changes(struct sqlite *sqlite)
{
    unsigned version = read_version(sqlite);
    if (sqlite->version_known && version == sqlite->version)
        return;
    if (sqlite->version_known)
        sqlite->db.session++;
    db_restamp(&sqlite->db);
    sqlite->version = version;
    sqlite->version_known = true;
}

static enum status begin(struct db *db, struct error *error)
{
    const struct db_statement *statement = db->access == DB_READ_ONLY ? &begin_reading : &begin_writing;
    struct sqlite *sqlite = container_of(db, struct sqlite, db);
    if (sqlite->file != NULL && !sqlite_file_still_in_place(sqlite->file))
        return error_set(error, STATUS_UNAVAILABLE, DB_GONE,
                         "the database file was removed or replaced while the service runs");
    TRY(sqlite_run(db, statement, NULL, &no_sink, error));
    if (db->access == DB_READ_WRITE)
        look_for_changes(sqlite);
    return STATUS_OK;
}

static void rollback(struct db *db)
{
    struct sqlite *sqlite = container_of(db, struct sqlite, db);
    struct error ignored;
    db_restamp(db); /* rows cached since db_begin may be from this transaction */
    /* A full disk or an I/O error may have ended the transaction already. */
    if (sqlite3_get_autocommit(sqlite->handle))
        return;
    enum status status = sqlite_run(db, &rollback_statement, NULL, &no_sink, &ignored);
    (void)status; /* SQLite's ROLLBACK ends the transaction even when it reports an I/O error */
    note_version(sqlite);
}

static enum status commit(struct db *db, struct error *error)
{
    enum status status = sqlite_run(db, &commit_statement, NULL, &no_sink, error);
    if (status == STATUS_OK) {
        note_version(container_of(db, struct sqlite, db));
        return DB_FAULT_STATUS(db, "db.commit_answer", error);
    }
    rollback(db);
    return status;
}

static enum status run_script(struct db *db, const char *script, struct error *error)
{
    struct sqlite *sqlite = container_of(db, struct sqlite, db);
    int code = sqlite3_exec(sqlite->handle, script, NULL, NULL, NULL);
    return code == SQLITE_OK ? STATUS_OK : sqlite_fail(sqlite, code, "script", error);
}

const struct db_driver sqlite_driver = {
    .open = open_database,
    .close = close_database,
    .in_place = in_place,
    .use_schema = use_schema,
    .begin = begin,
    .commit = commit,
    .rollback = rollback,
    .run = sqlite_run,
    .run_script = run_script,
    .cell = sqlite_cell,
    .is_null = sqlite_is_null,
};
