/* Error responses of REST, as in RFC 9457. */
#ifndef SCREENING_GATEWAY_SVC_PROBLEM_H
#define SCREENING_GATEWAY_SVC_PROBLEM_H

#include "http.h"

/*
 * Responds with application/problem+json: status, title, detail, the reason if it has one, and
 * retry_after_ms; Retry-After as in http_mapping.h. Messages for operators only (INTERNAL) are not passed on.
 */
void problem_respond(struct http_request *request, const struct error *error);

/*
 * Like problem_respond, for errors of HTTP such as 400, 404, 405 and 413. `allow` is for 405, otherwise NULL.
 */
void problem_respond_http(struct http_request *request, unsigned code, const char *detail, const char *allow);

#endif
