/* Turns a REST request into its method's request message. */
#ifndef SCREENING_GATEWAY_SVC_REST_REQUEST_H
#define SCREENING_GATEWAY_SVC_REST_REQUEST_H

#include "http.h"
#include "rest_routes.h"

#include <protobuf-c/protobuf-c.h>

/* The reason why a request is malformed, as a status code and a message. */
struct rest_refusal {
    unsigned code; /* 0 = not refused */
    struct error error;
};

/*
 * Builds the message of type `input` in the request's arena, from the body, the path, the query, and the
 * header fields Idempotency-Key and If-Match. Returns NULL if the request is refused with 400, 415, or (when
 * out of memory) 503. A value that is given twice must be equal.
 */
ProtobufCMessage *rest_request_read(struct http_request *request, const struct rest_match *match,
                                    const ProtobufCMessageDescriptor *input, struct rest_refusal *refusal);

/*
 * Returns the call's budget in ms. It is Request-Timeout-Ms, from 1 to `max_ms`, or `default_ms`. Returns 0
 * if the field is refused.
 */
uint32_t rest_request_timeout(const struct http_request *request, uint32_t default_ms, uint32_t max_ms,
                              struct rest_refusal *refusal);

#endif
