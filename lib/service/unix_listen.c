#include "service/unix_listen.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { BACKLOG = SOMAXCONN, MODE = 0660 };

/* Removes the socket if no process listens on it. */
static void remove_stale(const struct sockaddr_un *address)
{
    struct stat found;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && lstat(address->sun_path, &found) == 0 && S_ISSOCK(found.st_mode) &&
        connect(fd, (const struct sockaddr *)address, sizeof *address) != 0 && errno == ECONNREFUSED)
        (void)unlink(address->sun_path);
    close(fd);
}

/*
 * Locks the folder of the path, so that another process that starts does not mistake our socket for a stale
 * one between our bind and our listen. Returns a descriptor; closing it releases the lock. Returns -1 if the
 * folder cannot be opened. If the lock is still held after a second, its holder is not one of our processes,
 * so this function continues without the lock.
 */
static int lock_folder(struct sockaddr_un address)
{
    static const struct timespec pause = {.tv_nsec = 10000000};
    int fd = open(dirname(address.sun_path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (int tries = 0; fd >= 0 && tries < 100 && flock(fd, LOCK_EX | LOCK_NB) != 0; tries++)
        (void)nanosleep(&pause, NULL);
    return fd;
}

enum status unix_listen_on(const char *setting, const char *path, int *fd, struct error *error)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (path[0] == '\0' ||
        snprintf(address.sun_path, sizeof address.sun_path, "%s", path) >= (int)sizeof address.sun_path)
        return error_invalid(error, "%s: must be unix:PATH with a path of at most %zu bytes", setting,
                             sizeof address.sun_path - 1);
    int folder = lock_folder(address);
    remove_stale(&address);
    int bound = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool has_path = bound >= 0 &&
                    fchmod(bound, MODE) == 0 && /* the socket never has a wider mode, whatever the umask */
                    bind(bound, (const struct sockaddr *)&address, sizeof address) == 0;
    bool listens = has_path && chmod(path, MODE) == 0 && listen(bound, BACKLOG) == 0;
    int cause = errno;
    if (has_path && !listens)
        (void)unlink(path);
    close(folder);
    if (!listens) {
        close(bound);
        return error_invalid(error, "%s: unix:%s: %s", setting, path, strerror(cause));
    }
    *fd = bound;
    return STATUS_OK;
}
