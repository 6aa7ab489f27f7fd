/* Tests when an unusable database is reported, with the fake database of group_commit_testing.c. */
#include <string.h>

#include "base/clock.h"
#include "writer/group_commit_testing.h"

/* ---- damage and probes ---- */

static void test_group_commit_damage_fails_only_what_meets_it(void **state)
{
    (void)state;
    fake.commands[1].damage = true;
    fake.commands[1].head.class = WRITER_EVENT;
    run(3);
    assert_string_equal(fake.trace, "BARBACfPBARfBACfP");
    assert_ended(0, STATUS_OK, 1);
    assert_ended(1, STATUS_UNAVAILABLE, 0); /* INTERNAL would make the event a dead letter */
    assert_string_equal(fake.commands[1].head.outcome.reason, DB_DAMAGED);
    assert_ended(2, STATUS_OK, 1);
    assert_null(group_commit_database_trouble(&fake.commit_under_test));
}

static void test_group_commit_damage_alone_is_reported_as_the_trouble(void **state)
{
    (void)state;
    fake.commands[0].damage = true;
    run(1);
    assert_string_equal(fake.trace, "BARf");
    assert_non_null(strstr(group_commit_database_trouble(&fake.commit_under_test), "restore a backup"));
    assert_non_null(strstr(fake.commands[0].head.outcome.message, "restore a backup"));
}

static void test_group_commit_probe_writes_only_after_a_failure(void **state)
{
    (void)state;
    group_commit_probe(&fake.commit_under_test);
    assert_string_equal(fake.trace, "L");
    fake.apply.list[0] = fake.apply.list[1] = STATUS_UNAVAILABLE; /* a full disk: begin and commit succeed */
    run(1);
    fake.begin.list[3] = STATUS_UNAVAILABLE;
    group_commit_probe(&fake.commit_under_test);
    assert_non_null(group_commit_database_trouble(&fake.commit_under_test));
    group_commit_probe(&fake.commit_under_test);
    assert_null(group_commit_database_trouble(&fake.commit_under_test));
    group_commit_probe(&fake.commit_under_test);
    assert_string_equal(fake.trace, "BARBARfWWL");
}

static void test_group_commit_file_not_in_its_place_is_reported_at_once(void **state)
{
    (void)state;
    fake.moved = true;
    assert_non_null(strstr(group_commit_database_trouble(&fake.commit_under_test), "removed or replaced"));
    fake.moved = false;
    assert_null(group_commit_database_trouble(&fake.commit_under_test));
}

/* ---- silence ---- */

/* Whether the database counted as silent at the beginning of each step. */
static bool silent_before[ANSWERS_MAX];
static size_t steps;

/* Makes the step that runs now one that has lasted for 2 s. */
static void last_long(void)
{
    struct group_commit *commit = &fake.commit_under_test;
    silent_before[steps++] = group_commit_database_trouble(commit) != NULL;
    atomic_fetch_sub(&commit->heard_ns, 2 * (int64_t)NS_PER_S);
    assert_string_equal(group_commit_database_trouble(commit), "the database has not answered for 2 s");
}

static void assert_steps(size_t count, const bool *expected)
{
    assert_int_equal(steps, count);
    assert_memory_equal(silent_before, expected, count * sizeof *expected);
    assert_null(group_commit_database_trouble(&fake.commit_under_test));
    steps = 0;
}

static void test_group_commit_without_an_answer_for_2_s_is_reported_until_there_is_one(void **state)
{
    (void)state;
    fake.while_waiting = last_long;
    run(2);
    assert_steps(2, (bool[]){false, false}); /* apply, commit */
    fake.commit.list[1] = STATUS_UNKNOWN;
    run(2);
    assert_steps(4, (bool[]){false, false, true, false}); /* the loss of the answer is no answer */
    group_commit_probe(&fake.commit_under_test);
    assert_steps(1, (bool[]){false});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_group_commit_damage_fails_only_what_meets_it, set_up),
        cmocka_unit_test_setup(test_group_commit_damage_alone_is_reported_as_the_trouble, set_up),
        cmocka_unit_test_setup(test_group_commit_probe_writes_only_after_a_failure, set_up),
        cmocka_unit_test_setup(test_group_commit_file_not_in_its_place_is_reported_at_once, set_up),
        cmocka_unit_test_setup(test_group_commit_without_an_answer_for_2_s_is_reported_until_there_is_one,
                               set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
