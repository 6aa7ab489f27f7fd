#include "protojson/protojson_testing.h"
#include "protojson/timestamp.h"

struct instant_case {
    const char *text;
    int64_t seconds;
    int32_t nanos;
};

static void assert_parsed(const struct instant_case *wanted)
{
    int64_t seconds = 0;
    int32_t nanos = 0;
    if (!protojson_timestamp_parse(wanted->text, &seconds, &nanos))
        fail_msg("refused %s", wanted->text);
    assert_true(seconds == wanted->seconds);
    assert_int_equal(nanos, wanted->nanos);
}

static void test_timestamp_canonical_text_is_written_and_read(void **state)
{
    (void)state;
    static const struct instant_case cases[] = {
        {"1970-01-01T00:00:00Z", 0, 0},
        {"2026-12-01T00:30:00Z", 1796085000, 0},
        {"2026-12-01T00:30:00.250Z", 1796085000, 250000000},
        {"2026-12-01T00:30:00.000001Z", 1796085000, 1000},
        {"2026-12-01T00:30:00.000000001Z", 1796085000, 1},
        {"2026-12-01T00:30:00.123456789Z", 1796085000, 123456789},
        {"1969-12-31T23:59:59.500Z", -1, 500000000},
        {"0001-01-01T00:00:00Z", -62135596800, 0},
        {"9999-12-31T23:59:59.999999999Z", 253402300799, 999999999},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[PROTOJSON_TIMESTAMP_SIZE];
        assert_true(protojson_timestamp_format(cases[i].seconds, cases[i].nanos, text));
        assert_string_equal(text, cases[i].text);
        assert_parsed(&cases[i]);
    }
}

static void test_timestamp_other_spellings_are_read(void **state)
{
    (void)state;
    static const struct instant_case cases[] = {
        {"2026-12-01T09:30:00+09:00", 1796085000, 0},
        {"2026-11-30T19:00:00.5-05:30", 1796085000, 500000000},
        {"2026-12-01T00:30:00.12Z", 1796085000, 120000000},
        {"2026-12-01T00:30:00-00:00", 1796085000, 0},
        {"2024-02-29T23:59:59Z", 1709251199, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_parsed(&cases[i]);
}

static void test_timestamp_malformed_text_is_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",
        "2026-12-01",
        "2026-12-01T00:30:00",
        "2026-12-01 00:30:00Z",
        "2026-12-01t00:30:00Z",
        "2026-12-01T00:30:00z",
        "2026-12-01T00:30Z",
        "2026-12-01T24:00:00Z",
        "2026-12-01T00:60:00Z",
        "2026-12-01T23:59:60Z",
        "2026-12-01T00:30:00.Z",
        "2026-12-01T00:30:00.1234567890Z",
        "2026-12-01T00:30:00+09",
        "2026-12-01T00:30:00+0900",
        "2026-12-01T00:30:00+24:00",
        "2026-12-01T00:30:00Z ",
        " 2026-12-01T00:30:00Z",
        "2026-02-29T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "0000-12-31T23:59:59Z",
        "0001-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
        "2026-12-01T0",
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t seconds = 0;
        int32_t nanos = 0;
        if (protojson_timestamp_parse(cases[i], &seconds, &nanos))
            fail_msg("accepted %s", cases[i]);
    }
}

static void test_timestamp_out_of_range_is_not_written(void **state)
{
    (void)state;
    char text[PROTOJSON_TIMESTAMP_SIZE];
    assert_false(protojson_timestamp_format(-62135596801, 0, text));
    assert_false(protojson_timestamp_format(253402300800, 0, text));
    assert_false(protojson_timestamp_format(INT64_MIN, 0, text));
    assert_false(protojson_timestamp_format(INT64_MAX, 0, text));
    assert_false(protojson_timestamp_format(0, -1, text));
    assert_false(protojson_timestamp_format(0, 1000000000, text));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_timestamp_canonical_text_is_written_and_read),
        cmocka_unit_test(test_timestamp_other_spellings_are_read),
        cmocka_unit_test(test_timestamp_malformed_text_is_refused),
        cmocka_unit_test(test_timestamp_out_of_range_is_not_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
