/* REST, as the original routes it. */
#ifndef GATEWAY_SVC_REST_H
#define GATEWAY_SVC_REST_H

#include "api.h"

/* Answers every path that begins with /hospitals, /bookings or /bookingHistories, and 404 for others. */
void rest_handle(struct gateway *gateway, struct http_request *request);

#endif
