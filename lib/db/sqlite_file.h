/*
 * Private to the SQLite driver: the files of a connection.
 *
 * One process at a time writes to a database. It holds a lock (flock) on PATH-lock, a file next to the
 * database that is never removed. The lock is never on the database file itself, because when a process
 * closes any descriptor of that file, it loses the locks that SQLite holds on it. The system releases the
 * lock when the process ends, even in a crash, and when it executes another program.
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
    atomic_bool gone; /* whether the absence was already logged */
    /* The following members are for the writer thread only. */
    int watch; /* the watch on the folder, see folder_watch.h */
    bool seen_in_place;
    int64_t looked_ns; /* when all three files were last checked */
};

/*
 * Takes the lock of the database that `handle` has opened. Returns FAILED_PRECONDITION and names the holder
 * if another process has it. Returns INVALID_ARGUMENT if PATH-lock is unusable, or if the database has
 * several names (hard links), since SQLite's log and the lock belong to only one of them. On success the
 * caller releases *out.
 */
MUST_CHECK enum status sqlite_file_claim(sqlite3 *handle, struct sqlite_file **out, struct error *error);

/* Records the identities of the files. Call it after the connection has read for the first time. */
void sqlite_file_note(struct sqlite_file *file);

/* Returns whether the files are still the recorded ones. Logs the change. Any thread. */
bool sqlite_file_in_place(struct sqlite_file *file);

/*
 * Like sqlite_file_in_place, for the writer thread before each transaction. Checks the files only if a name
 * in their folder has changed, and every 100 ms because of changes that the watch misses.
 */
bool sqlite_file_still_in_place(struct sqlite_file *file);

/* Releases the lock. Call it after the connection is closed. NULL is allowed. */
void sqlite_file_release(struct sqlite_file *file);

#endif
