/* Tests a channel with a breaker, a bulkhead and retries against a failing server. */
#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "rpc/channel.h"
#include "rpc/channel_state.h"
#include "rpc/client_testing.h"
#include "rpc/envelope.h"
#include "rpc/guard.h"
#include "rpc/rpc_testing.h"

/* Longer than the time between two steps of a test, even on a busy machine. */
enum { OPEN_MS = 1000, RETRY_AFTER_MS = 1500 };

static const struct breaker_options BREAKER = {
    .window_ms = 10000, .min_calls = 4, .failure_percent = 50, .open_ms = OPEN_MS, .probes = 2};

/* A bare REP socket, on which the test chooses every reply, and a channel to it. */
struct scripted {
    char folder[64];
    char address[96];
    nng_socket socket;
    struct rpc_channel *channel;
    struct rpc_client *client;
};

static void scripted_open(struct scripted *scripted, struct rpc_channel_options options)
{
    (void)snprintf(scripted->folder, sizeof scripted->folder, "/tmp/rpc-test-XXXXXX");
    assert_non_null(mkdtemp(scripted->folder));
    (void)snprintf(scripted->address, sizeof scripted->address, "ipc://%s/rpc", scripted->folder);
    assert_int_equal(nng_rep0_open(&scripted->socket), 0);
    assert_int_equal(nng_socket_set_ms(scripted->socket, NNG_OPT_RECVTIMEO, TEST_PATIENCE_MS), 0);
    assert_int_equal(nng_listen(scripted->socket, scripted->address, NULL, 0), 0);
    options.address = scripted->address;
    struct error error;
    assert_int_equal(rpc_channel_open(&options, &scripted->channel, &error), STATUS_OK);
    scripted->client = test_create_client(scripted->channel);
    assert_soon(rpc_channel_connected(scripted->channel));
}

static void scripted_close(struct scripted *scripted)
{
    rpc_client_destroy(scripted->client);
    rpc_channel_close(scripted->channel);
    nng_close(scripted->socket);
    char path[96];
    (void)snprintf(path, sizeof path, "%s/rpc", scripted->folder);
    (void)unlink(path); /* nng has already removed it */
    assert_int_equal(rmdir(scripted->folder), 0);
}

/* Receives the next request. Unless `timeout_ms` is NULL, sets *timeout_ms to the request's budget. */
static nng_msg *receive(struct scripted *scripted, uint32_t *timeout_ms)
{
    nng_msg *msg;
    assert_int_equal(nng_recvmsg(scripted->socket, &msg, 0), 0);
    Rpc__V1__Request *request = rpc__v1__request__unpack(NULL, nng_msg_len(msg), nng_msg_body(msg));
    assert_non_null(request);
    assert_string_equal(request->method, TEST_GET_BOOKING);
    Screening__V1__GetBookingRequest *get =
        screening__v1__get_booking_request__unpack(NULL, request->payload.len, request->payload.data);
    assert_string_equal(get->booking_id, "x");
    if (timeout_ms != NULL)
        *timeout_ms = request->timeout_ms;
    screening__v1__get_booking_request__free_unpacked(get, NULL);
    rpc__v1__request__free_unpacked(request, NULL);
    return msg;
}

static void answer(struct scripted *scripted, nng_msg *request, enum status status, const char *reason,
                   uint32_t retry_after_ms)
{
    struct error error;
    (void)error_set(&error, status, reason, "as the test wished");
    error.retry_after_ms = retry_after_ms;
    nng_msg *msg = rpc_envelope_error(&error);
    assert_non_null(msg);
    nng_msg_clear(request);
    assert_int_equal(nng_msg_append(request, nng_msg_body(msg), nng_msg_len(msg)), 0);
    nng_msg_free(msg);
    assert_int_equal(nng_sendmsg(scripted->socket, request, 0), 0);
}

/* Makes a call and replies with `status`. A reply with OK holds a booking with default values. */
static void exchange(struct scripted *scripted, enum status status, const char *reason)
{
    struct test_pending pending = {.call = {.timeout_ms = 30000}};
    test_begin_get(scripted->client, "x", &pending);
    answer(scripted, receive(scripted, NULL), status, reason, 0);
    test_assert_outcome(&pending, status, true);
}

/* ---- breaker ---- */

static void open_breaker(struct scripted *scripted)
{
    for (int i = 0; i < 4; i++)
        exchange(scripted, i % 2 == 0 ? STATUS_UNAVAILABLE : STATUS_INTERNAL, NULL);
}

static void test_resilience_breaker_open_answers_without_the_server_then_probes_and_closes(void **state)
{
    (void)state;
    struct scripted scripted;
    scripted_open(&scripted, (struct rpc_channel_options){.breaker = BREAKER, .peer = "opening"});
    int64_t opened_before = test_metric("rpc_breaker_opened_total");
    open_breaker(&scripted);
    assert_int_equal(test_metric("rpc_breaker_opened_total"), opened_before + 1);
    struct rpc_client_call call = {.timeout_ms = 30000};
    assert_int_equal(test_get_and_wait(scripted.client, "refused", &call, NULL), STATUS_UNAVAILABLE);
    assert_string_equal(call.error.reason, "BREAKER_OPEN");
    assert_in_range(call.error.retry_after_ms, 1, OPEN_MS);
    assert_false(call.left);
    assert_soon(rpc_guard_wait_ms(rpc_channel_guard(scripted.channel)) == 0);

    /* Two of three concurrent calls are probes. */
    struct test_pending pending[3];
    for (int i = 0; i < 3; i++) {
        pending[i] = (struct test_pending){.call = {.timeout_ms = 30000}};
        test_begin_get(scripted.client, "x", &pending[i]);
    }
    test_assert_outcome(&pending[2], STATUS_UNAVAILABLE, false);
    assert_string_equal(pending[2].call.error.reason, "BREAKER_OPEN");
    nng_msg *first = receive(&scripted, NULL);
    answer(&scripted, first, STATUS_FAILED_PRECONDITION, "SOLD_OUT", 0);
    nng_msg *second = receive(&scripted, NULL);
    answer(&scripted, second, STATUS_NOT_FOUND, NULL, 0);
    assert_soon(atomic_load(&pending[0].answers) == 1 && atomic_load(&pending[1].answers) == 1);
    assert_int_equal(test_metric("rpc_breaker_closed_total"), 1);
    assert_int_equal(rpc_guard_room(rpc_channel_guard(scripted.channel)), SIZE_MAX);
    exchange(&scripted, STATUS_NOT_FOUND, NULL);
    assert_int_equal(test_metric("rpc_calls_refused_by_breaker_total"), 2);
    assert_int_equal(test_metric("rpc_calls_in_flight"), 0);
    scripted_close(&scripted);
}

static void test_resilience_refusals_and_overload_never_open_the_breaker(void **state)
{
    (void)state;
    struct scripted scripted;
    scripted_open(&scripted, (struct rpc_channel_options){.breaker = BREAKER});
    for (int i = 0; i < 20; i++) {
        exchange(&scripted, STATUS_FAILED_PRECONDITION, "SOLD_OUT");
        exchange(&scripted, STATUS_RESOURCE_EXHAUSTED, "OVERLOADED");
        exchange(&scripted, STATUS_UNAVAILABLE, "NOT_READY");
    }
    assert_int_equal(rpc_guard_room(rpc_channel_guard(scripted.channel)), SIZE_MAX);
    scripted_close(&scripted);
}

static void test_resilience_hurried_callers_do_not_open_the_breaker(void **state)
{
    (void)state;
    struct scripted scripted;
    struct breaker_options breaker = BREAKER;
    breaker.fair_ms = 100;
    scripted_open(&scripted, (struct rpc_channel_options){.breaker = breaker});
    for (int i = 0; i < 8; i++) {
        struct rpc_client_call call = {.timeout_ms = 5};
        enum status status = test_get_and_wait(scripted.client, "x", &call, NULL);
        assert_true(status == STATUS_DEADLINE_EXCEEDED || !call.left);
    }
    assert_int_equal(rpc_guard_room(rpc_channel_guard(scripted.channel)), SIZE_MAX);
    for (int i = 0; i < 4; i++) {
        struct rpc_client_call call = {.timeout_ms = 400};
        (void)test_get_and_wait(scripted.client, "x", &call, NULL);
    }
    assert_int_equal(rpc_guard_room(rpc_channel_guard(scripted.channel)), 0);
    scripted_close(&scripted);
}

static void test_resilience_unguarded_calls_pass_an_open_breaker_and_do_not_count(void **state)
{
    (void)state;
    struct scripted scripted;
    scripted_open(&scripted, (struct rpc_channel_options){.breaker = BREAKER});
    for (int i = 0; i < 8; i++) {
        struct test_pending pending = {.call = {.timeout_ms = 30000, .unguarded = true}};
        test_begin_get(scripted.client, "x", &pending);
        answer(&scripted, receive(&scripted, NULL), STATUS_INTERNAL, NULL, 0);
        test_assert_outcome(&pending, STATUS_INTERNAL, true);
    }
    open_breaker(&scripted); /* the breaker is still closed here */
    struct test_pending pending = {.call = {.timeout_ms = 30000, .unguarded = true}};
    test_begin_get(scripted.client, "x", &pending);
    answer(&scripted, receive(&scripted, NULL), STATUS_NOT_FOUND, NULL, 0);
    test_assert_outcome(&pending, STATUS_NOT_FOUND, true);
    scripted_close(&scripted);
}

/* ---- retries ---- */

static const struct retry_options RETRY = {.percent = 10, .min_per_s = 10};

static void test_resilience_idempotent_call_is_sent_again_with_its_remaining_budget(void **state)
{
    (void)state;
    struct scripted scripted;
    scripted_open(&scripted, (struct rpc_channel_options){.retry = RETRY, .peer = "retried"});
    struct test_pending pending = {.call = {.timeout_ms = 20000, .idempotent = true}};
    test_begin_get(scripted.client, "x", &pending);
    uint32_t last_ms = 20001;
    for (int i = 0; i < 5; i++) {
        uint32_t timeout_ms;
        nng_msg *msg = receive(&scripted, &timeout_ms);
        assert_true(timeout_ms < last_ms && timeout_ms > 0);
        last_ms = timeout_ms;
        if (i == 2) { /* the connection is lost, and the call may have been executed */
            assert_int_equal(nng_pipe_close(nng_msg_get_pipe(msg)), 0);
            nng_msg_free(msg);
        } else {
            answer(&scripted, msg, i < 4 ? STATUS_UNAVAILABLE : STATUS_NOT_FOUND, NULL, 0);
        }
    }
    test_assert_outcome(&pending, STATUS_NOT_FOUND, true);
    assert_true(test_metric("rpc_retries_total") >= 4);
    scripted_close(&scripted);
}

static void test_resilience_call_that_may_have_been_executed_is_not_sent_again(void **state)
{
    (void)state;
    struct scripted scripted;
    scripted_open(&scripted, (struct rpc_channel_options){.retry = RETRY});
    struct test_pending pending = {.call = {.timeout_ms = 30000}};
    test_begin_get(scripted.client, "x", &pending);
    answer(&scripted, receive(&scripted, NULL), STATUS_UNAVAILABLE, NULL, 0);
    test_assert_outcome(&pending, STATUS_UNAVAILABLE, true);
    /* A temporarily refused call was not executed, so it is sent again. */
    struct test_pending refused = {.call = {.timeout_ms = 30000}};
    test_begin_get(scripted.client, "x", &refused);
    int64_t begin_ms = test_now_ms();
    answer(&scripted, receive(&scripted, NULL), STATUS_RESOURCE_EXHAUSTED, "OVERLOADED", 50);
    nng_msg *again = receive(&scripted, NULL);
    assert_true(test_now_ms() - begin_ms >= 50);
    answer(&scripted, again, STATUS_NOT_FOUND, NULL, 0);
    test_assert_outcome(&refused, STATUS_NOT_FOUND, true);
    scripted_close(&scripted);
}

/* After a sleep, nng reports a timeout of the same aio as success (expiring_aio.h). */
static void test_resilience_silence_after_a_pause_is_deadline_exceeded(void **state)
{
    (void)state;
    struct scripted scripted;
    scripted_open(&scripted, (struct rpc_channel_options){.retry = RETRY});
    struct test_pending pending = {.call = {.timeout_ms = 1000, .idempotent = true}};
    test_begin_get(scripted.client, "x", &pending);
    answer(&scripted, receive(&scripted, NULL), STATUS_UNAVAILABLE, NULL, 0);
    nng_msg_free(receive(&scripted, NULL));
    test_assert_outcome(&pending, STATUS_DEADLINE_EXCEEDED, true);
    struct test_pending next = {.call = {.timeout_ms = 100}}; /* reuses the exchange */
    test_begin_get(scripted.client, "x", &next);
    nng_msg_free(receive(&scripted, NULL));
    test_assert_outcome(&next, STATUS_DEADLINE_EXCEEDED, true);
    scripted_close(&scripted);
}

static void test_resilience_retry_that_does_not_fit_into_the_budget_is_not_waited_for(void **state)
{
    (void)state;
    struct scripted scripted;
    scripted_open(&scripted, (struct rpc_channel_options){.retry = RETRY});
    struct test_pending pending = {.call = {.timeout_ms = 10000}};
    test_begin_get(scripted.client, "x", &pending);
    int64_t begin_ms = test_now_ms();
    answer(&scripted, receive(&scripted, NULL), STATUS_RESOURCE_EXHAUSTED, "OVERLOADED", 30000);
    test_assert_outcome(&pending, STATUS_RESOURCE_EXHAUSTED, true);
    assert_true(test_now_ms() - begin_ms < 10000);
    scripted_close(&scripted);
}

static void test_resilience_spent_retry_budget_ends_the_call(void **state)
{
    (void)state;
    struct scripted scripted;
    const struct retry_options none_in_time = {.percent = 1};
    scripted_open(&scripted, (struct rpc_channel_options){.retry = none_in_time});
    struct rpc_guard *guard = rpc_channel_guard(scripted.channel);
    while (rpc_guard_take_retry(guard)) {
    }
    struct test_pending pending = {.call = {.timeout_ms = 30000, .idempotent = true}};
    test_begin_get(scripted.client, "x", &pending);
    answer(&scripted, receive(&scripted, NULL), STATUS_UNAVAILABLE, NULL, 0);
    test_assert_outcome(&pending, STATUS_UNAVAILABLE, true);
    scripted_close(&scripted);
}

static void test_resilience_close_ends_a_call_that_pauses(void **state)
{
    (void)state;
    struct scripted scripted;
    scripted_open(&scripted, (struct rpc_channel_options){.retry = RETRY, .peer = "pausing"});
    int64_t retries = test_metric("rpc_retries_total");
    struct test_pending pending = {.call = {.timeout_ms = 60000}};
    test_begin_get(scripted.client, "x", &pending);
    answer(&scripted, receive(&scripted, NULL), STATUS_RESOURCE_EXHAUSTED, "OVERLOADED", 30000);
    assert_soon(test_metric("rpc_retries_total") > retries);
    scripted_close(&scripted);
    assert_int_equal(atomic_load(&pending.answers), 1);
}

/* ---- a server that drains ---- */

/* Returns how long the server must still be left alone, apart from its connection. */
static uint32_t pause_ms(struct scripted *scripted)
{
    struct rpc_channel *channel = scripted->channel;
    pthread_mutex_lock(&channel->mutex);
    uint32_t ms = balance_pause_ms(&channel->balance.marks[0], 0, clock_monotonic_ns());
    pthread_mutex_unlock(&channel->mutex);
    return ms;
}

static void test_resilience_draining_server_is_left_alone_by_every_call(void **state)
{
    (void)state;
    struct scripted scripted;
    scripted_open(&scripted, (struct rpc_channel_options){.retry = RETRY});
    struct test_pending pending = {.call = {.timeout_ms = 30000}};
    test_begin_get(scripted.client, "x", &pending);
    int64_t begin_ms = test_now_ms();
    nng_msg *refused = receive(&scripted, NULL);
    nng_pipe connection = nng_msg_get_pipe(refused);
    answer(&scripted, refused, STATUS_UNAVAILABLE, "DRAINING", RETRY_AFTER_MS);
    assert_soon(pause_ms(&scripted) > 0);

    struct rpc_client_call unguarded = {.timeout_ms = 30000, .unguarded = true};
    enum status status = test_get_and_wait(scripted.client, "refused", &unguarded, NULL);
    assert_int_equal(status, STATUS_UNAVAILABLE);
    assert_string_equal(unguarded.error.reason, "DRAINING");
    assert_in_range(unguarded.error.retry_after_ms, 1, RETRY_AFTER_MS);
    assert_false(unguarded.left);

    struct test_pending waiting = {.call = {.timeout_ms = 30000}};
    test_begin_get(scripted.client, "x", &waiting);
    assert_soon(pause_ms(&scripted) == 0);
    assert_true(test_now_ms() - begin_ms >= RETRY_AFTER_MS);
    /* The pause is over, but the server may still close this connection while a request is in transit. */
    nng_msg *early;
    assert_int_equal(nng_socket_set_ms(scripted.socket, NNG_OPT_RECVTIMEO, 100), 0);
    assert_int_equal(nng_recvmsg(scripted.socket, &early, 0), NNG_ETIMEDOUT);
    assert_int_equal(nng_socket_set_ms(scripted.socket, NNG_OPT_RECVTIMEO, TEST_PATIENCE_MS), 0);
    assert_int_equal(nng_pipe_close(connection), 0);
    for (int i = 0; i < 2; i++) {
        nng_msg *msg = receive(&scripted, NULL);
        assert_int_not_equal(nng_pipe_id(nng_msg_get_pipe(msg)), nng_pipe_id(connection));
        answer(&scripted, msg, STATUS_NOT_FOUND, NULL, 0);
    }
    test_assert_outcome(&pending, STATUS_NOT_FOUND, true);
    test_assert_outcome(&waiting, STATUS_NOT_FOUND, true);
    scripted_close(&scripted);
}

/* ---- bulkhead ---- */

static void test_resilience_bulkhead_refuses_here_and_has_room_again(void **state)
{
    (void)state;
    struct scripted scripted;
    scripted_open(&scripted, (struct rpc_channel_options){.calls_max = 2, .peer = "bounded"});
    struct test_pending pending[2];
    for (int i = 0; i < 2; i++) {
        pending[i] = (struct test_pending){.call = {.timeout_ms = 30000}};
        test_begin_get(scripted.client, "x", &pending[i]);
    }
    struct rpc_client_call call = {.timeout_ms = 30000};
    assert_int_equal(test_get_and_wait(scripted.client, "x", &call, NULL), STATUS_RESOURCE_EXHAUSTED);
    assert_string_equal(call.error.reason, "CALLS_MAX");
    assert_false(call.left);
    assert_int_equal(test_metric("rpc_calls_refused_by_bulkhead_total"), 1);
    for (int i = 0; i < 2; i++)
        answer(&scripted, receive(&scripted, NULL), STATUS_NOT_FOUND, NULL, 0);
    test_assert_outcome(&pending[0], STATUS_NOT_FOUND, true);
    test_assert_outcome(&pending[1], STATUS_NOT_FOUND, true);
    assert_soon(test_metric("rpc_calls_in_flight") == 0);
    exchange(&scripted, STATUS_NOT_FOUND, NULL);
    scripted_close(&scripted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_resilience_breaker_open_answers_without_the_server_then_probes_and_closes),
        cmocka_unit_test(test_resilience_refusals_and_overload_never_open_the_breaker),
        cmocka_unit_test(test_resilience_hurried_callers_do_not_open_the_breaker),
        cmocka_unit_test(test_resilience_unguarded_calls_pass_an_open_breaker_and_do_not_count),
        cmocka_unit_test(test_resilience_idempotent_call_is_sent_again_with_its_remaining_budget),
        cmocka_unit_test(test_resilience_call_that_may_have_been_executed_is_not_sent_again),
        cmocka_unit_test(test_resilience_silence_after_a_pause_is_deadline_exceeded),
        cmocka_unit_test(test_resilience_retry_that_does_not_fit_into_the_budget_is_not_waited_for),
        cmocka_unit_test(test_resilience_spent_retry_budget_ends_the_call),
        cmocka_unit_test(test_resilience_close_ends_a_call_that_pauses),
        cmocka_unit_test(test_resilience_draining_server_is_left_alone_by_every_call),
        cmocka_unit_test(test_resilience_bulkhead_refuses_here_and_has_room_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
