/*
 * The epoll_wait, the epoll_ctl and the recv that libmicrohttpd calls in our program. Functions of the
 * program take precedence over the C library's, for its libraries too (see lib/nng/handshake_epipe.c).
 *
 * libmicrohttpd asks for 128 events. If it gets exactly that many, it asks for more before it handles any. It
 * then waits until something else happens, and so do the clients of those 128. Given one event fewer than it
 * asked for, it handles them immediately, and the next call returns the rest. nng asks for 64, so this makes
 * no difference to it.
 *
 * MHD_quiesce_daemon and the daemon's thread may both remove the listening socket from the epoll set;
 * libmicrohttpd (0.9.75 and 1.0.1) does not everywhere expect to be the second to do so, and ends the
 * process. Therefore removing a descriptor that is not in the set succeeds. nng does not remove any.
 *
 * Data that arrives over HTTP is checked (http_wire.h) before libmicrohttpd gets it.
 */
#include "http_system.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/metrics.h"

enum { DESCRIPTORS_MAX = 131072 };

static _Atomic(struct http_wire *) watched[DESCRIPTORS_MAX]; /* by descriptor */

static struct metric malformed_total =
    METRIC("http_malformed_total", "Connections ended because what came could be read in two ways");

void http_system_register_metrics(void)
{
    metric_register(&malformed_total);
}

bool http_system_watch(int fd, struct http_wire *wire)
{
    if (fd >= DESCRIPTORS_MAX)
        return false;
    atomic_store(&watched[fd], wire);
    return true;
}

void http_system_forget(int fd)
{
    if (fd < DESCRIPTORS_MAX)
        atomic_store(&watched[fd], NULL);
}

int epoll_wait(int fd, struct epoll_event *events, int max, int timeout_ms)
{
    enum { KERNEL_SIGNALS = _NSIG / 8 }; /* number of bytes in the kernel's signal set */
    return (int)syscall(SYS_epoll_pwait, fd, events, max > 1 ? max - 1 : max, timeout_ms, NULL,
                        (size_t)KERNEL_SIGNALS);
}

int epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event)
{
    int result = (int)syscall(SYS_epoll_ctl, epoll, operation, fd, event);
    return result != 0 && operation == EPOLL_CTL_DEL && errno == ENOENT ? 0 : result;
}

ssize_t recv(int fd, void *buffer, size_t size, int flags)
{
    ssize_t got = syscall(SYS_recvfrom, fd, buffer, size, flags, NULL, NULL);
    if (got <= 0 || fd >= DESCRIPTORS_MAX)
        return got;
    struct http_wire *wire = atomic_load(&watched[fd]);
    if (wire == NULL || http_wire_take(wire, buffer, (size_t)got))
        return got;
    metric_add(&malformed_total, 1);
    errno = ECONNRESET;
    return -1;
}
