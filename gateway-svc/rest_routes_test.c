/* Tests the mapping of paths to methods. */
#include "rest_routes.h"

#include <string.h>

#include "base/unit_testing.h"

static void assert_parameter(const struct rest_parameter *parameter, const char *name, const char *value)
{
    assert_int_equal(parameter->name_size, strlen(name));
    assert_memory_equal(parameter->name, name, strlen(name));
    assert_int_equal(parameter->value_size, strlen(value));
    assert_memory_equal(parameter->value, value, strlen(value));
}

static void test_route_is_found_with_its_parameters(void **state)
{
    (void)state;
    struct rest_match match;
    char allow[REST_ALLOW_SIZE];
    assert_true(rest_route_find("PUT", "/hospitals/h-1/days/2026-12-01", &match, allow));
    assert_string_equal(match.route->rpc, "SetCapacity");
    assert_int_equal(match.parameter_count, 2);
    assert_parameter(&match.parameters[0], "hospitalId", "h-1");
    assert_parameter(&match.parameters[1], "date", "2026-12-01");
    assert_true(rest_route_find("DELETE", "/bookings/b", &match, allow));
    assert_string_equal(match.route->rpc, "CancelBooking");
    assert_int_equal(match.parameter_count, 1);
    assert_parameter(&match.parameters[0], "bookingId", "b");
    assert_true(rest_route_find("GET", "/hospitals", &match, allow));
    assert_string_equal(match.route->rpc, "ListHospitals");
    assert_int_equal(match.parameter_count, 0);
}

static void test_route_of_another_method_lists_those_allowed(void **state)
{
    (void)state;
    static const struct {
        const char *path, *allow;
    } cases[] = {
        {"/bookings", "POST, GET, HEAD"},
        {"/bookings/b", "GET, HEAD, DELETE"},
        {"/bookings/b/cancel", "POST"},
        {"/hospitals/h/days/d", "PUT"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct rest_match match;
        char allow[REST_ALLOW_SIZE];
        assert_false(rest_route_find("PATCH", cases[i].path, &match, allow));
        assert_string_equal(allow, cases[i].allow);
    }
}

static void test_route_that_is_none_is_not_found(void **state)
{
    (void)state;
    static const char *const PATHS[] = {"",
                                        "/",
                                        "*",
                                        "bookings",
                                        "/booking",
                                        "/bookings/",
                                        "//bookings",
                                        "/bookings//cancel",
                                        "/bookings/b/",
                                        "/bookings/b/cancel/now",
                                        "/bookings/b/cancelled",
                                        "/hospitals/h/days",
                                        "/hospitals/h/days/",
                                        "/bookings/{bookingId}/x"};
    for (size_t i = 0; i < sizeof PATHS / sizeof PATHS[0]; i++) {
        struct rest_match match;
        char allow[REST_ALLOW_SIZE];
        assert_false(rest_route_find("GET", PATHS[i], &match, allow));
        assert_string_equal(allow, "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_route_is_found_with_its_parameters),
        cmocka_unit_test(test_route_of_another_method_lists_those_allowed),
        cmocka_unit_test(test_route_that_is_none_is_not_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
