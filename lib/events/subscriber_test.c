/*
 * A follower against a publisher whose pub/sub messages the test sends by hand: it loses, repeats, reorders
 * and delays them, while Fetch is the real one.
 */
#include "cursor.h"
#include "subscriber.h"
#include "test_support.h"

#include <nng/protocol/pubsub0/pub.h>
#include <string.h>

#include "base/clock.h"

enum { NEVER_MS = 600000, SHORT_MS = 10 };

/* The publisher, the service, and the messages between them. */
struct play {
    struct origin origin;
    struct service service;
    nng_socket publisher; /* of the messages sent by hand */
    atomic_int followers; /* connected to it */
    struct rpc_channel *channel;
    struct event_subscriber *subscriber;
};

/* ---- helpers ---- */

static void counted(nng_pipe pipe, nng_pipe_ev event, void *context)
{
    struct play *play = context;
    (void)pipe;
    atomic_fetch_add(&play->followers, event == NNG_PIPE_EV_ADD_POST ? 1 : -1);
}

static bool has_follower(void *context)
{
    struct play *play = context;
    return atomic_load(&play->followers) > 0;
}

static void publish_by_hand(struct play *play)
{
    assert_int_equal(nng_pub0_open(&play->publisher), 0);
    assert_int_equal(nng_pipe_notify(play->publisher, NNG_PIPE_EV_ADD_POST, counted, play), 0);
    assert_int_equal(nng_pipe_notify(play->publisher, NNG_PIPE_EV_REM_POST, counted, play), 0);
    assert_int_equal(nng_listen(play->publisher, play->origin.stage->by_hand, NULL, 0), 0);
}

static void follow(struct play *play, const struct event_subscriber_options *wished)
{
    struct error error = {0};
    struct event_subscriber_options options = *wished;
    options.log = "booking";
    options.subscriber = "test";
    options.channel = play->channel;
    options.writer = play->service.writer;
    options.database_url = play->service.stage->service_url;
    if (options.events_address == NULL)
        options.events_address = play->service.stage->by_hand;
    expect(event_subscriber_open(&options, &play->subscriber, &error), STATUS_OK, &error);
}

static void play_open(struct play *play, const struct stage *stage)
{
    struct error error = {0};
    const struct rpc_channel_options channel = {.address = stage->rpc};
    *play = (struct play){0};
    origin_open(&play->origin, stage, NULL);
    service_open(&play->service, stage);
    publish_by_hand(play);
    expect(rpc_channel_open(&channel, &play->channel, &error), STATUS_OK, &error);
}

static void play_close(struct play *play)
{
    event_subscriber_close(play->subscriber);
    rpc_channel_close(play->channel);
    nng_close(play->publisher);
    service_close(&play->service);
    origin_close(&play->origin);
}

static struct event_subscriber_status status_of(struct play *play)
{
    struct event_subscriber_status status;
    event_subscriber_status(play->subscriber, &status);
    return status;
}

struct state_wanted {
    struct play *play;
    enum subscriber_state state;
};

static bool in_state(void *context)
{
    struct state_wanted *wanted = context;
    return status_of(wanted->play).state == wanted->state;
}

static void wait_for_state(struct play *play, enum subscriber_state state)
{
    struct state_wanted wanted = {.play = play, .state = state};
    wait_until(in_state, &wanted, subscriber_state_name(state));
}

/* Follows, up to where both ends of the pub/sub connection stand and Fetch has reached the head. */
static void follow_to_head(struct play *play, const struct event_subscriber_options *wished)
{
    follow(play, wished);
    wait_until(has_follower, play, "a follower");
    wait_for_state(play, SUBSCRIBER_FOLLOWING);
}

static void send_message(struct play *play, nng_msg *message)
{
    assert_int_equal(nng_sendmsg(play->publisher, message, 0), 0);
}

static void send_events(struct play *play, uint64_t first, size_t count)
{
    send_message(play, origin_message(&play->origin, first, count));
}

static void commit(struct play *play, size_t count)
{
    origin_commit(&play->origin, "booking.confirmed", count, false);
}

static void expect_cursor(struct play *play, uint64_t seq)
{
    struct error error = {0};
    struct event_cursor cursor;
    char event_id[UUID_TEXT_SIZE];
    char expected[UUID_TEXT_SIZE];
    expect(event_cursor_read(play->service.db, "booking", &cursor, &error), STATUS_OK, &error);
    assert_int_equal(cursor.seq, seq);
    assert_string_equal(uuid_format(&cursor.event_id, event_id),
                        origin_event_id(&play->origin, seq, expected));
}

/* ---- following ---- */

static const struct event_subscriber_options PATIENT = {.silence_ms = NEVER_MS, .gap_wait_ms = NEVER_MS};
static const struct event_subscriber_options BRISK = {.silence_ms = NEVER_MS, .gap_wait_ms = SHORT_MS};

static void test_subscriber_of_a_log_with_a_backlog_catches_up_by_fetch(void **state)
{
    struct play play;
    play_open(&play, stage_of(state));
    for (int i = 0; i < 4; i++)
        commit(&play, 400);
    follow(&play, &PATIENT);
    service_wait_applied(&play.service, 1600);
    wait_for_state(&play, SUBSCRIBER_FOLLOWING);
    struct event_subscriber_status status = status_of(&play);
    assert_int_equal(status.applied_seq, 1600);
    assert_int_equal(status.head_seq, 1600);
    assert_int_equal(status.oldest_unapplied_us, 0);
    assert_int_equal(strlen(status.log_id), UUID_TEXT_SIZE - 1);
    expect_cursor(&play, 1600);
    play_close(&play);
}

static void test_subscriber_of_a_live_publisher_follows_it(void **state)
{
    struct play play;
    play_open(&play, stage_of(state));
    const struct event_subscriber_options live = {.events_address = play.origin.stage->events,
                                                  .silence_ms = SHORT_MS};
    follow(&play, &live);
    for (int i = 0; i < 50; i++)
        origin_commit(&play.origin, "booking.confirmed", 3, true);
    service_wait_applied(&play.service, 150);
    play_close(&play);
}

static void test_subscriber_of_batches_in_order_applies_them_without_fetch(void **state)
{
    struct play play;
    play_open(&play, stage_of(state));
    commit(&play, 1);
    follow_to_head(&play, &PATIENT);
    int64_t fetches = metric_by_name("events_fetches_total");
    commit(&play, 5);
    send_events(&play, 2, 2);
    send_events(&play, 4, 3);
    service_wait_applied(&play.service, 6);
    assert_int_equal(metric_by_name("events_fetches_total"), fetches);
    expect_cursor(&play, 6);
    play_close(&play);
}

static void test_subscriber_of_a_lost_batch_fetches_it(void **state)
{
    struct play play;
    play_open(&play, stage_of(state));
    follow_to_head(&play, &BRISK);
    commit(&play, 6);
    send_events(&play, 4, 3);
    service_wait_applied(&play.service, 6);
    play_close(&play);
}

static void test_subscriber_of_a_heartbeat_ahead_fetches(void **state)
{
    struct play play;
    play_open(&play, stage_of(state));
    follow_to_head(&play, &BRISK);
    commit(&play, 6);
    send_events(&play, 6, 0);
    service_wait_applied(&play.service, 6);
    play_close(&play);
}

static void test_subscriber_of_repeated_batches_applies_them_once(void **state)
{
    struct play play;
    play_open(&play, stage_of(state));
    commit(&play, 1);
    follow_to_head(&play, &PATIENT);
    commit(&play, 6);
    for (int i = 0; i < 3; i++)
        send_events(&play, 2, 3);
    send_events(&play, 3, 4); /* overlaps */
    send_events(&play, 2, 3);
    send_events(&play, 7, 1);
    service_wait_applied(&play.service, 7);
    play_close(&play);
}

static void test_subscriber_of_reordered_batches_waits_and_does_not_fetch(void **state)
{
    struct play play;
    play_open(&play, stage_of(state));
    commit(&play, 1);
    follow_to_head(&play, &PATIENT);
    int64_t fetches = metric_by_name("events_fetches_total");
    commit(&play, 8);
    send_events(&play, 7, 3);
    send_events(&play, 5, 2);
    send_events(&play, 2, 3);
    service_wait_applied(&play.service, 9);
    assert_int_equal(metric_by_name("events_fetches_total"), fetches);
    expect_cursor(&play, 9);
    play_close(&play);
}

static void test_subscriber_of_a_late_batch_has_fetched_it_already(void **state)
{
    struct play play;
    play_open(&play, stage_of(state));
    commit(&play, 1);
    follow_to_head(&play, &BRISK);
    commit(&play, 4);
    send_events(&play, 4, 2);
    service_wait_applied(&play.service, 5);
    send_events(&play, 2, 2);
    commit(&play, 1);
    send_events(&play, 6, 1);
    service_wait_applied(&play.service, 6);
    play_close(&play);
}

static void test_subscriber_of_garbage_goes_on(void **state)
{
    struct play play;
    play_open(&play, stage_of(state));
    commit(&play, 1);
    follow_to_head(&play, &PATIENT);
    nng_msg *message;
    assert_int_equal(nng_msg_alloc(&message, 0), 0);
    assert_int_equal(nng_msg_append(message, "booking\n\xff\xff\xff", 11), 0);
    send_message(&play, message);
    commit(&play, 1);
    send_events(&play, 2, 1);
    service_wait_applied(&play.service, 2);
    play_close(&play);
}

static void test_subscriber_in_silence_fetches(void **state)
{
    struct play play;
    const struct event_subscriber_options options = {.silence_ms = SHORT_MS, .gap_wait_ms = NEVER_MS};
    play_open(&play, stage_of(state));
    follow_to_head(&play, &options);
    commit(&play, 2);
    service_wait_applied(&play.service, 2);
    play_close(&play);
}

static void test_subscriber_after_reconnect_fetches(void **state)
{
    struct play play;
    play_open(&play, stage_of(state));
    commit(&play, 1);
    follow_to_head(&play, &PATIENT);
    nng_close(play.publisher);
    wait_for_state(&play, SUBSCRIBER_DISCONNECTED);
    commit(&play, 3);
    publish_by_hand(&play);
    wait_for_state(&play, SUBSCRIBER_FOLLOWING);
    service_wait_applied(&play.service, 4);
    play_close(&play);
}

static void test_subscriber_started_again_goes_on_from_its_cursor(void **state)
{
    struct play play;
    play_open(&play, stage_of(state));
    commit(&play, 3);
    follow_to_head(&play, &BRISK);
    event_subscriber_close(play.subscriber);
    commit(&play, 3);
    follow_to_head(&play, &BRISK);
    service_wait_applied(&play.service, 6);
    play_close(&play);
}

static void test_subscriber_forgotten_cursor_follows_from_the_start(void **state)
{
    struct play play;
    struct error error = {0};
    struct db *db;
    play_open(&play, stage_of(state));
    commit(&play, 3);
    follow_to_head(&play, &BRISK);
    event_subscriber_close(play.subscriber);
    expect(db_open(play.service.stage->service_url, DB_READ_WRITE, &db, &error), STATUS_OK, &error);
    expect(event_cursor_forget(db, "booking", &error), STATUS_OK, &error);
    db_close(db);
    follow_to_head(&play, &BRISK);
    assert_int_equal(service_applied(&play.service), 6);
    assert_int_equal(service_applied_most(&play.service), 2);
    play_close(&play);
}

/* ---- failures ---- */

static void test_subscriber_of_batches_that_fail_to_commit_applies_exactly_once(void **state)
{
    static const enum status failures[] = {STATUS_UNAVAILABLE, STATUS_ABORTED, STATUS_DEADLINE_EXCEEDED};
    struct play play;
    play_open(&play, stage_of(state));
    follow_to_head(&play, &BRISK);
    int64_t expected = 0;
    for (size_t i = 0; i < sizeof failures / sizeof failures[0]; i++) {
        atomic_store(&play.service.failure, failures[i]);
        atomic_store(&play.service.failures, 2);
        commit(&play, 5);
        send_events(&play, (uint64_t)expected + 1, 5);
        expected += 5;
        service_wait_applied(&play.service, expected);
        expect_cursor(&play, (uint64_t)expected);
    }
    assert_int_equal(atomic_load(&play.service.failures), 0);
    assert_int_equal(status_of(&play).dead_letters, 0);
    play_close(&play);
}

static const struct db_statement COUNT_LETTERS = {
    .name = "test_count_letters",
    .sql = "SELECT count(*) FROM dead_letter",
};

static bool passed(void *context)
{
    struct play *play = context;
    return status_of(play).applied_seq >= 21;
}

/* 21 events of which the 11th fails. */
static void apply_with_a_poison_event(struct play *play)
{
    atomic_store(&play->service.poison, "booking.poison");
    commit(play, 10);
    origin_commit(&play->origin, "booking.poison", 1, false);
    commit(play, 10);
    follow(play, &BRISK);
    wait_until(passed, play, "the poison event passed");
}

static void test_subscriber_of_a_poison_event_keeps_it_and_applies_the_others_once(void **state)
{
    struct play play;
    char why[96];
    play_open(&play, stage_of(state));
    apply_with_a_poison_event(&play);
    assert_int_equal(service_applied(&play.service), 20);
    assert_int_equal(service_applied_most(&play.service), 1);
    assert_int_equal(number_of(play.service.db, &COUNT_LETTERS), 1);
    expect_cursor(&play, 21);
    assert_int_equal(status_of(&play).dead_letters, 1);
    assert_true(event_subscriber_degraded(play.subscriber, why, sizeof why));
    assert_string_equal(why, "1 dead letter of the booking log");
    play_close(&play);
}

static void test_subscriber_opened_with_dead_letters_counts_them(void **state)
{
    struct play play;
    play_open(&play, stage_of(state));
    apply_with_a_poison_event(&play);
    event_subscriber_close(play.subscriber);
    follow(&play, &BRISK);
    assert_int_equal(status_of(&play).dead_letters, 1);
    play_close(&play);
}

static void replay(struct play *play, size_t expected_applied, size_t expected_left)
{
    struct error error = {0};
    size_t applied = 99;
    size_t left = 99;
    expect(dead_letters_replay(play->service.writer, play->service.stage->service_url, NULL, &applied, &left,
                               &error),
           STATUS_OK, &error);
    assert_int_equal(applied, expected_applied);
    assert_int_equal(left, expected_left);
    assert_int_equal(number_of(play->service.db, &COUNT_LETTERS), expected_left);
}

static void test_dead_letters_replay_applies_what_no_longer_fails(void **state)
{
    struct play play;
    play_open(&play, stage_of(state));
    apply_with_a_poison_event(&play);
    replay(&play, 0, 1);
    atomic_store(&play.service.poison, NULL);
    replay(&play, 1, 0);
    replay(&play, 0, 0);
    assert_int_equal(service_applied(&play.service), 21);
    assert_int_equal(service_applied_most(&play.service), 1);
    expect_cursor(&play, 21);
    play_close(&play);
}

static void test_subscriber_at_the_bound_of_dead_letters_stops(void **state)
{
    struct play play;
    struct error error = {0};
    struct db *db;
    char why[96];
    play_open(&play, stage_of(state));
    expect(db_open(play.service.stage->service_url, DB_READ_WRITE, &db, &error), STATUS_OK, &error);
    /* DEAD_LETTER_MAX - 1 letters of an older log. */
    expect(db_run_script(
               db,
               play.service.stage->dialect == DB_SQLITE
                   ? "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9999) "
                     "INSERT INTO dead_letter SELECT 'booking', zeroblob(16), i, zeroblob(16), 't', 'r', 0, "
                     "zeroblob(1) FROM n"
                   : "INSERT INTO dead_letter SELECT 'booking', '00000000-0000-7000-8000-000000000000', i, "
                     "'00000000-0000-7000-8000-000000000000', 't', 'r', 0, ''::bytea "
                     "FROM generate_series(1, 9999) AS i",
               &error),
           STATUS_OK, &error);
    db_close(db);
    atomic_store(&play.service.poison, "booking.poison");
    commit(&play, 1);
    origin_commit(&play.origin, "booking.poison", 1, false);
    commit(&play, 1);
    follow(&play, &BRISK);
    wait_for_state(&play, SUBSCRIBER_STOPPED);
    assert_int_equal(service_applied(&play.service), 1);
    expect_cursor(&play, 2);
    assert_true(event_subscriber_degraded(play.subscriber, why, sizeof why));
    assert_string_equal(why, "booking log stopped");
    event_subscriber_close(play.subscriber);
    follow(&play, &BRISK);
    wait_for_state(&play, SUBSCRIBER_STOPPED);
    assert_int_equal(service_applied(&play.service), 1);
    play_close(&play);
}

/* ---- divergence ---- */

static void expect_diverged(struct play *play, int64_t applied)
{
    char why[96];
    wait_for_state(play, SUBSCRIBER_DIVERGED);
    assert_true(event_subscriber_degraded(play->subscriber, why, sizeof why));
    assert_string_equal(why, "booking log diverged");
    assert_int_equal(service_applied(&play->service), applied);
}

static void change_origin(struct play *play, const char *script)
{
    struct error error = {0};
    expect(db_run_script(play->origin.db, script, &error), STATUS_OK, &error);
}

static void test_subscriber_of_another_log_stops(void **state)
{
    struct play play;
    play_open(&play, stage_of(state));
    commit(&play, 3);
    follow_to_head(&play, &BRISK);
    change_origin(&play, play.origin.stage->dialect == DB_SQLITE
                             ? "UPDATE event_log_head SET log_id = randomblob(16)"
                             : "UPDATE event_log_head SET log_id = gen_random_uuid()");
    commit(&play, 1);
    send_events(&play, 4, 1);
    expect_diverged(&play, 3);
    /* For good: also when the log is what it was, until a restart. */
    commit(&play, 1);
    send_events(&play, 5, 1);
    event_subscriber_close(play.subscriber);
    follow(&play, &BRISK);
    expect_diverged(&play, 3);
    play_close(&play);
}

static void test_subscriber_of_a_log_that_lost_its_tail_stops(void **state)
{
    struct play play;
    play_open(&play, stage_of(state));
    commit(&play, 5);
    follow_to_head(&play, &BRISK);
    event_subscriber_close(play.subscriber);
    /* A restored backup: the last two events are gone, others stand in their place. */
    change_origin(&play, "DELETE FROM event_log WHERE seq > 3;"
                         "UPDATE event_log_head SET head_seq = 3, head_event_id = "
                         "(SELECT event_id FROM event_log WHERE seq = 3)");
    follow(&play, &BRISK);
    expect_diverged(&play, 5);
    event_subscriber_close(play.subscriber);
    commit(&play, 4);
    follow(&play, &BRISK);
    expect_diverged(&play, 5);
    play_close(&play);
}

static void test_subscriber_of_a_batch_with_another_predecessor_asks_and_stops(void **state)
{
    struct play play;
    play_open(&play, stage_of(state));
    commit(&play, 5);
    follow_to_head(&play, &PATIENT);
    change_origin(&play, "DELETE FROM event_log WHERE seq > 4;"
                         "UPDATE event_log_head SET head_seq = 4, head_event_id = "
                         "(SELECT event_id FROM event_log WHERE seq = 4)");
    commit(&play, 2);
    send_events(&play, 6, 1);
    expect_diverged(&play, 5);
    play_close(&play);
}

/* ---- opening and closing ---- */

static void test_subscriber_close_while_the_publisher_is_not_there_returns(void **state)
{
    const struct stage *stage = stage_of(state);
    struct error error = {0};
    struct service service;
    struct rpc_channel *channel;
    struct event_subscriber *subscriber;
    struct event_subscriber_status status;
    const struct rpc_channel_options nobody = {.address = stage->rpc};
    service_open(&service, stage);
    expect(rpc_channel_open(&nobody, &channel, &error), STATUS_OK, &error);
    const struct event_subscriber_options options = {.log = "booking",
                                                     .subscriber = "test",
                                                     .events_address = stage->by_hand,
                                                     .channel = channel,
                                                     .writer = service.writer,
                                                     .database_url = stage->service_url};
    expect(event_subscriber_open(&options, &subscriber, &error), STATUS_OK, &error);
    event_subscriber_status(subscriber, &status);
    assert_int_equal(status.state, SUBSCRIBER_DISCONNECTED);
    assert_string_equal(status.log_id, "");
    event_subscriber_close(subscriber);
    event_subscriber_close(NULL);
    rpc_channel_close(channel);
    service_close(&service);
}

static bool chunk_handed_in(void *context)
{
    struct play *play = context;
    return atomic_load(&play->service.chunks) > 1;
}

static void test_subscriber_close_while_its_chunk_keeps_failing_returns(void **state)
{
    struct play play;
    play_open(&play, stage_of(state));
    commit(&play, 3);
    atomic_store(&play.service.failures, INT32_MAX);
    follow(&play, &BRISK);
    wait_until(chunk_handed_in, &play, "a chunk that failed");
    event_subscriber_close(play.subscriber);
    play.subscriber = NULL;
    assert_int_equal(service_applied(&play.service), 0);
    play_close(&play);
}

/* A publisher that takes a fetch and does not answer. */
struct silent_publisher {
    Screening__V1__EventLogService_Service service; /* first */
    _Atomic(struct rpc_call *) call;
};

static void hold_fetch(Screening__V1__EventLogService_Service *service,
                       const Screening__V1__FetchRequest *request,
                       Screening__V1__FetchResponse_Closure closure, void *closure_data)
{
    struct silent_publisher *silent = (struct silent_publisher *)service;
    (void)request;
    (void)closure;
    atomic_store(&silent->call, closure_data);
}

static bool fetch_held(void *context)
{
    struct silent_publisher *silent = context;
    return atomic_load(&silent->call) != NULL;
}

static void test_subscriber_close_while_a_fetch_waits_returns_at_once(void **state)
{
    const struct stage *stage = stage_of(state);
    const struct rpc_server_options server_options = {
        .address = stage->rpc, .program = "silent", .contexts = 8};
    const struct rpc_channel_options channel_options = {.address = stage->rpc, .connect_now = true};
    struct silent_publisher silent = {.service = SCREENING__V1__EVENT_LOG_SERVICE__INIT(hold_)};
    struct error error = {0};
    struct rpc_server *server;
    struct rpc_channel *channel;
    struct service service;
    struct event_subscriber *subscriber;
    expect(rpc_server_open(&server_options, &server, &error), STATUS_OK, &error);
    rpc_server_add(server, &silent.service.base);
    expect(rpc_server_start(server, &error), STATUS_OK, &error);
    rpc_server_serve(server);
    service_open(&service, stage);
    expect(rpc_channel_open(&channel_options, &channel, &error), STATUS_OK, &error);
    const struct event_subscriber_options options = {.log = "booking",
                                                     .subscriber = "test",
                                                     .events_address = stage->by_hand,
                                                     .channel = channel,
                                                     .writer = service.writer,
                                                     .database_url = stage->service_url};
    expect(event_subscriber_open(&options, &subscriber, &error), STATUS_OK, &error);
    wait_until(fetch_held, &silent, "a fetch");
    int64_t before_ns = clock_monotonic_ns();
    event_subscriber_close(subscriber);
    assert_true(clock_monotonic_ns() - before_ns < INT64_C(1000) * NS_PER_MS);
    (void)error_set(&error, STATUS_UNAVAILABLE, NULL, "too late");
    rpc_channel_close(channel); /* ends the call that was left behind */
    rpc_call_fail(atomic_load(&silent.call), &error);
    rpc_server_close(server);
    service_close(&service);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_BOTH(test_subscriber_of_a_log_with_a_backlog_catches_up_by_fetch),
        TEST_BOTH(test_subscriber_of_a_live_publisher_follows_it),
        TEST_BOTH(test_subscriber_of_batches_in_order_applies_them_without_fetch),
        TEST_SQLITE(test_subscriber_of_a_lost_batch_fetches_it),
        TEST_SQLITE(test_subscriber_of_a_heartbeat_ahead_fetches),
        TEST_SQLITE(test_subscriber_of_repeated_batches_applies_them_once),
        TEST_SQLITE(test_subscriber_of_reordered_batches_waits_and_does_not_fetch),
        TEST_SQLITE(test_subscriber_of_a_late_batch_has_fetched_it_already),
        TEST_SQLITE(test_subscriber_of_garbage_goes_on),
        TEST_SQLITE(test_subscriber_in_silence_fetches),
        TEST_SQLITE(test_subscriber_after_reconnect_fetches),
        TEST_BOTH(test_subscriber_started_again_goes_on_from_its_cursor),
        TEST_SQLITE(test_subscriber_forgotten_cursor_follows_from_the_start),
        TEST_BOTH(test_subscriber_of_batches_that_fail_to_commit_applies_exactly_once),
        TEST_BOTH(test_subscriber_of_a_poison_event_keeps_it_and_applies_the_others_once),
        TEST_SQLITE(test_subscriber_opened_with_dead_letters_counts_them),
        TEST_BOTH(test_dead_letters_replay_applies_what_no_longer_fails),
        TEST_BOTH(test_subscriber_at_the_bound_of_dead_letters_stops),
        TEST_BOTH(test_subscriber_of_another_log_stops),
        TEST_BOTH(test_subscriber_of_a_log_that_lost_its_tail_stops),
        TEST_SQLITE(test_subscriber_of_a_batch_with_another_predecessor_asks_and_stops),
        TEST_SQLITE(test_subscriber_close_while_the_publisher_is_not_there_returns),
        TEST_SQLITE(test_subscriber_close_while_its_chunk_keeps_failing_returns),
        TEST_SQLITE(test_subscriber_close_while_a_fetch_waits_returns_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
