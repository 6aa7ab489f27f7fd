#include "unary.h"

#include "http_status.h"

#include <string.h>

#include "base/digest.h"
#include "base/traceparent.h"

const struct backend_method *unary_method(const struct gateway *gateway, const char *path)
{
    const char *service = path + 1, *slash = path[0] == '/' ? strchr(service, '/') : NULL;
    return slash != NULL ? backend_find(gateway->backend, service, (size_t)(slash - service), slash + 1)
                         : NULL;
}

void unary_describe(struct http_request *request, struct backend_call *call)
{
    const char *traceparent = http_header(request, "traceparent");
    call->http = request;
    call->rpc.traceparent = traceparent_is_valid(traceparent) ? traceparent : NULL;
    call->rpc.into = http_arena(request);
    /* Always names a client, because a call without one counts as the gateway's own (rpc/identify.c). */
    const char *client = http_client(request);
    call->rpc.client_address = client != NULL ? client : "unknown";
    call->rpc.authorization = http_header(request, "Authorization");
}

struct auth_source unary_source(struct http_request *request)
{
    enum { ADDRESS_SHIFT = 32 }; /* as in rpc_call_source */
    const char *client = http_client(request);
    return (struct auth_source){.number = (uint64_t)digest_address(client != NULL ? client : "unknown")
                                          << ADDRESS_SHIFT};
}

static enum status status_of(unsigned code)
{
    switch (code) {
    case HTTP_FORBIDDEN:
        return STATUS_PERMISSION_DENIED;
    case HTTP_CONTENT_TOO_LARGE:
    case HTTP_HEAD_TOO_LARGE:
        return STATUS_RESOURCE_EXHAUSTED;
    case HTTP_SERVICE_UNAVAILABLE:
        return STATUS_UNAVAILABLE;
    default:
        return STATUS_INVALID_ARGUMENT;
    }
}

void unary_refusal(unsigned code, const char *why, struct error *error)
{
    (void)error_set(error, status_of(code), NULL, "%s", why);
}
