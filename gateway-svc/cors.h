/* CORS: access for pages of another origin. */
#ifndef SCREENING_GATEWAY_SVC_CORS_H
#define SCREENING_GATEWAY_SVC_CORS_H

#include "http.h"

/*
 * Returns INVALID_ARGUMENT "cors-origin: ..." unless `origin` is "" or an origin as browsers send it. That is
 * the scheme, the host in lower case, and the port unless it is the scheme's default. No page would match any
 * other text.
 */
MUST_CHECK enum status cors_check(const char *origin, struct error *error);

/*
 * Lets pages of the origin `allowed` read the response, if the request comes from one. "" allows no page.
 * Call it before the response.
 */
void cors_begin(const char *allowed, struct http_request *request);

/*
 * Answers a preflight request, by which a browser asks whether such a page may send a request. Returns false
 * if the request is not one.
 */
bool cors_preflight(const char *allowed, struct http_request *request);

#endif
