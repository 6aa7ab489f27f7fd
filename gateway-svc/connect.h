/* The Connect protocol, unary calls: POST /SERVICE/METHOD, and GET for methods without side effects. */
#ifndef GATEWAY_SVC_CONNECT_H
#define GATEWAY_SVC_CONNECT_H

#include "api.h"

/* The method that a path names; NULL if there is none. */
const struct backend_method *connect_method(const struct gateway *gateway, const char *path);

/* Answers the path "/screening.v1.BookingService/CreateBooking" and its like. */
void connect_handle(struct gateway *gateway, struct http_request *request);

/* Answers a request to such a path that never came to connect_handle: http_options.refuse. */
void connect_refuse(struct http_request *request, unsigned code, const char *why);

#endif
