#include "db/sqlite_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "db/folder_watch.h"

/* The holder writes its name right after it has taken the lock. A process that reads no name must retry. */
enum { LOCK_ATTEMPTS = 100, HOLDER_ATTEMPTS = 20, HOLDER_PAUSE_US = 5000, HOLDER_SIZE = 96 };

/* The interval between checks for changes that the folder watch misses. */
enum { LOOK_MS = 100 };

static const char *const suffixes[SQLITE_FILE_NAMES] = {"", "-wal", "-shm"};

/* ---- the lock ---- */

/*
 * Allows every user who may write to the database to take the lock, even if root created the lock file. If
 * this fails, a process of another user reports that it cannot open the lock file.
 */
static void share(int lock, const struct stat *database)
{
    bool shared = fchmod(lock, database->st_mode & 0666) == 0;
    if (shared && geteuid() == 0)
        (void)!fchown(lock, database->st_uid, database->st_gid);
}

static int open_lock(const char *path, const struct stat *database)
{
    int lock = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, database->st_mode & 0666);
    if (lock >= 0)
        share(lock, database);
    else if (errno == EEXIST)
        lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, database->st_mode & 0666);
    return lock;
}

/* Returns whether the locked file is still at `path`. It may have been removed before we locked it. */
static bool is_at(int lock, const char *path)
{
    struct stat held, there;
    return fstat(lock, &held) == 0 && stat(path, &there) == 0 && held.st_ino == there.st_ino &&
           held.st_dev == there.st_dev;
}

/*
 * Returns the descriptor of the locked file. On failure, returns -1 with errno, which is EWOULDBLOCK if
 * another process holds the lock.
 */
static int take_lock(const char *path, const struct stat *database)
{
    for (int attempt = 0; attempt < LOCK_ATTEMPTS; attempt++) {
        int lock = open_lock(path, database);
        if (lock < 0)
            return -1;
        if (flock(lock, LOCK_EX | LOCK_NB) == 0) {
            if (is_at(lock, path))
                return lock;
            close(lock);
            continue;
        }
        int reason = errno;
        close(lock);
        errno = reason;
        return -1;
    }
    errno = ENOLCK;
    return -1;
}

/*
 * Writes "PID (PROGRAM on HOST)" for people. If a full disk prevents that, a second process reports
 * "(unknown)".
 */
static void write_holder(int lock)
{
    char host[40] = "", text[HOLDER_SIZE];
    int length;
    (void)gethostname(host, sizeof host - 1);
    length =
        snprintf(text, sizeof text, "%d (%s on %s)\n", (int)getpid(), program_invocation_short_name, host);
    if (length >= (int)sizeof text)
        length = (int)sizeof text - 1;
    if (ftruncate(lock, 0) == 0)
        (void)!pwrite(lock, text, (size_t)length, 0);
}

static void read_holder(const char *path, char out[HOLDER_SIZE])
{
    ssize_t length = 0;
    for (int attempt = 0; attempt < HOLDER_ATTEMPTS && length <= 0; attempt++) {
        int file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        length = file < 0 ? -1 : pread(file, out, HOLDER_SIZE - 1, 0);
        if (file >= 0)
            close(file);
        if (length <= 0)
            usleep(HOLDER_PAUSE_US);
    }
    out[length < 0 ? 0 : length] = '\0';
    out[strcspn(out, "\n")] = '\0';
}

static bool may_pass(int reason)
{
    return reason == ENOSPC || reason == EDQUOT || reason == EMFILE || reason == ENFILE || reason == ENOMEM;
}

static enum status report_lock_failure(const char *database, const char *path, int reason,
                                       struct error *error)
{
    char buffer[HOLDER_SIZE];
    if (reason == EWOULDBLOCK) {
        read_holder(path, buffer);
        return error_set(error, STATUS_FAILED_PRECONDITION, NULL,
                         "database: %s is in use by process %s: one process at a time writes to it", database,
                         buffer[0] == '\0' ? "(unknown)" : buffer);
    }
    return error_set(error, may_pass(reason) ? STATUS_UNAVAILABLE : STATUS_INVALID_ARGUMENT, NULL,
                     "database: cannot lock %s: %s", path, strerror_r(reason, buffer, sizeof buffer));
}

static enum status lock_database(struct sqlite_file *file, struct error *error)
{
    struct stat database;
    char *path = NULL;
    enum status status = STATUS_OK;
    if (stat(file->names[0], &database) != 0)
        return error_set(error, STATUS_UNAVAILABLE, NULL, "database: %s was removed while it was opened",
                         file->names[0]);
    if (!S_ISREG(database.st_mode))
        return error_invalid(error, "database: %s is no regular file", file->names[0]);
    if (database.st_nlink > 1)
        return error_invalid(
            error, "database: %s has %lu names (hard links): SQLite's log would belong to one of them",
            file->names[0], (unsigned long)database.st_nlink);
    if (asprintf(&path, "%s-lock", file->names[0]) < 0)
        return error_set(error, STATUS_RESOURCE_EXHAUSTED, NULL, "database: out of memory");
    file->lock = take_lock(path, &database);
    if (file->lock >= 0)
        write_holder(file->lock);
    else
        status = report_lock_failure(file->names[0], path, errno, error);
    free(path);
    return status;
}

/* ---- the files ---- */

static struct sqlite_file *create(const char *path)
{
    struct sqlite_file *file = calloc(1, sizeof *file);
    if (file == NULL)
        return NULL;
    file->lock = file->watch = -1;
    for (int i = 0; i < SQLITE_FILE_NAMES; i++) {
        if (asprintf(&file->names[i], "%s%s", path, suffixes[i]) >= 0)
            continue;
        file->names[i] = NULL;
        sqlite_file_release(file);
        return NULL;
    }
    return file;
}

enum status sqlite_file_claim(sqlite3 *handle, struct sqlite_file **out, struct error *error)
{
    /* Use the path as SQLite has resolved it, so that links and other spellings of it share one lock. */
    struct sqlite_file *file = create(sqlite3_db_filename(handle, "main"));
    if (file == NULL)
        return error_set(error, STATUS_RESOURCE_EXHAUSTED, NULL, "database: out of memory");
    enum status status = lock_database(file, error);
    if (status == STATUS_OK)
        *out = file;
    else
        sqlite_file_release(file);
    return status;
}

void sqlite_file_note(struct sqlite_file *file)
{
    file->watch = folder_watch_open(file->names[0]);
    for (int i = 0; i < SQLITE_FILE_NAMES; i++) {
        struct stat now;
        if (stat(file->names[i], &now) == 0) {
            file->identities[i].device = now.st_dev;
            file->identities[i].inode = now.st_ino;
        }
    }
}

/*
 * Returns whether the file was removed or replaced. A file that cannot be checked counts as present.
 *
 * Requests only the inode number. If the timestamps of a file have been requested, Linux 6.13 and later give
 * its next write a new timestamp, and then the sync of the commit must also write the inode.
 */
static bool is_gone(const struct sqlite_file *file, int i)
{
    struct statx now;
    if (file->identities[i].inode == 0)
        return false;
    if (statx(AT_FDCWD, file->names[i], 0, STATX_INO, &now) != 0)
        return errno == ENOENT || errno == ENOTDIR;
    return now.stx_ino != file->identities[i].inode ||
           makedev(now.stx_dev_major, now.stx_dev_minor) != file->identities[i].device;
}

bool sqlite_file_in_place(struct sqlite_file *file)
{
    int i = 0;
    while (i < SQLITE_FILE_NAMES && !is_gone(file, i))
        i++;
    if (i == SQLITE_FILE_NAMES) {
        atomic_store(&file->gone, false);
        return true;
    }
    if (!atomic_exchange(&file->gone, true))
        log_event(LOG_ERROR, "database.gone", LOG_TEXT("file", file->names[i]));
    return false;
}

bool sqlite_file_still_in_place(struct sqlite_file *file)
{
    bool changed = folder_watch_changed(file->watch); /* first, so that the next call sees any later change */
    int64_t now_ns = clock_monotonic_ns();
    if (file->seen_in_place && !changed && now_ns - file->looked_ns < (int64_t)LOOK_MS * NS_PER_MS)
        return true;
    file->looked_ns = now_ns;
    file->seen_in_place = sqlite_file_in_place(file);
    return file->seen_in_place;
}

void sqlite_file_release(struct sqlite_file *file)
{
    if (file == NULL)
        return;
    if (file->lock >= 0)
        close(file->lock);
    if (file->watch >= 0)
        close(file->watch);
    for (int i = 0; i < SQLITE_FILE_NAMES; i++)
        free(file->names[i]);
    free(file);
}
