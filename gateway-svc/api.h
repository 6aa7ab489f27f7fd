/* Dispatches requests by path to Connect, REST, events and documents. */
#ifndef SCREENING_GATEWAY_SVC_API_H
#define SCREENING_GATEWAY_SVC_API_H

#include "backend.h"
#include "http.h"

#include <stdint.h>

struct live;

struct gateway {
    struct backend *backend;
    struct live *live;
    uint32_t default_timeout_ms; /* for calls without a timeout */
    uint32_t timeout_max_ms;     /* limit for calls with a timeout */
    const char *cors_origin;     /* the origin whose pages may read responses; "" = none */
};

/* The handlers of struct http_options. The context is a struct gateway. */
void api_handle(void *context, struct http_request *request);
size_t api_body_max(void *context, const struct http_request *request);
void api_refuse(void *context, struct http_request *request, unsigned code, const char *why);

#endif
