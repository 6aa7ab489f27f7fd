/*
 * The epoll_wait that libmicrohttpd calls in our program.
 *
 * libmicrohttpd asks for 128 events and, given exactly so many, asks for more before it looks at any: it
 * waits, for as long as nothing else happens, and so does whoever sent those 128. Told of one event fewer
 * than it asked for it looks at once; what is left over is told next time.
 *
 * A function of the program goes before the C library's, for libmicrohttpd too (see lib/rpc/closed_peer.c).
 * To nng, which asks for 64, it makes no difference.
 */
#include <signal.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

/* By this name CMakeLists.txt has the file linked: epoll_wait itself is found elsewhere first. */
extern const char gateway_http_events;
const char gateway_http_events = 0;

int epoll_wait(int fd, struct epoll_event *events, int max, int timeout_ms)
{
    enum { KERNEL_SIGNALS = _NSIG / 8 }; /* bytes of the kernel's signal set */
    return (int)syscall(SYS_epoll_pwait, fd, events, max > 1 ? max - 1 : max, timeout_ms, NULL,
                        (size_t)KERNEL_SIGNALS);
}
