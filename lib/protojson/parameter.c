/* Sets one field from text, as found in paths, queries and header fields. */
#include <string.h>

#include "protojson/field.h"
#include "protojson/protojson.h"
#include "protojson/scalar.h"

/* Holds one value of any field that is not a message. */
union value {
    char *text;
    ProtobufCBinaryData bytes;
    uint64_t number;
};

/*
 * Returns the field with that name. Returns NULL if there is none, or if the field is repeated, is a message
 * or is in a oneof.
 */
static const ProtobufCFieldDescriptor *find_field(const ProtobufCMessageDescriptor *descriptor,
                                                  const char *name)
{
    for (unsigned i = 0; i < descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &descriptor->fields[i];
        char camel[PROTOJSON_NAME_SIZE];
        if (strcmp(name, field->name) == 0 || strcmp(name, protojson_name(field, camel)) == 0) {
            bool single = field->type != PROTOBUF_C_TYPE_MESSAGE && field->label != PROTOBUF_C_LABEL_REPEATED;
            return single && !protojson_is_oneof_member(field) ? field : NULL;
        }
    }
    return NULL;
}

int protojson_field_index(const ProtobufCMessageDescriptor *descriptor, const char *name)
{
    const ProtobufCFieldDescriptor *field = find_field(descriptor, name);
    return field != NULL ? (int)(field - descriptor->fields) : -1;
}

/* Converts text to a JSON value. Every value but a bool can be given as a JSON string. */
static json_t *json_of(const ProtobufCFieldDescriptor *field, const char *text)
{
    if (field->type == PROTOBUF_C_TYPE_BOOL && strcmp(text, "true") == 0)
        return json_true();
    if (field->type == PROTOBUF_C_TYPE_BOOL && strcmp(text, "false") == 0)
        return json_false();
    return json_string_nocheck(text);
}

/*
 * Returns whether the field may be set to the value, that is, whether it holds its default or the same value.
 */
static bool agrees(const ProtobufCFieldDescriptor *field, const void *slot, const union value *value)
{
    static const union value zero;
    size_t size = protojson_value_size(field);
    if (field->type == PROTOBUF_C_TYPE_STRING) {
        const char *text = *(char *const *)slot;
        return text[0] == '\0' || strcmp(text, value->text) == 0;
    }
    if (field->type == PROTOBUF_C_TYPE_BYTES) {
        const ProtobufCBinaryData *bytes = slot;
        return bytes->len == 0 ||
               (bytes->len == value->bytes.len && memcmp(bytes->data, value->bytes.data, bytes->len) == 0);
    }
    return memcmp(slot, &zero, size) == 0 || memcmp(slot, value, size) == 0;
}

enum status protojson_set_text(ProtobufCMessage *message, const char *name, const char *text,
                               struct arena *arena, struct error *error)
{
    const struct protojson_path given = {.name = name};
    const ProtobufCFieldDescriptor *field = find_field(message->descriptor, name);
    if (field == NULL)
        return protojson_refuse(error, STATUS_NOT_FOUND, &given, "is not a parameter here");
    const struct protojson_path path = {.name = field->name};
    json_t *json = json_of(field, text);
    if (json == NULL)
        return error_no_memory(error);
    union value value = {.number = 0};
    enum status status = protojson_scalar_read(field, json, &path, arena, &value, error);
    json_decref(json);
    TRY(status);
    void *slot = (char *)message + field->offset;
    if (!agrees(field, slot, &value)) {
        return protojson_refuse(error, STATUS_INVALID_ARGUMENT, &path,
                                "must not be given twice with other values");
    }
    memcpy(slot, &value, protojson_value_size(field));
    return STATUS_OK;
}
