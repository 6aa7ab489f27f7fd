/* Tests a follower when batches fail, an event cannot be applied, the log diverges or the publisher fails. */
#include <string.h>

#include "base/clock.h"
#include "events/cursor.h"
#include "events/event_store.h"
#include "events/follower.h"
#include "events/publisher_testing.h"

/* ---- failures ---- */

static void test_follower_of_batches_that_fail_to_commit_applies_exactly_once(void **state)
{
    static const enum status failures[] = {STATUS_UNAVAILABLE, STATUS_ABORTED, STATUS_DEADLINE_EXCEEDED};
    struct play play;
    play_open(&play, stage_of(state));
    play_follow_to_head(&play, &PLAY_BRISK);
    int64_t expected = 0;
    for (size_t i = 0; i < sizeof failures / sizeof failures[0]; i++) {
        atomic_store(&play.service.failure, failures[i]);
        atomic_store(&play.service.failures, 2);
        play_commit(&play, 5);
        play_send_events(&play, (uint64_t)expected + 1, 5);
        expected += 5;
        service_wait_applied(&play.service, expected);
        play_expect_cursor(&play, (uint64_t)expected);
    }
    assert_int_equal(atomic_load(&play.service.failures), 0);
    assert_int_equal(play_status(&play).dead_letters, 0);
    play_close(&play);
}

static const struct db_statement COUNT_LETTERS = {
    .name = "test_count_letters",
    .sql = "SELECT count(*) FROM dead_letter",
};

static bool passed(void *context)
{
    struct play *play = context;
    return play_status(play).applied_seq >= 21;
}

/* Applies 21 events, of which the 11th always fails. */
static void apply_with_a_poison_event(struct play *play)
{
    atomic_store(&play->service.poison, "booking.poison");
    play_commit(play, 10);
    origin_commit(&play->origin, "booking.poison", 1, false);
    play_commit(play, 10);
    play_follow(play, &PLAY_BRISK);
    wait_until(passed, play, "the poison event passed");
}

static void test_follower_of_a_poison_event_keeps_it_and_applies_the_others_once(void **state)
{
    struct play play;
    char why[96];
    play_open(&play, stage_of(state));
    apply_with_a_poison_event(&play);
    assert_int_equal(service_applied(&play.service), 20);
    assert_int_equal(service_applied_most(&play.service), 1);
    assert_int_equal(number_of(play.service.db, &COUNT_LETTERS), 1);
    play_expect_cursor(&play, 21);
    assert_int_equal(play_status(&play).dead_letters, 1);
    assert_true(event_follower_degraded(play.follower, why, sizeof why));
    assert_string_equal(why, "1 dead letter of the booking log");
    play_close(&play);
}

static void test_follower_opened_with_dead_letters_counts_them(void **state)
{
    struct play play;
    play_open(&play, stage_of(state));
    apply_with_a_poison_event(&play);
    event_follower_close(play.follower);
    play_follow(&play, &PLAY_BRISK);
    assert_int_equal(play_status(&play).dead_letters, 1);
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
    play_expect_cursor(&play, 21);
    play_close(&play);
}

static void test_follower_at_the_bound_of_dead_letters_stops(void **state)
{
    struct play play;
    struct error error = {0};
    struct db *db;
    char why[96];
    play_open(&play, stage_of(state));
    db = stage_open_beside(play.service.stage);
    /* Insert DEAD_LETTER_MAX - 1 letters of an older log. */
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
    play_commit(&play, 1);
    origin_commit(&play.origin, "booking.poison", 1, false);
    play_commit(&play, 1);
    play_follow(&play, &PLAY_BRISK);
    play_wait_state(&play, FOLLOWER_STOPPED);
    assert_int_equal(service_applied(&play.service), 1);
    play_expect_cursor(&play, 2);
    assert_true(event_follower_degraded(play.follower, why, sizeof why));
    assert_string_equal(why, "booking log stopped");
    event_follower_close(play.follower);
    play_follow(&play, &PLAY_BRISK);
    play_wait_state(&play, FOLLOWER_STOPPED);
    assert_int_equal(service_applied(&play.service), 1);
    play_close(&play);
}

/* ---- divergence ---- */

static void expect_diverged(struct play *play, int64_t applied)
{
    char why[96];
    play_wait_state(play, FOLLOWER_DIVERGED);
    assert_true(event_follower_degraded(play->follower, why, sizeof why));
    assert_string_equal(why, "booking log diverged");
    assert_int_equal(service_applied(&play->service), applied);
}

static void change_origin(struct play *play, const char *script)
{
    struct error error = {0};
    expect(db_run_script(play->origin.db, script, &error), STATUS_OK, &error);
}

static void test_follower_of_another_log_stops(void **state)
{
    struct play play;
    play_open(&play, stage_of(state));
    play_commit(&play, 3);
    play_follow_to_head(&play, &PLAY_BRISK);
    change_origin(&play, play.origin.stage->dialect == DB_SQLITE
                             ? "UPDATE event_log_head SET log_id = randomblob(16)"
                             : "UPDATE event_log_head SET log_id = gen_random_uuid()");
    play_commit(&play, 1);
    play_send_events(&play, 4, 1);
    expect_diverged(&play, 3);
    /* A follower that is opened later also finds a different log. */
    play_commit(&play, 1);
    play_send_events(&play, 5, 1);
    event_follower_close(play.follower);
    play_follow(&play, &PLAY_BRISK);
    expect_diverged(&play, 3);
    play_close(&play);
}

static void test_follower_of_a_log_that_lost_its_tail_stops(void **state)
{
    struct play play;
    play_open(&play, stage_of(state));
    play_commit(&play, 5);
    play_follow_to_head(&play, &PLAY_BRISK);
    event_follower_close(play.follower);
    /* As after a restore, the last two events are lost, and different events replace them. */
    change_origin(&play, "DELETE FROM event_log WHERE seq > 3;"
                         "UPDATE event_log_head SET head_seq = 3, head_event_id = "
                         "(SELECT event_id FROM event_log WHERE seq = 3)");
    play_follow(&play, &PLAY_BRISK);
    expect_diverged(&play, 5);
    event_follower_close(play.follower);
    play_commit(&play, 4);
    play_follow(&play, &PLAY_BRISK);
    expect_diverged(&play, 5);
    play_close(&play);
}

static void test_follower_of_a_batch_with_another_predecessor_asks_and_stops(void **state)
{
    struct play play;
    play_open(&play, stage_of(state));
    play_commit(&play, 5);
    play_follow_to_head(&play, &PLAY_PATIENT);
    change_origin(&play, "DELETE FROM event_log WHERE seq > 4;"
                         "UPDATE event_log_head SET head_seq = 4, head_event_id = "
                         "(SELECT event_id FROM event_log WHERE seq = 4)");
    play_commit(&play, 2);
    play_send_events(&play, 6, 1);
    expect_diverged(&play, 5);
    play_close(&play);
}

/* ---- opening and closing ---- */

static void test_follower_close_while_the_publisher_is_not_there_returns(void **state)
{
    const struct stage *stage = stage_of(state);
    struct error error = {0};
    struct service service;
    struct rpc_channel *channel;
    struct event_follower *follower;
    struct event_follower_status status;
    const struct rpc_channel_options nobody = {.address = stage->rpc};
    service_open(&service, stage);
    expect(rpc_channel_open(&nobody, &channel, &error), STATUS_OK, &error);
    const struct event_follower_options options = {.log = "booking",
                                                   .subscriber = "test",
                                                   .events_addresses = stage->by_hand,
                                                   .channel = channel,
                                                   .writer = service.writer,
                                                   .database_url = stage->service_url};
    expect(event_follower_open(&options, &follower, &error), STATUS_OK, &error);
    event_follower_status(follower, &status);
    assert_int_equal(status.state, FOLLOWER_DISCONNECTED);
    assert_string_equal(status.log_id, "");
    event_follower_close(follower);
    event_follower_close(NULL);
    rpc_channel_close(channel);
    service_close(&service);
}

static bool chunk_submitted(void *context)
{
    struct play *play = context;
    return atomic_load(&play->service.chunks) > 1;
}

static void test_follower_close_while_its_chunk_keeps_failing_returns(void **state)
{
    struct play play;
    play_open(&play, stage_of(state));
    play_commit(&play, 3);
    atomic_store(&play.service.failures, INT32_MAX);
    play_follow(&play, &PLAY_BRISK);
    wait_until(chunk_submitted, &play, "a chunk that failed");
    event_follower_close(play.follower);
    play.follower = NULL;
    assert_int_equal(service_applied(&play.service), 0);
    play_close(&play);
}

/* A publisher that accepts a fetch and never answers. */
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

static void test_follower_close_while_a_fetch_waits_returns_at_once(void **state)
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
    struct event_follower *follower;
    expect(rpc_server_open(&server_options, &server, &error), STATUS_OK, &error);
    rpc_server_add(server, &silent.service.base);
    expect(rpc_server_start(server, &error), STATUS_OK, &error);
    rpc_server_serve(server);
    service_open(&service, stage);
    expect(rpc_channel_open(&channel_options, &channel, &error), STATUS_OK, &error);
    const struct event_follower_options options = {.log = "booking",
                                                   .subscriber = "test",
                                                   .events_addresses = stage->by_hand,
                                                   .channel = channel,
                                                   .writer = service.writer,
                                                   .database_url = stage->service_url};
    expect(event_follower_open(&options, &follower, &error), STATUS_OK, &error);
    wait_until(fetch_held, &silent, "a fetch");
    int64_t before_ns = clock_monotonic_ns();
    event_follower_close(follower);
    assert_true(clock_monotonic_ns() - before_ns < INT64_C(1000) * NS_PER_MS);
    (void)error_set(&error, STATUS_UNAVAILABLE, NULL, "too late");
    rpc_channel_close(channel); /* ends the abandoned call */
    rpc_call_fail(atomic_load(&silent.call), &error);
    rpc_server_close(server);
    service_close(&service);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_BOTH(test_follower_of_batches_that_fail_to_commit_applies_exactly_once),
        TEST_BOTH(test_follower_of_a_poison_event_keeps_it_and_applies_the_others_once),
        TEST_SQLITE(test_follower_opened_with_dead_letters_counts_them),
        TEST_BOTH(test_dead_letters_replay_applies_what_no_longer_fails),
        TEST_BOTH(test_follower_at_the_bound_of_dead_letters_stops),
        TEST_BOTH(test_follower_of_another_log_stops),
        TEST_BOTH(test_follower_of_a_log_that_lost_its_tail_stops),
        TEST_SQLITE(test_follower_of_a_batch_with_another_predecessor_asks_and_stops),
        TEST_SQLITE(test_follower_close_while_the_publisher_is_not_there_returns),
        TEST_SQLITE(test_follower_close_while_its_chunk_keeps_failing_returns),
        TEST_SQLITE(test_follower_close_while_a_fetch_waits_returns_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
