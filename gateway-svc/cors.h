/* Pages of another origin: CORS. */
#ifndef GATEWAY_SVC_CORS_H
#define GATEWAY_SVC_CORS_H

#include "http.h"

/*
 * INVALID_ARGUMENT "cors-origin: ..." unless `origin` is "" or what browsers call an origin: scheme, host in
 * lower case, and a port unless it is the scheme's own. Anything else would match no page.
 */
MUST_CHECK enum status cors_check(const char *origin, struct error *error);

/*
 * Lets pages of the origin `allowed` read what the request is answered, if it comes from one; "" = nobody's
 * may. Before the answer.
 */
void cors_begin(const char *allowed, struct http_request *request);

/* Answers a browser's question whether such a page may send a request; false if the request is none. */
bool cors_preflight(const char *allowed, struct http_request *request);

#endif
