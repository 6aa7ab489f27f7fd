/*
 * Handles protobuf's wire format. Checks packed messages for errors that protobuf-c's unpack does not find,
 * and writes messages whose submessages are already packed. Pure; any thread.
 *
 * A field of two bytes can make unpack allocate a hundred bytes, so the number of elements is limited in
 * addition to the size of the message. An element is a field that has already occurred in its message
 * (another element of a repeated field, or a singular field given again), a field that the descriptor does
 * not know, or a number in a packed field. Elements of nested messages count too.
 */
#ifndef SCREENING_RPC_WIRE_H
#define SCREENING_RPC_WIRE_H

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"

enum {
    /* Enough for a BatchReserve of 1,024 bookings, each with seven fields unknown to this version. */
    WIRE_REQUEST_ELEMENTS_MAX = 8192,
    WIRE_ENVELOPE_ELEMENTS_MAX = 128, /* mainly for metadata */
    /*
     * For responses and events from our services. 1 MiB of hospitals with 400 days each has 65,000 elements.
     */
    WIRE_ANSWER_ELEMENTS_MAX = 131072,
};

/*
 * Checks a packed message. Returns INVALID_ARGUMENT "path.to.field: rule" if a string field holds invalid
 * UTF-8 or NUL, if messages nest deeper than 16 levels, or if the message has more than `elements_max`
 * elements. Returns INVALID_ARGUMENT "payload: not a valid screening.v1.X" if the bytes are not a message of
 * that type at all.
 */
MUST_CHECK enum status wire_check(const ProtobufCMessageDescriptor *descriptor, const uint8_t *bytes,
                                  size_t size, size_t elements_max, struct error *error);

/*
 * Checks the message and unpacks it into `arena`. On failure, sets `error` (may be NULL) as wire_check does,
 * and returns NULL.
 */
MUST_CHECK ProtobufCMessage *wire_unpack(const ProtobufCMessageDescriptor *descriptor, const uint8_t *bytes,
                                         size_t size, size_t elements_max, struct arena *arena,
                                         struct error *error);

/*
 * Like wire_unpack, for a message from one of our own services, with WIRE_ANSWER_ELEMENTS_MAX. A message of
 * at most that many bytes cannot exceed the limit, so it is unpacked without wire_check, and its strings are
 * not checked.
 */
MUST_CHECK ProtobufCMessage *wire_unpack_answer(const ProtobufCMessageDescriptor *descriptor,
                                                const uint8_t *bytes, size_t size, struct arena *arena,
                                                struct error *error);

/* ---- writing; the caller first adds up the sizes, then writes the bytes ---- */

enum { WIRE_VARINT_FIELD_MAX = 15 }; /* the longest tag plus the longest value */

/* Returns the size of `value` as a varint, 1 to 10 bytes. */
size_t wire_varint_size(uint64_t value);

/*
 * Returns the size of field `field` of type string, bytes or message, which has `size` bytes of content. The
 * result includes the tag, the length and the content.
 */
size_t wire_bytes_size(unsigned field, size_t size);

/* Returns the size of a varint field. The caller decides whether to omit a zero value, as proto3 does. */
size_t wire_varint_field_size(unsigned field, uint64_t value);

/* Returns the size of a field of type fixed64. */
size_t wire_fixed64_field_size(unsigned field);

/*
 * The following functions write at `at`, where there must be room for the size that the matching _size
 * function returns. Each returns the address just past the written bytes.
 */
uint8_t *wire_put_varint(uint8_t *at, uint64_t value);

/* `bytes` may be NULL when `size` is 0. */
uint8_t *wire_put_bytes(uint8_t *at, unsigned field, const void *bytes, size_t size);

/* Writes only the tag and the length. The caller writes the `size` bytes of content after them. */
uint8_t *wire_put_bytes_header(uint8_t *at, unsigned field, size_t size);

uint8_t *wire_put_varint_field(uint8_t *at, unsigned field, uint64_t value);

uint8_t *wire_put_fixed64_field(uint8_t *at, unsigned field, uint64_t value);

#endif
