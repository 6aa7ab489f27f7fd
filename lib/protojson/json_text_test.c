/* Tests text that is refused before it is converted to a message. */
#include "base/text.h"
#include "protojson/protojson_testing.h"

#include "screening/v1/booking.pb-c.h"

#define CANCEL &screening__v1__cancel_booking_request__descriptor

/*
 * Reads `size` bytes, which must be refused with INVALID_ARGUMENT and a UTF-8 message that begins with
 * "JSON:" and contains `in_message`.
 */
static void assert_no_json(const char *text, size_t size, const char *in_message)
{
    struct arena arena;
    arena_init(&arena);
    ProtobufCMessage *message = NULL;
    struct error error = {.status = STATUS_OK};
    assert_int_equal(protojson_text_to_message(text, size, CANCEL, 0, &arena, &message, &error),
                     STATUS_INVALID_ARGUMENT);
    assert_null(message);
    assert_int_equal(strncmp(error.message, "JSON: ", 6), 0);
    assert_true(text_is_utf8(error.message, strlen(error.message)));
    if (strstr(error.message, in_message) == NULL)
        fail_msg("\"%s\" lacks \"%s\"", error.message, in_message);
    arena_fini(&arena);
}

static void test_json_text_malformed_json_is_refused_with_its_place(void **state)
{
    (void)state;
    assert_no_json("", 0, "line 1, column 0");
    assert_no_json("{", 1, "line 1, column 1");
    assert_no_json("{\"reason\":\n}", 12, "line 2");
    assert_no_json("{} {}", 5, "line 1, column 4");
    assert_no_json("{'reason':1}", 12, "line 1");
    assert_no_json("{\"a\":1,\"a\":2}", 13, "duplicate object key");
    assert_no_json("{\"a\\u0000\":1}", 13, "NUL byte in object key");
    assert_no_json("{\"a\":99999999999999999999}", 26, "too big integer");
    assert_no_json("{}\0", 3, "NUL byte in the text");
    assert_no_json("{\"a\":1\0}", 8, "NUL byte in the text");
}

static void test_json_text_invalid_utf8_is_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {"{\"reason\":\"\xff\"}",
                                        "{\"reason\":\"\xc3(\"}",
                                        "{\"reason\":\"\xed\xa0\x80\"}",
                                        "{\"reason\":\"\xc0\x80\"}",
                                        "{\"reason\":\"\xf4\x90\x80\x80\"}",
                                        "{\"rea\xffson\":1}",
                                        "{\"reason\":\"\xea\xb9\"}"};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_no_json(cases[i], strlen(cases[i]), "unable to decode byte");
    assert_no_json("{\"reason\":\"\\ud800\"}", 19, "");
}

static void test_json_text_error_does_not_quote_what_was_sent(void **state)
{
    (void)state;
    static const char text[] = "{\"reason\":\"김하늘\" \"secret\"}";
    struct arena arena;
    arena_init(&arena);
    ProtobufCMessage *message = NULL;
    struct error error = {.status = STATUS_OK};
    assert_int_equal(protojson_text_to_message(text, strlen(text), CANCEL, 0, &arena, &message, &error),
                     STATUS_INVALID_ARGUMENT);
    assert_null(strstr(error.message, "secret"));
    assert_null(strstr(error.message, "김"));
    arena_fini(&arena);
}

static void test_json_text_deep_nesting_is_refused(void **state)
{
    (void)state;
    enum { DEPTH = 10000 };
    char *text = malloc(DEPTH);
    assert_non_null(text);
    memset(text, '[', DEPTH);
    assert_no_json(text, DEPTH, "maximum parsing depth reached");
    free(text);
}

enum { VALUE_BYTES = 16 };

/* Writes a text of `count` values: an object, an array in it, and the elements of the array. */
static size_t write_values(char *text, size_t count, const char *value)
{
    static const char begin[] = "{\"x\":[";
    size_t size = (size_t)snprintf(text, sizeof begin, "%s", begin);
    for (size_t i = 2; i < count; i++)
        size += (size_t)snprintf(text + size, VALUE_BYTES, "%s%s", i > 2 ? "," : "", value);
    return size + (size_t)snprintf(text + size, VALUE_BYTES, "]}");
}

static void test_json_text_number_of_values_is_bounded(void **state)
{
    (void)state;
    char *text = malloc((size_t)VALUE_BYTES * (PROTOJSON_VALUES_MAX + 10));
    assert_non_null(text);
    struct arena arena;
    arena_init(&arena);
    ProtobufCMessage *message = NULL;
    /* Strings may contain any characters. */
    size_t size = write_values(text, PROTOJSON_VALUES_MAX - 1, "\"[,\\\",{\"");
    assert_int_equal(
        protojson_text_to_message(text, size, CANCEL, PROTOJSON_IGNORE_UNKNOWN, &arena, &message, NULL),
        STATUS_OK);
    size = write_values(text, PROTOJSON_VALUES_MAX + 1, "0");
    assert_no_json(text, size, "more than 16384 values, line 1, column ");
    size = write_values(text, PROTOJSON_VALUES_MAX / 2 + 2, "[]");
    assert_no_json(text, size, "more than 16384 values");
    size = write_values(text, PROTOJSON_VALUES_MAX / 2 + 2, "{}");
    assert_no_json(text, size, "more than 16384 values");
    arena_fini(&arena);
    free(text);
}

static void test_json_text_size_bounds_the_text(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena);
    ProtobufCMessage *message = NULL;
    assert_int_equal(protojson_text_to_message("{}garbage", 2, CANCEL, 0, &arena, &message, NULL), STATUS_OK);
    assert_non_null(message);
    arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_text_malformed_json_is_refused_with_its_place),
        cmocka_unit_test(test_json_text_invalid_utf8_is_refused),
        cmocka_unit_test(test_json_text_error_does_not_quote_what_was_sent),
        cmocka_unit_test(test_json_text_deep_nesting_is_refused),
        cmocka_unit_test(test_json_text_number_of_values_is_bounded),
        cmocka_unit_test(test_json_text_size_bounds_the_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
