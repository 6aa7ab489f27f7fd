/* REST, as the original routes it, and the document that describes it. */
#ifndef GATEWAY_SVC_REST_H
#define GATEWAY_SVC_REST_H

#include "api.h"

/* The method that a request calls; NULL if there is none. */
const struct backend_method *rest_method(const struct gateway *gateway, const struct http_request *request);

/* Answers /hospitals, /bookings, /bookingHistories, what is below them, and /openapi.json; 404 for others. */
void rest_handle(struct gateway *gateway, struct http_request *request);

#endif
