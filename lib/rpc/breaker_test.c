#include <string.h>

#include "base/clock.h"
#include "base/unit_testing.h"
#include "rpc/breaker.h"

static const struct breaker_options OPTIONS = {
    .window_ms = 10000, .min_calls = 20, .failure_percent = 50, .open_ms = 5000, .probes = 3};

static const int64_t SECOND = INT64_C(1000) * NS_PER_MS;
static const int64_t START = INT64_C(1000) * 1000 * NS_PER_MS;

/* Admits calls and records their outcomes, all at `now_ns`. */
static void record(struct breaker *breaker, size_t successes, size_t failures, int64_t now_ns)
{
    uint64_t era;
    assert_int_equal(breaker_admit(breaker, successes + failures, now_ns, &era), successes + failures);
    const struct breaker_count count = {.successes = successes, .failures = failures};
    breaker_record(breaker, era, &count, now_ns);
}

static struct breaker opened_at(int64_t now_ns)
{
    struct breaker breaker;
    breaker_init(&breaker, &OPTIONS);
    record(&breaker, 0, 20, now_ns);
    assert_int_equal(breaker.state, BREAKER_OPEN);
    return breaker;
}

/* ---- closed ---- */

static void test_breaker_opens_at_the_share_of_failures_not_below(void **state)
{
    (void)state;
    struct breaker breaker;
    breaker_init(&breaker, &OPTIONS);
    record(&breaker, 51, 49, START);
    assert_int_equal(breaker.state, BREAKER_CLOSED);
    record(&breaker, 0, 2, START);
    assert_int_equal(breaker.state, BREAKER_OPEN);
}

static void test_breaker_fewer_calls_than_the_minimum_never_open(void **state)
{
    (void)state;
    struct breaker breaker;
    breaker_init(&breaker, &OPTIONS);
    record(&breaker, 0, 19, START);
    assert_int_equal(breaker.state, BREAKER_CLOSED);
    record(&breaker, 0, 1, START);
    assert_int_equal(breaker.state, BREAKER_OPEN);
}

static void test_breaker_forgets_what_is_older_than_the_window(void **state)
{
    (void)state;
    struct breaker breaker;
    breaker_init(&breaker, &OPTIONS);
    record(&breaker, 0, 19, START);
    record(&breaker, 0, 1, START + 10 * SECOND);
    assert_int_equal(breaker.state, BREAKER_CLOSED);
    assert_int_equal(breaker_window(&breaker, START + 10 * SECOND).failures, 1);
    /* All calls within the window count, and a reused bucket starts empty. */
    breaker_init(&breaker, &OPTIONS);
    for (int64_t i = 0; i < 30; i++)
        record(&breaker, 1, 0, START + i * SECOND);
    assert_int_equal(breaker_window(&breaker, START + 29 * SECOND).successes, 10);
}

static void test_breaker_outcomes_that_count_as_nothing_change_nothing(void **state)
{
    (void)state;
    struct breaker breaker;
    breaker_init(&breaker, &OPTIONS);
    uint64_t era;
    const struct breaker_count nothing = {.nothing = 1000};
    assert_int_equal(breaker_admit(&breaker, 1000, START, &era), 1000);
    breaker_record(&breaker, era, &nothing, START);
    struct breaker_count window = breaker_window(&breaker, START);
    assert_int_equal(window.successes + window.failures, 0);
}

static void test_breaker_without_window_lets_everything_through(void **state)
{
    (void)state;
    const struct breaker_options off = {0};
    struct breaker breaker;
    breaker_init(&breaker, &off);
    for (int i = 0; i < 3; i++)
        record(&breaker, 0, 100, START);
    assert_int_equal(breaker.state, BREAKER_CLOSED);
    assert_int_equal(breaker_wait_ms(&breaker, START), 0);
}

/* ---- open and half-open ---- */

static void test_breaker_open_lets_nothing_through_until_its_time_is_over(void **state)
{
    (void)state;
    struct breaker breaker = opened_at(START);
    uint64_t era;
    assert_int_equal(breaker_admit(&breaker, 10, START + 5 * SECOND - 1, &era), 0);
    assert_int_equal(breaker_room(&breaker, START + 5 * SECOND - 1), 0);
    assert_int_equal(breaker_wait_ms(&breaker, START), 5000);
    assert_int_equal(breaker_wait_ms(&breaker, START + 5 * SECOND - 1), 1);
    assert_int_equal(breaker.state, BREAKER_OPEN);
    assert_int_equal(breaker_wait_ms(&breaker, START + 5 * SECOND), 0);
    assert_int_equal(breaker_room(&breaker, START + 5 * SECOND), 3);
    assert_int_equal(breaker_admit(&breaker, 10, START + 5 * SECOND, &era), 3);
    assert_int_equal(breaker.state, BREAKER_HALF_OPEN);
    assert_int_equal(breaker_admit(&breaker, 1, START + 5 * SECOND, &era), 0);
    assert_true(breaker_wait_ms(&breaker, START + 5 * SECOND) > 0);
}

static void test_breaker_successes_in_a_row_close_it_with_an_empty_window(void **state)
{
    (void)state;
    struct breaker breaker = opened_at(START);
    int64_t now_ns = START + 6 * SECOND;
    record(&breaker, 2, 0, now_ns);
    assert_int_equal(breaker.state, BREAKER_HALF_OPEN);
    record(&breaker, 1, 0, now_ns);
    assert_int_equal(breaker.state, BREAKER_CLOSED);
    assert_int_equal(breaker_window(&breaker, now_ns).failures, 0);
    record(&breaker, 0, 19, now_ns);
    assert_int_equal(breaker.state, BREAKER_CLOSED);
}

static void test_breaker_failed_probe_opens_it_again(void **state)
{
    (void)state;
    struct breaker breaker = opened_at(START);
    int64_t now_ns = START + 6 * SECOND;
    record(&breaker, 2, 0, now_ns);
    record(&breaker, 0, 1, now_ns);
    assert_int_equal(breaker.state, BREAKER_OPEN);
    assert_int_equal(breaker_wait_ms(&breaker, now_ns), 5000);
    record(&breaker, 1, 0, now_ns + 5 * SECOND); /* the two successes from the earlier era do not count */
    record(&breaker, 1, 0, now_ns + 5 * SECOND);
    assert_int_equal(breaker.state, BREAKER_HALF_OPEN);
}

static void test_breaker_probe_without_meaning_gives_its_place_back(void **state)
{
    (void)state;
    struct breaker breaker = opened_at(START);
    int64_t now_ns = START + 6 * SECOND;
    uint64_t era;
    const struct breaker_count nothing = {.nothing = 3};
    assert_int_equal(breaker_admit(&breaker, 5, now_ns, &era), 3);
    breaker_record(&breaker, era, &nothing, now_ns);
    assert_int_equal(breaker.state, BREAKER_HALF_OPEN);
    assert_int_equal(breaker_room(&breaker, now_ns), 3);
}

static void test_breaker_calls_from_before_a_change_count_no_more(void **state)
{
    (void)state;
    struct breaker breaker;
    breaker_init(&breaker, &OPTIONS);
    uint64_t early, probe;
    assert_int_equal(breaker_admit(&breaker, 100, START, &early), 100);
    record(&breaker, 0, 20, START);
    const struct breaker_count good = {.successes = 50}, bad = {.failures = 50};
    breaker_record(&breaker, early, &bad, START + SECOND); /* does not extend the open time */
    assert_int_equal(breaker_wait_ms(&breaker, START + SECOND), 4000);
    assert_int_equal(breaker_admit(&breaker, 1, START + 5 * SECOND, &probe), 1);
    breaker_record(&breaker, early, &good, START + 5 * SECOND);
    breaker_record(&breaker, early, &bad, START + 5 * SECOND);
    assert_int_equal(breaker.state, BREAKER_HALF_OPEN);
    assert_int_equal(breaker_room(&breaker, START + 5 * SECOND), 2);
}

/* ---- what counts ---- */

static void test_breaker_judges_outcomes(void **state)
{
    (void)state;
    static const struct {
        enum status status;
        const char *reason;
        bool left;
        int64_t had_ms;
        enum breaker_outcome outcome;
    } cases[] = {
        {STATUS_OK, "", true, 1, BREAKER_SUCCESS},
        {STATUS_FAILED_PRECONDITION, "SOLD_OUT", true, 1, BREAKER_SUCCESS},
        {STATUS_NOT_FOUND, "", true, 1, BREAKER_SUCCESS},
        {STATUS_INVALID_ARGUMENT, "", true, 1, BREAKER_SUCCESS},
        {STATUS_UNAVAILABLE, "", true, 1, BREAKER_FAILURE},
        {STATUS_INTERNAL, "", true, 1, BREAKER_FAILURE},
        {STATUS_DEADLINE_EXCEEDED, "", true, 300, BREAKER_FAILURE},
        {STATUS_DEADLINE_EXCEEDED, "", true, 299, BREAKER_NOTHING},
        {STATUS_UNAVAILABLE, "", false, 300, BREAKER_FAILURE},
        {STATUS_UNAVAILABLE, "", false, 299, BREAKER_NOTHING},
        {STATUS_UNAVAILABLE, "DRAINING", true, 5000, BREAKER_NOTHING},
        {STATUS_UNAVAILABLE, "DRAINING", false, 5000, BREAKER_NOTHING},
        {STATUS_UNAVAILABLE, "NOT_READY", true, 5000, BREAKER_NOTHING},
        {STATUS_UNAVAILABLE, "RECOVERING", true, 5000, BREAKER_NOTHING},
        {STATUS_RESOURCE_EXHAUSTED, "OVERLOADED", true, 5000, BREAKER_NOTHING},
        {STATUS_RESOURCE_EXHAUSTED, "CALLS_MAX", false, 5000, BREAKER_NOTHING},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(breaker_judge(cases[i].status, cases[i].reason, cases[i].left, cases[i].had_ms, 300),
                         cases[i].outcome);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_breaker_opens_at_the_share_of_failures_not_below),
        cmocka_unit_test(test_breaker_fewer_calls_than_the_minimum_never_open),
        cmocka_unit_test(test_breaker_forgets_what_is_older_than_the_window),
        cmocka_unit_test(test_breaker_outcomes_that_count_as_nothing_change_nothing),
        cmocka_unit_test(test_breaker_without_window_lets_everything_through),
        cmocka_unit_test(test_breaker_open_lets_nothing_through_until_its_time_is_over),
        cmocka_unit_test(test_breaker_successes_in_a_row_close_it_with_an_empty_window),
        cmocka_unit_test(test_breaker_failed_probe_opens_it_again),
        cmocka_unit_test(test_breaker_probe_without_meaning_gives_its_place_back),
        cmocka_unit_test(test_breaker_calls_from_before_a_change_count_no_more),
        cmocka_unit_test(test_breaker_judges_outcomes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
