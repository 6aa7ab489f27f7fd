#include <time.h>

#include "base/clock.h"
#include "base/unit_testing.h"

static int64_t replacement_us(void)
{
    return 42;
}

static void test_clock_now_follows_the_system(void **state)
{
    (void)state;
    int64_t before = (int64_t)time(NULL);
    int64_t now_us = clock_now_us();
    int64_t after = (int64_t)time(NULL);
    /* time() may lag by one kernel tick. */
    assert_in_range(now_us / 1000000, before, after + 1);
}

static void test_clock_replace_is_in_effect_until_restored(void **state)
{
    (void)state;
    clock_replace(replacement_us);
    assert_int_equal(clock_now_us(), 42);
    clock_replace(NULL);
    assert_true(clock_now_us() > 1700000000000000);
}

static void test_clock_monotonic_never_goes_back(void **state)
{
    (void)state;
    int64_t last = clock_monotonic_ns();
    for (int i = 0; i < 1000; i++) {
        int64_t next = clock_monotonic_ns();
        assert_true(next >= last);
        last = next;
    }
}

static void test_clock_remaining_is_rounded_down_and_bounded(void **state)
{
    (void)state;
    assert_int_equal(clock_remaining_ms(0), 0);
    assert_int_equal(clock_remaining_ms(INT64_MIN), 0);
    assert_int_equal(clock_remaining_ms(clock_monotonic_ns()), 0);
    assert_int_equal(clock_remaining_ms(INT64_MAX), INT32_MAX);
    int32_t remaining = clock_remaining_ms(clock_monotonic_ns() + 600000 * (int64_t)NS_PER_MS);
    assert_in_range(remaining, 590000, 599999);
}

static void test_clock_format_is_rfc_3339(void **state)
{
    (void)state;
    char text[CLOCK_TEXT_SIZE];
    assert_string_equal(clock_format(1796085000000000, text), "2026-12-01T00:30:00.000000Z");
    assert_string_equal(clock_format(0, text), "1970-01-01T00:00:00.000000Z");
    assert_string_equal(clock_format(-1, text), "1969-12-31T23:59:59.999999Z");
    assert_string_equal(clock_format(951827696123456, text), "2000-02-29T12:34:56.123456Z");
    assert_string_equal(clock_format(INT64_MAX, text), "9999-12-31T04:00:54.775807Z");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clock_now_follows_the_system),
        cmocka_unit_test(test_clock_replace_is_in_effect_until_restored),
        cmocka_unit_test(test_clock_monotonic_never_goes_back),
        cmocka_unit_test(test_clock_remaining_is_rounded_down_and_bounded),
        cmocka_unit_test(test_clock_format_is_rfc_3339),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
