/*
 * What protobuf-c's unpack lets through: checked on the packed bytes before it. Pure; any thread.
 *
 * A field of two bytes can make unpack allocate a hundred, so the number of fields is bounded beside the size
 * of the message. Counted as elements are: each field that was met before in its message (an element of a
 * repeated field, or a single field given again), each field that the descriptor does not know, and each
 * number in a packed field; in nested messages too.
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
    WIRE_ENVELOPE_ELEMENTS_MAX = 128, /* metadata above all */
    /* Answers and events of our own services: 1 MiB of registrations, each with 400 days, has 65,000. */
    WIRE_ANSWER_ELEMENTS_MAX = 131072,
};

/*
 * INVALID_ARGUMENT "path.to.field: rule" if a string field holds invalid UTF-8 or NUL, if messages nest
 * deeper than 16, if the message has more than `elements_max` elements, or if the bytes are not a message at
 * all ("payload: not a valid screening.v1.X").
 */
MUST_CHECK enum status wire_check(const ProtobufCMessageDescriptor *descriptor, const uint8_t *bytes,
                                  size_t size, size_t elements_max, struct error *error);

/* Checks and unpacks into `arena`. NULL: `error` (may be NULL) says why, as wire_check does. */
MUST_CHECK ProtobufCMessage *wire_unpack(const ProtobufCMessageDescriptor *descriptor, const uint8_t *bytes,
                                         size_t size, size_t elements_max, struct arena *arena,
                                         struct error *error);

/*
 * The same for what one of our own services sent, with WIRE_ANSWER_ELEMENTS_MAX: text is checked only in
 * messages large enough to have so many elements.
 */
MUST_CHECK ProtobufCMessage *wire_unpack_answer(const ProtobufCMessageDescriptor *descriptor,
                                                const uint8_t *bytes, size_t size, struct arena *arena,
                                                struct error *error);

#endif
