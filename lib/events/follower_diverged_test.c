/*
 * Tests that a follower of a diverged log keeps asking the publisher, and continues once the log matches
 * again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "events/cursor.h"
#include "events/event_store.h"
#include "events/follower.h"
#include "events/publisher_testing.h"

/* ---- capturing log lines; during a test, stderr is a file ---- */

static int saved_stderr = -1;
static int lines_file = -1;

static int keep_lines(void)
{
    char path[] = "/tmp/events_test_lines.XXXXXX";
    lines_file = mkstemp(path);
    saved_stderr = dup(STDERR_FILENO);
    if (lines_file < 0 || saved_stderr < 0)
        return -1;
    unlink(path);
    return dup2(lines_file, STDERR_FILENO) < 0 ? -1 : 0;
}

/* Returns the lines logged so far. The caller frees the text. */
static char *read_lines(void)
{
    enum { LINES_MAX = 65536 };
    char *text = calloc(1, LINES_MAX);
    assert_non_null(text);
    assert_true(pread(lines_file, text, LINES_MAX - 1, 0) >= 0);
    return text;
}

static int count_lines(const char *event)
{
    char wanted[64];
    int count = 0;
    char *text = read_lines();
    snprintf(wanted, sizeof wanted, "\"event\":\"%s\"", event);
    for (const char *found = strstr(text, wanted); found != NULL; found = strstr(found + 1, wanted))
        count++;
    free(text);
    return count;
}

static int setup_sqlite(void **state)
{
    return keep_lines() == 0 ? stage_setup_sqlite(state) : -1;
}

static int setup_postgresql(void **state)
{
    return keep_lines() == 0 ? stage_setup_postgresql(state) : -1;
}

static int teardown(void **state)
{
    char *text = read_lines();
    (void)dup2(saved_stderr, STDERR_FILENO);
    (void)fputs(text, stderr); /* including the message of a failed assertion */
    free(text);
    close(saved_stderr);
    close(lines_file);
    return stage_teardown(state);
}

/* ---- the publisher's database ---- */

static void change_origin(struct play *play, const char *script)
{
    struct error error = {0};
    expect(db_run_script(play->origin.db, script, &error), STATUS_OK, &error);
    expect(db_begin(play->origin.db, &error), STATUS_OK, &error);
    db_rollback(play->origin.db); /* makes the log read the head row again */
}

static void keep_copy(struct play *play)
{
    change_origin(play, "CREATE TABLE kept AS SELECT * FROM event_log;"
                        "CREATE TABLE kept_head AS SELECT * FROM event_log_head");
}

/* Replaces the database with an old copy that has only the first 3 events. */
static void bring_old_copy(struct play *play)
{
    change_origin(play, "BEGIN; DELETE FROM event_log WHERE seq > 3;"
                        "UPDATE event_log_head SET head_seq = 3, head_event_id = "
                        "(SELECT event_id FROM event_log WHERE seq = 3); COMMIT");
}

static void bring_kept_copy(struct play *play)
{
    change_origin(play,
                  "BEGIN; DELETE FROM event_log; INSERT INTO event_log SELECT * FROM kept;"
                  "DELETE FROM event_log_head; INSERT INTO event_log_head SELECT * FROM kept_head; COMMIT");
}

static void bring_another_log(struct play *play)
{
    change_origin(play, play->origin.stage->dialect == DB_SQLITE
                            ? "UPDATE event_log_head SET log_id = randomblob(16)"
                            : "UPDATE event_log_head SET log_id = gen_random_uuid()");
}

/* ---- waiting ---- */

static bool halt_is_logged(void *context)
{
    (void)context;
    return count_lines("events.halted") > 0;
}

static void wait_diverged(struct play *play)
{
    char why[96];
    play_wait_state(play, FOLLOWER_DIVERGED);
    wait_until(halt_is_logged, NULL, "the line that says so"); /* logged only after the state has changed */
    assert_true(event_follower_degraded(play->follower, why, sizeof why));
    assert_string_equal(why, "booking log diverged");
    assert_int_equal(count_lines("events.halted"), 1);
    assert_int_equal(count_lines("events.goes_on"), 0);
}

struct asking {
    struct play *play;
    int64_t until;
};

/* Returns whether enough Fetches were sent. Also checks that the state is still FOLLOWER_DIVERGED. */
static bool has_asked(void *context)
{
    const struct asking *asking = context;
    assert_int_equal(play_status(asking->play).state, FOLLOWER_DIVERGED);
    return metric_by_name("events_fetches_total") >= asking->until;
}

/* Checks that two more Fetches of the diverged log, one after the other, change nothing. */
static void expect_still_diverged(struct play *play, bool at_once)
{
    struct asking asking = {.play = play, .until = metric_by_name("events_fetches_total") + 2};
    if (at_once)
        event_follower_reread(play->follower);
    wait_until(has_asked, &asking, "the publisher is asked again, twice");
    wait_diverged(play);
}

static void expect_goes_on(struct play *play, uint64_t seq)
{
    service_wait_applied(&play->service, (int64_t)seq);
    play_wait_state(play, FOLLOWER_FOLLOWING);
    play_expect_cursor(play, seq);
    assert_int_equal(count_lines("events.halted"), 1);
    assert_int_equal(count_lines("events.goes_on"), 1);
    assert_false(event_follower_degraded(play->follower, (char[96]){0}, 96));
}

/* Follows 5 events of a log, then keeps a copy of the log with `more` events after them. */
static void follow_five(struct play *play, void **state, size_t more)
{
    play_open(play, stage_of(state));
    play_commit(play, 5);
    play_follow_to_head(play, &PLAY_BRISK);
    play_commit(play, more);
    keep_copy(play);
}

/* ---- tests ---- */

static void test_follower_of_a_log_whose_tail_comes_back_goes_on(void **state)
{
    struct play play;
    follow_five(&play, state, 2);
    bring_old_copy(&play);
    event_follower_reread(play.follower);
    wait_diverged(&play);
    expect_still_diverged(&play, false);
    bring_kept_copy(&play);
    expect_goes_on(&play, 7);
    play_commit(&play, 1); /* received live */
    play_send_events(&play, 8, 1);
    service_wait_applied(&play.service, 8);
    play_close(&play);
}

static void test_follower_that_halted_asks_at_once_on_request(void **state)
{
    struct play play;
    follow_five(&play, state, 1);
    bring_old_copy(&play);
    event_follower_reread(play.follower);
    wait_diverged(&play);
    expect_still_diverged(&play, true);
    bring_kept_copy(&play);
    event_follower_reread(play.follower);
    expect_goes_on(&play, 6);
    play_close(&play);
}

/*
 * A different, longer log is now served at the publisher's address. None of its events may ever be applied.
 */
static void test_follower_that_halted_goes_on_in_no_other_log(void **state)
{
    struct play play;
    follow_five(&play, state, 0);
    bring_another_log(&play);
    play_commit(&play, 4);
    event_follower_reread(play.follower);
    wait_diverged(&play);
    expect_still_diverged(&play, true);
    assert_int_equal(service_applied(&play.service), 5);
    play_expect_cursor(&play, 5);
    bring_kept_copy(&play);
    play_commit(&play, 1);
    play_send_events(&play, 6,
                     1); /* if the follower has asked in between, only this message delivers the event */
    expect_goes_on(&play, 6);
    play_close(&play);
}

/* Other events have replaced the lost ones, so the event at the cursor no longer exists. */
static void test_follower_that_halted_goes_on_in_no_other_line_of_events(void **state)
{
    struct play play;
    follow_five(&play, state, 0);
    origin_go_back(&play.origin, 3);
    play_commit(&play, 4);
    event_follower_reread(play.follower);
    wait_diverged(&play);
    expect_still_diverged(&play, true);
    assert_int_equal(service_applied(&play.service), 5);
    play_close(&play);
}

static void enter_era(struct play *play, int64_t era)
{
    struct error error = {0};
    struct event_head head;
    struct db *db = stage_open_beside(play->service.stage);
    expect(event_store_read_head(play->origin.db, &head, &error), STATUS_OK, &error);
    expect(event_cursor_enter_era(db, "booking", &head.log_id, era, &error), STATUS_OK, &error);
    db_close(db);
}

static void set_cursor_back(struct play *play, uint64_t seq)
{
    struct error error = {0};
    struct event_position position;
    struct db *db = stage_open_beside(play->service.stage);
    expect(event_store_read_position(play->origin.db, seq, &position, &error), STATUS_OK, &error);
    expect(event_cursor_rewind(db, "booking", seq, &position.event_id, &error), STATUS_OK, &error);
    db_close(db);
}

/* The follower fetches from the changed cursor, and continues only if the reply matches that cursor. */
static void test_follower_that_halted_goes_on_from_a_cursor_that_was_set_back(void **state)
{
    struct play play;
    follow_five(&play, state, 0);
    origin_go_back(&play.origin, 3);
    play_commit(&play, 3);
    event_follower_reread(play.follower);
    wait_diverged(&play);
    enter_era(&play, origin_era(&play.origin));
    expect_still_diverged(&play, true);
    set_cursor_back(&play, 3);
    play_wait_state(&play, FOLLOWER_FOLLOWING);
    play_expect_cursor(&play, 6);
    assert_int_equal(service_applied(&play.service), 8);
    assert_int_equal(count_lines("events.halted"), 1);
    assert_int_equal(count_lines("events.goes_on"), 1);
    play_close(&play);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(test, driver) cmocka_unit_test_setup_teardown(test, setup_##driver, teardown)
#define BOTH(test)         TEST(test, sqlite), TEST(test, postgresql)
        BOTH(test_follower_of_a_log_whose_tail_comes_back_goes_on),
        BOTH(test_follower_that_halted_asks_at_once_on_request),
        BOTH(test_follower_that_halted_goes_on_in_no_other_log),
        TEST(test_follower_that_halted_goes_on_in_no_other_line_of_events, sqlite),
        BOTH(test_follower_that_halted_goes_on_from_a_cursor_that_was_set_back),
    };
    log_open("follower_diverged_test", LOG_INFO);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
