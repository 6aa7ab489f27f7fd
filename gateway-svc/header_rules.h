/* Rules for header fields that are common to REST, Connect and events. */
#ifndef SCREENING_GATEWAY_SVC_HEADER_RULES_H
#define SCREENING_GATEWAY_SVC_HEADER_RULES_H

#include "http.h"

#include <stdbool.h>

/*
 * Returns the name of one of our single-valued fields that occurs with different values, or NULL if there is
 * none. Such a request must be refused, because its meaning would depend on which value the reader uses.
 */
const char *header_contradiction(const struct http_request *request);

/*
 * Returns whether a Content-Type (NULL = none) is application/json, without a charset or with UTF-8. Other
 * parameters are ignored with `any_parameter`, and rejected without it.
 */
bool header_is_json(const char *content_type, bool any_parameter);

/* Returns whether a Content-Encoding (NULL = none) leaves the body unchanged. */
bool header_is_identity(const char *content_encoding);

#endif
