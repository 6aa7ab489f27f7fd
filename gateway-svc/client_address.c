#include "client_address.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

static bool format_v4(const void *bytes, char text[CLIENT_ADDRESS_SIZE])
{
    return inet_ntop(AF_INET, bytes, text, CLIENT_ADDRESS_SIZE) != NULL;
}

static bool format_v6(const struct in6_addr *address, char text[CLIENT_ADDRESS_SIZE])
{
    enum { NETWORK_BYTES = 8, MAPPED_BYTES = 12 };
    if (IN6_IS_ADDR_V4MAPPED(address))
        return format_v4(&address->s6_addr[MAPPED_BYTES], text);
    struct in6_addr network = IN6ADDR_ANY_INIT;
    char host[INET6_ADDRSTRLEN];
    memcpy(network.s6_addr, address->s6_addr, NETWORK_BYTES);
    if (inet_ntop(AF_INET6, &network, host, sizeof host) == NULL)
        return false;
    (void)snprintf(text, CLIENT_ADDRESS_SIZE, "%s/64", host);
    return true;
}

bool client_address_format(const struct sockaddr *address, char text[CLIENT_ADDRESS_SIZE])
{
    switch (address->sa_family) {
    case AF_INET:
        return format_v4(&((const struct sockaddr_in *)(const void *)address)->sin_addr, text);
    case AF_INET6:
        return format_v6(&((const struct sockaddr_in6 *)(const void *)address)->sin6_addr, text);
    default:
        return false;
    }
}
