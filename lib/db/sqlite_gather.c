/*
 * What is gathered belongs to a transaction that no other connection can see. Three rules keep it so:
 *
 *   - Before SQLite publishes a commit in the shared memory file, it syncs the log (xSync), which writes what
 *     was gathered and fails if that fails. It also calls xShmBarrier between the two copies of the index
 *     header, which count only when they are equal. In our mode nothing is gathered at this point.
 *   - A transaction ends when SQLite releases the write lock (xShmLock). What is still gathered then was
 *     rolled back. It is dropped: later, it could overwrite the pages of another connection.
 *   - A failed write keeps what was gathered, because SQLite believes that it is in the file and may continue
 *     the transaction. The next sync, read or write that needs it in the file tries again, or fails too.
 *
 * SQLite reads the log by one file handle per connection, so only reads by the transaction itself concern
 * what it gathered.
 *
 * The files of this VFS are those of the VFS below it, with some methods replaced. What this VFS needs for a
 * file lies behind it in memory. A file belongs to one connection, and so to one thread at a time.
 */
#include "db/sqlite_gather.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdalign.h>
#include <string.h>

#include "base/check.h"

/* From SQLite's documentation of the log: the number of the lock that a connection holds while it writes. */
enum { WRITE_LOCK = 0 };

struct gathered {
    sqlite3_int64 start; /* where in the log the bytes belong */
    int size;
    /*
     * SQLite's own VFS expects no larger write than a page, and takes the size modulo 128 KiB. So there may
     * never be more than that.
     */
    char bytes[SQLITE_GATHER_BYTES];
};

/* What lies behind a database or a log. */
struct extra {
    sqlite3_io_methods methods;
    const sqlite3_io_methods *below;
    struct gathered *gathered; /* only of a log, which owns it */
    sqlite3_file *database;    /* only of a log */
    sqlite3_file *log;         /* only of a database; NULL while no log is open */
};

static sqlite3_vfs *below; /* NULL until it is registered */
static sqlite3_vfs gather;
static size_t extra_offset;

static struct extra *extra_of(sqlite3_file *file)
{
    return (void *)((char *)file + extra_offset);
}

/* ---- the log ---- */

static int write_gathered(sqlite3_file *log)
{
    struct gathered *gathered = extra_of(log)->gathered;
    if (gathered->size == 0)
        return SQLITE_OK;
    int code = extra_of(log)->below->xWrite(log, gathered->bytes, gathered->size, gathered->start);
    if (code == SQLITE_OK)
        gathered->size = 0;
    return code;
}

static int write_log(sqlite3_file *log, const void *bytes, int size, sqlite3_int64 offset)
{
    struct gathered *gathered = extra_of(log)->gathered;
    if (offset != gathered->start + gathered->size || size > SQLITE_GATHER_BYTES - gathered->size) {
        int code = write_gathered(log);
        if (code != SQLITE_OK)
            return code;
        gathered->start = offset;
    }
    CHECK(size <= SQLITE_GATHER_BYTES); /* at most a page, which has 64 KiB or less */
    memcpy(gathered->bytes + gathered->size, bytes, (size_t)size);
    gathered->size += size;
    return SQLITE_OK;
}

/*
 * Leaves what was gathered alone if nothing of it is read: a rollback reads earlier pages of the log, and
 * must not fail because of a commit that could not be written.
 */
static int read_log(sqlite3_file *log, void *bytes, int size, sqlite3_int64 offset)
{
    const struct gathered *gathered = extra_of(log)->gathered;
    int code = SQLITE_OK;
    if (offset < gathered->start + gathered->size && gathered->start < offset + size)
        code = write_gathered(log);
    return code == SQLITE_OK ? extra_of(log)->below->xRead(log, bytes, size, offset) : code;
}

static int sync_log(sqlite3_file *log, int flags)
{
    int code = write_gathered(log);
    return code == SQLITE_OK ? extra_of(log)->below->xSync(log, flags) : code;
}

static int truncate_log(sqlite3_file *log, sqlite3_int64 size)
{
    int code = write_gathered(log);
    return code == SQLITE_OK ? extra_of(log)->below->xTruncate(log, size) : code;
}

static int measure_log(sqlite3_file *log, sqlite3_int64 *size)
{
    int code = write_gathered(log);
    return code == SQLITE_OK ? extra_of(log)->below->xFileSize(log, size) : code;
}

/* SQLite closes a log outside any transaction and before its database. */
static int close_log(sqlite3_file *log)
{
    struct extra *extra = extra_of(log);
    extra_of(extra->database)->log = NULL;
    sqlite3_free(extra->gathered);
    return extra->below->xClose(log);
}

static int open_log(const char *name, sqlite3_file *log)
{
    struct extra *extra = extra_of(log);
    struct gathered *gathered = sqlite3_malloc(sizeof *gathered);
    if (gathered == NULL) {
        (void)log->pMethods->xClose(log);
        log->pMethods = NULL;
        return SQLITE_NOMEM;
    }
    gathered->start = gathered->size = 0;
    extra->gathered = gathered;
    extra->database = sqlite3_database_file_object(name);
    extra_of(extra->database)->log = log;
    extra->methods.xClose = close_log;
    extra->methods.xRead = read_log;
    extra->methods.xWrite = write_log;
    extra->methods.xTruncate = truncate_log;
    extra->methods.xSync = sync_log;
    extra->methods.xFileSize = measure_log;
    return SQLITE_OK;
}

/* ---- the database ---- */

/* Writes only if the commit did not sync. A barrier cannot fail, so the process ends if the write fails. */
static void publish(sqlite3_file *database)
{
    struct extra *extra = extra_of(database);
    if (extra->log != NULL)
        CHECK(write_gathered(extra->log) == SQLITE_OK);
    extra->below->xShmBarrier(database);
}

static int lock_memory(sqlite3_file *database, int first, int count, int flags)
{
    struct extra *extra = extra_of(database);
    if (extra->log != NULL && first == WRITE_LOCK && flags == (SQLITE_SHM_UNLOCK | SQLITE_SHM_EXCLUSIVE))
        extra_of(extra->log)->gathered->size = 0;
    return extra->below->xShmLock(database, first, count, flags);
}

static void open_database(sqlite3_file *database)
{
    struct extra *extra = extra_of(database);
    extra->log = NULL;
    extra->methods.xShmBarrier = publish;
    extra->methods.xShmLock = lock_memory;
}

/* ---- the VFS ---- */

static int open_file(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *flags_out)
{
    struct extra *extra = extra_of(file);
    int code = below->xOpen(below, name, file, flags, flags_out);
    (void)vfs;
    if (code != SQLITE_OK || (flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL)) == 0)
        return code;
    extra->below = file->pMethods;
    extra->methods = *file->pMethods;
    if (flags & SQLITE_OPEN_WAL)
        code = open_log(name, file);
    else
        open_database(file);
    if (code == SQLITE_OK)
        file->pMethods = &extra->methods;
    return code;
}

static void register_vfs(void)
{
    sqlite3_vfs *found = sqlite3_vfs_find(NULL);
    if (found == NULL)
        return;
    extra_offset =
        ((size_t)found->szOsFile + alignof(struct extra) - 1) / alignof(struct extra) * alignof(struct extra);
    gather = *found;
    gather.zName = "screening";
    gather.szOsFile = (int)(extra_offset + sizeof(struct extra));
    gather.xOpen = open_file;
    if (sqlite3_vfs_register(&gather, 0) == SQLITE_OK)
        below = found;
}

const char *sqlite_gather_vfs(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, register_vfs);
    return below == NULL ? NULL : gather.zName;
}
