#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "auth/buckets.h"
#include "base/clock.h"
#include "base/unit_testing.h"

static const int64_t START_NS = INT64_C(5000000000);
static const struct auth_rate RATES[AUTH_CALL_KINDS] = {[AUTH_CHANGE] = {10, 50}, [AUTH_READ] = {100, 500}};

static const uint8_t CLINIC[DIGEST_SIZE] = {1}, OTHER_ISSUER[DIGEST_SIZE] = {2};

static int setup(void **state)
{
    struct auth_buckets *buckets;
    assert_int_equal(auth_buckets_open(RATES, &buckets, NULL), STATUS_OK);
    *state = buckets;
    return 0;
}

static int teardown(void **state)
{
    auth_buckets_close(*state);
    return 0;
}

/* Takes calls until the bucket is empty. Returns their number, and the time until the next one. */
static int drain(struct auth_buckets *buckets, const char *subject, enum auth_call_kind kind, int64_t now_ns,
                 uint32_t *retry_after_ms)
{
    int taken = 0;
    while (auth_buckets_take(buckets, CLINIC, subject, kind, now_ns, retry_after_ms))
        taken++;
    return taken;
}

static void test_a_subject_has_a_burst_and_then_a_rate(void **state)
{
    struct auth_buckets *buckets = *state;
    uint32_t retry_after_ms = 0;
    assert_int_equal(drain(buckets, "kim", AUTH_CHANGE, START_NS, &retry_after_ms), 50);
    assert_int_equal(retry_after_ms, 100);
    assert_int_equal(drain(buckets, "kim", AUTH_CHANGE, START_NS + 99 * NS_PER_MS, &retry_after_ms), 0);
    assert_int_equal(retry_after_ms, 1);
    assert_int_equal(drain(buckets, "kim", AUTH_CHANGE, START_NS + 100 * NS_PER_MS, &retry_after_ms), 1);
    assert_int_equal(drain(buckets, "kim", AUTH_CHANGE, START_NS + NS_PER_S, &retry_after_ms), 9);
    assert_int_equal(drain(buckets, "kim", AUTH_CHANGE, START_NS + 1000 * (int64_t)NS_PER_S, &retry_after_ms),
                     50);
}

static void test_the_time_to_wait_is_rounded_up(void **state)
{
    struct auth_buckets *buckets = *state;
    uint32_t retry_after_ms = 0;
    (void)drain(buckets, "kim", AUTH_CHANGE, START_NS, &retry_after_ms);
    assert_int_equal(drain(buckets, "kim", AUTH_CHANGE, START_NS + 100 * NS_PER_MS - 1, &retry_after_ms), 0);
    assert_int_equal(retry_after_ms, 1);
    assert_int_equal(drain(buckets, "kim", AUTH_CHANGE, START_NS + 1, &retry_after_ms), 0);
    assert_int_equal(retry_after_ms, 100);
}

static void test_changes_and_reads_are_counted_apart(void **state)
{
    struct auth_buckets *buckets = *state;
    uint32_t retry_after_ms = 0;
    assert_int_equal(drain(buckets, "kim", AUTH_CHANGE, START_NS, &retry_after_ms), 50);
    assert_int_equal(drain(buckets, "kim", AUTH_READ, START_NS, &retry_after_ms), 500);
    assert_int_equal(retry_after_ms, 10);
}

static void test_subjects_are_counted_apart(void **state)
{
    struct auth_buckets *buckets = *state;
    uint32_t retry_after_ms = 0;
    assert_int_equal(drain(buckets, "kim", AUTH_CHANGE, START_NS, &retry_after_ms), 50);
    assert_int_equal(drain(buckets, "Kim", AUTH_CHANGE, START_NS, &retry_after_ms), 50);
    assert_int_equal(drain(buckets, "", AUTH_CHANGE, START_NS, &retry_after_ms), 50);
    static const char LONGEST[] = "0123456789012345678901234567890123456789012345678901234567890123";
    static const char OTHER[] = "0123456789012345678901234567890123456789012345678901234567890124";
    assert_int_equal(drain(buckets, LONGEST, AUTH_CHANGE, START_NS, &retry_after_ms), 50);
    assert_int_equal(drain(buckets, OTHER, AUTH_CHANGE, START_NS, &retry_after_ms), 50);
}

static void test_the_same_subject_of_two_issuers_is_counted_apart(void **state)
{
    struct auth_buckets *buckets = *state;
    uint32_t retry_after_ms = 0;
    assert_int_equal(drain(buckets, "kim", AUTH_CHANGE, START_NS, &retry_after_ms), 50);
    assert_true(auth_buckets_take(buckets, OTHER_ISSUER, "kim", AUTH_CHANGE, START_NS, &retry_after_ms));
    assert_false(auth_buckets_take(buckets, CLINIC, "kim", AUTH_CHANGE, START_NS, &retry_after_ms));
}

/* As many other subjects as there is room for displace only buckets that are fuller than this one. */
static void test_an_empty_bucket_is_not_displaced_by_fuller_ones(void **state)
{
    struct auth_buckets *buckets = *state;
    uint32_t retry_after_ms = 0;
    char subject[32];
    assert_int_equal(drain(buckets, "kim", AUTH_CHANGE, START_NS, &retry_after_ms), 50);
    for (int i = 0; i < 4 * AUTH_BUCKETS_SUBJECTS; i++) {
        snprintf(subject, sizeof subject, "s%d", i);
        assert_true(auth_buckets_take(buckets, CLINIC, subject, AUTH_READ, START_NS, &retry_after_ms));
    }
    assert_false(auth_buckets_take(buckets, CLINIC, "kim", AUTH_CHANGE, START_NS, &retry_after_ms));
}

enum { TAKERS = 4 };

struct race {
    struct auth_buckets *buckets;
    atomic_int taken;
};

static void *run_takes(void *argument)
{
    struct race *race = argument;
    uint32_t retry_after_ms;
    atomic_fetch_add(&race->taken, drain(race->buckets, "kim", AUTH_READ, START_NS, &retry_after_ms));
    return NULL;
}

static void test_threads_share_a_bucket(void **state)
{
    struct race race = {.buckets = *state};
    pthread_t threads[TAKERS];
    for (int i = 0; i < TAKERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, run_takes, &race), 0);
    for (int i = 0; i < TAKERS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(race.taken, 500);
}

#define BUCKETS_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BUCKETS_TEST(test_a_subject_has_a_burst_and_then_a_rate),
        BUCKETS_TEST(test_the_time_to_wait_is_rounded_up),
        BUCKETS_TEST(test_changes_and_reads_are_counted_apart),
        BUCKETS_TEST(test_subjects_are_counted_apart),
        BUCKETS_TEST(test_the_same_subject_of_two_issuers_is_counted_apart),
        BUCKETS_TEST(test_an_empty_bucket_is_not_displaced_by_fuller_ones),
        BUCKETS_TEST(test_threads_share_a_bucket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
