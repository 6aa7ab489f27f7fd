/* Tests which requests are answered NOT_READY while the database is away: only those never executed. */
#include "base/clock.h"
#include "base/unit_testing.h"
#include "writer/group_commit_testing.h"

enum { COUNT = 2 };

/* Runs a settle and a request. */
static void run_both(void)
{
    fake.commands[0].head.class = WRITER_SETTLE;
    fake.commands[1].head.class = WRITER_REQUEST;
    fake.commands[0].finished = fake.commands[1].finished = 0;
    run(COUNT);
    assert_all_ended(0, COUNT, STATUS_UNAVAILABLE, 0);
}

static void assert_reasons(const char *of_settle, const char *of_request)
{
    assert_string_equal(fake.commands[0].head.outcome.reason, of_settle);
    assert_string_equal(fake.commands[1].head.outcome.reason, of_request);
    assert_true(fake.commands[1].head.outcome.retry_after_ms > 0);
}

static void test_away_request_whose_transaction_could_not_begin_is_not_ready(void **state)
{
    (void)state;
    fake.begin.list[0] = STATUS_UNAVAILABLE;
    run_both();
    assert_reasons("", "NOT_READY");
}

static void test_away_request_whose_commit_has_no_answer_may_have_been_executed(void **state)
{
    (void)state;
    fake.commit_under_test.commit_retry_ms = 60;
    fake.commit.list[0] = STATUS_UNKNOWN;
    for (size_t i = 1; i < ANSWERS_MAX; i++)
        fake.begin.list[i] = STATUS_UNAVAILABLE;
    run_both();
    assert_reasons("", "");
}

static void test_away_failure_after_the_begin_is_not_taken_for_an_absence(void **state)
{
    (void)state;
    fake.apply.list[0] = fake.apply.list[1] = STATUS_UNAVAILABLE; /* for example a full disk */
    run_both();
    assert_reasons("", "");
    fake.commit.list[0] = STATUS_UNAVAILABLE;
    run_both();
    assert_reasons("", "");
}

static void test_away_while_a_commit_has_no_answer_the_requests_that_wait_are_refused(void **state)
{
    (void)state;
    fake.commit.list[0] = STATUS_UNKNOWN;
    run(COUNT);
    assert_string_equal(fake.trace, "BACRBACffP"); /* the database is back at once */
    fake.commands[0].finished = fake.commands[1].finished = 0;
    fake.commit.list[2] = STATUS_UNKNOWN;
    fake.begin.list[3] = STATUS_UNAVAILABLE;
    run(COUNT);
    assert_string_equal(fake.trace, "BACRBRrBACffP");
}

static bool refused[ANSWERS_MAX];
static size_t looks;
static int64_t later_ns;

static void look(void)
{
    refused[looks++] = group_commit_refuses(&fake.commit_under_test, clock_monotonic_ns() + later_ns);
}

static void assert_looked(size_t count, const bool *expected)
{
    assert_int_equal(looks, count);
    assert_memory_equal(refused, expected, count * sizeof *expected);
    looks = 0;
    assert_false(group_commit_refuses(&fake.commit_under_test, clock_monotonic_ns() + later_ns));
}

static void test_away_new_requests_are_refused_while_an_attempt_to_begin_runs(void **state)
{
    (void)state;
    fake.while_waiting = look;
    fake.begin.list[0] = fake.begin.list[1] = STATUS_UNAVAILABLE;
    run(1);
    assert_looked(0, NULL); /* the next request is the next attempt */
    group_commit_probe(&fake.commit_under_test);
    assert_looked(1, (bool[]){true});
    run(1);
    assert_looked(2, (bool[]){false, false}); /* apply, commit */
}

static void test_away_new_requests_are_refused_while_the_database_is_silent(void **state)
{
    (void)state;
    fake.while_waiting = look;
    later_ns = INT64_C(1900) * NS_PER_MS;
    run(1);
    assert_looked(2, (bool[]){false, false});
    later_ns = INT64_C(2000) * NS_PER_MS;
    run(1);
    assert_looked(2, (bool[]){true, true});
    later_ns = 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_away_request_whose_transaction_could_not_begin_is_not_ready, set_up),
        cmocka_unit_test_setup(test_away_request_whose_commit_has_no_answer_may_have_been_executed, set_up),
        cmocka_unit_test_setup(test_away_failure_after_the_begin_is_not_taken_for_an_absence, set_up),
        cmocka_unit_test_setup(test_away_while_a_commit_has_no_answer_the_requests_that_wait_are_refused,
                               set_up),
        cmocka_unit_test_setup(test_away_new_requests_are_refused_while_an_attempt_to_begin_runs, set_up),
        cmocka_unit_test_setup(test_away_new_requests_are_refused_while_the_database_is_silent, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
