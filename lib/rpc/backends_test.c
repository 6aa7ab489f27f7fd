/* Tests a channel with several backends. silence_test.c has what happens if one is silent. */
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "rpc/group_testing.h"

static const struct retry_options RETRY = {.percent = 100, .min_per_s = 10};

/* ---- the choice ---- */

static void test_backends_call_goes_to_the_one_with_fewer_in_flight(void **state)
{
    (void)state;
    struct group group;
    group_open(&group, 2, (struct rpc_channel_options){.peer = "paired"});
    struct test_pending first;
    group_begin(&group, &first, (struct rpc_client_call){.timeout_ms = 30000});
    int busy;
    nng_msg *held = group_receive(&group, &busy, NULL);
    for (int i = 0; i < 20; i++) {
        group_assert_all_go_to(&group, 1 - busy, 1);
        assert_soon(group_mark(&group, 1 - busy).in_flight == 0);
    }
    assert_int_equal(group_mark(&group, busy).in_flight, 1);
    group_answer(&group, busy, held, STATUS_NOT_FOUND, NULL, 0);
    test_assert_outcome(&first, STATUS_NOT_FOUND, true);
    group_close(&group);
}

/* ---- refusals ---- */

/* Makes one call that is not idempotent, which the first backend refuses. */
static void assert_refusal_is_served_by_the_other(const char *reason, bool unguarded)
{
    struct group group;
    group_open(&group, 2, (struct rpc_channel_options){.peer = "refusing"});
    struct test_pending pending;
    group_begin(&group, &pending, (struct rpc_client_call){.timeout_ms = 30000, .unguarded = unguarded});
    int at;
    nng_msg *msg = group_receive(&group, &at, NULL);
    int64_t begin_ms = test_now_ms();
    group_answer(&group, at, msg, STATUS_UNAVAILABLE, reason, 20000);
    group_serve(&group, 1 - at);
    test_assert_outcome(&pending, STATUS_NOT_FOUND, true);
    assert_true(test_now_ms() - begin_ms < 10000); /* the pause that the reply asked for is not kept */
    group_close(&group);
}

static void test_backends_refused_call_goes_to_the_other_at_once(void **state)
{
    (void)state;
    assert_refusal_is_served_by_the_other("DRAINING", false);
    assert_refusal_is_served_by_the_other("DRAINING", true);
    assert_refusal_is_served_by_the_other("NOT_READY", false);
    assert_refusal_is_served_by_the_other("NOT_READY", true);
}

/*
 * Lets a backend refuse a call, and checks that the following calls go to the other one, although it has more
 * calls in flight.
 */
static void assert_refusing_one_gets_no_call(enum status status, const char *reason)
{
    struct group group;
    group_open(&group, 2, (struct rpc_channel_options){.calls_max = 0});
    struct test_pending refused, held;
    group_begin(&group, &refused, (struct rpc_client_call){.timeout_ms = 30000});
    int at;
    nng_msg *msg = group_receive(&group, &at, NULL);
    group_answer(&group, at, msg, status, reason, 10000);
    if (status == STATUS_UNAVAILABLE)
        group_serve(&group, 1 - at);
    test_assert_outcome(&refused, status == STATUS_UNAVAILABLE ? STATUS_NOT_FOUND : status, true);
    group_begin(&group, &held, (struct rpc_client_call){.timeout_ms = 30000});
    nng_msg_free(group_receive_at(&group, 1 - at));
    group_assert_all_go_to(&group, 1 - at, 20);
    group_close(&group);
    test_assert_outcome(&held, STATUS_UNAVAILABLE, true);
}

static void test_backends_refusing_one_gets_no_call_for_as_long_as_it_asks(void **state)
{
    (void)state;
    assert_refusing_one_gets_no_call(STATUS_UNAVAILABLE, "DRAINING");
    assert_refusing_one_gets_no_call(STATUS_UNAVAILABLE, "NOT_READY");
    assert_refusing_one_gets_no_call(STATUS_RESOURCE_EXHAUSTED, "OVERLOADED");
}

static int64_t refuses_until_ns(enum status status, const char *reason, uint32_t retry_after_ms)
{
    struct group group;
    group_open(&group, 2, (struct rpc_channel_options){.calls_max = 0});
    struct test_pending pending;
    group_begin(&group, &pending, (struct rpc_client_call){.timeout_ms = 30000});
    int at;
    nng_msg *msg = group_receive(&group, &at, NULL);
    group_answer(&group, at, msg, status, reason, retry_after_ms);
    test_assert_outcome(&pending, status, true);
    int64_t until_ns = group_mark(&group, at).refuses_until_ns;
    group_close(&group);
    return until_ns;
}

static void test_backends_refusal_that_concerns_the_caller_only_is_no_mark(void **state)
{
    (void)state;
    assert_true(refuses_until_ns(STATUS_RESOURCE_EXHAUSTED, "OVERLOADED", 10000) > 0);
    assert_int_equal(refuses_until_ns(STATUS_RESOURCE_EXHAUSTED, "TOO_MANY_CALLS", 10000), 0);
    assert_int_equal(refuses_until_ns(STATUS_FAILED_PRECONDITION, "SOLD_OUT", 10000), 0);
}

static void test_backends_both_refuse_and_the_call_fails_without_a_third_try(void **state)
{
    (void)state;
    struct group group;
    group_open(&group, 2, (struct rpc_channel_options){.calls_max = 0});
    struct test_pending pending;
    group_begin(&group, &pending, (struct rpc_client_call){.timeout_ms = 30000});
    int at, other;
    nng_msg *msg = group_receive(&group, &at, NULL);
    group_answer(&group, at, msg, STATUS_UNAVAILABLE, "NOT_READY", 0);
    msg = group_receive(&group, &other, NULL);
    assert_int_equal(other, 1 - at);
    group_answer(&group, other, msg, STATUS_UNAVAILABLE, "NOT_READY", 0);
    test_assert_outcome(&pending, STATUS_UNAVAILABLE, true);
    assert_string_equal(pending.call.error.reason, "NOT_READY");
    group_close(&group);
}

/* The ejected one may be frozen. The call would wait for it until its deadline. */
static void test_backends_refused_call_goes_to_no_ejected_one(void **state)
{
    (void)state;
    struct group group;
    group_open(&group, 2, (struct rpc_channel_options){.calls_max = 0});
    group_eject(&group, 0, INT64_MAX);
    struct test_pending pending;
    group_begin(&group, &pending, (struct rpc_client_call){.timeout_ms = 30000});
    group_answer(&group, 1, group_receive_at(&group, 1), STATUS_UNAVAILABLE, "NOT_READY", 10000);
    test_assert_outcome(&pending, STATUS_UNAVAILABLE, true);
    assert_string_equal(pending.call.error.reason, "NOT_READY");
    assert_null(group_try_receive(&group, 0));
    group_close(&group);
}

/* A refusal and then no connection: nothing was executed. */
static void test_backends_call_that_no_backend_executed_has_not_left(void **state)
{
    (void)state;
    struct group group;
    group_open(&group, 2, (struct rpc_channel_options){.calls_max = 0});
    struct test_pending pending;
    int at;
    group_begin(&group, &pending, (struct rpc_client_call){.timeout_ms = 30000});
    nng_msg *msg = group_receive(&group, &at, NULL);
    nng_close(group.sockets[1 - at]);
    assert_soon(group_mark(&group, 1 - at).connection == 0);
    pthread_mutex_lock(&group.channel->mutex); /* as if the channel had not noticed yet */
    group.channel->balance.marks[1 - at].connection = 1;
    pthread_mutex_unlock(&group.channel->mutex);
    group_answer(&group, at, msg, STATUS_UNAVAILABLE, "NOT_READY", 10000);
    test_assert_outcome(&pending, STATUS_UNAVAILABLE, false);
    pthread_mutex_lock(&group.channel->mutex);
    group.channel->balance.marks[1 - at].connection = 0;
    pthread_mutex_unlock(&group.channel->mutex);
    group_listen(&group, 1 - at);
    group_close(&group);
}

/* ---- an unknown outcome ---- */

static void test_backends_lost_call_goes_to_the_other_if_idempotent(void **state)
{
    (void)state;
    struct group group;
    group_open(&group, 2, (struct rpc_channel_options){.calls_max = 0});
    int at;
    struct test_pending pending, once;
    group_begin(&group, &pending,
                (struct rpc_client_call){.timeout_ms = 30000, .idempotent = true, .unguarded = true});
    group_lose(group_receive(&group, &at, NULL));
    group_serve(&group, 1 - at);
    test_assert_outcome(&pending, STATUS_NOT_FOUND, true);
    assert_soon(atomic_load(&group.channel->connections) == 2);
    group_begin(&group, &once, (struct rpc_client_call){.timeout_ms = 30000});
    group_lose(group_receive(&group, &at, NULL));
    test_assert_outcome(&once, STATUS_UNAVAILABLE, true);
    assert_non_null(strstr(once.call.error.message, "lost the connection to"));
    group_close(&group);
}

/* A call that crashes its server must not crash all replicas at once. */
static void test_backends_call_lost_twice_goes_to_no_third_one(void **state)
{
    (void)state;
    struct group group;
    group_open(&group, 3, (struct rpc_channel_options){.calls_max = 0});
    struct test_pending pending;
    int first, second;
    group_begin(&group, &pending, (struct rpc_client_call){.timeout_ms = 30000, .idempotent = true});
    group_lose(group_receive(&group, &first, NULL));
    group_lose(group_receive(&group, &second, NULL));
    assert_int_not_equal(first, second);
    test_assert_outcome(&pending, STATUS_UNAVAILABLE, true);
    assert_non_null(strstr(pending.call.error.message, "lost the connection to"));
    for (int i = 0; i < group.count; i++)
        assert_null(group_try_receive(&group, i));
    group_close(&group);
}

static void test_backends_call_lost_twice_takes_a_retry_for_the_third(void **state)
{
    (void)state;
    struct group group;
    group_open(&group, 3, (struct rpc_channel_options){.retry = RETRY, .peer = "crashing"});
    struct test_pending pending;
    int at;
    group_begin(&group, &pending, (struct rpc_client_call){.timeout_ms = 30000, .idempotent = true});
    group_lose(group_receive(&group, &at, NULL));
    assert_int_equal(test_metric("rpc_retries_total"), 0);
    group_lose(group_receive(&group, &at, NULL));
    nng_msg *msg = group_receive(&group, &at, NULL);
    assert_int_equal(test_metric("rpc_retries_total"), 1);
    group_answer(&group, at, msg, STATUS_NOT_FOUND, NULL, 0);
    test_assert_outcome(&pending, STATUS_NOT_FOUND, true);
    group_close(&group);
}

static void assert_no_promise_after_a_lost_call(bool unguarded, enum status status, const char *reason)
{
    struct group group;
    group_open(&group, 2, (struct rpc_channel_options){.calls_max = 0});
    int at;
    struct test_pending pending;
    group_begin(&group, &pending,
                (struct rpc_client_call){.timeout_ms = 30000, .idempotent = true, .unguarded = unguarded});
    group_lose(group_receive(&group, &at, NULL));
    nng_msg *msg = group_receive(&group, &at, NULL);
    group_answer(&group, at, msg, status, reason, 50);
    test_assert_outcome(&pending, STATUS_UNAVAILABLE, true);
    assert_string_equal(pending.call.error.reason, "");
    assert_int_equal(pending.call.error.retry_after_ms, 50);
    group_close(&group);
}

/* After an attempt that may have been executed, "not executed" from the other backend would be wrong. */
static void test_backends_refusal_after_a_lost_call_does_not_promise_anything(void **state)
{
    (void)state;
    assert_no_promise_after_a_lost_call(false, STATUS_UNAVAILABLE, "NOT_READY");
    assert_no_promise_after_a_lost_call(true, STATUS_UNAVAILABLE, "NOT_READY");
    assert_no_promise_after_a_lost_call(true, STATUS_RESOURCE_EXHAUSTED, "OVERLOADED");
}

/* ---- a backend that is down ---- */

static void test_backends_calls_succeed_while_one_is_down(void **state)
{
    (void)state;
    struct test_server server;
    test_server_serve(&server);
    char list[256];
    (void)snprintf(list, sizeof list, "tcp://127.0.0.1:%d,%s", test_free_port(), server.address);
    struct rpc_channel *channel = test_open_channel(list);
    struct rpc_client *client = test_create_client(channel);
    assert_soon(rpc_channel_connected(channel));
    for (int i = 0; i < 100; i++)
        test_assert_works(client);
    rpc_client_destroy(client);
    rpc_channel_close(channel);
    test_server_stop(&server);
}

static void test_backends_calls_during_a_loss_use_the_other_connection(void **state)
{
    (void)state;
    struct group group;
    group_open(&group, 2, (struct rpc_channel_options){.retry = RETRY});
    nng_close(group.sockets[0]);
    for (int i = 0; i < 20; i++) { /* also before the channel has noticed */
        struct test_pending pending;
        group_begin(&group, &pending, (struct rpc_client_call){.timeout_ms = 30000, .idempotent = true});
        group_answer(&group, 1, group_receive_at(&group, 1), STATUS_NOT_FOUND, NULL, 0);
        test_assert_outcome(&pending, STATUS_NOT_FOUND, true);
    }
    group_listen(&group, 0);
    assert_soon(atomic_load(&group.channel->connections) == 2);
    group_close(&group);
}

/* It is restarted while the other one drains. */
static void test_backends_call_waits_for_the_one_that_comes_rather_than_ask_the_one_that_drains(void **state)
{
    (void)state;
    struct group group;
    group_open(&group, 2, (struct rpc_channel_options){.retry = RETRY});
    nng_close(group.sockets[0]);
    assert_soon(group_mark(&group, 0).connection == 0);
    pthread_mutex_lock(&group.channel->mutex);
    balance_note_draining(&group.channel->balance.marks[1], 10000, group.channel->balance.marks[1].connection,
                          clock_monotonic_ns());
    pthread_mutex_unlock(&group.channel->mutex);
    struct test_pending pending;
    group_begin(&group, &pending, (struct rpc_client_call){.timeout_ms = 5000});
    group_listen(&group, 0);
    group_serve(&group, 0);
    test_assert_outcome(&pending, STATUS_NOT_FOUND, true);
    group_close(&group);
}

static void test_backends_connect_now_needs_only_one(void **state)
{
    (void)state;
    struct test_server server;
    test_server_serve(&server);
    char list[256];
    (void)snprintf(list, sizeof list, "tcp://127.0.0.1:%d,%s", test_free_port(), server.address);
    const struct rpc_channel_options options = {.address = list, .connect_now = true};
    struct rpc_channel *channel;
    struct error error;
    assert_int_equal(rpc_channel_open(&options, &channel, &error), STATUS_OK);
    rpc_channel_close(channel);
    test_server_stop(&server);
    assert_int_equal(rpc_channel_open(&options, &channel, &error), STATUS_UNAVAILABLE);
}

/* Returns a socket that takes connections and says nothing, and its port. */
static int listen_silently(int *port)
{
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 16), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    *port = ntohs(address.sin_port);
    return listener;
}

static void test_backends_connect_now_waits_for_none_that_hangs(void **state)
{
    (void)state;
    struct test_server server;
    test_server_serve(&server);
    int first_port, second_port;
    int first = listen_silently(&first_port), second = listen_silently(&second_port);
    char list[256];
    (void)snprintf(list, sizeof list, "tcp://127.0.0.1:%d,tcp://127.0.0.1:%d,%s", first_port, second_port,
                   server.address);
    const struct rpc_channel_options options = {.address = list, .connect_now = true};
    struct rpc_channel *channel;
    struct error error;
    int64_t begin_ms = test_now_ms();
    assert_int_equal(rpc_channel_open(&options, &channel, &error), STATUS_OK);
    assert_true(test_now_ms() - begin_ms < 8000); /* a hanging address alone takes 10 s */
    rpc_channel_close(channel);
    test_server_stop(&server);
    close(first);
    close(second);
}

static void test_backends_wrong_list_is_refused(void **state)
{
    (void)state;
    static const char *const LISTS[] = {"ipc:///tmp/a,", "tcp://127.0.0.1", "ipc:///tmp/a,ipc:///tmp/a"};
    for (size_t i = 0; i < sizeof LISTS / sizeof LISTS[0]; i++) {
        const struct rpc_channel_options options = {.address = LISTS[i]};
        struct rpc_channel *channel;
        struct error error;
        assert_int_equal(rpc_channel_open(&options, &channel, &error), STATUS_INVALID_ARGUMENT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_backends_call_goes_to_the_one_with_fewer_in_flight),
        cmocka_unit_test(test_backends_refused_call_goes_to_the_other_at_once),
        cmocka_unit_test(test_backends_refusing_one_gets_no_call_for_as_long_as_it_asks),
        cmocka_unit_test(test_backends_refusal_that_concerns_the_caller_only_is_no_mark),
        cmocka_unit_test(test_backends_both_refuse_and_the_call_fails_without_a_third_try),
        cmocka_unit_test(test_backends_refused_call_goes_to_no_ejected_one),
        cmocka_unit_test(test_backends_call_that_no_backend_executed_has_not_left),
        cmocka_unit_test(test_backends_lost_call_goes_to_the_other_if_idempotent),
        cmocka_unit_test(test_backends_call_lost_twice_goes_to_no_third_one),
        cmocka_unit_test(test_backends_call_lost_twice_takes_a_retry_for_the_third),
        cmocka_unit_test(test_backends_refusal_after_a_lost_call_does_not_promise_anything),
        cmocka_unit_test(test_backends_calls_succeed_while_one_is_down),
        cmocka_unit_test(test_backends_calls_during_a_loss_use_the_other_connection),
        cmocka_unit_test(test_backends_call_waits_for_the_one_that_comes_rather_than_ask_the_one_that_drains),
        cmocka_unit_test(test_backends_connect_now_needs_only_one),
        cmocka_unit_test(test_backends_connect_now_waits_for_none_that_hangs),
        cmocka_unit_test(test_backends_wrong_list_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
