/*
 * Private to the SQLite driver: detects that a name in a folder may refer to a different file.
 *
 * The kernel (inotify) records a change before the system call that makes the change returns. So a check
 * takes one system call and does not access the files. The kernel does not record that a parent folder was
 * renamed or mounted over, nor changes that another machine makes on a shared file system.
 */
#ifndef SCREENING_DB_FOLDER_WATCH_H
#define SCREENING_DB_FOLDER_WATCH_H

#include <stdbool.h>

/*
 * Watches the folder of the file `path`. Returns a descriptor, which the caller must close with close(). On
 * failure, for example when the system's limit on watches is reached, returns -1.
 */
int folder_watch_open(const char *path);

/*
 * Returns whether a name in the folder was created, removed or renamed since the previous call (or, for the
 * first call, since the watch was opened), or whether the folder itself was removed or renamed. If `watch` is
 * -1, always returns true. One thread at a time.
 */
bool folder_watch_changed(int watch);

#endif
