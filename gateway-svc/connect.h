/* The Connect protocol for unary calls: POST /SERVICE/METHOD, and GET for methods without side effects. */
#ifndef SCREENING_GATEWAY_SVC_CONNECT_H
#define SCREENING_GATEWAY_SVC_CONNECT_H

#include "api.h"

/* Returns the method that a path names, or NULL if there is none. */
const struct backend_method *connect_method(const struct gateway *gateway, const char *path);

/* Handles paths such as "/screening.v1.BookingService/CreateBooking". */
void connect_handle(struct gateway *gateway, struct http_request *request);

/* Responds to a request for such a path that the HTTP server refused. For http_options.refuse. */
void connect_refuse(struct http_request *request, unsigned code, const char *why);

#endif
