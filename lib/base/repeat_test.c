#include <stddef.h>

#include "base/repeat.h"
#include "base/unit_testing.h"

static const int64_t SECOND = INT64_C(1000000000);

static void test_repeat_is_due_at_first_and_once_a_minute(void **state)
{
    struct repeat repeat = {0};
    int64_t begun = -5 * SECOND; /* the monotonic clock may start anywhere */
    (void)state;
    assert_true(repeat_is_due(&repeat, begun));
    assert_false(repeat_is_due(&repeat, begun));
    assert_false(repeat_is_due(&repeat, begun + 59 * SECOND));
    assert_true(repeat_is_due(&repeat, begun + 60 * SECOND));
    assert_false(repeat_is_due(&repeat, begun + 119 * SECOND));
    assert_true(repeat_is_due(&repeat, begun + 3600 * SECOND));
    assert_false(repeat_is_due(&repeat, begun + 3601 * SECOND));
}

static void test_repeat_that_ended_is_due_at_once(void **state)
{
    struct repeat repeat = {0};
    (void)state;
    assert_false(repeat_end(&repeat));
    assert_true(repeat_is_due(&repeat, SECOND));
    assert_true(repeat_end(&repeat));
    assert_false(repeat_end(&repeat));
    assert_true(repeat_is_due(&repeat, SECOND));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_repeat_is_due_at_first_and_once_a_minute),
        cmocka_unit_test(test_repeat_that_ended_is_due_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
