/* Answers of REST that tell what went wrong: RFC 9457. */
#ifndef GATEWAY_SVC_PROBLEM_H
#define GATEWAY_SVC_PROBLEM_H

#include "http.h"

/*
 * application/problem+json with status, title, detail and, where it has one, the reason word and
 * retry_after_ms; Retry-After as policy.h says. What a service tells only its operators (INTERNAL) is not
 * passed on.
 */
void problem_respond(struct http_request *request, const struct error *error);

/* The same for what is wrong with HTTP itself: 400, 404, 405, 413, ... `allow` is for 405, else NULL. */
void problem_respond_http(struct http_request *request, unsigned code, const char *detail, const char *allow);

#endif
