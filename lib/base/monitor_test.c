#include "base/clock.h"
#include "base/monitor.h"
#include "base/unit_testing.h"

enum { DEADLINE_MS = 30000 };

struct shared {
    struct monitor monitor;
    int turns;
};

static int64_t deadline_ns(void)
{
    return clock_monotonic_ns() + DEADLINE_MS * (int64_t)NS_PER_MS;
}

/* Waits for `turns` to equal `wanted`, at most until `until_ns`, and increments it. */
static void take_turn(struct shared *shared, int wanted, int64_t until_ns)
{
    monitor_lock(&shared->monitor);
    while (shared->turns != wanted && monitor_wait(&shared->monitor, until_ns))
        ;
    assert_int_equal(shared->turns, wanted);
    shared->turns++;
    monitor_notify(&shared->monitor);
    monitor_unlock(&shared->monitor);
}

static void *take_odd_turns(void *context)
{
    take_turn(context, 1, INT64_MAX);
    take_turn(context, 3, deadline_ns());
    return NULL;
}

static void test_monitor_notify_wakes_the_other_thread(void **state)
{
    (void)state;
    struct shared shared = {.turns = 0};
    pthread_t thread;
    monitor_init(&shared.monitor);
    assert_int_equal(pthread_create(&thread, NULL, take_odd_turns, &shared), 0);
    take_turn(&shared, 0, deadline_ns());
    take_turn(&shared, 2, deadline_ns());
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(shared.turns, 4);
    monitor_fini(&shared.monitor);
}

static void test_monitor_wait_ends_at_its_deadline(void **state)
{
    (void)state;
    struct monitor monitor;
    monitor_init(&monitor);
    monitor_lock(&monitor);
    int64_t end_ns = clock_monotonic_ns() + NS_PER_MS;
    while (monitor_wait(&monitor, end_ns)) /* true: woken without a notification */
        ;
    assert_true(clock_monotonic_ns() >= end_ns);
    assert_false(monitor_wait(&monitor, clock_monotonic_ns() - 1));
    monitor_unlock(&monitor);
    monitor_fini(&monitor);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_monitor_notify_wakes_the_other_thread),
        cmocka_unit_test(test_monitor_wait_ends_at_its_deadline),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
