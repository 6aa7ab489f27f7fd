/* Interposes on the system calls of libmicrohttpd. */
#ifndef SCREENING_GATEWAY_SVC_HTTP_SYSTEM_H
#define SCREENING_GATEWAY_SVC_HTTP_SYSTEM_H

#include "http_wire.h"

#include <stdbool.h>

void http_system_register_metrics(void);

/*
 * Checks the data that arrives on this descriptor from now on. Once it is bad, the connection counts as reset
 * by its peer. Returns false if the number of the descriptor is too large, which does not happen within the
 * gateway's limit of connections. Call it on the connection's own thread.
 */
bool http_system_watch(int fd, struct http_wire *wire);

/* Ends the checks. Call it before the descriptor is closed. */
void http_system_forget(int fd);

#endif
