/*
 * One connection to a server. It speaks the SP protocol REQ over TCP or a Unix stream socket, one request at
 * a time (docs/wire-protocol.md, section 1). No function blocks beyond `deadline_ns` of the monotonic clock,
 * except that connection_open waits for the system's resolver. One owner at a time.
 */
#ifndef SCREENING_CLIENT_CONNECTION_H
#define SCREENING_CLIENT_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct connection {
    int fd;
    bool ipc;
    uint32_t last_id;
};

/* The result of a step. */
enum step {
    STEP_DONE,
    STEP_LATE,   /* the deadline has passed */
    STEP_BROKEN, /* closed, refused or reset; errno has the cause, 0 = the peer closed it */
    STEP_WRONG,  /* the peer does not speak this protocol, or sends more than RESPONSE_MAX */
    STEP_MEMORY,
};

enum { RESPONSE_MAX = 64 * 1024 * 1024, REQUEST_HEADER_SIZE = 13 };

/* The parts of "tcp://HOST:PORT" or "ipc:///PATH". They point into `address`. */
struct address {
    bool ipc;
    char host[256]; /* or the path */
    char port[6];
};

/* Parses an address. Returns false if it has neither form. */
bool connection_parse(const char *address, struct address *out);

/* Connects and performs the handshake. Unless it returns STEP_DONE, no socket stays open. */
enum step connection_open(struct connection *connection, const struct address *address, int64_t deadline_ns);

/* Returns false if the server has closed the idle connection or has sent data without a request. */
bool connection_is_usable(const struct connection *connection);

/*
 * Sends the request. `message` has REQUEST_HEADER_SIZE bytes of room before its `size` bytes of body. Unless
 * this returns STEP_DONE, the server cannot have received the whole request, so it does not execute it.
 */
enum step connection_send(struct connection *connection, uint8_t *message, size_t size, int64_t deadline_ns);

/* Receives the body of the reply, which the caller frees. Skips replies to earlier requests. */
enum step connection_receive(struct connection *connection, uint8_t **body, size_t *size,
                             int64_t deadline_ns);

void connection_close(struct connection *connection);

int64_t connection_now_ns(void);

#endif
