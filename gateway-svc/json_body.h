/* JSON as the body of an answer. A newline ends it, for people who read it in a terminal. */
#ifndef GATEWAY_SVC_JSON_BODY_H
#define GATEWAY_SVC_JSON_BODY_H

#include "http.h"

#include <jansson.h>
#include <protobuf-c/protobuf-c.h>

#include "base/arena.h"

/* Writes `json` into the request's arena, as the answer's body. False when out of memory, and for NULL. */
MUST_CHECK bool json_body_set(struct http_request *request, const json_t *json, struct http_answer *answer);

/* Writes `message` into `arena`, as the answer's body; `flags` and errors as in protojson_write. A failed
 * call leaves the answer as it was. */
MUST_CHECK enum status json_body_write(const ProtobufCMessage *message, unsigned flags, struct arena *arena,
                                       struct http_answer *answer, struct error *error);

#endif
