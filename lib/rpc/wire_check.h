/*
 * Checks packed messages for what protobuf-c's unpack lets through. Pure; any thread.
 *
 * A field of two bytes can make unpack allocate a hundred, so the number of elements is limited in addition
 * to the size of the message. An element is a field that has already occurred in its message (another element
 * of a repeated field, or a singular field given again), a field that the descriptor does not know, or a
 * number in a packed field. Elements of nested messages count too.
 */
#ifndef SCREENING_RPC_WIRE_CHECK_H
#define SCREENING_RPC_WIRE_CHECK_H

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"

enum {
    /* A BatchReserve of 1,024 bookings, each with seven fields that this version does not know. */
    WIRE_REQUEST_ELEMENTS_MAX = 8192,
    WIRE_ENVELOPE_ELEMENTS_MAX = 128, /* mainly metadata */
    /* Responses and events of our own services: 1 MiB of registrations with 400 days each has 65,000. */
    WIRE_ANSWER_ELEMENTS_MAX = 131072,
};

/*
 * INVALID_ARGUMENT "path.to.field: rule" if a string field holds invalid UTF-8 or NUL, if messages nest
 * deeper than 16 levels, or if the message has more than `elements_max` elements; "payload: not a valid
 * screening.v1.X" if the bytes are not such a message at all.
 */
MUST_CHECK enum status wire_check(const ProtobufCMessageDescriptor *descriptor, const uint8_t *bytes,
                                  size_t size, size_t elements_max, struct error *error);

/*
 * Checks the message and unpacks it into `arena`. Returns NULL on failure, with `error` (may be NULL) set as
 * by wire_check.
 */
MUST_CHECK ProtobufCMessage *wire_unpack(const ProtobufCMessageDescriptor *descriptor, const uint8_t *bytes,
                                         size_t size, size_t elements_max, struct arena *arena,
                                         struct error *error);

/*
 * The same for a message from one of our own services, with WIRE_ANSWER_ELEMENTS_MAX. A smaller message
 * cannot have that many elements, so it is unpacked without wire_check; its strings are then not checked.
 */
MUST_CHECK ProtobufCMessage *wire_unpack_answer(const ProtobufCMessageDescriptor *descriptor,
                                                const uint8_t *bytes, size_t size, struct arena *arena,
                                                struct error *error);

#endif
