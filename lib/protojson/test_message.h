/* Test support: random messages of any type, made from the descriptor; the same seed, the same message. */
#ifndef SCREENING_PROTOJSON_TEST_MESSAGE_H
#define SCREENING_PROTOJSON_TEST_MESSAGE_H

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"

/* Every message type of the screening API and of protojson_test.proto that has a JSON form. */
extern const ProtobufCMessageDescriptor *const test_message_types[];
extern const size_t test_message_type_count;

/* The next number of the sequence that `*seed` stands in (xorshift; never 0, nor may the seed be). */
uint64_t test_random(uint64_t *seed);

/* A message of the type, in `arena`; fields are unset, at an edge of their range, or anything. */
ProtobufCMessage *test_message(const ProtobufCMessageDescriptor *descriptor, uint64_t *seed,
                               struct arena *arena);

#endif
