/* Rules for header fields that REST, Connect and events share. */
#ifndef SCREENING_GATEWAY_SVC_HEADER_RULES_H
#define SCREENING_GATEWAY_SVC_HEADER_RULES_H

#include "http.h"

#include <stdbool.h>

/*
 * Returns the name of a single-valued field of ours that occurs with different values; NULL if there is none.
 * Such a request must be refused, because its meaning would depend on which value the reader uses.
 */
const char *header_contradiction(const struct http_request *request);

/*
 * Returns whether a Content-Type (NULL = none) is application/json in UTF-8: without a charset, or with that
 * one. Other parameters are ignored with `any_parameter`, and rejected without.
 */
bool header_is_json(const char *content_type, bool any_parameter);

/* Returns whether a Content-Encoding (NULL = none) leaves the body unchanged. */
bool header_is_identity(const char *content_encoding);

#endif
