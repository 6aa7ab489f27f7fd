/* Tests Fetch, long polls, heartbeats and batches, with a real RPC server and real sockets. */
#include <nng/nng.h>
#include <nng/protocol/pubsub0/sub.h>
#include <string.h>

#include "base/clock.h"
#include "events/events_testing.h"
#include "events/publisher.h"

enum { LONG_WAIT_MS = 10000, LONG_BUDGET_MS = 20000, SUBSCRIBE_ATTEMPTS = 100 };

/* ---- a fetch that waits ---- */

struct poll {
    struct rpc_client_call call;
    atomic_bool done;
    size_t events;
    uint64_t head_seq;
};

static void poll_answered(const Screening__V1__FetchResponse *response, void *context)
{
    struct poll *poll = context;
    if (response != NULL) {
        poll->events = response->n_events;
        poll->head_seq = response->head_seq;
    }
    atomic_store(&poll->done, true);
}

static void poll_start(struct origin *origin, struct poll *poll, uint64_t after_seq, uint32_t timeout_ms)
{
    Screening__V1__FetchRequest request = SCREENING__V1__FETCH_REQUEST__INIT;
    request.after_seq = after_seq;
    request.wait_ms = LONG_WAIT_MS;
    *poll = (struct poll){.call = {.timeout_ms = timeout_ms}};
    screening__v1__event_log_service__fetch(rpc_client_service(origin->client), &request, poll_answered,
                                            poll);
}

static bool poll_done(void *context)
{
    struct poll *poll = context;
    return atomic_load(&poll->done);
}

static bool polls_wait(void *context)
{
    const int64_t *count = context;
    return metric_by_name("events_long_polls") == *count;
}

static void wait_for_polls(int64_t count)
{
    wait_until(polls_wait, &count, "polls waiting");
}

/* ---- fetching without waiting ---- */

struct fetched {
    enum status status;
    struct error error;
    struct arena arena;
    Screening__V1__FetchResponse *response;
};

static struct fetched fetch(struct origin *origin, uint64_t after_seq, const char *after_event_id,
                            uint32_t max_events, uint32_t wait_ms)
{
    struct fetched fetched = {0};
    Screening__V1__FetchRequest request = SCREENING__V1__FETCH_REQUEST__INIT;
    request.after_seq = after_seq;
    request.after_event_id = (char *)(uintptr_t)after_event_id;
    request.max_events = max_events;
    request.wait_ms = wait_ms;
    arena_init(&fetched.arena);
    fetched.status =
        origin_fetch(origin, &request, LONG_BUDGET_MS, &fetched.arena, &fetched.response, &fetched.error);
    return fetched;
}

/* Fetches, and checks that the reply has exactly `count` events from `first` on, and reports `head_seq`. */
static void expect_events(struct origin *origin, uint64_t after_seq, uint32_t max_events, uint64_t first,
                          size_t count, uint64_t head_seq)
{
    struct fetched fetched = fetch(origin, after_seq, "", max_events, 0);
    expect(fetched.status, STATUS_OK, &fetched.error);
    assert_int_equal(fetched.response->n_events, count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(fetched.response->events[i]->seq, first + i);
    assert_int_equal(fetched.response->head_seq, head_seq);
    assert_int_equal(fetched.response->first_seq, 1);
    assert_int_equal(strlen(fetched.response->log_id), UUID_TEXT_SIZE - 1);
    arena_fini(&fetched.arena);
}

static void expect_refusal(struct origin *origin, uint64_t after_seq, const char *after_event_id,
                           uint32_t max_events, uint32_t wait_ms, enum status status, const char *text)
{
    struct fetched fetched = fetch(origin, after_seq, after_event_id, max_events, wait_ms);
    expect(fetched.status, status, &fetched.error);
    if (strstr(fetched.error.message, text) == NULL && strcmp(fetched.error.reason, text) != 0)
        fail_msg("\"%s\" says nothing of %s", fetched.error.message, text);
    arena_fini(&fetched.arena);
}

static void test_fetch_of_a_log_gives_its_pages_in_order(void **state)
{
    struct origin origin;
    origin_open(&origin, stage_of(state), NULL);
    expect_events(&origin, 0, 0, 0, 0, 0);
    origin_commit(&origin, "booking.confirmed", 300, true);
    expect_events(&origin, 0, 0, 1, 256, 300);
    expect_events(&origin, 256, 0, 257, 44, 300);
    expect_events(&origin, 10, 5, 11, 5, 300);
    expect_events(&origin, 0, 1000, 1, 300, 300);
    expect_events(&origin, 300, 10, 0, 0, 300);
    origin_close(&origin);
}

static void test_fetch_of_events_larger_than_the_answer_gives_at_least_one(void **state)
{
    struct origin origin;
    const struct event_publisher_options tiny = {.heartbeat_ms = 600000, .fetch_max_bytes = 10};
    const struct event_publisher_options small = {.heartbeat_ms = 600000, .fetch_max_bytes = 400};
    origin_open(&origin, stage_of(state), &tiny);
    origin_commit(&origin, "booking.confirmed", 20, true);
    expect_events(&origin, 0, 100, 1, 1, 20);
    origin_close(&origin);
    origin_open(&origin, stage_of(state), &small);
    struct fetched fetched = fetch(&origin, 0, "", 100, 0);
    expect(fetched.status, STATUS_OK, &fetched.error);
    assert_in_range(fetched.response->n_events, 2, 19);
    assert_in_range(screening__v1__fetch_response__get_packed_size(fetched.response), 1, 400 + 64);
    arena_fini(&fetched.arena);
    origin_close(&origin);
}

static void test_fetch_beyond_the_limits_is_invalid(void **state)
{
    struct origin origin;
    origin_open(&origin, stage_of(state), NULL);
    expect_refusal(&origin, 0, "", 1001, 0, STATUS_INVALID_ARGUMENT, "max_events");
    expect_refusal(&origin, 0, "", 0, 10001, STATUS_INVALID_ARGUMENT, "wait_ms");
    expect_refusal(&origin, 0, "x", 0, 0, STATUS_INVALID_ARGUMENT, "after_event_id");
    origin_close(&origin);
}

static void test_fetch_after_an_event_of_another_past_is_data_loss(void **state)
{
    static const char other[] = "00000000-0000-7000-8000-000000000001";
    struct origin origin;
    char second[UUID_TEXT_SIZE];
    char third[UUID_TEXT_SIZE];
    origin_open(&origin, stage_of(state), NULL);
    origin_commit(&origin, "booking.confirmed", 3, true);
    origin_event_id(&origin, 2, second);
    origin_event_id(&origin, 3, third);
    expect_refusal(&origin, 2, other, 0, 0, STATUS_DATA_LOSS, "LOG_DIVERGED");
    expect_refusal(&origin, 3, other, 0, 0, STATUS_DATA_LOSS, "LOG_DIVERGED");
    expect_refusal(&origin, 3, second, 0, 0, STATUS_DATA_LOSS, "LOG_DIVERGED");
    expect_refusal(&origin, 4, "", 0, 0, STATUS_DATA_LOSS, "LOG_DIVERGED");
    expect_refusal(&origin, UINT64_MAX, third, 0, 0, STATUS_DATA_LOSS, "LOG_DIVERGED");
    expect_refusal(&origin, 0, other, 0, 0, STATUS_DATA_LOSS, "LOG_DIVERGED");
    struct fetched fetched = fetch(&origin, 2, second, 0, 0);
    expect(fetched.status, STATUS_OK, &fetched.error);
    assert_int_equal(fetched.response->n_events, 1);
    arena_fini(&fetched.arena);
    origin_close(&origin);
}

static void test_fetch_before_start_is_unavailable(void **state)
{
    struct origin origin;
    origin_open_unstarted(&origin, stage_of(state), NULL);
    expect_refusal(&origin, 0, "", 0, 0, STATUS_UNAVAILABLE, "NOT_READY");
    origin_close(&origin);
}

/* ---- long polls ---- */

static void test_long_poll_when_an_event_is_published_is_answered_with_it(void **state)
{
    struct origin origin;
    struct poll poll;
    origin_open(&origin, stage_of(state), NULL);
    poll_start(&origin, &poll, 0, LONG_BUDGET_MS);
    wait_for_polls(1);
    assert_false(atomic_load(&poll.done));
    origin_commit(&origin, "booking.confirmed", 2, true);
    wait_until(poll_done, &poll, "the poll's answer");
    expect(poll.call.error.status, STATUS_OK, &poll.call.error);
    assert_int_equal(poll.events, 2);
    origin_close(&origin);
}

static void test_long_poll_when_another_replica_commits_is_answered_by_the_heartbeat(void **state)
{
    struct origin origin;
    struct poll poll;
    const struct event_publisher_options options = {.heartbeat_ms = 20};
    origin_open(&origin, stage_of(state), &options);
    poll_start(&origin, &poll, 0, LONG_BUDGET_MS);
    wait_for_polls(1);
    origin_commit(&origin, "booking.confirmed", 2, false);
    wait_until(poll_done, &poll, "the poll's answer");
    assert_int_equal(poll.events, 2);
    origin_close(&origin);
}

static void test_long_poll_on_drain_is_answered_at_once_and_later_ones_too(void **state)
{
    struct origin origin;
    struct poll polls[2];
    origin_open(&origin, stage_of(state), NULL);
    origin_commit(&origin, "booking.confirmed", 1, true);
    int64_t started_ns = clock_monotonic_ns();
    poll_start(&origin, &polls[0], 1, LONG_BUDGET_MS);
    wait_for_polls(1);
    event_publisher_drain(origin.publisher);
    wait_until(poll_done, &polls[0], "the poll's answer");
    poll_start(&origin, &polls[1], 1, LONG_BUDGET_MS);
    wait_until(poll_done, &polls[1], "the later poll's answer");
    for (int i = 0; i < 2; i++) {
        expect(polls[i].call.error.status, STATUS_OK, &polls[i].call.error);
        assert_int_equal(polls[i].events, 0);
        assert_int_equal(polls[i].head_seq, 1);
    }
    assert_true(clock_monotonic_ns() - started_ns < (int64_t)LONG_WAIT_MS * NS_PER_MS / 2);
    origin_close(&origin);
}

static void test_long_poll_with_a_short_budget_ends_before_it(void **state)
{
    struct origin origin;
    struct poll poll;
    origin_open(&origin, stage_of(state), NULL);
    poll_start(&origin, &poll, 0, 500);
    wait_until(poll_done, &poll, "the poll's answer");
    expect(poll.call.error.status, STATUS_OK, &poll.call.error);
    assert_int_equal(poll.events, 0);
    origin_close(&origin);
}

static void test_long_poll_beyond_the_bound_is_answered_at_once(void **state)
{
    enum { POLLS = 56 }; /* the last eighth of 64 is reserved for connections with fewer polls */
    static struct poll polls[POLLS];
    struct origin origin;
    struct poll next;
    origin_open(&origin, stage_of(state), NULL);
    for (int i = 0; i < POLLS; i++)
        poll_start(&origin, &polls[i], 0, LONG_BUDGET_MS);
    wait_for_polls(POLLS);
    poll_start(&origin, &next, 0, LONG_BUDGET_MS);
    wait_until(poll_done, &next, "the next poll's answer");
    expect(next.call.error.status, STATUS_OK, &next.call.error);
    assert_int_equal(next.events, 0);
    wait_for_polls(POLLS);
    origin_commit(&origin, "booking.confirmed", 1, true);
    for (int i = 0; i < POLLS; i++) {
        wait_until(poll_done, &polls[i], "a poll's answer");
        assert_int_equal(polls[i].events, 1);
    }
    origin_close(&origin);
}

/* ---- pub/sub ---- */

struct listener {
    nng_socket socket;
    atomic_int connections;
    Screening__V1__EventBatch *batch;
};

static void connection_changed(nng_pipe pipe, nng_pipe_ev event, void *context)
{
    struct listener *listener = context;
    (void)pipe;
    atomic_fetch_add(&listener->connections, event == NNG_PIPE_EV_ADD_POST ? 1 : -1);
}

static void listen_to(struct listener *listener, const struct stage *stage)
{
    assert_int_equal(nng_sub0_open(&listener->socket), 0);
    assert_int_equal(
        nng_socket_set(listener->socket, NNG_OPT_SUB_SUBSCRIBE, "booking\n", strlen("booking\n")), 0);
    assert_int_equal(nng_socket_set_ms(listener->socket, NNG_OPT_RECVTIMEO, PATIENCE_MS), 0);
    atomic_init(&listener->connections, 0);
    listener->batch = NULL;
    assert_int_equal(nng_pipe_notify(listener->socket, NNG_PIPE_EV_ADD_POST, connection_changed, listener),
                     0);
    assert_int_equal(nng_pipe_notify(listener->socket, NNG_PIPE_EV_REM_POST, connection_changed, listener),
                     0);
    assert_int_equal(nng_dial(listener->socket, stage->events, NULL, 0), 0);
}

static void forget_batch(struct listener *listener)
{
    if (listener->batch != NULL)
        screening__v1__event_batch__free_unpacked(listener->batch, NULL);
    listener->batch = NULL;
}

/* Takes ownership of the message and returns its batch, which is valid until the next call. */
static const Screening__V1__EventBatch *keep_batch(struct listener *listener, nng_msg *message)
{
    forget_batch(listener);
    assert_int_equal(nng_msg_trim(message, strlen("booking\n")), 0);
    listener->batch = screening__v1__event_batch__unpack(NULL, nng_msg_len(message), nng_msg_body(message));
    assert_non_null(listener->batch);
    nng_msg_free(message);
    return listener->batch;
}

static const Screening__V1__EventBatch *hear(struct listener *listener)
{
    nng_msg *message;
    assert_int_equal(nng_recvmsg(listener->socket, &message, 0), 0);
    return keep_batch(listener, message);
}

static bool disconnected(void *context)
{
    struct listener *listener = context;
    return atomic_load(&listener->connections) == 0;
}

/*
 * Closes the socket. Call this after the publisher has closed, because nng may hang if a socket is closed
 * while messages arrive.
 */
static void stop_listening(struct listener *listener)
{
    wait_until(disconnected, listener, "the end of the connection");
    forget_batch(listener);
    nng_close(listener->socket);
}

static void test_publisher_without_events_sends_heartbeats_with_the_head_of_the_database(void **state)
{
    struct origin origin;
    struct listener listener;
    char event_id[UUID_TEXT_SIZE];
    const struct event_publisher_options options = {.heartbeat_ms = 20};
    origin_open(&origin, stage_of(state), &options);
    listen_to(&listener, origin.stage);
    const Screening__V1__EventBatch *batch = hear(&listener);
    assert_int_equal(batch->head_seq, 0);
    assert_int_equal(batch->n_events, 0);
    assert_string_equal(batch->prev_event_id, "");
    origin_commit(&origin, "booking.confirmed", 3, false);
    do
        batch = hear(&listener);
    while (batch->head_seq == 0);
    assert_int_equal(batch->head_seq, 3);
    assert_int_equal(batch->n_events, 0);
    assert_string_equal(batch->prev_event_id, origin_event_id(&origin, 3, event_id));
    origin_close(&origin);
    stop_listening(&listener);
}

static void test_publisher_after_a_commit_sends_its_events_in_one_message(void **state)
{
    struct origin origin;
    struct listener listener;
    char event_id[UUID_TEXT_SIZE];
    const struct event_publisher_options options = {.heartbeat_ms = 20};
    origin_open(&origin, stage_of(state), &options);
    origin_commit(&origin, "booking.confirmed", 2, true);
    listen_to(&listener, origin.stage);
    (void)hear(&listener); /* a heartbeat shows that the connection is up at both ends */
    origin_commit(&origin, "booking.cancelled", 3, true);
    const Screening__V1__EventBatch *batch = hear(&listener);
    while (batch->n_events == 0)
        batch = hear(&listener);
    assert_int_equal(batch->n_events, 3);
    assert_int_equal(batch->head_seq, 5);
    assert_int_equal(strlen(batch->log_id), UUID_TEXT_SIZE - 1);
    assert_string_equal(batch->prev_event_id, origin_event_id(&origin, 2, event_id));
    assert_int_equal(batch->events[2]->seq, 5);
    assert_string_equal(batch->events[2]->event_id, origin_event_id(&origin, 5, event_id));
    assert_string_equal(batch->events[2]->type, "booking.cancelled");
    assert_string_equal(batch->events[2]->booking->customer_name, "Kim");
    origin_close(&origin);
    stop_listening(&listener);
}

static void test_publisher_of_a_batch_too_large_sends_a_heartbeat_at_once(void **state)
{
    struct origin origin;
    struct listener listener;
    const struct event_publisher_options options = {.heartbeat_ms = 600000, .batch_max_bytes = 600};
    origin_open(&origin, stage_of(state), &options);
    listen_to(&listener, origin.stage);
    /* Messages are lost until the connection is up at the publisher's end too. */
    assert_int_equal(nng_socket_set_ms(listener.socket, NNG_OPT_RECVTIMEO, 50), 0);
    uint64_t head_seq = 0;
    for (int i = 0; i < SUBSCRIBE_ATTEMPTS && head_seq == 0; i++) {
        nng_msg *message;
        origin_commit(&origin, "booking.confirmed", 100, true);
        if (nng_recvmsg(listener.socket, &message, 0) != 0)
            continue;
        const Screening__V1__EventBatch *batch = keep_batch(&listener, message);
        assert_int_equal(batch->n_events, 0);
        head_seq = batch->head_seq; /* 0 in the first heartbeat */
    }
    assert_true(head_seq > 0);
    assert_int_equal(head_seq % 100, 0);
    assert_true(metric_by_name("events_batches_too_large_total") > 0);
    origin_close(&origin);
    stop_listening(&listener);
}

static void test_publisher_open_on_a_bad_or_taken_address_is_invalid(void **state)
{
    struct origin origin;
    struct error error = {0};
    struct event_publisher *publisher = NULL;
    origin_open(&origin, stage_of(state), NULL);
    struct event_publisher_options options = {.topic = "booking", .address = origin.stage->events};
    expect(event_publisher_open(&options, &publisher, &error), STATUS_INVALID_ARGUMENT, &error);
    assert_non_null(strstr(error.message, "events-listen: "));
    options.address = "nonsense";
    expect(event_publisher_open(&options, &publisher, &error), STATUS_INVALID_ARGUMENT, &error);
    assert_null(publisher);
    origin_close(&origin);
    event_publisher_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_BOTH(test_fetch_of_a_log_gives_its_pages_in_order),
        TEST_BOTH(test_fetch_of_events_larger_than_the_answer_gives_at_least_one),
        TEST_SQLITE(test_fetch_beyond_the_limits_is_invalid),
        TEST_BOTH(test_fetch_after_an_event_of_another_past_is_data_loss),
        TEST_SQLITE(test_fetch_before_start_is_unavailable),
        TEST_BOTH(test_long_poll_when_an_event_is_published_is_answered_with_it),
        TEST_BOTH(test_long_poll_when_another_replica_commits_is_answered_by_the_heartbeat),
        TEST_SQLITE(test_long_poll_on_drain_is_answered_at_once_and_later_ones_too),
        TEST_SQLITE(test_long_poll_with_a_short_budget_ends_before_it),
        TEST_SQLITE(test_long_poll_beyond_the_bound_is_answered_at_once),
        TEST_BOTH(test_publisher_without_events_sends_heartbeats_with_the_head_of_the_database),
        TEST_SQLITE(test_publisher_after_a_commit_sends_its_events_in_one_message),
        TEST_SQLITE(test_publisher_of_a_batch_too_large_sends_a_heartbeat_at_once),
        TEST_SQLITE(test_publisher_open_on_a_bad_or_taken_address_is_invalid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
