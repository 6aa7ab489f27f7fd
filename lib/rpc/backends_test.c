/* Tests a channel with two backends, bare REP sockets on which the test chooses every reply. */
#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "rpc/channel_state.h"
#include "rpc/client_testing.h"
#include "rpc/envelope.h"
#include "rpc/rpc_testing.h"

#include "grpc/health/v1/health.pb-c.h"

enum { PAIR = 2 };

struct pair {
    char folder[64];
    char addresses[PAIR][96];
    char list[256];
    nng_socket sockets[PAIR];
    struct rpc_channel *channel;
    struct rpc_client *client;
};

static const struct retry_options RETRY = {.percent = 100, .min_per_s = 10};

static void listen_at(struct pair *pair, int i)
{
    assert_int_equal(nng_rep0_open(&pair->sockets[i]), 0);
    assert_int_equal(nng_socket_set_ms(pair->sockets[i], NNG_OPT_RECVTIMEO, 5), 0);
    assert_int_equal(nng_listen(pair->sockets[i], pair->addresses[i], NULL, 0), 0);
}

static void pair_open(struct pair *pair, struct rpc_channel_options options)
{
    (void)snprintf(pair->folder, sizeof pair->folder, "/tmp/rpc-test-XXXXXX");
    assert_non_null(mkdtemp(pair->folder));
    for (int i = 0; i < PAIR; i++) {
        (void)snprintf(pair->addresses[i], sizeof pair->addresses[i], "ipc://%s/%d", pair->folder, i);
        listen_at(pair, i);
    }
    (void)snprintf(pair->list, sizeof pair->list, "%s,%s", pair->addresses[0], pair->addresses[1]);
    options.address = pair->list;
    struct error error;
    assert_int_equal(rpc_channel_open(&options, &pair->channel, &error), STATUS_OK);
    pair->client = test_create_client(pair->channel);
    assert_soon(atomic_load(&pair->channel->connections) == PAIR);
}

static void pair_close(struct pair *pair)
{
    rpc_client_destroy(pair->client);
    rpc_channel_close(pair->channel);
    for (int i = 0; i < PAIR; i++) {
        char path[96];
        nng_close(pair->sockets[i]);
        (void)snprintf(path, sizeof path, "%s/%d", pair->folder, i);
        (void)unlink(path); /* nng has already removed it */
    }
    assert_int_equal(rmdir(pair->folder), 0);
}

/* Receives the next request at either backend. Sets *at to the backend, and *timeout_ms (may be NULL). */
static nng_msg *receive(struct pair *pair, int *at, uint32_t *timeout_ms)
{
    nng_msg *msg = NULL;
    int64_t until_ms = test_now_ms() + TEST_PATIENCE_MS;
    for (*at = 0; nng_recvmsg(pair->sockets[*at], &msg, 0) != 0; *at = (*at + 1) % PAIR)
        assert_true(test_now_ms() < until_ms);
    Rpc__V1__Request *request = rpc__v1__request__unpack(NULL, nng_msg_len(msg), nng_msg_body(msg));
    assert_non_null(request);
    if (timeout_ms != NULL)
        *timeout_ms = request->timeout_ms;
    rpc__v1__request__free_unpacked(request, NULL);
    return msg;
}

static void send_body(struct pair *pair, int at, nng_msg *request, nng_msg *body)
{
    assert_non_null(body);
    nng_msg_clear(request);
    assert_int_equal(nng_msg_append(request, nng_msg_body(body), nng_msg_len(body)), 0);
    nng_msg_free(body);
    assert_int_equal(nng_sendmsg(pair->sockets[at], request, 0), 0);
}

static void answer(struct pair *pair, int at, nng_msg *request, enum status status, const char *reason,
                   uint32_t retry_after_ms)
{
    struct error error;
    (void)error_set(&error, status, reason, "as the test wished");
    error.retry_after_ms = retry_after_ms;
    send_body(pair, at, request, rpc_envelope_error(&error));
}

static void lose(nng_msg *request)
{
    assert_int_equal(nng_pipe_close(nng_msg_get_pipe(request)), 0);
    nng_msg_free(request);
}

/* Receives the next request, which must arrive at the other backend than `at`, and answers it. */
static void answer_at_other(struct pair *pair, int at)
{
    int other;
    nng_msg *msg = receive(pair, &other, NULL);
    assert_int_equal(other, 1 - at);
    answer(pair, other, msg, STATUS_NOT_FOUND, NULL, 0);
}

static size_t in_flight(struct pair *pair, int slot)
{
    pthread_mutex_lock(&pair->channel->mutex);
    size_t count = pair->channel->balance.marks[slot].in_flight;
    pthread_mutex_unlock(&pair->channel->mutex);
    return count;
}

static bool is_ejected(struct pair *pair, int slot)
{
    pthread_mutex_lock(&pair->channel->mutex);
    bool ejected = pair->channel->balance.marks[slot].ejected_until_ns != 0;
    pthread_mutex_unlock(&pair->channel->mutex);
    return ejected;
}

/* ---- the choice ---- */

static void test_backends_call_goes_to_the_one_with_fewer_in_flight(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair, (struct rpc_channel_options){.peer = "paired"});
    struct test_pending first = {.call = {.timeout_ms = 30000}};
    test_begin_get(pair.client, "x", &first);
    int busy;
    nng_msg *held = receive(&pair, &busy, NULL);
    for (int i = 0; i < 20; i++) {
        struct test_pending pending = {.call = {.timeout_ms = 30000}};
        test_begin_get(pair.client, "x", &pending);
        answer_at_other(&pair, busy);
        test_assert_outcome(&pending, STATUS_NOT_FOUND, true);
        assert_soon(in_flight(&pair, 1 - busy) == 0);
    }
    assert_int_equal(in_flight(&pair, busy), 1);
    answer(&pair, busy, held, STATUS_NOT_FOUND, NULL, 0);
    test_assert_outcome(&first, STATUS_NOT_FOUND, true);
    pair_close(&pair);
}

/* ---- another backend at once ---- */

/* Makes one call that is not idempotent, which the first backend refuses. */
static void assert_refusal_is_served_by_the_other(const char *reason, bool unguarded)
{
    struct pair pair;
    pair_open(&pair, (struct rpc_channel_options){.peer = "refusing"});
    struct test_pending pending = {.call = {.timeout_ms = 30000, .unguarded = unguarded}};
    test_begin_get(pair.client, "x", &pending);
    int at;
    nng_msg *msg = receive(&pair, &at, NULL);
    int64_t begin_ms = test_now_ms();
    answer(&pair, at, msg, STATUS_UNAVAILABLE, reason, 20000);
    answer_at_other(&pair, at);
    test_assert_outcome(&pending, STATUS_NOT_FOUND, true);
    assert_true(test_now_ms() - begin_ms < 10000); /* the pause that the reply asked for is not kept */
    pair_close(&pair);
}

static void test_backends_refused_call_goes_to_the_other_at_once(void **state)
{
    (void)state;
    assert_refusal_is_served_by_the_other("DRAINING", false);
    assert_refusal_is_served_by_the_other("DRAINING", true);
    assert_refusal_is_served_by_the_other("NOT_READY", false);
    assert_refusal_is_served_by_the_other("NOT_READY", true);
}

static void test_backends_draining_one_gets_no_call(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair, (struct rpc_channel_options){.calls_max = 0});
    struct test_pending pending = {.call = {.timeout_ms = 30000}};
    test_begin_get(pair.client, "x", &pending);
    int draining;
    nng_msg *msg = receive(&pair, &draining, NULL);
    answer(&pair, draining, msg, STATUS_UNAVAILABLE, "DRAINING", 10000);
    answer_at_other(&pair, draining);
    test_assert_outcome(&pending, STATUS_NOT_FOUND, true);
    for (int i = 0; i < 20; i++) {
        struct test_pending next = {.call = {.timeout_ms = 30000}};
        test_begin_get(pair.client, "x", &next);
        answer_at_other(&pair, draining);
        test_assert_outcome(&next, STATUS_NOT_FOUND, true);
    }
    pair_close(&pair);
}

static void test_backends_both_refuse_and_the_call_fails_without_a_third_try(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair, (struct rpc_channel_options){.calls_max = 0});
    struct test_pending pending = {.call = {.timeout_ms = 30000}};
    test_begin_get(pair.client, "x", &pending);
    int at, other;
    nng_msg *msg = receive(&pair, &at, NULL);
    answer(&pair, at, msg, STATUS_UNAVAILABLE, "NOT_READY", 0);
    msg = receive(&pair, &other, NULL);
    assert_int_equal(other, 1 - at);
    answer(&pair, other, msg, STATUS_UNAVAILABLE, "NOT_READY", 0);
    test_assert_outcome(&pending, STATUS_UNAVAILABLE, true);
    assert_string_equal(pending.call.error.reason, "NOT_READY");
    pair_close(&pair);
}

/* ---- an unknown outcome ---- */

static void test_backends_lost_call_goes_to_the_other_if_idempotent(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair, (struct rpc_channel_options){.calls_max = 0});
    int at;
    struct test_pending pending = {.call = {.timeout_ms = 30000, .idempotent = true, .unguarded = true}};
    test_begin_get(pair.client, "x", &pending);
    lose(receive(&pair, &at, NULL));
    answer_at_other(&pair, at);
    test_assert_outcome(&pending, STATUS_NOT_FOUND, true);
    assert_soon(atomic_load(&pair.channel->connections) == PAIR);
    struct test_pending once = {.call = {.timeout_ms = 30000}};
    test_begin_get(pair.client, "x", &once);
    lose(receive(&pair, &at, NULL));
    test_assert_outcome(&once, STATUS_UNAVAILABLE, true);
    assert_non_null(strstr(once.call.error.message, "lost the connection to"));
    pair_close(&pair);
}

/* After an attempt that may have been executed, "not executed" from the other backend would be wrong. */
static void test_backends_refusal_after_a_lost_call_does_not_promise_anything(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair, (struct rpc_channel_options){.calls_max = 0});
    int at;
    struct test_pending pending = {.call = {.timeout_ms = 30000, .idempotent = true}};
    test_begin_get(pair.client, "x", &pending);
    lose(receive(&pair, &at, NULL));
    nng_msg *msg = receive(&pair, &at, NULL);
    answer(&pair, at, msg, STATUS_UNAVAILABLE, "NOT_READY", 0);
    test_assert_outcome(&pending, STATUS_UNAVAILABLE, true);
    assert_string_equal(pending.call.error.reason, "");
    pair_close(&pair);
}

static void test_backends_silent_call_goes_to_the_other_after_half_of_its_budget(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair, (struct rpc_channel_options){.calls_max = 0});
    struct test_pending pending = {.call = {.timeout_ms = 2000, .idempotent = true}};
    int64_t begin_ms = test_now_ms();
    test_begin_get(pair.client, "x", &pending);
    int at, other;
    uint32_t budget_ms;
    nng_msg_free(receive(&pair, &at, &budget_ms));
    assert_int_equal(budget_ms, 2000);
    nng_msg *msg = receive(&pair, &other, &budget_ms);
    assert_int_equal(other, 1 - at);
    assert_true(test_now_ms() - begin_ms >= 990);
    assert_in_range(budget_ms, 1, 1010);
    answer(&pair, other, msg, STATUS_NOT_FOUND, NULL, 0);
    test_assert_outcome(&pending, STATUS_NOT_FOUND, true);
    /* A call that is not idempotent waits for its whole budget. */
    struct test_pending once = {.call = {.timeout_ms = 300}};
    test_begin_get(pair.client, "x", &once);
    nng_msg_free(receive(&pair, &at, NULL));
    test_assert_outcome(&once, STATUS_DEADLINE_EXCEEDED, true);
    nng_msg *none;
    assert_int_equal(nng_recvmsg(pair.sockets[1 - at], &none, 0), NNG_ETIMEDOUT);
    pair_close(&pair);
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
    struct pair pair;
    pair_open(&pair, (struct rpc_channel_options){.retry = RETRY});
    nng_close(pair.sockets[0]);
    for (int i = 0; i < 20; i++) { /* also before the channel has noticed */
        struct test_pending pending = {.call = {.timeout_ms = 30000, .idempotent = true}};
        test_begin_get(pair.client, "x", &pending);
        int64_t until_ms = test_now_ms() + TEST_PATIENCE_MS;
        nng_msg *msg;
        while (nng_recvmsg(pair.sockets[1], &msg, 0) != 0)
            assert_true(test_now_ms() < until_ms);
        answer(&pair, 1, msg, STATUS_NOT_FOUND, NULL, 0);
        test_assert_outcome(&pending, STATUS_NOT_FOUND, true);
    }
    listen_at(&pair, 0);
    assert_soon(atomic_load(&pair.channel->connections) == PAIR);
    pair_close(&pair);
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

/* ---- ejection ---- */

/* Answers a health check at the backend `at`. */
static void answer_check(struct pair *pair, int at,
                         Grpc__Health__V1__HealthCheckResponse__ServingStatus status)
{
    nng_msg *msg, *body;
    int64_t until_ms = test_now_ms() + TEST_PATIENCE_MS;
    while (nng_recvmsg(pair->sockets[at], &msg, 0) != 0)
        assert_true(test_now_ms() < until_ms);
    Rpc__V1__Request *request = rpc__v1__request__unpack(NULL, nng_msg_len(msg), nng_msg_body(msg));
    assert_string_equal(request->method, "grpc.health.v1.Health/Check");
    rpc__v1__request__free_unpacked(request, NULL);
    Grpc__Health__V1__HealthCheckResponse response = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;
    response.status = status;
    struct error error;
    assert_int_equal(rpc_envelope_response(&response.base, 1024, &body, &error), STATUS_OK);
    send_body(pair, at, msg, body);
}

static void test_backends_silent_one_is_ejected_and_returns_with_a_good_check(void **state)
{
    (void)state;
    enum { SILENT = 0 };
    struct pair pair;
    pair_open(&pair, (struct rpc_channel_options){.peer = "ejecting"});
    while (!is_ejected(&pair, SILENT)) {
        int at;
        struct test_pending pending = {.call = {.timeout_ms = 400, .idempotent = true}};
        test_begin_get(pair.client, "x", &pending);
        nng_msg *msg = receive(&pair, &at, NULL);
        if (at == SILENT) {
            nng_msg_free(msg);
            msg = receive(&pair, &at, NULL);
            assert_int_equal(at, 1 - SILENT);
        }
        answer(&pair, at, msg, STATUS_NOT_FOUND, NULL, 0);
        test_assert_outcome(&pending, STATUS_NOT_FOUND, true);
    }
    assert_int_equal(test_metric("rpc_backend_ejected_total"), 1);
    assert_int_equal(test_metric("rpc_backend_ejected"), 1);
    for (int i = 0; i < 10; i++) {
        struct test_pending pending = {.call = {.timeout_ms = 30000}};
        test_begin_get(pair.client, "x", &pending);
        answer_at_other(&pair, SILENT);
        test_assert_outcome(&pending, STATUS_NOT_FOUND, true);
    }
    answer_check(&pair, SILENT, GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__NOT_SERVING);
    answer_check(&pair, SILENT, GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING);
    assert_soon(!is_ejected(&pair, SILENT));
    assert_int_equal(test_metric("rpc_backend_ejected"), 0);
    pair_close(&pair);
}

/* ---- names ---- */

static void test_backends_name_is_resolved_and_dialled(void **state)
{
    (void)state;
    struct test_server server;
    test_server_init(&server);
    test_server_start(&server, NULL, true);
    rpc_server_serve(server.server);
    char list[256];
    (void)snprintf(list, sizeof list, "tcp://localhost%s,tcp://nothing.invalid:1",
                   strrchr(server.address, ':'));
    struct rpc_channel *channel = test_open_channel(list);
    struct rpc_client *client = test_create_client(channel);
    assert_soon(rpc_channel_connected(channel));
    test_assert_works(client);
    rpc_client_destroy(client);
    int64_t begin_ms = test_now_ms();
    rpc_channel_close(channel);
    assert_true(test_now_ms() - begin_ms < 4000); /* does not wait for the resolver */
    test_server_stop(&server);
}

static void test_backends_name_without_an_address_is_waited_for(void **state)
{
    (void)state;
    const struct rpc_channel_options options = {.address = "tcp://nothing.invalid:1", .peer = "nameless"};
    struct rpc_channel *channel;
    struct error error;
    assert_int_equal(rpc_channel_open(&options, &channel, &error), STATUS_OK);
    struct rpc_client *client = test_create_client(channel);
    struct rpc_client_call call = {.timeout_ms = 5000};
    assert_int_equal(test_get_and_wait(client, "x", &call, NULL), STATUS_UNAVAILABLE);
    assert_string_equal(call.error.message, "not connected to tcp://nothing.invalid:1");
    assert_false(call.left);
    assert_soon(test_metric("name_lookups_failed_total") > 0);
    rpc_client_destroy(client);
    rpc_channel_close(channel);
}

static void test_backends_connect_now_says_which_name_is_unknown(void **state)
{
    (void)state;
    const struct rpc_channel_options options = {.address = "tcp://nothing.invalid:1", .connect_now = true};
    struct rpc_channel *channel;
    struct error error;
    assert_int_equal(rpc_channel_open(&options, &channel, &error), STATUS_UNAVAILABLE);
    assert_non_null(strstr(error.message, "not connected to tcp://nothing.invalid:1: nothing.invalid: "));
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
        cmocka_unit_test(test_backends_draining_one_gets_no_call),
        cmocka_unit_test(test_backends_both_refuse_and_the_call_fails_without_a_third_try),
        cmocka_unit_test(test_backends_lost_call_goes_to_the_other_if_idempotent),
        cmocka_unit_test(test_backends_refusal_after_a_lost_call_does_not_promise_anything),
        cmocka_unit_test(test_backends_silent_call_goes_to_the_other_after_half_of_its_budget),
        cmocka_unit_test(test_backends_calls_succeed_while_one_is_down),
        cmocka_unit_test(test_backends_calls_during_a_loss_use_the_other_connection),
        cmocka_unit_test(test_backends_connect_now_needs_only_one),
        cmocka_unit_test(test_backends_silent_one_is_ejected_and_returns_with_a_good_check),
        cmocka_unit_test(test_backends_name_is_resolved_and_dialled),
        cmocka_unit_test(test_backends_name_without_an_address_is_waited_for),
        cmocka_unit_test(test_backends_connect_now_says_which_name_is_unknown),
        cmocka_unit_test(test_backends_wrong_list_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
