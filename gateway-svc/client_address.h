/* Who sends a request over HTTP, as the services count it. Pure. */
#ifndef GATEWAY_SVC_CLIENT_ADDRESS_H
#define GATEWAY_SVC_CLIENT_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>

enum { CLIENT_ADDRESS_SIZE = INET6_ADDRSTRLEN + sizeof "/64" };

/* "192.0.2.7"; of IPv6 the network, "2001:db8::/64": one client has all of its addresses. False for any other
 * family. */
bool client_address_format(const struct sockaddr *address, char text[CLIENT_ADDRESS_SIZE]);

#endif
