/* Message to JSON. Recursion follows the message's own nesting and ends at PROTOJSON_DEPTH_MAX. */
#include "field.h"
#include "protojson.h"
#include "timestamp.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base64.h"

struct encoder {
    unsigned flags;
    struct error *error;
};

static enum status encode_message(const struct encoder *encoder, const ProtobufCMessage *message,
                                  const struct protojson_path *path, unsigned depth, json_t **out);

static const void *slot_of(const ProtobufCMessage *message, size_t offset)
{
    return (const char *)message + offset;
}

/* Hands on what a json_ constructor made; it makes nothing only when memory is out. */
static enum status give(json_t *made, json_t **out, struct error *error)
{
    if (made == NULL) {
        return protojson_out_of_memory(error);
    }
    *out = made;
    return STATUS_OK;
}

static json_t *json_from_double(double value)
{
    if (isnan(value)) {
        return json_string_nocheck("NaN");
    }
    if (isinf(value)) {
        return json_string_nocheck(value > 0 ? "Infinity" : "-Infinity");
    }
    return json_real(value);
}

static json_t *json_from_enum(const ProtobufCEnumDescriptor *descriptor, int32_t number)
{
    const ProtobufCEnumValue *value = protobuf_c_enum_descriptor_get_value(descriptor, number);
    return value != NULL ? json_string_nocheck(value->name) : json_integer(number);
}

static json_t *json_from_bytes(const ProtobufCBinaryData *bytes)
{
    size_t length = protojson_base64_length(bytes->len);
    char *text = malloc(length + 1);
    if (text == NULL) {
        return NULL;
    }
    protojson_base64_encode(bytes->data, bytes->len, text);
    json_t *json = json_stringn_nocheck(text, length);
    free(text);
    return json;
}

/* A C string may be NULL where nobody set it: protobuf-c packs that as empty too. */
static enum status encode_text(const struct encoder *encoder, const char *text,
                               const struct protojson_path *path, json_t **out)
{
    const char *shown = text != NULL ? text : "";
    size_t length = strlen(shown);
    if (!text_is_utf8(shown, length)) {
        return protojson_refuse(encoder->error, STATUS_INVALID_ARGUMENT, path, "must be valid UTF-8");
    }
    return give(json_stringn_nocheck(shown, length), out, encoder->error);
}

static enum status encode_timestamp(const struct encoder *encoder, int64_t seconds, int32_t nanos,
                                    const struct protojson_path *path, json_t **out)
{
    char text[PROTOJSON_TIMESTAMP_SIZE];
    if (!protojson_timestamp_format(seconds, nanos, text)) {
        return protojson_refuse(encoder->error, STATUS_INVALID_ARGUMENT, path,
                                "must be an instant in the years 1 to 9999");
    }
    return give(json_string_nocheck(text), out, encoder->error);
}

static json_t *json_from_scalar(const ProtobufCFieldDescriptor *field, const void *slot)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        return json_sprintf("%" PRId64, *(const int64_t *)slot);
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        return json_sprintf("%" PRIu64, *(const uint64_t *)slot);
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        return json_integer(*(const uint32_t *)slot);
    case PROTOBUF_C_TYPE_FLOAT:
        return json_from_double((double)*(const float *)slot);
    case PROTOBUF_C_TYPE_DOUBLE:
        return json_from_double(*(const double *)slot);
    case PROTOBUF_C_TYPE_BOOL:
        return json_boolean(*(const protobuf_c_boolean *)slot);
    case PROTOBUF_C_TYPE_ENUM:
        return json_from_enum(field->descriptor, *(const int32_t *)slot);
    case PROTOBUF_C_TYPE_BYTES:
        return json_from_bytes(slot);
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
    default:
        return json_integer(*(const int32_t *)slot);
    }
}

static enum status encode_value(const struct encoder *encoder, const ProtobufCFieldDescriptor *field,
                                const void *slot, const struct protojson_path *path, unsigned depth,
                                json_t **out)
{
    if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
        return encode_message(encoder, *(ProtobufCMessage *const *)slot, path, depth + 1, out);
    }
    if (field->type == PROTOBUF_C_TYPE_STRING) {
        return encode_text(encoder, *(char *const *)slot, path, out);
    }
    return give(json_from_scalar(field, slot), out, encoder->error);
}

static enum status encode_array(const struct encoder *encoder, const ProtobufCFieldDescriptor *field,
                                const char *elements, size_t count, const struct protojson_path *path,
                                unsigned depth, json_t **out)
{
    json_t *array = json_array();
    enum status status = array != NULL ? STATUS_OK : protojson_out_of_memory(encoder->error);
    for (size_t i = 0; status == STATUS_OK && i < count; i++) {
        const struct protojson_path step = {.parent = path, .index = i};
        json_t *value = NULL;
        status =
            encode_value(encoder, field, elements + i * protojson_value_size(field), &step, depth, &value);
        if (status == STATUS_OK && json_array_append_new(array, value) != 0) {
            status = protojson_out_of_memory(encoder->error);
        }
    }
    if (status != STATUS_OK) {
        json_decref(array);
        return status;
    }
    *out = array;
    return STATUS_OK;
}

/* Whether a field that is neither repeated nor a oneof's holds its type's default. */
static bool is_default(const ProtobufCFieldDescriptor *field, const void *slot)
{
    static const char zero[sizeof(ProtobufCBinaryData)];
    if (field->type == PROTOBUF_C_TYPE_STRING) {
        const char *text = *(char *const *)slot;
        return text == NULL || text[0] == '\0';
    }
    if (field->type == PROTOBUF_C_TYPE_BYTES) {
        return ((const ProtobufCBinaryData *)slot)->len == 0;
    }
    return memcmp(slot, zero, protojson_value_size(field)) == 0;
}

static bool is_written(const struct encoder *encoder, const ProtobufCMessage *message,
                       const ProtobufCFieldDescriptor *field)
{
    bool defaults = (encoder->flags & PROTOJSON_EMIT_DEFAULTS) != 0;
    const void *slot = slot_of(message, field->offset);
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        return defaults || *(const size_t *)slot_of(message, field->quantifier_offset) > 0;
    }
    if (protojson_is_oneof_member(field) &&
        *(const uint32_t *)slot_of(message, field->quantifier_offset) != field->id) {
        return false;
    }
    if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
        return *(ProtobufCMessage *const *)slot != NULL;
    }
    return defaults || protojson_is_oneof_member(field) || !is_default(field, slot);
}

static enum status encode_field(const struct encoder *encoder, const ProtobufCMessage *message,
                                const ProtobufCFieldDescriptor *field, const struct protojson_path *path,
                                unsigned depth, json_t *object)
{
    enum status status = protojson_field_check(field, path, encoder->error);
    if (status != STATUS_OK || !is_written(encoder, message, field)) {
        return status;
    }
    const void *slot = slot_of(message, field->offset);
    json_t *value = NULL;
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        size_t count = *(const size_t *)slot_of(message, field->quantifier_offset);
        status = encode_array(encoder, field, *(char *const *)slot, count, path, depth, &value);
    } else {
        status = encode_value(encoder, field, slot, path, depth, &value);
    }
    char name[PROTOJSON_NAME_SIZE];
    if (status == STATUS_OK && json_object_set_new_nocheck(object, protojson_name(field, name), value) != 0) {
        status = protojson_out_of_memory(encoder->error);
    }
    return status;
}

static enum status encode_message(const struct encoder *encoder, const ProtobufCMessage *message,
                                  const struct protojson_path *path, unsigned depth, json_t **out)
{
    const ProtobufCMessageDescriptor *descriptor = message->descriptor;
    size_t seconds = 0;
    size_t nanos = 0;
    if (protojson_is_timestamp(descriptor, &seconds, &nanos)) {
        return encode_timestamp(encoder, *(const int64_t *)slot_of(message, seconds),
                                *(const int32_t *)slot_of(message, nanos), path, out);
    }
    enum status status = protojson_message_check(descriptor, path, depth, encoder->error);
    if (status != STATUS_OK) {
        return status;
    }
    json_t *object = json_object();
    status = object != NULL ? STATUS_OK : protojson_out_of_memory(encoder->error);
    for (unsigned i = 0; status == STATUS_OK && i < descriptor->n_fields; i++) {
        const struct protojson_path step = {.parent = path, .name = descriptor->fields[i].name};
        status = encode_field(encoder, message, &descriptor->fields[i], &step, depth, object);
    }
    if (status != STATUS_OK) {
        json_decref(object);
        return status;
    }
    *out = object;
    return STATUS_OK;
}

enum status protojson_from_message(const ProtobufCMessage *message, unsigned flags, json_t **out,
                                   struct error *error)
{
    const struct encoder encoder = {.flags = flags, .error = error};
    return encode_message(&encoder, message, NULL, 1, out);
}
