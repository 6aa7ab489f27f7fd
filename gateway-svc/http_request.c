/* The parts of a request that a handler can read. */
#include "http_request.h"

#include "client_address.h"

#include <string.h>

const char *http_method(const struct http_request *request)
{
    return request->method;
}

void http_set_route(struct http_request *request, const char *route)
{
    request->route = route;
}

const char *http_path(const struct http_request *request)
{
    return request->path;
}

const char *http_client(struct http_request *request)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(request->mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    char *text = info != NULL ? arena_alloc(&request->arena, CLIENT_ADDRESS_SIZE) : NULL;
    return text != NULL && client_address_format(info->client_addr, text) ? text : NULL;
}

const char *http_header(const struct http_request *request, const char *name)
{
    return MHD_lookup_connection_value(request->mhd, MHD_HEADER_KIND, name);
}

/* libmicrohttpd gives no value for a parameter without "=". */
struct visit {
    bool (*visit)(void *context, const char *name, const char *value);
    void *context;
    bool complete;
};

static enum MHD_Result visit_value(void *context, enum MHD_ValueKind kind, const char *name,
                                   const char *value)
{
    struct visit *visit = context;
    bool empty = kind == MHD_GET_ARGUMENT_KIND && name[0] == '\0' && (value == NULL || value[0] == '\0');
    visit->complete = empty || visit->visit(visit->context, name, value != NULL ? value : "");
    return visit->complete ? MHD_YES : MHD_NO;
}

static bool visit_all(const struct http_request *request, enum MHD_ValueKind kind,
                      bool (*visit)(void *context, const char *name, const char *value), void *context)
{
    struct visit all = {.visit = visit, .context = context, .complete = true};
    MHD_get_connection_values(request->mhd, kind, visit_value, &all);
    return all.complete;
}

bool http_query_visit(const struct http_request *request,
                      bool (*visit)(void *context, const char *name, const char *value), void *context)
{
    return visit_all(request, MHD_GET_ARGUMENT_KIND, visit, context);
}

bool http_header_visit(const struct http_request *request,
                       bool (*visit)(void *context, const char *name, const char *value), void *context)
{
    return visit_all(request, MHD_HEADER_KIND, visit, context);
}

const char *http_body(const struct http_request *request, size_t *size)
{
    *size = request->body_size;
    return request->body != NULL ? request->body : "";
}

struct arena *http_arena(struct http_request *request)
{
    return &request->arena;
}

void http_add_field(struct http_request *request, const char *name, const char *value)
{
    if (request->added_count < HTTP_ADDED_MAX)
        request->added[request->added_count++] = (struct http_field){name, value};
}
