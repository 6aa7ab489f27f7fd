#include "protojson/field.h"

#include <ctype.h>
#include <string.h>

#include "protojson/protojson.h"

enum status protojson_message_check(const ProtobufCMessageDescriptor *descriptor,
                                    const struct protojson_path *path, unsigned depth, struct error *error)
{
    if (depth > PROTOJSON_DEPTH_MAX) {
        return protojson_refuse(error, STATUS_INVALID_ARGUMENT, path,
                                "must not be nested more than %d levels deep", PROTOJSON_DEPTH_MAX);
    }
    if (strcmp(descriptor->package_name, "google.protobuf") == 0) {
        return protojson_refuse(error, STATUS_UNIMPLEMENTED, path, "%s has no JSON form here",
                                descriptor->name);
    }
    return STATUS_OK;
}

/*
 * Returns whether the field is a map. protobuf-c does not distinguish maps from repeated messages, but the
 * element type of a map is always FieldNameEntry{key = 1, value = 2}, which protoc generates.
 */
static bool is_map(const ProtobufCFieldDescriptor *field)
{
    if (field->label != PROTOBUF_C_LABEL_REPEATED || field->type != PROTOBUF_C_TYPE_MESSAGE)
        return false;
    const ProtobufCMessageDescriptor *element = field->descriptor;
    if (element->n_fields != 2 || strcmp(element->fields[0].name, "key") != 0 ||
        strcmp(element->fields[1].name, "value") != 0)
        return false;
    char name[PROTOJSON_NAME_SIZE];
    size_t length = strlen(protojson_name(field, name));
    name[0] = (char)toupper((unsigned char)name[0]);
    return strncmp(element->short_name, name, length) == 0 &&
           strcmp(element->short_name + length, "Entry") == 0;
}

enum status protojson_field_check(const ProtobufCFieldDescriptor *field, const struct protojson_path *path,
                                  struct error *error)
{
    if (is_map(field))
        return protojson_refuse(error, STATUS_UNIMPLEMENTED, path, "maps have no JSON form here");
    if (field->label == PROTOBUF_C_LABEL_REQUIRED || field->label == PROTOBUF_C_LABEL_OPTIONAL) {
        return protojson_refuse(error, STATUS_UNIMPLEMENTED, path,
                                "required and optional fields have no JSON form here");
    }
    if (strlen(field->name) >= PROTOJSON_NAME_SIZE)
        return protojson_refuse(error, STATUS_UNIMPLEMENTED, path, "the field's name is too long");
    return STATUS_OK;
}

bool protojson_is_timestamp(const ProtobufCMessageDescriptor *descriptor, size_t *seconds_offset,
                            size_t *nanos_offset)
{
    if (strcmp(descriptor->name, "google.protobuf.Timestamp") != 0)
        return false;
    const ProtobufCFieldDescriptor *seconds =
        protobuf_c_message_descriptor_get_field_by_name(descriptor, "seconds");
    const ProtobufCFieldDescriptor *nanos =
        protobuf_c_message_descriptor_get_field_by_name(descriptor, "nanos");
    if (seconds == NULL || seconds->type != PROTOBUF_C_TYPE_INT64 || nanos == NULL ||
        nanos->type != PROTOBUF_C_TYPE_INT32)
        return false;
    *seconds_offset = seconds->offset;
    *nanos_offset = nanos->offset;
    return true;
}

char *protojson_name(const ProtobufCFieldDescriptor *field, char out[PROTOJSON_NAME_SIZE])
{
    size_t length = 0;
    bool after_underscore = false;
    for (const char *c = field->name; *c != '\0' && length < PROTOJSON_NAME_SIZE - 1; c++) {
        if (*c != '_') {
            int shown = after_underscore ? toupper((unsigned char)*c) : *c;
            out[length++] = (char)shown;
        }
        after_underscore = *c == '_';
    }
    out[length] = '\0';
    return out;
}

size_t protojson_value_size(const ProtobufCFieldDescriptor *field)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        return sizeof(uint64_t);
    case PROTOBUF_C_TYPE_DOUBLE:
        return sizeof(double);
    case PROTOBUF_C_TYPE_BOOL:
        return sizeof(protobuf_c_boolean);
    case PROTOBUF_C_TYPE_STRING:
        return sizeof(char *);
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    case PROTOBUF_C_TYPE_MESSAGE:
        return sizeof(ProtobufCMessage *);
    case PROTOBUF_C_TYPE_FLOAT:
        return sizeof(float);
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_ENUM:
    default:
        return sizeof(uint32_t);
    }
}

bool protojson_is_oneof_member(const ProtobufCFieldDescriptor *field)
{
    return (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0;
}
