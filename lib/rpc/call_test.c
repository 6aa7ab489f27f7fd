#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rpc/call.h"
#include "rpc/rpc_testing.h"

/*
 * Calls GetBooking for the id "trace" with one metadata entry. Returns a booking that shows what the handler
 * received. The caller frees the booking.
 */
static Screening__V1__Booking *ask_trace(nng_socket client, const char *key, const char *value)
{
    Rpc__V1__Metadata entry = RPC__V1__METADATA__INIT;
    entry.key = (char *)key;
    entry.value = (char *)value;
    Rpc__V1__Metadata *entries[] = {&entry};
    Rpc__V1__Request request = RPC__V1__REQUEST__INIT;
    request.method = TEST_GET_BOOKING;
    request.payload.data = (uint8_t *)"\x0a\x05trace";
    request.payload.len = 7;
    request.n_metadata = 1;
    request.metadata = entries;
    uint8_t packed[512];
    size_t size = rpc__v1__request__pack(&request, packed);
    Rpc__V1__Response *response = test_ask_bytes(client, packed, size);
    assert_int_equal(response->code, STATUS_OK);
    Screening__V1__Booking *booking =
        screening__v1__booking__unpack(NULL, response->payload.len, response->payload.data);
    rpc__v1__response__free_unpacked(response, NULL);
    return booking;
}

static void assert_trace(nng_socket client, const char *key, const char *value, const char *traceparent,
                         const char *request_id)
{
    Screening__V1__Booking *booking = ask_trace(client, key, value);
    assert_string_equal(booking->customer_name, traceparent);
    if (request_id != NULL) {
        assert_string_equal(booking->status_reason, request_id);
    } else {
        struct uuid id;
        assert_true(uuid_parse(booking->status_reason, &id));
    }
    assert_string_equal(booking->date, strcmp(key, "authorization") == 0 ? value : "none");
    screening__v1__booking__free_unpacked(booking, NULL);
}

#define TRACE_ID    "4bf92f3577b34da6a3ce929d0e0e4736"
#define TRACEPARENT "00-" TRACE_ID "-00f067aa0ba902b7-01"

static void test_call_request_id_comes_from_the_trace_or_is_made(void **state)
{
    (void)state;
    struct test_server server;
    test_server_serve(&server);
    nng_socket client = test_dial(server.address);
    assert_trace(client, "traceparent", TRACEPARENT, TRACEPARENT, TRACE_ID);
    assert_trace(client, "x-request-id", "abc-1", "", "abc-1");
    assert_trace(client, "x-request-id", "two words", "", NULL);
    assert_trace(client, "authorization", "Bearer token", "", NULL);
    nng_close(client);
    test_server_stop(&server);
}

static void test_call_malformed_traceparent_is_ignored(void **state)
{
    (void)state;
    static const char *const malformed[] = {
        "",
        "00-" TRACE_ID "-00f067aa0ba902b7",
        "00-" TRACE_ID "-00f067aa0ba902b7-011",
        "01-" TRACE_ID "-00f067aa0ba902b7-01",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-" TRACE_ID "-0000000000000000-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "00_" TRACE_ID "-00f067aa0ba902b7-01",
        "00-" TRACE_ID "_00f067aa0ba902b7-01",
        "00-" TRACE_ID "-00f067aa0ba902b7-0g",
    };
    struct test_server server;
    test_server_serve(&server);
    nng_socket client = test_dial(server.address);
    for (size_t i = 0; i < sizeof malformed / sizeof malformed[0]; i++)
        assert_trace(client, "traceparent", malformed[i], "", NULL);
    nng_close(client);
    test_server_stop(&server);
}

/* Returns the source of a call with this metadata, as used by base/fair_queue.h. */
static uint64_t source_of(nng_socket client, const char *key, const char *value)
{
    enum { HEXADECIMAL = 16 };
    Screening__V1__Booking *booking = ask_trace(client, key, value);
    uint64_t source = strtoull(booking->customer_id, NULL, HEXADECIMAL);
    screening__v1__booking__free_unpacked(booking, NULL);
    return source;
}

static void test_call_client_address_counts_where_gateways_call_only(void **state)
{
    (void)state;
    static const char KEY[] = "client-address";
    struct test_server server;
    char gateway_address[64];
    (void)snprintf(gateway_address, sizeof gateway_address, "tcp://127.0.0.1:%d", test_free_port());
    const struct rpc_server_options options = {.program = "test-svc", .gateway_address = gateway_address};
    test_server_init(&server);
    test_server_start(&server, &options, false);
    rpc_server_serve(server.server);
    nng_socket anyone = test_dial(server.address), gateway = test_dial(gateway_address);
    uint64_t plain = source_of(anyone, "x-request-id", "1");
    assert_int_equal(plain >> 32, 0);
    assert_int_equal(source_of(anyone, KEY, "192.0.2.1"), plain);
    assert_int_equal(source_of(anyone, KEY, "192.0.2.2"), plain);
    uint64_t own = source_of(gateway, "x-request-id", "1"), first = source_of(gateway, KEY, "192.0.2.1");
    assert_int_equal(own >> 32, 0);
    assert_int_not_equal(own, plain);
    assert_int_equal((uint32_t)first, own);
    assert_int_not_equal(first >> 32, 0);
    assert_int_equal(source_of(gateway, KEY, "192.0.2.1"), first);
    assert_int_not_equal(source_of(gateway, KEY, "192.0.2.2"), first);
    assert_int_not_equal(source_of(gateway, KEY, "") >> 32, 0);
    nng_close(gateway);
    nng_close(anyone);
    test_server_stop(&server);
}

static void test_call_gateway_address_that_is_taken_is_refused(void **state)
{
    (void)state;
    struct test_server server;
    struct rpc_server *other;
    struct error error;
    test_server_serve(&server);
    char address[128];
    (void)snprintf(address, sizeof address, "tcp://127.0.0.1:%d", test_free_port());
    const struct rpc_server_options options = {
        .program = "test-svc", .address = address, .gateway_address = server.address};
    assert_int_equal(rpc_server_open(&options, &other, &error), STATUS_INVALID_ARGUMENT);
    assert_non_null(strstr(error.message, "gateway-listen: "));
    test_server_stop(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_call_request_id_comes_from_the_trace_or_is_made),
        cmocka_unit_test(test_call_malformed_traceparent_is_ignored),
        cmocka_unit_test(test_call_client_address_counts_where_gateways_call_only),
        cmocka_unit_test(test_call_gateway_address_that_is_taken_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
