#include "request_bounds.h"

#include <stdlib.h>
#include <string.h>

#include "base/unit_testing.h"

#include "screening/v1/booking.pb-c.h"
#include "screening/v1/hospital.pb-c.h"

#define BOOKING  (&screening__v1__create_booking_request__descriptor)
#define HOSPITAL (&screening__v1__register_hospital_request__descriptor)

static enum status check(const ProtobufCMessageDescriptor *input, const char *text)
{
    return request_bounds_check_json(input, text, strlen(text), NULL);
}

/* Returns `begin`, `count` copies of `part`, and `end`. The caller frees the result. */
static char *repeat(const char *begin, const char *part, size_t count, const char *end)
{
    char *text = malloc(strlen(begin) + count * strlen(part) + strlen(end) + 1);
    assert_non_null(text);
    char *at = stpcpy(text, begin);
    for (size_t i = 0; i < count; i++)
        at = stpcpy(at, part);
    stpcpy(at, end);
    return text;
}

static void check_repeated(const ProtobufCMessageDescriptor *input, const char *part, size_t count,
                           enum status expected)
{
    char *text = repeat("{\"days\": [", part, count, "]}");
    assert_int_equal(check(input, text), expected);
    free(text);
}

static void test_request_bounds_fit_what_people_send(void **state)
{
    static const char DAY[] =
        "\n        {\n            \"date\": \"2026-12-01\",\n            \"capacity\": 100000\n"
        "        },";
    (void)state;
    char *text = repeat("{\"days\": [", DAY, 400, "]}");
    assert_int_equal(check(HOSPITAL, text), STATUS_OK);
    assert_true(strlen(text) < request_bounds_of(HOSPITAL).body_bytes);
    free(text);
    /* Longer than all texts of a booking together, with every character beyond the BMP and escaped. */
    char *name = repeat("{\"customerName\": \"", "\\ud83d\\ude00", 2 * 200 + 64, "\"}");
    assert_int_equal(check(BOOKING, name), STATUS_OK);
    assert_true(strlen(name) < request_bounds_of(BOOKING).body_bytes);
    free(name);
    assert_int_equal(request_bounds_of(HOSPITAL).body_bytes, REQUEST_BODY_MAX);
    assert_int_equal(request_bounds_of(BOOKING).body_bytes, 8192);
    assert_int_equal(request_bounds_of(NULL).body_bytes, request_bounds_of(BOOKING).body_bytes);
}

static void test_request_bounds_count_values_of_every_kind(void **state)
{
    static const char *const parts[] = {"[],", "{},", "1,", "[", "{", "\"x\",", "\"\":{", ","};
    (void)state;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        check_repeated(BOOKING, parts[i], 50, STATUS_OK);
        check_repeated(BOOKING, parts[i], 200, STATUS_INVALID_ARGUMENT);
        check_repeated(HOSPITAL, parts[i], 200, STATUS_OK);
        check_repeated(HOSPITAL, parts[i], 5000, STATUS_INVALID_ARGUMENT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request_bounds_fit_what_people_send),
        cmocka_unit_test(test_request_bounds_count_values_of_every_kind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
