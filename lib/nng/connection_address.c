#include "nng/connection_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

enum { MAPPED_OFFSET = 12 /* offset of the IPv4 address in an IPv4-mapped IPv6 address */ };

static void take_ipv4(struct connection_address *out, const void *bytes)
{
    out->family = AF_INET;
    memcpy(out->bytes, bytes, sizeof(struct in_addr));
}

static void take_ipv6(struct connection_address *out, const struct in6_addr *address)
{
    if (IN6_IS_ADDR_V4MAPPED(address)) {
        take_ipv4(out, address->s6_addr + MAPPED_OFFSET);
        return;
    }
    out->family = AF_INET6;
    memcpy(out->bytes, address->s6_addr, sizeof out->bytes);
}

/*
 * Records the peer's process as its address. The pid of a process in another container reads as 0 here; the
 * user id is then used instead.
 */
static void take_process(struct connection_address *out, int fd)
{
    struct ucred peer = {0};
    socklen_t size = sizeof peer;
    out->family = AF_UNIX;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0) {
        memcpy(out->bytes, &peer.pid, sizeof peer.pid);
        if (peer.pid == 0)
            memcpy(out->bytes + sizeof peer.pid, &peer.uid, sizeof peer.uid);
    }
}

void connection_address_get(int fd, const struct sockaddr_storage *peer, struct connection_address *out)
{
    memset(out, 0, sizeof *out);
    switch (peer->ss_family) {
    case AF_INET:
        take_ipv4(out, &((const struct sockaddr_in *)peer)->sin_addr);
        break;
    case AF_INET6:
        take_ipv6(out, &((const struct sockaddr_in6 *)peer)->sin6_addr);
        break;
    case AF_UNIX:
        take_process(out, fd);
        break;
    default:
        break;
    }
}

const char *connection_address_text(const struct connection_address *address,
                                    char text[CONNECTION_ADDRESS_TEXT_SIZE])
{
    struct in6_addr network = {0};
    pid_t pid;
    switch (address->family) {
    case AF_INET:
        (void)inet_ntop(AF_INET, address->bytes, text, CONNECTION_ADDRESS_TEXT_SIZE);
        break;
    case AF_INET6:
        memcpy(network.s6_addr, address->bytes, sizeof address->bytes);
        (void)inet_ntop(AF_INET6, &network, text, CONNECTION_ADDRESS_TEXT_SIZE);
        break;
    case AF_UNIX:
        memcpy(&pid, address->bytes, sizeof pid);
        (void)snprintf(text, CONNECTION_ADDRESS_TEXT_SIZE, "process %ld", (long)pid);
        break;
    default:
        (void)snprintf(text, CONNECTION_ADDRESS_TEXT_SIZE, "?");
        break;
    }
    return text;
}
