#include "rest.h"

#include "problem.h"
#include "rest_answer.h"
#include "rest_page.h"
#include "rest_request.h"

#include <string.h>

#include "rpc/traceparent.h"

enum { OK = 200, NOT_FOUND = 404, METHOD_NOT_ALLOWED = 405, UNAVAILABLE = 503 };

extern const char gateway_openapi[];
extern const size_t gateway_openapi_size;

static void answer_openapi(struct http_request *request)
{
    const struct http_answer answer = {
        .code = OK, .type = "application/json", .body = gateway_openapi, .body_size = gateway_openapi_size};
    if (strcmp(http_method(request), "GET") == 0)
        http_respond(request, &answer);
    else
        problem_respond_http(request, METHOD_NOT_ALLOWED, "the document can only be read", "GET, HEAD");
}

static bool has_pages(const ProtobufCMessageDescriptor *input)
{
    return protobuf_c_message_descriptor_get_field_by_name(input, "page_token") != NULL;
}

/* NULL when out of memory. */
static struct rest_call *make_call(struct http_request *request, const struct rest_route *route,
                                   const ProtobufCMessageDescriptor *input)
{
    struct rest_call *call = arena_alloc(http_arena(request), sizeof *call);
    if (call == NULL)
        return NULL;
    call->request = request;
    call->route = route;
    if (strcmp(route->method, "GET") == 0)
        call->if_none_match = http_header(request, "If-None-Match");
    if (has_pages(input)) {
        call->next_page = rest_page_next(request, route->pattern);
        if (call->next_page == NULL)
            return NULL;
    }
    call->rpc.authorization = http_header(request, "Authorization");
    const char *traceparent = http_header(request, "traceparent");
    if (traceparent_is_valid(traceparent))
        call->rpc.traceparent = traceparent;
    return call;
}

static void call_method(struct gateway *gateway, struct http_request *request, const struct rest_match *match)
{
    const struct rest_route *route = match->route;
    const struct backend_method *method =
        backend_find(gateway->backend, route->service, strlen(route->service), route->rpc);
    const ProtobufCMessageDescriptor *input = method->method->input;
    struct rest_refusal refusal;
    uint32_t timeout_ms =
        rest_request_timeout(request, gateway->default_timeout_ms, gateway->timeout_max_ms, &refusal);
    ProtobufCMessage *message = timeout_ms > 0 ? rest_request_read(request, match, input, &refusal) : NULL;
    if (message == NULL) {
        problem_respond_http(request, refusal.code, refusal.error.message, NULL);
        return;
    }
    struct rest_call *call = make_call(request, route, input);
    if (call == NULL) {
        problem_respond_http(request, UNAVAILABLE, "out of memory", NULL);
        return;
    }
    call->rpc.timeout_ms = timeout_ms;
    backend_call(gateway->backend, method, message, &call->id, rest_answer, &call->rpc);
}

void rest_handle(struct gateway *gateway, struct http_request *request)
{
    const char *path = http_path(request);
    struct rest_match match;
    char allow[REST_ALLOW_SIZE];
    if (rest_route_find(http_method(request), path, &match, allow)) {
        call_method(gateway, request, &match);
        return;
    }
    if (strcmp(path, "/openapi.json") == 0)
        answer_openapi(request);
    else if (allow[0] == '\0')
        problem_respond_http(request, NOT_FOUND, "no such path", NULL);
    else
        problem_respond_http(request, METHOD_NOT_ALLOWED, "the path has other methods",
                             arena_strdup(http_arena(request), allow));
}
