#include "api.h"

#include "connect.h"
#include "cors.h"
#include "grpc.h"
#include "header_rules.h"
#include "http_status.h"
#include "live.h"
#include "problem.h"
#include "request_bounds.h"
#include "rest.h"
#include "unary.h"

#include <string.h>
#include <strings.h>

static bool begins_with(const char *path, const char *prefix)
{
    return strncmp(path, prefix, strlen(prefix)) == 0;
}

static bool is_connect(const struct http_request *request)
{
    return begins_with(http_path(request), "/screening.v1.");
}

/* Responds with an error in the protocol of the request. */
static void refuse(struct http_request *request, unsigned code, const char *why)
{
    if (grpc_is(request))
        grpc_refuse(request, code, why);
    else if (is_connect(request))
        connect_refuse(request, code, why);
    else
        problem_respond_http(request, code, why, NULL);
}

/*
 * If a header field that must have a single value occurs with different values, refuses the request and
 * returns false.
 */
static bool is_unambiguous(struct http_request *request)
{
    const char *name = header_contradiction(request);
    if (name == NULL)
        return true;
    const char *why =
        arena_printf(http_arena(request), "%s: must not be given twice with other values", name);
    refuse(request, HTTP_BAD_REQUEST, why != NULL ? why : "out of memory");
    return false;
}

/*
 * Returns whether the body could be the beginning of a longer one. If a client leaves, a proxy may end its
 * body as if it were whole, as HAProxy 2.6 does. That shows in JSON, in gRPC and by Content-Length, but not
 * in a binary message. The door waits for the end of a body of 8 KiB if its head has at most 6 KiB, so only
 * bodies that are larger or have a larger head need Content-Length.
 */
static bool may_be_cut(const struct http_request *request)
{
    static const char JSON[] = "application/json";
    const char *type = http_header(request, "Content-Type");
    return is_connect(request) && !grpc_is(request) &&
           (type == NULL || strncasecmp(type, JSON, strlen(JSON)) != 0) &&
           http_header(request, "Content-Length") == NULL;
}

/* The largest head of a request, with its overhead, for whose body of 8 KiB the door's buffer has room. */
enum { DOOR_HEAD_BYTES = 6 * 1024 };

size_t api_body_max(void *context, const struct http_request *request)
{
    const struct gateway *gateway = context;
    bool is_grpc = grpc_is(request);
    if (grpc_reads_stream(request))
        return HTTP_BODY_IN_PIECES;
    const struct backend_method *method = is_grpc || is_connect(request)
                                              ? unary_method(gateway, http_path(request))
                                              : rest_method(gateway, request);
    bool is_small = method == NULL || may_be_cut(request);
    if (method != NULL && is_small && http_head_size(request) > DOOR_HEAD_BYTES)
        return 0;
    return request_bounds_of(is_small ? NULL : method->method->input).body_bytes +
           (is_grpc ? GRPC_PREFIX_SIZE : 0);
}

void api_handle(void *context, struct http_request *request)
{
    struct gateway *gateway = context;
    const char *path = http_path(request);
    cors_begin(gateway->cors_origin, request);
    if (cors_preflight(gateway->cors_origin, request))
        return;
    if (!is_unambiguous(request))
        return;
    if (cors_is_refused(gateway->cors_origin, request))
        refuse(request, HTTP_FORBIDDEN, "a page of another site must not send this request");
    else if (grpc_is(request))
        grpc_handle(gateway, request);
    else if (is_connect(request))
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
    if (code == HTTP_CONTENT_TOO_LARGE && may_be_cut(request))
        why = "the body is too large for one without Content-Length";
    refuse(request, code, why);
}
