/*
 * Private to the SQLite driver: copies the write-ahead log into the database beside the thread that commits.
 *
 * A checkpoint of some thousand pages takes tens of milliseconds, for which everybody would wait whose commit
 * comes after it. So a thread with a connection of its own, the copier, copies what the log holds, pass after
 * pass, while commits go on being appended to it. Once the log is long and all but a little of it copied, the
 * committing thread copies that rest, after which SQLite begins the log anew.
 *
 * SQLite up to 3.51.2 can lose commits when a checkpoint begins just as another connection begins the log
 * anew (sqlite.org/wal.html, "the WAL-reset bug"). Here it can't: a log is begun anew only when it was copied
 * whole, and the copier begins a pass only when there is something that nobody has copied and nobody else
 * copies.
 */
#ifndef SCREENING_DB_SQLITE_CHECKPOINT_H
#define SCREENING_DB_SQLITE_CHECKPOINT_H

#include <sqlite3.h>

#include "base/status.h"

struct sqlite_checkpoint;

/*
 * Looks after the log of `writer` from its next commit on, in place of SQLite's own checkpoints. `copier` is
 * another connection to the same file; it is taken over if this returns OK. RESOURCE_EXHAUSTED if there can
 * be no thread.
 */
MUST_CHECK enum status sqlite_checkpoint_start(sqlite3 *writer, sqlite3 *copier,
                                               struct sqlite_checkpoint **out, struct error *error);

/* Waits for the copier and closes its connection; before the writer is closed. NULL is allowed. */
void sqlite_checkpoint_stop(struct sqlite_checkpoint *checkpoint);

#endif
