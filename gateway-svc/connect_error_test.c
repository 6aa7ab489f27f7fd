#include "connect_error.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/unit_testing.h"

static void assert_text(const struct error *error, const char *expected)
{
    json_t *json = connect_error_json(error);
    char *text = json_dumps(json, JSON_COMPACT);
    assert_string_equal(text, expected);
    free(text);
    json_decref(json);
}

static void test_connect_error_without_a_reason_has_no_details(void **state)
{
    (void)state;
    const struct error error = {.status = STATUS_INVALID_ARGUMENT, .message = "date: must be \"a\" date"};
    assert_text(&error, "{\"code\":\"invalid_argument\",\"message\":\"date: must be \\\"a\\\" date\"}");
}

static void test_connect_error_has_reason_and_pause_as_details(void **state)
{
    (void)state;
    const struct error error = {.status = STATUS_FAILED_PRECONDITION,
                                .retry_after_ms = 2050,
                                .reason = "HOSPITAL_UNAVAILABLE",
                                .message = "later"};
    assert_text(
        &error,
        "{\"code\":\"failed_precondition\",\"message\":\"later\",\"details\":["
        "{\"type\":\"google.rpc.ErrorInfo\",\"value\":\"ChRIT1NQSVRBTF9VTkFWQUlMQUJMRRIMc2NyZWVuaW5nLnYx\","
        "\"debug\":{\"reason\":\"HOSPITAL_UNAVAILABLE\",\"domain\":\"screening.v1\"}},"
        "{\"type\":\"google.rpc.RetryInfo\",\"value\":\"CgcIAhCA4esX\",\"debug\":{\"retryDelay\":\"2.050s\"}}"
        "]}");
}

static void test_connect_error_has_room_for_the_longest_reason(void **state)
{
    (void)state;
    const struct error error = {
        .status = STATUS_NOT_FOUND, .reason = "A_WORD_OF_THIRTY_ONE_CHARACTERS", .message = "m"};
    assert_text(&error,
                "{\"code\":\"not_found\",\"message\":\"m\",\"details\":["
                "{\"type\":\"google.rpc.ErrorInfo\",\"value\":"
                "\"Ch9BX1dPUkRfT0ZfVEhJUlRZX09ORV9DSEFSQUNURVJTEgxzY3JlZW5pbmcudjE\","
                "\"debug\":{\"reason\":\"A_WORD_OF_THIRTY_ONE_CHARACTERS\",\"domain\":\"screening.v1\"}}]}");
}

static void test_connect_error_keeps_what_is_inside(void **state)
{
    (void)state;
    const enum status inside[] = {STATUS_UNKNOWN, STATUS_INTERNAL, STATUS_DATA_LOSS};
    const char *const words[] = {"unknown", "internal", "data_loss"};
    for (size_t i = 0; i < sizeof inside / sizeof inside[0]; i++) {
        const struct error error = {.status = inside[i],
                                    .message = "database: create_booking: no such table"};
        char expected[64];
        (void)snprintf(expected, sizeof expected, "{\"code\":\"%s\",\"message\":\"internal error\"}",
                       words[i]);
        assert_text(&error, expected);
    }
    const struct error lost = {.status = STATUS_UNAVAILABLE,
                               .message = "lost the connection to tcp://10.0.0.3:7201"};
    assert_text(&lost, "{\"code\":\"unavailable\","
                       "\"message\":\"the service is not available now: ask again with the same id\"}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_connect_error_without_a_reason_has_no_details),
        cmocka_unit_test(test_connect_error_has_reason_and_pause_as_details),
        cmocka_unit_test(test_connect_error_has_room_for_the_longest_reason),
        cmocka_unit_test(test_connect_error_keeps_what_is_inside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
