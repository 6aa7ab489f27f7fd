#include "db/folder_watch.h"

#include <errno.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

enum {
    NAMES = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR,
    EVENTS_BYTES = 4096, /* further events remain for the next call */
};

int folder_watch_open(const char *path)
{
    int watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    char *copy = strdup(path);
    if (watch >= 0 && (copy == NULL || inotify_add_watch(watch, dirname(copy), NAMES) < 0)) {
        close(watch);
        watch = -1;
    }
    free(copy);
    return watch;
}

bool folder_watch_changed(int watch)
{
    char events[EVENTS_BYTES];
    /* Any event means a change, and so does any error except EAGAIN (no events). */
    return watch < 0 || read(watch, events, sizeof events) >= 0 || errno != EAGAIN;
}
