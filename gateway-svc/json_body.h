/* JSON as the body of an answer. */
#ifndef GATEWAY_SVC_JSON_BODY_H
#define GATEWAY_SVC_JSON_BODY_H

#include "http.h"

#include <jansson.h>

/* Writes `json` into the request's arena, as the answer's body. False when out of memory, and for NULL. */
MUST_CHECK bool json_body_set(struct http_request *request, const json_t *json, struct http_answer *answer);

#endif
