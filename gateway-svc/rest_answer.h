/* What a method's answer looks like in REST. */
#ifndef GATEWAY_SVC_REST_ANSWER_H
#define GATEWAY_SVC_REST_ANSWER_H

#include "backend.h"
#include "http.h"
#include "rest_routes.h"

/* A call on its way, in the arena of its request. */
struct rest_call {
    struct backend_call backend; /* first: the closure's data */
    struct http_request *request;
    const struct rest_route *route;
    const ProtobufCMessageDescriptor *input; /* of its method */
    const char *if_none_match;               /* NULL: whatever there is is sent */
    const char *next_page;                   /* its query up to the token; NULL: the method has no pages */
};

/*
 * The closure of the call: 200, 201 with Location for what was created, 202 if it waits, 304; ETag from the
 * answer's `version`, Link from its `next_page_token`; or a problem. Does not block.
 */
void rest_answer(const ProtobufCMessage *response, void *call);

#endif
