#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"

/* Each side of an nng connection first sends a greeting, whose protocol number is at PROTOCOL_AT. */
enum { GREETING_SIZE = 8, PROTOCOL_AT = 4, REQ = 0x30, REP = 0x31, PUB = 0x20 };

static bool wait_until(int file, short events, int64_t deadline_ns)
{
    struct pollfd waiting = {.fd = file, .events = events};
    int ready;
    do {
        ready = poll(&waiting, 1, clock_remaining_ms(deadline_ns));
    } while (ready < 0 && errno == EINTR);
    return ready > 0;
}

/* Returns a connected socket. On failure, returns -1 and sets *refused to whether no program listens. */
static int connect_to(const struct sockaddr *address, socklen_t size, int64_t deadline_ns, bool *refused)
{
    int file = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (file < 0)
        return -1;
    int failure = connect(file, address, size) == 0 ? 0 : errno;
    if (failure == EINPROGRESS && wait_until(file, POLLOUT, deadline_ns)) {
        socklen_t length = sizeof failure;
        (void)getsockopt(file, SOL_SOCKET, SO_ERROR, &failure, &length);
    }
    if (failure == 0)
        return file;
    *refused = failure == ECONNREFUSED || failure == ENOENT;
    (void)close(file);
    return -1;
}

static int connect_tcp(const char *host_port, int64_t deadline_ns, bool *refused)
{
    char host[256];
    const char *colon = strrchr(host_port, ':');
    size_t length = colon == NULL ? 0 : (size_t)(colon - host_port);
    bool bracketed = length > 2 && host_port[0] == '[' && colon[-1] == ']';
    if (length == 0 || length >= sizeof host)
        return -1;
    snprintf(host, sizeof host, "%.*s", (int)(bracketed ? length - 2 : length),
             bracketed ? host_port + 1 : host_port);
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    if (getaddrinfo(host, colon + 1, &hints, &found) != 0)
        return -1;
    int file = -1;
    for (const struct addrinfo *one = found; one != NULL && file < 0; one = one->ai_next)
        file = connect_to(one->ai_addr, one->ai_addrlen, deadline_ns, refused);
    freeaddrinfo(found);
    return file;
}

static int connect_ipc(const char *path, int64_t deadline_ns, bool *refused)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path)
        return -1;
    memcpy(address.sun_path, path, strlen(path) + 1);
    return connect_to((const struct sockaddr *)&address, sizeof address, deadline_ns, refused);
}

/*
 * Reads until it has `size` bytes, the peer closes the connection (*ended), or the deadline passes. Returns
 * the number of bytes read.
 */
static size_t read_all(int file, char *bytes, size_t size, int64_t deadline_ns, bool *ended)
{
    size_t used = 0;
    *ended = false;
    while (used < size && !*ended && wait_until(file, POLLIN, deadline_ns)) {
        ssize_t got = read(file, bytes + used, size - used);
        *ended = got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR);
        used += got > 0 ? (size_t)got : 0;
    }
    return used;
}

enum probe_result probe(const char *address, uint32_t timeout_ms)
{
    static const char greeting[GREETING_SIZE] = {0, 'S', 'P', 0, 0, REQ, 0, 0};
    enum { SCHEME_LENGTH = 6 };
    int64_t deadline_ns = clock_monotonic_ns() + (int64_t)timeout_ms * NS_PER_MS;
    bool refused = false, ended;
    int file = strncmp(address, "ipc://", SCHEME_LENGTH) == 0
                   ? connect_ipc(address + SCHEME_LENGTH, deadline_ns, &refused)
                   : connect_tcp(address + SCHEME_LENGTH, deadline_ns, &refused);
    if (file < 0)
        return refused ? PROBE_NOBODY : PROBE_SILENT;
    char answer[GREETING_SIZE] = {0};
    (void)send(file, greeting, sizeof greeting, MSG_NOSIGNAL);
    size_t size = read_all(file, answer, sizeof answer, deadline_ns, &ended);
    (void)close(file);
    if (size == sizeof answer && memcmp(answer, greeting, PROTOCOL_AT) == 0) {
        int protocol = answer[PROTOCOL_AT] * 256 + answer[PROTOCOL_AT + 1];
        return protocol == REP ? PROBE_CALLS : protocol == PUB ? PROBE_EVENTS : PROBE_OTHER;
    }
    return size > 0 || ended ? PROBE_OTHER : PROBE_SILENT;
}

int probe_http(const char *host_port, const char *path, uint32_t timeout_ms, char *body, unsigned body_size)
{
    enum { ANSWER_SIZE = 4096, CODE_AT = 9, CODE_DIGITS = 3 };
    int64_t deadline_ns = clock_monotonic_ns() + (int64_t)timeout_ms * NS_PER_MS;
    char text[ANSWER_SIZE];
    bool refused = false, ended;
    body[0] = '\0';
    int file = connect_tcp(host_port, deadline_ns, &refused);
    if (file < 0)
        return refused ? 0 : -1;
    int length = snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", path,
                          host_port);
    (void)send(file, text, (size_t)length, MSG_NOSIGNAL);
    size_t size = read_all(file, text, sizeof text - 1, deadline_ns, &ended);
    (void)close(file);
    text[size] = '\0';
    if (strncmp(text, "HTTP/1.", strlen("HTTP/1.")) != 0 || size < CODE_AT + CODE_DIGITS)
        return -1;
    const char *end = strstr(text, "\r\n\r\n");
    snprintf(body, body_size, "%s", end == NULL ? "" : end + strlen("\r\n\r\n"));
    return (int)strtol(text + CODE_AT, NULL, 10);
}
