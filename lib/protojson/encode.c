/* Converts a message to JSON text. Recursion follows the message's nesting, up to PROTOJSON_DEPTH_MAX. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/text.h"
#include "protojson/base64.h"
#include "protojson/field.h"
#include "protojson/output.h"
#include "protojson/protojson.h"
#include "protojson/timestamp.h"

struct encoder {
    unsigned flags;
    struct error *error;
    struct output output;
};

static enum status encode_message(struct encoder *encoder, const ProtobufCMessage *message,
                                  const struct protojson_path *path, unsigned depth);

static const void *slot_of(const ProtobufCMessage *message, size_t offset)
{
    return (const char *)message + offset;
}

/* ---- values ---- */

/* Writes a number. jansson formats it with as many digits as are needed to read it back exactly. */
static enum status encode_double(struct encoder *encoder, double value)
{
    if (isnan(value))
        return output_text(&encoder->output, "\"NaN\"");
    if (isinf(value))
        return output_text(&encoder->output, value > 0 ? "\"Infinity\"" : "\"-Infinity\"");
    char text[64];
    json_t *json = json_real(value);
    size_t size = json != NULL ? json_dumpb(json, text, sizeof text, JSON_ENCODE_ANY) : 0;
    json_decref(json);
    return size > 0 ? output_put(&encoder->output, text, size) : error_no_memory(encoder->error);
}

static enum status encode_enum(struct encoder *encoder, const ProtobufCEnumDescriptor *descriptor,
                               int32_t number)
{
    const ProtobufCEnumValue *value = protobuf_c_enum_descriptor_get_value(descriptor, number);
    return value != NULL ? output_quoted(&encoder->output, value->name, strlen(value->name))
                         : output_signed(&encoder->output, number, false);
}

static enum status encode_bytes(struct encoder *encoder, const ProtobufCBinaryData *bytes)
{
    size_t length = protojson_base64_length(bytes->len);
    char *room = output_extend(&encoder->output, length + 2);
    if (room == NULL)
        return error_no_memory(encoder->error);
    room[0] = '"';
    protojson_base64_encode(bytes->data, bytes->len, room + 1);
    room[length + 1] = '"';
    return STATUS_OK;
}

/* Writes a text. A C string that was never set may be NULL, which protobuf-c also packs as empty. */
static enum status encode_text(struct encoder *encoder, const char *text, const struct protojson_path *path)
{
    const char *shown = text != NULL ? text : "";
    size_t length = strlen(shown);
    if (!text_is_utf8(shown, length))
        return protojson_refuse(encoder->error, STATUS_INVALID_ARGUMENT, path, "must be valid UTF-8");
    return output_escaped(&encoder->output, shown, length);
}

static enum status encode_timestamp(struct encoder *encoder, int64_t seconds, int32_t nanos,
                                    const struct protojson_path *path)
{
    char text[PROTOJSON_TIMESTAMP_SIZE];
    if (!protojson_timestamp_format(seconds, nanos, text)) {
        return protojson_refuse(encoder->error, STATUS_INVALID_ARGUMENT, path,
                                "must be an instant in the years 1 to 9999");
    }
    return output_quoted(&encoder->output, text, strlen(text));
}

static enum status encode_scalar(struct encoder *encoder, const ProtobufCFieldDescriptor *field,
                                 const void *slot)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        return output_signed(&encoder->output, *(const int64_t *)slot, true);
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        return output_unsigned(&encoder->output, *(const uint64_t *)slot, true);
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        return output_unsigned(&encoder->output, *(const uint32_t *)slot, false);
    case PROTOBUF_C_TYPE_FLOAT:
        return encode_double(encoder, (double)*(const float *)slot);
    case PROTOBUF_C_TYPE_DOUBLE:
        return encode_double(encoder, *(const double *)slot);
    case PROTOBUF_C_TYPE_BOOL:
        return output_text(&encoder->output, *(const protobuf_c_boolean *)slot ? "true" : "false");
    case PROTOBUF_C_TYPE_ENUM:
        return encode_enum(encoder, field->descriptor, *(const int32_t *)slot);
    case PROTOBUF_C_TYPE_BYTES:
        return encode_bytes(encoder, slot);
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
    default:
        return output_signed(&encoder->output, *(const int32_t *)slot, false);
    }
}

static enum status encode_value(struct encoder *encoder, const ProtobufCFieldDescriptor *field,
                                const void *slot, const struct protojson_path *path, unsigned depth)
{
    if (field->type == PROTOBUF_C_TYPE_MESSAGE)
        return encode_message(encoder, *(ProtobufCMessage *const *)slot, path, depth + 1);
    if (field->type == PROTOBUF_C_TYPE_STRING)
        return encode_text(encoder, *(char *const *)slot, path);
    return encode_scalar(encoder, field, slot);
}

static enum status encode_array(struct encoder *encoder, const ProtobufCFieldDescriptor *field,
                                const char *elements, size_t count, const struct protojson_path *path,
                                unsigned depth)
{
    enum status status = output_put(&encoder->output, "[", 1);
    for (size_t i = 0; status == STATUS_OK && i < count; i++) {
        const struct protojson_path step = {.parent = path, .index = i};
        if (i > 0)
            status = output_put(&encoder->output, ",", 1);
        if (status == STATUS_OK)
            status = encode_value(encoder, field, elements + i * protojson_value_size(field), &step, depth);
    }
    return status == STATUS_OK ? output_put(&encoder->output, "]", 1) : status;
}

/* ---- messages ---- */

/* Returns whether a field that is neither repeated nor in a oneof holds its type's default. */
static bool is_default(const ProtobufCFieldDescriptor *field, const void *slot)
{
    static const char zero[sizeof(ProtobufCBinaryData)];
    if (field->type == PROTOBUF_C_TYPE_STRING) {
        const char *text = *(char *const *)slot;
        return text == NULL || text[0] == '\0';
    }
    if (field->type == PROTOBUF_C_TYPE_BYTES)
        return ((const ProtobufCBinaryData *)slot)->len == 0;
    return memcmp(slot, zero, protojson_value_size(field)) == 0;
}

static bool is_written(const struct encoder *encoder, const ProtobufCMessage *message,
                       const ProtobufCFieldDescriptor *field)
{
    bool defaults = (encoder->flags & PROTOJSON_EMIT_DEFAULTS) != 0;
    const void *slot = slot_of(message, field->offset);
    if (field->label == PROTOBUF_C_LABEL_REPEATED)
        return defaults || *(const size_t *)slot_of(message, field->quantifier_offset) > 0;
    if (protojson_is_oneof_member(field) &&
        *(const uint32_t *)slot_of(message, field->quantifier_offset) != field->id)
        return false;
    if (field->type == PROTOBUF_C_TYPE_MESSAGE)
        return *(ProtobufCMessage *const *)slot != NULL;
    return defaults || protojson_is_oneof_member(field) || !is_default(field, slot);
}

/* Writes `,"name":`, without the comma after an object's opening brace. */
static enum status put_name(struct encoder *encoder, const ProtobufCFieldDescriptor *field)
{
    char camel[PROTOJSON_NAME_SIZE];
    const char *name = protojson_name(field, camel);
    if (encoder->output.text[encoder->output.size - 1] != '{')
        TRY(output_put(&encoder->output, ",", 1));
    TRY(output_quoted(&encoder->output, name, strlen(name)));
    return output_put(&encoder->output, ":", 1);
}

static enum status encode_field(struct encoder *encoder, const ProtobufCMessage *message,
                                const ProtobufCFieldDescriptor *field, const struct protojson_path *path,
                                unsigned depth)
{
    TRY(protojson_field_check(field, path, encoder->error));
    if (!is_written(encoder, message, field))
        return STATUS_OK;
    TRY(put_name(encoder, field));
    const void *slot = slot_of(message, field->offset);
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        size_t count = *(const size_t *)slot_of(message, field->quantifier_offset);
        return encode_array(encoder, field, *(char *const *)slot, count, path, depth);
    }
    return encode_value(encoder, field, slot, path, depth);
}

static enum status encode_message(struct encoder *encoder, const ProtobufCMessage *message,
                                  const struct protojson_path *path, unsigned depth)
{
    const ProtobufCMessageDescriptor *descriptor = message->descriptor;
    size_t seconds = 0;
    size_t nanos = 0;
    if (protojson_is_timestamp(descriptor, &seconds, &nanos)) {
        return encode_timestamp(encoder, *(const int64_t *)slot_of(message, seconds),
                                *(const int32_t *)slot_of(message, nanos), path);
    }
    TRY(protojson_message_check(descriptor, path, depth, encoder->error));
    TRY(output_put(&encoder->output, "{", 1));
    for (unsigned i = 0; i < descriptor->n_fields; i++) {
        const struct protojson_path step = {.parent = path, .name = descriptor->fields[i].name};
        TRY(encode_field(encoder, message, &descriptor->fields[i], &step, depth));
    }
    return output_put(&encoder->output, "}", 1);
}

enum status protojson_write(const ProtobufCMessage *message, unsigned flags, struct arena *arena, char **text,
                            size_t *size, struct error *error)
{
    struct encoder encoder = {.flags = flags, .error = error, .output = {.arena = arena, .error = error}};
    TRY(encode_message(&encoder, message, NULL, 1));
    TRY(output_put(&encoder.output, "", 1)); /* the terminating NUL */
    *text = encoder.output.text;
    *size = encoder.output.size - 1;
    return STATUS_OK;
}
