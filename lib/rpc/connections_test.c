/* Tests the limits on accepted connections: raw clients on several loopback addresses connect to a server. */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "nng/connections.h"
#include "nng/stuck_reaper.h"
#include "rpc/rpc_testing.h"
#include "rpc/server.h"

/* nng 1.5.2 leaks some connections that break during setup. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libnng";
}

enum {
    TIMEOUT_MS = 1000,      /* ten ticks */
    STILL_MS = 3600 * 1000, /* so long that only the test's own ticks occur */
    SILENCE_TICKS_MAX = 10, /* two ticks are enough once nng has read the greetings */
    CONNECTIONS = 8,
    PER_ADDRESS = 5,
    MIB = 1024 * 1024,
    BYTES_MAX = 4 * MIB,
    ATTACKER = 2, /* 127.0.0.2 */
    OTHERS = 3,
};

/* SP protocol, version 0, REQ. */
static const uint8_t HELLO[8] = {0, 'S', 'P', 0, 0, 0x30, 0, 0};

static struct test_server server;

static int begin_with(bool tcp, uint32_t timeout_ms)
{
    const struct connection_limits limits = {.connections_max = CONNECTIONS,
                                             .per_address_max = PER_ADDRESS,
                                             .files_max = 4 * CONNECTIONS,
                                             .receive_timeout_ms = timeout_ms,
                                             .receive_bytes_max = BYTES_MAX};
    struct error error;
    assert_int_equal(connections_limit(&limits, &error), STATUS_OK);
    test_server_init(&server);
    test_server_start(&server, NULL, tcp);
    rpc_server_serve(server.server);
    return 0;
}

static int begin(void **state)
{
    (void)state;
    return begin_with(true, TIMEOUT_MS);
}

static int begin_ipc(void **state)
{
    (void)state;
    return begin_with(false, TIMEOUT_MS);
}

static int begin_still(void **state)
{
    (void)state;
    return begin_with(true, STILL_MS);
}

static int begin_still_ipc(void **state)
{
    (void)state;
    return begin_with(false, STILL_MS);
}

static int finish(void **state)
{
    (void)state;
    test_server_stop(&server);
    connections_unlimit();
    return 0;
}

/* Connects from 127.0.0.`host`. */
static int connect_to(in_port_t port, uint8_t host)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK - 1 + host)}};
    struct sockaddr_in target = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    target.sin_port = port;
    assert_int_equal(bind(fd, (struct sockaddr *)&from, sizeof from), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&target, sizeof target), 0);
    return fd;
}

static int connect_from(uint8_t host)
{
    return connect_to(htons((uint16_t)strtoul(strrchr(server.address, ':') + 1, NULL, 10)), host);
}

static int connect_ipc(void)
{
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    struct sockaddr_un target = {.sun_family = AF_UNIX};
    const char *path = server.address + strlen("ipc://");
    assert_true(strlen(path) < sizeof target.sun_path);
    memcpy(target.sun_path, path, strlen(path));
    assert_int_equal(connect(fd, (struct sockaddr *)&target, sizeof target), 0);
    return fd;
}

/* Sends the bytes. Ignores errors, because the server may already have closed the connection. */
static void send_bytes(int fd, const void *bytes, size_t size)
{
    (void)send(fd, bytes, size, MSG_NOSIGNAL);
}

/*
 * Sends the greeting and waits for the server's, which shows that the connection was accepted. Returns false
 * if the connection was refused.
 */
static bool greet(int fd)
{
    send_bytes(fd, HELLO, sizeof HELLO);
    uint8_t answer[8];
    return recv(fd, answer, sizeof answer, MSG_WAITALL) == (ssize_t)sizeof answer;
}

static int greeted_from(uint8_t host)
{
    int fd = connect_from(host);
    assert_true(greet(fd));
    return fd;
}

/*
 * Ticks until the server closes a silent connection to make room for a new one. Returns the new connection.
 */
static int greeted_after_silence(uint8_t host)
{
    for (int i = 0; i < SILENCE_TICKS_MAX; i++) {
        connections_tick();
        int fd = connect_from(host);
        if (greet(fd))
            return fd;
        assert_int_equal(close(fd), 0);
    }
    fail_msg("no silent connection left within %d ticks", SILENCE_TICKS_MAX);
    return -1;
}

static bool is_closed(int fd)
{
    char byte;
    ssize_t got = recv(fd, &byte, 1, MSG_DONTWAIT);
    return got == 0 || (got < 0 && errno != EAGAIN);
}

/* Sends the header of a message of `size` bytes, then `sent` zero bytes. */
static void send_part(int fd, bool is_ipc, uint32_t size, size_t sent)
{
    uint8_t header[9] = {1};
    uint32_t length = htonl(size);
    memcpy(header + 5, &length, sizeof length);
    send_bytes(fd, header + (is_ipc ? 0 : 1), is_ipc ? 9 : 8);
    static const uint8_t zeros[MIB];
    send_bytes(fd, zeros, sent);
}

static void assert_serves(void)
{
    nng_socket client = test_dial(server.address);
    test_assert_answer(test_get(client, "good", 0), STATUS_OK, "");
    (void)socket_close(client);
}

static void close_all(const int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++)
        assert_int_equal(close(fds[i]), 0);
}

static size_t closed_of(const int *fds, size_t count)
{
    size_t closed = 0;
    for (size_t i = 0; i < count; i++)
        closed += is_closed(fds[i]) ? 1 : 0;
    return closed;
}

static void test_connections_of_one_address_are_bounded(void **state)
{
    (void)state;
    int fds[PER_ADDRESS];
    for (size_t i = 0; i < PER_ADDRESS; i++)
        fds[i] = greeted_from(ATTACKER);
    int64_t refused = test_metric("rpc_connections_refused_total");
    int refused_fd = connect_from(ATTACKER); /* none of the attacker's connections is silent yet */
    assert_false(greet(refused_fd));
    assert_true(test_metric("rpc_connections_refused_total") > refused);
    assert_int_equal(closed_of(fds, PER_ADDRESS), 0);
    assert_serves(); /* from another address */
    int next = greeted_after_silence(ATTACKER);
    assert_soon(closed_of(fds, PER_ADDRESS) == 1);
    assert_false(is_closed(next));
    close_all(fds, PER_ADDRESS);
    assert_int_equal(close(next), 0);
    assert_int_equal(close(refused_fd), 0);
}

static void test_connections_beyond_the_total_are_taken_from_the_address_with_most(void **state)
{
    (void)state;
    int fds[PER_ADDRESS], others[CONNECTIONS - PER_ADDRESS];
    for (size_t i = 0; i < PER_ADDRESS; i++)
        fds[i] = greeted_from(ATTACKER);
    for (size_t i = 0; i < CONNECTIONS - PER_ADDRESS; i++)
        others[i] = greeted_from((uint8_t)(OTHERS + i));
    assert_serves(); /* from one more address */
    assert_soon(closed_of(fds, PER_ADDRESS) == 1);
    assert_int_equal(closed_of(others, CONNECTIONS - PER_ADDRESS), 0);
    close_all(fds, PER_ADDRESS);
    close_all(others, CONNECTIONS - PER_ADDRESS);
    assert_soon(test_metric("rpc_connections") == 0);
    assert_serves();
}

static void test_connections_of_as_many_addresses_leave_when_silent(void **state)
{
    (void)state;
    int fds[CONNECTIONS];
    for (size_t i = 0; i < CONNECTIONS; i++)
        fds[i] = greeted_from((uint8_t)(OTHERS + i));
    int early = connect_from(ATTACKER);
    assert_false(greet(early));
    int next = greeted_after_silence(ATTACKER);
    assert_soon(closed_of(fds, CONNECTIONS) == 1);
    close_all(fds, CONNECTIONS);
    assert_int_equal(close(next), 0);
    assert_int_equal(close(early), 0);
    assert_soon(test_metric("rpc_connections") == 0);
    assert_serves();
}

/*
 * Checks that the server closes connections that stop before or within any part of a message, but not an idle
 * one.
 */
static void check_unfinished(bool is_ipc)
{
    int silent = is_ipc ? connect_ipc() : connect_from(ATTACKER);
    int greeting = is_ipc ? connect_ipc() : connect_from(ATTACKER);
    int length = is_ipc ? connect_ipc() : connect_from(ATTACKER);
    int body = is_ipc ? connect_ipc() : connect_from(ATTACKER);
    int idle = is_ipc ? connect_ipc() : connect_from(ATTACKER);
    send_bytes(greeting, HELLO, 3);
    assert_true(greet(length) && greet(body) && greet(idle));
    send_bytes(length, "\1\0\0", 3);
    send_part(body, is_ipc, MIB, MIB / 2);
    int64_t began_ms = test_now_ms();
    int64_t sent_ms = began_ms;
    while (!is_closed(body) && test_now_ms() < began_ms + TEST_PATIENCE_MS) {
        if (test_now_ms() > sent_ms + TIMEOUT_MS / 10) { /* sending a few bytes at a time must not help */
            send_bytes(body, "x", 1);
            sent_ms = test_now_ms();
        }
        nng_msleep(1);
    }
    assert_true(test_now_ms() - began_ms >= TIMEOUT_MS / 2);
    assert_soon(is_closed(length));
    assert_true(recv(silent, (uint8_t[8]){0}, 8, 0) == 8); /* the server's greeting */
    assert_true(recv(greeting, (uint8_t[8]){0}, 8, 0) == 8);
    assert_soon(is_closed(silent) && is_closed(greeting));
    assert_false(is_closed(idle));
    assert_serves();
    close_all((const int[]){silent, greeting, length, body, idle}, 5);
}

static void test_connections_with_an_unfinished_message_are_ended(void **state)
{
    (void)state;
    check_unfinished(false);
}

static void test_connections_over_ipc_with_an_unfinished_message_are_ended(void **state)
{
    (void)state;
    check_unfinished(true);
}

static void test_connections_over_ipc_are_bounded_too(void **state)
{
    (void)state;
    int fds[PER_ADDRESS];
    for (size_t i = 0; i < PER_ADDRESS; i++) {
        fds[i] = connect_ipc();
        assert_true(greet(fds[i]));
    }
    int refused = connect_ipc(); /* all from one process */
    assert_false(greet(refused));
    close_all(fds, PER_ADDRESS);
    assert_int_equal(close(refused), 0);
}

static void test_connections_share_a_budget_for_unfinished_messages(void **state)
{
    (void)state;
    int fds[PER_ADDRESS];
    int other = greeted_from(OTHERS);
    send_part(other, false, MIB, 10);
    for (size_t i = 0; i < PER_ADDRESS; i++) {
        fds[i] = greeted_from(ATTACKER);
        send_part(fds[i], false, MIB, MIB - 1);
    }
    /*
     * The limit allows four messages of 1 MiB, and `other` uses one of them. So the server must close two of
     * the attacker's five connections.
     */
    assert_soon(closed_of(fds, PER_ADDRESS) >= 2);
    assert_int_equal(closed_of(fds, PER_ADDRESS), 2);
    assert_false(is_closed(other));
    assert_serves();
    close_all(fds, PER_ADDRESS);
    assert_int_equal(close(other), 0);
}

/* A connection that was accepted through the program's own accept, which nng also calls. */
struct pair {
    int client, accepted;
};

static struct pair accepted_from(int listener, uint8_t host)
{
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    struct pair pair = {.client = connect_to(address.sin_port, host)};
    pair.accepted = accept(listener, NULL, NULL);
    assert_true(pair.accepted >= 0);
    return pair;
}

/* Sends the greeting and the header of a message of 1 MiB, and reads both with the program's own readv. */
static void begin_message(const struct pair *pair)
{
    send_bytes(pair->client, HELLO, sizeof HELLO);
    send_part(pair->client, false, MIB, 0);
    uint8_t bytes[2 * sizeof HELLO];
    for (size_t taken = 0; taken < sizeof bytes;) {
        ssize_t size =
            readv(pair->accepted, &(struct iovec){.iov_base = bytes, .iov_len = sizeof bytes - taken}, 1);
        assert_true(size > 0);
        taken += (size_t)size;
    }
}

/* We cannot control which nng thread reads first, so here the test itself reads. */
static void test_connections_whose_message_began_first_leave_first(void **state)
{
    (void)state;
    static const size_t ORDER[PER_ADDRESS] = {3, 1, 4, 0, 2};
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, CONNECTIONS), 0);
    struct pair pairs[PER_ADDRESS], other = accepted_from(listener, OTHERS);
    begin_message(&other);
    for (size_t i = 0; i < PER_ADDRESS; i++)
        pairs[i] = accepted_from(listener, ATTACKER);
    for (size_t i = 0; i < PER_ADDRESS; i++)
        begin_message(&pairs[ORDER[i]]);
    for (size_t i = 0; i < PER_ADDRESS; i++) {
        assert_int_equal(connections_ended(pairs[ORDER[i]].accepted), i < 2);
        close_all((const int[]){pairs[ORDER[i]].client, pairs[ORDER[i]].accepted}, 2);
    }
    assert_false(connections_ended(other.accepted));
    close_all((const int[]){other.client, other.accepted, listener}, 3);
}

static void test_connections_of_large_messages_that_arrive_go_on(void **state)
{
    (void)state;
    nng_socket client = test_dial(server.address);
    static uint8_t payload[MIB / 2]; /* not a valid message, but the server replies to it */
    for (int i = 0; i < 4 * BYTES_MAX / MIB; i++) {
        Rpc__V1__Response *response =
            test_ask(client, TEST_BOOKING_SERVICE "/CreateBooking", payload, sizeof payload, 0);
        assert_int_equal(response->code, STATUS_INVALID_ARGUMENT);
        rpc__v1__response__free_unpacked(response, NULL);
    }
    (void)socket_close(client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_connections_of_one_address_are_bounded, begin_still, finish),
        cmocka_unit_test_setup_teardown(
            test_connections_beyond_the_total_are_taken_from_the_address_with_most, begin_still, finish),
        cmocka_unit_test_setup_teardown(test_connections_of_as_many_addresses_leave_when_silent, begin_still,
                                        finish),
        cmocka_unit_test_setup_teardown(test_connections_with_an_unfinished_message_are_ended, begin, finish),
        cmocka_unit_test_setup_teardown(test_connections_over_ipc_are_bounded_too, begin_still_ipc, finish),
        cmocka_unit_test_setup_teardown(test_connections_over_ipc_with_an_unfinished_message_are_ended,
                                        begin_ipc, finish),
        cmocka_unit_test_setup_teardown(test_connections_share_a_budget_for_unfinished_messages, begin_still,
                                        finish),
        cmocka_unit_test_setup_teardown(test_connections_whose_message_began_first_leave_first, begin_still,
                                        finish),
        cmocka_unit_test_setup_teardown(test_connections_of_large_messages_that_arrive_go_on, begin_still,
                                        finish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
