/*
 * Unary calls. As in connect.c, a thread of the HTTP server starts the call, and the call's closure responds.
 * An error has no body: its status is in the head of the response.
 */
#include "grpc.h"

#include "error_details.h"
#include "grpc_internal.h"
#include "http_mapping.h"
#include "http_status.h"
#include "unary.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "auth/access.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "protojson/base64.h"
#include "rpc/wire.h"

#include "google/rpc/status.pb-c.h"
#include "grpc/health/v1/health.pb-c.h"
#include "grpc/reflection/v1/reflection.pb-c.h"

const char GRPC_TYPE[] = "application/grpc";

static const char IDENTITY[] = "identity";

/*
 * The methods that the gateway itself serves, and the services in the .proto files to which they belong. If
 * `serve` returns an error, the caller responds with it.
 */
static const struct own_method {
    const char *path;
    const ProtobufCServiceDescriptor *service;
    enum status (*serve)(struct gateway *gateway, struct http_request *request, struct error *error);
} own_methods[] = {
    {"/grpc.health.v1.Health/Check", &grpc__health__v1__health__descriptor, grpc_health_check},
    {"/grpc.health.v1.Health/Watch", &grpc__health__v1__health__descriptor, grpc_health_watch},
    {"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
     &grpc__reflection__v1__server_reflection__descriptor, grpc_reflect},
    {"/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
     &grpc__reflection__v1__server_reflection__descriptor, grpc_reflect},
};

struct grpc_call {
    struct backend_call backend;
    struct http_request *request;
};

/* ---- pure ---- */

/* protobuf-c describes no methods with streams, so this makes the descriptor for access_rules_load. */
static enum status check_rule(const void *set, size_t set_size, const struct own_method *own,
                              struct error *error)
{
    const char *name = strrchr(own->path, '/') + 1;
    const ProtobufCMethodDescriptor method = {.name = name};
    ProtobufCServiceDescriptor service = *own->service;
    struct access_rule rule;
    service.methods = &method;
    service.n_methods = 1;
    TRY(access_rules_load(set, set_size, &service, &rule, error));
    if (!rule.is_open)
        return error_invalid(error, "%s/%s: is served without a token, so its rule must be open",
                             service.name, name);
    return STATUS_OK;
}

enum status grpc_check_rules(const void *set, size_t set_size, struct error *error)
{
    for (size_t i = 0; i < sizeof own_methods / sizeof own_methods[0]; i++)
        TRY(check_rule(set, set_size, &own_methods[i], error));
    return STATUS_OK;
}

size_t grpc_message_size(const uint8_t *prefix)
{
    return (size_t)prefix[1] << 24 | (size_t)prefix[2] << 16 | (size_t)prefix[3] << 8 | prefix[4];
}

enum status grpc_unframe(const char *body, size_t size, const char **message, size_t *message_size,
                         struct error *error)
{
    const uint8_t *prefix = (const uint8_t *)body;
    if (size < GRPC_PREFIX_SIZE)
        return error_set(error, STATUS_UNIMPLEMENTED, NULL, "a call has exactly one request message");
    size_t length = grpc_message_size(prefix);
    if (prefix[0] != 0)
        return error_set(error, STATUS_UNIMPLEMENTED, NULL, "compressed messages are not supported");
    if (length != size - GRPC_PREFIX_SIZE)
        return error_set(error, STATUS_UNIMPLEMENTED, NULL, "a call has exactly one request message");
    *message = body + GRPC_PREFIX_SIZE;
    *message_size = length;
    return STATUS_OK;
}

enum status grpc_timeout_parse(const char *text, uint32_t max_ms, uint32_t *ms, struct error *error)
{
    enum { DIGITS_MAX = 8, DECIMAL = 10 };
    static const struct {
        char unit;
        uint64_t ns;
    } UNITS[] = {{'H', 3600ULL * NS_PER_S}, {'M', 60ULL * NS_PER_S}, {'S', NS_PER_S},
                 {'m', NS_PER_MS},          {'u', NS_PER_US},        {'n', 1}};
    size_t digits = strspn(text, "0123456789");
    bool is_valid = digits > 0 && digits <= DIGITS_MAX && text[digits] != '\0' && text[digits + 1] == '\0';
    for (size_t i = 0; i < sizeof UNITS / sizeof UNITS[0] && is_valid; i++) {
        if (UNITS[i].unit != text[digits])
            continue;
        uint64_t count = strtoull(text, NULL, DECIMAL), unit_ns = UNITS[i].ns;
        if (count == 0)
            return error_set(error, STATUS_DEADLINE_EXCEEDED, NULL, "grpc-timeout: is over");
        *ms = count > (uint64_t)max_ms * NS_PER_MS / unit_ns /* or the product may overflow */
                  ? max_ms
                  : (uint32_t)((count * unit_ns + NS_PER_MS - 1) / NS_PER_MS);
        return STATUS_OK;
    }
    return error_invalid(error, "grpc-timeout: must be 1 to %d digits and one of H, M, S, m, u, n",
                         DIGITS_MAX);
}

void grpc_encode_message(const char *message, char *out)
{
    static const char HEX[] = "0123456789ABCDEF";
    const unsigned char *first = (const unsigned char *)message;
    for (const unsigned char *at = first; *at != '\0'; at++) {
        bool is_edge = at == first || at[1] == '\0'; /* where a field may have no space */
        if (*at >= (is_edge ? '!' : ' ') && *at <= '~' && *at != '%') {
            *out++ = (char)*at;
        } else {
            *out++ = '%';
            *out++ = HEX[*at >> 4];
            *out++ = HEX[*at & 0xf];
        }
    }
    *out = '\0';
}

/* ---- responses ---- */

/* Packs a google.rpc.Status in base64. Returns NULL when out of memory, or if there are no details. */
static const char *pack_status(struct arena *arena, const struct error *error, char *message)
{
    enum { TYPE_SIZE = 64 };
    struct error_detail packed[ERROR_DETAILS_MAX];
    Google__Protobuf__Any details[ERROR_DETAILS_MAX], *pointers[ERROR_DETAILS_MAX];
    char types[ERROR_DETAILS_MAX][TYPE_SIZE];
    Google__Rpc__Status status = GOOGLE__RPC__STATUS__INIT;
    status.code = (int32_t)error->status;
    status.message = message;
    status.n_details = error_details_pack(error, packed);
    status.details = pointers;
    for (size_t i = 0; i < status.n_details; i++) {
        (void)snprintf(types[i], sizeof types[i], "type.googleapis.com/%s", packed[i].type);
        details[i] = (Google__Protobuf__Any)GOOGLE__PROTOBUF__ANY__INIT;
        details[i].type_url = types[i];
        details[i].value = (ProtobufCBinaryData){.len = packed[i].size, .data = packed[i].packed};
        pointers[i] = &details[i];
    }
    size_t size = google__rpc__status__get_packed_size(&status);
    uint8_t *bytes = status.n_details > 0 ? arena_alloc(arena, size) : NULL;
    char *encoded = bytes != NULL ? arena_alloc(arena, (size + 2) / 3 * 4 + 1) : NULL;
    if (encoded != NULL)
        protojson_base64_encode(bytes, google__rpc__status__pack(&status, bytes), encoded);
    return encoded;
}

static void respond_error(struct http_request *request, const struct error *error)
{
    struct arena *arena = http_arena(request);
    char text[sizeof error->message];
    snprintf(text, sizeof text, "%s", http_public_message(error));
    text_make_utf8(text); /* the message may be truncated within a character */
    const char *code = arena_printf(arena, "%d", (int)error->status);
    char *message = arena_alloc(arena, 3 * strlen(text) + 1);
    if (code == NULL || message == NULL) {
        log_plain(LOG_ERROR, "http.out_of_memory");
        http_respond(request, &(struct http_answer){.code = HTTP_SERVICE_UNAVAILABLE});
        return;
    }
    grpc_encode_message(text, message);
    struct http_answer answer = {
        .code = HTTP_OK, .type = GRPC_TYPE, .fields = {{"grpc-status", code}, {"grpc-message", message}}};
    size_t count = 2;
    const char *details = pack_status(arena, error, text);
    if (details != NULL)
        answer.fields[count++] = (struct http_field){"grpc-status-details-bin", details};
    if (error->status == STATUS_UNIMPLEMENTED) /* the compression may be unsupported */
        answer.fields[count++] = (struct http_field){"grpc-accept-encoding", IDENTITY};
    http_respond(request, &answer);
}

uint8_t *grpc_frame(struct arena *arena, const ProtobufCMessage *message, size_t *size)
{
    size_t packed_size = protobuf_c_message_get_packed_size(message);
    uint8_t *framed = arena_alloc(arena, GRPC_PREFIX_SIZE + packed_size);
    if (framed == NULL)
        return NULL;
    for (unsigned i = 1; i < GRPC_PREFIX_SIZE; i++)
        framed[i] = (uint8_t)(packed_size >> 8 * (GRPC_PREFIX_SIZE - 1 - i));
    *size = GRPC_PREFIX_SIZE + protobuf_c_message_pack(message, framed + GRPC_PREFIX_SIZE);
    return framed;
}

void grpc_respond_message(struct http_request *request, const ProtobufCMessage *message)
{
    struct http_answer answer = {.code = HTTP_OK, .type = GRPC_TYPE, .trailers = {{"grpc-status", "0"}}};
    answer.body = grpc_frame(http_arena(request), message, &answer.body_size);
    if (answer.body == NULL) {
        struct error error;
        (void)error_no_memory(&error);
        respond_error(request, &error);
        return;
    }
    http_respond(request, &answer);
}

static void on_answer(const ProtobufCMessage *response, void *data)
{
    struct grpc_call *call = container_of(data, struct grpc_call, backend);
    if (response == NULL)
        respond_error(call->request, &call->backend.rpc.error);
    else
        grpc_respond_message(call->request, response);
}

/* ---- requests ---- */

bool grpc_is(const struct http_request *request)
{
    const char *type = http_header(request, "Content-Type");
    return type != NULL && strncasecmp(type, GRPC_TYPE, strlen(GRPC_TYPE)) == 0 &&
           strchr("+;", type[strlen(GRPC_TYPE)]) !=
               NULL; /* strchr also finds the NUL of a text that ends here */
}

/* Returns whether the messages are binary: application/grpc or application/grpc+proto. */
static bool is_proto(const struct http_request *request)
{
    static const char PROTO[] = "+proto";
    const char *encoding = http_header(request, "Content-Type") + strlen(GRPC_TYPE);
    if (strncasecmp(encoding, PROTO, strlen(PROTO)) == 0)
        encoding += strlen(PROTO);
    return *encoding == '\0' || *encoding == ';';
}

enum status grpc_check_encoding(const struct http_request *request, struct error *error)
{
    const char *encoding = http_header(request, "grpc-encoding");
    if (encoding != NULL && strcasecmp(encoding, IDENTITY) != 0)
        return error_set(error, STATUS_UNIMPLEMENTED, NULL, "grpc-encoding: supported is %s", IDENTITY);
    return STATUS_OK;
}

enum status grpc_read_timeout(const struct http_request *request, uint32_t max_ms, uint32_t default_ms,
                              uint32_t *ms, struct error *error)
{
    const char *timeout = http_header(request, "grpc-timeout");
    if (timeout != NULL)
        return grpc_timeout_parse(timeout, max_ms, ms, error);
    *ms = default_ms;
    return STATUS_OK;
}

enum status grpc_read_message(struct http_request *request, const ProtobufCMessageDescriptor *input,
                              ProtobufCMessage **out, struct error *error)
{
    const char *message;
    size_t body_size, size;
    TRY(grpc_check_encoding(request, error));
    const char *body = http_body(request, &body_size);
    TRY(grpc_unframe(body, body_size, &message, &size, error));
    *out = wire_unpack(input, (const uint8_t *)message, size, WIRE_REQUEST_ELEMENTS_MAX, http_arena(request),
                       error);
    return *out != NULL ? STATUS_OK : error->status;
}

static enum status start(struct gateway *gateway, const struct backend_method *method,
                         struct http_request *request, struct error *error)
{
    uint32_t timeout_ms;
    ProtobufCMessage *message;
    TRY(grpc_read_timeout(request, gateway->timeout_max_ms, gateway->default_timeout_ms, &timeout_ms, error));
    TRY(grpc_read_message(request, method->method->input, &message, error));
    struct grpc_call *call = arena_alloc(http_arena(request), sizeof *call);
    if (call == NULL)
        return error_no_memory(error);
    unary_describe(request, &call->backend);
    call->backend.rpc.timeout_ms = timeout_ms;
    call->request = request;
    backend_call(gateway->backend, method, message, on_answer, &call->backend);
    return STATUS_OK;
}

static const struct own_method *find_own(const char *path)
{
    for (size_t i = 0; i < sizeof own_methods / sizeof own_methods[0]; i++)
        if (strcmp(own_methods[i].path, path) == 0)
            return &own_methods[i];
    return NULL;
}

bool grpc_reads_stream(const struct http_request *request)
{
    const struct own_method *own = grpc_is(request) ? find_own(http_path(request)) : NULL;
    return own != NULL && own->serve == grpc_reflect;
}

void grpc_handle(struct gateway *gateway, struct http_request *request)
{
    struct error error;
    const struct backend_method *method = unary_method(gateway, http_path(request));
    bool is_post = strcmp(http_method(request), "POST") == 0;
    if (!is_post || !is_proto(request)) {
        const struct http_answer answer = {
            .code = is_post ? HTTP_UNSUPPORTED_MEDIA_TYPE : HTTP_METHOD_NOT_ALLOWED,
            .fields = {{is_post ? "Accept-Post" : "Allow", is_post ? GRPC_TYPE : "POST"}}};
        http_respond(request, &answer);
        return;
    }
    const struct own_method *own = find_own(http_path(request));
    enum status status = STATUS_OK;
    if (method != NULL || own != NULL)
        http_set_route(request, http_path(request));
    if (own != NULL)
        status = own->serve(gateway, request, &error);
    else if (method != NULL)
        status = start(gateway, method, request, &error);
    else
        status = error_set(&error, STATUS_UNIMPLEMENTED, NULL, "there is no such method");
    if (status != STATUS_OK)
        respond_error(request, &error);
}

void grpc_refuse(struct http_request *request, unsigned code, const char *why)
{
    struct error error;
    unary_refusal(code, why, &error);
    respond_error(request, &error);
}
