/*
 * Private to the SQLite driver: locks and watches the files of a connection.
 *
 * Only one process at a time may write to a database. It holds a lock (flock) on PATH-lock, a file next to
 * the database. None of our processes removes this file. The database file itself is not locked this way,
 * because a process that closes any descriptor of that file loses the locks that SQLite holds on it. The
 * system releases the lock when the process exits, crashes or executes another program.
 */
#ifndef SCREENING_DB_SQLITE_FILE_H
#define SCREENING_DB_SQLITE_FILE_H

#include <sqlite3.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/status.h"

enum { SQLITE_FILE_NAMES = 3 }; /* the database, its log (-wal), its shared memory (-shm) */

struct sqlite_file {
    int lock; /* the descriptor of PATH-lock */
    char *names[SQLITE_FILE_NAMES];
    struct {
        dev_t device;
        ino_t inode; /* 0 if the file did not exist when this was recorded */
    } identities[SQLITE_FILE_NAMES];
    atomic_bool gone; /* whether a removal or replacement has been logged */
    /* The following members are for the writer thread only. */
    int watch; /* from folder_watch_open */
    bool seen_in_place;
    int64_t looked_ns; /* when all three files were last checked */
};

/*
 * Takes the lock of the database that `handle` has opened. Returns FAILED_PRECONDITION and names the holder
 * if another process has it. Returns INVALID_ARGUMENT if PATH-lock is unusable, or if the database has
 * several names (hard links), because SQLite's log and the lock belong to only one of the names. On success
 * the caller must release *out.
 */
MUST_CHECK enum status sqlite_file_claim(sqlite3 *handle, struct sqlite_file **out, struct error *error);

/* Records the identities of the files. Call it after the connection's first read. */
void sqlite_file_note(struct sqlite_file *file);

/* Returns whether the files are still the recorded ones. If not, logs that once. Any thread. */
bool sqlite_file_in_place(struct sqlite_file *file);

/*
 * Like sqlite_file_in_place, for the writer thread before each transaction. Checks the files only if a name
 * in their folder has changed or if the last check was at least 100 ms ago, because the watch misses some
 * changes.
 */
bool sqlite_file_still_in_place(struct sqlite_file *file);

/* Releases the lock. Call it after the connection is closed. NULL is allowed. */
void sqlite_file_release(struct sqlite_file *file);

#endif
