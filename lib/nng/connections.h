/*
 * Limits on the connections that nng accepts in this process, on all its listeners together. There are limits
 * on the number of connections, in all and per address, on the time in which a message must arrive, and on
 * the total size of all unfinished messages.
 *
 * nng has no such limits, and exposes neither a connection before its greeting nor a partly received message.
 * So connection_calls.c interposes on the C library's functions and reports to this module. To end a
 * connection, the module makes its next read return end of file, as if the client had closed it, and nng then
 * closes it as usual. We never close one of nng's descriptors ourselves (stuck_reaper.h explains why).
 *
 * An address is an IPv4 address, a 64-bit IPv6 network or, on ipc, the peer process. When there is no room,
 * the address with the most connections loses the one that has been silent longest. If the newcomer's address
 * is at its own limit, or would then have as many connections as any other, only a silent connection makes
 * way. It is one of that address, if that has any connection. Without a silent one the newcomer is refused.
 */
#ifndef SCREENING_NNG_CONNECTIONS_H
#define SCREENING_NNG_CONNECTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "base/status.h"

struct connection_limits {
    size_t connections_max; /* number of connections in all; at least 1 */
    size_t per_address_max; /* number of connections per address; at least 1 */
    size_t files_max; /* number of descriptors, including those that nng has yet to close; at least twice
                         connections_max if the process may have so many; one address may use half */
    uint32_t receive_timeout_ms; /* for the greeting, and for each message from its first byte to its last */
    size_t receive_bytes_max;    /* total size of all unfinished messages; at least the size of the largest
                                    message */
};

/*
 * Enforces these limits from now on. Before that there are none. Call it before the first listener is opened.
 * Returns RESOURCE_EXHAUSTED when out of memory or threads.
 */
MUST_CHECK enum status connections_limit(const struct connection_limits *limits, struct error *error);

/* Lifts the limits. Call it after the last listener is closed. Does nothing without connections_limit. */
void connections_unlimit(void);

/*
 * Advances the time by one tick. The thread that connections_limit starts calls this ten times in each
 * receive_timeout_ms. Tests may call it too.
 */
void connections_tick(void);

/* ---- for connection_calls.c; any thread, any descriptor ---- */

/* Registers an accepted connection. If it returns false, the caller must close the connection immediately. */
bool connections_admit(int fd, const struct sockaddr_storage *peer);

/* Reports that accept failed because the process has no descriptor left. */
void connections_without_file(void);

/* Returns whether the connection was ended. If it was, its reads must return end of file. */
bool connections_ended(int fd);

/* Reports the bytes that a read returned. One thread at a time for each descriptor. */
void connections_read(int fd, const struct iovec *pieces, int count, size_t size);

/*
 * Reports that the client has closed the connection, or that nng is about to. It then no longer takes up
 * room.
 */
void connections_leave(int fd);

/* Reports that the descriptor is about to be closed. */
void connections_forget(int fd);

#endif
