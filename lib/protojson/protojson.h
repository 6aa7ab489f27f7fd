/*
 * Converts any proto3 message to and from canonical proto3 JSON, using only its descriptor and jansson.
 *
 *     field names               written in lowerCamelCase; also read as in the .proto file
 *     32-bit integers           written 12; also read 12.0, "12"
 *     64-bit integers           written "12"; also read 12, 12.0
 *     float, double             written 1.5, "NaN", "Infinity", "-Infinity"; also read "1.5"
 *     bool                      true, false
 *     enum                      written "CONFIRMED", or 17 if the number has no name; also read 17, "17"
 *     string                    "text"
 *     bytes                     written in base64 with padding; also read in base64url and unpadded
 *     google.protobuf.Timestamp written "2026-12-01T00:30:00.250Z" with 0, 3, 6 or 9 digits of fraction;
 *                               also read with 1 to 9 digits and with offsets such as "+09:00"
 *     repeated                  an array
 *     message                   an object, written only if it is set
 *     oneof                     the member that is set; proto3 `optional` is a oneof of one member here
 *                               (cmake/ProtobufC.cmake)
 *     null                      read as absent, for every field
 *
 * Integers written with a fraction or an exponent are exact up to 2^53; larger ones are refused. jansson
 * cannot read a bare integer above 2^63 - 1. Larger uint64 values are read only from strings, the form in
 * which they are written.
 *
 * Maps, proto2 fields and the other well-known types are not supported, because none of our .proto files use
 * them. A message that uses them is refused with UNIMPLEMENTED. Unknown wire fields do not appear in JSON.
 *
 * All functions may be called from any thread and share no state. Each may also return RESOURCE_EXHAUSTED
 * when out of memory. On failure the out-parameters are unchanged.
 */
#ifndef SCREENING_PROTOJSON_PROTOJSON_H
#define SCREENING_PROTOJSON_PROTOJSON_H

#include <jansson.h>
#include <protobuf-c/protobuf-c.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/status.h"

/*
 * Options, combined with |. 0 means canonical JSON, read strictly. Each function ignores options that do not
 * apply to it.
 */
enum {
    /*
     * When writing, also write fields that hold 0, "", false or [ ], but not absent messages or unset oneof
     * members.
     */
    PROTOJSON_EMIT_DEFAULTS = 1 << 0,
    /* When writing text, write one value per line, indented by two spaces per level. */
    PROTOJSON_INDENT = 1 << 1,
    /* When reading, skip fields that the message type does not have. Unknown enum names are still errors. */
    PROTOJSON_IGNORE_UNKNOWN = 1 << 2,
};

/*
 * The maximum depth of a message. A deeper message is refused with INVALID_ARGUMENT, both when reading and
 * when writing. The outermost message has depth 1.
 */
enum { PROTOJSON_DEPTH_MAX = 32 };

/*
 * The maximum number of values in a text. A text with more is refused with INVALID_ARGUMENT before it is
 * parsed.
 */
enum { PROTOJSON_VALUES_MAX = 16384 };

/*
 * Writes `message` to `arena` as compact text: an object or, for a Timestamp, a string. The text ends with a
 * NUL, and `*size` is its size without the NUL. A failed call also leaves its allocations in the arena.
 *
 * Returns INVALID_ARGUMENT "days[2].date: ..." for text that is not UTF-8, a Timestamp outside the years 1 to
 * 9999, or nesting that is too deep. Returns UNIMPLEMENTED for unsupported messages (see above).
 */
MUST_CHECK enum status protojson_write(const ProtobufCMessage *message, unsigned flags, struct arena *arena,
                                       char **text, size_t *size, struct error *error);

/* Like protojson_write, but returns a jansson value. The caller owns `*out` and releases it with
 * json_decref. */
MUST_CHECK enum status protojson_from_message(const ProtobufCMessage *message, unsigned flags, json_t **out,
                                              struct error *error);

/*
 * Creates the message of type `descriptor` that `json` describes. The whole message lives in `arena` until
 * the arena is reset or freed, so never call free_unpacked on it. The caller keeps `json`; the message does
 * not refer to it. A failed call also leaves its allocations in the arena.
 *
 * Returns INVALID_ARGUMENT with the path and the rule, using the names of the .proto file, such as
 * "days[2].capacity: must be an integer from 0 to 4294967295". Possible causes are a value of the wrong kind
 * or out of range, an unknown field or enum name, a field given under both of its names, two members of one
 * oneof, null in an array, text with NUL or invalid UTF-8, and nesting that is too deep. Returns
 * UNIMPLEMENTED for unsupported messages.
 */
MUST_CHECK enum status protojson_to_message(const json_t *json, const ProtobufCMessageDescriptor *descriptor,
                                            unsigned flags, struct arena *arena, ProtobufCMessage **out,
                                            struct error *error);

/*
 * Like protojson_write, but allocates the text, which the caller frees. The text is compact, or indented if
 * PROTOJSON_INDENT is set, and ends with a NUL.
 */
MUST_CHECK enum status protojson_message_to_text(const ProtobufCMessage *message, unsigned flags, char **text,
                                                 struct error *error);

/*
 * Like protojson_to_message, for `size_bytes` of text. Also returns INVALID_ARGUMENT "JSON: ..., line 1,
 * column 9" for text that is not exactly one JSON value in UTF-8, and for an object with a duplicate key. The
 * error message never quotes the text. If memory runs out inside jansson's parser, the failure can look like
 * malformed JSON.
 */
MUST_CHECK enum status protojson_text_to_message(const char *text, size_t size_bytes,
                                                 const ProtobufCMessageDescriptor *descriptor, unsigned flags,
                                                 struct arena *arena, ProtobufCMessage **out,
                                                 struct error *error);

/*
 * Returns INVALID_ARGUMENT "JSON: ..." if the text has more than `max` values, including objects and arrays.
 * The text need not be valid JSON. Use this function for a lower limit than PROTOJSON_VALUES_MAX. It takes a
 * fraction of the time that parsing takes.
 */
MUST_CHECK enum status protojson_check_values(const char *text, size_t size_bytes, size_t max,
                                              struct error *error);

/*
 * Sets a field from `text`, an unquoted value as in a path, a query or a header field. `name` is either of
 * the field's names. The field must be singular, and neither a message nor in a oneof. Returns NOT_FOUND
 * "NAME: ..." if the message has no such field. Returns INVALID_ARGUMENT like protojson_to_message, or if the
 * field already holds a different value that is not its default. Allocations live in `arena`.
 */
MUST_CHECK enum status protojson_set_text(ProtobufCMessage *message, const char *name, const char *text,
                                          struct arena *arena, struct error *error);

/*
 * Returns the index, among the descriptor's fields, of the field that protojson_set_text would set. Returns
 * -1 if there is none.
 */
int protojson_field_index(const ProtobufCMessageDescriptor *descriptor, const char *name);

#endif
