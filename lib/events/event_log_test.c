#include <pthread.h>
#include <string.h>

#include "base/clock.h"
#include "base/instant.h"
#include "events/event_log.h"
#include "events/event_store.h"
#include "events/event_text.h"
#include "events/events_testing.h"

static const struct db_statement COUNT_EVENTS = {
    .name = "test_count_events",
    .sql = "SELECT count(*) FROM event_log",
};

static const struct db_statement READ_SUBJECTS = {
    .name = "test_read_subjects",
    .sql = "SELECT subject FROM event_log",
};

static const struct uuid SUBJECT = {{0x01, 0x90, 7}};

static struct db *open_migrated(const struct stage *stage)
{
    struct error error = {0};
    struct db *db;
    expect(db_open(stage->origin_url, DB_READ_WRITE, &db, &error), STATUS_OK, &error);
    expect(events_migrate(db, &error), STATUS_OK, &error);
    return db;
}

static void append(struct event_log *log, const char *type, size_t count)
{
    struct error error = {0};
    Screening__V1__Booking booking = SCREENING__V1__BOOKING__INIT;
    booking.customer_id = (char *)(uintptr_t) "c-1";
    Screening__V1__Event event = SCREENING__V1__EVENT__INIT;
    event.body_case = SCREENING__V1__EVENT__BODY_BOOKING;
    event.booking = &booking;
    for (size_t i = 0; i < count; i++)
        expect(event_log_append(log, type, &SUBJECT, INT64_C(1764547200123456), "00-trace", &event, &error),
               STATUS_OK, &error);
}

static void begin(struct event_log *log, struct db *db)
{
    struct error error = {0};
    expect(db_begin(db, &error), STATUS_OK, &error);
    expect(event_log_take_head(log, db, &error), STATUS_OK, &error);
}

static void save_and_commit(struct event_log *log, struct db *db)
{
    struct error error = {0};
    expect(event_log_save(log, db, &error), STATUS_OK, &error);
    expect(db_commit(db, &error), STATUS_OK, &error);
    event_log_publish(log);
}

static struct event_head head_of(struct db *db)
{
    struct error error = {0};
    struct event_head head;
    expect(event_store_read_head(db, &head, &error), STATUS_OK, &error);
    return head;
}

struct stored {
    uint64_t count;
    struct uuid last_id;
};

static enum status check_stored(void *context, const struct db_row *row)
{
    struct stored *stored = context;
    size_t size;
    const uint8_t *bytes = db_row_bytes(row, 1, &size);
    Screening__V1__Event *event = screening__v1__event__unpack(NULL, size, bytes);
    assert_non_null(event);
    stored->count++;
    assert_int_equal(db_row_int(row, 0), stored->count);
    assert_int_equal(event->seq, stored->count);
    assert_string_equal(event->type, "booking.confirmed");
    assert_string_equal(event->traceparent, "00-trace");
    int64_t occurred_at_us;
    assert_true(instant_read(event->occurred_at, &occurred_at_us));
    assert_int_equal(occurred_at_us, INT64_C(1764547200123456));
    assert_string_equal(event->booking->customer_id, "c-1");
    assert_true(uuid_parse(event->event_id, &stored->last_id));
    screening__v1__event__free_unpacked(event, NULL);
    return STATUS_OK;
}

static enum status check_subject(void *context, const struct db_row *row)
{
    size_t *count = context;
    const struct uuid subject = db_row_uuid(row, 0);
    assert_true(uuid_equal(&subject, &SUBJECT));
    ++*count;
    return STATUS_OK;
}

static void test_event_log_save_stores_the_subject_beside_each_event(void **state)
{
    const struct stage *stage = stage_of(state);
    struct db *db = open_migrated(stage);
    struct event_log *log = event_log_create(NULL);
    struct error error = {0};
    size_t count = 0;
    begin(log, db);
    append(log, "booking.confirmed", 3);
    save_and_commit(log, db);
    expect(db_run(db, &READ_SUBJECTS, NULL, check_subject, &count, &error), STATUS_OK, &error);
    assert_int_equal(count, 3);
    event_log_destroy(log);
    db_close(db);
}

static void test_event_log_save_of_several_batches_stores_gapless_packed_events(void **state)
{
    const struct stage *stage = stage_of(state);
    struct db *db = open_migrated(stage);
    struct event_log *log = event_log_create(NULL);
    for (size_t batch = 1; batch <= 3; batch++) {
        begin(log, db);
        append(log, "booking.confirmed", batch);
        save_and_commit(log, db);
    }
    struct error error = {0};
    struct stored stored = {0};
    expect(event_store_read(db, 0, 100, check_stored, &stored, &error), STATUS_OK, &error);
    assert_int_equal(stored.count, 6);
    struct event_head head = head_of(db);
    assert_int_equal(head.seq, 6);
    assert_true(uuid_equal(&head.event_id, &stored.last_id));
    event_log_destroy(log);
    db_close(db);
}

static void test_event_log_after_a_rolled_back_batch_has_no_gap(void **state)
{
    const struct stage *stage = stage_of(state);
    struct db *db = open_migrated(stage);
    struct event_log *log = event_log_create(NULL);
    struct error error = {0};
    begin(log, db);
    append(log, "booking.confirmed", 2);
    save_and_commit(log, db);

    begin(log, db);
    append(log, "booking.cancelled", 5);
    expect(event_log_save(log, db, &error), STATUS_OK, &error);
    db_rollback(db);

    begin(log, db);
    append(log, "booking.confirmed", 1);
    save_and_commit(log, db);
    struct stored stored = {0};
    expect(event_store_read(db, 0, 100, check_stored, &stored, &error), STATUS_OK, &error);
    assert_int_equal(stored.count, 3);
    assert_int_equal(head_of(db).seq, 3);
    event_log_destroy(log);
    db_close(db);
}

static void test_event_log_of_two_replicas_in_turn_is_gapless(void **state)
{
    const struct stage *stage = stage_of(state);
    struct db *dbs[2] = {open_migrated(stage), open_migrated(stage)};
    struct event_log *logs[2] = {event_log_create(NULL), event_log_create(NULL)};
    for (int turn = 0; turn < 6; turn++) {
        begin(logs[turn % 2], dbs[turn % 2]);
        append(logs[turn % 2], "booking.confirmed", 2);
        save_and_commit(logs[turn % 2], dbs[turn % 2]);
    }
    struct error error = {0};
    struct stored stored = {0};
    expect(event_store_read(dbs[0], 0, 100, check_stored, &stored, &error), STATUS_OK, &error);
    assert_int_equal(stored.count, 12);
    for (int i = 0; i < 2; i++) {
        event_log_destroy(logs[i]);
        db_close(dbs[i]);
    }
}

enum { COMMITS_EACH = 50 };

/*
 * One of two concurrent replicas. It counts failures, because cmocka's assertions work only on the test's
 * thread.
 */
struct replica {
    pthread_t thread;
    struct db *db;
    int failures;
};

static enum status commit_two(struct event_log *log, struct db *db)
{
    const Screening__V1__Event event = SCREENING__V1__EVENT__INIT;
    enum status status = db_begin(db, NULL);
    if (status == STATUS_OK)
        status = event_log_take_head(log, db, NULL);
    for (int i = 0; i < 2 && status == STATUS_OK; i++)
        status = event_log_append(log, "booking.confirmed", &SUBJECT, 1, "", &event, NULL);
    if (status == STATUS_OK)
        status = event_log_save(log, db, NULL);
    if (status == STATUS_OK)
        return db_commit(db, NULL);
    db_rollback(db);
    return status;
}

static void *commit_many(void *context)
{
    struct replica *replica = context;
    struct event_log *log = event_log_create(NULL);
    for (int i = 0; i < COMMITS_EACH; i++)
        replica->failures += commit_two(log, replica->db) != STATUS_OK;
    event_log_destroy(log);
    return NULL;
}

static enum status check_next(void *context, const struct db_row *row)
{
    int64_t *seq = context;
    assert_int_equal(db_row_int(row, 0), ++*seq);
    return STATUS_OK;
}

static void test_event_log_of_two_replicas_at_once_is_gapless(void **state)
{
    const struct stage *stage = stage_of(state);
    struct replica replicas[2] = {{.db = open_migrated(stage)}, {.db = open_migrated(stage)}};
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&replicas[i].thread, NULL, commit_many, &replicas[i]), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_join(replicas[i].thread, NULL), 0);
        assert_int_equal(replicas[i].failures, 0);
    }
    struct error error = {0};
    int64_t seq = 0;
    expect(event_store_read(replicas[0].db, 0, 1000, check_next, &seq, &error), STATUS_OK, &error);
    assert_int_equal(seq, 2 * 2 * COMMITS_EACH);
    assert_int_equal(head_of(replicas[1].db).seq, seq);
    for (int i = 0; i < 2; i++)
        db_close(replicas[i].db);
}

static void test_event_log_save_without_events_writes_nothing(void **state)
{
    const struct stage *stage = stage_of(state);
    struct db *db = open_migrated(stage);
    struct event_log *log = event_log_create(NULL);
    begin(log, db);
    save_and_commit(log, db);
    assert_int_equal(head_of(db).seq, 0);
    assert_int_equal(number_of(db, &COUNT_EVENTS), 0);
    event_log_destroy(log);
    db_close(db);
}

static void test_event_log_append_without_head_is_internal(void **state)
{
    (void)state;
    struct event_log *log = event_log_create(NULL);
    struct error error = {0};
    const Screening__V1__Event event = SCREENING__V1__EVENT__INIT;
    expect(event_log_append(log, "booking.confirmed", &SUBJECT, 0, "", &event, &error), STATUS_INTERNAL,
           &error);
    event_log_destroy(log);
}

static void test_events_migrate_again_keeps_the_log_id(void **state)
{
    const struct stage *stage = stage_of(state);
    struct error error = {0};
    struct db *db = open_migrated(stage);
    struct uuid log_id = head_of(db).log_id;
    assert_false(uuid_is_zero(&log_id));
    expect(events_migrate(db, &error), STATUS_OK, &error);
    struct uuid again = head_of(db).log_id;
    assert_true(uuid_equal(&log_id, &again));
    db_close(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_BOTH(test_event_log_save_stores_the_subject_beside_each_event),
        TEST_BOTH(test_event_log_save_of_several_batches_stores_gapless_packed_events),
        TEST_BOTH(test_event_log_after_a_rolled_back_batch_has_no_gap),
        TEST_POSTGRESQL(test_event_log_of_two_replicas_in_turn_is_gapless),
        TEST_POSTGRESQL(test_event_log_of_two_replicas_at_once_is_gapless),
        TEST_BOTH(test_event_log_save_without_events_writes_nothing),
        TEST_BOTH(test_events_migrate_again_keeps_the_log_id),
        cmocka_unit_test(test_event_log_append_without_head_is_internal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
