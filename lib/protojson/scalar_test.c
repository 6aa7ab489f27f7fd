/*
 * Tests which JSON values of each scalar type are accepted, up to the limits of its range, and which are
 * refused.
 */
#include <float.h>
#include <math.h>
#include <stdio.h>

#include "protojson/protojson_testing.h"

#include "protojson_test.pb-c.h"

#define SCALARS &protojson__test__scalars__descriptor

static const char int32_rule[] = "must be an integer from -2147483648 to 2147483647";
static const char uint32_rule[] = "must be an integer from 0 to 4294967295";
static const char int64_rule[] = "must be an integer from -9223372036854775808 to 9223372036854775807";
static const char uint64_rule[] = "must be an integer from 0 to 18446744073709551615";

/* A field of Scalars, a JSON value for it, and the rule that the value breaks. */
struct value_case {
    const char *field;
    const char *json;
    const char *rule;
};

static void refuse_all(const struct value_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char text[256];
        char message[256];
        snprintf(text, sizeof text, "{\"%s\":%s}", cases[i].field, cases[i].json);
        snprintf(message, sizeof message, "%s: %s", cases[i].field, cases[i].rule);
        assert_refused(text, SCALARS, STATUS_INVALID_ARGUMENT, message);
    }
}

static void test_scalar_integers_are_read_to_their_limits(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena);
    const Protojson__Test__Scalars *low = (const void *)must_read(
        "{\"anInt32\":-2147483648,\"aSint32\":\"-2147483648\",\"aSfixed32\":-2147483648.0,"
        "\"anInt64\":-9223372036854775808,\"aSint64\":\"-9223372036854775808\",\"aSfixed64\":-"
        "9007199254740992.0,"
        "\"aUint32\":-0,\"aFixed32\":\"-0\",\"aUint64\":\"0\",\"aFixed64\":0.0}",
        SCALARS, 0, &arena);
    assert_true(low->an_int32 == INT32_MIN && low->a_sint32 == INT32_MIN && low->a_sfixed32 == INT32_MIN);
    assert_true(low->an_int64 == INT64_MIN && low->a_sint64 == INT64_MIN);
    assert_true(low->a_sfixed64 == -9007199254740992);
    assert_true(low->a_uint32 == 0 && low->a_fixed32 == 0 && low->a_uint64 == 0 && low->a_fixed64 == 0);
    const Protojson__Test__Scalars *high = (const void *)must_read(
        "{\"anInt32\":2147483647,\"aSint32\":\"2147483647\",\"aSfixed32\":2.147483647e9,"
        "\"anInt64\":9223372036854775807,\"aSint64\":\"9223372036854775807\",\"aSfixed64\":1e3,"
        "\"aUint32\":4294967295,\"aFixed32\":\"4294967295\",\"aUint64\":\"18446744073709551615\","
        "\"aFixed64\":9223372036854775807}",
        SCALARS, 0, &arena);
    assert_true(high->an_int32 == INT32_MAX && high->a_sint32 == INT32_MAX && high->a_sfixed32 == INT32_MAX);
    assert_true(high->an_int64 == INT64_MAX && high->a_sint64 == INT64_MAX && high->a_sfixed64 == 1000);
    assert_true(high->a_uint32 == UINT32_MAX && high->a_fixed32 == UINT32_MAX);
    assert_true(high->a_uint64 == UINT64_MAX && high->a_fixed64 == INT64_MAX);
    arena_fini(&arena);
}

static void test_scalar_integers_beyond_their_limits_are_refused(void **state)
{
    (void)state;
    static const struct value_case cases[] = {
        {"an_int32", "2147483648", int32_rule},
        {"an_int32", "-2147483649", int32_rule},
        {"a_sint32", "\"2147483648\"", int32_rule},
        {"a_sfixed32", "3e9", int32_rule},
        {"a_uint32", "4294967296", uint32_rule},
        {"a_uint32", "-1", uint32_rule},
        {"a_fixed32", "\"-1\"", uint32_rule},
        {"an_int64", "\"9223372036854775808\"", int64_rule},
        {"a_sint64", "\"-9223372036854775809\"", int64_rule},
        {"a_sfixed64", "1e18", int64_rule},
        {"a_uint64", "\"18446744073709551616\"", uint64_rule},
        {"a_uint64", "\"184467440737095516150\"", uint64_rule},
        {"a_fixed64", "-1", uint64_rule},
    };
    refuse_all(cases, sizeof cases / sizeof cases[0]);
}

static void test_scalar_what_is_no_integer_is_refused(void **state)
{
    (void)state;
    static const char *const values[] = {"1.5",          "true",    "\"\"",   "\"-\"",   "\"+1\"",
                                         "\"01\"",       "\" 1\"",  "\"1 \"", "\"1.0\"", "\"0x1\"",
                                         "\"1\\u0000\"", "\"1e3\"", "[1]",    "{}"};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        const struct value_case cases[] = {{"an_int32", values[i], int32_rule},
                                           {"a_uint64", values[i], uint64_rule}};
        refuse_all(cases, 2);
    }
}

static void test_scalar_floating_point_is_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double wanted;
    } cases[] = {{"1.5", 1.5},
                 {"-3", -3.0},
                 {"\"1.5\"", 1.5},
                 {"\"-3\"", -3.0},
                 {"0.1", 0.1},
                 {"1e300", 1e300},
                 {"\"1e300\"", 1e300},
                 {"\"Infinity\"", (double)INFINITY},
                 {"\"-Infinity\"", -(double)INFINITY},
                 {"1.7976931348623157e308", DBL_MAX}};
    struct arena arena;
    arena_init(&arena);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[64];
        snprintf(text, sizeof text, "{\"aDouble\":%s}", cases[i].text);
        const Protojson__Test__Scalars *scalars = (const void *)must_read(text, SCALARS, 0, &arena);
        assert_true(scalars->a_double == cases[i].wanted);
    }
    const Protojson__Test__Scalars *scalars =
        (const void *)must_read("{\"aDouble\":\"NaN\",\"aFloat\":3.4028234663852886e38}", SCALARS, 0, &arena);
    assert_true(isnan(scalars->a_double));
    assert_true(scalars->a_float == FLT_MAX);
    arena_fini(&arena);
}

static void test_scalar_bad_floating_point_is_refused(void **state)
{
    (void)state;
    static const char double_rule[] =
        "must be a number from -1.79769e+308 to 1.79769e+308, or \"NaN\", \"Infinity\", \"-Infinity\"";
    static const char float_rule[] =
        "must be a number from -3.40282e+38 to 3.40282e+38, or \"NaN\", \"Infinity\", \"-Infinity\"";
    static const struct value_case cases[] = {
        {"a_float", "1e39", float_rule},           {"a_float", "\"-1e39\"", float_rule},
        {"a_double", "\"1e400\"", double_rule},    {"a_double", "\"nan\"", double_rule},
        {"a_double", "\"inf\"", double_rule},      {"a_double", "\"\"", double_rule},
        {"a_double", "\" 1\"", double_rule},       {"a_double", "\"1\\n\"", double_rule},
        {"a_double", "\"0x1p3\"", double_rule},    {"a_double", "\"01\"", double_rule},
        {"a_double", "\"1\\u0000\"", double_rule}, {"a_double", "\"null\"", double_rule},
        {"a_double", "true", double_rule},
    };
    refuse_all(cases, sizeof cases / sizeof cases[0]);
}

static void test_scalar_enum_is_read_by_name_or_number(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int wanted;
    } cases[] = {{"\"BLUE\"", 7}, {"7", 7},         {"\"7\"", 7},
                 {"\"-2\"", -2},  {"\"ANTI\"", -2}, {"-2", -2},
                 {"99", 99},      {"1.0", 1},       {"\"COLOUR_UNSPECIFIED\"", 0}};
    struct arena arena;
    arena_init(&arena);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[64];
        snprintf(text, sizeof text, "{\"aColour\":%s}", cases[i].text);
        const Protojson__Test__Scalars *scalars = (const void *)must_read(text, SCALARS, 0, &arena);
        assert_int_equal(scalars->a_colour, cases[i].wanted);
    }
    arena_fini(&arena);
    static const char rule[] = "must be a name or number of protojson.test.Colour";
    static const struct value_case bad[] = {
        {"a_colour", "\"GREEN\"", rule},  {"a_colour", "\"blue\"", rule},
        {"a_colour", "\"\"", rule},       {"a_colour", "\"07\"", rule},
        {"a_colour", "\"7 \"", rule},     {"a_colour", "\"2147483648\"", rule},
        {"a_colour", "2147483648", rule}, {"a_colour", "1.5", rule},
        {"a_colour", "true", rule},       {"a_colour", "\"BLUE\\u0000\"", rule}};
    refuse_all(bad, sizeof bad / sizeof bad[0]);
}

static void test_scalar_text_bytes_and_bool_are_read(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena);
    const Protojson__Test__Scalars *scalars = (const void *)must_read(
        "{\"aString\":\"\\uae40 \\ud83d\\ude00\\n\",\"aBytes\":\"AP8QgA\",\"aBool\":true}", SCALARS, 0,
        &arena);
    assert_string_equal(scalars->a_string, "김 😀\n");
    assert_int_equal(scalars->a_bytes.len, 4);
    assert_memory_equal(scalars->a_bytes.data, "\0\xff\x10\x80", 4);
    assert_int_equal(scalars->a_bool, 1);
    scalars = (const void *)must_read("{\"aBytes\":\"\",\"aBool\":false}", SCALARS, 0, &arena);
    assert_int_equal(scalars->a_bytes.len, 0);
    arena_fini(&arena);
    static const struct value_case cases[] = {{"a_string", "1", "must be a string"},
                                              {"a_string", "\"a\\u0000b\"", "must not contain NUL"},
                                              {"a_string", "[]", "must be a string"},
                                              {"a_bytes", "\"A\"", "must be base64"},
                                              {"a_bytes", "\"AAA\\u0000\"", "must be base64"},
                                              {"a_bytes", "7", "must be base64"},
                                              {"a_bool", "1", "must be true or false"},
                                              {"a_bool", "\"true\"", "must be true or false"}};
    refuse_all(cases, sizeof cases / sizeof cases[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scalar_integers_are_read_to_their_limits),
        cmocka_unit_test(test_scalar_integers_beyond_their_limits_are_refused),
        cmocka_unit_test(test_scalar_what_is_no_integer_is_refused),
        cmocka_unit_test(test_scalar_floating_point_is_read),
        cmocka_unit_test(test_scalar_bad_floating_point_is_refused),
        cmocka_unit_test(test_scalar_enum_is_read_by_name_or_number),
        cmocka_unit_test(test_scalar_text_bytes_and_bool_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
