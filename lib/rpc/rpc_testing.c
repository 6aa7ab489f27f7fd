#include "rpc/rpc_testing.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <nng/protocol/reqrep0/req.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/metrics.h"
#include "rpc/wire.h"

#include "grpc/health/v1/health.pb-c.h"

enum { HUGE_BYTES = 2 * 1024 * 1024 };

int64_t test_now_ms(void)
{
    return clock_monotonic_ns() / NS_PER_MS;
}

static void reply_with_id(struct rpc_call *call, const char *booking_id)
{
    Screening__V1__Booking booking = SCREENING__V1__BOOKING__INIT;
    booking.booking_id = (char *)booking_id;
    rpc_call_reply(call, &booking.base);
}

static void reply_huge(struct rpc_call *call)
{
    char *text = malloc(HUGE_BYTES);
    memset(text, 'x', HUGE_BYTES - 1);
    text[HUGE_BYTES - 1] = '\0';
    reply_with_id(call, text);
    free(text);
}

static void reply_trace(struct rpc_call *call)
{
    Screening__V1__Booking booking = SCREENING__V1__BOOKING__INIT;
    const char *authorization = rpc_call_metadata(call, "authorization");
    booking.customer_id = arena_printf(rpc_call_arena(call), "%016" PRIx64, rpc_call_source(call));
    booking.customer_name = (char *)rpc_call_traceparent(call);
    booking.status_reason = (char *)rpc_call_request_id(call);
    booking.date = (char *)(authorization != NULL ? authorization : "none");
    rpc_call_reply(call, &booking.base);
}

static void fail_with(struct rpc_call *call, enum status status, const char *reason)
{
    struct error error;
    (void)error_set(&error, status, reason, "as the test wished");
    error.retry_after_ms = 7;
    rpc_call_fail(call, &error);
}

static void count(struct test_server *server)
{
    pthread_mutex_lock(&server->mutex);
    server->invoked++;
    pthread_mutex_unlock(&server->mutex);
}

static void hold(struct test_server *server, struct rpc_call *call)
{
    pthread_mutex_lock(&server->mutex);
    if (server->held_count == TEST_HELD_MAX)
        abort();
    server->held[server->held_count++] = call;
    pthread_mutex_unlock(&server->mutex);
}

static void get_booking(Screening__V1__BookingService_Service *service,
                        const Screening__V1__GetBookingRequest *request,
                        Screening__V1__Booking_Closure closure, void *closure_data)
{
    (void)closure; /* rpc_call_reply does the same */
    struct test_server *server = (struct test_server *)service;
    count(server);
    if (strcmp(request->booking_id, "hold") == 0)
        hold(server, closure_data);
    else if (strcmp(request->booking_id, "sold-out") == 0)
        fail_with(closure_data, STATUS_FAILED_PRECONDITION, "SOLD_OUT");
    else if (strcmp(request->booking_id, "broken") == 0)
        fail_with(closure_data, STATUS_INTERNAL, NULL);
    else if (strcmp(request->booking_id, "huge") == 0)
        reply_huge(closure_data);
    else if (strcmp(request->booking_id, "trace") == 0)
        reply_trace(closure_data);
    else
        reply_with_id(closure_data, request->booking_id);
}

static void create_booking(Screening__V1__BookingService_Service *service,
                           const Screening__V1__CreateBookingRequest *request,
                           Screening__V1__Booking_Closure closure, void *closure_data)
{
    count((struct test_server *)service);
    Screening__V1__Booking booking = SCREENING__V1__BOOKING__INIT;
    booking.booking_id = request->booking_id;
    booking.customer_id = request->customer_id;
    booking.customer_name = request->customer_name;
    booking.hospital_id = request->hospital_id;
    booking.date = request->date;
    booking.headcount = request->headcount;
    closure(&booking, closure_data);
}

static void list_bookings(Screening__V1__BookingService_Service *service,
                          const Screening__V1__ListBookingsRequest *request,
                          Screening__V1__ListBookingsResponse_Closure closure, void *closure_data)
{
    (void)request;
    count((struct test_server *)service);
    Screening__V1__ListBookingsResponse response = SCREENING__V1__LIST_BOOKINGS_RESPONSE__INIT;
    closure(&response, closure_data);
}

static void cancel_booking(Screening__V1__BookingService_Service *service,
                           const Screening__V1__CancelBookingRequest *request,
                           Screening__V1__Booking_Closure closure, void *closure_data)
{
    (void)closure;
    count((struct test_server *)service);
    reply_with_id(closure_data, request->booking_id);
}

void test_server_init(struct test_server *server)
{
    *server = (struct test_server){
        .service = {SCREENING__V1__BOOKING_SERVICE__BASE_INIT, .create_booking = create_booking,
                    .get_booking = get_booking, .list_bookings = list_bookings,
                    .cancel_booking = cancel_booking},
        .folder = "/tmp/rpc-test-XXXXXX",
    };
    pthread_mutex_init(&server->mutex, NULL);
    assert_non_null(mkdtemp(server->folder));
}

void test_server_start(struct test_server *server, const struct rpc_server_options *options, bool tcp)
{
    if (tcp)
        (void)snprintf(server->address, sizeof server->address, "tcp://127.0.0.1:%d", test_free_port());
    else
        (void)snprintf(server->address, sizeof server->address, "ipc://%s/rpc", server->folder);
    struct rpc_server_options used = {.program = "test-svc"};
    if (options != NULL)
        used = *options;
    used.address = server->address;
    struct error error;
    assert_int_equal(rpc_server_open(&used, &server->server, &error), STATUS_OK);
    rpc_server_add(server->server, &server->service.base);
    assert_int_equal(rpc_server_start(server->server, &error), STATUS_OK);
}

void test_server_serve(struct test_server *server)
{
    test_server_init(server);
    test_server_start(server, NULL, false);
    rpc_server_serve(server->server);
}

void test_server_stop(struct test_server *server)
{
    test_server_release(server);
    rpc_server_close(server->server);
    pthread_mutex_destroy(&server->mutex);
    char path[96];
    (void)snprintf(path, sizeof path, "%s/rpc", server->folder);
    (void)unlink(path); /* fails for tcp, where there is no such file */
    assert_int_equal(rmdir(server->folder), 0);
}

size_t test_server_held(struct test_server *server)
{
    pthread_mutex_lock(&server->mutex);
    size_t held = server->held_count;
    pthread_mutex_unlock(&server->mutex);
    return held;
}

size_t test_server_invoked(struct test_server *server)
{
    pthread_mutex_lock(&server->mutex);
    size_t invoked = server->invoked;
    pthread_mutex_unlock(&server->mutex);
    return invoked;
}

void test_server_release(struct test_server *server)
{
    pthread_mutex_lock(&server->mutex);
    while (server->held_count > 0)
        reply_with_id(server->held[--server->held_count], "held");
    pthread_mutex_unlock(&server->mutex);
}

int test_free_port(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    assert_int_equal(close(fd), 0);
    return ntohs(address.sin_port);
}

nng_socket test_dial(const char *address)
{
    nng_socket socket;
    assert_int_equal(nng_req0_open(&socket), 0);
    assert_int_equal(nng_socket_set_ms(socket, NNG_OPT_REQ_RESENDTIME, NNG_DURATION_INFINITE), 0);
    assert_int_equal(nng_socket_set_ms(socket, NNG_OPT_RECVTIMEO, 5000), 0);
    assert_int_equal(nng_dial(socket, address, NULL, 0), 0);
    return socket;
}

Rpc__V1__Response *test_ask_bytes(nng_socket socket, const void *bytes, size_t size)
{
    nng_msg *msg;
    assert_int_equal(nng_msg_alloc(&msg, 0), 0);
    assert_int_equal(nng_msg_append(msg, bytes, size), 0);
    assert_int_equal(nng_sendmsg(socket, msg, 0), 0);
    assert_int_equal(nng_recvmsg(socket, &msg, 0), 0);
    Rpc__V1__Response *response = rpc__v1__response__unpack(NULL, nng_msg_len(msg), nng_msg_body(msg));
    nng_msg_free(msg);
    assert_non_null(response);
    return response;
}

Rpc__V1__Response *test_ask(nng_socket socket, const char *method, const void *payload, size_t size,
                            uint32_t timeout_ms)
{
    Rpc__V1__Request request = RPC__V1__REQUEST__INIT;
    request.method = (char *)method;
    request.payload.data = (uint8_t *)payload;
    request.payload.len = size;
    request.timeout_ms = timeout_ms;
    size_t packed_size = rpc__v1__request__get_packed_size(&request);
    uint8_t *packed = malloc(packed_size + 1);
    rpc__v1__request__pack(&request, packed);
    Rpc__V1__Response *response = test_ask_bytes(socket, packed, packed_size);
    free(packed);
    return response;
}

Rpc__V1__Response *test_get(nng_socket client, const char *booking_id, uint32_t timeout_ms)
{
    uint8_t payload[64];
    uint8_t *end = wire_put_bytes(payload, 1, booking_id, strlen(booking_id));
    return test_ask(client, TEST_GET_BOOKING, payload, (size_t)(end - payload), timeout_ms);
}

void test_assert_answer(Rpc__V1__Response *response, enum status code, const char *message)
{
    assert_int_equal(response->code, code);
    assert_string_equal(response->message, message);
    rpc__v1__response__free_unpacked(response, NULL);
}

void test_assert_health(nng_socket client, const char *service, int expected)
{
    uint8_t payload[64];
    uint8_t *end = wire_put_bytes(payload, 1, service, strlen(service));
    Rpc__V1__Response *response =
        test_ask(client, "grpc.health.v1.Health/Check", payload, (size_t)(end - payload), 0);
    assert_int_equal(response->code, STATUS_OK);
    Grpc__Health__V1__HealthCheckResponse *health =
        grpc__health__v1__health_check_response__unpack(NULL, response->payload.len, response->payload.data);
    assert_int_equal(health->status, expected);
    grpc__health__v1__health_check_response__free_unpacked(health, NULL);
    rpc__v1__response__free_unpacked(response, NULL);
}

int64_t test_metric(const char *name)
{
    int64_t sum = 0;
    for (struct metric *metric = metrics_newest(); metric != NULL; metric = metric->next)
        sum += strcmp(metric->name, name) == 0 ? metric_get(metric) : 0;
    return sum;
}
