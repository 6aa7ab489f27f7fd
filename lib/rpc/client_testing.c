#include "rpc/client_testing.h"

#include <stdatomic.h>
#include <stdio.h>

#include "rpc/rpc_testing.h"

struct rpc_channel *test_open_channel(const char *address)
{
    struct rpc_channel_options options = {.address = address};
    struct rpc_channel *channel;
    struct error error;
    assert_int_equal(rpc_channel_open(&options, &channel, &error), STATUS_OK);
    return channel;
}

struct rpc_client *test_create_client(struct rpc_channel *channel)
{
    struct rpc_client *client = rpc_client_create(channel, &screening__v1__booking_service__descriptor);
    assert_non_null(client);
    return client;
}

enum status test_get_and_wait(struct rpc_client *client, const char *booking_id, struct rpc_client_call *call,
                              char answer[64])
{
    Screening__V1__GetBookingRequest request = SCREENING__V1__GET_BOOKING_REQUEST__INIT;
    request.booking_id = (char *)booking_id;
    struct arena arena;
    arena_init(&arena);
    ProtobufCMessage *response = NULL;
    enum status status = rpc_client_call_wait(client, "GetBooking", &request.base, call, &arena, &response);
    assert_int_equal(status, call->error.status);
    assert_true((status == STATUS_OK) == (response != NULL));
    if (response != NULL)
        (void)snprintf(answer, 64, "%s", ((Screening__V1__Booking *)response)->booking_id);
    arena_fini(&arena);
    return status;
}

void test_assert_works(struct rpc_client *client)
{
    struct rpc_client_call call = {.timeout_ms = 5000};
    char answer[64];
    assert_int_equal(test_get_and_wait(client, "works", &call, answer), STATUS_OK);
    assert_string_equal(answer, "works");
    assert_true(call.left);
}

static void on_booking(const Screening__V1__Booking *booking, void *closure_data)
{
    struct test_pending *pending = closure_data;
    if (booking != NULL)
        (void)snprintf(pending->booking_id, sizeof pending->booking_id, "%s", booking->booking_id);
    atomic_fetch_add(&pending->answers, 1);
}

void test_begin_get(struct rpc_client *client, const char *booking_id, struct test_pending *pending)
{
    Screening__V1__GetBookingRequest request = SCREENING__V1__GET_BOOKING_REQUEST__INIT;
    request.booking_id = (char *)booking_id;
    screening__v1__booking_service__get_booking(rpc_client_service(client), &request, on_booking, pending);
}

void test_assert_outcome(struct test_pending *pending, enum status status, bool left)
{
    assert_soon(atomic_load(&pending->answers) > 0);
    assert_int_equal(pending->call.error.status, status);
    assert_int_equal(pending->call.left, left);
    assert_int_equal(atomic_load(&pending->answers), 1);
}
