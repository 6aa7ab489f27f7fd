/* Tests a follower without a database. It begins at the head, and begins again if the log is replaced. */
#include "base/clock.h"
#include "events/follower.h"
#include "events/publisher_testing.h"

struct listener {
    struct play play;
    atomic_int begun;
    atomic_ullong begun_at;
    atomic_ullong last; /* seq of the last event, or of the head where the follower began */
    atomic_int wrong;   /* number of events that did not follow their predecessor */
};

static void begun(void *context, uint64_t head_seq)
{
    struct listener *listener = context;
    atomic_store(&listener->begun_at, head_seq);
    atomic_store(&listener->last, head_seq);
    atomic_fetch_add(&listener->begun, 1);
}

static void take(void *context, Screening__V1__Event *const *events, size_t count)
{
    struct listener *listener = context;
    for (size_t i = 0; i < count; i++) {
        if (events[i]->seq != atomic_load(&listener->last) + 1)
            atomic_fetch_add(&listener->wrong, 1);
        atomic_store(&listener->last, events[i]->seq);
    }
}

static void open_at(struct listener *listener, void **state, size_t count)
{
    struct event_follower_options options = PLAY_BRISK;
    *listener = (struct listener){0};
    play_open(&listener->play, stage_of(state));
    if (count > 0)
        play_commit(&listener->play, count);
    options.live = (struct event_follower_live){.begun = begun, .take = take, .context = listener};
    play_follow_to_head(&listener->play, &options);
    assert_int_equal(atomic_load(&listener->begun), 1);
    assert_int_equal(atomic_load(&listener->begun_at), count);
}

struct wanted {
    struct listener *listener;
    int begun;
    uint64_t last;
};

static bool reached(void *context)
{
    const struct wanted *wanted = context;
    return atomic_load(&wanted->listener->begun) == wanted->begun &&
           atomic_load(&wanted->listener->last) == wanted->last;
}

static void wait_reached(struct listener *listener, int begun_times, uint64_t last)
{
    struct wanted wanted = {.listener = listener, .begun = begun_times, .last = last};
    wait_until(reached, &wanted, "the last event");
    assert_int_equal(atomic_load(&listener->wrong), 0);
}

static void run_script(struct play *play, const char *script)
{
    struct error error = {0};
    expect(db_run_script(play->origin.db, script, &error), STATUS_OK, &error);
    expect(db_begin(play->origin.db, &error), STATUS_OK, &error);
    db_rollback(play->origin.db); /* makes the log read the head row again */
}

static void test_follower_live_begins_at_the_head_and_takes_what_comes(void **state)
{
    struct listener listener;
    open_at(&listener, state, 3);
    int64_t fetches = metric_by_name("events_fetches_total");
    play_commit(&listener.play, 5);
    play_send_events(&listener.play, 4, 2);
    play_send_events(&listener.play, 4, 2);
    play_send_events(&listener.play, 6, 3);
    wait_reached(&listener, 1, 8);
    assert_int_equal(metric_by_name("events_fetches_total"), fetches);
    play_close(&listener.play);
}

static void test_follower_live_of_a_lost_batch_fetches_it(void **state)
{
    struct listener listener;
    open_at(&listener, state, 3);
    play_commit(&listener.play, 5);
    play_send_events(&listener.play, 7, 2);
    wait_reached(&listener, 1, 8);
    play_close(&listener.play);
}

static void test_follower_live_of_another_log_begins_again_at_its_head(void **state)
{
    struct listener listener;
    open_at(&listener, state, 3);
    run_script(&listener.play, "UPDATE event_log_head SET log_id = randomblob(16)");
    play_send_events(&listener.play, 3, 1);
    wait_reached(&listener, 2, 3);
    play_commit(&listener.play, 2);
    play_send_events(&listener.play, 4, 2);
    wait_reached(&listener, 2, 5);
    play_close(&listener.play);
}

/* The follower has received no event, but it must not read the whole new log. */
static void test_follower_live_of_an_empty_log_that_is_replaced_begins_again(void **state)
{
    struct listener listener;
    open_at(&listener, state, 0);
    run_script(&listener.play, "UPDATE event_log_head SET log_id = randomblob(16)");
    play_commit(&listener.play, 4);
    play_send_events(&listener.play, 1, 4);
    wait_reached(&listener, 2, 4);
    assert_int_equal(atomic_load(&listener.begun_at), 4);
    play_close(&listener.play);
}

static void test_follower_live_of_a_log_that_lost_its_tail_begins_again(void **state)
{
    struct listener listener;
    open_at(&listener, state, 5);
    origin_go_back(&listener.play.origin, 3);
    play_commit(&listener.play, 1);
    play_send_events(&listener.play, 4, 1);
    wait_reached(&listener, 2, 4);
    play_commit(&listener.play, 1);
    play_send_events(&listener.play, 5, 1);
    wait_reached(&listener, 2, 5);
    play_close(&listener.play);
}

/* The follower can never get the missing event, so it must not keep asking for it. */
static void test_follower_live_of_a_log_with_a_hole_begins_again_at_its_head(void **state)
{
    struct listener listener;
    open_at(&listener, state, 3);
    play_commit(&listener.play, 3);
    run_script(&listener.play, "DELETE FROM event_log WHERE seq = 4");
    play_send_events(&listener.play, 6, 1);
    wait_reached(&listener, 2, 6);
    play_commit(&listener.play, 1);
    play_send_events(&listener.play, 7, 1);
    wait_reached(&listener, 2, 7);
    play_close(&listener.play);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_BOTH(test_follower_live_begins_at_the_head_and_takes_what_comes),
        TEST_SQLITE(test_follower_live_of_a_lost_batch_fetches_it),
        TEST_SQLITE(test_follower_live_of_another_log_begins_again_at_its_head),
        TEST_SQLITE(test_follower_live_of_an_empty_log_that_is_replaced_begins_again),
        TEST_SQLITE(test_follower_live_of_a_log_that_lost_its_tail_begins_again),
        TEST_SQLITE(test_follower_live_of_a_log_with_a_hole_begins_again_at_its_head),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
