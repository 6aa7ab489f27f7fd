/* Whose a connection is: what connections.h counts by. Pure but for the question to the kernel on ipc. */
#ifndef SCREENING_RPC_CONNECTION_ADDRESS_H
#define SCREENING_RPC_CONNECTION_ADDRESS_H

#include <stdint.h>
#include <sys/socket.h>

enum { CONNECTION_ADDRESS_BYTES = 8, CONNECTION_ADDRESS_TEXT_SIZE = 64 };

struct connection_address {
    uint8_t
        family; /* AF_INET, AF_INET6 (64 bits of the network), AF_UNIX (process or user), or 0: any other */
    uint8_t bytes[CONNECTION_ADDRESS_BYTES]; /* zero where the family needs fewer */
};

/* Of the connection `fd`, whose peer accept told. */
void connection_address_get(int fd, const struct sockaddr_storage *peer, struct connection_address *out);

/* For the log. Returns `text`. */
const char *connection_address_text(const struct connection_address *address,
                                    char text[CONNECTION_ADDRESS_TEXT_SIZE]);

#endif
