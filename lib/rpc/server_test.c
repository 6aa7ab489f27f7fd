#include <stdatomic.h>
#include <string.h>

#include "base/clock.h"
#include "rpc/rpc_testing.h"
#include "rpc/server.h"
#include "rpc/wire.h"

static void assert_echo(nng_socket client, const char *booking_id)
{
    Rpc__V1__Response *response = test_get(client, booking_id, 0);
    assert_int_equal(response->code, STATUS_OK);
    Screening__V1__Booking *booking =
        screening__v1__booking__unpack(NULL, response->payload.len, response->payload.data);
    assert_non_null(booking);
    assert_string_equal(booking->booking_id, booking_id);
    screening__v1__booking__free_unpacked(booking, NULL);
    rpc__v1__response__free_unpacked(response, NULL);
}

static void test_server_method_answers_with_its_response(void **state)
{
    (void)state;
    struct test_server server;
    test_server_serve(&server);
    nng_socket client = test_dial(server.address);
    assert_echo(client, "one");
    assert_echo(client, "");
    nng_close(client);
    test_server_stop(&server);
}

static void test_server_empty_payload_is_a_message_of_defaults(void **state)
{
    (void)state;
    struct test_server server;
    test_server_serve(&server);
    nng_socket client = test_dial(server.address);
    Rpc__V1__Response *response = test_ask(client, TEST_BOOKING_SERVICE "/ListBookings", NULL, 0, 0);
    assert_int_equal(response->payload.len, 0);
    test_assert_answer(response, STATUS_OK, "");
    nng_close(client);
    test_server_stop(&server);
}

static void test_server_error_travels_with_reason_and_retry_after(void **state)
{
    (void)state;
    struct test_server server;
    test_server_serve(&server);
    nng_socket client = test_dial(server.address);
    Rpc__V1__Response *response = test_get(client, "sold-out", 0);
    assert_int_equal(response->retry_after_ms, 7);
    assert_string_equal(response->reason, "SOLD_OUT");
    test_assert_answer(response, STATUS_FAILED_PRECONDITION, "as the test wished");
    nng_close(client);
    test_server_stop(&server);
}

static void test_server_unknown_method_is_unimplemented_and_named(void **state)
{
    (void)state;
    struct test_server server;
    test_server_serve(&server);
    nng_socket client = test_dial(server.address);
    test_assert_answer(test_ask(client, TEST_BOOKING_SERVICE "/Nothing", NULL, 0, 0), STATUS_UNIMPLEMENTED,
                       "no method " TEST_BOOKING_SERVICE "/Nothing here");
    test_assert_answer(test_ask(client, "screening.v1.Booking/GetBooking", NULL, 0, 0), STATUS_UNIMPLEMENTED,
                       "no service screening.v1.Booking here");
    test_assert_answer(test_ask(client, "screening.v1.bookingservice/GetBooking", NULL, 0, 0),
                       STATUS_UNIMPLEMENTED, "no service screening.v1.bookingservice here");
    test_assert_answer(test_ask(client, "", NULL, 0, 0), STATUS_UNIMPLEMENTED,
                       "method: \"\" is not SERVICE/METHOD");
    assert_int_equal(test_server_invoked(&server), 0);
    nng_close(client);
    test_server_stop(&server);
}

static void test_server_garbage_is_invalid_argument(void **state)
{
    (void)state;
    struct test_server server;
    test_server_serve(&server);
    nng_socket client = test_dial(server.address);
    test_assert_answer(test_ask_bytes(client, "GET / HTTP/1.1\r\n", 16), STATUS_INVALID_ARGUMENT,
                       "payload: not a valid rpc.v1.Request");
    test_assert_answer(test_ask_bytes(client, "\x0a\x03\xff\xff\xff", 5), STATUS_INVALID_ARGUMENT,
                       "method: must be valid UTF-8 without NUL");
    test_assert_answer(test_ask(client, TEST_GET_BOOKING, "\x0a\x7f", 2, 0), STATUS_INVALID_ARGUMENT,
                       "payload: not a valid screening.v1.GetBookingRequest");
    test_assert_answer(test_ask(client, TEST_GET_BOOKING, "\x0a\x02\xc3\x28", 4, 0), STATUS_INVALID_ARGUMENT,
                       "booking_id: must be valid UTF-8 without NUL");
    test_assert_answer(test_ask(client, TEST_GET_BOOKING, "\x0a\x02h\0", 4, 0), STATUS_INVALID_ARGUMENT,
                       "booking_id: must be valid UTF-8 without NUL");
    test_assert_answer(test_ask(client, TEST_GET_BOOKING, NULL, 0, 60001), STATUS_INVALID_ARGUMENT,
                       "timeout_ms: must be at most 60000");
    assert_int_equal(test_server_invoked(&server), 0);
    assert_echo(client, "after all that");
    nng_close(client);
    test_server_stop(&server);
}

static void test_server_response_too_large_is_resource_exhausted(void **state)
{
    (void)state;
    struct test_server server;
    test_server_serve(&server);
    nng_socket client = test_dial(server.address);
    Rpc__V1__Response *response = test_get(client, "huge", 0);
    assert_non_null(strstr(response->message, "is larger than 1048576"));
    assert_int_equal(response->code, STATUS_RESOURCE_EXHAUSTED);
    rpc__v1__response__free_unpacked(response, NULL);
    nng_close(client);
    test_server_stop(&server);
}

static void test_server_hanging_method_is_answered_when_the_budget_ends(void **state)
{
    (void)state;
    struct test_server server;
    test_server_serve(&server);
    nng_socket client = test_dial(server.address);
    int64_t begin_ms = test_now_ms();
    test_assert_answer(test_get(client, "hold", 60), STATUS_DEADLINE_EXCEEDED, "the call's time is up");
    int64_t took_ms = test_now_ms() - begin_ms;
    assert_true(took_ms >= 60 && took_ms < 30000); /* without a budget the call would hang forever */
    assert_int_equal(rpc_server_in_flight(server.server), 0);
    assert_int_equal(test_server_held(&server), 1);
    /* The handler's reply comes too late and has no effect. */
    test_server_release(&server);
    assert_echo(client, "next");
    nng_close(client);
    test_server_stop(&server);
}

static void test_server_default_budget_is_the_servers(void **state)
{
    (void)state;
    struct test_server server;
    struct rpc_server_options options = {.program = "test-svc", .default_timeout_ms = 50};
    test_server_init(&server);
    test_server_start(&server, &options, false);
    rpc_server_serve(server.server);
    nng_socket client = test_dial(server.address);
    test_assert_answer(test_get(client, "hold", 0), STATUS_DEADLINE_EXCEEDED, "the call's time is up");
    nng_close(client);
    test_server_stop(&server);
}

static void test_server_late_handlers_do_not_use_up_its_slots(void **state)
{
    (void)state;
    struct test_server server;
    struct rpc_server_options options = {.program = "test-svc", .contexts = 2};
    test_server_init(&server);
    test_server_start(&server, &options, false);
    rpc_server_serve(server.server);
    nng_socket client = test_dial(server.address);
    for (int i = 0; i < 10; i++)
        test_assert_answer(test_get(client, "hold", 5), STATUS_DEADLINE_EXCEEDED, "the call's time is up");
    assert_int_equal(test_server_held(&server), 10);
    assert_echo(client, "still there");
    nng_close(client);
    test_server_stop(&server);
}

static void test_server_before_serve_only_health_and_introspection_answer(void **state)
{
    (void)state;
    struct test_server server;
    test_server_init(&server);
    test_server_start(&server, NULL, false);
    nng_socket client = test_dial(server.address);
    Rpc__V1__Response *response = test_get(client, "early", 0);
    assert_int_equal(response->retry_after_ms, 300);
    assert_string_equal(response->reason, "NOT_READY");
    test_assert_answer(response, STATUS_UNAVAILABLE, "test-svc is not ready yet");
    test_assert_health(client, "", TEST_NOT_SERVING);
    rpc_server_serve(server.server);
    test_assert_health(client, "", TEST_SERVING);
    assert_echo(client, "in time");
    assert_int_equal(test_server_invoked(&server), 1);
    nng_close(client);
    test_server_stop(&server);
}

/* ---- addresses ---- */

static void assert_refused(const char *address)
{
    struct rpc_server_options options = {.address = address, .program = "test-svc"};
    struct rpc_server *server;
    struct error error;
    assert_int_equal(rpc_server_open(&options, &server, &error), STATUS_INVALID_ARGUMENT);
    assert_int_equal(strncmp(error.message, "rpc-listen: ", 12), 0);
}

static void test_server_wrong_or_taken_address_is_refused(void **state)
{
    (void)state;
    struct test_server server;
    test_server_init(&server);
    test_server_start(&server, NULL, true);
    assert_refused(server.address);
    assert_refused("tcp:/127.0.0.1:1");
    assert_refused("nonsense");
    assert_refused("tcp://127.0.0.1:99999");
    assert_refused("ipc:///no/such/folder/rpc");
    test_server_stop(&server);
}

static void test_server_close_without_start_is_clean(void **state)
{
    (void)state;
    struct rpc_server_options options = {.address = "inproc://never-started", .program = "test-svc"};
    struct rpc_server *server;
    struct error error;
    assert_int_equal(rpc_server_open(&options, &server, &error), STATUS_OK);
    rpc_server_close(server);
    rpc_server_close(NULL);
}

/* ---- draining ---- */

struct drain {
    struct rpc_server *server;
    uint32_t grace_ms;
    _Atomic bool done;
    bool all_answered;
};

static void *drain_thread(void *context)
{
    struct drain *drain = context;
    drain->all_answered = rpc_server_drain(drain->server, drain->grace_ms);
    atomic_store(&drain->done, true);
    return NULL;
}

static bool is_refused(nng_socket client)
{
    Rpc__V1__Response *response = test_get(client, "x", 0);
    bool refused = response->code == STATUS_UNAVAILABLE;
    rpc__v1__response__free_unpacked(response, NULL);
    return refused;
}

/* Starts a call from `holder` and waits until the handler holds `count` calls. */
static void hold_as(struct test_server *server, nng_socket holder, size_t count)
{
    uint8_t request[128];
    uint8_t *end = wire_put_bytes(request, 1, TEST_GET_BOOKING, strlen(TEST_GET_BOOKING));
    end = wire_put_bytes(end, 2, "\x0a\x04hold", 6);
    end = wire_put_varint_field(end, 3, 30000);
    assert_int_equal(nng_send(holder, request, (size_t)(end - request), 0), 0);
    assert_soon(test_server_held(server) == count);
}

static void hold(struct test_server *server, nng_socket holder)
{
    hold_as(server, holder, 1);
}

static void assert_answered(nng_socket holder)
{
    nng_msg *answer;
    assert_int_equal(nng_recvmsg(holder, &answer, 0), 0);
    nng_msg_free(answer);
}

/* Covers both cases: many replies, sent by the outbox's thread, and few, sent by the calling thread. */
static void test_server_answers_held_back_are_sent_together(void **state)
{
    enum { MANY = 20, FEW = 2 };
    (void)state;
    struct test_server server;
    test_server_serve(&server);
    nng_socket holders[MANY];
    for (size_t i = 0; i < MANY; i++)
        holders[i] = test_dial(server.address);
    for (int round = 0; round < 20; round++) {
        size_t count = round % 2 == 0 ? MANY : FEW;
        for (size_t i = 0; i < count; i++)
            hold_as(&server, holders[i], i + 1);
        rpc_server_hold_answers(server.server);
        test_server_release(&server);
        assert_int_equal(rpc_server_in_flight(server.server), count); /* no reply has been sent */
        rpc_server_send_answers(server.server);
        for (size_t i = 0; i < count; i++)
            assert_answered(holders[i]);
    }
    for (size_t i = 0; i < MANY; i++)
        nng_close(holders[i]);
    test_server_stop(&server);
}

static void *send_thread(void *argument)
{
    struct test_server *server = argument;
    rpc_server_hold_answers(server->server);
    test_server_release(server);
    nng_msleep(2300); /* longer than a drain waits for new requests; now it waits only for these replies */
    rpc_server_send_answers(server->server);
    return NULL;
}

static void test_server_drain_waits_for_answers_held_back(void **state)
{
    enum { COUNT = 5 };
    (void)state;
    struct test_server server;
    test_server_serve(&server);
    nng_socket holders[COUNT];
    /* Receive immediately. When a connection ends, nng drops a reply if no receive is waiting for it. */
    nng_aio *answers[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        holders[i] = test_dial(server.address);
        hold_as(&server, holders[i], i + 1);
        assert_int_equal(nng_aio_alloc(&answers[i], NULL, NULL), 0);
        nng_recv_aio(holders[i], answers[i]);
    }
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, send_thread, &server), 0);
    assert_true(rpc_server_drain(server.server, 20000));
    assert_int_equal(pthread_join(thread, NULL), 0);
    for (size_t i = 0; i < COUNT; i++) {
        nng_aio_wait(answers[i]);
        assert_int_equal(nng_aio_result(answers[i]), 0);
        nng_msg_free(nng_aio_get_msg(answers[i]));
        nng_aio_free(answers[i]);
        nng_close(holders[i]);
    }
    test_server_stop(&server);
}

static void test_server_drain_refuses_new_calls_and_finishes_those_in_flight(void **state)
{
    (void)state;
    struct test_server server;
    test_server_serve(&server);
    nng_socket client = test_dial(server.address);
    nng_socket holder = test_dial(server.address);
    hold(&server, holder);

    struct drain drain = {.server = server.server, .grace_ms = 20000};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, drain_thread, &drain), 0);
    assert_soon(is_refused(client));
    Rpc__V1__Response *response = test_get(client, "x", 0);
    assert_string_equal(response->reason, "DRAINING");
    assert_int_equal(response->retry_after_ms, 300);
    test_assert_answer(response, STATUS_UNAVAILABLE, "test-svc is shutting down");
    test_assert_health(client, "", TEST_NOT_SERVING);
    nng_msleep(2300); /* longer than a drain waits for new requests; now it waits only for the held call */
    assert_false(atomic_load(&drain.done));

    test_server_release(&server);
    assert_answered(holder);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(drain.all_answered);
    nng_close(holder);
    nng_close(client);
    test_server_stop(&server);
}

/* The client that got the last reply may send another request, which must be refused. */
static void test_server_drain_waits_200_ms_for_the_client_answered_last(void **state)
{
    (void)state;
    struct test_server server;
    test_server_serve(&server);
    nng_socket holder = test_dial(server.address);
    hold(&server, holder);

    struct drain drain = {.server = server.server, .grace_ms = 20000};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, drain_thread, &drain), 0);
    nng_msleep(300); /* longer than the drain of an idle server takes */
    int64_t answered_ms = test_now_ms();
    test_server_release(&server);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(drain.all_answered);
    assert_true(test_now_ms() - answered_ms >= 199);
    nng_close(holder);
    test_server_stop(&server);
}

static void test_server_drain_gives_up_after_its_grace(void **state)
{
    (void)state;
    struct test_server server;
    test_server_serve(&server);
    nng_socket holder = test_dial(server.address);
    hold(&server, holder);
    assert_false(rpc_server_drain(server.server, 250));
    assert_int_equal(rpc_server_in_flight(server.server), 1);
    nng_close(holder);
    test_server_stop(&server);
}

static void test_server_idle_drain_takes_200_ms(void **state)
{
    (void)state;
    struct test_server server;
    test_server_serve(&server);
    enum { GRACE_MS = 60000 };
    int64_t begin_ms = test_now_ms();
    assert_true(rpc_server_drain(server.server, GRACE_MS));
    int64_t took_ms = test_now_ms() - begin_ms;
    assert_true(took_ms >= 199 && took_ms < GRACE_MS);
    test_server_stop(&server);
}

/* A refused client retries 300 ms later. By then its connection must be closed, not just closing. */
static void test_server_drained_has_closed_its_connections(void **state)
{
    (void)state;
    struct test_server server;
    test_server_serve(&server);
    nng_socket client = test_dial(server.address);
    nng_dialer late;
    test_assert_health(client, "", TEST_SERVING);
    assert_true(rpc_server_drain(server.server, 10000));
    assert_int_equal(nng_dial(client, server.address, &late, 0), NNG_ECONNREFUSED);
    nng_close(client);
    test_server_stop(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_server_method_answers_with_its_response),
        cmocka_unit_test(test_server_empty_payload_is_a_message_of_defaults),
        cmocka_unit_test(test_server_error_travels_with_reason_and_retry_after),
        cmocka_unit_test(test_server_unknown_method_is_unimplemented_and_named),
        cmocka_unit_test(test_server_garbage_is_invalid_argument),
        cmocka_unit_test(test_server_response_too_large_is_resource_exhausted),
        cmocka_unit_test(test_server_hanging_method_is_answered_when_the_budget_ends),
        cmocka_unit_test(test_server_default_budget_is_the_servers),
        cmocka_unit_test(test_server_late_handlers_do_not_use_up_its_slots),
        cmocka_unit_test(test_server_before_serve_only_health_and_introspection_answer),
        cmocka_unit_test(test_server_wrong_or_taken_address_is_refused),
        cmocka_unit_test(test_server_close_without_start_is_clean),
        cmocka_unit_test(test_server_answers_held_back_are_sent_together),
        cmocka_unit_test(test_server_drain_refuses_new_calls_and_finishes_those_in_flight),
        cmocka_unit_test(test_server_drain_waits_200_ms_for_the_client_answered_last),
        cmocka_unit_test(test_server_drain_gives_up_after_its_grace),
        cmocka_unit_test(test_server_idle_drain_takes_200_ms),
        cmocka_unit_test(test_server_drained_has_closed_its_connections),
        cmocka_unit_test(test_server_drain_waits_for_answers_held_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
