/* Dispatches requests to gRPC, Connect, events, REST and the documents, by their content type and path. */
#ifndef SCREENING_GATEWAY_SVC_API_H
#define SCREENING_GATEWAY_SVC_API_H

#include "backend.h"
#include "http.h"

#include <stdint.h>

struct grpc_streams;
struct live;
struct security;

struct gateway {
    struct backend *backend;
    struct live *live;
    struct security *security;
    struct grpc_streams *grpc_streams;
    uint32_t default_timeout_ms;             /* the timeout of calls that specify none */
    uint32_t timeout_max_ms;                 /* the maximum timeout of a call */
    const char *cors_origin;                 /* the origin whose pages may read responses; "" = none */
    const char *(*not_ready)(void *context); /* returns why the gateway is not ready, or NULL; any thread */
    void *not_ready_context;
};

/* The callbacks of struct http_options. The context is a struct gateway. */
void api_handle(void *context, struct http_request *request);
size_t api_body_max(void *context, const struct http_request *request);
void api_refuse(void *context, struct http_request *request, unsigned code, const char *why);

#endif
