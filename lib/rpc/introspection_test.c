/* Tests Introspection and Health as seen by a client. */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/metrics.h"
#include "rpc/introspection.h"
#include "rpc/rpc_testing.h"

void *__real_arena_alloc(struct arena *arena, size_t size_bytes);
void *__wrap_arena_alloc(struct arena *arena, size_t size_bytes);

/* Metrics that are registered while the list is built, as if by another thread. */
static struct metric late[8];
static atomic_size_t late_count = sizeof late / sizeof late[0];

void *__wrap_arena_alloc(struct arena *arena, size_t size_bytes)
{
    if (atomic_load(&late_count) < sizeof late / sizeof late[0]) {
        struct metric *metric = &late[atomic_fetch_add(&late_count, 1)];
        *metric = (struct metric)METRIC("test_late", "Registered meanwhile");
        metric_register(metric);
    }
    return __real_arena_alloc(arena, size_bytes);
}

static void assert_get(nng_socket client, const char *booking_id, enum status code, const char *reason,
                       const char *message)
{
    Rpc__V1__Response *response = test_get(client, booking_id, 0);
    assert_int_equal(response->code, code);
    assert_string_equal(response->reason, reason);
    assert_string_equal(response->message, message);
    rpc__v1__response__free_unpacked(response, NULL);
}

static const char *report_not_ready(void *context)
{
    return *(_Atomic bool *)context ? NULL : "the database is on holiday";
}

static size_t report_degraded(void *context, char reasons[RPC_DEGRADED_MAX][RPC_DEGRADED_TEXT_SIZE])
{
    (void)context;
    (void)snprintf(reasons[0], RPC_DEGRADED_TEXT_SIZE, "%s", "hospital log diverged");
    (void)snprintf(reasons[1], RPC_DEGRADED_TEXT_SIZE, "%s", "3 dead letters");
    return 2;
}

static void start_observed(struct test_server *server, _Atomic bool *ready)
{
    test_server_init(server);
    test_server_start(server, NULL, false);
    rpc_server_observe(server->server, report_not_ready, report_degraded, ready);
    rpc_server_serve(server->server);
}

static void test_health_reports_whether_the_service_is_ready(void **state)
{
    (void)state;
    struct test_server server;
    _Atomic bool ready = true;
    start_observed(&server, &ready);
    nng_socket client = test_dial(server.address);
    test_assert_health(client, "", TEST_SERVING);
    test_assert_health(client, TEST_BOOKING_SERVICE, TEST_SERVING);
    test_assert_health(client, "grpc.health.v1.Health", TEST_SERVING);
    atomic_store(&ready, false);
    test_assert_health(client, "", TEST_NOT_SERVING);
    test_assert_answer(test_ask(client, "grpc.health.v1.Health/Check", "\x0a\x01x", 3, 0), STATUS_NOT_FOUND,
                       "no service x here");
    nng_close(client);
    test_server_stop(&server);
}

static void test_introspection_describe_lists_services_and_methods(void **state)
{
    (void)state;
    struct test_server server;
    test_server_serve(&server);
    nng_socket client = test_dial(server.address);
    Rpc__V1__Response *response = test_ask(client, "rpc.v1.Introspection/Describe", NULL, 0, 0);
    Rpc__V1__DescribeResponse *described =
        rpc__v1__describe_response__unpack(NULL, response->payload.len, response->payload.data);
    assert_string_equal(described->program, "test-svc");
    assert_string_equal(described->version, SCREENING_VERSION);
    assert_int_equal(described->n_services, 3);
    const Rpc__V1__ServiceDescription *booking = described->services[2];
    assert_string_equal(booking->name, TEST_BOOKING_SERVICE);
    assert_int_equal(booking->n_methods, 6);
    assert_string_equal(booking->methods[1]->name, TEST_GET_BOOKING);
    assert_string_equal(booking->methods[1]->request_type, "screening.v1.GetBookingRequest");
    assert_string_equal(booking->methods[1]->response_type, "screening.v1.Booking");
    rpc__v1__describe_response__free_unpacked(described, NULL);
    rpc__v1__response__free_unpacked(response, NULL);
    nng_close(client);
    test_server_stop(&server);
}

static Rpc__V1__StatsResponse *ask_stats(nng_socket client)
{
    Rpc__V1__Response *response = test_ask(client, "rpc.v1.Introspection/Stats", NULL, 0, 0);
    assert_int_equal(response->code, STATUS_OK);
    Rpc__V1__StatsResponse *stats =
        rpc__v1__stats_response__unpack(NULL, response->payload.len, response->payload.data);
    rpc__v1__response__free_unpacked(response, NULL);
    return stats;
}

static int64_t stat_value(nng_socket client, const char *name)
{
    Rpc__V1__StatsResponse *stats = ask_stats(client);
    int64_t value = -1;
    for (size_t i = 0; i < stats->n_stats; i++)
        if (strcmp(stats->stats[i]->name, name) == 0)
            value = stats->stats[i]->value;
    rpc__v1__stats_response__free_unpacked(stats, NULL);
    return value;
}

static void test_introspection_stats_count_calls_and_report_what_is_degraded(void **state)
{
    (void)state;
    struct test_server server;
    _Atomic bool ready = true;
    start_observed(&server, &ready);
    nng_socket client = test_dial(server.address);
    static const char REFUSED[] =
        "rpc_server_answers_total{method=\"" TEST_GET_BOOKING "\",code=\"FAILED_PRECONDITION\"}";
    int64_t calls = stat_value(client, "rpc_server_calls_total");
    assert_get(client, "sold-out", STATUS_FAILED_PRECONDITION, "SOLD_OUT", "as the test wished");
    assert_get(client, "broken", STATUS_INTERNAL, "", "as the test wished");
    assert_int_equal(stat_value(client, REFUSED), 1);
    assert_int_equal(stat_value(client, "rpc_server_calls_total"), calls + 4);
    assert_int_equal(stat_value(client, "rpc_server_in_flight"), 1); /* this call itself */

    Rpc__V1__StatsResponse *stats = ask_stats(client);
    assert_string_equal(stats->program, "test-svc");
    assert_int_equal(stats->n_degraded, 2);
    assert_string_equal(stats->degraded[0], "hospital log diverged");
    assert_string_equal(stats->degraded[1], "3 dead letters");
    rpc__v1__stats_response__free_unpacked(stats, NULL);
    nng_close(client);
    test_server_stop(&server);
}

static void test_introspection_stats_miss_no_metric_while_others_are_registered(void **state)
{
    (void)state;
    static struct metric before = METRIC("test_before", "Registered before the server's");
    metric_register(&before);
    struct test_server server;
    test_server_serve(&server);
    nng_socket client = test_dial(server.address);
    atomic_store(&late_count, 0);
    int64_t value = stat_value(client, "test_before");
    assert_true(atomic_load(&late_count) > 0);
    atomic_store(&late_count, sizeof late / sizeof late[0]);
    assert_int_equal(value, 0);
    nng_close(client);
    test_server_stop(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        /* This test must run first, because its metric must be the oldest. */
        cmocka_unit_test(test_introspection_stats_miss_no_metric_while_others_are_registered),
        cmocka_unit_test(test_health_reports_whether_the_service_is_ready),
        cmocka_unit_test(test_introspection_describe_lists_services_and_methods),
        cmocka_unit_test(test_introspection_stats_count_calls_and_report_what_is_degraded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
