/* What libmicrohttpd asks of the system goes through our hands. */
#ifndef SCREENING_GATEWAY_SVC_HTTP_SYSTEM_H
#define SCREENING_GATEWAY_SVC_HTTP_SYSTEM_H

#include "http_wire.h"

#include <stdbool.h>

void http_system_register_metrics(void);

/* False if the descriptor is beyond all that a gateway with its most connections has. Else from now on what
 * arrives on this descriptor is looked at: once it is bad, the connection counts as reset by its peer. On the
 * connection's own thread. */
bool http_system_watch(int fd, struct http_wire *wire);

/* Before the descriptor is closed. */
void http_system_forget(int fd);

#endif
