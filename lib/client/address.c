#include "client/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

enum { LOOPBACK_NET = 127, NET_SHIFT = 24, PORT_MAX = 65535, DECIMAL = 10 };

static bool parse_path(const char *path, struct address *out)
{
    size_t length = strlen(path);
    out->ipc = true;
    if (length == 0 || length >= sizeof((struct sockaddr_un *)0)->sun_path)
        return false;
    memcpy(out->host, path, length + 1);
    return true;
}

static bool parse_port(const char *text, struct address *out)
{
    size_t length = strlen(text);
    if (length == 0 || length >= sizeof out->port || strspn(text, "0123456789") != length)
        return false;
    memcpy(out->port, text, length);
    long port = strtol(text, NULL, DECIMAL);
    return port > 0 && port <= PORT_MAX;
}

bool address_parse(const char *text, struct address *out)
{
    static const char tcp[] = "tcp://", ipc[] = "ipc://", tls[] = "tls+";
    *out = (struct address){0};
    if (text == NULL)
        return false;
    if (strncmp(text, ipc, sizeof ipc - 1) == 0)
        return parse_path(text + sizeof ipc - 1, out);
    out->tls = strncmp(text, tls, sizeof tls - 1) == 0;
    if (out->tls)
        text += sizeof tls - 1;
    if (strncmp(text, tcp, sizeof tcp - 1) != 0)
        return false;
    const char *host = text + sizeof tcp - 1;
    const char *colon = strrchr(host, ':');
    size_t length = colon != NULL ? (size_t)(colon - host) : 0;
    if (length > 2 && host[0] == '[' && host[length - 1] == ']') { /* IPv6 */
        host++;
        length -= 2;
    }
    if (length == 0 || length >= sizeof out->host || !parse_port(colon + 1, out))
        return false;
    memcpy(out->host, host, length);
    return true;
}

static bool is_loopback(const char *host)
{
    struct in_addr v4;
    struct in6_addr v6;
    if (inet_pton(AF_INET, host, &v4) == 1)
        return ntohl(v4.s_addr) >> NET_SHIFT == LOOPBACK_NET;
    return inet_pton(AF_INET6, host, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

bool address_is_open(const struct address *address)
{
    return !address->ipc && !address->tls && strcmp(address->host, "localhost") != 0 &&
           !is_loopback(address->host);
}
