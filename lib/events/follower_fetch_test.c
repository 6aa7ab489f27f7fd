/* Tests fetching ahead, and events of another era that the publisher has lost. */
#include <string.h>

#include "events/cursor.h"
#include "events/event_store.h"
#include "events/follower.h"
#include "events/publisher_testing.h"

/* ---- fetching ahead ---- */

static bool second_fetch_sent(void *context)
{
    return metric_by_name("events_fetches_total") >= *(int64_t *)context + 2;
}

static void test_follower_in_catch_up_fetches_on_while_its_chunk_is_applied(void **state)
{
    struct play play;
    play_open(&play, stage_of(state));
    play_commit(&play, 2 * EVENT_CHUNK_MAX);
    atomic_store(&play.service.failures, INT32_MAX);
    int64_t fetches = metric_by_name("events_fetches_total");
    play_follow(&play, &PLAY_PATIENT);
    wait_until(second_fetch_sent, &fetches, "a fetch of what follows the chunk in hand");
    assert_int_equal(service_applied(&play.service), 0);
    atomic_store(&play.service.failures, 0);
    service_wait_applied(&play.service, 2 * EVENT_CHUNK_MAX);
    play_close(&play);
}

/* Moves the cursor as another replica would. */
static void move_cursor(struct play *play, uint64_t seq)
{
    struct event_cursor cursor = {.seq = seq};
    struct event_head head;
    char event_id[UUID_TEXT_SIZE];
    struct error error = {0};
    struct db *db;
    bool moved;
    expect(event_store_read_head(play->origin.db, &head, &error), STATUS_OK, &error);
    cursor.log_id = head.log_id;
    assert_true(uuid_parse(origin_event_id(&play->origin, seq, event_id), &cursor.event_id));
    db = stage_open_beside(play->service.stage);
    expect(event_cursor_move(db, "booking", 0, &cursor, &moved, &error), STATUS_OK, &error);
    assert_true(moved);
    db_close(db);
}

static void test_follower_whose_cursor_was_moved_leaves_what_it_fetched_ahead(void **state)
{
    enum { MOVED_TO = 700, LAST = 2 * EVENT_CHUNK_MAX };
    struct play play;
    play_open(&play, stage_of(state));
    play_commit(&play, LAST);
    atomic_store(&play.service.failures, INT32_MAX);
    int64_t fetches = metric_by_name("events_fetches_total");
    play_follow(&play, &PLAY_PATIENT);
    wait_until(second_fetch_sent, &fetches, "a fetch of what follows the chunk in hand");
    move_cursor(&play, MOVED_TO);
    atomic_store(&play.service.failures, 0);
    service_wait_applied(&play.service, LAST - MOVED_TO);
    play_wait_state(&play, FOLLOWER_FOLLOWING);
    play_expect_cursor(&play, LAST);
    assert_int_equal(service_applied(&play.service), LAST - MOVED_TO);
    play_close(&play);
}

/* Makes the services agree on the current era of the publisher's database. */
static void pair(struct play *play)
{
    struct error error = {0};
    struct event_head head;
    struct db *db = stage_open_beside(play->service.stage);
    expect(event_store_read_head(play->origin.db, &head, &error), STATUS_OK, &error);
    expect(event_cursor_enter_era(db, "booking", &head.log_id, head.era, &error), STATUS_OK, &error);
    db_close(db);
}

static bool tried(void *context)
{
    const struct play *play = context;
    return atomic_load(&play->service.chunks) > 1;
}

/* The publisher loses events that follow the cursor, while the follower is still unable to apply them. */
static void test_follower_leaves_events_that_its_publisher_has_lost(void **state)
{
    struct play play;
    play_open(&play, stage_of(state));
    play_commit(&play, 2);
    play_follow_to_head(&play, &PLAY_PATIENT);
    atomic_store(&play.service.chunks, 0);
    atomic_store(&play.service.failures, INT32_MAX);
    play_commit(&play, 3);
    play_send_events(&play, 3, 3);
    wait_until(tried, &play, "the chunk in flight is tried");
    origin_go_back(&play.origin, 2);
    play_commit(&play, 1);
    int64_t left = metric_by_name("events_chunks_of_another_era_total");
    pair(&play);
    atomic_store(&play.service.failures, 0);
    service_wait_applied(&play.service, 3);
    play_expect_cursor(&play, 3);
    play_wait_state(&play, FOLLOWER_FOLLOWING);
    assert_int_equal(metric_by_name("events_chunks_of_another_era_total"), left + 1);
    assert_int_equal(play_status(&play).head_seq, 3); /* otherwise the metrics would show a permanent lag */
    play_close(&play);
}

static nng_msg *message_of_lost_events(struct play *play)
{
    play_commit(play, 3);
    nng_msg *message = origin_message(&play->origin, 3, 3);
    origin_go_back(&play->origin, 2);
    return message;
}

static bool asked(void *context)
{
    return metric_by_name("events_fetches_total") > *(int64_t *)context;
}

/* A message with lost events is still in flight after the services have agreed and Fetch has replied. */
static void test_follower_of_a_late_message_of_another_era_asks(void **state)
{
    struct play play;
    play_open(&play, stage_of(state));
    play_commit(&play, 2);
    play_follow_to_head(&play, &PLAY_PATIENT);
    nng_msg *lost = message_of_lost_events(&play);
    pair(&play);
    int64_t fetches = metric_by_name("events_fetches_total");
    play_send(&play, lost);
    wait_until(asked, &fetches, "a fetch");
    play_commit(&play, 2);
    play_send_events(&play, 3, 2);
    service_wait_applied(&play.service, 4);
    play_expect_cursor(&play, 4);
    play_close(&play);
}

/* A restart loses nothing, so the follower applies the following events and fetches only once. */
static void test_follower_of_a_publisher_that_begins_an_era_goes_on(void **state)
{
    struct play play;
    play_open(&play, stage_of(state));
    play_commit(&play, 2);
    play_follow_to_head(&play, &PLAY_PATIENT);
    for (uint64_t seq = 3; seq < 8; seq++) {
        origin_begin_era(&play.origin);
        play_commit(&play, 1);
        play_send_events(&play, seq, 1);
        service_wait_applied(&play.service, (int64_t)seq);
    }
    int64_t fetches = metric_by_name("events_fetches_total");
    play_commit(&play, 2);
    play_send_events(&play, 8, 1);
    play_send_events(&play, 9, 1);
    service_wait_applied(&play.service, 9);
    assert_int_equal(metric_by_name("events_fetches_total"), fetches);
    play_close(&play);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_BOTH(test_follower_in_catch_up_fetches_on_while_its_chunk_is_applied),
        TEST_BOTH(test_follower_whose_cursor_was_moved_leaves_what_it_fetched_ahead),
        TEST_BOTH(test_follower_leaves_events_that_its_publisher_has_lost),
        TEST_BOTH(test_follower_of_a_late_message_of_another_era_asks),
        TEST_BOTH(test_follower_of_a_publisher_that_begins_an_era_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
