#include "api.h"

#include "connect.h"
#include "cors.h"
#include "header_rules.h"
#include "http_status.h"
#include "live.h"
#include "problem.h"
#include "request_bounds.h"
#include "rest.h"

#include <string.h>

static bool begins_with(const char *path, const char *prefix)
{
    return strncmp(path, prefix, strlen(prefix)) == 0;
}

static bool is_connect(const struct http_request *request)
{
    return begins_with(http_path(request), "/screening.v1.");
}

/* Responds and returns false if one of our header fields occurs with different values. */
static bool is_unambiguous(struct gateway *gateway, struct http_request *request)
{
    const char *name = header_contradiction(request);
    if (name == NULL)
        return true;
    const char *why =
        arena_printf(http_arena(request), "%s: must not be given twice with other values", name);
    api_refuse(gateway, request, HTTP_BAD_REQUEST, why != NULL ? why : "out of memory");
    return false;
}

size_t api_body_max(void *context, const struct http_request *request)
{
    const struct gateway *gateway = context;
    const struct backend_method *method =
        is_connect(request) ? connect_method(gateway, http_path(request)) : rest_method(gateway, request);
    return request_bounds_of(method != NULL ? method->method->input : NULL).body_bytes;
}

void api_handle(void *context, struct http_request *request)
{
    struct gateway *gateway = context;
    const char *path = http_path(request);
    cors_begin(gateway->cors_origin, request);
    if (cors_preflight(gateway->cors_origin, request))
        return;
    if (!is_unambiguous(gateway, request))
        return;
    if (is_connect(request))
        connect_handle(gateway, request);
    else if (strcmp(path, "/events") == 0)
        live_handle(gateway->live, request);
    else
        rest_handle(gateway, request);
}

void api_refuse(void *context, struct http_request *request, unsigned code, const char *why)
{
    const struct gateway *gateway = context;
    cors_begin(gateway->cors_origin, request);
    if (is_connect(request))
        connect_refuse(request, code, why);
    else
        problem_respond_http(request, code, why, NULL);
}
