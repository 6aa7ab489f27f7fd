/* Tests the failure rules with the fake database of group_commit_testing.c. */
#include <string.h>

#include "base/clock.h"
#include "writer/group_commit_testing.h"
#include "writer/writer_metrics.h"

/* ---- success ---- */

static void test_group_commit_good_batch_completes_after_the_commit(void **state)
{
    int64_t commits = metric_get(&writer_metrics.commits);
    int64_t batched = metric_get(&writer_metrics.batch_commands);
    (void)state;
    run(3);
    assert_string_equal(fake.trace, "BACfffP");
    assert_all_ended(0, 3, STATUS_OK, 1);
    assert_int_equal(metric_get(&writer_metrics.commits), commits + 1);
    assert_int_equal(metric_get(&writer_metrics.batch_commands), batched + 3);
    assert_true(metric_get(&writer_metrics.batch_commands_max) >= 3);
}

static void test_group_commit_refused_command_does_not_fail_the_batch(void **state)
{
    (void)state;
    fake.commands[1].refused = true;
    run(3);
    assert_string_equal(fake.trace, "BACfffP");
    assert_ended(0, STATUS_OK, 1);
    assert_ended(1, STATUS_FAILED_PRECONDITION, 0);
    assert_string_equal(fake.commands[1].head.outcome.reason, "SOLD_OUT");
    assert_ended(2, STATUS_OK, 1);
}

static void test_group_commit_without_committed_hook_completes(void **state)
{
    (void)state;
    fake.commit_under_test.ops.committed = NULL;
    run(1);
    assert_string_equal(fake.trace, "BACf");
}

/* ---- deadlines ---- */

static void test_group_commit_expired_command_is_not_applied(void **state)
{
    int64_t expired = metric_get(&writer_metrics.expired);
    (void)state;
    fake.commands[0].head.deadline_ns = clock_monotonic_ns() - 1;
    fake.commands[1].head.deadline_ns = clock_monotonic_ns() + (int64_t)60 * NS_PER_S;
    fake.commands[2].head.class = WRITER_SETTLE;
    fake.commands[2].head.deadline_ns = 1;
    run(4);
    assert_string_equal(fake.trace, "ffBACffP");
    assert_ended(0, STATUS_DEADLINE_EXCEEDED, 0);
    assert_string_equal(fake.commands[0].head.outcome.message, "deadline spent before the first write");
    assert_ended(1, STATUS_OK, 1);
    assert_ended(2, STATUS_DEADLINE_EXCEEDED, 0);
    assert_ended(3, STATUS_OK, 1);
    assert_int_equal(metric_get(&writer_metrics.expired), expired + 2);
}

static void test_group_commit_only_expired_commands_begins_nothing(void **state)
{
    (void)state;
    fake.commands[0].head.deadline_ns = 1;
    run(1);
    assert_string_equal(fake.trace, "f");
}

/* ---- transient failures ---- */

static void test_group_commit_database_away_answers_unavailable(void **state)
{
    (void)state;
    fake.begin.list[0] = STATUS_UNAVAILABLE;
    run(2);
    assert_string_equal(fake.trace, "BRff");
    assert_all_ended(0, 2, STATUS_UNAVAILABLE, 0);
    assert_true(fake.commands[0].head.outcome.retry_after_ms > 0);
    assert_non_null(group_commit_database_trouble(&fake.commit_under_test));
}

static void test_group_commit_database_back_is_up_again(void **state)
{
    (void)state;
    fake.begin.list[0] = STATUS_UNAVAILABLE;
    run(1);
    run(1);
    assert_string_equal(fake.trace, "BACfP");
    assert_null(group_commit_database_trouble(&fake.commit_under_test));
}

static void test_group_commit_lock_timeout_answers_unavailable_and_is_reported(void **state)
{
    int64_t rollbacks = metric_get(&writer_metrics.rollbacks);
    (void)state;
    fake.apply.list[0] = STATUS_DEADLINE_EXCEEDED;
    run(2);
    assert_string_equal(fake.trace, "BARff");
    assert_all_ended(0, 2, STATUS_UNAVAILABLE, 0);
    assert_non_null(group_commit_database_trouble(&fake.commit_under_test));
    assert_int_equal(metric_get(&writer_metrics.rollbacks), rollbacks + 1);
    run(1);
    assert_null(group_commit_database_trouble(&fake.commit_under_test));
}

static void test_group_commit_failed_commit_answers_unavailable(void **state)
{
    (void)state;
    fake.commit.list[0] = STATUS_UNAVAILABLE;
    run(2);
    assert_string_equal(fake.trace, "BACRff");
    assert_all_ended(0, 2, STATUS_UNAVAILABLE, 0);
}

/* The session was ended while this process was suspended. */
static void test_group_commit_batch_whose_session_was_lost_is_applied_again_once(void **state)
{
    (void)state;
    fake.apply.list[0] = STATUS_UNAVAILABLE;
    run(2);
    assert_string_equal(fake.trace, "BARBACffP");
    assert_all_ended(0, 2, STATUS_OK, 1);
    assert_null(group_commit_database_trouble(&fake.commit_under_test));
}

static void test_group_commit_aborted_is_applied_again(void **state)
{
    (void)state;
    fake.apply.list[0] = STATUS_ABORTED;
    fake.commit.list[0] = STATUS_ABORTED;
    fake.commands[0].refused = true; /* the next apply must not see this outcome */
    run(2);
    assert_string_equal(fake.trace, "BARBACRBACffP");
    assert_ended(0, STATUS_FAILED_PRECONDITION, 0);
    assert_ended(1, STATUS_OK, 1);
}

static void test_group_commit_aborted_every_time_answers_unavailable(void **state)
{
    (void)state;
    fake.commit_always = STATUS_ABORTED;
    run(2);
    assert_string_equal(fake.trace, "BACRBACRBACRBACRBACRBACRff");
    assert_all_ended(0, 2, STATUS_UNAVAILABLE, 0);
}

/* ---- a COMMIT whose result was lost ---- */

static void test_group_commit_lost_answer_of_executed_commit_applies_once(void **state)
{
    (void)state;
    fake.commit.list[0] = STATUS_UNKNOWN;
    fake.lost_commit_lands = true;
    run(2);
    assert_string_equal(fake.trace, "BACRBACffP");
    assert_all_ended(0, 2, STATUS_OK, 1);
}

static void test_group_commit_lost_answer_of_unexecuted_commit_applies_once(void **state)
{
    (void)state;
    fake.commit.list[0] = STATUS_UNKNOWN;
    run(2);
    assert_string_equal(fake.trace, "BACRBACffP");
    assert_all_ended(0, 2, STATUS_OK, 1);
}

static void test_group_commit_lost_answer_waits_for_the_database(void **state)
{
    (void)state;
    fake.commit.list[0] = STATUS_UNKNOWN;
    fake.lost_commit_lands = true;
    fake.begin.list[1] = STATUS_UNAVAILABLE;
    fake.begin.list[2] = STATUS_UNAVAILABLE;
    run(2);
    assert_string_equal(fake.trace, "BACRBRrBRrBACffP");
    assert_all_ended(0, 2, STATUS_OK, 1);
    assert_null(group_commit_database_trouble(&fake.commit_under_test));
}

static void test_group_commit_answer_lost_every_time_gives_up_in_time(void **state)
{
    int64_t began_ns = clock_monotonic_ns();
    int64_t unknown = metric_get(&writer_metrics.commits_unknown);
    (void)state;
    fake.commit_under_test.commit_retry_ms = 60;
    fake.commit_always = STATUS_UNKNOWN;
    run(2);
    assert_true(clock_monotonic_ns() - began_ns >= (int64_t)60 * NS_PER_MS);
    assert_true(steps_of('C') >= 3);
    assert_int_equal(steps_of('P'), 0);
    assert_all_ended(0, 2, STATUS_UNAVAILABLE, 0);
    assert_non_null(group_commit_database_trouble(&fake.commit_under_test));
    assert_int_equal(metric_get(&writer_metrics.commits_unknown), unknown + (int64_t)steps_of('C'));
}

/* ---- poison ---- */

static void test_group_commit_poison_in_full_batch_fails_alone(void **state)
{
    int64_t poisoned = metric_get(&writer_metrics.poisoned);
    (void)state;
    fake.commands[200].poison = true;
    run(COMMANDS_MAX);
    assert_all_ended(0, 200, STATUS_OK, 1);
    assert_ended(200, STATUS_INTERNAL, 0);
    assert_all_ended(201, COMMANDS_MAX, STATUS_OK, 1);
    assert_int_equal(steps_of('B'), 1 + COMMANDS_MAX);
    assert_int_equal(metric_get(&writer_metrics.poisoned), poisoned + 1);
}

static void test_group_commit_poisoned_batch_publishes_after_each_transaction(void **state)
{
    (void)state;
    fake.commands[1].poison = true;
    run(3);
    assert_string_equal(fake.trace, "BARBACfPBARfBACfP");
}

static void test_group_commit_poison_alone_is_not_run_twice(void **state)
{
    (void)state;
    fake.commands[0].poison = true;
    run(1);
    assert_string_equal(fake.trace, "BARf");
    assert_ended(0, STATUS_INTERNAL, 0);
    assert_string_equal(fake.commands[0].head.outcome.message, "a fault of the service, which has logged it");
}

static void test_group_commit_poison_event_keeps_the_cause(void **state)
{
    (void)state;
    fake.commands[0].poison = true;
    fake.commands[0].head.class = WRITER_EVENT;
    run(1);
    assert_ended(0, STATUS_INTERNAL, 0);
    assert_string_equal(fake.commands[0].head.outcome.message, "poison");
}

static void test_group_commit_batch_that_fails_only_together_all_succeed(void **state)
{
    (void)state;
    fake.commit.list[0] = STATUS_ALREADY_EXISTS;
    run(2);
    assert_string_equal(fake.trace, "BACRBACfPBACfP");
    assert_all_ended(0, 2, STATUS_OK, 1);
}

static void test_group_commit_alone_has_the_same_retries(void **state)
{
    (void)state;
    fake.commands[2].poison = true;
    fake.commit.list[0] = STATUS_ABORTED;
    fake.commit.list[2] = STATUS_UNKNOWN;
    fake.lost_commit_lands = true;
    run(3);
    assert_string_equal(fake.trace, "BARBACRBACfPBACRBACfPBARf");
    assert_all_ended(0, 2, STATUS_OK, 1);
    assert_ended(2, STATUS_INTERNAL, 0);
}

static void test_group_commit_database_lost_while_alone_answers_the_rest_unavailable(void **state)
{
    (void)state;
    fake.commands[0].poison = true;
    fake.begin.list[3] = STATUS_UNAVAILABLE;
    run(4);
    assert_string_equal(fake.trace, "BARBARfBACfPBRff");
    assert_ended(0, STATUS_INTERNAL, 0);
    assert_ended(1, STATUS_OK, 1);
    assert_all_ended(2, 4, STATUS_UNAVAILABLE, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_group_commit_good_batch_completes_after_the_commit, set_up),
        cmocka_unit_test_setup(test_group_commit_refused_command_does_not_fail_the_batch, set_up),
        cmocka_unit_test_setup(test_group_commit_without_committed_hook_completes, set_up),
        cmocka_unit_test_setup(test_group_commit_expired_command_is_not_applied, set_up),
        cmocka_unit_test_setup(test_group_commit_only_expired_commands_begins_nothing, set_up),
        cmocka_unit_test_setup(test_group_commit_database_away_answers_unavailable, set_up),
        cmocka_unit_test_setup(test_group_commit_database_back_is_up_again, set_up),
        cmocka_unit_test_setup(test_group_commit_lock_timeout_answers_unavailable_and_is_reported, set_up),
        cmocka_unit_test_setup(test_group_commit_failed_commit_answers_unavailable, set_up),
        cmocka_unit_test_setup(test_group_commit_batch_whose_session_was_lost_is_applied_again_once, set_up),
        cmocka_unit_test_setup(test_group_commit_aborted_is_applied_again, set_up),
        cmocka_unit_test_setup(test_group_commit_aborted_every_time_answers_unavailable, set_up),
        cmocka_unit_test_setup(test_group_commit_lost_answer_of_executed_commit_applies_once, set_up),
        cmocka_unit_test_setup(test_group_commit_lost_answer_of_unexecuted_commit_applies_once, set_up),
        cmocka_unit_test_setup(test_group_commit_lost_answer_waits_for_the_database, set_up),
        cmocka_unit_test_setup(test_group_commit_answer_lost_every_time_gives_up_in_time, set_up),
        cmocka_unit_test_setup(test_group_commit_poison_in_full_batch_fails_alone, set_up),
        cmocka_unit_test_setup(test_group_commit_poisoned_batch_publishes_after_each_transaction, set_up),
        cmocka_unit_test_setup(test_group_commit_poison_alone_is_not_run_twice, set_up),
        cmocka_unit_test_setup(test_group_commit_poison_event_keeps_the_cause, set_up),
        cmocka_unit_test_setup(test_group_commit_batch_that_fails_only_together_all_succeed, set_up),
        cmocka_unit_test_setup(test_group_commit_alone_has_the_same_retries, set_up),
        cmocka_unit_test_setup(test_group_commit_database_lost_while_alone_answers_the_rest_unavailable,
                               set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
