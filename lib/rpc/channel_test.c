#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rpc/channel.h"
#include "rpc/client_testing.h"
#include "rpc/rpc_testing.h"

enum { MANY_CALLS = 1000 };

static void test_channel_stub_delivers_the_response(void **state)
{
    (void)state;
    struct test_server server;
    test_server_serve(&server);
    struct rpc_channel *channel = test_open_channel(server.address);
    struct rpc_client *client = test_create_client(channel);
    struct test_pending pending = {.call = {.timeout_ms = 5000}};
    test_begin_get(client, "seven", &pending);
    test_assert_outcome(&pending, STATUS_OK, true);
    assert_string_equal(pending.booking_id, "seven");
    assert_true(rpc_channel_connected(channel));
    assert_string_equal(rpc_channel_address(channel), server.address);
    rpc_client_destroy(client);
    rpc_channel_close(channel);
    test_server_stop(&server);
}

static void test_channel_thousand_calls_at_once_get_their_own_answers(void **state)
{
    (void)state;
    struct test_server server;
    test_server_serve(&server);
    struct rpc_channel *channel = test_open_channel(server.address);
    struct rpc_client *client = test_create_client(channel);
    test_assert_works(client);
    struct test_pending *pending = calloc(MANY_CALLS, sizeof *pending);
    for (int i = 0; i < MANY_CALLS; i++) {
        pending[i].call.timeout_ms = 30000;
        char booking_id[32];
        (void)snprintf(booking_id, sizeof booking_id, "call-%d", i);
        test_begin_get(client, booking_id, &pending[i]);
    }
    size_t unsent = 0;
    for (int i = 0; i < MANY_CALLS; i++) {
        assert_soon(atomic_load(&pending[i].answers) == 1);
        if (!pending[i].call.left) {
            /*
             * On a busy machine, the connection may accept no message for 100 ms. The call then fails without
             * being executed.
             */
            unsent++;
            assert_int_equal(pending[i].call.error.status, STATUS_UNAVAILABLE);
            continue;
        }
        char booking_id[32];
        (void)snprintf(booking_id, sizeof booking_id, "call-%d", i);
        assert_int_equal(pending[i].call.error.status, STATUS_OK);
        assert_string_equal(pending[i].booking_id, booking_id);
    }
    assert_int_equal(test_server_invoked(&server), 1 + MANY_CALLS - unsent);
    free(pending);
    rpc_client_destroy(client);
    rpc_channel_close(channel);
    test_server_stop(&server);
}

static void test_channel_error_arrives_with_reason_and_retry_after(void **state)
{
    (void)state;
    struct test_server server;
    test_server_serve(&server);
    struct rpc_channel *channel = test_open_channel(server.address);
    struct rpc_client *client = test_create_client(channel);
    struct rpc_client_call call = {.timeout_ms = 5000};
    assert_int_equal(test_get_and_wait(client, "sold-out", &call, NULL), STATUS_FAILED_PRECONDITION);
    assert_string_equal(call.error.reason, "SOLD_OUT");
    assert_string_equal(call.error.message, "as the test wished");
    assert_int_equal(call.error.retry_after_ms, 7);
    assert_true(call.left);
    rpc_client_destroy(client);
    rpc_channel_close(channel);
    test_server_stop(&server);
}

static void test_channel_budget_and_metadata_travel_with_the_call(void **state)
{
    (void)state;
    struct test_server server;
    test_server_serve(&server);
    struct rpc_channel *channel = test_open_channel(server.address);
    struct rpc_client *client = test_create_client(channel);
    const char *traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    struct rpc_client_call call = {
        .timeout_ms = 5000, .traceparent = traceparent, .authorization = "Bearer x"};
    Screening__V1__GetBookingRequest request = SCREENING__V1__GET_BOOKING_REQUEST__INIT;
    request.booking_id = "trace";
    struct arena arena;
    arena_init(&arena);
    ProtobufCMessage *response;
    assert_int_equal(rpc_client_call_wait(client, "GetBooking", &request.base, &call, &arena, &response),
                     STATUS_OK);
    assert_string_equal(((Screening__V1__Booking *)response)->customer_name, traceparent);
    assert_string_equal(((Screening__V1__Booking *)response)->date, "Bearer x");
    arena_fini(&arena);

    struct rpc_client_call hanging = {.timeout_ms = 50};
    assert_int_equal(test_get_and_wait(client, "hold", &hanging, NULL), STATUS_DEADLINE_EXCEEDED);
    assert_true(hanging.left);
    /*
     * Wait for the server's own reply, because nng may hang if the connection is closed while a message is
     * arriving.
     */
    assert_soon(rpc_server_in_flight(server.server) == 0);
    test_assert_works(client);
    rpc_client_destroy(client);
    rpc_channel_close(channel);
    test_server_stop(&server);
}

/* The server's DEADLINE_EXCEEDED reply arrives just as the client's receive times out. */
static void test_channel_call_after_an_expired_one_has_its_own_budget(void **state)
{
    (void)state;
    struct test_server server;
    test_server_serve(&server);
    struct rpc_channel *channel = test_open_channel(server.address);
    struct rpc_client *client = test_create_client(channel);
    for (int i = 0; i < 300; i++) {
        struct rpc_client_call hanging = {.timeout_ms = 5};
        assert_int_not_equal(test_get_and_wait(client, "hold", &hanging, NULL), STATUS_OK);
        test_assert_works(client);
        test_server_release(&server); /* too late for a reply, but makes room for the next call */
    }
    rpc_client_destroy(client);
    rpc_channel_close(channel);
    test_server_stop(&server);
}

static void test_channel_unknown_method_name_is_unimplemented(void **state)
{
    (void)state;
    struct test_server server;
    test_server_serve(&server);
    struct rpc_channel *channel = test_open_channel(server.address);
    struct rpc_client *client = test_create_client(channel);
    struct rpc_client_call call = {.timeout_ms = 5000};
    Screening__V1__GetBookingRequest request = SCREENING__V1__GET_BOOKING_REQUEST__INIT;
    ProtobufCMessage *response;
    assert_int_equal(rpc_client_call_wait(client, "Nothing", &request.base, &call, NULL, &response),
                     STATUS_UNIMPLEMENTED);
    assert_false(call.left);
    rpc_client_destroy(client);
    rpc_channel_close(channel);
    test_server_stop(&server);
}

static enum status create_with_name(struct rpc_client *client, size_t name_size, struct rpc_client_call *call)
{
    char *name = malloc(name_size + 1);
    memset(name, 'n', name_size);
    name[name_size] = '\0';
    Screening__V1__CreateBookingRequest request = SCREENING__V1__CREATE_BOOKING_REQUEST__INIT;
    request.customer_name = name;
    struct arena arena;
    arena_init(&arena);
    ProtobufCMessage *response;
    enum status status =
        rpc_client_call_wait(client, "CreateBooking", &request.base, call, &arena, &response);
    arena_fini(&arena);
    free(name);
    return status;
}

static void test_channel_request_larger_than_a_message_is_not_sent(void **state)
{
    (void)state;
    struct test_server server;
    test_server_serve(&server);
    struct rpc_channel *channel = test_open_channel(server.address);
    struct rpc_client *client = test_create_client(channel);
    struct rpc_client_call call = {.timeout_ms = 5000};
    /* Envelope: method 2 + 41, payload header 4, explicit_presence 2, timeout 3. Payload: name header 4. */
    size_t largest = 1024 * 1024 - (2 + 41 + 4 + 2 + 3 + 4);
    assert_int_equal(create_with_name(client, largest, &call), STATUS_OK);
    assert_int_equal(create_with_name(client, largest + 1, &call), STATUS_RESOURCE_EXHAUSTED);
    assert_false(call.left);
    assert_int_equal(test_server_invoked(&server), 1);
    rpc_client_destroy(client);
    rpc_channel_close(channel);
    test_server_stop(&server);
}

/* ---- no listener ---- */

static void test_channel_without_listener_fails_soon_and_sends_nothing(void **state)
{
    (void)state;
    char address[64];
    (void)snprintf(address, sizeof address, "tcp://127.0.0.1:%d", test_free_port());
    struct rpc_channel *channel = test_open_channel(address);
    struct rpc_client *client = test_create_client(channel);
    int64_t begin_ms = test_now_ms();
    struct test_pending pending = {.call = {.timeout_ms = 30000}};
    test_begin_get(client, "x", &pending);
    test_assert_outcome(&pending, STATUS_UNAVAILABLE, false);
    assert_true(test_now_ms() - begin_ms < 5000);
    assert_non_null(strstr(pending.call.error.message, "not connected to tcp://127.0.0.1:"));
    assert_false(rpc_channel_connected(channel));
    rpc_client_destroy(client);
    rpc_channel_close(channel);
}

static void test_channel_connects_when_the_server_comes_later_and_again(void **state)
{
    (void)state;
    struct test_server server;
    test_server_init(&server);
    char address[96];
    (void)snprintf(address, sizeof address, "ipc://%s/rpc", server.folder);
    struct rpc_channel *channel = test_open_channel(address);
    struct rpc_client *client = test_create_client(channel);
    test_server_start(&server, NULL, false);
    rpc_server_serve(server.server);
    assert_soon(rpc_channel_connected(channel));
    test_assert_works(client);
    rpc_server_close(server.server);
    assert_soon(!rpc_channel_connected(channel));
    test_server_start(&server, NULL, false);
    rpc_server_serve(server.server);
    assert_soon(rpc_channel_connected(channel));
    test_assert_works(client);
    rpc_client_destroy(client);
    rpc_channel_close(channel);
    test_server_stop(&server);
}

static void test_channel_connect_now_reports_what_is_wrong(void **state)
{
    (void)state;
    char address[64];
    (void)snprintf(address, sizeof address, "tcp://127.0.0.1:%d", test_free_port());
    struct rpc_channel_options options = {.address = address, .connect_now = true};
    struct rpc_channel *channel;
    struct error error;
    assert_int_equal(rpc_channel_open(&options, &channel, &error), STATUS_UNAVAILABLE);
    assert_non_null(strstr(error.message, address));
    options = (struct rpc_channel_options){.address = "nonsense"};
    assert_int_equal(rpc_channel_open(&options, &channel, &error), STATUS_INVALID_ARGUMENT);
    options = (struct rpc_channel_options){.address = "tls+tcp://localhost:1", .tls_name = "x"};
    assert_int_equal(rpc_channel_open(&options, &channel, &error), STATUS_INVALID_ARGUMENT);
    assert_non_null(strstr(error.message, "tls+tcp://localhost:1: needs the certificates"));
    options.tls_ca = "/nowhere";
    assert_int_equal(rpc_channel_open(&options, &channel, &error), STATUS_INVALID_ARGUMENT);
    assert_string_equal(error.message, "/nowhere: No such file or directory");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_channel_stub_delivers_the_response),
        cmocka_unit_test(test_channel_thousand_calls_at_once_get_their_own_answers),
        cmocka_unit_test(test_channel_error_arrives_with_reason_and_retry_after),
        cmocka_unit_test(test_channel_budget_and_metadata_travel_with_the_call),
        cmocka_unit_test(test_channel_call_after_an_expired_one_has_its_own_budget),
        cmocka_unit_test(test_channel_unknown_method_name_is_unimplemented),
        cmocka_unit_test(test_channel_request_larger_than_a_message_is_not_sent),
        cmocka_unit_test(test_channel_without_listener_fails_soon_and_sends_nothing),
        cmocka_unit_test(test_channel_connects_when_the_server_comes_later_and_again),
        cmocka_unit_test(test_channel_connect_now_reports_what_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
