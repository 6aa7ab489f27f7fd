/* Writes JSON response bodies. Each ends with a newline, for people who read it in a terminal. */
#ifndef SCREENING_GATEWAY_SVC_JSON_BODY_H
#define SCREENING_GATEWAY_SVC_JSON_BODY_H

#include "http.h"

#include <jansson.h>
#include <protobuf-c/protobuf-c.h>

#include "base/arena.h"

/*
 * Sets the response body to `json`, written into the request's arena. Returns false if `json` is NULL or when
 * out of memory.
 */
MUST_CHECK bool json_body_set(struct http_request *request, const json_t *json, struct http_answer *answer);

/*
 * Sets the response body to `message`, written into `arena`. `flags` and errors are those of protojson_write.
 * After a failure the answer is unchanged.
 */
MUST_CHECK enum status json_body_write(const ProtobufCMessage *message, unsigned flags, struct arena *arena,
                                       struct http_answer *answer, struct error *error);

#endif
