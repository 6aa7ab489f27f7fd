/* Rules on header fields that hold for REST, Connect and events alike. */
#ifndef GATEWAY_SVC_HEADER_RULES_H
#define GATEWAY_SVC_HEADER_RULES_H

#include "http.h"

#include <stdbool.h>

/*
 * The name of a field of ours that has one value and is given several times with different ones; NULL if
 * there is none: it must not depend on who reads the request which of them counts.
 */
const char *header_contradiction(const struct http_request *request);

/* Whether a Content-Type, NULL for none, is application/json in UTF-8: with no charset, or that one. Other
 * parameters are passed over if `any_parameter`, else there must be none. */
bool header_is_json(const char *content_type, bool any_parameter);

/* Whether a body with this Content-Encoding, NULL for none, is as it is. */
bool header_is_identity(const char *content_encoding);

#endif
