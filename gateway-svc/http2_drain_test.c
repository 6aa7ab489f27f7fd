/* The end of the server, while clients still connect and send requests. */
#include "http2_testing.h"

#include <unistd.h>

#include "base/clock.h"

static void *drain(void *context)
{
    struct world *world = context;
    return http_drain(world->server, DEADLINE_S * MS_PER_S) ? world : NULL;
}

static bool is_draining(struct world *world)
{
    return atomic_load(&world->server->draining);
}

static void test_http2_a_drain_waits_for_requests_that_begin_during_it(void **state)
{
    (void)state;
    const struct timespec longer_than_for_connections = {.tv_sec = 2};
    struct world world;
    struct client client;
    pthread_t thread;
    void *drained;
    open_and_connect(&world, &client, NGHTTP2_INITIAL_WINDOW_SIZE);
    assert_int_equal(pthread_create(&thread, NULL, drain, &world), 0);
    wait_until(is_draining, &world);
    atomic_fetch_add(&world.server->in_flight, 1); /* as a request between the two GOAWAYs */
    nanosleep(&longer_than_for_connections, NULL);
    atomic_fetch_sub(&world.server->in_flight, 1);
    pthread_join(thread, &drained);
    assert_non_null(drained);
    end_client(&client);
    close_world(&world);
}

static void test_http2_a_drain_ends_connections_that_wait_to_be_accepted(void **state)
{
    (void)state;
    enum { FULL = 1000 };
    struct world world;
    char byte;
    open_world(&world);
    atomic_fetch_add(&world.server->connection_count, FULL); /* so that none is accepted */
    int fd = connect_to(&world);
    assert_true(http_drain(world.server, 0));
    assert_int_equal(recv(fd, &byte, sizeof byte, 0), 0);
    close(fd);
    atomic_fetch_sub(&world.server->connection_count, FULL);
    close_world(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_http2_a_drain_waits_for_requests_that_begin_during_it),
        cmocka_unit_test(test_http2_a_drain_ends_connections_that_wait_to_be_accepted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
