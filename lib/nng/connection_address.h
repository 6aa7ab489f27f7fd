/*
 * Finds the owner of a connection, for connections.h, which counts the connections of each owner. Changes no
 * state. For ipc, queries the kernel.
 */
#ifndef SCREENING_NNG_CONNECTION_ADDRESS_H
#define SCREENING_NNG_CONNECTION_ADDRESS_H

#include <stdint.h>
#include <sys/socket.h>

enum { CONNECTION_ADDRESS_BYTES = 8, CONNECTION_ADDRESS_TEXT_SIZE = 64 };

struct connection_address {
    /* AF_INET, AF_INET6 (64-bit network), AF_UNIX (process or user), or 0 for any other family */
    uint8_t family;
    uint8_t bytes[CONNECTION_ADDRESS_BYTES]; /* address, network, or process and user id; padded with zeros */
};

/* Gets the owner of the connection `fd`. `peer` is the address that accept returned. */
void connection_address_get(int fd, const struct sockaddr_storage *peer, struct connection_address *out);

/* Formats the address for the log. Returns `text`. */
const char *connection_address_text(const struct connection_address *address,
                                    char text[CONNECTION_ADDRESS_TEXT_SIZE]);

#endif
