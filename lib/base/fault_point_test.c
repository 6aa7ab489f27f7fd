/* Tests which entries can be armed and at which passes they fire, and that a build without
 * SCREENING_FAULT_POINTS has no fault point. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fault_point.h"
#include "base/unit_testing.h"

#ifdef SCREENING_FAULT_POINTS

static void arm(const char *entries)
{
    struct error error = {0};
    enum status status = fault_points_arm(entries, &error);
    assert_string_equal(error.message, "");
    assert_int_equal(status, STATUS_OK);
}

static void assert_refused(const char *entries, const char *rule)
{
    struct error error = {0};
    assert_int_equal(fault_points_arm(entries, &error), STATUS_INVALID_ARGUMENT);
    if (strstr(error.message, rule) == NULL)
        fail_msg("\"%s\" was refused with: %s", entries, error.message);
    assert_false(fault_points_armed);
}

/* Returns the outcome of the next eight passes of db.commit, one letter each; '.' = no failure. */
static const char *eight_passes(void)
{
    static char seen[9];
    for (int i = 0; i < 8; i++) {
        enum status status = FAULT_STATUS("db.commit", NULL);
        seen[i] = status == STATUS_OK ? '.' : status_name(status)[0];
    }
    return seen;
}

static void test_fault_point_each_form_of_passes_fires_at_those(void **state)
{
    (void)state;
    arm("db.commit:fail");
    assert_string_equal(eight_passes(), "U.......");
    arm("db.commit:fail@3");
    assert_string_equal(eight_passes(), "..U.....");
    arm("db.commit:fail=INTERNAL@6+");
    assert_string_equal(eight_passes(), ".....III");
    arm("db.commit:fail=ABORTED@2-4");
    assert_string_equal(eight_passes(), ".AAA....");
}

static void test_fault_point_several_entries_of_one_point_all_count(void **state)
{
    (void)state;
    arm("db.commit:fail=ABORTED@2;db.begin:fail@1+;db.commit:fail=INTERNAL@5-6;");
    assert_string_equal(eight_passes(), ".A..II..");
}

static void test_fault_point_fails_with_its_own_status_and_names_itself(void **state)
{
    (void)state;
    struct error error = {0};
    arm("db.commit_answer:fail;db.run:fail");
    assert_int_equal(FAULT_STATUS("db.commit_answer", &error), STATUS_UNKNOWN);
    assert_non_null(strstr(error.message, "db.commit_answer"));
    assert_int_equal(FAULT_STATUS("db.run", &error), STATUS_UNAVAILABLE);
    assert_int_equal(error.status, STATUS_UNAVAILABLE);
}

static void test_fault_point_disarmed_neither_fires_nor_counts(void **state)
{
    (void)state;
    arm("db.commit:fail@2");
    arm("");
    assert_false(fault_points_armed);
    assert_string_equal(eight_passes(), "........");
    arm(NULL);
    assert_false(fault_points_armed);
    arm("db.commit:fail@2");
    assert_string_equal(eight_passes(), ".U......");
}

static void test_fault_point_stall_takes_its_time(void **state)
{
    (void)state;
    arm("writer.before_commit:stall=30@2");
    FAULT_POINT("writer.before_commit");
    int64_t begin_ns = clock_monotonic_ns();
    FAULT_POINT("writer.before_commit");
    assert_true(clock_monotonic_ns() - begin_ns >= 30 * (int64_t)NS_PER_MS);
}

static void test_fault_point_wrong_entries_are_refused_by_name(void **state)
{
    (void)state;
    assert_refused("db.comit:fail", "db.comit: there is no such point");
    assert_refused("db.commit", "POINT:ACTION");
    assert_refused("db.begin:fail;db.commit:explode", "db.commit: the action");
    assert_refused("db.commit:fail=MAYBE", "the action");
    assert_refused("db.commit:fail=OK", "the action");
    assert_refused("db.commit:stall", "the action");
    assert_refused("db.commit:stall=", "the action");
    assert_refused("db.commit:stall=0", "the action");
    assert_refused("db.commit:stall=5s", "the action");
    assert_refused("db.commit:stall=99999999999999999999", "the action");
    assert_refused("writer.before_begin:fail", "only crash or stall");
    static const char *const passes[] = {"", "0", "-1", "x", "2x", "2-", "3-2", "2+1", "+"};
    for (size_t i = 0; i < sizeof passes / sizeof passes[0]; i++) {
        char entries[64];
        (void)snprintf(entries, sizeof entries, "db.commit:fail@%s", passes[i]);
        assert_refused(entries, "the passes");
    }
}

/* Runs `body` in a child process. Returns its wait status, and its stderr in `output`. */
static int run_apart(void (*body)(void), char *output, size_t output_size)
{
    int ends[2], status = 0;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)dup2(ends[1], STDERR_FILENO);
        body();
        _exit(0);
    }
    (void)close(ends[1]);
    ssize_t size = read(ends[0], output, output_size - 1);
    output[size > 0 ? size : 0] = '\0';
    (void)close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void crash_at_second_pass(void)
{
    if (fault_points_arm("writer.after_commit:crash@2", NULL) == STATUS_OK)
        for (int i = 0; i < 3; i++)
            FAULT_POINT("writer.after_commit");
}

static void test_fault_point_crash_is_sigkill_after_its_log_line(void **state)
{
    (void)state;
    char output[512];
    int status = run_apart(crash_at_second_pass, output, sizeof output);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    assert_non_null(strstr(output, "\"event\":\"fault.fired\""));
    assert_non_null(strstr(output, "\"point\":\"writer.after_commit\",\"action\":\"crash\",\"pass\":2}\n"));
}

static int disarm(void **state)
{
    (void)state;
    return (int)fault_points_arm(NULL, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_fault_point_each_form_of_passes_fires_at_those, disarm),
        cmocka_unit_test_teardown(test_fault_point_several_entries_of_one_point_all_count, disarm),
        cmocka_unit_test_teardown(test_fault_point_fails_with_its_own_status_and_names_itself, disarm),
        cmocka_unit_test_teardown(test_fault_point_disarmed_neither_fires_nor_counts, disarm),
        cmocka_unit_test_teardown(test_fault_point_stall_takes_its_time, disarm),
        cmocka_unit_test_teardown(test_fault_point_wrong_entries_are_refused_by_name, disarm),
        cmocka_unit_test(test_fault_point_crash_is_sigkill_after_its_log_line),
    };
    return cmocka_run_group_tests_name("fault_point", tests, NULL, NULL);
}

#else

#define TEXT_OF(code)  #code
#define EXPANDED(code) TEXT_OF(code)

static void test_fault_point_without_the_option_macros_carry_no_name(void **state)
{
    (void)state;
    struct error error = {.status = STATUS_INTERNAL};
    assert_string_equal(EXPANDED(FAULT_POINT("writer.before_commit")), "((void)0)");
    assert_string_equal(EXPANDED(FAULT_STATUS("db.commit", &error)), "((void)(&error), STATUS_OK)");
    FAULT_POINT("writer.before_commit");
    assert_int_equal(FAULT_STATUS("db.commit", &error), STATUS_OK);
    assert_int_equal(error.status, STATUS_INTERNAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fault_point_without_the_option_macros_carry_no_name),
    };
    return cmocka_run_group_tests_name("fault_point", tests, NULL, NULL);
}

#endif
