#include <string.h>

#include "base/status.h"
#include "base/unit_testing.h"

static void test_status_every_code_has_its_name(void **state)
{
    (void)state;
    assert_string_equal(status_name(STATUS_OK), "OK");
    assert_string_equal(status_name(STATUS_INVALID_ARGUMENT), "INVALID_ARGUMENT");
    assert_string_equal(status_name(STATUS_UNAVAILABLE), "UNAVAILABLE");
    assert_string_equal(status_name(STATUS_UNAUTHENTICATED), "UNAUTHENTICATED");
    for (int code = 0; code < STATUS_COUNT; code++)
        assert_string_not_equal(status_name((enum status)code), "UNRECOGNISED");
}

static void test_status_unknown_code_is_unrecognised(void **state)
{
    (void)state;
    assert_string_equal(status_name((enum status)STATUS_COUNT), "UNRECOGNISED");
    assert_string_equal(status_name((enum status) - 1), "UNRECOGNISED");
}

static void test_status_transient_codes_are_the_listed_ones(void **state)
{
    (void)state;
    for (int code = 0; code < STATUS_COUNT; code++) {
        bool expected = code == STATUS_UNAVAILABLE || code == STATUS_DEADLINE_EXCEEDED ||
                        code == STATUS_ABORTED || code == STATUS_RESOURCE_EXHAUSTED || code == STATUS_UNKNOWN;
        assert_int_equal(status_is_transient((enum status)code), expected);
    }
}

static void test_error_set_fills_everything_and_returns_the_status(void **state)
{
    (void)state;
    struct error error = {.retry_after_ms = 7};
    assert_int_equal(error_set(&error, STATUS_FAILED_PRECONDITION, "SOLD_OUT", "%d places left", 0),
                     STATUS_FAILED_PRECONDITION);
    assert_int_equal(error.status, STATUS_FAILED_PRECONDITION);
    assert_int_equal(error.retry_after_ms, 0);
    assert_string_equal(error.reason, "SOLD_OUT");
    assert_string_equal(error.message, "0 places left");
}

static void test_error_set_without_error_returns_the_status(void **state)
{
    (void)state;
    assert_int_equal(error_set(NULL, STATUS_ABORTED, "X", "y"), STATUS_ABORTED);
    error_clear(NULL);
}

static void test_error_set_from_itself_wraps_the_message(void **state)
{
    (void)state;
    struct error error;
    (void)error_set(&error, STATUS_NOT_FOUND, "GONE", "no row");
    (void)error_set(&error, STATUS_UNAVAILABLE, error.reason, "database: %s", error.message);
    assert_string_equal(error.reason, "GONE");
    assert_string_equal(error.message, "database: no row");
}

static void test_error_set_long_text_is_cut_between_characters(void **state)
{
    (void)state;
    struct error error;
    char text[2 * ERROR_MESSAGE_SIZE] = "";
    for (size_t shift = 0; shift < 3; shift++) {
        memset(text, 'a', shift);
        text[shift] = '\0';
        while (strlen(text) + 3 < sizeof text)
            strncat(text, "검", 4);
        (void)error_set(&error, STATUS_INTERNAL, text, "%s", text);
        assert_int_equal(strlen(error.message), shift + (ERROR_MESSAGE_SIZE - 1 - shift) / 3 * 3);
        assert_memory_equal(error.message, text, strlen(error.message));
        assert_int_equal(strlen(error.reason), shift + (ERROR_REASON_SIZE - 1 - shift) / 3 * 3);
    }
}

static void test_error_clear_leaves_zeros(void **state)
{
    (void)state;
    static const struct error none;
    struct error error;
    (void)error_set(&error, STATUS_INTERNAL, "R", "m");
    error_clear(&error);
    assert_memory_equal(&error, &none, sizeof error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_status_every_code_has_its_name),
        cmocka_unit_test(test_status_unknown_code_is_unrecognised),
        cmocka_unit_test(test_status_transient_codes_are_the_listed_ones),
        cmocka_unit_test(test_error_set_fills_everything_and_returns_the_status),
        cmocka_unit_test(test_error_set_without_error_returns_the_status),
        cmocka_unit_test(test_error_set_from_itself_wraps_the_message),
        cmocka_unit_test(test_error_set_long_text_is_cut_between_characters),
        cmocka_unit_test(test_error_clear_leaves_zeros),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
