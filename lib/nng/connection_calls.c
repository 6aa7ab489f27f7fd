/*
 * Defines the accept, readv, shutdown and close that nng calls in our programs. They report to connections.h
 * which connections nng accepts and what it reads. As in handshake_epipe.c, a function defined in the program
 * takes precedence over the C library's, even for calls from nng's library.
 *
 * Only nng calls accept and readv. libmicrohttpd calls accept4 and recv, and libpq and SQLite call neither.
 * Other libraries call shutdown and close, but connections.h ignores their descriptors.
 */
#include <errno.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "nng/connections.h"

/* CMakeLists.txt uses this symbol to link this file. */
extern const char nng_connection_calls;
const char nng_connection_calls = 0;

int accept(int fd, struct sockaddr *restrict address, socklen_t *restrict size)
{
    struct sockaddr_storage peer = {.ss_family = AF_UNSPEC};
    socklen_t peer_size = sizeof peer;
    bool wanted = address != NULL; /* nng passes NULL */
    int accepted = (int)(wanted ? syscall(SYS_accept4, fd, address, size, 0)
                                : syscall(SYS_accept4, fd, &peer, &peer_size, 0));
    if (accepted < 0 && (errno == EMFILE || errno == ENFILE)) {
        int reason = errno;
        connections_without_file();
        errno = reason; /* nng pauses and tries again */
    }
    if (accepted < 0 || wanted || connections_admit(accepted, &peer))
        return accepted;
    (void)syscall(SYS_close, accepted);
    errno = ECONNABORTED; /* nng then accepts the next connection */
    return -1;
}

ssize_t readv(int fd, const struct iovec *pieces, int count)
{
    if (connections_ended(fd))
        return 0;
    ssize_t size = syscall(SYS_readv, fd, pieces, count);
    if (size > 0)
        connections_read(fd, pieces, count, (size_t)size);
    else if (size == 0)
        connections_leave(fd);
    return size;
}

int shutdown(int fd, int how)
{
    connections_leave(fd); /* nng no longer waits for the client, and calls close later */
    return (int)syscall(SYS_shutdown, fd, how);
}

int close(int fd)
{
    connections_forget(fd);
    return (int)syscall(SYS_close, fd);
}
