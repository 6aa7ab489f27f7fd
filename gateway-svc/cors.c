#include "cors.h"

#include <string.h>

enum { NO_CONTENT = 204 };

static bool is_allowed(const char *allowed, const struct http_request *request)
{
    const char *origin = http_header(request, "Origin");
    return allowed[0] != '\0' && origin != NULL && strcmp(origin, allowed) == 0;
}

void cors_begin(const char *allowed, struct http_request *request)
{
    if (allowed[0] == '\0')
        return;
    http_add_field(request, "Vary", "Origin");
    if (!is_allowed(allowed, request))
        return;
    http_add_field(request, "Access-Control-Allow-Origin", allowed);
    http_add_field(request, "Access-Control-Expose-Headers", "ETag, Link, Location, Retry-After");
}

bool cors_preflight(const char *allowed, struct http_request *request)
{
    static const struct http_answer answer = {
        .code = NO_CONTENT,
        .fields = {{"Access-Control-Allow-Methods", "GET, HEAD, POST, PUT, DELETE"},
                   {"Access-Control-Allow-Headers",
                    "Authorization, Connect-Protocol-Version, Connect-Timeout-Ms, Content-Type, "
                    "Idempotency-Key, If-Match, If-None-Match, Last-Event-ID, Request-Timeout-Ms, "
                    "traceparent"},
                   {"Access-Control-Max-Age", "600"}},
    };
    if (!is_allowed(allowed, request) || strcmp(http_method(request), "OPTIONS") != 0 ||
        http_header(request, "Access-Control-Request-Method") == NULL)
        return false;
    http_respond(request, &answer);
    return true;
}
