/*
 * One connection to a server. It uses the SP protocol REQ over TCP, TLS or a Unix stream socket, one request
 * at a time (docs/wire-protocol.md, section 1). No function blocks beyond `deadline_ns` on the monotonic
 * clock, except that connection_open may wait longer for the system's resolver. One owner at a time.
 */
#ifndef SCREENING_CLIENT_CONNECTION_H
#define SCREENING_CLIENT_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/address.h"
#include "client/tls.h"

struct connection {
    int fd;
    struct tls_stream *tls; /* NULL = without TLS */
    bool ipc;
    uint32_t last_id;
};

/* The result of connecting, sending or receiving. */
enum step {
    STEP_DONE,
    STEP_LATE,   /* the deadline has passed */
    STEP_BROKEN, /* closed, refused or reset; errno has the cause, 0 = the peer closed the connection */
    STEP_WRONG,  /* the peer does not use this protocol, or sent a message of more than RESPONSE_MAX bytes */
    STEP_MEMORY,
    STEP_UNTRUSTED, /* the server's certificate was not accepted; `distrust` of connection_open says why */
};

enum { RESPONSE_MAX = 64 * 1024 * 1024, REQUEST_HEADER_SIZE = 13 };

/*
 * Connects and performs the handshakes. `tls` is used only if the address is one for TLS. If the result is
 * not STEP_DONE, no socket is left open. If it is STEP_UNTRUSTED, sets *distrust to a static text.
 */
enum step connection_open(struct connection *connection, const struct address *address, struct tls *tls,
                          const char **distrust, int64_t deadline_ns);

/* Returns false if the server has closed the idle connection or has sent data without a request. */
bool connection_is_usable(const struct connection *connection);

/*
 * Sends the request. `message` has REQUEST_HEADER_SIZE bytes of room before its `size` bytes of body. If the
 * result is not STEP_DONE, the server cannot have received the whole request, so the server does not execute
 * the request.
 */
enum step connection_send(struct connection *connection, uint8_t *message, size_t size, int64_t deadline_ns);

/* Receives the body of the reply, which the caller frees. Skips replies to earlier requests. */
enum step connection_receive(struct connection *connection, uint8_t **body, size_t *size,
                             int64_t deadline_ns);

void connection_close(struct connection *connection);

int64_t connection_now_ns(void);

#endif
