#include "service/listen.h"

#include <errno.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ADDRESS_MAX = 256, BACKLOG = 1024, PORT_MAX = 65535 };

/* Splits "HOST:PORT" or "[HOST]:PORT" in place. Returns false if the text has neither form. */
static bool split_address(char *address, const char **host, const char **port)
{
    char *colon = strrchr(address, ':');
    if (colon == NULL || colon == address || colon[1] == '\0')
        return false;
    *colon = '\0';
    *port = colon + 1;
    *host = address;
    size_t length = strlen(address);
    if (address[0] == '[' && address[length - 1] == ']') {
        address[length - 1] = '\0';
        *host = address + 1;
    } else if (strchr(address, ':') != NULL) {
        return false; /* IPv6 without brackets, in which the port would be ambiguous */
    }
    unsigned long number = strtoul(*port, NULL, 10);
    return strspn(*port, "0123456789") == strlen(*port) && number >= 1 && number <= PORT_MAX;
}

/* Returns a listening socket at the resolved address, or -1 with errno set. */
static int listen_at(const struct addrinfo *at)
{
    const int on = 1;
    int fd = socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, at->ai_protocol);
    if (fd < 0)
        return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(fd, at->ai_addr, at->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0) {
        int cause = errno;
        close(fd);
        errno = cause;
        return -1;
    }
    return fd;
}

enum status listen_on(const char *setting, const char *text, int *fd, struct error *error)
{
    char address[ADDRESS_MAX];
    const char *host = NULL, *port = NULL;
    if (snprintf(address, sizeof address, "%s", text) >= (int)sizeof address ||
        !split_address(address, &host, &port))
        return error_invalid(error, "%s: %s: must be HOST:PORT", setting, text);
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    int failure = getaddrinfo(host, port, &hints, &found);
    if (failure != 0)
        return error_invalid(error, "%s: %s: %s", setting, text, gai_strerror(failure));
    *fd = listen_at(found);
    int cause = errno;
    freeaddrinfo(found);
    if (*fd < 0)
        return error_invalid(error, "%s: %s: %s", setting, text, strerror(cause));
    return STATUS_OK;
}
