#include "base/backoff.h"
#include "base/clock.h"
#include "base/unit_testing.h"
#include "rpc/retry.h"

enum { SAVED_UP = 100 };

static const int64_t SECOND = INT64_C(1000) * NS_PER_MS;
static const int64_t START = INT64_C(50) * 1000 * NS_PER_MS;

static int take_all(struct retry_budget *budget, int64_t now_ns)
{
    int taken = 0;
    while (retry_budget_take(budget, now_ns))
        taken++;
    return taken;
}

static struct retry_budget spent(uint32_t percent, uint32_t min_per_s)
{
    const struct retry_options options = {.percent = percent, .min_per_s = min_per_s};
    struct retry_budget budget;
    retry_budget_init(&budget, &options, START);
    assert_int_equal(take_all(&budget, START), SAVED_UP);
    return budget;
}

static void test_retry_budget_allows_the_share_of_calls(void **state)
{
    (void)state;
    struct retry_budget budget = spent(10, 0);
    for (int i = 0; i < 9; i++)
        retry_budget_earn(&budget);
    assert_false(retry_budget_take(&budget, START + 100 * SECOND));
    retry_budget_earn(&budget);
    assert_true(retry_budget_take(&budget, START + 100 * SECOND));
    for (int i = 0; i < 500; i++)
        retry_budget_earn(&budget);
    assert_int_equal(take_all(&budget, START + 100 * SECOND), 50);
}

static void test_retry_budget_of_a_quiet_client_grows_with_time(void **state)
{
    (void)state;
    struct retry_budget budget = spent(10, 10);
    assert_false(retry_budget_take(&budget, START + SECOND / 10 - 1));
    assert_true(retry_budget_take(&budget, START + SECOND / 10));
    assert_int_equal(take_all(&budget, START + 2 * SECOND + SECOND / 10), 20);
    /* Frequent checks must not allow more retries than a single check does. */
    int taken = 0;
    for (int64_t now_ns = START + 3 * SECOND; now_ns < START + 4 * SECOND; now_ns += SECOND / 7000)
        taken += retry_budget_take(&budget, now_ns);
    assert_in_range(taken, 18, 19); /* earned in 1.9 s */
}

static void test_retry_budget_saves_up_no_more_than_a_burst(void **state)
{
    (void)state;
    struct retry_budget budget = spent(100, 1000);
    for (int i = 0; i < 10 * SAVED_UP; i++)
        retry_budget_earn(&budget);
    assert_int_equal(take_all(&budget, START), SAVED_UP);
    assert_int_equal(take_all(&budget, START + INT64_C(100000000) * SECOND / 100), SAVED_UP);
}

static void test_retry_helps_only_where_nothing_was_executed_or_twice_does_no_harm(void **state)
{
    (void)state;
    static const struct {
        struct error error;
        bool left, plain, idempotent;
    } cases[] = {
        {{.status = STATUS_UNAVAILABLE}, false, true, true},
        {{.status = STATUS_UNAVAILABLE}, true, false, true},
        {{.status = STATUS_UNAVAILABLE, .reason = "DRAINING"}, true, true, true},
        {{.status = STATUS_UNAVAILABLE, .reason = "NOT_READY"}, true, true, true},
        {{.status = STATUS_UNAVAILABLE, .reason = "RECOVERING"}, true, true, true},
        {{.status = STATUS_RESOURCE_EXHAUSTED, .retry_after_ms = 5}, true, true, true},
        {{.status = STATUS_RESOURCE_EXHAUSTED}, true, false, false}, /* permanently too large */
        {{.status = STATUS_RESOURCE_EXHAUSTED, .reason = "TOO_MANY_CALLS", .retry_after_ms = 5},
         true,
         false,
         false},
        {{.status = STATUS_DEADLINE_EXCEEDED}, true, false, false},
        {{.status = STATUS_INTERNAL}, true, false, false},
        {{.status = STATUS_FAILED_PRECONDITION, .reason = "SOLD_OUT"}, true, false, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(retry_may_help(&cases[i].error, cases[i].left, false), cases[i].plain);
        assert_int_equal(retry_may_help(&cases[i].error, cases[i].left, true), cases[i].idempotent);
    }
}

static void test_backoff_doubles_with_jitter_up_to_its_longest_and_starts_over(void **state)
{
    (void)state;
    struct backoff backoff = {.first_ms = 20, .max_ms = 100};
    static const int64_t lengths_ms[] = {20, 40, 80, 100, 100};
    for (int round = 0; round < 20; round++) {
        for (size_t i = 0; i < sizeof lengths_ms / sizeof lengths_ms[0]; i++) {
            int64_t pause_ns = backoff_next_ns(&backoff);
            assert_true(pause_ns >= lengths_ms[i] * NS_PER_MS / 2 && pause_ns <= lengths_ms[i] * NS_PER_MS);
        }
        backoff_reset(&backoff);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_retry_budget_allows_the_share_of_calls),
        cmocka_unit_test(test_retry_budget_of_a_quiet_client_grows_with_time),
        cmocka_unit_test(test_retry_budget_saves_up_no_more_than_a_burst),
        cmocka_unit_test(test_retry_helps_only_where_nothing_was_executed_or_twice_does_no_harm),
        cmocka_unit_test(test_backoff_doubles_with_jitter_up_to_its_longest_and_starts_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
