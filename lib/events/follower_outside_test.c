/* Tests a follower whose cursor is the last event that has arrived where the events are passed on to. */
#include <string.h>

#include "base/clock.h"
#include "events/cursor.h"
#include "events/event_text.h"
#include "events/follower.h"
#include "events/publisher_testing.h"

enum { ARRIVED_MAX = 64 };

/* Keeps what has arrived. The follower's thread writes it; the test reads `count`, and the rest when it
 * waits. */
struct outside {
    struct play play;
    struct uuid log_id;                 /* zero until events arrive */
    struct uuid event_ids[ARRIVED_MAX]; /* at seq - 1 */
    atomic_ullong count;
    atomic_int wrong;         /* number of events that did not follow their predecessor */
    atomic_int loads;         /* number of times that the cursor was asked for */
    atomic_int load_failures; /* how many of the next loads fail */
    atomic_int halves;        /* how many of the next calls of pass_on fail after half of their events */
    atomic_bool is_foreign;   /* whether the last event is of another log */
    bool is_forgotten;        /* whether only the seq of the last event is known */
};

static enum status load(void *context, struct event_cursor *out, struct error *error)
{
    struct outside *outside = context;
    uint64_t count = atomic_load(&outside->count);
    atomic_fetch_add(&outside->loads, 1);
    if (atomic_load(&outside->is_foreign))
        return error_set(error, STATUS_DATA_LOSS, NULL, "not ours");
    if (atomic_fetch_sub(&outside->load_failures, 1) > 0)
        return error_set(error, STATUS_UNAVAILABLE, NULL, "away");
    out->seq = count;
    if (count > 0 && !outside->is_forgotten) {
        out->log_id = outside->log_id;
        out->event_id = outside->event_ids[count - 1];
    }
    return STATUS_OK;
}

static enum status pass_on(void *context, const struct uuid *log_id, Screening__V1__Event *const *events,
                           size_t count, struct error *error)
{
    struct outside *outside = context;
    bool fails = atomic_fetch_sub(&outside->halves, 1) > 0;
    outside->log_id = *log_id;
    for (size_t i = 0; i < (fails ? count / 2 : count); i++) {
        uint64_t seq = atomic_load(&outside->count) + 1;
        if (events[i]->seq != seq || !uuid_parse(events[i]->event_id, &outside->event_ids[seq - 1]))
            atomic_fetch_add(&outside->wrong, 1);
        atomic_store(&outside->count, seq);
    }
    return fails ? error_set(error, STATUS_UNAVAILABLE, NULL, "away") : STATUS_OK;
}

static void open_outside(struct outside *outside, void **state, size_t committed)
{
    *outside = (struct outside){.is_forgotten = false};
    play_open(&outside->play, stage_of(state));
    if (committed > 0)
        play_commit(&outside->play, committed);
}

static void follow(struct outside *outside)
{
    struct event_follower_options options = PLAY_BRISK;
    options.outside = (struct event_follower_outside){.load = load, .pass_on = pass_on, .context = outside};
    play_follow(&outside->play, &options);
}

/* Makes the first `count` events of the log have arrived. */
static void arrive(struct outside *outside, size_t count)
{
    struct error error = {0};
    char id[UUID_TEXT_SIZE];
    for (size_t i = 0; i < count; i++)
        assert_true(uuid_parse(origin_event_id(&outside->play.origin, i + 1, id), &outside->event_ids[i]));
    expect(db_begin(outside->play.origin.db, &error), STATUS_OK, &error);
    expect(event_log_take_head(outside->play.origin.silent_log, outside->play.origin.db, &error), STATUS_OK,
           &error);
    outside->log_id = event_log_id(outside->play.origin.silent_log);
    db_rollback(outside->play.origin.db);
    atomic_store(&outside->count, count);
}

struct wanted {
    struct outside *outside;
    uint64_t count;
};

static bool reached(void *context)
{
    const struct wanted *wanted = context;
    return atomic_load(&wanted->outside->count) >= wanted->count;
}

static void wait_arrived(struct outside *outside, uint64_t count)
{
    struct wanted wanted = {.outside = outside, .count = count};
    wait_until(reached, &wanted, "events");
    play_wait_state(&outside->play, FOLLOWER_FOLLOWING);
    assert_int_equal(atomic_load(&outside->count), count);
    assert_int_equal(atomic_load(&outside->wrong), 0);
}

static void test_follower_outside_passes_on_all_events_and_what_comes(void **state)
{
    struct outside outside;
    open_outside(&outside, state, 3);
    follow(&outside);
    wait_arrived(&outside, 3);
    int64_t fetches = metric_by_name("events_fetches_total");
    play_commit(&outside.play, 5);
    play_send_events(&outside.play, 4, 5);
    play_send_events(&outside.play, 4, 5);
    wait_arrived(&outside, 8);
    assert_int_equal(metric_by_name("events_fetches_total"), fetches);
    play_close(&outside.play);
}

static void test_follower_outside_continues_after_the_last_event_that_arrived(void **state)
{
    struct outside outside;
    open_outside(&outside, state, 5);
    arrive(&outside, 2);
    follow(&outside);
    wait_arrived(&outside, 5);
    play_close(&outside.play);
}

static void test_follower_outside_of_a_forgotten_event_continues_after_its_seq(void **state)
{
    struct outside outside;
    open_outside(&outside, state, 5);
    arrive(&outside, 2);
    outside.is_forgotten = true;
    follow(&outside);
    wait_arrived(&outside, 5);
    play_close(&outside.play);
}

static void test_follower_outside_of_half_a_failure_passes_on_the_rest_only(void **state)
{
    struct outside outside;
    open_outside(&outside, state, 8);
    atomic_store(&outside.halves, 3);
    atomic_store(&outside.load_failures, 2);
    follow(&outside);
    wait_arrived(&outside, 8);
    assert_true(atomic_load(&outside.loads) >= 3 + 2 + 1);
    play_close(&outside.play);
}

/* Another process has passed on events meanwhile, so a failure of this one is followed by other events. */
static void test_follower_outside_notices_what_others_have_passed_on(void **state)
{
    struct outside outside;
    open_outside(&outside, state, 3);
    follow(&outside);
    wait_arrived(&outside, 3);
    play_commit(&outside.play, 4);
    arrive(&outside, 5);
    atomic_store(&outside.halves, 1);
    play_send_events(&outside.play, 4, 1);
    wait_arrived(&outside, 7);
    play_close(&outside.play);
}

static void test_follower_outside_asks_again_when_it_is_told_to(void **state)
{
    struct outside outside;
    open_outside(&outside, state, 5);
    follow(&outside);
    wait_arrived(&outside, 5);
    int loads = atomic_load(&outside.loads);
    atomic_store(&outside.count, 3); /* the last two have been lost */
    event_follower_reread(outside.play.follower);
    wait_arrived(&outside, 5);
    assert_int_equal(atomic_load(&outside.loads), loads + 1);
    play_close(&outside.play);
}

static void test_follower_outside_ahead_of_the_log_stops(void **state)
{
    struct outside outside;
    open_outside(&outside, state, 5);
    arrive(&outside, 5);
    origin_go_back(&outside.play.origin, 3);
    follow(&outside);
    play_wait_state(&outside.play, FOLLOWER_DIVERGED);
    assert_int_equal(atomic_load(&outside.count), 5);
    play_close(&outside.play);
}

static void test_follower_outside_of_another_event_at_its_seq_stops(void **state)
{
    struct outside outside;
    open_outside(&outside, state, 5);
    arrive(&outside, 2);
    outside.event_ids[1] = uuid_v7();
    follow(&outside);
    play_wait_state(&outside.play, FOLLOWER_DIVERGED);
    play_close(&outside.play);
}

static void test_follower_outside_of_another_log_stops(void **state)
{
    struct outside outside;
    open_outside(&outside, state, 5);
    arrive(&outside, 2);
    outside.log_id = uuid_v7();
    follow(&outside);
    play_wait_state(&outside.play, FOLLOWER_DIVERGED);
    play_close(&outside.play);
}

static void test_follower_outside_of_something_foreign_stops(void **state)
{
    struct outside outside;
    open_outside(&outside, state, 5);
    atomic_store(&outside.is_foreign, true);
    follow(&outside);
    play_wait_state(&outside.play, FOLLOWER_DIVERGED);
    assert_int_equal(atomic_load(&outside.count), 0);
    play_close(&outside.play);
}

static void test_follower_outside_closes_while_nothing_can_be_passed_on(void **state)
{
    struct outside outside;
    open_outside(&outside, state, 5);
    atomic_store(&outside.halves, INT32_MAX);
    follow(&outside);
    struct wanted wanted = {.outside = &outside, .count = 1};
    wait_until(reached, &wanted, "events");
    play_close(&outside.play);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_BOTH(test_follower_outside_passes_on_all_events_and_what_comes),
        TEST_SQLITE(test_follower_outside_continues_after_the_last_event_that_arrived),
        TEST_SQLITE(test_follower_outside_of_a_forgotten_event_continues_after_its_seq),
        TEST_SQLITE(test_follower_outside_of_half_a_failure_passes_on_the_rest_only),
        TEST_SQLITE(test_follower_outside_notices_what_others_have_passed_on),
        TEST_SQLITE(test_follower_outside_asks_again_when_it_is_told_to),
        TEST_SQLITE(test_follower_outside_ahead_of_the_log_stops),
        TEST_SQLITE(test_follower_outside_of_another_event_at_its_seq_stops),
        TEST_SQLITE(test_follower_outside_of_another_log_stops),
        TEST_SQLITE(test_follower_outside_of_something_foreign_stops),
        TEST_SQLITE(test_follower_outside_closes_while_nothing_can_be_passed_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
