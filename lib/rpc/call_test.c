#include <string.h>

#include "rpc/call.h"
#include "rpc/test_support.h"

/* Sends one metadata entry to "trace"; what the handler saw of it comes back in the booking. */
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
    for (size_t i = 0; i < sizeof malformed / sizeof malformed[0]; i++) {
        assert_trace(client, "traceparent", malformed[i], "", NULL);
    }
    nng_close(client);
    test_server_stop(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_call_request_id_comes_from_the_trace_or_is_made),
        cmocka_unit_test(test_call_malformed_traceparent_is_ignored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
