/*
 * Limits the connections that nng accepts in this process, for all its listeners together. The limits are on
 * the number of connections, in all and per address, on the time within which a message must arrive, and on
 * the total size of all unfinished messages.
 *
 * nng has no such limits, and exposes neither a connection before its greeting nor a partly received message.
 * So connection_calls.c interposes on the C library's functions and reports to this module. When the module
 * ends a connection, nng's next read from it returns end of file, as if the client had closed it. nng then
 * closes it. We never close one of nng's descriptors ourselves (stuck_reaper.h explains why).
 *
 * An address is an IPv4 address, a 64-bit IPv6 network or, on ipc, the peer process. When the limit on all
 * connections is reached, the address with the most connections loses the one that has been silent longest,
 * unless it would then have fewer connections than the address of the new connection. In that case, or if the
 * new connection's address is at its own limit, only a silent connection is ended: one of the new
 * connection's address or, if that has no connections, one of any address. If none is silent, the new
 * connection is refused.
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
    size_t connections_max; /* maximum number of connections in all; at least 1 */
    size_t per_address_max; /* maximum number of connections per address; at least 1 */
    /*
     * The maximum number of descriptors of connections, including ended connections that nng has not closed
     * yet. At least twice connections_max. One address may use about half of them.
     */
    size_t files_max;
    /* The time limit for the greeting, and for each message from its first byte to its last. */
    uint32_t receive_timeout_ms;
    /*
     * The maximum total size of all unfinished messages of 4 KiB or more. At least the size of the largest
     * message.
     */
    size_t receive_bytes_max;
};

/*
 * Enforces `limits` from now on. Call it before the first listener is opened. Returns RESOURCE_EXHAUSTED when
 * out of memory or threads.
 */
MUST_CHECK enum status connections_limit(const struct connection_limits *limits, struct error *error);

/* Lifts the limits. Call it after the last listener is closed. Does nothing without connections_limit. */
void connections_unlimit(void);

/*
 * Advances the time by one tick. The thread that connections_limit starts calls this function ten times per
 * receive_timeout_ms. Tests may call it too.
 */
void connections_tick(void);

/* ---- for connection_calls.c; any thread, any descriptor ---- */

/* Registers an accepted connection. Returns false if the caller must close it immediately. */
bool connections_admit(int fd, const struct sockaddr_storage *peer);

/* Reports that accept failed because the process has no free descriptor. */
void connections_without_file(void);

/* Returns whether this module has ended the connection. If so, reads must return end of file. */
bool connections_ended(int fd);

/* Reports the bytes that a read returned. One thread at a time for each descriptor. */
void connections_read(int fd, const struct iovec *pieces, int count, size_t size);

/*
 * Reports that the client has closed the connection, or that nng is about to close it. From then on the
 * connection counts only towards files_max.
 */
void connections_leave(int fd);

/* Reports that the descriptor is about to be closed. */
void connections_forget(int fd);

#endif
