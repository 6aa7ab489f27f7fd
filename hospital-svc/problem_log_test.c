#include "problem_log.h"

#include "base/clock.h"
#include "base/unit_testing.h"

static const char NONE[RPC_DEGRADED_TEXT_SIZE] = "", DIVERGED[RPC_DEGRADED_TEXT_SIZE] = "LOG_DIVERGED",
                  WRONG[RPC_DEGRADED_TEXT_SIZE] = "WRONG_DATABASE",
                  TOO_OLD[RPC_DEGRADED_TEXT_SIZE] = "booking-svc is too old to pair";

static int64_t at_s(double seconds)
{
    return (int64_t)(seconds * MS_PER_S) * NS_PER_MS;
}

static void test_a_problem_that_lasts_is_logged_once(void **state)
{
    (void)state;
    struct problem_log log = {.at_ns = 0};
    assert_false(problem_log_is_due(&log, NONE, at_s(1)));
    assert_true(problem_log_is_due(&log, DIVERGED, at_s(1)));
    assert_false(problem_log_is_due(&log, DIVERGED, at_s(1.2)));
    assert_false(problem_log_is_due(&log, NONE, at_s(2))); /* another failure, which needs no operator */
    assert_false(problem_log_is_due(&log, DIVERGED, at_s(3600)));
    log = (struct problem_log){.at_ns = 0}; /* a pairing succeeded */
    assert_true(problem_log_is_due(&log, DIVERGED, at_s(3601)));
}

static void test_another_problem_is_logged_at_once(void **state)
{
    (void)state;
    struct problem_log log = {.at_ns = 0};
    assert_true(problem_log_is_due(&log, DIVERGED, at_s(1)));
    assert_true(problem_log_is_due(&log, WRONG, at_s(1.2)));
    assert_true(problem_log_is_due(&log, TOO_OLD, at_s(1.4)));
}

static void test_problems_that_alternate_are_logged_once_a_minute(void **state)
{
    (void)state;
    struct problem_log log = {.at_ns = 0};
    int logged = 0;
    for (int i = 0; i < 5 * 121; i++) /* two minutes, with an attempt every 200 ms */
        logged += problem_log_is_due(&log, i % 2 == 0 ? DIVERGED : WRONG, at_s(1 + i / 5.0));
    assert_int_equal(logged, 2 + 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_problem_that_lasts_is_logged_once),
        cmocka_unit_test(test_another_problem_is_logged_at_once),
        cmocka_unit_test(test_problems_that_alternate_are_logged_once_a_minute),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
