/* Addresses of servers, for the client library and screenctl. Keeps no state. */
#ifndef SCREENING_CLIENT_ADDRESS_H
#define SCREENING_CLIENT_ADDRESS_H

#include <stdbool.h>

/* The parts of "tcp://HOST:PORT", "tls+tcp://HOST:PORT" or "ipc:///PATH". */
struct address {
    bool ipc, tls;
    char host[256]; /* the host, or the path of an ipc address */
    char port[6];   /* a number from 1 to 65535 */
};

/* Parses an address. Returns false if the text has none of these forms, or is NULL. */
bool address_parse(const char *text, struct address *out);

/*
 * Returns whether everybody on the network between could read what is sent: the address is one without TLS,
 * and its host is neither localhost nor a loopback address (127.0.0.0/8 or ::1).
 */
bool address_is_open(const struct address *address);

#endif
