/* Formats the client address of an HTTP request for the services. Pure. */
#ifndef SCREENING_GATEWAY_SVC_CLIENT_ADDRESS_H
#define SCREENING_GATEWAY_SVC_CLIENT_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>

enum { CLIENT_ADDRESS_SIZE = INET6_ADDRSTRLEN + sizeof "/64" };

/*
 * Writes an address such as "192.0.2.7". For IPv6, writes the network, such as "2001:db8::/64", because one
 * client usually owns all addresses of a network. Returns false for families other than IPv4 and IPv6.
 */
bool client_address_format(const struct sockaddr *address, char text[CLIENT_ADDRESS_SIZE]);

#endif
