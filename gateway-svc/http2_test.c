/*
 * Tests the server with a client of libnghttp2: answers from other threads, slow listeners, and a lack of
 * memory at any allocation. CMake links the allocations of our code, which are also those of the server's
 * sessions, to functions that can fail.
 */
#include "http2_testing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

enum { AT_ONCE = 50 };

/* ---- allocations that fail ---- */

static atomic_llong allocations_left = INT64_MAX;
static atomic_bool fails_once; /* whether one allocation fails, instead of all later ones */

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);

static bool may_allocate(void)
{
    long long left = atomic_fetch_sub(&allocations_left, 1);
    return left > 0 || (left < 0 && atomic_load(&fails_once));
}

void *__wrap_malloc(size_t size)
{
    return may_allocate() ? __real_malloc(size) : NULL;
}

void *__wrap_calloc(size_t count, size_t size)
{
    return may_allocate() ? __real_calloc(count, size) : NULL;
}

void *__wrap_realloc(void *memory, size_t size)
{
    return may_allocate() ? __real_realloc(memory, size) : NULL;
}

/* ---- tests ---- */

static void *respond_to_all(void *context)
{
    struct world *world = context;
    for (size_t done = 0; done < CALLS; done++) {
        struct http_request *request = NULL;
        while (request == NULL) {
            pthread_mutex_lock(&world->lock);
            if (world->waiting_count > 0)
                request = world->waiting[--world->waiting_count];
            pthread_mutex_unlock(&world->lock);
        }
        respond(request);
    }
    return NULL;
}

static void test_http2_answers_from_another_thread(void **state)
{
    (void)state;
    struct world world;
    struct client client;
    pthread_t thread;
    size_t sizes[CALLS], submitted = 0;
    open_and_connect(&world, &client, NGHTTP2_INITIAL_WINDOW_SIZE);
    assert_int_equal(pthread_create(&thread, NULL, respond_to_all, &world), 0);
    while (client.ended < CALLS) {
        for (; submitted < CALLS && submitted - client.ended < AT_ONCE; submitted++) {
            sizes[submitted] = submitted * 10;
            submit(&client, "/later", &sizes[submitted]);
        }
        pump(&client);
        assert_int_equal(client.reset, 0);
    }
    assert_int_equal(client.received, 10 * CALLS * (CALLS - 1) / 2);
    assert_int_equal(client.status, 200);
    pthread_join(thread, NULL);
    end_client(&client);
    close_world(&world);
}

static bool has_slow(struct world *world)
{
    return atomic_load(&world->slow) != NULL;
}

static bool has_closed(struct world *world)
{
    return atomic_load(&world->closed) == 1;
}

static void test_http2_resets_a_stream_that_is_not_read_and_goes_on(void **state)
{
    (void)state;
    static const char bytes[1000] = {0};
    struct world world;
    struct client client;
    size_t written = 0, size = 100;
    open_and_connect(&world, &client, 0); /* reads no body */
    submit(&client, "/slow", NULL);
    send_all(&client);
    wait_until(has_slow, &world);
    struct http_stream *stream = atomic_load(&world.slow);
    while (write_slow(&world, stream, bytes, sizeof bytes)) {
        written += sizeof bytes;
        assert_int_equal(http_stream_unread(stream), written);
    }
    assert_in_range(written, HTTP_STREAM_MAX - sizeof bytes, HTTP_STREAM_MAX);
    wait_until(has_closed, &world);
    while (client.reset == 0)
        pump(&client);
    submit(&client, "/echo", &size);
    while (client.status != 200 || size > 0)
        pump(&client);
    end_client(&client);
    close_world(&world);
}

static void test_http2_a_broken_stream_never_ends_as_if_it_were_whole(void **state)
{
    (void)state;
    enum { STREAMS = 3000, STEPS = 100, STEP_NS = 500 };
    static const char bytes[HTTP_STREAM_MAX + 1] = {0};
    struct world world;
    struct client client;
    open_and_connect(&world, &client, NGHTTP2_INITIAL_WINDOW_SIZE);
    for (size_t i = 1; i <= STREAMS; i++) {
        submit(&client, "/slow", NULL);
        send_all(&client);
        wait_until(has_slow, &world);
        struct http_stream *stream = atomic_exchange(&world.slow, NULL);
        assert_true(write_slow(&world, stream, bytes, 10));
        for (int64_t end_ns = clock_monotonic_ns() + (int64_t)(i % STEPS) * STEP_NS;
             clock_monotonic_ns() < end_ns;)
            ; /* breaks the stream at any point of what the server does with the first bytes */
        assert_false(write_slow(&world, stream, bytes, sizeof bytes));
        while (client.reset + client.ended < i)
            pump(&client);
        assert_int_equal(client.ended, 0);
    }
    end_client(&client);
    close_world(&world);
}

/* ---- bodies in pieces ---- */

enum { PIECE_BYTES = 100 };

/* Gives one piece of the body, and waits for nghttp2_session_resume_data, in turns. */
static ssize_t read_piece(nghttp2_session *session, int32_t stream_id, uint8_t *out, size_t max,
                          uint32_t *flags, nghttp2_data_source *source, void *context)
{
    size_t *turns = source->ptr;
    (void)session, (void)stream_id, (void)context;
    assert_true(max >= PIECE_BYTES);
    if (*turns == 0) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        return 0;
    }
    if ((*turns)-- % 2 == 1)
        return NGHTTP2_ERR_DEFERRED;
    memset(out, 'x', PIECE_BYTES);
    return PIECE_BYTES;
}

static void test_http2_answers_pieces_of_a_body_before_its_end(void **state)
{
    (void)state;
    enum { PIECES = 5 };
    struct world world;
    struct client client;
    size_t turns = 2 * PIECES;
    open_world(&world);
    begin_client(&client, NGHTTP2_INITIAL_WINDOW_SIZE);
    client.fd = connect_to(&world);
    submit_from(&client, "/pieces", &turns, read_piece);
    for (size_t received = 1; received <= PIECES; received++) {
        while (client.received < received * PIECE_BYTES)
            pump(&client);
        assert_int_equal(client.received, received * PIECE_BYTES);
        assert_int_equal(client.status, 200);
        assert_int_equal(client.ended, 0);
        if (received < PIECES)
            assert_int_equal(nghttp2_session_resume_data(client.session, 1), 0);
    }
    assert_int_equal(client.trailers, 0);
    assert_int_equal(nghttp2_session_resume_data(client.session, 1), 0);
    while (client.ended == 0)
        pump(&client);
    assert_int_equal(client.trailers, 1);
    end_client(&client);
    close_world(&world);
}

static void test_http2_a_client_may_leave_within_a_body_in_pieces(void **state)
{
    (void)state;
    struct world world;
    struct client client;
    size_t turns = 2;
    open_world(&world);
    begin_client(&client, NGHTTP2_INITIAL_WINDOW_SIZE);
    client.fd = connect_to(&world);
    submit_from(&client, "/pieces", &turns, read_piece);
    while (client.received < PIECE_BYTES)
        pump(&client);
    end_client(&client);
    wait_until(has_closed, &world);
    close_world(&world);
}

static void test_http2_leaves_the_socket_of_its_successor_alone(void **state)
{
    (void)state;
    struct world world, successor;
    struct client client;
    size_t size = 7;
    open_and_connect(&world, &client, NGHTTP2_INITIAL_WINDOW_SIZE);
    submit(&client, "/later", NULL);
    send_all(&client);
    wait_until(has_waiting, &world);
    assert_false(http_drain(world.server, 0));
    assert_int_not_equal(access(world.listen + strlen("unix:"), F_OK), 0);
    open_world(&successor);
    respond(world.waiting[0]);
    while (client.ended == 0)
        pump(&client);
    end_client(&client);
    close_world(&world);
    connect_client(&client, &successor, NGHTTP2_INITIAL_WINDOW_SIZE);
    submit(&client, "/echo", &size);
    while (client.ended == 0)
        pump(&client);
    assert_int_equal(client.received, 7);
    end_client(&client);
    close_world(&successor);
}

/* ---- many threads ---- */

enum { RESPONDERS = 2, CLIENTS = 8, ROUNDS = 60, AT_A_TIME = 4 };

static atomic_bool responders_stop;

/* Responds to requests until it is stopped. */
static void *respond_on(void *context)
{
    struct world *world = context;
    while (!atomic_load(&responders_stop)) {
        pthread_mutex_lock(&world->lock);
        struct http_request *request =
            world->waiting_count > 0 ? world->waiting[--world->waiting_count] : NULL;
        pthread_mutex_unlock(&world->lock);
        if (request != NULL)
            respond(request);
    }
    return NULL;
}

static void start_responders(struct world *world, pthread_t threads[RESPONDERS])
{
    atomic_store(&responders_stop, false);
    for (int i = 0; i < RESPONDERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, respond_on, world), 0);
}

static void stop_responders(const pthread_t threads[RESPONDERS])
{
    atomic_store(&responders_stop, true);
    for (int i = 0; i < RESPONDERS; i++)
        pthread_join(threads[i], NULL);
}

/* Connects and sends requests whose streams have the ids 1, 3, 5 and 7. */
static void begin_calls(const struct world *world, struct client *client)
{
    connect_client(client, world, NGHTTP2_INITIAL_WINDOW_SIZE);
    for (int i = 0; i < AT_A_TIME; i++)
        submit(client, "/later", NULL);
    send_all(client);
}

static void test_http2_answers_while_clients_reset_and_close(void **state)
{
    (void)state;
    struct world world;
    struct client client;
    pthread_t threads[RESPONDERS];
    open_world(&world);
    start_responders(&world, threads);
    for (int round = 0; round < ROUNDS; round++) {
        begin_calls(&world, &client);
        if (round % 3 > 0) {
            for (int id = 1; id < 2 * AT_A_TIME; id += 4)
                assert_int_equal(
                    nghttp2_submit_rst_stream(client.session, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL), 0);
            send_all(&client);
        }
        while (round % 3 == 2 && client.ended + client.reset < AT_A_TIME)
            pump(&client);
        end_client(&client);
    }
    wait_until(is_empty, &world);
    stop_responders(threads);
    close_world(&world);
}

static bool has_all_waiting(struct world *world)
{
    pthread_mutex_lock(&world->lock);
    size_t count = world->waiting_count;
    pthread_mutex_unlock(&world->lock);
    return count == CLIENTS * AT_A_TIME;
}

static void test_http2_drains_the_connections_of_all_threads(void **state)
{
    (void)state;
    struct world world;
    struct client clients[CLIENTS];
    pthread_t threads[RESPONDERS];
    open_world(&world);
    for (int i = 0; i < CLIENTS; i++)
        begin_calls(&world, &clients[i]);
    wait_until(has_all_waiting, &world);
    assert_false(http_drain(world.server, 0));
    start_responders(&world, threads);
    assert_true(http_drain(world.server, DEADLINE_S * MS_PER_S));
    stop_responders(threads);
    http_close(world.server);
    for (int i = 0; i < CLIENTS; i++) { /* everything was sent before the end */
        struct client *client = &clients[i];
        uint8_t bytes[4096];
        ssize_t size;
        while ((size = recv(client->fd, bytes, sizeof bytes, 0)) > 0)
            assert_int_equal(nghttp2_session_mem_recv(client->session, bytes, (size_t)size), size);
        assert_int_equal(size, 0);
        assert_int_equal(client->ended, AT_A_TIME);
        end_client(client);
    }
    pthread_mutex_destroy(&world.lock);
    pthread_mutex_destroy(&world.writing);
}

/* ---- memory ---- */

/* Returns how many streams the complete frames in `bytes` end. Sets *used to the size of these frames. */
static size_t count_ends(const uint8_t *bytes, size_t size, size_t *used)
{
    enum { HEAD = 9 };
    size_t ends = 0;
    for (*used = 0; size - *used >= HEAD;) {
        const uint8_t *frame = bytes + *used;
        size_t length = HEAD + ((size_t)frame[0] << 16 | (size_t)frame[1] << 8 | frame[2]);
        if (size - *used < length)
            break;
        bool has_flag = frame[3] == NGHTTP2_DATA || frame[3] == NGHTTP2_HEADERS;
        ends += frame[3] == NGHTTP2_RST_STREAM || (has_flag && (frame[4] & NGHTTP2_FLAG_END_STREAM) != 0);
        *used += length;
    }
    return ends;
}

/* Sends recorded requests. Returns the number of streams that ended before the connection did. */
static size_t play(const struct world *world, const uint8_t *record, size_t size, size_t streams)
{
    uint8_t bytes[65536];
    size_t filled = 0, used, ends = 0;
    int fd = connect_to(world);
    (void)send(fd, record, size, MSG_NOSIGNAL);
    while (ends < streams) {
        ssize_t got = recv(fd, bytes + filled, sizeof bytes - filled, 0);
        assert_true(got >= 0 || errno == ECONNRESET);
        if (got <= 0)
            break;
        filled += (size_t)got;
        ends += count_ends(bytes, filled, &used);
        memmove(bytes, bytes + used, filled - used);
        filled -= used;
    }
    close(fd);
    return ends;
}

/* Records requests for all kinds of answers. Returns their size. */
static size_t record_requests(uint8_t *record, size_t room)
{
    struct client client;
    const uint8_t *bytes;
    size_t recorded = 0, body_size = 5000, pieces_size = 300;
    ssize_t size;
    begin_client(&client, NGHTTP2_INITIAL_WINDOW_SIZE);
    submit(&client, "/echo?a=b&c=d", NULL);
    submit(&client, "/echo", &body_size);
    submit(&client, "/stream", NULL);
    submit(&client, "/pieces", &pieces_size);
    while ((size = nghttp2_session_mem_send(client.session, &bytes)) > 0) {
        assert_true(recorded + (size_t)size <= room);
        memcpy(record + recorded, bytes, (size_t)size);
        recorded += (size_t)size;
    }
    nghttp2_session_del(client.session);
    return recorded;
}

/* Whichever allocation fails, the client gets an answer, a reset or the end of the connection. */
static void check_failing_allocations(bool once)
{
    enum { STREAMS = 4, ATTEMPTS_MAX = 2000, ROOM = 32768 };
    struct world world;
    uint8_t record[ROOM];
    size_t size = record_requests(record, sizeof record), ends = 0, failures = 0, whole = 0;
    bool failed = true;
    atomic_store(&fails_once, once);
    open_world(&world);
    for (; failed && failures < ATTEMPTS_MAX; failures++) {
        atomic_store(&allocations_left, (long long)failures);
        ends = play(&world, record, size, STREAMS);
        wait_until(is_empty, &world);
        failed = atomic_exchange(&allocations_left, INT64_MAX) < 0;
        whole += ends == STREAMS;
    }
    assert_in_range(failures, 20, ATTEMPTS_MAX - 1);
    assert_int_equal(ends, STREAMS);
    assert_true(whole > 1 || !once); /* a lack of memory for one request ends no connection */
    close_world(&world);
}

static void test_http2_survives_any_failing_allocation(void **state)
{
    (void)state;
    check_failing_allocations(true);
}

static void test_http2_survives_running_out_of_memory_at_any_point(void **state)
{
    (void)state;
    check_failing_allocations(false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_http2_answers_from_another_thread),
        cmocka_unit_test(test_http2_resets_a_stream_that_is_not_read_and_goes_on),
        cmocka_unit_test(test_http2_a_broken_stream_never_ends_as_if_it_were_whole),
        cmocka_unit_test(test_http2_answers_pieces_of_a_body_before_its_end),
        cmocka_unit_test(test_http2_a_client_may_leave_within_a_body_in_pieces),
        cmocka_unit_test(test_http2_leaves_the_socket_of_its_successor_alone),
        cmocka_unit_test(test_http2_answers_while_clients_reset_and_close),
        cmocka_unit_test(test_http2_drains_the_connections_of_all_threads),
        cmocka_unit_test(test_http2_survives_any_failing_allocation),
        cmocka_unit_test(test_http2_survives_running_out_of_memory_at_any_point),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
