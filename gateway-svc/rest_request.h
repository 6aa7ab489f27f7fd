/* Converts a REST request to the request message of its method. */
#ifndef SCREENING_GATEWAY_SVC_REST_REQUEST_H
#define SCREENING_GATEWAY_SVC_REST_REQUEST_H

#include "http.h"
#include "rest_routes.h"

#include <protobuf-c/protobuf-c.h>

/* Why a request is refused: an HTTP status code and a message. */
struct rest_refusal {
    unsigned code; /* 0 = not refused */
    struct error error;
};

struct auth_caller;

/*
 * Builds the message of type `input` in the request's arena, from the body, the path, the query, and the
 * header fields Idempotency-Key and If-Match. A key that is no UUID belongs to `caller`, if a token proves
 * who that is, so that two callers with the same key get different ids. `caller` may be NULL. If a value is
 * given twice, both must be equal. If the request is refused, returns NULL and sets *refusal. Its code is
 * 400, 415, or (when out of memory) 503.
 */
ProtobufCMessage *rest_request_read(struct http_request *request, const struct rest_match *match,
                                    const struct auth_caller *caller, const ProtobufCMessageDescriptor *input,
                                    struct rest_refusal *refusal);

/*
 * Returns the call's budget in ms. It is the value of Request-Timeout-Ms (1 to `max_ms`) or, without this
 * field, `default_ms`. If the field is invalid, returns 0 and sets *refusal.
 */
uint32_t rest_request_timeout(const struct http_request *request, uint32_t default_ms, uint32_t max_ms,
                              struct rest_refusal *refusal);

#endif
