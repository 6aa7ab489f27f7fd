/*
 * Implements CORS: lets pages of one other origin use the gateway, and refuses writes from pages of other
 * sites.
 */
#ifndef SCREENING_GATEWAY_SVC_CORS_H
#define SCREENING_GATEWAY_SVC_CORS_H

#include "http.h"

/*
 * Returns INVALID_ARGUMENT "cors-origin: ..." unless `origin` is "" or an origin in the form that browsers
 * send: the scheme, the host in lower case, and the port unless it is the scheme's default. No page would
 * match any other text.
 */
MUST_CHECK enum status cors_check(const char *origin, struct error *error);

/*
 * If the request comes from a page of the origin `allowed`, lets the page read the response. "" allows no
 * page. Call it before responding.
 */
void cors_begin(const char *allowed, struct http_request *request);

/*
 * Answers a preflight request, with which a browser asks whether a page of the origin `allowed` may send a
 * request. For any other request, returns false and does not respond.
 */
bool cors_preflight(const char *allowed, struct http_request *request);

/*
 * Returns whether to refuse a request because a page of another site may have sent it without a preflight, as
 * an HTML form can. GET, HEAD and OPTIONS are never refused. A request with any other method is refused if
 * its `origin` is neither `allowed` nor the origin of `authority`. Without an Origin, it is refused if `site`
 * (Sec-Fetch-Site) is cross-site. NULL means that the header is absent. Pure.
 */
bool cors_refuses(const char *allowed, const char *method, const char *origin, const char *site,
                  const char *authority);

/* Like cors_refuses, with the method and the header fields of the request. */
bool cors_is_refused(const char *allowed, const struct http_request *request);

#endif
