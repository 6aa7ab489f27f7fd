/*
 * Private to the SQLite driver: copies the write-ahead log into the database on a separate thread, while the
 * writer thread keeps committing.
 *
 * A checkpoint of a few thousand pages takes tens of milliseconds, and all clients whose commits follow it
 * would wait. Therefore a thread with a separate connection, the copier, copies the log pass by pass while
 * commits are still appended to it. Once the log is long and only a few pages are not yet copied, the writer
 * thread copies these, and SQLite then restarts the log.
 *
 * SQLite up to 3.51.2 can lose commits when a checkpoint begins just as another connection restarts the log
 * (sqlite.org/wal.html, "the WAL-reset bug"). That cannot happen here, because the log restarts only after
 * all of it was copied, and the copier begins a pass only when some pages are not yet copied and no other
 * thread is copying.
 */
#ifndef SCREENING_DB_SQLITE_CHECKPOINT_H
#define SCREENING_DB_SQLITE_CHECKPOINT_H

#include <sqlite3.h>

#include "base/status.h"

struct sqlite_checkpoint;

/*
 * Takes over the checkpoints of `writer` from SQLite, starting with its next commit. `copier` is another
 * connection to the same file. If this function returns OK, the checkpoint owns `copier`. Returns
 * RESOURCE_EXHAUSTED if no thread can be started.
 */
MUST_CHECK enum status sqlite_checkpoint_start(sqlite3 *writer, sqlite3 *copier,
                                               struct sqlite_checkpoint **out, struct error *error);

/*
 * Waits for the thread to end and closes the copier. Call it before the writer's connection is closed. NULL
 * is allowed.
 */
void sqlite_checkpoint_stop(struct sqlite_checkpoint *checkpoint);

#endif
