/*
 * Private to the SQLite driver: the file behind a connection.
 *
 * One process writes to a database at a time: it holds a lock (flock) on PATH-lock, a file beside the
 * database, which stays there. Never on the database itself: when any descriptor of that is closed, the
 * process loses the locks that SQLite holds on it. The system gives the lock up when the process ends,
 * however it ends, and when it executes another program.
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
    int lock; /* descriptor of PATH-lock */
    char *names[SQLITE_FILE_NAMES];
    struct {
        dev_t device;
        ino_t inode; /* 0: was not there when it was noted */
    } identities[SQLITE_FILE_NAMES];
    atomic_bool gone; /* has been logged */
    /* of the thread that writes */
    int watch; /* of the folder: folder_watch.h */
    bool seen_in_place;
    int64_t looked_ns; /* when all three were looked at */
};

/*
 * Takes the lock of the database that `handle` has opened. FAILED_PRECONDITION, and the process that holds it
 * is named, if another one does; INVALID_ARGUMENT if PATH-lock can't be used, or if the database has several
 * names (hard links), of which SQLite's log and the lock would know one. On success *out is to be released.
 */
MUST_CHECK enum status sqlite_file_claim(sqlite3 *handle, struct sqlite_file **out, struct error *error);

/* Remembers which files they are. After the connection has read for the first time. */
void sqlite_file_note(struct sqlite_file *file);

/* Whether they still are. Logs the change. Any thread. */
bool sqlite_file_in_place(struct sqlite_file *file);

/*
 * The same for the thread that writes, before each transaction: looks at the files only if a name in their
 * folder has changed, and otherwise every 100 ms, for what the watch does not see.
 */
bool sqlite_file_still_in_place(struct sqlite_file *file);

/* NULL is allowed. After the connection was closed. */
void sqlite_file_release(struct sqlite_file *file);

#endif
