/* Helpers for the unit tests in this folder. */
#ifndef SCREENING_PROTOJSON_PROTOJSON_TESTING_H
#define SCREENING_PROTOJSON_PROTOJSON_TESTING_H

// clang-format off
/* cmocka.h requires that these headers come first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <stdlib.h>
#include <string.h>

#include "protojson/protojson.h"

/* Reads `text`. If it is refused, fails the test with the error message. */
static inline ProtobufCMessage *must_read(const char *text, const ProtobufCMessageDescriptor *descriptor,
                                          unsigned flags, struct arena *arena)
{
    struct error error = {.status = STATUS_OK};
    ProtobufCMessage *message = NULL;
    if (protojson_text_to_message(text, strlen(text), descriptor, flags, arena, &message, &error) !=
        STATUS_OK)
        fail_msg("%s: %s", text, error.message);
    return message;
}

/* Writes `message` as text and compares the text with `wanted`. */
static inline void assert_written(const ProtobufCMessage *message, unsigned flags, const char *wanted)
{
    struct error error = {.status = STATUS_OK};
    char *text = NULL;
    if (protojson_message_to_text(message, flags, &text, &error) != STATUS_OK)
        fail_msg("%s", error.message);
    assert_string_equal(text, wanted);
    free(text);
}

/* Reads `text`, which must be refused with exactly this status and message. */
static inline void assert_refused(const char *text, const ProtobufCMessageDescriptor *descriptor,
                                  enum status status, const char *wanted)
{
    struct arena arena;
    arena_init(&arena);
    struct error error = {.status = STATUS_OK};
    ProtobufCMessage *message = NULL;
    enum status got = protojson_text_to_message(text, strlen(text), descriptor, 0, &arena, &message, &error);
    assert_string_equal(error.message, wanted);
    assert_int_equal(got, status);
    assert_int_equal(error.status, status);
    assert_null(message);
    arena_fini(&arena);
}

#endif
