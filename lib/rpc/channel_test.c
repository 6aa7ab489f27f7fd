#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rpc/channel.h"
#include "rpc/test_support.h"

enum { MANY_CALLS = 1000 };

static struct rpc_channel *open_channel(const char *address)
{
    struct rpc_channel_options options = {.address = address};
    struct rpc_channel *channel;
    struct error error;
    assert_int_equal(rpc_channel_open(&options, &channel, &error), STATUS_OK);
    return channel;
}

static struct rpc_client *create_client(struct rpc_channel *channel)
{
    struct rpc_client *client = rpc_client_create(channel, &screening__v1__booking_service__descriptor);
    assert_non_null(client);
    return client;
}

/* GetBooking, waiting for it; the id of the answer is written to `answer`, if there is one. */
static enum status get_and_wait(struct rpc_client *client, const char *booking_id,
                                struct rpc_client_call *call, char answer[64])
{
    Screening__V1__GetBookingRequest request = SCREENING__V1__GET_BOOKING_REQUEST__INIT;
    request.booking_id = (char *)booking_id;
    struct arena arena;
    arena_init(&arena);
    ProtobufCMessage *response = NULL;
    enum status status = rpc_client_call_wait(client, "GetBooking", &request.base, call, &arena, &response);
    assert_int_equal(status, call->error.status);
    assert_true((status == STATUS_OK) == (response != NULL));
    if (response != NULL) {
        (void)snprintf(answer, 64, "%s", ((Screening__V1__Booking *)response)->booking_id);
    }
    arena_fini(&arena);
    return status;
}

static void assert_works(struct rpc_client *client)
{
    struct rpc_client_call call = {.timeout_ms = 5000};
    char answer[64];
    assert_int_equal(get_and_wait(client, "works", &call, answer), STATUS_OK);
    assert_string_equal(answer, "works");
    assert_true(call.left);
}

/* ---- a call that a stub began ---- */

struct pending {
    struct rpc_client_call call; /* first */
    char booking_id[64];         /* of the answer */
    _Atomic int answers;
};

static void on_booking(const Screening__V1__Booking *booking, void *closure_data)
{
    struct pending *pending = closure_data;
    if (booking != NULL) {
        (void)snprintf(pending->booking_id, sizeof pending->booking_id, "%s", booking->booking_id);
    }
    atomic_fetch_add(&pending->answers, 1);
}

static void begin_get(struct rpc_client *client, const char *booking_id, struct pending *pending)
{
    Screening__V1__GetBookingRequest request = SCREENING__V1__GET_BOOKING_REQUEST__INIT;
    request.booking_id = (char *)booking_id;
    screening__v1__booking_service__get_booking(rpc_client_service(client), &request, on_booking, pending);
}

static void assert_failed(struct pending *pending, enum status status, bool left)
{
    assert_soon(atomic_load(&pending->answers) > 0);
    assert_int_equal(pending->call.error.status, status);
    assert_int_equal(pending->call.left, left);
    assert_int_equal(atomic_load(&pending->answers), 1);
}

static void test_channel_stub_delivers_the_response(void **state)
{
    (void)state;
    struct test_server server;
    test_server_serve(&server);
    struct rpc_channel *channel = open_channel(server.address);
    struct rpc_client *client = create_client(channel);
    struct pending pending = {.call = {.timeout_ms = 5000}};
    begin_get(client, "seven", &pending);
    assert_failed(&pending, STATUS_OK, true);
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
    struct rpc_channel *channel = open_channel(server.address);
    struct rpc_client *client = create_client(channel);
    assert_works(client);
    struct pending *pending = calloc(MANY_CALLS, sizeof *pending);
    for (int i = 0; i < MANY_CALLS; i++) {
        pending[i].call.timeout_ms = 30000;
        char booking_id[16];
        (void)snprintf(booking_id, sizeof booking_id, "call-%d", i);
        begin_get(client, booking_id, &pending[i]);
    }
    size_t unsent = 0;
    for (int i = 0; i < MANY_CALLS; i++) {
        assert_soon(atomic_load(&pending[i].answers) == 1);
        if (!pending[i].call.left) {
            unsent++; /* a loaded machine: the connection took no more within 100 ms, and nothing was executed
                       */
            assert_int_equal(pending[i].call.error.status, STATUS_UNAVAILABLE);
            continue;
        }
        char booking_id[16];
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
    struct rpc_channel *channel = open_channel(server.address);
    struct rpc_client *client = create_client(channel);
    struct rpc_client_call call = {.timeout_ms = 5000};
    assert_int_equal(get_and_wait(client, "sold-out", &call, NULL), STATUS_FAILED_PRECONDITION);
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
    struct rpc_channel *channel = open_channel(server.address);
    struct rpc_client *client = create_client(channel);
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
    assert_int_equal(get_and_wait(client, "hold", &hanging, NULL), STATUS_DEADLINE_EXCEEDED);
    assert_true(hanging.left);
    rpc_client_destroy(client);
    rpc_channel_close(channel);
    test_server_stop(&server);
}

static void test_channel_unknown_method_name_is_unimplemented(void **state)
{
    (void)state;
    struct test_server server;
    test_server_serve(&server);
    struct rpc_channel *channel = open_channel(server.address);
    struct rpc_client *client = create_client(channel);
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
    struct rpc_channel *channel = open_channel(server.address);
    struct rpc_client *client = create_client(channel);
    struct rpc_client_call call = {.timeout_ms = 5000};
    /* The envelope: method 2+41, payload header 4, timeout 3; in the payload the name's header 4. */
    size_t largest = 1024 * 1024 - (2 + 41 + 4 + 3 + 4);
    assert_int_equal(create_with_name(client, largest, &call), STATUS_OK);
    assert_int_equal(create_with_name(client, largest + 1, &call), STATUS_RESOURCE_EXHAUSTED);
    assert_false(call.left);
    assert_int_equal(test_server_invoked(&server), 1);
    rpc_client_destroy(client);
    rpc_channel_close(channel);
    test_server_stop(&server);
}

/* ---- nobody there ---- */

static void test_channel_without_listener_fails_soon_and_nothing_left(void **state)
{
    (void)state;
    char address[64];
    (void)snprintf(address, sizeof address, "tcp://127.0.0.1:%d", test_free_port());
    struct rpc_channel *channel = open_channel(address);
    struct rpc_client *client = create_client(channel);
    int64_t begin_ms = test_now_ms();
    struct pending pending = {.call = {.timeout_ms = 30000}};
    begin_get(client, "x", &pending);
    assert_failed(&pending, STATUS_UNAVAILABLE, false);
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
    struct rpc_channel *channel = open_channel(address);
    struct rpc_client *client = create_client(channel);
    test_server_start(&server, NULL, false);
    rpc_server_serve(server.server);
    assert_soon(rpc_channel_connected(channel));
    assert_works(client);
    rpc_server_close(server.server);
    assert_soon(!rpc_channel_connected(channel));
    test_server_start(&server, NULL, false);
    rpc_server_serve(server.server);
    assert_soon(rpc_channel_connected(channel));
    assert_works(client);
    rpc_client_destroy(client);
    rpc_channel_close(channel);
    test_server_stop(&server);
}

static void test_channel_connect_now_tells_what_is_wrong(void **state)
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
}

/* ---- a server that behaves badly: a bare REP socket ---- */

struct bare_server {
    char folder[64];
    char address[96];
    nng_socket socket;
};

static void bare_server_open(struct bare_server *server)
{
    (void)snprintf(server->folder, sizeof server->folder, "/tmp/rpc-test-XXXXXX");
    assert_non_null(mkdtemp(server->folder));
    (void)snprintf(server->address, sizeof server->address, "ipc://%s/rpc", server->folder);
    assert_int_equal(nng_rep0_open(&server->socket), 0);
    assert_int_equal(nng_socket_set_ms(server->socket, NNG_OPT_RECVTIMEO, TEST_PATIENCE_MS), 0);
    assert_int_equal(nng_listen(server->socket, server->address, NULL, 0), 0);
}

static void bare_server_close(struct bare_server *server)
{
    nng_close(server->socket);
    char path[96];
    (void)snprintf(path, sizeof path, "%s/rpc", server->folder);
    (void)unlink(path); /* nng has removed it already */
    assert_int_equal(rmdir(server->folder), 0);
}

/* Takes the next request and tells whom it asks for; the caller frees the message. */
static nng_msg *bare_server_receive(struct bare_server *server, char booking_id[64])
{
    nng_msg *msg;
    assert_int_equal(nng_recvmsg(server->socket, &msg, 0), 0);
    Rpc__V1__Request *request = rpc__v1__request__unpack(NULL, nng_msg_len(msg), nng_msg_body(msg));
    assert_non_null(request);
    Screening__V1__GetBookingRequest *get =
        screening__v1__get_booking_request__unpack(NULL, request->payload.len, request->payload.data);
    (void)snprintf(booking_id, 64, "%s", get->booking_id);
    screening__v1__get_booking_request__free_unpacked(get, NULL);
    rpc__v1__request__free_unpacked(request, NULL);
    return msg;
}

static void test_channel_lost_connection_is_unknown_and_never_sent_again(void **state)
{
    (void)state;
    struct bare_server server;
    bare_server_open(&server);
    struct rpc_channel *channel = open_channel(server.address);
    struct rpc_client *client = create_client(channel);
    char booking_id[64];
    for (int round = 0; round < 3; round++) {
        char expected[16];
        (void)snprintf(expected, sizeof expected, "round-%d", round);
        assert_soon(rpc_channel_connected(channel));
        struct pending pending = {.call = {.timeout_ms = 30000}};
        begin_get(client, expected, &pending);
        /* A request sent again would come before this one. */
        nng_msg *msg = bare_server_receive(&server, booking_id);
        assert_string_equal(booking_id, expected);
        assert_int_equal(nng_pipe_close(nng_msg_get_pipe(msg)), 0);
        nng_msg_free(msg);
        assert_failed(&pending, STATUS_UNAVAILABLE, true);
        assert_non_null(strstr(pending.call.error.message, "lost the connection to"));
        assert_soon(rpc_channel_connected(channel));
    }
    rpc_client_destroy(client);
    rpc_channel_close(channel);
    bare_server_close(&server);
}

static void test_channel_silent_server_is_deadline_exceeded(void **state)
{
    (void)state;
    struct bare_server server;
    bare_server_open(&server);
    struct rpc_channel *channel = open_channel(server.address);
    struct rpc_client *client = create_client(channel);
    int64_t begin_ms = test_now_ms();
    struct rpc_client_call call = {.timeout_ms = 150};
    assert_int_equal(get_and_wait(client, "x", &call, NULL), STATUS_DEADLINE_EXCEEDED);
    assert_true(call.left);
    int64_t took_ms = test_now_ms() - begin_ms;
    assert_true(took_ms >= 149 && took_ms < 5000);
    rpc_client_destroy(client);
    rpc_channel_close(channel);
    bare_server_close(&server);
}

static void assert_answer_becomes(struct bare_server *server, struct rpc_client *client, const void *bytes,
                                  size_t size, enum status status)
{
    struct pending pending = {.call = {.timeout_ms = 30000}};
    begin_get(client, "x", &pending);
    char booking_id[64];
    nng_msg *msg = bare_server_receive(server, booking_id);
    nng_msg_clear(msg);
    assert_int_equal(nng_msg_append(msg, bytes, size), 0);
    assert_int_equal(nng_sendmsg(server->socket, msg, 0), 0);
    assert_failed(&pending, status, true);
}

static void test_channel_strange_answers_are_internal(void **state)
{
    (void)state;
    struct bare_server server;
    bare_server_open(&server);
    struct rpc_channel *channel = open_channel(server.address);
    struct rpc_client *client = create_client(channel);
    assert_soon(rpc_channel_connected(channel));
    assert_answer_becomes(&server, client, "\x08\x05", 2, STATUS_NOT_FOUND);
    assert_answer_becomes(&server, client, "\x08\x02", 2, STATUS_INTERNAL); /* UNKNOWN */
    assert_answer_becomes(&server, client, "\x08\x63", 2, STATUS_INTERNAL); /* 99 */
    assert_answer_becomes(&server, client, "\xff\xff\xff", 3, STATUS_INTERNAL);
    assert_answer_becomes(&server, client, "\x1a\x02\x0a\x7f", 4, STATUS_INTERNAL); /* no Booking */
    assert_answer_becomes(&server, client, "", 0, STATUS_OK); /* a Booking of defaults */
    rpc_client_destroy(client);
    rpc_channel_close(channel);
    bare_server_close(&server);
}

/* ---- closing ---- */

enum { CLOSED_CALLS = 100 };

static void test_channel_close_fails_the_calls_in_flight(void **state)
{
    (void)state;
    struct bare_server server;
    bare_server_open(&server);
    struct rpc_channel *channel = open_channel(server.address);
    struct rpc_client *client = create_client(channel);
    static struct pending pending[CLOSED_CALLS];
    for (int i = 0; i < CLOSED_CALLS; i++) {
        pending[i] = (struct pending){.call = {.timeout_ms = 30000}};
        begin_get(client, "x", &pending[i]);
    }
    rpc_channel_close(channel);
    for (int i = 0; i < CLOSED_CALLS; i++) {
        assert_int_equal(atomic_load(&pending[i].answers), 1);
        assert_int_equal(pending[i].call.error.status, STATUS_UNAVAILABLE);
    }
    rpc_client_destroy(client);
    bare_server_close(&server);
    rpc_channel_close(NULL);
    rpc_client_destroy(NULL);
}

/* Begins another call as soon as it is answered, as a retry would. */
struct again {
    struct rpc_client_call call; /* first */
    struct rpc_client *client;
    _Atomic int answers;
};

static void on_booking_again(const Screening__V1__Booking *booking, void *closure_data)
{
    (void)booking;
    struct again *again = closure_data;
    if (atomic_fetch_add(&again->answers, 1) < 100) {
        Screening__V1__GetBookingRequest request = SCREENING__V1__GET_BOOKING_REQUEST__INIT;
        screening__v1__booking_service__get_booking(rpc_client_service(again->client), &request,
                                                    on_booking_again, again);
    }
}

static void test_channel_closures_may_begin_calls_also_while_it_closes(void **state)
{
    (void)state;
    struct test_server server;
    test_server_serve(&server);
    struct rpc_channel *channel = open_channel(server.address);
    struct rpc_client *client = create_client(channel);
    struct again again = {.call = {.timeout_ms = 30000}, .client = client};
    on_booking_again(NULL, &again);
    assert_soon(atomic_load(&again.answers) > 10);
    rpc_channel_close(channel);
    assert_int_equal(atomic_load(&again.answers), 101);
    rpc_client_destroy(client);
    test_server_stop(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_channel_stub_delivers_the_response),
        cmocka_unit_test(test_channel_thousand_calls_at_once_get_their_own_answers),
        cmocka_unit_test(test_channel_error_arrives_with_reason_and_retry_after),
        cmocka_unit_test(test_channel_budget_and_metadata_travel_with_the_call),
        cmocka_unit_test(test_channel_unknown_method_name_is_unimplemented),
        cmocka_unit_test(test_channel_request_larger_than_a_message_is_not_sent),
        cmocka_unit_test(test_channel_without_listener_fails_soon_and_nothing_left),
        cmocka_unit_test(test_channel_connects_when_the_server_comes_later_and_again),
        cmocka_unit_test(test_channel_connect_now_tells_what_is_wrong),
        cmocka_unit_test(test_channel_lost_connection_is_unknown_and_never_sent_again),
        cmocka_unit_test(test_channel_silent_server_is_deadline_exceeded),
        cmocka_unit_test(test_channel_strange_answers_are_internal),
        cmocka_unit_test(test_channel_close_fails_the_calls_in_flight),
        cmocka_unit_test(test_channel_closures_may_begin_calls_also_while_it_closes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
