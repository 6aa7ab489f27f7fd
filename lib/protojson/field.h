/* What both walkers ask about messages and their fields. Pure; any thread. */
#ifndef SCREENING_PROTOJSON_FIELD_H
#define SCREENING_PROTOJSON_FIELD_H

#include "path.h"

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>

enum { PROTOJSON_NAME_SIZE = 128 };

/*
 * Whether a message of this type may stand here. UNIMPLEMENTED for well-known types, whose JSON is not that
 * of an ordinary message (ask about Timestamp first); INVALID_ARGUMENT beyond PROTOJSON_DEPTH_MAX.
 */
MUST_CHECK enum status protojson_message_check(const ProtobufCMessageDescriptor *descriptor,
                                               const struct protojson_path *path, unsigned depth,
                                               struct error *error);

/* UNIMPLEMENTED for a field that has no JSON here: a map, explicit presence, a name of 128 bytes or more. */
MUST_CHECK enum status protojson_field_check(const ProtobufCFieldDescriptor *field,
                                             const struct protojson_path *path, struct error *error);

/* Whether messages of this type are google.protobuf.Timestamp; then where their two fields lie, in bytes. */
bool protojson_is_timestamp(const ProtobufCMessageDescriptor *descriptor, size_t *seconds_offset,
                            size_t *nanos_offset);

/* Writes the lowerCamelCase of a checked field's name. Returns `out`. */
char *protojson_name(const ProtobufCFieldDescriptor *field, char out[PROTOJSON_NAME_SIZE]);

/* The bytes that one value of the field takes in its message, or in the array of a repeated field. */
size_t protojson_value_size(const ProtobufCFieldDescriptor *field);

bool protojson_is_oneof_member(const ProtobufCFieldDescriptor *field);

#endif
