/* Properties of messages and their fields, for the encoder and the decoder. Pure; any thread. */
#ifndef SCREENING_PROTOJSON_FIELD_H
#define SCREENING_PROTOJSON_FIELD_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>

#include "protojson/path.h"

enum { PROTOJSON_NAME_SIZE = 128 };

/*
 * Checks that a message of this type may appear here. Returns UNIMPLEMENTED for well-known types, whose JSON
 * differs from that of an ordinary message; the caller must check for Timestamp first. Returns
 * INVALID_ARGUMENT if `depth` exceeds PROTOJSON_DEPTH_MAX.
 */
MUST_CHECK enum status protojson_message_check(const ProtobufCMessageDescriptor *descriptor,
                                               const struct protojson_path *path, unsigned depth,
                                               struct error *error);

/*
 * Returns UNIMPLEMENTED for a field whose JSON form is not supported: a map, a field with explicit presence,
 * or one with a name of 128 bytes or more.
 */
MUST_CHECK enum status protojson_field_check(const ProtobufCFieldDescriptor *field,
                                             const struct protojson_path *path, struct error *error);

/*
 * Returns whether the message type is google.protobuf.Timestamp. If so, sets the byte offsets of its two
 * fields.
 */
bool protojson_is_timestamp(const ProtobufCMessageDescriptor *descriptor, size_t *seconds_offset,
                            size_t *nanos_offset);

/* Writes the field's name in lowerCamelCase, truncated if it is too long. Returns `out`. */
char *protojson_name(const ProtobufCFieldDescriptor *field, char out[PROTOJSON_NAME_SIZE]);

/* Returns the size in bytes of one value of the field, in its message or in the array of a repeated field. */
size_t protojson_value_size(const ProtobufCFieldDescriptor *field);

bool protojson_is_oneof_member(const ProtobufCFieldDescriptor *field);

#endif
