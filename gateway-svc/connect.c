/*
 * A thread of the HTTP server reads a request and starts its call. The call's closure responds, on one of the
 * threads that backend.h lists. The memory of the request is in its arena, which only one of these threads
 * uses at a time.
 */
#include "connect.h"

#include "connect_error.h"
#include "header_rules.h"
#include "http_mapping.h"
#include "http_status.h"
#include "json_body.h"
#include "request_bounds.h"
#include "unary.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/log.h"
#include "protojson/base64.h"
#include "protojson/protojson.h"
#include "rpc/wire.h"

enum codec { CODEC_JSON, CODEC_PROTO, CODEC_COUNT };

static const char *const TYPES[CODEC_COUNT] = {"application/json", "application/proto"};
static const char *const ENCODINGS[CODEC_COUNT] = {"json", "proto"};
static const char ALL_TYPES[] = "application/json, application/proto";
static const char IDENTITY[] = "identity";

/* An encoded request message. */
struct payload {
    enum codec codec;
    const char *bytes;
    size_t size;
};

/* The query parameters of a GET. */
enum parameter { CONNECT, ENCODING, BASE64, COMPRESSION, MESSAGE, PARAMETER_COUNT };
static const char *const PARAMETERS[PARAMETER_COUNT] = {"connect", "encoding", "base64", "compression",
                                                        "message"};

struct query {
    const char *values[PARAMETER_COUNT]; /* NULL = not given */
    const char *twice;                   /* name of a parameter with two different values; NULL = none */
};

struct connect_call {
    struct backend_call backend;
    struct http_request *request;
    const struct backend_method *method;
    enum codec codec;
};

/* ---- responses ---- */

static void respond_error(struct http_request *request, const struct error *error)
{
    struct http_answer answer = {.code = http_connect_code(error->status), .type = TYPES[CODEC_JSON]};
    if (answer.code == HTTP_UNAUTHORIZED)
        answer.fields[0] = HTTP_BEARER;
    json_t *json = connect_error_json(error);
    if (!json_body_set(request, json, &answer)) {
        log_plain(LOG_ERROR, "http.out_of_memory");
        answer = (struct http_answer){.code = HTTP_SERVICE_UNAVAILABLE};
    }
    json_decref(json);
    if (error->status == STATUS_UNIMPLEMENTED) /* the cause may be an unsupported compression */
        answer.fields[0] = (struct http_field){"Accept-Encoding", IDENTITY};
    http_respond(request, &answer);
}

/* Responds with an error of HTTP itself: a status code and a header field, but no Connect error. */
static void respond_bare(struct http_request *request, unsigned code, const char *name, const char *value)
{
    const struct http_answer answer = {.code = code, .fields = {{name, value}}};
    http_respond(request, &answer);
}

/*
 * Writes the message as the response body. Returns RESOURCE_EXHAUSTED when out of memory, or another error
 * from json_body_write.
 */
static enum status write_message(const struct connect_call *call, const ProtobufCMessage *message,
                                 struct http_answer *answer, struct error *error)
{
    struct arena *arena = http_arena(call->request);
    answer->type = TYPES[call->codec];
    if (call->codec == CODEC_JSON)
        return json_body_write(message, 0, arena, answer, error);
    answer->body_size = protobuf_c_message_get_packed_size(message);
    uint8_t *packed = arena_alloc(arena, answer->body_size);
    if (packed == NULL)
        return error_no_memory(error);
    protobuf_c_message_pack(message, packed);
    answer->body = packed;
    return STATUS_OK;
}

/*
 * Responds with the answer or, if `response` is NULL, with the error of the call. `response` is in the
 * request's arena.
 */
static void on_answer(const ProtobufCMessage *response, void *data)
{
    struct connect_call *call = container_of(data, struct connect_call, backend);
    struct http_answer answer = {.code = HTTP_OK};
    struct error error;
    if (response == NULL) {
        respond_error(call->request, &call->backend.rpc.error);
    } else if (write_message(call, response, &answer, &error) != STATUS_OK) {
        log_event(LOG_ERROR, "connect.answer_not_written", LOG_TEXT("method", call->method->method->name),
                  LOG_TEXT("error", error.message));
        error.status = STATUS_INTERNAL; /* an invalid response from a service is not the client's error */
        respond_error(call->request, &error);
    } else {
        http_respond(call->request, &answer);
    }
}

/* ---- reading a request ---- */

/* Reads the codec from the Content-Type of a POST. Returns false if the type is unknown. */
static bool codec_of_type(const char *type, enum codec *codec)
{
    if (header_is_json(type, false))
        *codec = CODEC_JSON;
    else if (type != NULL && strcasecmp(type, TYPES[CODEC_PROTO]) == 0)
        *codec = CODEC_PROTO;
    else
        return false;
    return true;
}

/* Reads the codec from the parameter `encoding` of a GET. Returns false if the encoding is unknown. */
static bool codec_of_encoding(const char *encoding, enum codec *codec)
{
    for (int i = 0; i < CODEC_COUNT; i++) {
        if (encoding != NULL && strcmp(encoding, ENCODINGS[i]) == 0) {
            *codec = (enum codec)i;
            return true;
        }
    }
    return false;
}

static enum status check_version(const char *name, const char *value, const char *wanted, struct error *error)
{
    if (value == NULL || strcmp(value, wanted) == 0)
        return STATUS_OK;
    return error_invalid(error, "%s: must be %s", name, wanted);
}

static enum status check_compression(const char *value, struct error *error)
{
    if (header_is_identity(value))
        return STATUS_OK;
    return error_set(error, STATUS_UNIMPLEMENTED, NULL, "unknown compression: supported is %s", IDENTITY);
}

/* Reads the client's timeout, limited to the gateway's maximum. Without one, sets the gateway's default. */
static enum status read_timeout(const struct gateway *gateway, const struct http_request *request,
                                uint32_t *timeout_ms, struct error *error)
{
    enum { DIGITS_MAX = 10, BASE = 10 };
    const char *text = http_header(request, "Connect-Timeout-Ms");
    if (text == NULL) {
        *timeout_ms = gateway->default_timeout_ms;
        return STATUS_OK;
    }
    bool is_number = strspn(text, "0123456789") == strlen(text) && strlen(text) <= DIGITS_MAX;
    uint64_t ms = is_number ? strtoull(text, NULL, BASE) : 0;
    if (ms == 0)
        return error_invalid(error, "Connect-Timeout-Ms: must be a positive integer of at most %d digits",
                             DIGITS_MAX);
    *timeout_ms = ms < gateway->timeout_max_ms ? (uint32_t)ms : gateway->timeout_max_ms;
    return STATUS_OK;
}

static enum status read_post(const struct http_request *request, struct payload *payload, struct error *error)
{
    enum status status = check_version("Connect-Protocol-Version",
                                       http_header(request, "Connect-Protocol-Version"), "1", error);
    if (status == STATUS_OK)
        status = check_compression(http_header(request, "Content-Encoding"), error);
    payload->bytes = http_body(request, &payload->size);
    return status;
}

static enum status decode_base64(struct arena *arena, struct payload *payload, struct error *error)
{
    uint8_t *bytes = arena_alloc(arena, payload->size / 4 * 3 + 3);
    if (bytes == NULL)
        return error_no_memory(error);
    if (!protojson_base64_decode(payload->bytes, payload->size, bytes, &payload->size))
        return error_invalid(error, "message: must be base64");
    payload->bytes = (const char *)bytes;
    return STATUS_OK;
}

static bool take_parameter(void *context, const char *name, const char *value)
{
    struct query *query = context;
    for (int i = 0; i < PARAMETER_COUNT; i++) {
        if (strcmp(name, PARAMETERS[i]) != 0)
            continue;
        if (query->values[i] != NULL && strcmp(query->values[i], value) != 0)
            query->twice = PARAMETERS[i];
        query->values[i] = value;
    }
    return true;
}

static enum status read_get(struct http_request *request, const struct query *query, struct payload *payload,
                            struct error *error)
{
    const char *message = query->values[MESSAGE], *base64 = query->values[BASE64];
    if (query->twice != NULL)
        return error_invalid(error, "%s: must not be given twice with other values", query->twice);
    TRY(check_version(PARAMETERS[CONNECT], query->values[CONNECT], "v1", error));
    TRY(check_compression(query->values[COMPRESSION], error));
    if (message == NULL)
        return error_invalid(error, "message: must be given");
    payload->bytes = message;
    payload->size = strlen(message);
    if (base64 != NULL && strcmp(base64, "1") == 0)
        return decode_base64(http_arena(request), payload, error);
    if (payload->codec == CODEC_PROTO && payload->size > 0) /* a NUL would truncate the message */
        return error_invalid(error, "message: proto must come with base64=1");
    return STATUS_OK;
}

static enum status read_message(const struct payload *payload, const ProtobufCMessageDescriptor *descriptor,
                                struct arena *arena, ProtobufCMessage **out, struct error *error)
{
    if (payload->codec == CODEC_JSON) {
        enum status status = request_bounds_check_json(descriptor, payload->bytes, payload->size, error);
        return status != STATUS_OK ? status
                                   : protojson_text_to_message(payload->bytes, payload->size, descriptor,
                                                               PROTOJSON_IGNORE_UNKNOWN, arena, out, error);
    }
    const uint8_t *bytes = (const uint8_t *)payload->bytes;
    *out = wire_unpack(descriptor, bytes, payload->size, WIRE_REQUEST_ELEMENTS_MAX, arena, error);
    return *out != NULL ? STATUS_OK : error->status;
}

/* ---- calls ---- */

static enum status start(struct gateway *gateway, const struct backend_method *method,
                         const struct payload *payload, struct http_request *request, struct error *error)
{
    struct arena *arena = http_arena(request);
    ProtobufCMessage *message;
    uint32_t timeout_ms;
    TRY(read_timeout(gateway, request, &timeout_ms, error));
    TRY(read_message(payload, method->method->input, arena, &message, error));
    struct connect_call *call = arena_alloc(arena, sizeof *call);
    if (call == NULL)
        return error_no_memory(error);
    unary_describe(request, &call->backend);
    call->backend.rpc.timeout_ms = timeout_ms;
    call->request = request;
    call->method = method;
    call->codec = payload->codec;
    backend_call(gateway->backend, method, message, on_answer, &call->backend);
    return STATUS_OK;
}

void connect_handle(struct gateway *gateway, struct http_request *request)
{
    const struct backend_method *method = unary_method(gateway, http_path(request));
    struct error error;
    if (method == NULL) {
        (void)error_set(&error, STATUS_UNIMPLEMENTED, NULL, "there is no such method");
        respond_error(request, &error);
        return;
    }
    http_set_route(request, http_path(request));
    bool get = strcmp(http_method(request), "GET") == 0;
    if (get ? !method->no_side_effects : strcmp(http_method(request), "POST") != 0) {
        respond_bare(request, HTTP_METHOD_NOT_ALLOWED, "Allow",
                     method->no_side_effects ? "GET, POST" : "POST");
        return;
    }
    struct payload payload = {0};
    struct query query = {.twice = NULL};
    (void)http_query_visit(request, take_parameter, &query);
    if (get ? !codec_of_encoding(query.values[ENCODING], &payload.codec)
            : !codec_of_type(http_header(request, "Content-Type"), &payload.codec)) {
        respond_bare(request, HTTP_UNSUPPORTED_MEDIA_TYPE, "Accept-Post", ALL_TYPES);
        return;
    }
    enum status status =
        get ? read_get(request, &query, &payload, &error) : read_post(request, &payload, &error);
    if (status == STATUS_OK)
        status = start(gateway, method, &payload, request, &error);
    if (status != STATUS_OK)
        respond_error(request, &error);
}

void connect_refuse(struct http_request *request, unsigned code, const char *why)
{
    struct error error;
    unary_refusal(code, why, &error);
    respond_error(request, &error);
}
