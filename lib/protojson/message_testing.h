/*
 * Creates random messages of any type from its descriptor, for tests. The same seed gives the same message.
 */
#ifndef SCREENING_PROTOJSON_MESSAGE_TESTING_H
#define SCREENING_PROTOJSON_MESSAGE_TESTING_H

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"

/* Every message type of the screening API and of protojson_test.proto that has a JSON form. */
extern const ProtobufCMessageDescriptor *const test_message_types[];
extern const size_t test_message_type_count;

/*
 * Returns the next number of the xorshift sequence whose state is `*seed`. The number is never 0, and `*seed`
 * must not be 0.
 */
uint64_t test_random(uint64_t *seed);

/* Creates a message of this type in `arena`. Each field is unset, at a limit of its range, or random. */
ProtobufCMessage *test_message(const ProtobufCMessageDescriptor *descriptor, uint64_t *seed,
                               struct arena *arena);

#endif
