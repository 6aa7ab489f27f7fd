#include <stdlib.h>

#include "auth/attempts.h"
#include "base/clock.h"
#include "base/unit_testing.h"

static const int64_t START_NS = INT64_C(5000000000);

static int setup(void **state)
{
    struct auth_attempts *attempts;
    assert_int_equal(auth_attempts_open(&attempts, NULL), STATUS_OK);
    *state = attempts;
    return 0;
}

static int teardown(void **state)
{
    auth_attempts_close(*state);
    return 0;
}

/* Fails until the source may fail no more, but at most `most` times. Returns the number. */
static int exhaust_at(struct auth_attempts *attempts, uint32_t entrance, uint64_t number, int64_t now_ns,
                      int most)
{
    const struct auth_source source = {number, entrance};
    uint32_t retry_after_ms;
    int failed = 0;
    for (; failed < most && auth_attempts_allow(attempts, source, now_ns, &retry_after_ms); failed++)
        auth_attempts_fail(attempts, source, now_ns);
    return failed;
}

static int exhaust(struct auth_attempts *attempts, uint64_t number, int64_t now_ns, int most)
{
    return exhaust_at(attempts, 1, number, now_ns, most);
}

static bool is_allowed(struct auth_attempts *attempts, uint64_t number, uint32_t *retry_after_ms)
{
    return auth_attempts_allow(attempts, (struct auth_source){number, 1}, START_NS, retry_after_ms);
}

static void test_a_source_may_fail_a_burst_and_then_at_a_rate(void **state)
{
    uint32_t retry_after_ms = 0;
    assert_int_equal(exhaust(*state, 7, START_NS, 1000), AUTH_ATTEMPTS_BURST);
    assert_false(is_allowed(*state, 7, &retry_after_ms));
    assert_int_equal(retry_after_ms, 500);
    assert_int_equal(exhaust(*state, 7, START_NS + 2 * (int64_t)NS_PER_S, 1000), 2 * AUTH_ATTEMPTS_PER_S);
}

static void test_asking_takes_nothing(void **state)
{
    uint32_t retry_after_ms;
    for (int i = 0; i < 2 * AUTH_ATTEMPTS_ALL_BURST; i++)
        assert_true(is_allowed(*state, 7, &retry_after_ms));
}

static void test_sources_are_counted_apart(void **state)
{
    assert_int_equal(exhaust(*state, 7, START_NS, 1000), AUTH_ATTEMPTS_BURST);
    assert_int_equal(exhaust(*state, (uint64_t)7 << 32, START_NS, 1000), AUTH_ATTEMPTS_BURST);
}

static void test_all_sources_of_an_entrance_have_a_bound(void **state)
{
    int failed = 0;
    for (uint64_t source = 1; source <= 1000; source++)
        failed += exhaust(*state, source, START_NS, 10);
    assert_int_equal(failed, AUTH_ATTEMPTS_ALL_BURST);
    assert_int_equal(exhaust(*state, 5000, START_NS + NS_PER_S, 10), 10);
}

/* Who floods one entrance must not refuse the tokens that come by another one. */
static void test_each_entrance_has_its_own_bound(void **state)
{
    int failed = 0;
    for (uint64_t number = 1; number <= 1000; number++)
        failed += exhaust_at(*state, 1, number, START_NS, 10);
    assert_int_equal(failed, AUTH_ATTEMPTS_ALL_BURST);
    assert_int_equal(exhaust_at(*state, 1, 5000, START_NS, 10), 0);
    assert_int_equal(exhaust_at(*state, 2, 5000, START_NS, 10), 10);
    assert_int_equal(exhaust_at(*state, 2, 1, START_NS, 1000), AUTH_ATTEMPTS_BURST); /* another sender 1 */
}

static void test_source_0_has_no_limit(void **state)
{
    assert_int_equal(exhaust(*state, 0, START_NS, 5000), 5000);
    assert_int_equal(exhaust(*state, 7, START_NS, 1), 1);
}

#define ATTEMPTS_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ATTEMPTS_TEST(test_a_source_may_fail_a_burst_and_then_at_a_rate),
        ATTEMPTS_TEST(test_asking_takes_nothing),
        ATTEMPTS_TEST(test_sources_are_counted_apart),
        ATTEMPTS_TEST(test_all_sources_of_an_entrance_have_a_bound),
        ATTEMPTS_TEST(test_each_entrance_has_its_own_bound),
        ATTEMPTS_TEST(test_source_0_has_no_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
