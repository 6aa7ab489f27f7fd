/*
 * The failure rules against a database that this file plays: what begin, apply and commit answer is scripted,
 * and the steps are written down in order. The fake applies like real commands do: what is in the database
 * already is left.
 */
#include <string.h>

#include "base/clock.h"
#include "base/unit_test.h"
#include "writer/group_commit.h"
#include "writer/writer_metrics.h"

enum { COMMANDS_MAX = 512, ANSWERS_MAX = 16, TRACE_SIZE = 4096 };

struct test_command {
    struct writer_command head;
    bool poison;
    bool refused;    /* apply refuses it for a reason of the rules */
    bool staged;     /* applied in the open transaction */
    int in_database; /* how often it was applied and committed */
    int finished;
};

struct answers {
    enum status list[ANSWERS_MAX];
    size_t used;
};

static struct {
    struct answers begin, apply, commit; /* OK when used up */
    enum status commit_always;           /* for every commit, if not OK */
    bool lost_commit_lands;              /* whether a COMMIT answered UNKNOWN was executed */
    char trace[TRACE_SIZE];              /* B begin, A apply, C commit, R rollback, f finish, P committed */
    size_t steps;
    struct test_command commands[COMMANDS_MAX];
    struct writer_command *batch[COMMANDS_MAX];
    size_t count;
    bool moved; /* the database file is not in its place */
    struct group_commit commit_under_test;
} fake;

static void note(char step)
{
    if (fake.steps < TRACE_SIZE - 1)
        fake.trace[fake.steps++] = step;
}

static enum status answer(struct answers *answers, struct error *error)
{
    enum status status = answers->used < ANSWERS_MAX ? answers->list[answers->used++] : STATUS_OK;

    return status == STATUS_OK ? STATUS_OK : error_set(error, status, NULL, "scripted");
}

/* ---- the database ---- */

enum status db_begin(struct db *db, struct error *error)
{
    (void)db;
    note('B');
    return answer(&fake.begin, error);
}

static void end_transaction(bool committed)
{
    for (size_t i = 0; i < fake.count; i++) {
        fake.commands[i].in_database += committed && fake.commands[i].staged ? 1 : 0;
        fake.commands[i].staged = false;
    }
}

enum status db_commit(struct db *db, struct error *error)
{
    enum status status = answer(&fake.commit, error);

    (void)db;
    note('C');
    if (fake.commit_always != STATUS_OK)
        status = error_set(error, fake.commit_always, NULL, "scripted");
    end_transaction(status == STATUS_OK || (status == STATUS_UNKNOWN && fake.lost_commit_lands));
    return status;
}

void db_rollback(struct db *db)
{
    (void)db;
    note('R');
    end_transaction(false);
}

bool db_in_place(struct db *db)
{
    (void)db;
    return !fake.moved;
}

/* ---- the service ---- */

static enum status apply(void *context, struct db *db, struct writer_command *const *commands, size_t count,
                         struct error *error)
{
    enum status status = answer(&fake.apply, error);

    (void)context;
    (void)db;
    note('A');
    for (size_t i = 0; status == STATUS_OK && i < count; i++) {
        struct test_command *command = (struct test_command *)commands[i];

        assert_int_equal(command->head.outcome.status, STATUS_OK);
        if (command->poison)
            return error_set(error, STATUS_INTERNAL, NULL, "poison");
        if (command->refused)
            error_set(&command->head.outcome, STATUS_FAILED_PRECONDITION, "SOLD_OUT", "no place left");
        else
            command->staged = command->in_database == 0;
    }
    return status;
}

static void committed(void *context)
{
    (void)context;
    note('P');
}

static void finish(void *owner, struct writer_command *command)
{
    (void)owner;
    note('f');
    ((struct test_command *)command)->finished++;
}

/* ---- helpers ---- */

static int set_up(void **state)
{
    (void)state;
    memset(&fake, 0, sizeof fake);
    fake.commit_under_test = (struct group_commit){
        .ops = {.apply = apply, .committed = committed}, .commit_retry_ms = 2000, .finish = finish};
    atomic_init(&fake.commit_under_test.trouble, NULL);
    return 0;
}

static void run(size_t count)
{
    fake.count = count;
    fake.steps = 0;
    memset(fake.trace, 0, sizeof fake.trace);
    for (size_t i = 0; i < count; i++)
        fake.batch[i] = &fake.commands[i].head;
    size_t live = group_commit_drop_expired(&fake.commit_under_test, fake.batch, count);
    if (live > 0)
        group_commit_run(&fake.commit_under_test, fake.batch, live);
}

static void assert_ended(size_t i, enum status status, int in_database)
{
    assert_int_equal(fake.commands[i].finished, 1);
    assert_int_equal(fake.commands[i].head.outcome.status, status);
    assert_int_equal(fake.commands[i].in_database, in_database);
}

static void assert_all_ended(size_t from, size_t to, enum status status, int in_database)
{
    for (size_t i = from; i < to; i++)
        assert_ended(i, status, in_database);
}

static size_t steps_of(char step)
{
    size_t count = 0;

    for (const char *at = fake.trace; *at != '\0'; at++)
        count += *at == step ? 1 : 0;
    return count;
}

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
    fake.commands[1].head.deadline_ns = clock_monotonic_ns() + (int64_t)60 * MS_PER_S * NS_PER_MS;
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

static void test_group_commit_lock_timeout_answers_unavailable_with_database_up(void **state)
{
    int64_t rollbacks = metric_get(&writer_metrics.rollbacks);

    (void)state;
    fake.apply.list[0] = STATUS_DEADLINE_EXCEEDED;
    run(2);
    assert_string_equal(fake.trace, "BARff");
    assert_all_ended(0, 2, STATUS_UNAVAILABLE, 0);
    assert_null(group_commit_database_trouble(&fake.commit_under_test));
    assert_int_equal(metric_get(&writer_metrics.rollbacks), rollbacks + 1);
}

static void test_group_commit_failed_commit_answers_unavailable(void **state)
{
    (void)state;
    fake.commit.list[0] = STATUS_UNAVAILABLE;
    run(2);
    assert_string_equal(fake.trace, "BACRff");
    assert_all_ended(0, 2, STATUS_UNAVAILABLE, 0);
}

static void test_group_commit_aborted_is_applied_again(void **state)
{
    (void)state;
    fake.apply.list[0] = STATUS_ABORTED;
    fake.commit.list[0] = STATUS_ABORTED;
    fake.commands[0].refused = true; /* its outcome must be gone when it is applied again */
    run(2);
    assert_string_equal(fake.trace, "BARBACRBACffP");
    assert_ended(0, STATUS_FAILED_PRECONDITION, 0);
    assert_ended(1, STATUS_OK, 1);
}

static void test_group_commit_aborted_for_ever_answers_unavailable(void **state)
{
    (void)state;
    fake.commit_always = STATUS_ABORTED;
    run(2);
    assert_string_equal(fake.trace, "BACRBACRBACRBACRBACRBACRff");
    assert_all_ended(0, 2, STATUS_UNAVAILABLE, 0);
}

/* ---- a COMMIT whose answer was lost ---- */

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
    assert_string_equal(fake.trace, "BACRBRBRBACffP");
    assert_all_ended(0, 2, STATUS_OK, 1);
    assert_null(group_commit_database_trouble(&fake.commit_under_test));
}

static void test_group_commit_answer_lost_for_ever_gives_up_in_time(void **state)
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
        cmocka_unit_test_setup(test_group_commit_lock_timeout_answers_unavailable_with_database_up, set_up),
        cmocka_unit_test_setup(test_group_commit_failed_commit_answers_unavailable, set_up),
        cmocka_unit_test_setup(test_group_commit_aborted_is_applied_again, set_up),
        cmocka_unit_test_setup(test_group_commit_aborted_for_ever_answers_unavailable, set_up),
        cmocka_unit_test_setup(test_group_commit_lost_answer_of_executed_commit_applies_once, set_up),
        cmocka_unit_test_setup(test_group_commit_lost_answer_of_unexecuted_commit_applies_once, set_up),
        cmocka_unit_test_setup(test_group_commit_lost_answer_waits_for_the_database, set_up),
        cmocka_unit_test_setup(test_group_commit_answer_lost_for_ever_gives_up_in_time, set_up),
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
