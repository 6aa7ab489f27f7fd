#include "base/unit_testing.h"
#include "service/connection_limits.h"

static void test_connections_leave_files_for_the_rest(void **state)
{
    (void)state;
    assert_int_equal(service_files_for_connections(4096, 1000000), 16384);
    assert_int_equal(service_files_for_connections(4096, 10000), 9744);
    assert_int_equal(service_files_for_connections(4096, 1024), 768);
    assert_int_equal(service_files_for_connections(100, 1024), 400);
    assert_int_equal(service_files_for_connections(4096, 129), 32);
    assert_int_equal(service_files_for_connections(4096, 4), 2);
    for (size_t files = 128; files < 5000; files++) {
        size_t open = service_files_for_connections(4096, files);
        assert_true(open <= files / 2 || open + 256 <= files);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_connections_leave_files_for_the_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
