/* Converts a method's response to a REST response. */
#ifndef SCREENING_GATEWAY_SVC_REST_ANSWER_H
#define SCREENING_GATEWAY_SVC_REST_ANSWER_H

#include "backend.h"
#include "http.h"
#include "rest_routes.h"

/* A call in flight, in its request's arena. */
struct rest_call {
    struct backend_call backend;
    struct http_request *request;
    const struct rest_route *route;
    const ProtobufCMessageDescriptor *input; /* the type of the method's request message */
    const char *if_none_match;               /* the field If-None-Match, or NULL */
    const char *next_page; /* query of the next page up to the page token; NULL = no pages */
};

/*
 * The closure of a call. Responds with 200, with 304, or with a problem. A creation gets Location and 201, or
 * 202 if the booking waits. Sets ETag from the response's `version` and Link from its `next_page_token`.
 * Never blocks.
 */
void rest_answer(const ProtobufCMessage *response, void *backend_call);

#endif
