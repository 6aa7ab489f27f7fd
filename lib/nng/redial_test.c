#include <netinet/in.h>
#include <netinet/tcp.h>
#include <nng/nng.h>
#include <nng/protocol/pair0/pair.h>
#include <nng/supplemental/util/platform.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/unit_testing.h"
#include "nng/redial.h"

enum { DEADLINE_MS = 30000, LOOK_EVERY_MS = 10 };
enum { FILES_MAX = 1024, ADDRESS_SIZE = 64, NOTICED_AFTER_MAX_S = 30 };
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

/* Returns the descriptor of this process whose peer is the port, or -1. */
static int find_connection(int port)
{
    struct sockaddr_in peer = {.sin_family = AF_UNSPEC};
    for (int fd = 0; fd < FILES_MAX; fd++) {
        socklen_t size = sizeof peer;
        if (getpeername(fd, (struct sockaddr *)&peer, &size) == 0 && peer.sin_family == AF_INET &&
            ntohs(peer.sin_port) == port)
            return fd;
    }
    return -1;
}

static int option_of(int fd, int level, int option)
{
    int value;
    socklen_t size = sizeof value;
    assert_int_equal(getsockopt(fd, level, option, &value, &size), 0);
    return value;
}

static void test_redial_connection_to_a_machine_that_vanishes_ends_soon(void **state)
{
    (void)state;
    nng_socket listening, dialing;
    nng_listener listener;
    struct redial redial;
    int port;
    char address[ADDRESS_SIZE];
    assert_int_equal(nng_pair0_open(&listening), 0);
    assert_int_equal(nng_pair0_open(&dialing), 0);
    assert_int_equal(nng_listen(listening, "tcp://127.0.0.1:0", &listener, 0), 0);
    assert_int_equal(nng_listener_get_int(listener, NNG_OPT_TCP_BOUND_PORT, &port), 0);
    (void)snprintf(address, sizeof address, "tcp://127.0.0.1:%d", port);
    assert_int_equal(redial_start(&redial, dialing, address, NULL, 0), 0);

    int fd = find_connection(port);
    assert_true(fd >= 0);
    assert_int_equal(option_of(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
    assert_in_range(option_of(fd, IPPROTO_TCP, TCP_KEEPIDLE) +
                        option_of(fd, IPPROTO_TCP, TCP_KEEPINTVL) * option_of(fd, IPPROTO_TCP, TCP_KEEPCNT),
                    1, NOTICED_AFTER_MAX_S);
    assert_int_equal(nng_close(dialing), 0);
    assert_int_equal(nng_close(listening), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_redial_dialer_that_ended_is_replaced),
        cmocka_unit_test(test_redial_connection_to_a_machine_that_vanishes_ends_soon),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
