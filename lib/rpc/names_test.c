/* Tests a channel whose address is a host name that the test defines. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/monitor.h"
#include "base/names_testing.h"
#include "nng/stuck_reaper.h"
#include "rpc/group_testing.h"

/* ---- hanging closes ---- */

/* Which closes of sockets hang. */
static struct {
    struct monitor monitor; /* guards the other members */
    int hung;               /* id of the socket whose close hangs; 0 = none */
    int closes_of_hung;
} world;

bool __wrap_socket_close(nng_socket socket);
bool __real_socket_close(nng_socket socket);

bool __wrap_socket_close(nng_socket socket)
{
    monitor_lock(&world.monitor);
    bool hangs = nng_socket_id(socket) == world.hung;
    world.closes_of_hung += hangs;
    monitor_unlock(&world.monitor);
    return hangs ? false : __real_socket_close(socket);
}

static int closes_of_hung(void)
{
    monitor_lock(&world.monitor);
    int count = world.closes_of_hung;
    monitor_unlock(&world.monitor);
    return count;
}

/* ---- a channel to two replicas with one name ---- */

/* Opens the channel. The replicas do not listen yet. The names of their addresses are 127.0.0.2 and .3. */
static void named_open(struct group *group, struct rpc_channel_options options)
{
    int port = test_free_port();
    struct error error;
    *group = (struct group){.count = 2};
    for (int i = 0; i < group->count; i++)
        (void)snprintf(group->addresses[i], sizeof group->addresses[i], "tcp://127.0.0.%d:%d", i + 2, port);
    (void)snprintf(group->list, sizeof group->list, "tcp://replicas.test:%d", port);
    options.address = group->list;
    assert_int_equal(rpc_channel_open(&options, &group->channel, &error), STATUS_OK);
    group->client = test_create_client(group->channel);
}

/* Closes the channel and the first `listening` replicas. */
static void named_close(struct group *group, int listening)
{
    rpc_client_destroy(group->client);
    rpc_channel_close(group->channel);
    for (int i = 0; i < listening; i++)
        nng_close(group->sockets[i]);
}

/* Returns the backend of the replica that is not stuck, or NULL. Only for tests: it may be freed any time. */
static struct rpc_backend *find(struct group *group, int i)
{
    struct rpc_backend *found = NULL;
    pthread_mutex_lock(&group->channel->mutex);
    for (size_t slot = 0; slot < BALANCE_MAX; slot++) {
        struct rpc_backend *backend = group->channel->backends[slot];
        if (backend != NULL && !backend->stuck && strcmp(backend->address, group->addresses[i]) == 0)
            found = backend;
    }
    pthread_mutex_unlock(&group->channel->mutex);
    return found;
}

static bool is_leaving(struct group *group, int i)
{
    bool leaving = false;
    pthread_mutex_lock(&group->channel->mutex);
    for (size_t slot = 0; slot < BALANCE_MAX; slot++) {
        const struct rpc_backend *backend = group->channel->backends[slot];
        if (backend != NULL && strcmp(backend->address, group->addresses[i]) == 0)
            leaving |= group->channel->balance.marks[slot].leaving;
    }
    pthread_mutex_unlock(&group->channel->mutex);
    return leaving;
}

static size_t used_count(struct group *group)
{
    pthread_mutex_lock(&group->channel->mutex);
    size_t count = group->channel->used_count;
    pthread_mutex_unlock(&group->channel->mutex);
    return count;
}

/* Lets the channel notice what the names resolve to now. */
static void look_up(struct group *group)
{
    resolver_ask(group->channel->resolver);
}

/* ---- tests ---- */

static void test_name_without_an_address_is_like_an_address_that_refuses(void **state)
{
    (void)state;
    struct group group;
    struct test_pending pending;
    names_define("");
    const struct breaker_options breaker = {
        .window_ms = 60000, .min_calls = 2, .failure_percent = 50, .open_ms = 60000, .probes = 1};
    named_open(&group, (struct rpc_channel_options){.breaker = breaker, .peer = "nameless"});
    for (int i = 0; i < 2; i++) {
        int64_t begin_ms = test_now_ms();
        group_begin(&group, &pending, (struct rpc_client_call){.timeout_ms = 5000});
        test_assert_outcome(&pending, STATUS_UNAVAILABLE, false);
        assert_true(test_now_ms() - begin_ms >= 95); /* it waited for a connection */
        assert_memory_equal(pending.call.error.message, "not connected to tcp://replicas.test:", 37);
    }
    group_begin(&group, &pending, (struct rpc_client_call){.timeout_ms = 5000});
    test_assert_outcome(&pending, STATUS_UNAVAILABLE, false);
    assert_string_equal(pending.call.error.reason, "BREAKER_OPEN");
    assert_soon(test_metric("name_lookups_failed_total") > 0);
    int64_t begin_ms = test_now_ms();
    named_close(&group, 0);
    assert_true(test_now_ms() - begin_ms < 4000);
}

static void test_call_waits_until_the_name_has_an_address(void **state)
{
    (void)state;
    struct group group;
    struct test_pending pending;
    names_define("");
    named_open(&group, (struct rpc_channel_options){.retry = {.percent = 100, .min_per_s = 10}});
    group_begin(&group, &pending, (struct rpc_client_call){.timeout_ms = 20000});
    group_listen(&group, 0);
    names_define("127.0.0.2");
    group_answer(&group, 0, group_receive_at(&group, 0), STATUS_NOT_FOUND, NULL, 0);
    test_assert_outcome(&pending, STATUS_NOT_FOUND, true);
    assert_soon(used_count(&group) == 1); /* without the backend that stands for nobody */
    named_close(&group, 1);
}

static void test_backends_that_left_the_name_stay_until_a_wanted_one_is_connected(void **state)
{
    (void)state;
    struct group group;
    names_define("127.0.0.2");
    named_open(&group, (struct rpc_channel_options){.calls_max = 0});
    group_listen(&group, 0);
    assert_soon(rpc_channel_connected(group.channel));
    names_define("127.0.0.3"); /* nobody listens there */
    look_up(&group);
    assert_soon(find(&group, 1) != NULL);
    for (int i = 0; i < 20; i++) {
        struct test_pending pending;
        group_begin(&group, &pending, (struct rpc_client_call){.timeout_ms = 30000});
        group_answer(&group, 0, group_receive_at(&group, 0), STATUS_NOT_FOUND, NULL, 0);
        test_assert_outcome(&pending, STATUS_NOT_FOUND, true);
    }
    group_listen(&group, 1);
    assert_soon(is_leaving(&group, 0));
    group_assert_all_go_to(&group, 1, 5);
    nng_close(group.sockets[0]); /* without a connection, there is nothing to keep */
    assert_soon(find(&group, 0) == NULL);
    assert_soon(used_count(&group) == 1);
    group_assert_all_go_to(&group, 1, 5);
    names_define(""); /* a name that is gone keeps what it had */
    look_up(&group);
    group_assert_all_go_to(&group, 1, 5);
    group_listen(&group, 0);
    named_close(&group, 2);
}

/* Some DNS servers return other addresses of a name each time. */
static void test_backend_that_returns_to_the_name_keeps_its_connection(void **state)
{
    (void)state;
    struct group group;
    names_define("127.0.0.2 127.0.0.3");
    named_open(&group, (struct rpc_channel_options){.calls_max = 0});
    group_listen(&group, 0);
    group_listen(&group, 1);
    assert_soon(atomic_load(&group.channel->connections) == 2);
    const struct rpc_backend *first = find(&group, 0);
    int connection = group_mark(&group, (int)first->slot).connection;
    names_define("127.0.0.3");
    look_up(&group);
    assert_soon(is_leaving(&group, 0));
    int64_t begin_ms = test_now_ms();
    while (test_now_ms() - begin_ms < 6000) { /* longer than the time between two look-ups */
        group_assert_all_go_to(&group, 1, 1);
        assert_ptr_equal(find(&group, 0), first);
        nng_msleep(20);
    }
    names_define("127.0.0.2 127.0.0.3");
    look_up(&group);
    assert_soon(!is_leaving(&group, 0));
    assert_int_equal(group_mark(&group, (int)first->slot).connection, connection);
    named_close(&group, 2);
}

static void test_backend_whose_close_hung_is_neither_closed_again_nor_used(void **state)
{
    (void)state;
    static struct rpc_channel *leaked; /* nng's callbacks may use it until the process exits */
    struct group group;
    names_define("127.0.0.2");
    named_open(&group, (struct rpc_channel_options){.peer = "stuck"});
    group_listen(&group, 0);
    group_listen(&group, 1);
    assert_soon(rpc_channel_connected(group.channel));
    nng_socket hung = find(&group, 0)->socket;
    monitor_lock(&world.monitor);
    world.hung = nng_socket_id(hung);
    monitor_unlock(&world.monitor);
    names_define("127.0.0.3");
    look_up(&group);
    assert_soon(is_leaving(&group, 0));
    nng_close(group.sockets[0]); /* without a connection, the backend is closed at once */
    assert_soon(closes_of_hung() == 1);
    assert_soon(find(&group, 0) == NULL);
    group_listen(&group, 0);
    names_define("127.0.0.2 127.0.0.3");
    look_up(&group);
    assert_soon(find(&group, 0) != NULL); /* another one, because the first is being closed */
    assert_soon(atomic_load(&group.channel->connections) == 2);
    assert_soon(used_count(&group) == 2);
    leaked = group.channel;
    named_close(&group, 2);
    assert_int_equal(closes_of_hung(), 1);
    assert_true(__real_socket_close(hung));
    assert_non_null(leaked);
}

static void test_connect_now_says_which_name_is_unknown(void **state)
{
    (void)state;
    names_define("");
    const struct rpc_channel_options options = {.address = "tcp://nothing.test:1", .connect_now = true};
    struct rpc_channel *channel;
    struct error error;
    assert_int_equal(rpc_channel_open(&options, &channel, &error), STATUS_UNAVAILABLE);
    assert_non_null(strstr(error.message, "not connected to tcp://nothing.test:1: nothing.test: "));
}

int main(void)
{
    monitor_init(&world.monitor);
    names_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_name_without_an_address_is_like_an_address_that_refuses),
        cmocka_unit_test(test_call_waits_until_the_name_has_an_address),
        cmocka_unit_test(test_backends_that_left_the_name_stay_until_a_wanted_one_is_connected),
        cmocka_unit_test(test_backend_that_returns_to_the_name_keeps_its_connection),
        cmocka_unit_test(test_backend_whose_close_hung_is_neither_closed_again_nor_used),
        cmocka_unit_test(test_connect_now_says_which_name_is_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
