/* Tests following a log: lost, repeated, reordered and late messages; reconnecting; restarting. */
#include <string.h>

#include "base/clock.h"
#include "events/follower.h"
#include "events/publisher_testing.h"

static void test_follower_of_a_log_with_a_backlog_catches_up_by_fetch(void **state)
{
    struct play play;
    play_open(&play, stage_of(state));
    for (int i = 0; i < 4; i++)
        play_commit(&play, 400);
    play_follow(&play, &PLAY_PATIENT);
    service_wait_applied(&play.service, 1600);
    play_wait_state(&play, FOLLOWER_FOLLOWING);
    struct event_follower_status status = play_status(&play);
    assert_int_equal(status.applied_seq, 1600);
    assert_int_equal(status.head_seq, 1600);
    assert_int_equal(status.oldest_unapplied_us, 0);
    assert_int_equal(strlen(status.log_id), UUID_TEXT_SIZE - 1);
    play_expect_cursor(&play, 1600);
    play_close(&play);
}

static void test_follower_of_a_live_publisher_follows_it(void **state)
{
    struct play play;
    play_open(&play, stage_of(state));
    const struct event_follower_options live = {.events_addresses = play.origin.stage->events,
                                                .silence_ms = 10};
    play_follow(&play, &live);
    for (int i = 0; i < 50; i++)
        origin_commit(&play.origin, "booking.confirmed", 3, true);
    service_wait_applied(&play.service, 150);
    play_close(&play);
}

static void test_follower_of_batches_in_order_applies_them_without_fetch(void **state)
{
    struct play play;
    play_open(&play, stage_of(state));
    play_commit(&play, 1);
    play_follow_to_head(&play, &PLAY_PATIENT);
    int64_t fetches = metric_by_name("events_fetches_total");
    play_commit(&play, 5);
    play_send_events(&play, 2, 2);
    play_send_events(&play, 4, 3);
    service_wait_applied(&play.service, 6);
    assert_int_equal(metric_by_name("events_fetches_total"), fetches);
    play_expect_cursor(&play, 6);
    play_close(&play);
}

static void test_follower_with_an_interval_gathers_what_comes_within_it(void **state)
{
    enum { INTERVAL_MS = 4000 };
    struct play play;
    struct event_follower_options gathering = PLAY_PATIENT;
    gathering.interval_ms = INTERVAL_MS;
    play_open(&play, stage_of(state));
    play_follow_to_head(&play, &gathering);
    play_commit(&play, 6);
    int64_t before_ns = clock_monotonic_ns();
    play_send_events(&play, 1, 1); /* applied immediately after a pause */
    service_wait_applied(&play.service, 1);
    assert_true(clock_monotonic_ns() - before_ns < (int64_t)INTERVAL_MS * NS_PER_MS);
    int chunks = atomic_load(&play.service.chunks);
    for (uint64_t seq = 2; seq <= 6; seq++)
        play_send_events(&play, seq, 1);
    service_wait_applied(&play.service, 6);
    assert_int_equal(atomic_load(&play.service.chunks), chunks + 1);
    play_close(&play);
}

static void test_follower_of_a_lost_batch_fetches_it(void **state)
{
    struct play play;
    play_open(&play, stage_of(state));
    play_follow_to_head(&play, &PLAY_BRISK);
    play_commit(&play, 6);
    play_send_events(&play, 4, 3);
    service_wait_applied(&play.service, 6);
    play_close(&play);
}

static void test_follower_of_a_heartbeat_ahead_fetches(void **state)
{
    struct play play;
    play_open(&play, stage_of(state));
    play_follow_to_head(&play, &PLAY_BRISK);
    play_commit(&play, 6);
    play_send_events(&play, 6, 0);
    service_wait_applied(&play.service, 6);
    play_close(&play);
}

static void test_follower_of_repeated_batches_applies_them_once(void **state)
{
    struct play play;
    play_open(&play, stage_of(state));
    play_commit(&play, 1);
    play_follow_to_head(&play, &PLAY_PATIENT);
    play_commit(&play, 6);
    for (int i = 0; i < 3; i++)
        play_send_events(&play, 2, 3);
    play_send_events(&play, 3, 4); /* overlaps */
    play_send_events(&play, 2, 3);
    play_send_events(&play, 7, 1);
    service_wait_applied(&play.service, 7);
    play_close(&play);
}

static void test_follower_of_reordered_batches_waits_and_does_not_fetch(void **state)
{
    struct play play;
    play_open(&play, stage_of(state));
    play_commit(&play, 1);
    play_follow_to_head(&play, &PLAY_PATIENT);
    int64_t fetches = metric_by_name("events_fetches_total");
    play_commit(&play, 8);
    play_send_events(&play, 7, 3);
    play_send_events(&play, 5, 2);
    play_send_events(&play, 2, 3);
    service_wait_applied(&play.service, 9);
    assert_int_equal(metric_by_name("events_fetches_total"), fetches);
    play_expect_cursor(&play, 9);
    play_close(&play);
}

static void test_follower_of_a_late_batch_has_fetched_it_already(void **state)
{
    struct play play;
    play_open(&play, stage_of(state));
    play_commit(&play, 1);
    play_follow_to_head(&play, &PLAY_BRISK);
    play_commit(&play, 4);
    play_send_events(&play, 4, 2);
    service_wait_applied(&play.service, 5);
    play_send_events(&play, 2, 2);
    play_commit(&play, 1);
    play_send_events(&play, 6, 1);
    service_wait_applied(&play.service, 6);
    play_close(&play);
}

static void test_follower_of_garbage_goes_on(void **state)
{
    struct play play;
    play_open(&play, stage_of(state));
    play_commit(&play, 1);
    play_follow_to_head(&play, &PLAY_PATIENT);
    nng_msg *message;
    assert_int_equal(nng_msg_alloc(&message, 0), 0);
    assert_int_equal(nng_msg_append(message, "booking\n\xff\xff\xff", 11), 0);
    play_send(&play, message);
    play_commit(&play, 1);
    play_send_events(&play, 2, 1);
    service_wait_applied(&play.service, 2);
    play_close(&play);
}

static void test_follower_in_silence_fetches(void **state)
{
    struct play play;
    const struct event_follower_options options = {.silence_ms = 10, .gap_wait_ms = 600000};
    play_open(&play, stage_of(state));
    play_follow_to_head(&play, &options);
    play_commit(&play, 2);
    service_wait_applied(&play.service, 2);
    play_close(&play);
}

static void test_follower_after_reconnect_fetches(void **state)
{
    struct play play;
    play_open(&play, stage_of(state));
    play_commit(&play, 1);
    play_follow_to_head(&play, &PLAY_PATIENT);
    nng_close(play.publisher);
    play_wait_state(&play, FOLLOWER_DISCONNECTED);
    play_commit(&play, 3);
    play_publish(&play);
    play_wait_state(&play, FOLLOWER_FOLLOWING);
    service_wait_applied(&play.service, 4);
    play_close(&play);
}

static void test_follower_started_again_goes_on_from_its_cursor(void **state)
{
    struct play play;
    play_open(&play, stage_of(state));
    play_commit(&play, 3);
    play_follow_to_head(&play, &PLAY_BRISK);
    event_follower_close(play.follower);
    play_commit(&play, 3);
    play_follow_to_head(&play, &PLAY_BRISK);
    service_wait_applied(&play.service, 6);
    play_close(&play);
}

static void test_follower_of_a_log_given_up_follows_it_from_the_start(void **state)
{
    struct play play;
    struct error error = {0};
    struct db *db;
    play_open(&play, stage_of(state));
    play_commit(&play, 3);
    play_follow_to_head(&play, &PLAY_BRISK);
    event_follower_close(play.follower);
    db = stage_open_beside(play.service.stage);
    expect(event_log_give_up(db, "booking", NULL, &error), STATUS_OK, &error);
    db_close(db);
    play_follow_to_head(&play, &PLAY_BRISK);
    assert_int_equal(service_applied(&play.service), 6);
    assert_int_equal(service_applied_most(&play.service), 2);
    play_close(&play);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_BOTH(test_follower_of_a_log_with_a_backlog_catches_up_by_fetch),
        TEST_BOTH(test_follower_of_a_live_publisher_follows_it),
        TEST_BOTH(test_follower_of_batches_in_order_applies_them_without_fetch),
        TEST_SQLITE(test_follower_with_an_interval_gathers_what_comes_within_it),
        TEST_SQLITE(test_follower_of_a_lost_batch_fetches_it),
        TEST_SQLITE(test_follower_of_a_heartbeat_ahead_fetches),
        TEST_SQLITE(test_follower_of_repeated_batches_applies_them_once),
        TEST_SQLITE(test_follower_of_reordered_batches_waits_and_does_not_fetch),
        TEST_SQLITE(test_follower_of_a_late_batch_has_fetched_it_already),
        TEST_SQLITE(test_follower_of_garbage_goes_on),
        TEST_SQLITE(test_follower_in_silence_fetches),
        TEST_SQLITE(test_follower_after_reconnect_fetches),
        TEST_BOTH(test_follower_started_again_goes_on_from_its_cursor),
        TEST_BOTH(test_follower_of_a_log_given_up_follows_it_from_the_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
