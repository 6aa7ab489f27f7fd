/*
 * Private to the SQLite driver: whether a name in a folder may mean another file than before.
 *
 * The kernel (inotify) notes each change before the call that makes it returns, so asking costs one system
 * call that looks at nothing. Not noted: that a folder further up is renamed or mounted over, and what
 * another machine does to a shared file system.
 */
#ifndef SCREENING_DB_FOLDER_WATCH_H
#define SCREENING_DB_FOLDER_WATCH_H

#include <stdbool.h>

/* Watches the folder of the file `path`. To be closed with close(); -1 if the system has no watch left. */
int folder_watch_open(const char *path);

/*
 * Whether, since the last call, a name was made, removed or renamed in the folder, or the folder itself. True
 * for -1. One thread at a time.
 */
bool folder_watch_changed(int watch);

#endif
