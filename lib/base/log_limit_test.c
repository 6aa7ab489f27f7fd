#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log_limit.h"
#include "base/unit_testing.h"

static const int64_t SECOND = 1000000000, BEGIN = 5000000000000;
static const struct log_rate RATE = {.burst = 10, .per_s = 2};

static int setup(void **state)
{
    *state = calloc(1, sizeof(struct log_limit));
    return *state != NULL ? 0 : -1;
}

static int teardown(void **state)
{
    free(*state);
    return 0;
}

/* Asks for `count` lines at the same time; returns how many may be written. */
static int take(struct log_limit *limit, const char *event, int count, int64_t now_ns)
{
    int taken = 0;
    uint64_t suppressed = 0;
    for (int i = 0; i < count; i++)
        taken += log_limit_take(limit, event, &RATE, now_ns, &suppressed);
    return taken;
}

static void test_log_limit_lets_a_burst_pass_and_then_the_rate(void **state)
{
    assert_int_equal(take(*state, "a", 100, BEGIN), 10);
    assert_int_equal(take(*state, "a", 100, BEGIN + SECOND / 4), 0);
    assert_int_equal(take(*state, "a", 100, BEGIN + SECOND / 2), 1);
    assert_int_equal(take(*state, "a", 100, BEGIN + 3 * SECOND), 5);
    assert_int_equal(take(*state, "a", 100, BEGIN + 100 * SECOND), 10); /* never more than a burst */
}

static void test_log_limit_of_one_event_leaves_others_alone(void **state)
{
    static char same_text[] = "a"; /* same text, different address */
    assert_int_equal(take(*state, "a", 100, BEGIN), 10);
    assert_int_equal(take(*state, same_text, 1, BEGIN), 0);
    assert_int_equal(take(*state, "b", 100, BEGIN), 10);
}

static void test_log_limit_counts_what_it_suppressed(void **state)
{
    uint64_t suppressed = 99;
    assert_true(log_limit_take(*state, "a", &RATE, BEGIN, &suppressed));
    assert_int_equal(suppressed, 0);
    assert_int_equal(take(*state, "a", 100, BEGIN), 9);
    assert_true(log_limit_take(*state, "a", &RATE, BEGIN + SECOND, &suppressed));
    assert_int_equal(suppressed, 91);
    assert_true(log_limit_take(*state, "a", &RATE, BEGIN + 2 * SECOND, &suppressed));
    assert_int_equal(suppressed, 0);
}

static void test_log_limit_names_events_whose_flood_has_ended(void **state)
{
    uint64_t suppressed = 0;
    (void)take(*state, "a", 15, BEGIN);
    (void)take(*state, "b", 5, BEGIN);
    assert_null(log_limit_next_suppressed(*state, BEGIN, &suppressed));
    assert_string_equal(log_limit_next_suppressed(*state, BEGIN + 1, &suppressed), "a");
    assert_int_equal(suppressed, 5);
    assert_null(log_limit_next_suppressed(*state, BEGIN + 1, &suppressed));
}

static void test_log_limit_more_events_than_it_knows_are_limited_together(void **state)
{
    static char names[4 * LOG_LIMIT_EVENTS][16];
    int taken = 0;
    for (int i = 0; i < 4 * LOG_LIMIT_EVENTS; i++) {
        (void)snprintf(names[i], sizeof names[i], "event%d", i);
        taken += take(*state, names[i], 100, BEGIN);
    }
    assert_int_equal(taken, 10 * LOG_LIMIT_EVENTS);
}

static void test_log_limit_first_of_a_key_is_once_a_minute(void **state)
{
    assert_true(log_limit_first(*state, "a", "key", BEGIN));
    assert_false(log_limit_first(*state, "a", "key", BEGIN));
    assert_true(log_limit_first(*state, "a", "other", BEGIN));
    assert_true(log_limit_first(*state, "b", "key", BEGIN));
    assert_false(log_limit_first(*state, "a", "key", BEGIN + 60 * SECOND - 1));
    assert_true(log_limit_first(*state, "a", "key", BEGIN + 60 * SECOND));
    uint64_t suppressed = 0;
    assert_string_equal(log_limit_next_suppressed(*state, INT64_MAX, &suppressed), "a");
    assert_int_equal(suppressed, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_log_limit_lets_a_burst_pass_and_then_the_rate, setup, teardown),
        cmocka_unit_test_setup_teardown(test_log_limit_of_one_event_leaves_others_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(test_log_limit_counts_what_it_suppressed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_log_limit_names_events_whose_flood_has_ended, setup, teardown),
        cmocka_unit_test_setup_teardown(test_log_limit_more_events_than_it_knows_are_limited_together, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_log_limit_first_of_a_key_is_once_a_minute, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
