/* Checks each status code of REST and Connect, and the messages that clients must not see. */
#include "http_mapping.h"

#include <string.h>

#include "base/unit_testing.h"

#include "screening/v1/booking.pb-c.h"
#include "screening/v1/event.pb-c.h"
#include "screening/v1/history.pb-c.h"
#include "screening/v1/hospital.pb-c.h"

static struct error failure(enum status status, const char *reason, uint32_t retry_after_ms)
{
    struct error error;
    (void)error_set(&error, status, reason, "tcp://10.0.0.1:7101 said so");
    error.retry_after_ms = retry_after_ms;
    return error;
}

static void test_policy_every_status_has_its_codes(void **state)
{
    (void)state;
    static const struct {
        enum status status;
        unsigned rest, connect;
        const char *word;
    } cases[] = {
        {STATUS_CANCELLED, 499, 499, "canceled"},
        {STATUS_UNKNOWN, 500, 500, "unknown"},
        {STATUS_INVALID_ARGUMENT, 422, 400, "invalid_argument"},
        {STATUS_DEADLINE_EXCEEDED, 504, 504, "deadline_exceeded"},
        {STATUS_NOT_FOUND, 404, 404, "not_found"},
        {STATUS_ALREADY_EXISTS, 409, 409, "already_exists"},
        {STATUS_PERMISSION_DENIED, 403, 403, "permission_denied"},
        {STATUS_RESOURCE_EXHAUSTED, 429, 429, "resource_exhausted"},
        {STATUS_FAILED_PRECONDITION, 409, 400, "failed_precondition"},
        {STATUS_ABORTED, 409, 409, "aborted"},
        {STATUS_OUT_OF_RANGE, 422, 400, "out_of_range"},
        {STATUS_UNIMPLEMENTED, 501, 501, "unimplemented"},
        {STATUS_INTERNAL, 500, 500, "internal"},
        {STATUS_UNAVAILABLE, 503, 503, "unavailable"},
        {STATUS_DATA_LOSS, 500, 500, "data_loss"},
        {STATUS_UNAUTHENTICATED, 401, 401, "unauthenticated"},
        {(enum status)(STATUS_COUNT + 5), 500, 500, "unknown"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct error error = failure(cases[i].status, NULL, 0);
        assert_int_equal(http_rest_code(&error), cases[i].rest);
        assert_int_equal(http_connect_code(cases[i].status), cases[i].connect);
        assert_string_equal(http_connect_word(cases[i].status), cases[i].word);
    }
}

static void test_policy_reason_goes_before_the_status(void **state)
{
    (void)state;
    static const struct {
        const char *reason;
        unsigned code;
    } cases[] = {
        {"HOSPITAL_UNAVAILABLE", 503}, {"VERSION_MISMATCH", 412}, {"SOLD_OUT", 409},
        {"BOOKING_FINAL", 409},        {"BUDGET_SPENT", 409},     {"HOSPITAL_DELETED", 409},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct error error = failure(STATUS_FAILED_PRECONDITION, cases[i].reason, 0);
        assert_int_equal(http_rest_code(&error), cases[i].code);
    }
}

static void test_policy_retry_after_is_in_whole_seconds(void **state)
{
    (void)state;
    static const struct {
        enum status status;
        uint32_t retry_after_ms;
        unsigned seconds;
    } cases[] = {
        {STATUS_UNAVAILABLE, 0, 1},           {STATUS_UNAVAILABLE, 300, 1},
        {STATUS_UNAVAILABLE, 1001, 2},        {STATUS_RESOURCE_EXHAUSTED, 200, 1},
        {STATUS_RESOURCE_EXHAUSTED, 0, 0},    {STATUS_NOT_FOUND, 0, 0},
        {STATUS_FAILED_PRECONDITION, 900, 1}, {STATUS_UNAVAILABLE, UINT32_MAX, 4294968},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct error error = failure(cases[i].status, NULL, cases[i].retry_after_ms);
        assert_int_equal(http_retry_after_s(&error, http_rest_code(&error)), cases[i].seconds);
    }
}

static void test_policy_reveals_no_internals(void **state)
{
    (void)state;
    static const enum status HIDDEN[] = {STATUS_INTERNAL, STATUS_UNKNOWN, STATUS_DATA_LOSS,
                                         STATUS_UNAVAILABLE, STATUS_DEADLINE_EXCEEDED};
    for (size_t i = 0; i < sizeof HIDDEN / sizeof HIDDEN[0]; i++) {
        struct error error = failure(HIDDEN[i], NULL, 0);
        assert_null(strstr(http_public_message(&error), "tcp://"));
    }
    struct error shown;
    (void)error_set(&shown, STATUS_INVALID_ARGUMENT, NULL, "date: must be an existing date");
    assert_string_equal(http_public_message(&shown), "date: must be an existing date");
}

static void test_policy_public_is_what_is_not_between_services(void **state)
{
    (void)state;
    static const struct {
        const ProtobufCServiceDescriptor *service;
        unsigned hidden; /* number of the service's methods that are not public */
    } cases[] = {
        {&screening__v1__hospital_service__descriptor, 3}, /* Reserve, BatchReserve, ListReservations */
        {&screening__v1__booking_service__descriptor, 2},  /* LookUpBookings, AbandonBooking */
        {&screening__v1__history_service__descriptor, 0},
        {&screening__v1__event_log_service__descriptor, 1}, /* Fetch */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        unsigned hidden = 0;
        for (unsigned m = 0; m < cases[i].service->n_methods; m++)
            hidden += !http_is_public(cases[i].service, &cases[i].service->methods[m]);
        assert_int_equal(hidden, cases[i].hidden);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_policy_every_status_has_its_codes),
        cmocka_unit_test(test_policy_reason_goes_before_the_status),
        cmocka_unit_test(test_policy_retry_after_is_in_whole_seconds),
        cmocka_unit_test(test_policy_reveals_no_internals),
        cmocka_unit_test(test_policy_public_is_what_is_not_between_services),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
