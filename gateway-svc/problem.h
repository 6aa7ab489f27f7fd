/* Sends the error responses of REST, as in RFC 9457. */
#ifndef SCREENING_GATEWAY_SVC_PROBLEM_H
#define SCREENING_GATEWAY_SVC_PROBLEM_H

#include "http.h"

/*
 * Responds with application/problem+json: status, title, detail, reason (the status's name if the error has
 * none), and retry_after_ms if the error has one. http_mapping.h determines Retry-After and detail.
 */
void problem_respond(struct http_request *request, const struct error *error);

/*
 * Like problem_respond, but without a reason, for errors of HTTP such as 400, 404, 405 and 413. `allow` is
 * the value of the field Allow for 405, otherwise NULL.
 */
void problem_respond_http(struct http_request *request, unsigned code, const char *detail, const char *allow);

#endif
