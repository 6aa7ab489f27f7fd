#include "live_budget.h"

#include <string.h>

#include "base/unit_testing.h"

static const int64_t SECOND = 1000000000, BEGIN = 7000000000000;

static struct live_budget budget;

static int setup(void **state)
{
    (void)state;
    memset(&budget, 0, sizeof budget);
    return 0;
}

static int take(uint64_t key, int count, int64_t now_ns)
{
    int taken = 0;
    for (int i = 0; i < count; i++)
        taken += live_budget_take(&budget, key, now_ns);
    return taken;
}

static void test_live_budget_is_a_burst_and_then_a_rate(void **state)
{
    (void)state;
    uint64_t key = live_budget_key("192.0.2.1", "c-1");
    assert_int_equal(take(key, 20000, BEGIN), LIVE_BUDGET_BURST);
    assert_int_equal(take(key, 20000, BEGIN + 2 * SECOND), 2 * LIVE_BUDGET_PER_S);
    assert_int_equal(take(key, 20000, BEGIN + 1000 * SECOND), LIVE_BUDGET_BURST);
}

static void test_live_budget_of_one_leaves_the_others_theirs(void **state)
{
    (void)state;
    (void)take(live_budget_key("192.0.2.1", "c-1"), 20000, BEGIN);
    assert_int_equal(take(live_budget_key("192.0.2.1", "c-2"), 100, BEGIN), 100); /* behind the same proxy */
    assert_int_equal(take(live_budget_key("192.0.2.2", "c-1"), 100, BEGIN), 100);
    assert_int_equal(take(live_budget_key(NULL, "c-1"), 100, BEGIN), 100);
    assert_int_equal(take(live_budget_key("192.0.2.1", "c-1"), 100, BEGIN), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_live_budget_is_a_burst_and_then_a_rate, setup),
        cmocka_unit_test_setup(test_live_budget_of_one_leaves_the_others_theirs, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
