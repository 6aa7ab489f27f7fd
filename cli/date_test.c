#include "date.h"

#include <stddef.h>

#include "base/civil.h"
#include "base/unit_testing.h"

enum { TODAY = 20000 };

static void test_date_read_civil_date_is_that_day(void **state)
{
    (void)state;
    int32_t day, expected;
    assert_true(date_read("2026-12-01", TODAY, &day));
    assert_true(civil_parse("2026-12-01", &expected));
    assert_int_equal(day, expected);
}

static void test_date_read_plus_counts_from_today(void **state)
{
    (void)state;
    int32_t day;
    assert_true(date_read("+0", TODAY, &day));
    assert_int_equal(day, TODAY);
    assert_true(date_read("+7", TODAY, &day));
    assert_int_equal(day, TODAY + 7);
    assert_true(date_read("+36500", TODAY, &day));
    assert_int_equal(day, TODAY + 36500);
}

static void test_date_read_anything_else_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",        "+", "+-1",        "+1x",      "+36501",
                                        "+000001", "7", "2026-02-30", "2026-1-1", "tomorrow"};
    int32_t day;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_false(date_read(wrong[i], TODAY, &day));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_date_read_civil_date_is_that_day),
        cmocka_unit_test(test_date_read_plus_counts_from_today),
        cmocka_unit_test(test_date_read_anything_else_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
