/* The server against clients that want too much of it. */
#include "http2_testing.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/digest.h"

/* ---- heads ---- */

static size_t held(struct world *world, enum http2_part part)
{
    return atomic_load(&world->server->held[part].all);
}

static int ask(struct client *client, const char *path)
{
    size_t ended = client->ended;
    submit(client, path, NULL);
    while (client->ended == ended)
        pump(client);
    return client->status;
}

static void test_http2_charges_requests_to_the_budget_of_heads(void **state)
{
    (void)state;
    enum { BASE = sizeof(struct http_request) + 4096, FIELDS_ROOM = 300 };
    struct world world;
    struct client client;
    open_and_connect(&world, &client, NGHTTP2_INITIAL_WINDOW_SIZE);
    submit(&client, "/later", NULL);
    send_all(&client);
    wait_until(has_waiting, &world);
    size_t all = held(&world, HTTP2_HEADS);
    assert_in_range(all, BASE + 5 * 32, BASE + FIELDS_ROOM);
    atomic_size_t *held_by_all = &world.server->held[HTTP2_HEADS].all;
    size_t others = HTTP2_ALL_MAX - all - BASE;

    atomic_fetch_add(held_by_all, others);
    assert_int_equal(ask(&client, "/echo"), 503); /* there is room for the request, but not for its fields */

    atomic_fetch_add(held_by_all, 1);
    submit(&client, "/echo", NULL);
    while (client.reset == 0)
        pump(&client);
    assert_int_equal(client.error_code, NGHTTP2_REFUSED_STREAM);
    assert_int_equal(held(&world, HTTP2_HEADS), all + others + 1);

    atomic_fetch_sub(held_by_all, others + 1);
    respond(world.waiting[0]);
    submit(&client, "/echo", NULL);
    while (client.ended < 3)
        pump(&client);
    assert_int_equal(client.status, 200);
    end_client(&client);
    close_world(&world);
}

/* Has the client hold bytes of a part, or no longer. */
static void hold(struct world *world, const struct client *client, enum http2_part part, size_t bytes)
{
    struct http2_held *held = &world->server->held[part];
    atomic_fetch_add(&held->all, bytes);
    atomic_fetch_add(&held->by_line[fair_line_of(digest_address(client->address))], bytes);
}

static int ask_with_body(struct client *client)
{
    size_t ended = client->ended, size = 100;
    submit(client, "/echo", &size);
    while (client->ended == ended)
        pump(client);
    return client->status;
}

static void test_http2_refuses_a_client_beyond_its_share_and_serves_others(void **state)
{
    (void)state;
    struct world world;
    struct client greedy, other;
    open_and_connect(&world, &greedy, NGHTTP2_INITIAL_WINDOW_SIZE);
    char of_line_0[sizeof "192.0.2.255"];
    for (unsigned i = 0; i < FAIR_CONNECTIONS; i++) {
        (void)snprintf(of_line_0, sizeof of_line_0, "192.0.2.%u", i);
        if (fair_line_of(digest_address(of_line_0)) == 0)
            break;
    }
    greedy.address = of_line_0;
    connect_client(&other, &world, NGHTTP2_INITIAL_WINDOW_SIZE);
    other.address = strcmp(of_line_0, "192.0.2.8") != 0 ? "192.0.2.8" : "192.0.2.9";
    for (int part = 0; part < HTTP2_PARTS; part++) {
        hold(&world, &greedy, part, HTTP2_BUDGET_BYTES / 2);
        assert_int_equal(ask_with_body(&other), 200);
        if (part == HTTP2_ANSWERS) /* of which the client may hold just as much as remains */
            hold(&world, &greedy, part, 1);
        assert_int_equal(ask_with_body(&greedy), 503);
        assert_int_equal(ask_with_body(&other), 200);
        hold(&world, &greedy, part, (size_t)0 - HTTP2_BUDGET_BYTES / 2 - (part == HTTP2_ANSWERS));
        assert_int_equal(ask_with_body(&greedy), 200);
    }
    end_client(&greedy);
    end_client(&other);
    close_world(&world);
}

/* ---- bodies ---- */

static void test_http2_reads_the_rest_of_a_refused_body_up_to_a_limit(void **state)
{
    (void)state;
    enum { SENT_MAX = 16 * 1024 * 1024, DROPPED_MAX = 4 * 1024 * 1024, WINDOW = 65535 };
    struct world world;
    struct client client;
    size_t left = SENT_MAX;
    open_and_connect(&world, &client, NGHTTP2_INITIAL_WINDOW_SIZE);
    submit(&client, "/echo", &left);
    while (client.ended == 0)
        pump(&client);
    assert_int_equal(client.status, 413);
    assert_in_range(SENT_MAX - left, DROPPED_MAX, DROPPED_MAX + 2 * BODY_MAX + WINDOW);
    end_client(&client);
    close_world(&world);
}

/* ---- answers ---- */

static bool charges_nothing(struct world *world)
{
    return held(world, HTTP2_HEADS) == 0 && held(world, HTTP2_ANSWERS) == 0;
}

static void test_http2_charges_nothing_for_a_stream_that_is_open(void **state)
{
    (void)state;
    struct world world;
    struct client client;
    open_and_connect(&world, &client, NGHTTP2_INITIAL_WINDOW_SIZE);
    submit(&client, "/slow", NULL);
    while (client.status != 200)
        pump(&client);
    wait_until(charges_nothing, &world);
    assert_int_equal(atomic_load(&world.server->in_flight), 1);
    end_client(&client);
    close_world(&world);
}

static bool has_many_answers(struct world *world)
{
    return held(world, HTTP2_ANSWERS) > HTTP2_BUDGET_BYTES / 2;
}

/* Answers that the client does not read are reset until it may have others. */
static void test_http2_refuses_requests_while_too_many_answers_are_not_read(void **state)
{
    (void)state;
    enum { ANSWERS = HTTP2_BUDGET_BYTES / 2 / BIG_BYTES };
    struct world world;
    struct client greedy, other;
    open_world(&world);
    connect_client(&other, &world, NGHTTP2_INITIAL_WINDOW_SIZE);
    other.address = "192.0.2.8";
    connect_client(&greedy, &world, 0); /* reads no body */
    for (size_t i = 0; i < ANSWERS; i++)
        submit(&greedy, "/big", NULL);
    send_all(&greedy);
    wait_until(has_many_answers, &world);
    submit(&greedy, "/echo", NULL);
    while (greedy.status != 503)
        pump(&greedy);
    assert_int_equal(ask(&other, "/big"), 200);
    while (greedy.reset == 0)
        pump(&greedy);
    assert_int_equal(greedy.error_code, NGHTTP2_CANCEL);
    assert_int_equal(ask(&greedy, "/echo"), 200);
    end_client(&greedy);
    end_client(&other);
    close_world(&world);
}

/* ---- frames ---- */

/* Sends heads of requests and reads nothing until the server has ended the connection. */
static size_t flood(const struct client *client)
{
    static const uint8_t head[] = {0,
                                   0,
                                   11,
                                   NGHTTP2_HEADERS,
                                   NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM,
                                   0,
                                   0,
                                   0,
                                   0,
                                   0x82,
                                   0x86,
                                   0x41,
                                   1,
                                   't',
                                   0x04,
                                   4,
                                   '/',
                                   'e',
                                   'c',
                                   'h'};
    enum { ID_AT = 5, SIZE = sizeof head };
    uint8_t frames[SIZE * 64];
    size_t sent = 0;
    for (uint32_t stream = 1; stream < UINT32_C(1) << 24;) {
        for (size_t i = 0; i < sizeof frames; i += SIZE, stream += 2) {
            memcpy(frames + i, head, SIZE);
            for (int byte = 0; byte < 4; byte++)
                frames[i + ID_AT + (size_t)byte] = (uint8_t)(stream >> (24 - 8 * byte));
        }
        if (send(client->fd, frames, sizeof frames, MSG_NOSIGNAL) != (ssize_t)sizeof frames)
            break;
        sent += sizeof frames / SIZE;
    }
    return sent;
}

/* The client never acknowledges SETTINGS, so libnghttp2 refuses its streams without a callback. */
static void test_http2_ends_a_flood_of_requests_of_a_client_that_reads_nothing(void **state)
{
    (void)state;
    enum { REQUESTS = 200000 }; /* many more than the bytes of their answers that the sockets take */
    struct world world;
    struct client client;
    open_and_connect(&world, &client, 0);
    send_all(&client);
    assert_in_range(flood(&client), HTTP2_REQUESTS_MAX, REQUESTS);
    end_client(&client);
    close_world(&world);
}

enum { RESET_AT_ONCE = 100 };

static bool has_nothing_in_flight(struct world *world)
{
    return atomic_load(&world->server->in_flight) == 0;
}

static bool has_all_waiting(struct world *world)
{
    pthread_mutex_lock(&world->lock);
    size_t count = world->waiting_count;
    pthread_mutex_unlock(&world->lock);
    return count == RESET_AT_ONCE;
}

static void test_http2_does_not_count_resets_of_requests_that_took_long(void **state)
{
    (void)state;
    enum { ROUNDS = 15 };
    const struct timespec long_time = {.tv_nsec = INT64_C(110) * NS_PER_MS};
    struct world world;
    struct client client;
    open_and_connect(&world, &client, NGHTTP2_INITIAL_WINDOW_SIZE);
    for (int round = 0; round < ROUNDS; round++) {
        int32_t first = (int32_t)nghttp2_session_get_next_stream_id(client.session);
        for (int i = 0; i < RESET_AT_ONCE; i++)
            submit(&client, "/later", NULL);
        send_all(&client);
        wait_until(has_all_waiting, &world);
        nanosleep(&long_time, NULL);
        for (int i = 0; i < RESET_AT_ONCE; i++)
            assert_int_equal(
                nghttp2_submit_rst_stream(client.session, NGHTTP2_FLAG_NONE, first + 2 * i, NGHTTP2_CANCEL),
                0);
        send_all(&client);
        world.waiting_count = 0; /* no request arrives meanwhile */
        for (int i = 0; i < RESET_AT_ONCE; i++)
            respond(world.waiting[i]);
        wait_until(has_nothing_in_flight, &world);
    }
    assert_int_equal(ask(&client, "/echo"), 200);
    end_client(&client);
    close_world(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_http2_charges_requests_to_the_budget_of_heads),
        cmocka_unit_test(test_http2_refuses_a_client_beyond_its_share_and_serves_others),
        cmocka_unit_test(test_http2_reads_the_rest_of_a_refused_body_up_to_a_limit),
        cmocka_unit_test(test_http2_charges_nothing_for_a_stream_that_is_open),
        cmocka_unit_test(test_http2_refuses_requests_while_too_many_answers_are_not_read),
        cmocka_unit_test(test_http2_ends_a_flood_of_requests_of_a_client_that_reads_nothing),
        cmocka_unit_test(test_http2_does_not_count_resets_of_requests_that_took_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
