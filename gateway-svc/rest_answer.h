/* Turns a method's response into a REST response. */
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
    const ProtobufCMessageDescriptor *input; /* the request message of the method */
    const char *if_none_match;               /* NULL = always send the body */
    const char *next_page;                   /* the query up to the token; NULL = the method has no pages */
};

/*
 * Responds, as the call's closure, with 200, with 201 and Location for a created resource, with 202 while a
 * booking waits, with 304, or with a problem. Takes ETag from the response's `version` and Link from its
 * `next_page_token`. Never blocks.
 */
void rest_answer(const ProtobufCMessage *response, void *backend_call);

#endif
