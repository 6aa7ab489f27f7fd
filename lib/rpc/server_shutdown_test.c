/* Tests that a drained service may free what handlers and observers use, even while calls are unanswered. */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "nng/stuck_reaper.h"
#include "rpc/rpc_testing.h"
#include "rpc/server.h"
#include "rpc/wire.h"

enum { HANDLER_MS = 400 };

/* Represents what a service frees after a drain. An access while `freed` is set would be a use after free. */
static struct {
    _Atomic int inside;
    _Atomic bool freed;
    _Atomic int used_after;
    _Atomic int observed;
} used;

static void use(void)
{
    if (atomic_load(&used.freed))
        atomic_fetch_add(&used.used_after, 1);
}

static void slow(Screening__V1__BookingService_Service *service,
                 const Screening__V1__GetBookingRequest *request, Screening__V1__Booking_Closure closure,
                 void *closure_data)
{
    (void)service;
    (void)request;
    atomic_fetch_add(&used.inside, 1);
    nng_msleep(HANDLER_MS);
    use();
    Screening__V1__Booking booking = SCREENING__V1__BOOKING__INIT;
    closure(&booking, closure_data);
}

static const char *not_ready(void *context)
{
    (void)context;
    use();
    atomic_fetch_add(&used.observed, 1);
    return NULL;
}

static size_t list_degraded(void *context, char reasons[RPC_DEGRADED_MAX][RPC_DEGRADED_TEXT_SIZE])
{
    (void)context;
    (void)reasons;
    use();
    atomic_fetch_add(&used.observed, 1);
    return 0;
}

static int reset_used(void **state)
{
    (void)state;
    atomic_store(&used.inside, 0);
    atomic_store(&used.freed, false);
    atomic_store(&used.used_after, 0);
    atomic_store(&used.observed, 0);
    return 0;
}

static void send_request(nng_socket client, const char *method, const char *booking_id)
{
    uint8_t request[128], payload[64];
    uint8_t *payload_end = wire_put_bytes(payload, 1, booking_id, strlen(booking_id));
    uint8_t *end = wire_put_bytes(request, 1, method, strlen(method));
    end = wire_put_bytes(end, 2, payload, (size_t)(payload_end - payload));
    assert_int_equal(nng_send(client, request, (size_t)(end - request), 0), 0);
}

static void test_drain_without_grace_waits_for_a_handler_that_runs(void **state)
{
    (void)state;
    struct test_server server;
    test_server_init(&server);
    server.service.get_booking = slow;
    test_server_start(&server, NULL, false);
    rpc_server_serve(server.server);
    nng_socket client = test_dial(server.address);
    send_request(client, TEST_GET_BOOKING, "any");
    assert_soon(atomic_load(&used.inside) == 1);
    assert_false(rpc_server_drain(server.server, 0));
    atomic_store(&used.freed, true);
    test_server_stop(&server);
    assert_int_equal(atomic_load(&used.used_after), 0);
    (void)socket_close(client);
}

static void test_after_an_incomplete_drain_nothing_is_asked_any_more(void **state)
{
    (void)state;
    struct test_server server;
    test_server_init(&server);
    struct error error;
    struct rpc_server_options options = {.program = "test-svc", .address = server.address};
    (void)snprintf(server.address, sizeof server.address, "ipc://%s/rpc", server.folder);
    assert_int_equal(rpc_server_open(&options, &server.server, &error), STATUS_OK);
    rpc_server_add(server.server, &server.service.base);
    rpc_server_observe(server.server, not_ready, list_degraded, NULL);
    assert_int_equal(rpc_server_start(server.server, &error), STATUS_OK);
    rpc_server_serve(server.server);
    nng_socket holder = test_dial(server.address);
    nng_socket client = test_dial(server.address);
    static const char *const methods[] = {"grpc.health.v1.Health/Check", "rpc.v1.Introspection/Stats",
                                          TEST_GET_BOOKING};
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        test_assert_answer(test_ask(client, methods[i], NULL, 0, 0), STATUS_OK, "");
    assert_true(atomic_load(&used.observed) > 0);

    send_request(holder, TEST_GET_BOOKING, "hold");
    assert_soon(test_server_held(&server) == 1);
    assert_false(rpc_server_drain(server.server, 0));
    atomic_store(&used.freed, true);
    size_t invoked = test_server_invoked(&server);
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        test_assert_answer(test_ask(client, methods[i], NULL, 0, 0), STATUS_UNAVAILABLE,
                           "test-svc is shutting down");
    }
    assert_int_equal(atomic_load(&used.used_after), 0);
    assert_int_equal(test_server_invoked(&server), invoked);

    test_server_release(&server); /* the calls in flight are still answered */
    nng_msg *answer;
    assert_int_equal(nng_recvmsg(holder, &answer, 0), 0);
    nng_msg_free(answer);
    test_server_stop(&server);
    (void)socket_close(holder);
    (void)socket_close(client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_drain_without_grace_waits_for_a_handler_that_runs, reset_used),
        cmocka_unit_test_setup(test_after_an_incomplete_drain_nothing_is_asked_any_more, reset_used),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
