#include "latency.h"

#include "base/unit_testing.h"

static void test_latency_nothing_counted_is_zero(void **state)
{
    (void)state;
    static struct latency latency;
    assert_int_equal(latency_quantile(&latency, 0.5), 0);
    assert_int_equal(latency_quantile(&latency, 1), 0);
    assert_true(latency_mean(&latency) == 0);
}

static void test_latency_small_times_are_exact(void **state)
{
    (void)state;
    static struct latency latency;
    for (int64_t us = 1; us <= 50; us++)
        latency_add(&latency, us);
    assert_int_equal(latency_quantile(&latency, 0.5), 25);
    assert_int_equal(latency_quantile(&latency, 0.98), 49);
    assert_int_equal(latency_quantile(&latency, 1), 50);
    assert_true(latency_mean(&latency) == 25.5);
}

/*
 * At every magnitude, the quantile of a counted value is at least that value, and less than one step above
 * it.
 */
static void test_latency_quantile_is_less_than_a_step_too_high(void **state)
{
    (void)state;
    for (int64_t us = 1; us < (int64_t)1 << LATENCY_VALUE_BITS; us = us * 9 / 8 + 1) {
        static struct latency latency;
        latency = (struct latency){.total = 0};
        latency_add(&latency, us);
        /* This value keeps max_us from limiting the quantile. */
        latency_add(&latency, ((int64_t)1 << LATENCY_VALUE_BITS) - 1);
        int64_t found = latency_quantile(&latency, 0.5);
        assert_true(found >= us);
        assert_true(found - us <= us / LATENCY_STEPS);
    }
}

static void test_latency_quantiles_of_a_long_tail(void **state)
{
    (void)state;
    static struct latency latency;
    for (int i = 0; i < 990; i++)
        latency_add(&latency, 1000);
    for (int i = 0; i < 9; i++)
        latency_add(&latency, 100000);
    latency_add(&latency, 5000000);
    assert_in_range(latency_quantile(&latency, 0.5), 1000, 1015);
    assert_in_range(latency_quantile(&latency, 0.99), 1000, 1015);
    assert_in_range(latency_quantile(&latency, 0.999), 100000, 101562);
    assert_int_equal(latency_quantile(&latency, 1), 5000000);
    assert_int_equal(latency.total, 1000);
}

static void test_latency_odd_times_are_kept_in_range(void **state)
{
    (void)state;
    static struct latency latency;
    latency_add(&latency, -5);
    assert_int_equal(latency_quantile(&latency, 1), 0);
    latency_add(&latency, INT64_MAX);
    assert_int_equal(latency_quantile(&latency, 1), ((int64_t)1 << LATENCY_VALUE_BITS) - 1);
    assert_int_equal(latency.total, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_latency_nothing_counted_is_zero),
        cmocka_unit_test(test_latency_small_times_are_exact),
        cmocka_unit_test(test_latency_quantile_is_less_than_a_step_too_high),
        cmocka_unit_test(test_latency_quantiles_of_a_long_tail),
        cmocka_unit_test(test_latency_odd_times_are_kept_in_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
