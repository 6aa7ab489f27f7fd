/* Links from one page of a list to the next. */
#ifndef SCREENING_GATEWAY_SVC_REST_PAGE_H
#define SCREENING_GATEWAY_SVC_REST_PAGE_H

#include "http.h"

/*
 * Returns the query of `request` without its token, up to the position of the next token, which needs no
 * escaping: "?customerId=c-1&pageToken=". A link built from it is relative to the request's path, so it stays
 * valid behind a proxy that rewrites paths. The result is in the request's arena. Returns NULL when out of
 * memory.
 */
const char *rest_page_next(struct http_request *request);

#endif
