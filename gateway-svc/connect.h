/*
 * Implements the Connect protocol for unary calls: POST /SERVICE/METHOD, and GET for methods without side
 * effects.
 */
#ifndef SCREENING_GATEWAY_SVC_CONNECT_H
#define SCREENING_GATEWAY_SVC_CONNECT_H

#include "api.h"

/* Handles paths such as "/screening.v1.BookingService/CreateBooking". */
void connect_handle(struct gateway *gateway, struct http_request *request);

/* Implements http_options.refuse for requests to such paths. */
void connect_refuse(struct http_request *request, unsigned code, const char *why);

#endif
