/* Converts JSON to a message. Recursion follows the descriptor's nesting, up to PROTOJSON_DEPTH_MAX. */
#include <string.h>

#include "protojson/field.h"
#include "protojson/protojson.h"
#include "protojson/scalar.h"
#include "protojson/timestamp.h"

struct decoder {
    unsigned flags;
    struct arena *arena;
    struct error *error;
};

static enum status decode_message(const struct decoder *decoder, const json_t *json,
                                  const ProtobufCMessageDescriptor *descriptor,
                                  const struct protojson_path *path, unsigned depth, ProtobufCMessage **out);

static void *slot_of(ProtobufCMessage *message, size_t offset)
{
    return (char *)message + offset;
}

/* Returns a message with every field at its default. protobuf_c_message_init sets texts to "", never NULL. */
static ProtobufCMessage *new_message(struct arena *arena, const ProtobufCMessageDescriptor *descriptor)
{
    ProtobufCMessage *message = arena_alloc(arena, descriptor->sizeof_message);
    if (message != NULL)
        protobuf_c_message_init(descriptor, message);
    return message;
}

static enum status decode_timestamp(const struct decoder *decoder, const json_t *json,
                                    const struct protojson_path *path, int64_t *seconds, int32_t *nanos)
{
    const char *text = json_string_value(json);
    if (text == NULL || strlen(text) != json_string_length(json) ||
        !protojson_timestamp_parse(text, seconds, nanos)) {
        return protojson_refuse(decoder->error, STATUS_INVALID_ARGUMENT, path,
                                "must be an RFC 3339 instant such as \"2026-12-01T00:30:00Z\"");
    }
    return STATUS_OK;
}

static enum status decode_value(const struct decoder *decoder, const json_t *json,
                                const ProtobufCFieldDescriptor *field, const struct protojson_path *path,
                                unsigned depth, void *slot)
{
    if (field->type == PROTOBUF_C_TYPE_MESSAGE)
        return decode_message(decoder, json, field->descriptor, path, depth + 1, slot);
    return protojson_scalar_read(field, json, path, decoder->arena, slot, decoder->error);
}

static enum status decode_array(const struct decoder *decoder, const json_t *json,
                                const ProtobufCFieldDescriptor *field, const struct protojson_path *path,
                                unsigned depth, ProtobufCMessage *message)
{
    if (!json_is_array(json))
        return protojson_refuse(decoder->error, STATUS_INVALID_ARGUMENT, path, "must be an array");
    size_t count = json_array_size(json);
    if (count == 0)
        return STATUS_OK;
    size_t value_size = protojson_value_size(field);
    char *elements = arena_alloc(decoder->arena, count * value_size);
    if (elements == NULL)
        return error_no_memory(decoder->error);
    for (size_t i = 0; i < count; i++) {
        const struct protojson_path step = {.parent = path, .index = i};
        TRY(decode_value(decoder, json_array_get(json, i), field, &step, depth, elements + i * value_size));
    }
    *(char **)slot_of(message, field->offset) = elements;
    *(size_t *)slot_of(message, field->quantifier_offset) = count;
    return STATUS_OK;
}

/* Marks `field` as the oneof member that is set. Refuses it if another member is already set. */
static enum status choose_member(const struct decoder *decoder, const ProtobufCFieldDescriptor *field,
                                 const struct protojson_path *path, ProtobufCMessage *message)
{
    uint32_t *chosen = slot_of(message, field->quantifier_offset);
    if (*chosen != 0) {
        const ProtobufCFieldDescriptor *other =
            protobuf_c_message_descriptor_get_field(message->descriptor, *chosen);
        return protojson_refuse(decoder->error, STATUS_INVALID_ARGUMENT, path, "must not be given beside %s",
                                other->name);
    }
    *chosen = field->id;
    return STATUS_OK;
}

/*
 * Sets *value to the value of the field under either of its names, or to NULL if the field is absent. Adds
 * the number of keys found to *keys_found. Refuses a field that is given under both names.
 */
static enum status find_value(const struct decoder *decoder, const json_t *object,
                              const ProtobufCFieldDescriptor *field, const struct protojson_path *path,
                              json_t **value, size_t *keys_found)
{
    char name[PROTOJSON_NAME_SIZE];
    json_t *camel = json_object_get(object, protojson_name(field, name));
    json_t *original = strcmp(name, field->name) != 0 ? json_object_get(object, field->name) : NULL;
    if (camel != NULL && original != NULL) {
        return protojson_refuse(decoder->error, STATUS_INVALID_ARGUMENT, path, "must not be given beside %s",
                                name);
    }
    *value = camel != NULL ? camel : original;
    *keys_found += *value != NULL ? 1 : 0;
    return STATUS_OK;
}

static enum status decode_field(const struct decoder *decoder, const json_t *object,
                                const ProtobufCFieldDescriptor *field, const struct protojson_path *path,
                                unsigned depth, ProtobufCMessage *message, size_t *keys_found)
{
    json_t *value = NULL;
    TRY(protojson_field_check(field, path, decoder->error));
    TRY(find_value(decoder, object, field, path, &value, keys_found));
    if (value == NULL || json_is_null(value))
        return STATUS_OK;
    if (field->label == PROTOBUF_C_LABEL_REPEATED)
        return decode_array(decoder, value, field, path, depth, message);
    if (protojson_is_oneof_member(field))
        TRY(choose_member(decoder, field, path, message));
    return decode_value(decoder, value, field, path, depth, slot_of(message, field->offset));
}

static bool has_field(const ProtobufCMessageDescriptor *descriptor, const char *key)
{
    for (unsigned i = 0; i < descriptor->n_fields; i++) {
        char name[PROTOJSON_NAME_SIZE];
        if (strcmp(key, descriptor->fields[i].name) == 0 ||
            strcmp(key, protojson_name(&descriptor->fields[i], name)) == 0)
            return true;
    }
    return false;
}

/*
 * Refuses the first key that does not name a field. The cast is harmless, because jansson's iterators take a
 * non-const json_t but do not write to it.
 */
static enum status refuse_unknown(const struct decoder *decoder, const json_t *object,
                                  const ProtobufCMessageDescriptor *descriptor,
                                  const struct protojson_path *path)
{
    const char *key = NULL;
    json_t *value = NULL;
    json_object_foreach((json_t *)object, key, value)
    {
        if (!has_field(descriptor, key))
            break;
    }
    const struct protojson_path step = {.parent = path, .name = key};
    return protojson_refuse(decoder->error, STATUS_INVALID_ARGUMENT, &step, "is not a field of %s",
                            descriptor->name);
}

static enum status decode_fields(const struct decoder *decoder, const json_t *json,
                                 const struct protojson_path *path, unsigned depth, ProtobufCMessage *message)
{
    const ProtobufCMessageDescriptor *descriptor = message->descriptor;
    size_t keys_found = 0;
    for (unsigned i = 0; i < descriptor->n_fields; i++) {
        const struct protojson_path step = {.parent = path, .name = descriptor->fields[i].name};
        TRY(decode_field(decoder, json, &descriptor->fields[i], &step, depth, message, &keys_found));
    }
    if (keys_found < json_object_size(json) && (decoder->flags & PROTOJSON_IGNORE_UNKNOWN) == 0)
        return refuse_unknown(decoder, json, descriptor, path);
    return STATUS_OK;
}

static enum status decode_message(const struct decoder *decoder, const json_t *json,
                                  const ProtobufCMessageDescriptor *descriptor,
                                  const struct protojson_path *path, unsigned depth, ProtobufCMessage **out)
{
    size_t seconds = 0;
    size_t nanos = 0;
    bool timestamp = protojson_is_timestamp(descriptor, &seconds, &nanos);
    if (!timestamp) {
        TRY(protojson_message_check(descriptor, path, depth, decoder->error));
        if (!json_is_object(json))
            return protojson_refuse(decoder->error, STATUS_INVALID_ARGUMENT, path, "must be an object");
    }
    ProtobufCMessage *message = new_message(decoder->arena, descriptor);
    if (message == NULL)
        return error_no_memory(decoder->error);
    TRY(timestamp ? decode_timestamp(decoder, json, path, slot_of(message, seconds), slot_of(message, nanos))
                  : decode_fields(decoder, json, path, depth, message));
    *out = message;
    return STATUS_OK;
}

enum status protojson_to_message(const json_t *json, const ProtobufCMessageDescriptor *descriptor,
                                 unsigned flags, struct arena *arena, ProtobufCMessage **out,
                                 struct error *error)
{
    const struct decoder decoder = {.flags = flags, .arena = arena, .error = error};
    return decode_message(&decoder, json, descriptor, NULL, 1, out);
}
