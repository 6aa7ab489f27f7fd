/* Tests exchanges with a misbehaving server (a bare REP socket), and on a channel that is being closed. */
#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "rpc/client_testing.h"
#include "rpc/exchange.h"
#include "rpc/guard.h"
#include "rpc/rpc_testing.h"

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
    (void)unlink(path); /* nng has already removed it */
    assert_int_equal(rmdir(server->folder), 0);
}

/* Receives the next request and copies its booking id to `booking_id`. The caller frees the message. */
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

static void test_exchange_lost_connection_is_unknown_and_never_sent_again(void **state)
{
    (void)state;
    struct bare_server server;
    bare_server_open(&server);
    struct rpc_channel *channel = test_open_channel(server.address);
    struct rpc_client *client = test_create_client(channel);
    char booking_id[64];
    for (int round = 0; round < 3; round++) {
        char expected[32];
        (void)snprintf(expected, sizeof expected, "round-%d", round);
        assert_soon(rpc_channel_connected(channel));
        struct test_pending pending = {.call = {.timeout_ms = 30000}};
        test_begin_get(client, expected, &pending);
        /* A retry of the previous request would arrive before this request. */
        nng_msg *msg = bare_server_receive(&server, booking_id);
        assert_string_equal(booking_id, expected);
        assert_int_equal(nng_pipe_close(nng_msg_get_pipe(msg)), 0);
        nng_msg_free(msg);
        test_assert_outcome(&pending, STATUS_UNAVAILABLE, true);
        assert_non_null(strstr(pending.call.error.message, "lost the connection to"));
        assert_soon(rpc_channel_connected(channel));
    }
    rpc_client_destroy(client);
    rpc_channel_close(channel);
    bare_server_close(&server);
}

static void test_exchange_silent_server_is_deadline_exceeded(void **state)
{
    (void)state;
    struct bare_server server;
    bare_server_open(&server);
    struct rpc_channel *channel = test_open_channel(server.address);
    struct rpc_client *client = test_create_client(channel);
    int64_t begin_ms = test_now_ms();
    struct rpc_client_call call = {.timeout_ms = 150};
    assert_int_equal(test_get_and_wait(client, "x", &call, NULL), STATUS_DEADLINE_EXCEEDED);
    assert_true(call.left);
    int64_t took_ms = test_now_ms() - begin_ms;
    assert_true(took_ms >= 149 && took_ms < 30000);
    rpc_client_destroy(client);
    rpc_channel_close(channel);
    bare_server_close(&server);
}

static void assert_answer_becomes(struct bare_server *server, struct rpc_client *client, const void *bytes,
                                  size_t size, enum status status)
{
    struct test_pending pending = {.call = {.timeout_ms = 30000}};
    test_begin_get(client, "x", &pending);
    char booking_id[64];
    nng_msg *msg = bare_server_receive(server, booking_id);
    nng_msg_clear(msg);
    assert_int_equal(nng_msg_append(msg, bytes, size), 0);
    assert_int_equal(nng_sendmsg(server->socket, msg, 0), 0);
    test_assert_outcome(&pending, status, true);
}

static void test_exchange_strange_answers_are_internal(void **state)
{
    (void)state;
    struct bare_server server;
    bare_server_open(&server);
    struct rpc_channel *channel = test_open_channel(server.address);
    struct rpc_client *client = test_create_client(channel);
    assert_soon(rpc_channel_connected(channel));
    assert_answer_becomes(&server, client, "\x08\x05", 2, STATUS_NOT_FOUND);
    assert_answer_becomes(&server, client, "\x08\x02", 2, STATUS_INTERNAL); /* UNKNOWN */
    assert_answer_becomes(&server, client, "\x08\x63", 2, STATUS_INTERNAL); /* 99 */
    assert_answer_becomes(&server, client, "\xff\xff\xff", 3, STATUS_INTERNAL);
    assert_answer_becomes(&server, client, "\x1a\x02\x0a\x7f", 4, STATUS_INTERNAL); /* not a Booking */
    assert_answer_becomes(&server, client, "", 0, STATUS_OK); /* a Booking with default values */
    rpc_client_destroy(client);
    rpc_channel_close(channel);
    bare_server_close(&server);
}

/* ---- a server that reads late ---- */

enum { LATE_CALLS = 300, LATE_ROUNDS = 10, LATE_ID_BYTES = 32768 };

/* Accepts a channel's connection and exchanges greetings, but reads nothing more. */
static int accept_raw(int listener)
{
    static const uint8_t HELLO[8] = {0, 'S', 'P', 0, 0, 0x31, 0, 0}; /* REP */
    uint8_t theirs[8];
    int fd = accept(listener, NULL, NULL);
    assert_true(fd >= 0);
    assert_int_equal(send(fd, HELLO, sizeof HELLO, MSG_NOSIGNAL), sizeof HELLO);
    assert_int_equal(recv(fd, theirs, sizeof theirs, MSG_WAITALL), sizeof theirs);
    return fd;
}

/* Returns whether any of the calls has ended. */
static bool has_ended(const struct test_pending *pending)
{
    bool ended = false;
    for (int i = 0; i < LATE_CALLS && !ended; i++)
        ended = atomic_load(&pending[i].answers) > 0;
    return ended;
}

/* Reads requests, without replying, until each call has arrived completely or has ended. */
static void read_until_all_left_or_ended(int fd, const struct test_pending *pending)
{
    static uint8_t bytes[4 * LATE_ID_BYTES];
    size_t taken = 0, settled = 0;
    int64_t until_ms = test_now_ms() + TEST_PATIENCE_MS;
    while (settled < LATE_CALLS && test_now_ms() < until_ms) {
        ssize_t size = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
        taken += size > 0 ? (size_t)size : 0;
        settled = taken / LATE_ID_BYTES; /* everything but the ids adds up to less than one id */
        for (int i = 0; i < LATE_CALLS; i++)
            settled += (size_t)atomic_load(&pending[i].answers);
    }
    assert_true(settled >= LATE_CALLS);
}

/* The connection accepts the requests just as their sends time out. */
static void test_exchange_receive_keeps_its_time_when_the_send_took_all_of_its_own(void **state)
{
    (void)state;
    char folder[] = "/tmp/rpc-test-XXXXXX", address[96], id[LATE_ID_BYTES + 1];
    memset(id, 'x', LATE_ID_BYTES);
    id[LATE_ID_BYTES] = '\0';
    assert_non_null(mkdtemp(folder));
    (void)snprintf(address, sizeof address, "ipc://%s/rpc", folder);
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    (void)snprintf(at.sun_path, sizeof at.sun_path, "%s/rpc", folder);
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(listener, 1), 0);
    for (int round = 0; round < LATE_ROUNDS; round++) {
        static struct test_pending pending[LATE_CALLS];
        struct rpc_channel *channel = test_open_channel(address);
        struct rpc_client *client = test_create_client(channel);
        int fd = accept_raw(listener);
        assert_soon(rpc_channel_connected(channel));
        for (int i = 0; i < LATE_CALLS; i++) {
            pending[i] = (struct test_pending){.call = {.timeout_ms = 30000}};
            test_begin_get(client, id, &pending[i]);
        }
        assert_soon(has_ended(pending)); /* the other calls have timed out too, or are about to */
        read_until_all_left_or_ended(fd, pending);
        rpc_channel_close(channel);
        for (int i = 0; i < LATE_CALLS; i++) {
            assert_int_equal(atomic_load(&pending[i].answers), 1);
            assert_int_equal(pending[i].call.error.status, STATUS_UNAVAILABLE);
        }
        rpc_client_destroy(client);
        assert_int_equal(close(fd), 0);
    }
    assert_int_equal(close(listener), 0);
    assert_int_equal(unlink(at.sun_path), 0);
    assert_int_equal(rmdir(folder), 0);
}

/* ---- closing ---- */

enum { CLOSED_CALLS = 100 };

static void test_exchange_close_fails_the_calls_in_flight(void **state)
{
    (void)state;
    struct bare_server server;
    bare_server_open(&server);
    struct rpc_channel *channel = test_open_channel(server.address);
    struct rpc_client *client = test_create_client(channel);
    static struct test_pending pending[CLOSED_CALLS];
    for (int i = 0; i < CLOSED_CALLS; i++) {
        pending[i] = (struct test_pending){.call = {.timeout_ms = 30000}};
        test_begin_get(client, "x", &pending[i]);
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

static void test_exchange_stopped_channel_fails_calls_and_can_still_be_asked(void **state)
{
    (void)state;
    struct bare_server server;
    bare_server_open(&server);
    struct rpc_channel *channel = test_open_channel(server.address);
    struct rpc_client *client = test_create_client(channel);
    struct test_pending pending = {.call = {.timeout_ms = 30000}};
    test_begin_get(client, "x", &pending);
    rpc_channel_stop(channel);
    assert_int_equal(atomic_load(&pending.answers), 1);
    assert_int_equal(pending.call.error.status, STATUS_UNAVAILABLE);
    struct rpc_client_call call = {.timeout_ms = 30000};
    assert_int_equal(test_get_and_wait(client, "x", &call, NULL), STATUS_UNAVAILABLE);
    assert_non_null(strstr(call.error.message, "closed the channel to"));
    assert_false(call.left);
    assert_int_equal(rpc_guard_wait_ms(rpc_channel_guard(channel)), 0);
    rpc_channel_stop(channel);
    rpc_client_destroy(client);
    rpc_channel_close(channel);
    bare_server_close(&server);
}

/* A call whose closure starts another call, as a retry does. */
struct again {
    struct rpc_client_call call; /* must be first */
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

static void test_exchange_closures_may_begin_calls_also_while_it_closes(void **state)
{
    (void)state;
    struct test_server server;
    test_server_serve(&server);
    struct rpc_channel *channel = test_open_channel(server.address);
    struct rpc_client *client = test_create_client(channel);
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
        cmocka_unit_test(test_exchange_lost_connection_is_unknown_and_never_sent_again),
        cmocka_unit_test(test_exchange_silent_server_is_deadline_exceeded),
        cmocka_unit_test(test_exchange_strange_answers_are_internal),
        cmocka_unit_test(test_exchange_receive_keeps_its_time_when_the_send_took_all_of_its_own),
        cmocka_unit_test(test_exchange_close_fails_the_calls_in_flight),
        cmocka_unit_test(test_exchange_stopped_channel_fails_calls_and_can_still_be_asked),
        cmocka_unit_test(test_exchange_closures_may_begin_calls_also_while_it_closes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
