/*
 * Tests that a slot receives again after nng has cancelled its receive because the timeout of its previous
 * send expired (see expiring_aio.h).
 */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "rpc/rpc_testing.h"
#include "rpc/server_state.h"
#include "rpc/wire.h"

enum {
    SLOTS = TEST_HELD_MAX,
    REPLY_TIMEOUT_MS = 50,
    NAME_BYTES = 400000, /* more than a connection can buffer */
    FRAME_BYTES = 13,    /* bytes before the envelope: message type, length and request id */
};

static void start(struct test_server *server)
{
    struct rpc_server_options options = {
        .program = "test-svc", .contexts = SLOTS, .reply_timeout_ms = REPLY_TIMEOUT_MS};
    test_server_init(server);
    test_server_start(server, &options, false);
    rpc_server_serve(server->server);
}

static void send_all(int fd, const void *bytes, size_t size)
{
    for (size_t sent = 0; sent < size;) {
        ssize_t more = send(fd, (const uint8_t *)bytes + sent, size - sent, MSG_NOSIGNAL);
        assert_true(more > 0);
        sent += (size_t)more;
    }
}

static int connect_raw(const struct test_server *server)
{
    static const uint8_t HELLO[8] = {0, 'S', 'P', 0, 0, 0x30, 0, 0}; /* REQ */
    uint8_t theirs[8];
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    (void)snprintf(at.sun_path, sizeof at.sun_path, "%s/rpc", server->folder);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
    send_all(fd, HELLO, sizeof HELLO);
    assert_int_equal(recv(fd, theirs, sizeof theirs, MSG_WAITALL), sizeof theirs);
    return fd;
}

/* Sends a call whose payload has a single field. */
static void send_call(int fd, const char *method, uint32_t field, const char *text, size_t size)
{
    static const uint8_t REQUEST_ID[4] = {0x80, 0, 0, 1};
    static uint8_t payload[NAME_BYTES + 16], message[NAME_BYTES + 256];
    size_t payload_size = (size_t)(wire_put_bytes(payload, field, text, size) - payload);
    uint8_t *end = wire_put_bytes(message + FRAME_BYTES, 1, method, strlen(method));
    end = wire_put_bytes(end, 2, payload, payload_size);
    end = wire_put_varint_field(end, 3, 30000);
    uint64_t length = (uint64_t)(end - (message + 9));
    message[0] = 1;
    for (int i = 0; i < 8; i++)
        message[1 + i] = (uint8_t)(length >> (56 - 8 * i));
    memcpy(message + 9, REQUEST_ID, sizeof REQUEST_ID);
    send_all(fd, message, (size_t)(end - message));
}

/* Sends `count` calls, each of which takes a slot, and waits until the handler holds them. */
static void hold(struct test_server *server, int fd, size_t count)
{
    size_t held = test_server_held(server) + count;
    for (size_t i = 0; i < count; i++)
        send_call(fd, TEST_GET_BOOKING, 1, "hold", 4);
    assert_soon(test_server_held(server) == held);
}

static void test_slot_receives_again_when_its_receive_times_out(void **state)
{
    (void)state;
    struct test_server server;
    start(&server);
    int fd = connect_raw(&server);
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < SLOTS; i++)
            nng_aio_abort(server.server->slots[i].aio, NNG_ETIMEDOUT);
        hold(&server, fd, SLOTS);
        assert_int_equal(atomic_load(&server.server->receiving), 0);
        test_server_release(&server);
        assert_soon(atomic_load(&server.server->receiving) == SLOTS);
    }
    assert_int_equal(close(fd), 0);
    test_server_stop(&server);
}

/* ---- clients that read just as their answers time out ---- */

enum { READERS = 8, CALLS_OF_A_READER = 4, ROUNDS = 40, EARLY_STEPS = 8, EARLY_STEP_US = 120 };

/*
 * Connects and requests an answer that is too large for the connection's buffers, so that later answers wait
 * until the client reads.
 */
static int connect_busy(const struct test_server *server)
{
    static char name[NAME_BYTES];
    memset(name, 'n', sizeof name);
    int fd = connect_raw(server);
    send_call(fd, TEST_BOOKING_SERVICE "/CreateBooking", 3, name, sizeof name);
    return fd;
}

static void sleep_until(int64_t time_ns)
{
    struct timespec at = {.tv_sec = time_ns / NS_PER_S, .tv_nsec = time_ns % NS_PER_S};
    assert_int_equal(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL), 0);
}

static void read_until_nothing_is_sent(const struct test_server *server, const int *fds)
{
    static uint8_t bytes[NAME_BYTES];
    int64_t until_ms = test_now_ms() + TEST_PATIENCE_MS;
    while (atomic_load(&server->server->sending) > 0 && test_now_ms() < until_ms)
        for (int i = 0; i < READERS; i++)
            (void)recv(fds[i], bytes, sizeof bytes, MSG_DONTWAIT);
    assert_int_equal(atomic_load(&server->server->sending), 0);
}

/*
 * All answers time out in the same millisecond. nng takes their aios off its list together, and first cancels
 * those for the client that never reads. Meanwhile, the other clients read some of their answers.
 */
static void test_slot_receives_again_when_its_answer_was_taken_as_its_time_ended(void **state)
{
    (void)state;
    struct test_server server;
    start(&server);
    int64_t not_taken = test_metric("rpc_server_answers_not_taken_total");
    for (int round = 0; round < ROUNDS; round++) {
        int fds[READERS];
        for (int i = 0; i < READERS; i++) {
            fds[i] = connect_busy(&server);
            hold(&server, fds[i], CALLS_OF_A_READER);
        }
        int mute = connect_busy(&server);
        hold(&server, mute, SLOTS - READERS * CALLS_OF_A_READER);
        int64_t end_ms = test_now_ms() + REPLY_TIMEOUT_MS + 1; /* nng counts whole milliseconds */
        test_server_release(&server);                          /* answers the most recent call first */
        sleep_until(end_ms * NS_PER_MS - (int64_t)(round % EARLY_STEPS * EARLY_STEP_US) * NS_PER_US);
        read_until_nothing_is_sent(&server, fds);
        for (int i = 0; i < READERS; i++)
            assert_int_equal(close(fds[i]), 0);
        assert_int_equal(close(mute), 0);
    }
    assert_true(test_metric("rpc_server_answers_not_taken_total") > not_taken);
    int fd = connect_raw(&server);
    hold(&server, fd, SLOTS);
    assert_int_equal(close(fd), 0);
    test_server_stop(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slot_receives_again_when_its_receive_times_out),
        cmocka_unit_test(test_slot_receives_again_when_its_answer_was_taken_as_its_time_ended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
