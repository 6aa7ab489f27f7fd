/*
 * Tests that clients that break the rules harm only themselves: the server must keep serving a well-behaved
 * client while raw TCP clients misbehave.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <nng/nng.h>
#include <nng/protocol/reqrep0/req.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "nng/stuck_reaper.h"
#include "rpc/rpc_testing.h"
#include "rpc/server.h"
#include "rpc/wire.h"

/* nng 1.5.2 leaks some connections that break during setup. The other tests look for our own leaks. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libnng";
}

enum { BAD_CLIENTS = 200, FLOOD_NAME_BYTES = 20000, FLOOD_CONTEXTS = 8 };

/* SP protocol, version 0, REQ. */
static const uint8_t HELLO[8] = {0, 'S', 'P', 0, 0, 0x30, 0, 0};

static int connect_raw(const char *address)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in target = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    target.sin_port = htons((uint16_t)strtoul(strrchr(address, ':') + 1, NULL, 10));
    assert_int_equal(connect(fd, (struct sockaddr *)&target, sizeof target), 0);
    return fd;
}

static void start_tcp(struct test_server *server, const struct rpc_server_options *options)
{
    test_server_init(server);
    test_server_start(server, options, true);
    rpc_server_serve(server->server);
}

static void assert_answers(nng_socket client)
{
    test_assert_answer(test_get(client, "good", 0), STATUS_OK, "");
}

static void close_with_reset(int fd)
{
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger), 0);
    assert_int_equal(close(fd), 0);
}

static void test_server_connections_that_come_and_go_do_no_harm(void **state)
{
    (void)state;
    struct test_server server;
    start_tcp(&server, NULL);
    nng_socket client = test_dial(server.address);
    for (int i = 0; i < BAD_CLIENTS; i++) {
        assert_int_equal(close(connect_raw(server.address)), 0);
        close_with_reset(connect_raw(server.address));
    }
    assert_answers(client);
    nng_socket newcomer = test_dial(server.address);
    assert_answers(newcomer);
    (void)socket_close(newcomer);
    (void)socket_close(client);
    test_server_stop(&server);
}

/* Sends the bytes and waits until the server closes the connection. */
static void assert_thrown_out(const char *address, const void *bytes, size_t size)
{
    int fd = connect_raw(address);
    assert_true(send(fd, bytes, size, MSG_NOSIGNAL) == (ssize_t)size);
    struct timeval patience = {.tv_sec = TEST_PATIENCE_MS / MS_PER_S};
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
    char answer[64];
    ssize_t got;
    do {
        got = recv(fd, answer, sizeof answer, 0);
    } while (got > 0);
    assert_true(got == 0 || errno == ECONNRESET);
    assert_int_equal(close(fd), 0);
}

static void test_server_garbage_bytes_close_their_connection(void **state)
{
    (void)state;
    struct test_server server;
    start_tcp(&server, NULL);
    nng_socket client = test_dial(server.address);
    static const char http[] = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    assert_thrown_out(server.address, http, sizeof http - 1);
    uint8_t claim[16]; /* a message of 8 GiB */
    memcpy(claim, HELLO, sizeof HELLO);
    memcpy(claim + 8, "\0\0\0\2\0\0\0\0", 8);
    assert_thrown_out(server.address, claim, sizeof claim);
    uint8_t headless[17]; /* a message without a request id */
    memcpy(headless, HELLO, sizeof HELLO);
    memcpy(headless + 8, "\0\0\0\0\0\0\0\1x", 9);
    assert_thrown_out(server.address, headless, sizeof headless);
    int half_open = connect_raw(server.address);
    assert_int_equal(send(half_open, HELLO, 3, MSG_NOSIGNAL), 3);
    assert_answers(client);
    assert_int_equal(close(half_open), 0);
    (void)socket_close(client);
    test_server_stop(&server);
}

static void test_server_message_too_large_closes_only_its_connection(void **state)
{
    (void)state;
    struct test_server server;
    struct rpc_server_options options = {.program = "test-svc", .message_max_bytes = 1000};
    start_tcp(&server, &options);
    nng_socket client = test_dial(server.address);
    nng_socket greedy = test_dial(server.address);
    char bytes[1001] = {0};
    Rpc__V1__Response *response = test_ask_bytes(greedy, bytes, 1000);
    assert_int_equal(response->code, STATUS_INVALID_ARGUMENT); /* the server has read the message */
    rpc__v1__response__free_unpacked(response, NULL);
    assert_int_equal(nng_send(greedy, bytes, 1001, 0), 0);
    nng_msg *answer;
    assert_int_equal(nng_recvmsg(greedy, &answer, 0), NNG_ECONNRESET);
    assert_answers(client);
    (void)socket_close(greedy);
    (void)socket_close(client);
    test_server_stop(&server);
}

/* ---- a client that sends and never reads ---- */

/*
 * Writes a CreateBooking request in wire format whose response is as large as the request. Returns the size
 * of the request.
 */
static size_t pack_flood(uint8_t *out)
{
    static char name[FLOOD_NAME_BYTES];
    memset(name, 'n', sizeof name);
    static uint8_t payload[FLOOD_NAME_BYTES + 16];
    size_t payload_size = (size_t)(wire_put_bytes(payload, 3, name, sizeof name) - payload);
    const char *method = TEST_BOOKING_SERVICE "/CreateBooking";
    uint8_t *end = wire_put_bytes(out + 12, 1, method, strlen(method));
    end = wire_put_bytes(end, 2, payload, payload_size);
    uint32_t length = htonl((uint32_t)(end - (out + 8)));
    memset(out, 0, 4);
    memcpy(out + 4, &length, 4);
    memcpy(out + 8, "\x80\0\0\1", 4); /* the request id */
    return (size_t)(end - out);
}

static int begin_flood(const char *address)
{
    int fd = connect_raw(address);
    assert_int_equal(send(fd, HELLO, sizeof HELLO, MSG_NOSIGNAL), sizeof HELLO);
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    return fd;
}

struct flood {
    int fd;
    uint8_t message[FLOOD_NAME_BYTES + 128];
    size_t size;
    size_t sent; /* number of bytes of the current message sent so far */
};

/* Sends as much as the connection accepts, but at most 100 requests. */
static void flood_on(struct flood *flood)
{
    for (size_t total = 0; total < 100 * flood->size;) {
        ssize_t sent = send(flood->fd, flood->message + flood->sent, flood->size - flood->sent, MSG_NOSIGNAL);
        if (sent < 0) {
            assert_int_equal(errno, EAGAIN);
            return;
        }
        flood->sent = (flood->sent + (size_t)sent) % flood->size;
        total += (size_t)sent;
    }
}

static const char NOT_TAKEN[] = "rpc_server_answers_not_taken_total";

static void test_server_client_that_never_reads_stalls_nobody(void **state)
{
    (void)state;
    struct test_server server;
    struct rpc_server_options options = {
        .program = "test-svc", .contexts = FLOOD_CONTEXTS, .reply_timeout_ms = 20000};
    start_tcp(&server, &options);
    nng_socket client = test_dial(server.address);
    static struct flood flood;
    flood.fd = begin_flood(server.address);
    flood.size = pack_flood(flood.message);
    int64_t enough = test_metric(NOT_TAKEN) + 1000;
    int64_t until_ms = test_now_ms() + TEST_PATIENCE_MS;
    int64_t slowest_ms = 0;
    while (test_metric(NOT_TAKEN) < enough && test_now_ms() < until_ms) {
        flood_on(&flood);
        int64_t begin_ms = test_now_ms();
        assert_answers(client);
        int64_t took_ms = test_now_ms() - begin_ms;
        slowest_ms = took_ms > slowest_ms ? took_ms : slowest_ms;
    }
    assert_true(test_metric(NOT_TAKEN) >= enough);
    assert_true(slowest_ms < 4000); /* the timeout is shorter while more than half of the slots are sending */
    assert_int_equal(close(flood.fd), 0);
    (void)socket_close(client);
    test_server_stop(&server);
}

static const uint32_t FLOOD_ID = 0x80000001;
static const uint32_t LAST_ID = 0x80000002;

/* Sends a request with the request id `id` on a raw REQ socket. */
static void send_raw(nng_socket raw, const void *request, size_t size, uint32_t id)
{
    nng_msg *msg;
    assert_int_equal(nng_msg_alloc(&msg, 0), 0);
    assert_int_equal(nng_msg_append(msg, request, size), 0);
    assert_int_equal(nng_msg_header_append_u32(msg, id), 0);
    if (nng_sendmsg(raw, msg, NNG_FLAG_NONBLOCK) != 0)
        nng_msg_free(msg); /* the connection accepts no more for now */
}

/* Receives the next reply if one arrives soon. Returns whether it belongs to the request `id`. */
static bool takes_answer(nng_socket raw, uint32_t id)
{
    nng_msg *msg;
    if (nng_recvmsg(raw, &msg, 0) != 0)
        return false;
    uint32_t answered = 0;
    assert_int_equal(nng_msg_header_trim_u32(msg, &answered), 0);
    nng_msg_free(msg);
    return answered == id;
}

static void test_server_client_that_reads_again_is_answered_again(void **state)
{
    (void)state;
    struct test_server server;
    struct rpc_server_options options = {.program = "test-svc", .reply_timeout_ms = 50};
    start_tcp(&server, &options);
    static uint8_t flood[FLOOD_NAME_BYTES + 128];
    size_t size = pack_flood(flood);
    nng_socket raw;
    assert_int_equal(nng_req0_open_raw(&raw), 0);
    assert_int_equal(nng_socket_set_ms(raw, NNG_OPT_RECVTIMEO, 20), 0);
    assert_int_equal(nng_dial(raw, server.address, NULL, 0), 0);
    int64_t before = test_metric(NOT_TAKEN);
    int64_t until_ms = test_now_ms() + TEST_PATIENCE_MS;
    while (test_metric(NOT_TAKEN) == before && test_now_ms() < until_ms)
        send_raw(raw, flood + 12, size - 12, FLOOD_ID);
    assert_true(test_metric(NOT_TAKEN) > before);
    bool answered = false;
    while (!answered && test_now_ms() < until_ms) {
        uint8_t request[128];
        uint8_t *end = wire_put_bytes(request, 1, TEST_GET_BOOKING, strlen(TEST_GET_BOOKING));
        send_raw(raw, request, (size_t)(end - request), LAST_ID);
        answered = takes_answer(raw, LAST_ID);
    }
    assert_true(answered);
    nng_msg *rest; /* on close, nng leaks a request that it has not yet sent */
    while (nng_recvmsg(raw, &rest, 0) == 0)
        nng_msg_free(rest);
    (void)socket_close(raw);
    test_server_stop(&server);
}

/*
 * Stops the server while requests are arriving on a connection, which can make nng hang (see stuck_reaper.h).
 */
static void test_server_close_under_load_ends(void **state)
{
    (void)state;
    for (int round = 0; round < 20; round++) {
        struct test_server server;
        start_tcp(&server, NULL);
        static struct flood flood;
        flood.sent = 0;
        flood.fd = begin_flood(server.address);
        flood.size = pack_flood(flood.message);
        flood_on(&flood);
        test_server_stop(&server);
        assert_int_equal(close(flood.fd), 0);
    }
}

/* ---- large requests in flight ---- */

enum { LARGE_MAX = 8192, LARGE_CALLS = 40, LARGE_ALLOWED = 32 };

/* Writes a GetBooking request for "hold". An unknown field makes it almost as large as the server accepts. */
static size_t pack_large(uint8_t *out)
{
    static uint8_t payload[LARGE_MAX];
    uint8_t *payload_end = wire_put_bytes(payload, 1, "hold", 4);
    size_t rest = LARGE_MAX - 128;
    payload_end = wire_put_bytes_header(payload_end, 1023, rest);
    memset(payload_end, 0, rest);
    payload_end += rest;
    uint8_t *end = wire_put_bytes(out, 1, TEST_GET_BOOKING, strlen(TEST_GET_BOOKING));
    end = wire_put_bytes(end, 2, payload, (size_t)(payload_end - payload));
    assert_true(end - out <= LARGE_MAX);
    return (size_t)(end - out);
}

static void test_server_large_requests_that_wait_have_a_budget(void **state)
{
    (void)state;
    struct test_server server;
    struct rpc_server_options options = {.program = "test-svc", .message_max_bytes = LARGE_MAX};
    start_tcp(&server, &options);
    static uint8_t request[LARGE_MAX];
    size_t size = pack_large(request);
    nng_socket clients[LARGE_CALLS];
    for (size_t i = 0; i < LARGE_CALLS; i++) {
        clients[i] = test_dial(server.address);
        assert_int_equal(nng_send(clients[i], request, size, 0), 0);
        assert_soon(test_server_held(&server) == i + 1 || i >= LARGE_ALLOWED);
    }
    nng_socket client = test_dial(server.address);
    Rpc__V1__Response *response = test_ask_bytes(client, request, size);
    assert_string_equal(response->reason, "OVERLOADED");
    assert_true(response->retry_after_ms > 0);
    test_assert_answer(response, STATUS_RESOURCE_EXHAUSTED, "too many large requests wait");
    assert_answers(client); /* small requests are still served */
    size_t held = test_server_held(&server);
    assert_true(held >= LARGE_ALLOWED && held < LARGE_CALLS);
    test_server_release(&server);
    assert_soon(rpc_server_in_flight(server.server) == 0);
    assert_int_equal(nng_send(client, request, size, 0), 0);
    assert_soon(test_server_held(&server) == 1); /* there is room again */
    for (size_t i = 0; i < LARGE_CALLS; i++)
        (void)socket_close(clients[i]);
    test_server_release(&server);
    (void)socket_close(client);
    test_server_stop(&server);
}

/* ---- clients that vanish, and a server that closes, with calls in flight ---- */

static void test_server_answers_to_vanished_clients_are_dropped(void **state)
{
    (void)state;
    struct test_server server;
    start_tcp(&server, NULL);
    for (size_t i = 0; i < 10; i++) {
        nng_socket client = test_dial(server.address);
        uint8_t request[128];
        uint8_t *end = wire_put_bytes(request, 1, TEST_GET_BOOKING, strlen(TEST_GET_BOOKING));
        end = wire_put_bytes(end, 2, "\x0a\x04hold", 6);
        assert_int_equal(nng_send(client, request, (size_t)(end - request), 0), 0);
        assert_soon(test_server_held(&server) == i + 1);
        (void)socket_close(client);
    }
    test_server_release(&server);
    assert_soon(rpc_server_in_flight(server.server) == 0);
    nng_socket client = test_dial(server.address);
    assert_answers(client);
    (void)socket_close(client);
    test_server_stop(&server);
}

static void *release_later(void *context)
{
    nng_msleep(50); /* while the server is closing; other tests cover earlier and later times */
    test_server_release(context);
    return NULL;
}

static void test_server_close_waits_for_calls_in_flight(void **state)
{
    (void)state;
    struct test_server server;
    start_tcp(&server, NULL);
    nng_socket client = test_dial(server.address);
    uint8_t request[128];
    uint8_t *end = wire_put_bytes(request, 1, TEST_GET_BOOKING, strlen(TEST_GET_BOOKING));
    end = wire_put_bytes(end, 2, "\x0a\x04hold", 6);
    assert_int_equal(nng_send(client, request, (size_t)(end - request), 0), 0);
    assert_soon(test_server_held(&server) == 1);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, release_later, &server), 0);
    rpc_server_close(server.server);
    assert_int_equal(test_server_held(&server), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(rmdir(server.folder), 0);
    (void)socket_close(client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_server_connections_that_come_and_go_do_no_harm),
        cmocka_unit_test(test_server_garbage_bytes_close_their_connection),
        cmocka_unit_test(test_server_message_too_large_closes_only_its_connection),
        cmocka_unit_test(test_server_client_that_never_reads_stalls_nobody),
        cmocka_unit_test(test_server_client_that_reads_again_is_answered_again),
        cmocka_unit_test(test_server_close_under_load_ends),
        cmocka_unit_test(test_server_large_requests_that_wait_have_a_budget),
        cmocka_unit_test(test_server_answers_to_vanished_clients_are_dropped),
        cmocka_unit_test(test_server_close_waits_for_calls_in_flight),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
