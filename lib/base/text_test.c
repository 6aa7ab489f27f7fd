#include <string.h>

#include "base/text.h"
#include "base/unit_testing.h"

static void assert_refused(enum status status, const struct error *error, const char *message)
{
    assert_int_equal(status, STATUS_INVALID_ARGUMENT);
    assert_int_equal(error->status, STATUS_INVALID_ARGUMENT);
    assert_string_equal(error->message, message);
}

static void test_text_utf8_valid_text_is_taken(void **state)
{
    (void)state;
    static const char *const TEXTS[] = {
        "",
        "plain",
        "서울검진센터",
        "\x7f",
        "\xc2\x80",
        "\xdf\xbf",
        "\xe0\xa0\x80",
        "\xed\x9f\xbf",
        "\xee\x80\x80",
        "\xef\xbf\xbf",
        "\xf0\x90\x80\x80",
        "\xf4\x8f\xbf\xbf",
    };
    for (size_t i = 0; i < sizeof TEXTS / sizeof TEXTS[0]; i++)
        assert_true(text_is_utf8(TEXTS[i], strlen(TEXTS[i])));
}

static void test_text_utf8_invalid_text_is_refused(void **state)
{
    (void)state;
    static const char *const TEXTS[] = {
        "\x80",             /* a lone continuation byte */
        "a\xbf",            /* a continuation byte after a character */
        "\xc0\x80",         /* overlong NUL */
        "\xc1\xbf",         /* overlong, 2 bytes */
        "\xe0\x9f\xbf",     /* overlong, 3 bytes */
        "\xf0\x8f\xbf\xbf", /* overlong, 4 bytes */
        "\xed\xa0\x80",     /* the first surrogate */
        "\xed\xbf\xbf",     /* the last surrogate */
        "\xf4\x90\x80\x80", /* beyond U+10FFFF */
        "\xf8\x88\x80\x80\x80",
        "\xfe",
        "\xff",
        "\xc2",
        "\xe2\x82",
        "\xf0\x9f\x98",
        "\xe2\x28\xa1",
    };
    for (size_t i = 0; i < sizeof TEXTS / sizeof TEXTS[0]; i++)
        assert_false(text_is_utf8(TEXTS[i], strlen(TEXTS[i])));
    assert_false(text_is_utf8("a\0b", 3));
    assert_false(text_is_utf8("검", 2));
}

static void test_text_utf8_looks_at_every_byte_of_a_long_text(void **state)
{
    (void)state;
    char text[] = "as long as three words: \x01\x7f";
    const size_t size = sizeof text - 1;
    assert_true(text_is_utf8(text, size));
    for (size_t i = 0; i < size; i++) {
        const char kept = text[i];
        text[i] = '\0';
        assert_false(text_is_utf8(text, size));
        text[i] = '\xff';
        assert_false(text_is_utf8(text, size));
        text[i] = kept;
    }
}

static void test_text_make_utf8_replaces_only_what_is_none(void **state)
{
    (void)state;
    static const char *const PAIRS[][2] = {
        {"", ""},
        {"서울 a", "서울 a"},
        {"\xf0\x90\x80\x80", "\xf0\x90\x80\x80"},
        {"\xff", "?"},
        {"a\xd1geSize", "a?geSize"},
        {"\xc0\x80", "??"},
        {"\xed\xa0\x80z", "???z"},
        {"서\xec\x9a", "서??"}, /* cut in the middle of a character */
    };
    for (size_t i = 0; i < sizeof PAIRS / sizeof PAIRS[0]; i++) {
        char text[32];
        memcpy(text, PAIRS[i][0], strlen(PAIRS[i][0]) + 1);
        text_make_utf8(text);
        assert_string_equal(text, PAIRS[i][1]);
        assert_true(text_is_utf8(text, strlen(text)));
    }
}

static void test_text_length_counts_characters(void **state)
{
    (void)state;
    assert_int_equal(text_length(""), 0);
    assert_int_equal(text_length("abc"), 3);
    assert_int_equal(text_length("a검é😀"), 4);
}

static void test_text_check_good_text_passes(void **state)
{
    (void)state;
    struct error error;
    assert_int_equal(text_check("name", "김 영희", 1, 4, &error), STATUS_OK);
    assert_int_equal(text_check("name", "", 0, 200, &error), STATUS_OK);
    assert_int_equal(text_check("name", " ~", 2, 2, &error), STATUS_OK);
    assert_int_equal(text_check("name", "\xc2\xa0", 1, 1, NULL), STATUS_OK);
}

static void test_text_check_names_the_field_and_the_rule(void **state)
{
    (void)state;
    struct error error;
    assert_refused(text_check("name", "", 1, 200, &error), &error, "name: must have 1 to 200 characters");
    assert_refused(text_check("reason", "검진검", 0, 2, &error), &error,
                   "reason: must have 0 to 2 characters");
    assert_refused(text_check("name", "a\xff", 1, 200, &error), &error, "name: must be valid UTF-8");
    static const char *const CONTROLS[] = {"a\tb", "\n", "\x01", "\x1f", "a\x7f", "\xc2\x80", "\xc2\x9f"};
    for (size_t i = 0; i < sizeof CONTROLS / sizeof CONTROLS[0]; i++) {
        assert_refused(text_check("name", CONTROLS[i], 1, 200, &error), &error,
                       "name: must not contain control characters");
    }
    assert_int_equal(text_check("name", "", 1, 200, NULL), STATUS_INVALID_ARGUMENT);
}

static void test_text_check_opaque_refuses_every_space(void **state)
{
    (void)state;
    static const char *const SPACED[] = {" ",      "a b",    "\u00a0", "\u1680", "\u2000", "\u200b",
                                         "\u2028", "\u202f", "\u205f", "\u3000", "\ufeff"};
    struct error error;
    for (size_t i = 0; i < sizeof SPACED / sizeof SPACED[0]; i++) {
        assert_refused(text_check_opaque("customer_id", SPACED[i], 1, 64, &error), &error,
                       "customer_id: must not contain spaces");
    }
    assert_refused(text_check_opaque("customer_id", "", 1, 64, &error), &error,
                   "customer_id: must have 1 to 64 characters");
    assert_refused(text_check_opaque("customer_id", "a\n", 1, 64, &error), &error,
                   "customer_id: must not contain control characters");
    assert_int_equal(text_check_opaque("customer_id", "!user-42@고객~", 1, 64, &error), STATUS_OK);
}

static void test_text_check_uuid_and_date_read_or_name_the_rule(void **state)
{
    (void)state;
    struct error error;
    struct uuid uuid;
    int32_t day = 0;
    assert_int_equal(text_check_uuid("booking_id", "6ba7b810-9dad-11d1-80b4-00c04fd430c8", &uuid, &error),
                     STATUS_OK);
    assert_true(uuid_equal(&uuid, &UUID_NAMESPACE_DNS));
    assert_refused(text_check_uuid("booking_id", "42", &uuid, &error), &error, "booking_id: must be a UUID");
    assert_refused(text_check_uuid("booking_id", "00000000-0000-0000-0000-000000000000", &uuid, &error),
                   &error, "booking_id: must be a UUID other than nil");
    assert_int_equal(text_check_date("date", "1970-01-02", &day, &error), STATUS_OK);
    assert_int_equal(day, 1);
    assert_refused(text_check_date("date", "2026-02-29", &day, &error), &error,
                   "date: must be an existing date, YYYY-MM-DD");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_utf8_valid_text_is_taken),
        cmocka_unit_test(test_text_utf8_invalid_text_is_refused),
        cmocka_unit_test(test_text_utf8_looks_at_every_byte_of_a_long_text),
        cmocka_unit_test(test_text_make_utf8_replaces_only_what_is_none),
        cmocka_unit_test(test_text_length_counts_characters),
        cmocka_unit_test(test_text_check_good_text_passes),
        cmocka_unit_test(test_text_check_names_the_field_and_the_rule),
        cmocka_unit_test(test_text_check_opaque_refuses_every_space),
        cmocka_unit_test(test_text_check_uuid_and_date_read_or_name_the_rule),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
