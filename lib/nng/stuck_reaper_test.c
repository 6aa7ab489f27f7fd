#include <nng/nng.h>
#include <nng/protocol/pair0/pair.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "base/clock.h"
#include "base/unit_testing.h"
#include "nng/stuck_reaper.h"

enum { DEADLINE_S = 30, MANY_LOOKS = 2 * TRANSPORT_STUCK_LOOKS };

static void pause_ms(long ms)
{
    struct timespec pause = {.tv_nsec = ms * NS_PER_MS};
    nanosleep(&pause, NULL);
}

static void test_watch_well_transport_is_never_stuck(void **state)
{
    (void)state;
    struct transport_watch *watch;
    assert_int_equal(transport_watch_open(&watch, NULL), STATUS_OK);
    for (int i = 0; i < MANY_LOOKS; i++) {
        assert_false(transport_watch_is_stuck(watch));
        pause_ms(
            500); /* a service pauses longer, so that a slow attempt does not look stuck on a busy machine */
    }
    transport_watch_close(watch);
}

static atomic_bool blocked, released;

/* Runs on nng's reaper thread, which frees no connection until this function returns. */
static void block_reaper(nng_pipe pipe, nng_pipe_ev event, void *context)
{
    (void)pipe;
    (void)event;
    (void)context;
    atomic_store(&blocked, true);
    while (!atomic_load(&released))
        pause_ms(5);
}

static void wait_for_flag(atomic_bool *flag)
{
    int64_t end_ns = clock_monotonic_ns() + DEADLINE_S * (int64_t)1000 * NS_PER_MS;
    while (!atomic_load(flag)) {
        assert_true(clock_monotonic_ns() < end_ns);
        pause_ms(5);
    }
}

static void *close_socket(void *context)
{
    nng_socket *socket = context;
    nng_close(*socket);
    return NULL;
}

static void test_watch_blocked_reaper_is_stuck_until_released(void **state)
{
    (void)state;
    nng_socket listening, dialing;
    pthread_t closer;
    struct transport_watch *watch;
    assert_int_equal(nng_pair0_open(&listening), 0);
    assert_int_equal(nng_pair0_open(&dialing), 0);
    assert_int_equal(nng_pipe_notify(dialing, NNG_PIPE_EV_REM_POST, block_reaper, NULL), 0);
    assert_int_equal(nng_listen(listening, "inproc://watch-test", NULL, 0), 0);
    assert_int_equal(nng_dial(dialing, "inproc://watch-test", NULL, 0), 0);
    assert_int_equal(pthread_create(&closer, NULL, close_socket, &dialing), 0);
    wait_for_flag(&blocked);

    assert_int_equal(transport_watch_open(&watch, NULL), STATUS_OK);
    bool stuck = false;
    for (int i = 0; i < DEADLINE_S * 100 && !stuck; i++) {
        stuck = transport_watch_is_stuck(watch);
        pause_ms(10);
    }
    assert_true(stuck);
    atomic_store(&released, true);
    pthread_join(closer, NULL);
    for (int i = 0; i < DEADLINE_S * 100 && stuck; i++) {
        stuck = transport_watch_is_stuck(watch);
        pause_ms(10);
    }
    assert_false(stuck);
    transport_watch_close(watch);
    nng_close(listening);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_watch_well_transport_is_never_stuck),
        cmocka_unit_test(test_watch_blocked_reaper_is_stuck_until_released),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
