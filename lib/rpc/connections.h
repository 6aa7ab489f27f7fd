/*
 * Bounds for the connections that nng accepts in this process, on all its listeners together: how many there
 * are, in all and from one address, how long a message may take to arrive, and how large unfinished messages
 * may be together.
 *
 * nng has no such bounds, and shows neither what it accepts before the greeting nor what of a message has
 * arrived. So connection_calls.c stands in front of the C library's functions, and tells this file. A
 * connection is ended as its client would end it: its next read says that nothing more comes. nng then closes
 * it as any other; we never close one of nng's ourselves (muted.h tells why).
 *
 * An address is an IPv4 address, an IPv6 network of 64 bits, or, on ipc, the process at the other end. When
 * there is no room, the connection that has been silent for longest ends, of the address that has most of
 * them; where that is the newcomer's own, and none of its connections is silent, the newcomer is refused.
 */
#ifndef SCREENING_RPC_CONNECTIONS_H
#define SCREENING_RPC_CONNECTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "base/status.h"

struct rpc_connection_limits {
    size_t connections_max; /* in all; at least 1 */
    size_t per_address_max; /* at least 1 */
    size_t files_max; /* descriptors of connections, with those that nng has yet to close; at least twice
                         connections_max where the process may have so many; half of them for one address */
    uint32_t receive_timeout_ms; /* for the greeting, and for a message from its first byte to its last */
    size_t receive_bytes_max; /* the sizes of all unfinished messages together; at least the largest one's */
};

/*
 * From now on these bounds hold; until then none does. Before the first listener is opened.
 * RESOURCE_EXHAUSTED when out of memory or threads.
 */
MUST_CHECK enum status rpc_connections_limit(const struct rpc_connection_limits *limits, struct error *error);

/* They hold no longer; after the last listener is closed. Without rpc_connections_limit: nothing. */
void rpc_connections_unlimit(void);

/* A tick passes. The thread that rpc_connections_limit starts lets ten pass in a timeout; a test may call it
 * too. */
void rpc_connections_tick(void);

/* ---- for connection_calls.c; any thread, any descriptor ---- */

/* A connection was accepted: false if it is to be closed at once. */
bool rpc_connections_admit(int fd, const struct sockaddr_storage *peer);

/* None could be accepted: the process has no descriptor left. */
void rpc_connections_without_file(void);

/* Whether it was ended: its reads then give nothing more. */
bool rpc_connections_ended(int fd);

/* What was read. By one thread at a time for each descriptor. */
void rpc_connections_read(int fd, const struct iovec *pieces, int count, size_t size);

/* Its client has gone, or nng is about to close it: it takes no room any more. */
void rpc_connections_leave(int fd);

/* It will be closed now. */
void rpc_connections_forget(int fd);

#endif
