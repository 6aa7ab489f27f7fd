#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/unit_testing.h"
#include "db/pg_options.h"

static void expect_next(const char **rest, const char *name, const char *value)
{
    struct pg_option option;
    assert_true(pg_options_next(rest, &option));
    assert_string_equal(option.name, name);
    assert_string_equal(option.value, value);
}

static void expect_end(const char **rest)
{
    struct pg_option option;
    assert_false(pg_options_next(rest, &option));
}

static void test_options_are_read_in_every_form(void **state)
{
    const char *rest = "  -c a=1 -cb=2\t--work-mem=3  -c app.name=x";
    (void)state;
    expect_next(&rest, "a", "1");
    expect_next(&rest, "b", "2");
    expect_next(&rest, "work_mem", "3");
    expect_next(&rest, "app.name", "x");
    expect_end(&rest);
}

static void test_options_keep_what_a_backslash_keeps(void **state)
{
    const char *rest = "-c default_transaction_isolation=read\\ committed -c a=b\\\\c -c d=e=f -c empty=";
    (void)state;
    expect_next(&rest, "default_transaction_isolation", "read committed");
    expect_next(&rest, "a", "b\\c");
    expect_next(&rest, "d", "e=f");
    expect_next(&rest, "empty", "");
    expect_end(&rest);
}

static void test_options_without_a_setting_are_skipped(void **state)
{
    const char *rest = "-d 5 -c nothing -c =1 -B 16 --x -c last=1 -c";
    (void)state;
    expect_next(&rest, "last", "1");
    expect_end(&rest);
    rest = "";
    expect_end(&rest);
}

static void test_options_name_a_setting_in_any_case(void **state)
{
    (void)state;
    assert_true(pg_options_name("-c a=1 --Lock-Timeout=5", "lock_timeout"));
    assert_false(pg_options_name("-c lock_timeouts=5 -c x=lock_timeout", "lock_timeout"));
    assert_false(pg_options_name(NULL, "lock_timeout"));
}

static void test_options_of_the_longest_url_are_read_whole(void **state)
{
    char text[PG_OPTION_SIZE];
    const char *rest = text;
    struct pg_option option;
    (void)state;
    memset(text, 'v', sizeof text);
    memcpy(text, "-c n=", 5);
    text[sizeof text - 1] = '\0';
    assert_true(pg_options_next(&rest, &option));
    assert_int_equal(strlen(option.value), sizeof text - 1 - 5);
    expect_end(&rest);
}

static void test_commit_rank_orders_what_is_promised(void **state)
{
    (void)state;
    assert_true(pg_commit_rank("off") < pg_commit_rank("local"));
    assert_true(pg_commit_rank("local") < pg_commit_rank("remote_write"));
    assert_true(pg_commit_rank("remote_write") < pg_commit_rank("on"));
    assert_true(pg_commit_rank("on") < pg_commit_rank("remote_apply"));
    assert_int_equal(pg_commit_rank("true"), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_options_are_read_in_every_form),
        cmocka_unit_test(test_options_keep_what_a_backslash_keeps),
        cmocka_unit_test(test_options_without_a_setting_are_skipped),
        cmocka_unit_test(test_options_name_a_setting_in_any_case),
        cmocka_unit_test(test_options_of_the_longest_url_are_read_whole),
        cmocka_unit_test(test_commit_rank_orders_what_is_promised),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
