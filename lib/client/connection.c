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

bool connection_parse(const char *address, struct address *out)
{
    static const char tcp[] = "tcp://", ipc[] = "ipc://", tls[] = "tls+";
    *out = (struct address){0};
    if (address == NULL)
        return false;
    if (strncmp(address, ipc, sizeof ipc - 1) == 0) {
        const char *path = address + sizeof ipc - 1;
        size_t length = strlen(path);
        out->ipc = true;
        if (length == 0 || length >= sizeof((struct sockaddr_un *)0)->sun_path)
            return false;
        memcpy(out->host, path, length + 1);
        return true;
    }
    out->tls = strncmp(address, tls, sizeof tls - 1) == 0;
    if (out->tls)
        address += sizeof tls - 1;
    if (strncmp(address, tcp, sizeof tcp - 1) != 0)
        return false;
    const char *host = address + sizeof tcp - 1;
    const char *colon = strrchr(host, ':');
    size_t host_length = colon != NULL ? (size_t)(colon - host) : 0;
    size_t port_length = colon != NULL ? strlen(colon + 1) : 0;
    if (host_length > 2 && host[0] == '[' && host[host_length - 1] == ']') { /* IPv6 */
        host++;
        host_length -= 2;
    }
    if (host_length == 0 || host_length >= sizeof out->host || port_length == 0 ||
        port_length >= sizeof out->port || strspn(colon + 1, "0123456789") != port_length)
        return false;
    memcpy(out->host, host, host_length);
    memcpy(out->port, colon + 1, port_length);
    return true;
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

/* Returns STEP_DONE if the operation that had the result should be tried again. */
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

static enum step send_all_tls(const struct connection *connection, const uint8_t *data, size_t size,
                              int64_t deadline_ns)
{
    while (size > 0) {
        size_t taken = 0;
        enum tls_result result = tls_stream_write(connection->tls, data, size, &taken);
        enum step step = result == TLS_DONE ? STEP_DONE : wait_tls(connection->fd, result, deadline_ns);
        if (step != STEP_DONE)
            return step;
        data += taken;
        size -= taken;
    }
    return STEP_DONE;
}

static enum step receive_all_tls(const struct connection *connection, uint8_t *data, size_t size,
                                 int64_t deadline_ns)
{
    while (size > 0) {
        size_t got = 0;
        enum tls_result result = tls_stream_read(connection->tls, data, size, &got);
        enum step step = result == TLS_DONE ? STEP_DONE : wait_tls(connection->fd, result, deadline_ns);
        if (step != STEP_DONE)
            return step;
        data += got;
        size -= got;
    }
    return STEP_DONE;
}

static enum step send_all(const struct connection *connection, const uint8_t *data, size_t size,
                          int64_t deadline_ns)
{
    int fd = connection->fd;
    if (connection->tls != NULL)
        return send_all_tls(connection, data, size, deadline_ns);
    while (size > 0) {
        ssize_t taken = send(fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (taken > 0) {
            data += taken;
            size -= (size_t)taken;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            enum step step = wait_ready(fd, POLLOUT, deadline_ns);
            if (step != STEP_DONE)
                return step;
        } else if (errno != EINTR) {
            return STEP_BROKEN;
        }
    }
    return STEP_DONE;
}

static enum step receive_all(const struct connection *connection, uint8_t *data, size_t size,
                             int64_t deadline_ns)
{
    int fd = connection->fd;
    if (connection->tls != NULL)
        return receive_all_tls(connection, data, size, deadline_ns);
    while (size > 0) {
        ssize_t got = recv(fd, data, size, MSG_DONTWAIT);
        if (got > 0) {
            data += got;
            size -= (size_t)got;
        } else if (got == 0) {
            errno = 0;
            return STEP_BROKEN;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            enum step step = wait_ready(fd, POLLIN, deadline_ns);
            if (step != STEP_DONE)
                return step;
        } else if (errno != EINTR) {
            return STEP_BROKEN;
        }
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
           strlen(address->host) + 1); /* connection_parse has checked the length */
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
