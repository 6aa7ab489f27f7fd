/* Tests batches after the deletion of the hospital, against real databases of both kinds. */
#include "batch_testing.h"

#include "base/unit_testing.h"
#include "db/db_testing.h"
#include "events/follower.h"

enum { MANY = STAGE_COMMANDS_MAX };

static const struct db_statement COUNT_EVENTS = {.name = "test_count_events",
                                                 .sql = "SELECT count(*) FROM event_log"};
static const struct db_statement COUNT_LIVE = {.name = "test_count_live",
                                               .sql = "SELECT count(*) FROM booking WHERE status IN (1, 2)"};
static const struct db_statement COUNT_FORCED = {.name = "test_count_forced",
                                                 .sql = "SELECT count(*) FROM booking WHERE status = 5"};
static const struct db_statement COUNT_DONE = {
    .name = "test_count_done", .sql = "SELECT count(*) FROM hospital_deletion WHERE done = 1"};

/*
 * Adds a chunk of the hospital log with one event: the deletion of the hospital, `days` days after
 * STAGE_NOW_US.
 */
static void delete_hospital_later(struct stage *stage, int days)
{
    static char event_id[] = "01890000-0000-7000-8000-000000000001", hospital_id[UUID_TEXT_SIZE];
    static char type[] = "hospital.deleted";
    static Google__Protobuf__Timestamp at = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    static Screening__V1__Hospital hospital = SCREENING__V1__HOSPITAL__INIT;
    static Screening__V1__Event event = SCREENING__V1__EVENT__INIT, *events[] = {&event};
    at.seconds = STAGE_NOW_US / 1000000 + days * 24 * 3600;
    hospital.hospital_id = uuid_format(&STAGE_HOSPITAL_ID, hospital_id);
    event.seq = 1;
    event.event_id = event_id;
    event.type = type;
    event.occurred_at = &at;
    event.body_case = SCREENING__V1__EVENT__BODY_HOSPITAL;
    event.hospital = &hospital;
    struct event_chunk *chunk = arena_alloc(&stage->arena, sizeof *chunk);
    chunk->writer.class = WRITER_EVENT;
    chunk->log = "hospital";
    chunk->log_id = "01890000-0000-7000-8000-0000000000ff";
    chunk->events = events;
    chunk->count = 1;
    stage->queue[stage->count++] = &chunk->writer;
}

static void delete_hospital(struct stage *stage)
{
    delete_hospital_later(stage, 0);
}

static void test_batch_settle_after_the_deletion_is_force_cancelled(void **state)
{
    struct stage stage;
    stage_open(&stage, state);
    stage_add_create(&stage, 1);
    stage_add_create(&stage, 2);
    delete_hospital(&stage);
    stage_run(&stage);
    assert_true(batch_began_deletion(stage.batch));
    struct booking_command *granted = stage_add_settle(&stage, 1, PLACEMENT_GRANTED);
    struct booking_command *refused = stage_add_settle(&stage, 2, PLACEMENT_REFUSED);
    refused->reason = "HOSPITAL_DELETED";
    stage_run(&stage);
    assert_int_equal(granted->booking->status, SCREENING__V1__BOOKING_STATUS__FORCE_CANCELLED);
    assert_int_equal(refused->booking->status, SCREENING__V1__BOOKING_STATUS__REJECTED);
    assert_false(batch_began_deletion(stage.batch));
    stage_close(&stage);
}

static void test_batch_force_cancels_chunk_by_chunk(void **state)
{
    struct stage stage;
    stage_open(&stage, state);
    for (uint16_t i = 0; i < MANY; i++)
        stage_add_create(&stage, i);
    stage_run(&stage);
    delete_hospital(&stage);
    stage_run(&stage);

    int chunks = 0;
    for (bool finished = false; !finished; chunks++) {
        struct booking_command *chunk = stage_add(&stage, COMMAND_FORCE_CANCEL, 0);
        struct booking_command *cancel = chunks == 0 ? stage_add(&stage, COMMAND_CANCEL, 0) : NULL;
        stage_run(&stage);
        if (cancel != NULL) /* decided after the chunk, so the customer's command is too late */
            assert_string_equal(cancel->writer.outcome.reason, "BOOKING_FINAL");
        finished = chunk->finished;
        assert_true(chunks < MANY);
    }
    assert_int_equal(chunks, MANY / FORCE_CANCEL_CHUNK + 1);
    assert_int_equal(fixture_number(stage.db, &COUNT_FORCED), MANY);
    assert_int_equal(fixture_number(stage.db, &COUNT_LIVE), 0);
    assert_int_equal(fixture_number(stage.db, &COUNT_EVENTS), MANY);
    assert_int_equal(fixture_number(stage.db, &COUNT_DONE), 1);

    struct booking_command *more = stage_add(&stage, COMMAND_FORCE_CANCEL, 0);
    stage_run(&stage);
    assert_true(more->finished);
    assert_int_equal(fixture_number(stage.db, &COUNT_EVENTS), MANY);
    stage_close(&stage);
}

/* The booking to cancel follows more than one chunk of bookings of earlier days. Those bookings stay live. */
static void test_batch_force_cancel_skips_bookings_of_earlier_days(void **state)
{
    struct stage stage;
    stage_open(&stage, state);
    for (uint16_t i = 0; i < MANY - 1; i++)
        stage_add_create(&stage, i);
    struct booking_command *late = stage_add_create(&stage, MANY - 1);
    struct booking *request = arena_alloc(&stage.arena, sizeof *request);
    *request = *late->request;
    request->day = STAGE_TODAY + 3;
    late->request = request;
    stage_run(&stage);
    delete_hospital_later(&stage, 2);
    stage_run(&stage);

    int chunks = 0;
    for (bool finished = false; !finished; chunks++) {
        struct booking_command *chunk = stage_add(&stage, COMMAND_FORCE_CANCEL, 0);
        stage_run(&stage);
        finished = chunk->finished;
        assert_true(chunks <= MANY / FORCE_CANCEL_CHUNK);
    }
    assert_int_equal(fixture_number(stage.db, &COUNT_FORCED), 1);
    assert_int_equal(fixture_number(stage.db, &COUNT_LIVE), MANY - 1);
    stage_close(&stage);
}

static void test_batch_deletion_received_twice_begins_once(void **state)
{
    struct stage stage;
    stage_open(&stage, state);
    delete_hospital(&stage);
    stage_run(&stage);
    stage_add(&stage, COMMAND_FORCE_CANCEL, 0);
    stage_run(&stage);
    assert_int_equal(fixture_number(stage.db, &COUNT_DONE), 1);
    delete_hospital(&stage);
    stage_run(&stage);
    assert_false(batch_began_deletion(stage.batch));
    assert_int_equal(fixture_number(stage.db, &COUNT_DONE), 1);
    stage_close(&stage);
}

int main(void)
{
    stage_stop_clock();
    const struct CMUnitTest tests[] = {
        TEST_BOTH(test_batch_settle_after_the_deletion_is_force_cancelled),
        TEST_BOTH(test_batch_force_cancels_chunk_by_chunk),
        TEST_BOTH(test_batch_force_cancel_skips_bookings_of_earlier_days),
        TEST_BOTH(test_batch_deletion_received_twice_begins_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
