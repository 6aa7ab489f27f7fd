#include "nng/tls.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#define SCHEME "tls+tcp://"

bool tls_is_address(const char *address)
{
    return strncmp(address, SCHEME, strlen(SCHEME)) == 0;
}

/* Returns whether the host of the address is an IP address. */
static bool has_ip_host(const char *address)
{
    char host[INET6_ADDRSTRLEN];
    struct in6_addr parsed;
    const char *begin = address + strlen(SCHEME), *colon = strrchr(begin, ':');
    if (begin[0] == '[')
        return true;
    size_t length = colon != NULL ? (size_t)(colon - begin) : strlen(begin);
    if (length >= sizeof host)
        return false;
    (void)snprintf(host, sizeof host, "%.*s", (int)length, begin);
    return inet_pton(AF_INET, host, &parsed) == 1;
}

int tls_prepare(nng_dialer dialer, const char *address, const struct tls_dialing *tls)
{
    int rv = nng_dialer_set_string(dialer, NNG_OPT_TLS_CA_FILE, tls->ca);
    if (rv == 0 && has_ip_host(address))
        rv = nng_dialer_set_string(dialer, NNG_OPT_TLS_SERVER_NAME, tls->fallback);
    return rv;
}
