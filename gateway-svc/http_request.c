/* What handlers read of a request, the decoding of its target, and the metrics of the server. */
#include "http_request.h"

#include <string.h>

#include "base/hex.h"
#include "base/metrics.h"

enum { FIRST_FIELDS = 16 };

const struct http_field http_always[HTTP_ALWAYS_COUNT] = {
    {"X-Content-Type-Options", "nosniff"},
    {"Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"},
    {"Referrer-Policy", "no-referrer"},
    {"Cache-Control", "no-store"},
};

struct metric http_in_hand_now =
    METRIC("http_requests_in_hand", "Requests over HTTP that wait for their answer");
struct metric http_connections_now = METRIC("http_connections", "Connections over HTTP");
struct metric http_timeouts_total =
    METRIC("http_timeouts_total", "Connections and requests ended because nothing came, or not fast enough");
struct metric http_refused_total =
    METRIC("http_refused_total", "Requests refused before a handler saw them: 400, 413, 431, 503");
struct metric http_slow_total =
    METRIC("http_streams_slow_total", "Streams ended because their listeners left too much unread");

void http_register_metrics(void)
{
    metric_register(&http_in_hand_now);
    metric_register(&http_connections_now);
    metric_register(&http_timeouts_total);
    metric_register(&http_refused_total);
    metric_register(&http_slow_total);
}

/* ---- for the server ---- */

bool http_list_add(struct arena *arena, struct http_list *list, const char *name, const char *value)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity > 0 ? 2 * list->capacity : FIRST_FIELDS;
        struct http_field *fields = arena_alloc(arena, capacity * sizeof *fields);
        if (fields == NULL)
            return false;
        if (list->count > 0)
            memcpy(fields, list->fields, list->count * sizeof *fields);
        list->fields = fields;
        list->capacity = capacity;
    }
    list->fields[list->count++] = (struct http_field){name, value};
    return true;
}

/* Decodes a NUL-terminated string in place. Returns false at %00 or at a "%" that is not followed by two
 * hexadecimal digits. */
static bool decode(char *text, size_t size, bool plus)
{
    size_t used = 0;
    for (size_t i = 0; i < size; i++) {
        uint8_t byte = plus && text[i] == '+' ? ' ' : (uint8_t)text[i];
        if (text[i] == '%') {
            if (!hex_read(text + i + 1, &byte, 1) || byte == 0)
                return false;
            i += 2;
        }
        text[used++] = (char)byte;
    }
    text[used] = '\0';
    return true;
}

char *http_decode(struct arena *arena, const char *text, size_t size, bool plus)
{
    char *decoded = arena_alloc(arena, size + 1);
    if (decoded == NULL)
        return NULL;
    memcpy(decoded, text, size);
    if (!decode(decoded, size, plus)) {
        memcpy(decoded, text, size);
        decoded[size] = '\0';
    }
    return decoded;
}

enum status http_query_parse(struct http_request *request, const char *query)
{
    for (const char *at = query; *at != '\0'; at += *at == '&') {
        size_t size = strcspn(at, "&"), name_size = strcspn(at, "=&");
        size_t value_at = name_size < size ? name_size + 1 : size;
        if (size > (name_size < size)) {
            if (request->query.count == HTTP_PARAMETERS_MAX)
                return STATUS_INVALID_ARGUMENT;
            const char *name = http_decode(&request->arena, at, name_size, true);
            const char *value = http_decode(&request->arena, at + value_at, size - value_at, true);
            if (name == NULL || value == NULL ||
                !http_list_add(&request->arena, &request->query, name, value))
                return STATUS_RESOURCE_EXHAUSTED;
        }
        at += size;
    }
    return STATUS_OK;
}

/* ---- for handlers ---- */

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

const char *http_segment(struct http_request *request, const char *segment, size_t size)
{
    return http_decode(&request->arena, segment, size, false);
}

const char *http_client(struct http_request *request)
{
    return request->client[0] != '\0' ? request->client : NULL;
}

const char *http_header(const struct http_request *request, const char *name)
{
    for (size_t i = 0; i < request->fields.count; i++)
        if (http_is_name(request->fields.fields[i].name, name))
            return request->fields.fields[i].value;
    return NULL;
}

static bool visit_all(const struct http_list *list,
                      bool (*visit)(void *context, const char *name, const char *value), void *context)
{
    for (size_t i = 0; i < list->count; i++)
        if (!visit(context, list->fields[i].name, list->fields[i].value))
            return false;
    return true;
}

bool http_query_visit(const struct http_request *request,
                      bool (*visit)(void *context, const char *name, const char *value), void *context)
{
    return visit_all(&request->query, visit, context);
}

bool http_header_visit(const struct http_request *request,
                       bool (*visit)(void *context, const char *name, const char *value), void *context)
{
    return visit_all(&request->fields, visit, context);
}

size_t http_head_size(const struct http_request *request)
{
    return request->head_bytes;
}

const char *http_body(const struct http_request *request, size_t *size)
{
    *size = request->body_size;
    return request->body != NULL ? request->body : "";
}

void http_body_read(struct http_request *request,
                    void (*take)(void *context, const uint8_t *bytes, size_t size), void *context)
{
    request->take = take;
    request->take_context = context;
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
