#include "client/connection.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { NS_PER_S = 1000000000, NS_PER_MS = 1000000, HANDSHAKE_SIZE = 8, LENGTH_SIZE = 8, ID_SIZE = 4 };

static const uint8_t hello[HANDSHAKE_SIZE] = {0, 'S', 'P', 0, 0, 0x30, 0, 0};    /* REQ */
static const uint8_t expected[HANDSHAKE_SIZE] = {0, 'S', 'P', 0, 0, 0x31, 0, 0}; /* REP */

int64_t connection_now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* fails only for an unknown clock */
    return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

/* Waits until the socket is ready for `events`, at most until the deadline. */
static enum step wait_ready(int fd, short events, int64_t deadline_ns)
{
    for (;;) {
        int64_t left_ns = deadline_ns - connection_now_ns();
        if (left_ns <= 0)
            return STEP_LATE;
        struct pollfd poll_fd = {.fd = fd, .events = events};
        int ready = poll(&poll_fd, 1, (int)(left_ns / NS_PER_MS) + 1);
        if (ready > 0)
            return STEP_DONE;
        if (ready < 0 && errno != EINTR)
            return STEP_BROKEN;
    }
}

/*
 * Waits until the operation that had the result can go on. Returns STEP_DONE if it should be tried again.
 */
static enum step wait_tls(int fd, enum tls_result result, int64_t deadline_ns)
{
    switch (result) {
    case TLS_WANTS_READ:
        return wait_ready(fd, POLLIN, deadline_ns);
    case TLS_WANTS_WRITE:
        return wait_ready(fd, POLLOUT, deadline_ns);
    case TLS_UNTRUSTED:
        return STEP_UNTRUSTED;
    case TLS_WRONG:
        return STEP_WRONG;
    default:
        return STEP_BROKEN;
    }
}

static enum tls_result explain_errno(enum tls_result wanted)
{
    return errno == EAGAIN || errno == EWOULDBLOCK ? wanted : TLS_CLOSED;
}

/* Sends some bytes, over TLS or not. If the result is TLS_DONE, sets *done to their number. */
static enum tls_result send_some(const struct connection *connection, const uint8_t *data, size_t size,
                                 size_t *done)
{
    ssize_t taken;
    if (connection->tls != NULL)
        return tls_stream_write(connection->tls, data, size, done);
    do
        taken = send(connection->fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (taken < 0 && errno == EINTR);
    if (taken < 0)
        return explain_errno(TLS_WANTS_WRITE);
    *done = (size_t)taken;
    return TLS_DONE;
}

/* Receives some bytes, like send_some. */
static enum tls_result receive_some(const struct connection *connection, uint8_t *data, size_t size,
                                    size_t *done)
{
    ssize_t got;
    if (connection->tls != NULL)
        return tls_stream_read(connection->tls, data, size, done);
    do
        got = recv(connection->fd, data, size, MSG_DONTWAIT);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return explain_errno(TLS_WANTS_READ);
    *done = (size_t)got;
    errno = 0; /* for the end of the stream */
    return got > 0 ? TLS_DONE : TLS_CLOSED;
}

static enum step send_all(const struct connection *connection, const uint8_t *data, size_t size,
                          int64_t deadline_ns)
{
    while (size > 0) {
        size_t taken = 0;
        enum tls_result result = send_some(connection, data, size, &taken);
        enum step step = result == TLS_DONE ? STEP_DONE : wait_tls(connection->fd, result, deadline_ns);
        if (step != STEP_DONE)
            return step;
        data += taken;
        size -= taken;
    }
    return STEP_DONE;
}

static enum step receive_all(const struct connection *connection, uint8_t *data, size_t size,
                             int64_t deadline_ns)
{
    while (size > 0) {
        size_t got = 0;
        enum tls_result result = receive_some(connection, data, size, &got);
        enum step step = result == TLS_DONE ? STEP_DONE : wait_tls(connection->fd, result, deadline_ns);
        if (step != STEP_DONE)
            return step;
        data += got;
        size -= got;
    }
    return STEP_DONE;
}

/* Opens a socket and connects it to `where`. Sets *out only if the result is STEP_DONE. */
static enum step connect_to(const struct sockaddr *where, socklen_t size, int family, int64_t deadline_ns,
                            int *out)
{
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return STEP_BROKEN;
    enum step step = STEP_DONE;
    if (connect(fd, where, size) != 0) {
        step = STEP_BROKEN;
        if (errno == EINPROGRESS || errno == EINTR) {
            int problem = 0;
            socklen_t problem_size = sizeof problem;
            step = wait_ready(fd, POLLOUT, deadline_ns);
            if (step == STEP_DONE && getsockopt(fd, SOL_SOCKET, SO_ERROR, &problem, &problem_size) == 0 &&
                problem != 0) {
                errno = problem;
                step = STEP_BROKEN;
            }
        }
    }
    if (step != STEP_DONE) {
        int reason = errno;
        (void)close(fd);
        errno = reason;
        return step;
    }
    *out = fd;
    return STEP_DONE;
}

static enum step connect_tcp(const struct address *address, int64_t deadline_ns, int *fd)
{
    const struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    if (getaddrinfo(address->host, address->port, &hints, &found) != 0) {
        errno = EHOSTUNREACH;
        return STEP_BROKEN;
    }
    enum step step = STEP_BROKEN;
    for (const struct addrinfo *one = found; one != NULL && step == STEP_BROKEN; one = one->ai_next)
        step = connect_to(one->ai_addr, one->ai_addrlen, one->ai_family, deadline_ns, fd);
    int reason = errno;
    freeaddrinfo(found);
    errno = reason;
    if (step == STEP_DONE) {
        int on = 1; /* disable Nagle's algorithm, so that a request is sent at once */
        (void)setsockopt(*fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    return step;
}

static enum step connect_ipc(const struct address *address, int64_t deadline_ns, int *fd)
{
    struct sockaddr_un where = {.sun_family = AF_UNIX};
    memcpy(where.sun_path, address->host,
           strlen(address->host) + 1); /* address_parse has checked the length */
    return connect_to((const struct sockaddr *)&where, sizeof where, AF_UNIX, deadline_ns, fd);
}

static enum step begin_tls(struct connection *connection, struct tls *tls, const char *host,
                           const char **distrust, int64_t deadline_ns)
{
    connection->tls = tls_stream_create(tls, connection->fd, host);
    if (connection->tls == NULL)
        return STEP_MEMORY;
    for (;;) {
        enum tls_result result = tls_stream_handshake(connection->tls);
        enum step step = result == TLS_DONE ? STEP_DONE : wait_tls(connection->fd, result, deadline_ns);
        if (step == STEP_UNTRUSTED)
            *distrust = tls_stream_distrust(connection->tls);
        if (result == TLS_DONE || step != STEP_DONE)
            return step;
    }
}

static enum step greet(const struct connection *connection, int64_t deadline_ns)
{
    uint8_t theirs[HANDSHAKE_SIZE];
    enum step step = send_all(connection, hello, sizeof hello, deadline_ns);
    if (step == STEP_DONE)
        step = receive_all(connection, theirs, sizeof theirs, deadline_ns);
    return step == STEP_DONE && memcmp(theirs, expected, sizeof theirs) != 0 ? STEP_WRONG : step;
}

enum step connection_open(struct connection *connection, const struct address *address, struct tls *tls,
                          const char **distrust, int64_t deadline_ns)
{
    *connection = (struct connection){.fd = -1, .ipc = address->ipc};
    enum step step = (address->ipc ? connect_ipc : connect_tcp)(address, deadline_ns, &connection->fd);
    if (step != STEP_DONE)
        return step;
    if (address->tls)
        step = begin_tls(connection, tls, address->host, distrust, deadline_ns);
    if (step == STEP_DONE)
        step = greet(connection, deadline_ns);
    if (step != STEP_DONE) {
        int reason = errno;
        connection_close(connection);
        errno = reason;
    }
    return step;
}

bool connection_is_usable(const struct connection *connection)
{
    uint8_t byte;
    if (connection->tls != NULL && tls_stream_has_pending(connection->tls))
        return false;
    ssize_t got = recv(connection->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
}

static uint8_t *put_big_endian(uint8_t *end, uint64_t value, int size)
{
    for (int i = 0; i < size; i++)
        *--end = (uint8_t)(value >> (8 * i));
    return end;
}

static uint64_t read_big_endian(const uint8_t *data, int size)
{
    uint64_t value = 0;
    for (int i = 0; i < size; i++)
        value = value << 8 | data[i];
    return value;
}

enum step connection_send(struct connection *connection, uint8_t *message, size_t size, int64_t deadline_ns)
{
    connection->last_id = (connection->last_id + 1) & 0x7fffffffu;
    uint8_t *begin = message + REQUEST_HEADER_SIZE;
    begin = put_big_endian(begin, 0x80000000u | connection->last_id, ID_SIZE);
    begin = put_big_endian(begin, ID_SIZE + size, LENGTH_SIZE);
    if (connection->ipc)
        *--begin = 1;
    size_t whole = (size_t)(message + REQUEST_HEADER_SIZE + size - begin);
    return send_all(connection, begin, whole, deadline_ns);
}

/* Receives one message. Stores its id and its body, which the caller frees. */
static enum step receive_message(const struct connection *connection, uint32_t *id, uint8_t **body,
                                 size_t *size, int64_t deadline_ns)
{
    uint8_t header[1 + LENGTH_SIZE + ID_SIZE];
    size_t type_size = connection->ipc ? 1 : 0;
    enum step step = receive_all(connection, header, type_size + LENGTH_SIZE + ID_SIZE, deadline_ns);
    if (step != STEP_DONE)
        return step;
    uint64_t length = read_big_endian(header + type_size, LENGTH_SIZE);
    if ((connection->ipc && header[0] != 1) || length < ID_SIZE || length > RESPONSE_MAX)
        return STEP_WRONG;
    *id = (uint32_t)read_big_endian(header + type_size + LENGTH_SIZE, ID_SIZE) & 0x7fffffffu;
    *size = (size_t)length - ID_SIZE;
    *body = malloc(*size > 0 ? *size : 1);
    if (*body == NULL)
        return STEP_MEMORY;
    step = receive_all(connection, *body, *size, deadline_ns);
    if (step != STEP_DONE)
        free(*body);
    return step;
}

enum step connection_receive(struct connection *connection, uint8_t **body, size_t *size, int64_t deadline_ns)
{
    for (;;) {
        uint32_t id;
        enum step step = receive_message(connection, &id, body, size, deadline_ns);
        if (step != STEP_DONE || id == connection->last_id)
            return step;
        free(*body);
    }
}

void connection_close(struct connection *connection)
{
    tls_stream_destroy(connection->tls);
    connection->tls = NULL;
    if (connection->fd >= 0)
        (void)close(connection->fd);
    connection->fd = -1;
}
