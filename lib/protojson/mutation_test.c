/*
 * Damages valid texts reproducibly. Checks that each damaged text is either read or refused with an error
 * message, and that a message that was read can be written and read again.
 */
#include "base/text.h"
#include "protojson/message_testing.h"
#include "protojson/protojson_testing.h"

enum { ITERATIONS = 20000, TEXT_MAX_BYTES = 4096, MUTATIONS_MAX = 4 };

struct mutant {
    size_t size;
    char bytes[TEXT_MAX_BYTES];
};

/* Tokens that often make JSON or its values invalid. */
static const char *const tokens[] = {"{",       "}",          "[",       "]",        "\"",   ":",
                                     ",",       "null",       "true",    "-1",       "1e9",  "0.5",
                                     "\\u0000", "\\ud800",    "\"NaN\"", "{}",       "[[]]", "\xff",
                                     "\xc0",    "9999999999", "\"\"",    "\"a\":1,", "-",    "T24:00:00Z"};

static void replace(struct mutant *mutant, size_t at, size_t old_size, const char *with, size_t with_size)
{
    if (at + old_size > mutant->size || mutant->size - old_size + with_size > sizeof mutant->bytes)
        return;
    memmove(mutant->bytes + at + with_size, mutant->bytes + at + old_size, mutant->size - at - old_size);
    memcpy(mutant->bytes + at, with, with_size);
    mutant->size = mutant->size - old_size + with_size;
}

static void mutate(struct mutant *mutant, uint64_t *seed)
{
    if (mutant->size == 0)
        return;
    size_t at = (size_t)(test_random(seed) >> 8) % mutant->size;
    const char *token = tokens[(test_random(seed) >> 8) % (sizeof tokens / sizeof tokens[0])];
    char byte = (char)(test_random(seed) >> 8);
    switch ((test_random(seed) >> 8) % 5) {
    case 0: /* another byte */
        replace(mutant, at, 1, &byte, 1);
        break;
    case 1: /* an extra token */
        replace(mutant, at, 0, token, strlen(token));
        break;
    case 2: /* a token in place of a few bytes */
        replace(mutant, at, (test_random(seed) >> 8) % 8, token, strlen(token));
        break;
    case 3: /* a gap */
        replace(mutant, at, (test_random(seed) >> 8) % 16, "", 0);
        break;
    default: /* a missing end */
        mutant->size = at;
        break;
    }
}

/*
 * Reads the mutant without and with PROTOJSON_IGNORE_UNKNOWN. Returns whether it was accepted with the
 * option.
 */
static bool check(const struct mutant *mutant, const ProtobufCMessageDescriptor *descriptor,
                  struct arena *arena)
{
    struct error error = {.status = STATUS_OK};
    ProtobufCMessage *message = NULL;
    enum status strict =
        protojson_text_to_message(mutant->bytes, mutant->size, descriptor, 0, arena, &message, &error);
    assert_true(strict == STATUS_OK || strict == STATUS_INVALID_ARGUMENT);
    assert_true((strict == STATUS_OK) == (message != NULL));
    assert_true((strict == STATUS_OK) == (error.message[0] == '\0'));
    assert_true(text_is_utf8(error.message, strlen(error.message)));
    enum status lenient = protojson_text_to_message(mutant->bytes, mutant->size, descriptor,
                                                    PROTOJSON_IGNORE_UNKNOWN, arena, &message, &error);
    assert_true(lenient == STATUS_OK || strict != STATUS_OK);
    if (lenient != STATUS_OK)
        return false;
    char *text = NULL;
    assert_int_equal(protojson_message_to_text(message, 0, &text, &error), STATUS_OK);
    assert_written(must_read(text, descriptor, 0, arena), 0, text);
    free(text);
    return true;
}

static void test_mutation_damaged_text_is_read_or_refused(void **state)
{
    (void)state;
    uint64_t seed = 7;
    unsigned accepted = 0;
    struct arena arena;
    arena_init(&arena);
    for (unsigned i = 0; i < ITERATIONS; i++) {
        const ProtobufCMessageDescriptor *descriptor = test_message_types[i % test_message_type_count];
        char *text = NULL;
        assert_int_equal(protojson_message_to_text(test_message(descriptor, &seed, &arena), 0, &text, NULL),
                         STATUS_OK);
        struct mutant mutant = {.size = strlen(text)};
        if (mutant.size <= sizeof mutant.bytes) {
            memcpy(mutant.bytes, text, mutant.size);
            for (size_t n = 1 + (test_random(&seed) >> 8) % MUTATIONS_MAX; n > 0; n--)
                mutate(&mutant, &seed);
            accepted += check(&mutant, descriptor, &arena) ? 1 : 0;
        }
        free(text);
        arena_reset(&arena);
    }
    /* Some mutants, but not most, are accepted, because they are close to valid texts. */
    assert_in_range(accepted, ITERATIONS / 100, ITERATIONS / 2);
    arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mutation_damaged_text_is_read_or_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
