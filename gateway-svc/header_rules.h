/* Checks header fields by rules that the protocols of the gateway share. */
#ifndef SCREENING_GATEWAY_SVC_HEADER_RULES_H
#define SCREENING_GATEWAY_SVC_HEADER_RULES_H

#include "http.h"

#include <stdbool.h>

/*
 * Returns the name of a field that must have a single value but occurs with different values, or NULL if
 * there is none. Refuse such a request, because its meaning would depend on which value the reader uses.
 */
const char *header_contradiction(const struct http_request *request);

/*
 * Returns whether a Content-Type (NULL = none) is application/json, without a charset or with UTF-8. Other
 * parameters are ignored if `any_parameter`, and rejected otherwise.
 */
bool header_is_json(const char *content_type, bool any_parameter);

/* Returns whether a Content-Type (NULL = none) is one that an HTML form can send. */
bool header_is_form(const char *content_type);

/* Returns whether a Content-Encoding (NULL = none) leaves the body unchanged. */
bool header_is_identity(const char *content_encoding);

#endif
