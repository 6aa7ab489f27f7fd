/*
 * Functions for unary calls, which REST, Connect and gRPC share. A unary call has one request message and one
 * response message.
 */
#ifndef SCREENING_GATEWAY_SVC_UNARY_H
#define SCREENING_GATEWAY_SVC_UNARY_H

#include "api.h"

/* Returns the public method that a path /SERVICE/METHOD names, or NULL if there is none. */
const struct backend_method *unary_method(const struct gateway *gateway, const char *path);

/*
 * Sets the members of a call that depend on the HTTP request: client address, authorization, trace and arena.
 */
void unary_describe(struct http_request *request, struct backend_call *call);

/* Returns the source of a request for security_identify: the address of its client. */
struct auth_source unary_source(struct http_request *request);

/* Sets *error for a request that was refused with an HTTP status code. `why` is the message. */
void unary_refusal(unsigned code, const char *why, struct error *error);

#endif
