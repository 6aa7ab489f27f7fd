#include "rest.h"

#include "http_status.h"
#include "problem.h"
#include "rest_answer.h"
#include "rest_page.h"
#include "rest_request.h"
#include "unary.h"

#include <string.h>

extern const char gateway_openapi[];
extern const size_t gateway_openapi_size;
extern const char gateway_http_api[];
extern const size_t gateway_http_api_size;
extern const char gateway_wire_protocol[];
extern const size_t gateway_wire_protocol_size;

static const char MARKDOWN[] = "text/markdown; charset=utf-8";

/* The index, for clients that only know the address. Its references are relative, as in Location. */
static const char INDEX[] = "{\"name\":\"screening reservation\",\"version\":\"" SCREENING_VERSION "\","
                            "\"openapi\":\"openapi.json\",\"documentation\":\"docs/http-api.md\"}\n";
static const char INDEX_LINK[] =
    "<openapi.json>; rel=\"service-desc\", <docs/http-api.md>; rel=\"service-doc\"";

/* Finds the document of this path. Returns false if there is none. */
static bool find_document(const char *path, struct http_answer *answer)
{
    const struct {
        const char *path, *type, *text;
        size_t size;
    } documents[] = {
        {"/", "application/json", INDEX, strlen(INDEX)},
        {"/openapi.json", "application/json", gateway_openapi, gateway_openapi_size},
        {"/docs/http-api.md", MARKDOWN, gateway_http_api, gateway_http_api_size},
        {"/docs/wire-protocol.md", MARKDOWN, gateway_wire_protocol, gateway_wire_protocol_size},
    };
    for (size_t i = 0; i < sizeof documents / sizeof documents[0]; i++) {
        if (strcmp(documents[i].path, path) != 0)
            continue;
        *answer = (struct http_answer){.code = HTTP_OK,
                                       .type = documents[i].type,
                                       .body = documents[i].text,
                                       .body_size = documents[i].size};
        if (i == 0)
            answer->fields[0] = (struct http_field){"Link", INDEX_LINK};
        return true;
    }
    return false;
}

static void answer_document(struct http_request *request, const struct http_answer *document)
{
    if (strcmp(http_method(request), "GET") == 0)
        http_respond(request, document);
    else
        problem_respond_http(request, HTTP_METHOD_NOT_ALLOWED, "a document can only be read: GET, HEAD",
                             "GET, HEAD");
}

static void refuse_method(struct http_request *request, const char *allow)
{
    struct arena *arena = http_arena(request);
    const char *detail = arena_printf(arena, "this path takes %s", allow);
    problem_respond_http(request, HTTP_METHOD_NOT_ALLOWED, detail != NULL ? detail : "out of memory",
                         arena_strdup(arena, allow));
}

/* Creates the call for a request. Returns NULL when out of memory. */
static struct rest_call *make_call(struct http_request *request, const struct rest_route *route,
                                   const struct backend_method *method)
{
    struct rest_call *call = arena_alloc(http_arena(request), sizeof *call);
    if (call == NULL)
        return NULL;
    call->request = request;
    call->route = route;
    call->input = method->method->input;
    if (strcmp(route->method, "GET") == 0)
        call->if_none_match = http_header(request, "If-None-Match");
    if (method->lists) {
        call->next_page = rest_page_next(request);
        if (call->next_page == NULL)
            return NULL;
    }
    unary_describe(request, &call->backend);
    return call;
}

static const struct backend_method *method_of(const struct gateway *gateway, const struct rest_route *route)
{
    return backend_find(gateway->backend, route->service, strlen(route->service), route->rpc);
}

const struct backend_method *rest_method(const struct gateway *gateway, const struct http_request *request)
{
    struct rest_match match;
    char allow[REST_ALLOW_SIZE];
    bool found = rest_route_find(http_method(request), http_path(request), &match, allow);
    return found ? method_of(gateway, match.route) : NULL;
}

/*
 * Identifies the caller of a request with an Idempotency-Key, which belongs to the caller. Sets *out to NULL
 * for other requests, and for those without a token, which the service answers. Fails like security_identify.
 */
static enum status identify(const struct gateway *gateway, struct http_request *request,
                            const struct rest_route *route, const struct auth_caller **out,
                            struct error *error)
{
    const char *authorization = http_header(request, "Authorization");
    *out = NULL;
    if (route->id == NULL || authorization == NULL || http_header(request, "Idempotency-Key") == NULL)
        return STATUS_OK;
    return security_identify(gateway->security, authorization, unary_source(request), http_arena(request),
                             out, error);
}

static void call_method(struct gateway *gateway, struct http_request *request, const struct rest_match *match)
{
    const struct rest_route *route = match->route;
    const struct backend_method *method = method_of(gateway, route);
    const ProtobufCMessageDescriptor *input = method->method->input;
    const struct auth_caller *caller;
    struct rest_refusal refusal;
    if (identify(gateway, request, route, &caller, &refusal.error) != STATUS_OK) {
        problem_respond(request, &refusal.error);
        return;
    }
    uint32_t timeout_ms =
        rest_request_timeout(request, gateway->default_timeout_ms, gateway->timeout_max_ms, &refusal);
    ProtobufCMessage *message =
        timeout_ms > 0 ? rest_request_read(request, match, caller, input, &refusal) : NULL;
    if (message == NULL) {
        problem_respond_http(request, refusal.code, refusal.error.message, NULL);
        return;
    }
    struct rest_call *call = make_call(request, route, method);
    if (call == NULL) {
        problem_respond_http(request, HTTP_SERVICE_UNAVAILABLE, "out of memory", NULL);
        return;
    }
    call->backend.rpc.timeout_ms = timeout_ms;
    backend_call(gateway->backend, method, message, rest_answer, &call->backend);
}

void rest_handle(struct gateway *gateway, struct http_request *request)
{
    const char *path = http_path(request);
    struct rest_match match;
    char allow[REST_ALLOW_SIZE];
    if (rest_route_find(http_method(request), path, &match, allow)) {
        http_set_route(request, match.route->pattern);
        call_method(gateway, request, &match);
        return;
    }
    struct http_answer document;
    if (find_document(path, &document)) {
        http_set_route(request, path);
        answer_document(request, &document);
    } else if (allow[0] == '\0')
        problem_respond_http(request, HTTP_NOT_FOUND, "no such path: / names the documents", NULL);
    else
        refuse_method(request, allow);
}
