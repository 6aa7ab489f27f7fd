/*
 * protojson: any proto3 message as canonical proto3 JSON and back, by descriptor alone, on jansson.
 *
 * - a field's name: written in lowerCamelCase; also read as it stands in the .proto file
 * - integers of 32 bits: written 12; also read 12.0, "12"
 * - integers of 64 bits: written "12"; also read 12, 12.0
 * - float, double: written 1.5, "NaN", "Infinity", "-Infinity"; also read "1.5"
 * - bool: true, false
 * - enum: written "CONFIRMED", or 17 where the number has no name; also read by number: 17, "17"
 * - string: "text"
 * - bytes: written in base64 with padding; also read in base64url and without padding
 * - google.protobuf.Timestamp: written "2026-12-01T00:30:00.250Z" with 0, 3, 6 or 9 digits of fraction;
 *   also read with 1 to 9 digits and with offsets such as "+09:00"
 * - repeated: an array; message: an object, written only where it is set; a oneof: its member that is set,
 * and so proto3 `optional`, which is a oneof of one member here (cmake/ProtobufC.cmake)
 * - null is read as absent, for every field
 *
 * Integers with a fraction part or an exponent are exact up to 2^53 and refused above. jansson has no bare
 * integer above 2^63 - 1: uint64 values up there are read from strings only, as they are written.
 *
 * Not supported, because no proto of ours has them: maps, proto2 fields, the other well-known types. Such a
 * message is answered UNIMPLEMENTED. Unknown wire fields do not appear in JSON.
 *
 * All functions may be called from any thread; they share nothing. Each may also return RESOURCE_EXHAUSTED
 * when memory runs out. On failure the out-parameters are untouched.
 */
#ifndef SCREENING_PROTOJSON_PROTOJSON_H
#define SCREENING_PROTOJSON_PROTOJSON_H

#include <jansson.h>
#include <protobuf-c/protobuf-c.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/status.h"

/* Options, joined with |; 0 is canonical JSON, strictly read. A function ignores what is not its own. */
enum {
    /* Writing: also the fields that hold 0, "", false or [ ]; still no absent messages and oneof members. */
    PROTOJSON_EMIT_DEFAULTS = 1 << 0,
    /* Writing text: one value a line, two spaces a level, for people. */
    PROTOJSON_INDENT = 1 << 1,
    /* Reading: skip fields that the message does not have. Unknown names of an enum stay errors. */
    PROTOJSON_IGNORE_UNKNOWN = 1 << 2,
};

/* Messages nested deeper are INVALID_ARGUMENT, both ways; the outermost counts as 1. */
enum { PROTOJSON_DEPTH_MAX = 32 };

/* Text with more values than that, whatever they are, is INVALID_ARGUMENT before it is parsed. */
enum { PROTOJSON_VALUES_MAX = 16384 };

/*
 * Writes `message` as compact text with its NUL, `*size` bytes without it, in `arena`: an object, or a string
 * if it is a Timestamp. What a failed call allocated stays in the arena too.
 * INVALID_ARGUMENT "days[2].date: ..." for text that is not UTF-8, a Timestamp outside the years 1 to 9999,
 * or too deep a nesting; UNIMPLEMENTED as above.
 */
MUST_CHECK enum status protojson_write(const ProtobufCMessage *message, unsigned flags, struct arena *arena,
                                       char **text, size_t *size, struct error *error);

/* The same as a value of jansson's. The caller owns `*out` and ends with json_decref. */
MUST_CHECK enum status protojson_from_message(const ProtobufCMessage *message, unsigned flags, json_t **out,
                                              struct error *error);

/*
 * Makes the message of type `descriptor` that `json` describes. Everything in it lives in `arena`, until that
 * is reset or freed: never call free_unpacked on it. `json` stays the caller's and is not referred to
 * afterwards. What a failed call allocated stays in the arena too.
 *
 * INVALID_ARGUMENT naming the place and the rule, with the names of the .proto file, such as
 * "days[2].capacity: must be an integer from 0 to 4294967295": for a value of the wrong kind or out of range,
 * an unknown field or enum name, a field given under both its names, two members of one oneof, null in an
 * array, text with NUL or invalid UTF-8, too deep a nesting. UNIMPLEMENTED as above.
 */
MUST_CHECK enum status protojson_to_message(const json_t *json, const ProtobufCMessageDescriptor *descriptor,
                                            unsigned flags, struct arena *arena, ProtobufCMessage **out,
                                            struct error *error);

/*
 * The same as text with its NUL; compact, or PROTOJSON_INDENT. The caller frees `*text`.
 */
MUST_CHECK enum status protojson_message_to_text(const ProtobufCMessage *message, unsigned flags, char **text,
                                                 struct error *error);

/*
 * protojson_to_message from `size_bytes` of text. INVALID_ARGUMENT "JSON: ..., line 1, column 9" also for
 * what is not exactly one JSON value in UTF-8, and for an object that names a key twice; the text is never
 * quoted. Memory that runs out within jansson's parser can look like malformed JSON.
 */
MUST_CHECK enum status protojson_text_to_message(const char *text, size_t size_bytes,
                                                 const ProtobufCMessageDescriptor *descriptor, unsigned flags,
                                                 struct arena *arena, ProtobufCMessage **out,
                                                 struct error *error);

/*
 * INVALID_ARGUMENT "JSON: ..." if text that need not be JSON has more than `max` values, objects and arrays
 * among them: where fewer than PROTOJSON_VALUES_MAX are enough. Costs a fraction of parsing it.
 */
MUST_CHECK enum status protojson_check_values(const char *text, size_t size_bytes, size_t max,
                                              struct error *error);

/*
 * Sets the field `name`, by either of its names, to what `text` says: a value as a path, a query or a header
 * field carries it, without quotes. For fields that hold one value, no message, and are in no oneof.
 * NOT_FOUND "NAME: ..." if the message has no such field. INVALID_ARGUMENT as protojson_to_message, and if
 * the field already holds another value than its default. What it allocates lives in `arena`.
 */
MUST_CHECK enum status protojson_set_text(ProtobufCMessage *message, const char *name, const char *text,
                                          struct arena *arena, struct error *error);

/* The place among the descriptor's fields of that which protojson_set_text sets; -1 if there is none. */
int protojson_field_index(const ProtobufCMessageDescriptor *descriptor, const char *name);

#endif
