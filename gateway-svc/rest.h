/* Serves REST with the routes of the original system, and the documents that describe it. */
#ifndef SCREENING_GATEWAY_SVC_REST_H
#define SCREENING_GATEWAY_SVC_REST_H

#include "api.h"

/* Returns the method that a request calls, or NULL if there is none. */
const struct backend_method *rest_method(const struct gateway *gateway, const struct http_request *request);

/*
 * Handles /hospitals, /bookings, /bookingHistories, the paths below them, and the documents. Answers 404 for
 * any other path.
 */
void rest_handle(struct gateway *gateway, struct http_request *request);

#endif
