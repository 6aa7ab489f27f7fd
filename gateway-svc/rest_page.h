/* Builds links from one page of a list to the next. */
#ifndef SCREENING_GATEWAY_SVC_REST_PAGE_H
#define SCREENING_GATEWAY_SVC_REST_PAGE_H

#include "http.h"

/*
 * Returns the query of the next page up to its token, such as "?customerId=c-1&pageToken=". It is the query
 * of `request` without a token, followed by an empty pageToken. The caller appends the next token, which
 * needs no escaping. A link with this query is relative to the request's path, so the link stays valid behind
 * a proxy that rewrites paths. The result is in the request's arena. Returns NULL when out of memory.
 */
const char *rest_page_next(struct http_request *request);

#endif
