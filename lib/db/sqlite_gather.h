/*
 * Private to the SQLite driver: writes all pages that a commit adds to SQLite's log at once.
 *
 * SQLite writes the header and the content of every page by a write of its own. This VFS is SQLite's own
 * default VFS, except that it gathers what is written to a log (PATH-wal) and writes it when the log is
 * synced. It is for connections with synchronous=FULL, which sync the log in every commit: a write that fails
 * then fails the sync and with it the commit.
 */
#ifndef SCREENING_DB_SQLITE_GATHER_H
#define SCREENING_DB_SQLITE_GATHER_H

/* The most that the VFS writes to a log at once. */
enum { SQLITE_GATHER_BYTES = 124 * 1024 };

/*
 * Returns the name of the VFS for sqlite3_open_v2. The first call registers it above the default VFS of that
 * moment. Returns NULL, the name of the default VFS, if SQLite cannot be initialised. Any thread.
 */
const char *sqlite_gather_vfs(void);

#endif
