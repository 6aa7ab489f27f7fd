/* What a REST request says, as the message of its method. */
#ifndef GATEWAY_SVC_REST_REQUEST_H
#define GATEWAY_SVC_REST_REQUEST_H

#include "http.h"
#include "rest_routes.h"

#include <protobuf-c/protobuf-c.h>

/* What is wrong with a request's form: the code that tells so, and what to tell. */
struct rest_refusal {
    unsigned code; /* 0: nothing is */
    struct error error;
};

/*
 * Makes the message of type `input` out of the body, the path, the query, and the header fields
 * Idempotency-Key and If-Match, in the request's arena; NULL if it is refused: 400, 415, or 503 when out of
 * memory. Whoever says something twice must say the same.
 */
ProtobufCMessage *rest_request_read(struct http_request *request, const struct rest_match *match,
                                    const ProtobufCMessageDescriptor *input, struct rest_refusal *refusal);

/* The call's budget in ms: Request-Timeout-Ms, 1 to `max_ms`, or `default_ms`; 0 if it is refused. */
uint32_t rest_request_timeout(const struct http_request *request, uint32_t default_ms, uint32_t max_ms,
                              struct rest_refusal *refusal);

#endif
