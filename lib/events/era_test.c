#include <string.h>

#include "events/era.h"
#include "events/event_log.h"
#include "events/event_store.h"
#include "events/events_testing.h"

static const struct uuid HEAD_ID = {{7}}, OTHER_ID = {{8}};

static struct era_place place(void)
{
    return (struct era_place){.session = 1,
                              .era = {.no = 5, .id = 50},
                              .head_seq = 10,
                              .head_event_id = HEAD_ID,
                              .commit_no = 100,
                              .table = 3};
}

static void test_era_begins_when_the_database_is_behind_where_it_was_left(void **state)
{
    (void)state;
    const struct era_place left = place();
    struct era_place found = left;
    assert_false(era_must_begin(&left, &found));

    /* Another replica has appended events, or has begun a later era. */
    found.head_seq = 12;
    found.head_event_id = OTHER_ID;
    found.commit_no = 130;
    assert_false(era_must_begin(&left, &found));
    found.era = (struct event_era){.no = 6, .id = 60};
    assert_false(era_must_begin(&left, &found));

    const struct era_place none = {0};
    assert_true(era_must_begin(&none, &left));
    static const size_t CHANGES = 7;
    for (size_t change = 0; change < CHANGES; change++) {
        found = left;
        found.session += change == 0;
        found.table += change == 1;
        found.era.no -= change == 2;
        found.era.id += change == 3; /* the same number was used for another era */
        found.head_seq -= change == 4;
        found.commit_no -= change == 5;
        if (change == 6)
            found.head_event_id = OTHER_ID;
        assert_true(era_must_begin(&left, &found));
    }
}

static void commit_batch(struct event_log *log, struct db *db, size_t events)
{
    struct error error = {0};
    Screening__V1__Event event = SCREENING__V1__EVENT__INIT;
    expect(db_begin(db, &error), STATUS_OK, &error);
    expect(event_log_take_head(log, db, &error), STATUS_OK, &error);
    for (size_t i = 0; i < events; i++)
        expect(event_log_append(log, "booking.confirmed", &OTHER_ID, 1, "", &event, &error), STATUS_OK,
               &error);
    expect(event_log_save(log, db, &error), STATUS_OK, &error);
    expect(db_commit(db, &error), STATUS_OK, &error);
    event_log_publish(log);
}

static void pair(struct event_log *log, struct db *db, int64_t peer)
{
    struct error error = {0};
    expect(db_begin(db, &error), STATUS_OK, &error);
    expect(event_log_take_head(log, db, &error), STATUS_OK, &error);
    expect(era_pair(db, event_log_era(log), peer, &OTHER_ID, &error), STATUS_OK, &error);
    expect(db_commit(db, &error), STATUS_OK, &error);
    event_log_publish(log);
}

static struct db *open_origin(const struct stage *stage)
{
    struct error error = {0};
    struct db *db;
    expect(db_open(stage->origin_url, DB_READ_WRITE, &db, &error), STATUS_OK, &error);
    expect(events_migrate(db, &error), STATUS_OK, &error);
    return db;
}

static struct era_details details_of(struct db *db)
{
    struct error error = {0};
    struct era_details details;
    expect(era_read_details(db, &details, &error), STATUS_OK, &error);
    return details;
}

static void test_era_of_each_session_begins_once_and_is_paired_once(void **state)
{
    struct error error = {0};
    struct db *db = open_origin(stage_of(state));
    struct event_log *log = event_log_create(NULL);
    commit_batch(log, db, 3);
    const struct event_era first = *event_log_era(log);
    assert_int_equal(first.no, 1);
    assert_true(first.id > 0);
    assert_false(first.paired);
    assert_int_equal(details_of(db).since_seq, 0);
    commit_batch(log, db, 1);
    assert_int_equal(event_log_era(log)->id, first.id);
    pair(log, db, 77);
    commit_batch(log, db, 1);
    assert_true(event_log_era(log)->paired);
    assert_int_equal(event_log_era(log)->peer, 77);
    event_log_destroy(log);

    /*
     * A new process does not know the position of the last writer. Until a pairing, since_seq remains the
     * head at the start of the first unpaired era.
     */
    for (uint64_t session = 2; session < 4; session++) {
        log = event_log_create(NULL);
        commit_batch(log, db, 1);
        assert_int_equal(event_log_era(log)->no, session);
        assert_true(event_log_era(log)->id != first.id);
        assert_false(event_log_era(log)->paired);
        assert_int_equal(event_log_era(log)->peer, 77);
        assert_int_equal(details_of(db).since_seq, 5);
        event_log_destroy(log);
    }
    const struct uuid peer_log_id = details_of(db).peer_log_id;
    assert_true(uuid_equal(&peer_log_id, &OTHER_ID));
    log = event_log_create(NULL);
    pair(log, db, 78);
    expect(era_forget_peer(db, &error), STATUS_OK, &error);
    commit_batch(log, db, 1);
    assert_false(event_log_era(log)->paired); /* every replica reads the unpaired row */
    assert_int_equal(details_of(db).since_seq, 7);
    event_log_destroy(log);
    const struct uuid forgotten = details_of(db).peer_log_id;
    assert_true(uuid_is_zero(&forgotten));
    db_close(db);
}

/* After a batch has forgotten the peer, the log must not use the cached head row. */
static void test_era_that_a_batch_forgets_is_not_remembered(void **state)
{
    struct error error = {0};
    struct db *db = open_origin(stage_of(state));
    struct event_log *log = event_log_create(NULL);
    pair(log, db, 77);
    commit_batch(log, db, 1);
    commit_batch(log, db, 1);
    const struct event_era era = *event_log_era(log);
    assert_true(era.paired);
    expect(db_begin(db, &error), STATUS_OK, &error);
    expect(event_log_take_head(log, db, &error), STATUS_OK, &error);
    expect(era_forget_peer(db, &error), STATUS_OK, &error);
    expect(db_commit(db, &error), STATUS_OK, &error);
    event_log_publish(log);
    commit_batch(log, db, 1);
    assert_int_equal(event_log_era(log)->id, era.id);
    assert_int_equal(event_log_era(log)->peer, 0);
    assert_false(event_log_era(log)->paired);
    event_log_destroy(log);
    db_close(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_era_begins_when_the_database_is_behind_where_it_was_left),
        TEST_SQLITE(test_era_of_each_session_begins_once_and_is_paired_once),
        TEST_POSTGRESQL(test_era_of_each_session_begins_once_and_is_paired_once),
        TEST_SQLITE(test_era_that_a_batch_forgets_is_not_remembered),
        TEST_POSTGRESQL(test_era_that_a_batch_forgets_is_not_remembered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
