#include "rpc/envelope.h"

#include <string.h>

#include "rpc/wire.h"

#include "rpc/v1/envelope.pb-c.h"

/* The field numbers in proto/rpc/v1/envelope.proto. */
enum { METADATA_KEY = 1, METADATA_VALUE = 2 };
enum { REQUEST_METHOD = 1, REQUEST_PAYLOAD = 2, REQUEST_TIMEOUT_MS = 3, REQUEST_METADATA = 4 };
enum { REQUEST_EXPLICIT_PRESENCE = 5 };
enum { RESPONSE_PAYLOAD = 3 };

/* A metadata entry of a request. An entry without a value is omitted. */
struct entry {
    const char *key;
    const char *value;
    size_t key_size, value_size;
    size_t size; /* size of the packed Metadata message; 0 = omitted */
};

static struct entry make_entry(const char *key, const char *value)
{
    struct entry entry = {.key = key, .value = value};
    if (value != NULL && value[0] != '\0') {
        entry.key_size = strlen(key);
        entry.value_size = strlen(value);
        entry.size =
            wire_bytes_size(METADATA_KEY, entry.key_size) + wire_bytes_size(METADATA_VALUE, entry.value_size);
    }
    return entry;
}

static size_t entry_field_size(const struct entry *entry)
{
    return entry->size > 0 ? wire_bytes_size(REQUEST_METADATA, entry->size) : 0;
}

static uint8_t *put_entry(uint8_t *at, const struct entry *entry)
{
    if (entry->size == 0)
        return at;
    at = wire_put_bytes_header(at, REQUEST_METADATA, entry->size);
    at = wire_put_bytes(at, METADATA_KEY, entry->key, entry->key_size);
    return wire_put_bytes(at, METADATA_VALUE, entry->value, entry->value_size);
}

static enum status allocate(const char *what, size_t size, size_t max_bytes, nng_msg **out,
                            struct error *error)
{
    if (size > max_bytes) {
        return error_set(error, STATUS_RESOURCE_EXHAUSTED, NULL, "the %s of %zu bytes is larger than %zu",
                         what, size, max_bytes);
    }
    if (nng_msg_alloc(out, size) != 0) {
        return error_set(error, STATUS_RESOURCE_EXHAUSTED, NULL, "no memory for a %s of %zu bytes", what,
                         size);
    }
    return STATUS_OK;
}

enum status rpc_envelope_request(const struct rpc_request *request, size_t max_bytes, nng_msg **out,
                                 struct error *error)
{
    size_t method_size = strlen(request->method);
    size_t payload_size = protobuf_c_message_get_packed_size(request->message);
    struct entry trace = make_entry("traceparent", request->traceparent);
    struct entry authorization = make_entry("authorization", request->authorization);
    struct entry client = make_entry("client-address", request->client_address);
    size_t size = wire_bytes_size(REQUEST_METHOD, method_size) +
                  wire_bytes_size(REQUEST_PAYLOAD, payload_size) +
                  wire_varint_field_size(REQUEST_TIMEOUT_MS, request->timeout_ms) + entry_field_size(&trace) +
                  entry_field_size(&authorization) + entry_field_size(&client) +
                  wire_varint_field_size(REQUEST_EXPLICIT_PRESENCE, true);
    nng_msg *msg;
    TRY(allocate("request", size, max_bytes, &msg, error));
    uint8_t *at = wire_put_bytes(nng_msg_body(msg), REQUEST_METHOD, request->method, method_size);
    at = wire_put_bytes_header(at, REQUEST_PAYLOAD, payload_size);
    at += protobuf_c_message_pack(request->message, at);
    at = put_entry(at, &trace);
    at = put_entry(at, &authorization);
    at = put_entry(at, &client);
    at = wire_put_varint_field(at, REQUEST_EXPLICIT_PRESENCE, true);
    /* The timeout comes last, because rpc_envelope_shorten expects it there. */
    (void)wire_put_varint_field(at, REQUEST_TIMEOUT_MS, request->timeout_ms);
    *out = msg;
    return STATUS_OK;
}

void rpc_envelope_shorten(nng_msg *request, uint32_t old_ms, uint32_t timeout_ms)
{
    uint8_t field[WIRE_VARINT_FIELD_MAX];
    uint8_t *end = wire_put_varint_field(field, REQUEST_TIMEOUT_MS, timeout_ms);
    /* Neither call can fail, because the field is present and its replacement is not longer. */
    (void)nng_msg_chop(request, wire_varint_field_size(REQUEST_TIMEOUT_MS, old_ms));
    (void)nng_msg_append(request, field, (size_t)(end - field));
}

enum status rpc_envelope_response(const ProtobufCMessage *message, size_t max_bytes, nng_msg **out,
                                  struct error *error)
{
    size_t payload_size = protobuf_c_message_get_packed_size(message);
    nng_msg *msg;
    TRY(allocate("response", wire_bytes_size(RESPONSE_PAYLOAD, payload_size), max_bytes, &msg, error));
    uint8_t *at = wire_put_bytes_header(nng_msg_body(msg), RESPONSE_PAYLOAD, payload_size);
    (void)protobuf_c_message_pack(message, at); /* writes exactly payload_size bytes */
    *out = msg;
    return STATUS_OK;
}

nng_msg *rpc_envelope_error(const struct error *error)
{
    /* protobuf-c declares the texts as char *, but only reads them. */
    Rpc__V1__Response response = RPC__V1__RESPONSE__INIT;
    response.code = (uint32_t)error->status;
    response.message = (char *)error->message;
    response.reason = (char *)error->reason;
    response.retry_after_ms = error->retry_after_ms;
    nng_msg *msg;
    if (nng_msg_alloc(&msg, rpc__v1__response__get_packed_size(&response)) != 0)
        return NULL;
    (void)rpc__v1__response__pack(&response, nng_msg_body(msg));
    return msg;
}
