/* Tests event_chunk_begin and event_chunk_finish inside transactions that the test controls. */
#include <stdio.h>
#include <string.h>

#include "events/cursor.h"
#include "events/events_testing.h"
#include "events/follower.h"

enum { EVENTS = 10 };

static const char LOG_ID[] = "00000000-0000-7000-8000-0000000000aa";
static const char OTHER_LOG_ID[] = "00000000-0000-7000-8000-0000000000bb";

static const struct db_statement COUNT_LETTERS = {
    .name = "test_chunk_letters",
    .sql = "SELECT count(*) FROM dead_letter",
};

/* Events 1 to EVENTS of a log. */
struct past {
    char ids[EVENTS][UUID_TEXT_SIZE];
    Screening__V1__Event events[EVENTS];
    Screening__V1__Event *pointers[EVENTS];
};

static void make_past(struct past *past, int number)
{
    for (int i = 0; i < EVENTS; i++) {
        screening__v1__event__init(&past->events[i]);
        snprintf(past->ids[i], UUID_TEXT_SIZE, "00000000-0000-7000-8000-%04u%08u", (unsigned)number % 10000U,
                 ((unsigned)i + 1) % 100000000U);
        past->events[i].seq = (uint64_t)i + 1;
        past->events[i].event_id = past->ids[i];
        past->events[i].type = (char *)(uintptr_t) "booking.confirmed";
        past->pointers[i] = &past->events[i];
    }
}

static struct event_chunk chunk_of(struct past *past, size_t first, size_t count)
{
    return (struct event_chunk){
        .log = "booking", .log_id = LOG_ID, .events = past->pointers + (first - 1), .count = count};
}

static struct db *open_migrated(const struct stage *stage)
{
    struct error error = {0};
    struct db *db;
    expect(db_open(stage->service_url, DB_READ_WRITE, &db, &error), STATUS_OK, &error);
    expect(events_migrate(db, &error), STATUS_OK, &error);
    return db;
}

static void expect_begin(struct event_chunk *chunk, struct db *db, enum status expected,
                         size_t expected_count)
{
    struct error error = {0};
    size_t count = 0;
    expect(event_chunk_begin(chunk, db, &count, &error), expected, &error);
    assert_int_equal(count, expected_count);
}

/* Runs a whole transaction. event_chunk_begin must set *count to `expected_count`. */
static void apply(struct event_chunk chunk, struct db *db, size_t expected_count)
{
    struct error error = {0};
    expect(db_begin(db, &error), STATUS_OK, &error);
    expect_begin(&chunk, db, STATUS_OK, expected_count);
    if (expected_count > 0)
        assert_ptr_equal(*event_chunk_events(&chunk), chunk.events[chunk.count - expected_count]);
    expect(event_chunk_finish(&chunk, db, &error), STATUS_OK, &error);
    expect(db_commit(db, &error), STATUS_OK, &error);
}

static void expect_no_fit(struct event_chunk chunk, struct db *db)
{
    struct error error = {0};
    expect(db_begin(db, &error), STATUS_OK, &error);
    expect_begin(&chunk, db, STATUS_OK, 0);
    assert_int_equal(chunk.writer.outcome.status, STATUS_ABORTED);
    expect(event_chunk_finish(&chunk, db, &error), STATUS_OK, &error);
    expect(db_commit(db, &error), STATUS_OK, &error);
}

static void expect_cursor(struct db *db, uint64_t seq)
{
    struct error error = {0};
    struct event_cursor cursor;
    expect(event_cursor_read(db, "booking", &cursor, &error), STATUS_OK, &error);
    assert_int_equal(cursor.seq, seq);
}

static void test_event_chunk_overlapping_the_cursor_gives_only_what_is_new(void **state)
{
    struct db *db = open_migrated(stage_of(state));
    struct past past;
    make_past(&past, 0);
    apply(chunk_of(&past, 1, 3), db, 3);
    apply(chunk_of(&past, 2, 4), db, 2);
    expect_cursor(db, 5);
    apply(chunk_of(&past, 1, 5), db, 0);
    apply(chunk_of(&past, 2, 2), db, 0);
    expect_cursor(db, 5);
    apply(chunk_of(&past, 6, 1), db, 1);
    expect_cursor(db, 6);
    db_close(db);
}

static void test_event_chunk_that_does_not_fit_the_cursor_is_refused_alone(void **state)
{
    struct db *db = open_migrated(stage_of(state));
    struct past past;
    struct past other;
    make_past(&past, 0);
    make_past(&other, 1);
    expect_no_fit(chunk_of(&past, 2, 1), db);
    apply(chunk_of(&past, 1, 3), db, 3);
    expect_no_fit(chunk_of(&past, 5, 1), db);
    expect_no_fit(chunk_of(&other, 2, 4), db);
    struct event_chunk chunk = chunk_of(&past, 4, 1);
    chunk.log_id = OTHER_LOG_ID;
    expect_no_fit(chunk, db);
    expect_cursor(db, 3);
    db_close(db);
}

static struct event_chunk chunk_in(struct past *past, size_t first, size_t count, int64_t era,
                                   int64_t from_era)
{
    struct event_chunk chunk = chunk_of(past, first, count);
    chunk.era = era;
    chunk.from_era = from_era;
    return chunk;
}

static void enter_era(struct db *db, int64_t era)
{
    struct error error = {0};
    struct uuid log_id;
    assert_true(uuid_parse(LOG_ID, &log_id));
    expect(event_cursor_enter_era(db, "booking", &log_id, era, &error), STATUS_OK, &error);
}

static void expect_era(struct db *db, int64_t era)
{
    struct error error = {0};
    struct event_cursor cursor;
    expect(event_cursor_read(db, "booking", &cursor, &error), STATUS_OK, &error);
    assert_int_equal(cursor.era, era);
}

static void test_event_chunk_of_another_era_is_refused(void **state)
{
    enum { FIRST = 11, SECOND = 22, THIRD = 33 };
    struct db *db = open_migrated(stage_of(state));
    struct past past;
    make_past(&past, 0);
    apply(chunk_in(&past, 1, 2, FIRST, 0), db, 2);
    expect_era(db, FIRST);
    /* The publisher has begun another era. Only a chunk fetched in the cursor's era fits. */
    expect_no_fit(chunk_in(&past, 3, 1, SECOND, SECOND), db);
    apply(chunk_in(&past, 3, 1, SECOND, FIRST), db, 1);
    expect_era(db, SECOND);
    apply(chunk_in(&past, 4, 1, SECOND, FIRST), db, 1);
    enter_era(db, THIRD);
    expect_cursor(db, 4);
    expect_no_fit(chunk_in(&past, 5, 1, SECOND, SECOND), db);
    expect_no_fit(chunk_in(&past, 4, 1, SECOND, SECOND), db); /* not even events already applied fit */
    struct event_chunk letter = chunk_in(&past, 5, 1, SECOND, SECOND);
    letter.as_dead_letter = true;
    letter.dead_letter_reason = "INTERNAL: poison";
    expect_no_fit(letter, db);
    assert_int_equal(number_of(db, &COUNT_LETTERS), 0);
    apply(chunk_in(&past, 5, 1, THIRD, SECOND), db, 1);
    expect_cursor(db, 5);
    /* The publisher is too old to send its era. */
    expect_no_fit(chunk_in(&past, 6, 1, 0, 0), db);
    apply(chunk_in(&past, 6, 1, 0, THIRD), db, 1);
    expect_era(db, 0);
    apply(chunk_in(&past, 7, 1, FIRST, 0), db, 1);
    db_close(db);
}

static void test_event_chunk_of_another_era_is_refused_before_the_first_event(void **state)
{
    struct db *db = open_migrated(stage_of(state));
    struct error error = {0};
    struct past past;
    make_past(&past, 0);
    enter_era(db, 22);
    expect_cursor(db, 0);
    expect_no_fit(chunk_in(&past, 1, 2, 11, 0), db);
    apply(chunk_in(&past, 1, 2, 22, 0), db, 2);
    expect_cursor(db, 2);
    expect(event_cursor_rewind(db, "booking", 0, &(struct uuid){{0}}, &error), STATUS_OK, &error);
    enter_era(db, 33);
    expect_no_fit(chunk_in(&past, 1, 2, 22, 22), db);
    apply(chunk_in(&past, 1, 3, 33, 22), db, 3);
    expect_cursor(db, 3);
    db_close(db);
}

static void test_event_chunk_as_dead_letter_is_stored_with_the_cursor_once(void **state)
{
    struct db *db = open_migrated(stage_of(state));
    struct past past;
    make_past(&past, 0);
    struct event_chunk chunk = chunk_of(&past, 1, 1);
    chunk.as_dead_letter = true;
    chunk.dead_letter_reason = "INTERNAL: poison";
    apply(chunk, db, 0);
    expect_cursor(db, 1);
    assert_int_equal(number_of(db, &COUNT_LETTERS), 1);
    apply(chunk, db, 0);
    assert_int_equal(number_of(db, &COUNT_LETTERS), 1);

    chunk = chunk_of(&past, 1, 1);
    chunk.replay = true;
    apply(chunk, db, 1);
    assert_int_equal(number_of(db, &COUNT_LETTERS), 0);
    apply(chunk, db, 0);
    expect_cursor(db, 1);
    db_close(db);
}

static void store_letter(struct db *db, const char *log, struct past *past, size_t seq)
{
    struct error error = {0};
    struct event_chunk chunk = chunk_of(past, seq, 1);
    chunk.log = log;
    chunk.as_dead_letter = true;
    chunk.dead_letter_reason = "INTERNAL: poison";
    expect(db_begin(db, &error), STATUS_OK, &error);
    expect_begin(&chunk, db, STATUS_OK, 0);
    expect(event_chunk_finish(&chunk, db, &error), STATUS_OK, &error);
    expect(db_commit(db, &error), STATUS_OK, &error);
}

static void test_event_log_rewind_forgets_the_letters_behind_the_cursor(void **state)
{
    struct db *db = open_migrated(stage_of(state));
    struct error error = {0};
    struct past past;
    make_past(&past, 0);
    store_letter(db, "booking", &past, 1);
    apply(chunk_of(&past, 2, 1), db, 1);
    struct event_cursor second;
    expect(event_cursor_read(db, "booking", &second, &error), STATUS_OK, &error);
    store_letter(db, "booking", &past, 3);
    store_letter(db, "hospital", &past, 1);
    expect(event_log_rewind(db, "booking", 2, &second.event_id, &error), STATUS_OK, &error);
    expect_cursor(db, 2);
    assert_int_equal(number_of(db, &COUNT_LETTERS), 2);
    store_letter(db, "booking", &past, 3); /* the log still has event 3 */
    assert_int_equal(number_of(db, &COUNT_LETTERS), 3);
    expect(event_log_rewind(db, "booking", 0, &(struct uuid){{0}}, &error), STATUS_OK, &error);
    assert_int_equal(number_of(db, &COUNT_LETTERS), 1);
    db_close(db);
}

/*
 * The log and the cursor were restored, but the dead letter remained. Another event now has the letter's seq.
 */
static void test_event_chunk_as_dead_letter_replaces_the_letter_of_a_lost_tail(void **state)
{
    static const struct db_statement SECOND_IDS = {
        .name = "test_chunk_second_ids",
        .sql = "SELECT count(*) FROM dead_letter "
               "WHERE seq = 1 AND event_id = (SELECT event_id FROM event_cursor)",
    };
    struct db *db = open_migrated(stage_of(state));
    struct error error = {0};
    struct past past;
    struct past other;
    make_past(&past, 0);
    make_past(&other, 1);
    store_letter(db, "booking", &past, 1);
    expect(event_cursor_forget(db, "booking", &error), STATUS_OK, &error);
    store_letter(db, "booking", &other, 1);
    assert_int_equal(number_of(db, &COUNT_LETTERS), 1);
    assert_int_equal(number_of(db, &SECOND_IDS), 1);
    db_close(db);
}

static enum status forget_nothing(struct db *db, struct error *error)
{
    (void)db;
    return error_set(error, STATUS_UNAVAILABLE, NULL, "a test's fault");
}

static void test_event_log_given_up_forgets_cursor_and_letters_or_nothing(void **state)
{
    static const struct db_statement COUNT_CURSORS = {
        .name = "test_chunk_cursors",
        .sql = "SELECT count(*) FROM event_cursor",
    };
    struct db *db = open_migrated(stage_of(state));
    struct error error = {0};
    struct past past;
    make_past(&past, 0);
    store_letter(db, "booking", &past, 1);
    store_letter(db, "booking", &past, 2);
    store_letter(db, "hospital", &past, 1);
    expect(event_log_give_up(db, "booking", forget_nothing, &error), STATUS_UNAVAILABLE, &error);
    expect_cursor(db, 2);
    assert_int_equal(number_of(db, &COUNT_LETTERS), 3);
    expect(event_log_give_up(db, "booking", NULL, &error), STATUS_OK, &error);
    expect_cursor(db, 0);
    assert_int_equal(number_of(db, &COUNT_LETTERS), 1);
    assert_int_equal(number_of(db, &COUNT_CURSORS), 1);
    expect(event_log_give_up(db, "booking", NULL, &error), STATUS_OK, &error);
    db_close(db);
}

/* Both transactions have begun; the second detects at its end that the first has already moved the cursor. */
static void test_event_chunk_of_two_processes_at_once_is_applied_by_one(void **state)
{
    const struct stage *stage = stage_of(state);
    struct db *dbs[2] = {open_migrated(stage), open_migrated(stage)};
    struct past past;
    struct error error = {0};
    make_past(&past, 0);
    for (size_t first = 1; first <= 3; first += 2) {
        struct event_chunk chunks[2] = {chunk_of(&past, first, 2), chunk_of(&past, first, 2)};
        for (int i = 0; i < 2; i++) {
            expect(db_begin(dbs[i], &error), STATUS_OK, &error);
            expect_begin(&chunks[i], dbs[i], STATUS_OK, 2);
        }
        expect(event_chunk_finish(&chunks[0], dbs[0], &error), STATUS_OK, &error);
        expect(db_commit(dbs[0], &error), STATUS_OK, &error);
        expect(event_chunk_finish(&chunks[1], dbs[1], &error), STATUS_ABORTED, &error);
        db_rollback(dbs[1]);
    }
    expect_cursor(dbs[1], 4);
    for (int i = 0; i < 2; i++)
        db_close(dbs[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_BOTH(test_event_chunk_overlapping_the_cursor_gives_only_what_is_new),
        TEST_BOTH(test_event_chunk_that_does_not_fit_the_cursor_is_refused_alone),
        TEST_BOTH(test_event_chunk_of_another_era_is_refused),
        TEST_BOTH(test_event_chunk_of_another_era_is_refused_before_the_first_event),
        TEST_BOTH(test_event_chunk_as_dead_letter_is_stored_with_the_cursor_once),
        TEST_BOTH(test_event_log_rewind_forgets_the_letters_behind_the_cursor),
        TEST_BOTH(test_event_chunk_as_dead_letter_replaces_the_letter_of_a_lost_tail),
        TEST_BOTH(test_event_log_given_up_forgets_cursor_and_letters_or_nothing),
        TEST_POSTGRESQL(test_event_chunk_of_two_processes_at_once_is_applied_by_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
