#include <nng/nng.h>
#include <nng/protocol/pair0/pair.h>
#include <nng/supplemental/util/platform.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "base/unit_testing.h"
#include "nng/redial.h"

enum { DEADLINE_MS = 30000, LOOK_EVERY_MS = 10 };
#define ADDRESS "inproc://redial-test"

static void count_connection(nng_pipe pipe, nng_pipe_ev event, void *context)
{
    (void)pipe;
    (void)event;
    atomic_fetch_add((atomic_int *)context, 1);
}

static void test_redial_dialer_that_ended_is_replaced(void **state)
{
    (void)state;
    nng_socket listening, dialing;
    struct redial redial;
    atomic_int connections = 0;
    assert_int_equal(nng_pair0_open(&listening), 0);
    assert_int_equal(nng_pair0_open(&dialing), 0);
    assert_int_equal(nng_pipe_notify(dialing, NNG_PIPE_EV_ADD_POST, count_connection, &connections), 0);
    assert_int_equal(nng_listen(listening, ADDRESS, NULL, 0), 0);
    assert_int_equal(redial_start(&redial, dialing, ADDRESS, NULL, 0), 0);
    assert_int_equal(atomic_load(&connections), 1);

    assert_int_equal(nng_dialer_close(redial.dialer), 0); /* also closes its connection */
    int64_t ended_ns = clock_monotonic_ns();
    while (atomic_load(&connections) == 1 &&
           clock_monotonic_ns() < ended_ns + DEADLINE_MS * (int64_t)NS_PER_MS) {
        redial_look(&redial, false);
        nng_msleep(LOOK_EVERY_MS);
    }
    assert_int_equal(atomic_load(&connections), 2);
    assert_true(clock_monotonic_ns() >= ended_ns + REDIAL_AFTER_MS * (int64_t)NS_PER_MS);
    assert_int_equal(nng_close(dialing), 0);
    assert_int_equal(nng_close(listening), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_redial_dialer_that_ended_is_replaced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
