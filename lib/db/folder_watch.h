/*
 * Private to the SQLite driver: detects that a name in a folder may refer to a different file.
 *
 * The kernel (inotify) records each change before the call that makes it returns, so a check costs one system
 * call and no access to the files. It does not record that a parent folder was renamed or mounted over, nor
 * changes that another machine makes on a shared file system.
 */
#ifndef SCREENING_DB_FOLDER_WATCH_H
#define SCREENING_DB_FOLDER_WATCH_H

#include <stdbool.h>

/*
 * Watches the folder of the file `path`. Returns a descriptor, which the caller closes with close(). Returns
 * -1 on failure, for example when the system has no watch left.
 */
int folder_watch_open(const char *path);

/*
 * Returns whether a name in the folder was created, removed or renamed since the last call, or whether the
 * folder itself was removed or renamed. Always true for -1. One thread at a time.
 */
bool folder_watch_changed(int watch);

#endif
