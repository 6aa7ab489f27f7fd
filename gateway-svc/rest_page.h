/* Links from one page of a list to the next. */
#ifndef GATEWAY_SVC_REST_PAGE_H
#define GATEWAY_SVC_REST_PAGE_H

#include "http.h"

/*
 * The query of `request` without its token, up to where the next page's token follows, which needs no percent
 * signs: "?customerId=c-1&pageToken=". As a reference it is relative to the path of the request, whatever a
 * proxy in front has made of that. In the request's arena; NULL when out of memory.
 */
const char *rest_page_next(struct http_request *request);

#endif
