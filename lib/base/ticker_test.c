#include <stdatomic.h>
#include <time.h>

#include "base/clock.h"
#include "base/ticker.h"
#include "base/unit_testing.h"

enum { NEVER_MS = 3600000, DEADLINE_MS = 10000, PAUSE_MS = 1 };

static _Atomic int ticks;

static void tick(void *context, struct ticker *ticker)
{
    (void)context;
    (void)ticker;
    atomic_fetch_add(&ticks, 1);
}

static void tick_until_stopped(void *context, struct ticker *ticker)
{
    (void)context;
    atomic_fetch_add(&ticks, 1);
    while (ticker_sleep(ticker, NEVER_MS))
        ;
}

static struct ticker *open_ticker(ticker_fn function)
{
    struct ticker *ticker = NULL;
    struct error error;
    atomic_store(&ticks, 0);
    assert_int_equal(ticker_open(NEVER_MS, function, NULL, &ticker, &error), STATUS_OK);
    return ticker;
}

static void wait_for_ticks(int wanted)
{
    int64_t end_ns = clock_monotonic_ns() + DEADLINE_MS * (int64_t)NS_PER_MS;
    while (atomic_load(&ticks) < wanted && clock_monotonic_ns() < end_ns)
        nanosleep(&(struct timespec){.tv_nsec = PAUSE_MS * NS_PER_MS}, NULL);
    assert_int_equal(atomic_load(&ticks), wanted);
}

static void test_ticker_opened_ticks_at_once_and_when_woken(void **state)
{
    (void)state;
    struct ticker *ticker = open_ticker(tick);
    wait_for_ticks(1);
    ticker_wake(ticker);
    wait_for_ticks(2);
    ticker_close(ticker);
}

static void test_ticker_stopped_may_be_woken_and_does_not_tick(void **state)
{
    (void)state;
    struct ticker *ticker = open_ticker(tick);
    wait_for_ticks(1);
    ticker_stop(ticker);
    ticker_wake(ticker);
    ticker_close(ticker);
    assert_int_equal(atomic_load(&ticks), 1);
}

static void test_ticker_closed_in_a_long_tick_ends_it(void **state)
{
    (void)state;
    struct ticker *ticker = open_ticker(tick_until_stopped);
    wait_for_ticks(1);
    ticker_close(ticker);
    assert_int_equal(atomic_load(&ticks), 1);
}

static void test_ticker_close_of_none_does_nothing(void **state)
{
    (void)state;
    ticker_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ticker_opened_ticks_at_once_and_when_woken),
        cmocka_unit_test(test_ticker_stopped_may_be_woken_and_does_not_tick),
        cmocka_unit_test(test_ticker_closed_in_a_long_tick_ends_it),
        cmocka_unit_test(test_ticker_close_of_none_does_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
