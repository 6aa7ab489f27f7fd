/* Replaces the HTTP server. The requests come from texts in memory. */
#include "rest_testing.h"

#include "rest_page.h"
#include "rest_request.h"
#include "rest_routes.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "protojson/protojson.h"

#include "screening/v1/booking.pb-c.h"
#include "screening/v1/history.pb-c.h"
#include "screening/v1/hospital.pb-c.h"

enum { PAIRS_MAX = 32 };

struct pair {
    char *name, *value;
};

struct http_request {
    struct arena arena;
    char *method, *path;
    struct pair parameters[PAIRS_MAX], fields[PAIRS_MAX];
    size_t parameter_count, field_count;
    const char *body;
    size_t body_size;
};

static void must(bool condition)
{
    if (!condition)
        abort();
}

/* ---- the functions of http.h that rest_request.c and rest_page.c use ---- */

const char *http_header(const struct http_request *request, const char *name)
{
    for (size_t i = 0; i < request->field_count; i++)
        if (strcasecmp(request->fields[i].name, name) == 0)
            return request->fields[i].value;
    return NULL;
}

bool http_header_visit(const struct http_request *request,
                       bool (*visit)(void *context, const char *name, const char *value), void *context)
{
    for (size_t i = 0; i < request->field_count; i++)
        if (!visit(context, request->fields[i].name, request->fields[i].value))
            return false;
    return true;
}

bool http_query_visit(const struct http_request *request,
                      bool (*visit)(void *context, const char *name, const char *value), void *context)
{
    for (size_t i = 0; i < request->parameter_count; i++)
        if (!visit(context, request->parameters[i].name, request->parameters[i].value))
            return false;
    return true;
}

const char *http_body(const struct http_request *request, size_t *size)
{
    *size = request->body_size;
    return request->body;
}

const char *http_segment(struct http_request *request, const char *segment, size_t size)
{
    return arena_printf(&request->arena, "%.*s", (int)size, segment);
}

void http_add_field(struct http_request *request, const char *name, const char *value)
{
    (void)request;
    must(name != NULL && value != NULL);
}

struct arena *http_arena(struct http_request *request)
{
    return &request->arena;
}

/* ---- a request from text ---- */

/*
 * Ends the text at the first character that is in `stops`. Returns the text after it, or the end if there is
 * none.
 */
static char *split(char *text, const char *stops)
{
    char *stop = text + strcspn(text, stops);
    if (*stop != '\0')
        *stop++ = '\0';
    return stop;
}

static void read_query(struct http_request *request, char *query)
{
    while (*query != '\0' && request->parameter_count < PAIRS_MAX) {
        char *next = split(query, "&");
        char *value = split(query, "=");
        request->parameters[request->parameter_count++] = (struct pair){query, value};
        query = next;
    }
}

static void read_head(struct http_request *request, char *head)
{
    char *next = split(head, "\n");
    request->method = head;
    request->path = split(head, " ");
    read_query(request, split(request->path, "?"));
    while (*next != '\0' && request->field_count < PAIRS_MAX) {
        char *line = next;
        next = split(line, "\n");
        char *value = split(line, ":");
        request->fields[request->field_count++] = (struct pair){line, value + strspn(value, " ")};
    }
}

/* ---- invariants ---- */

static const ProtobufCMessageDescriptor *input_of(const struct rest_route *route)
{
    static const ProtobufCServiceDescriptor *const services[] = {&screening__v1__booking_service__descriptor,
                                                                 &screening__v1__hospital_service__descriptor,
                                                                 &screening__v1__history_service__descriptor};
    for (size_t i = 0; i < sizeof services / sizeof services[0]; i++)
        if (strcmp(services[i]->name, route->service) == 0)
            return protobuf_c_service_descriptor_get_method_by_name(services[i], route->rpc)->input;
    abort();
}

static void check_message(struct http_request *request, const ProtobufCMessage *message)
{
    char *text;
    size_t size;
    ProtobufCMessage *again;
    struct arena *arena = &request->arena;
    must(protojson_write(message, 0, arena, &text, &size, NULL) == STATUS_OK);
    must(protojson_text_to_message(text, size, message->descriptor, 0, arena, &again, NULL) == STATUS_OK);
    must(protobuf_c_message_get_packed_size(again) == protobuf_c_message_get_packed_size(message));
}

static void check_refusal(const struct rest_refusal *refusal)
{
    must(refusal->code == 400 || refusal->code == 415);
    must(refusal->error.message[0] != '\0');
}

static bool read_request(struct http_request *request)
{
    enum { DEFAULT_MS = 2000, MAX_MS = 60000 };
    struct rest_match match;
    struct rest_refusal refusal;
    char allow[REST_ALLOW_SIZE];
    if (!rest_route_find(request->method, request->path, &match, allow))
        return false;
    must(rest_page_next(request) != NULL);
    uint32_t timeout_ms = rest_request_timeout(request, DEFAULT_MS, MAX_MS, &refusal);
    must(timeout_ms <= MAX_MS);
    if (timeout_ms == 0) {
        check_refusal(&refusal);
        return false;
    }
    const ProtobufCMessage *message =
        rest_request_read(request, &match, NULL, input_of(match.route), &refusal);
    if (message != NULL)
        check_message(request, message);
    else
        check_refusal(&refusal);
    return message != NULL;
}

bool rest_fuzz(const char *bytes, size_t size)
{
    static const char GAP[] = "\n\n";
    struct http_request request = {.path = ""};
    const char *gap = memmem(bytes, size, GAP, strlen(GAP));
    size_t head_size = gap != NULL ? (size_t)(gap - bytes) : size;
    arena_init(&request.arena);
    char *head = arena_alloc(&request.arena, head_size + 1);
    must(head != NULL);
    memcpy(head, bytes, head_size);
    read_head(&request, head);
    if (gap != NULL) {
        request.body = gap + strlen(GAP);
        request.body_size = size - head_size - strlen(GAP);
    }
    bool accepted = read_request(&request);
    arena_fini(&request.arena);
    return accepted;
}

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t size)
{
    (void)rest_fuzz((const char *)bytes, size);
    return 0;
}
