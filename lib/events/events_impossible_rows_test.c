/* Tests that rows that only damage or a manual change can produce cause an error, never an abort. */
#include "base/unit_testing.h"
#include "db/db_testing.h"
#include "events/buffer.h"
#include "events/cursor.h"
#include "events/dead_letter_store.h"
#include "events/era.h"
#include "events/event_log.h"
#include "events/event_store.h"

static void script(struct db *db, const char *text)
{
    struct error error = {0};
    fixture_expect(db_run_script(db, text, &error), STATUS_OK, &error);
}

static struct db *open_migrated(void **state)
{
    struct db *db = fixture_of(state)->db;
    struct error error = {0};
    fixture_expect(events_migrate(db, &error), STATUS_OK, &error);
    if (db_dialect(db) == DB_SQLITE)
        script(db, "PRAGMA ignore_check_constraints = ON");
    return db;
}

static enum status take_head(struct db *db)
{
    struct event_log *log = event_log_create(NULL);
    struct error error = {0};
    assert_non_null(log);
    fixture_expect(db_begin(db, &error), STATUS_OK, &error);
    enum status status = event_log_take_head(log, db, &error);
    db_rollback(db);
    event_log_destroy(log);
    return status;
}

static void test_events_impossible_head_fails_the_batch(void **state)
{
    static const char *const IMPOSSIBLE[] = {"UPDATE event_log_head SET head_seq = -1",
                                             "UPDATE event_log_head SET era_no = -1"};
    struct db *db = open_migrated(state);
    assert_int_equal(take_head(db), STATUS_OK);
    for (size_t i = 0; i < sizeof IMPOSSIBLE / sizeof IMPOSSIBLE[0]; i++) {
        script(db, IMPOSSIBLE[i]);
        assert_int_equal(take_head(db), STATUS_INTERNAL);
        script(db, "UPDATE event_log_head SET head_seq = 0, era_no = 0");
    }
    script(db, "DELETE FROM event_log_head");
    assert_int_equal(take_head(db), STATUS_INTERNAL);
}

static void test_events_impossible_head_fails_its_readers(void **state)
{
    struct db *db = open_migrated(state);
    struct error error = {0};
    struct event_head head;
    struct event_position position;
    struct era_details details;
    script(db, "UPDATE event_log_head SET head_seq = -1, since_seq = -1");
    assert_int_equal(event_store_read_head(db, &head, &error), STATUS_INTERNAL);
    assert_int_equal(event_store_read_position(db, 0, &position, &error), STATUS_INTERNAL);
    assert_int_equal(era_read_details(db, &details, &error), STATUS_INTERNAL);
}

static void test_events_impossible_cursor_fails_its_load(void **state)
{
    struct db *db = open_migrated(state);
    struct error error = {0};
    struct event_cursor cursor = {.log_id = {{1}}, .seq = 1, .event_id = {{2}}};
    bool moved = false;
    fixture_expect(event_cursor_move(db, "booking", 0, &cursor, &moved, &error), STATUS_OK, &error);
    assert_true(moved);
    script(db, "UPDATE event_cursor SET seq = -1");
    assert_int_equal(event_cursor_read(db, "booking", &cursor, &error), STATUS_INTERNAL);
    assert_int_equal(cursor.seq, 1); /* written only on success */
}

static void test_events_impossible_dead_letter_fails_the_replay(void **state)
{
    struct db *db = open_migrated(state);
    struct error error = {0};
    struct dead_letter_key key = {0};
    struct buffer event;
    char event_id[] = "01890000-0000-7000-8000-000000000001", type[] = "booking.confirmed";
    const struct uuid log_id = {{1}};
    Screening__V1__Event letter = SCREENING__V1__EVENT__INIT;
    letter.seq = 1;
    letter.event_id = event_id;
    letter.type = type;
    fixture_expect(dead_letter_insert(db, "booking", &log_id, &letter, "r", &error), STATUS_OK, &error);
    script(db, "UPDATE dead_letter SET seq = -1");
    buffer_init(&event);
    assert_int_equal(dead_letter_next(db, &key, &event, &error), STATUS_INTERNAL);
    script(db, "UPDATE dead_letter SET seq = 1,"
               " log = 'a name that is much longer than the name of any log that a service can write'");
    assert_int_equal(dead_letter_next(db, &key, &event, &error), STATUS_INTERNAL);
    buffer_fini(&event);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_BOTH(test_events_impossible_head_fails_the_batch),
        TEST_BOTH(test_events_impossible_head_fails_its_readers),
        TEST_BOTH(test_events_impossible_cursor_fails_its_load),
        TEST_BOTH(test_events_impossible_dead_letter_fails_the_replay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
