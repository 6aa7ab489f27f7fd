/* Whole batches against real databases of both kinds: loading, decisions, saved rows and events. */
#include "batch.h"
#include "store.h"

#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/unit_testing.h"
#include "db/db_testing.h"
#include "events/event_log.h"
#include "events/follower.h"

enum { TODAY = 20788, MANY = 600, COMMANDS_MAX = MANY }; /* 2026-12-01 */

static const int64_t NOW_US = INT64_C(20788) * 24 * 3600 * 1000000;
static const struct uuid HOSPITAL = {{2}};

static const struct db_statement COUNT_EVENTS = {.name = "test_count_events",
                                                 .sql = "SELECT count(*) FROM event_log"};
static const struct db_statement COUNT_LIVE = {.name = "test_count_live",
                                               .sql = "SELECT count(*) FROM booking WHERE status IN (1, 2)"};
static const struct db_statement COUNT_FORCED = {.name = "test_count_forced",
                                                 .sql = "SELECT count(*) FROM booking WHERE status = 5"};
static const struct db_statement COUNT_DONE = {
    .name = "test_count_done", .sql = "SELECT count(*) FROM hospital_deletion WHERE done = 1"};

/* A database, a batch to run on it, and the queue of commands for it. */
struct stage {
    struct db *db;
    struct event_log *log;
    struct batch *batch;
    struct arena arena;
    struct writer_command *queue[COMMANDS_MAX];
    size_t count;
};

static int64_t stopped_clock(void)
{
    return NOW_US;
}

/* A time long after the screening days. */
static int64_t later_clock(void)
{
    return NOW_US + INT64_C(30) * 24 * 3600 * 1000000;
}

static void stage_open(struct stage *stage, void **state)
{
    struct error error = {0};
    *stage = (struct stage){.db = fixture_of(state)->db};
    arena_init(&stage->arena);
    fixture_expect(events_migrate(stage->db, &error), STATUS_OK, &error);
    fixture_expect(store_migrate(stage->db, &error), STATUS_OK, &error);
    stage->log = event_log_create(NULL);
    stage->batch = batch_create(stage->log);
    assert_non_null(stage->batch);
}

static void stage_close(struct stage *stage)
{
    batch_destroy(stage->batch);
    event_log_destroy(stage->log);
    arena_fini(&stage->arena);
}

static struct booking_command *add(struct stage *stage, enum command_kind kind, uint16_t number)
{
    struct booking_command *command = arena_alloc(&stage->arena, sizeof *command);
    command->kind = kind;
    command->writer.class = kind == COMMAND_CREATE || kind == COMMAND_CANCEL ? WRITER_REQUEST : WRITER_SETTLE;
    command->booking_id = (struct uuid){{1, (uint8_t)(number >> 8), (uint8_t)number}};
    command->hospital_id = HOSPITAL;
    command->traceparent = "";
    command->reason = "";
    stage->queue[stage->count++] = &command->writer;
    return command;
}

static struct booking_command *add_create(struct stage *stage, uint16_t number)
{
    struct booking_command *command = add(stage, COMMAND_CREATE, number);
    struct booking *request = arena_alloc(&stage->arena, sizeof *request);
    *request = (struct booking){
        .booking_id = command->booking_id,
        .hospital_id = HOSPITAL,
        .customer_id = "c",
        .customer_name = "김하늘",
        .day = TODAY + 1,
        .headcount = 1,
        .content_hash = {7},
    };
    command->request = request;
    return command;
}

static struct booking_command *add_settle(struct stage *stage, uint16_t number, enum reserve_outcome outcome)
{
    struct booking_command *command = add(stage, COMMAND_SETTLE, number);
    command->outcome = outcome;
    return command;
}

static enum status apply(struct stage *stage, struct error *error)
{
    fixture_expect(db_begin(stage->db, error), STATUS_OK, error);
    for (size_t i = 0; i < stage->count; i++)
        error_clear(&stage->queue[i]->outcome);
    return batch_apply(stage->batch, stage->db, stage->queue, stage->count, error);
}

static void run(struct stage *stage)
{
    struct error error = {0};
    fixture_expect(apply(stage, &error), STATUS_OK, &error);
    fixture_expect(db_commit(stage->db, &error), STATUS_OK, &error);
    stage->count = 0;
}

/* Adds a chunk of the hospital log with the deletion of the hospital, `days` days from now. */
static void delete_hospital_later(struct stage *stage, int days)
{
    static char event_id[] = "01890000-0000-7000-8000-000000000001", hospital_id[UUID_TEXT_SIZE];
    static char type[] = "hospital.deleted";
    static Google__Protobuf__Timestamp at = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    static Screening__V1__Hospital hospital = SCREENING__V1__HOSPITAL__INIT;
    static Screening__V1__Event event = SCREENING__V1__EVENT__INIT, *events[] = {&event};
    at.seconds = NOW_US / 1000000 + days * 24 * 3600;
    hospital.hospital_id = uuid_format(&HOSPITAL, hospital_id);
    event.seq = 1;
    event.event_id = event_id;
    event.type = type;
    event.occurred_at = &at;
    event.body_case = SCREENING__V1__EVENT__BODY_HOSPITAL;
    event.hospital = &hospital;
    struct event_chunk *chunk = arena_alloc(&stage->arena, sizeof *chunk);
    chunk->command.class = WRITER_EVENT;
    chunk->log = "hospital";
    chunk->log_id = "01890000-0000-7000-8000-0000000000ff";
    chunk->events = events;
    chunk->count = 1;
    stage->queue[stage->count++] = &chunk->command;
}

static void delete_hospital(struct stage *stage)
{
    delete_hospital_later(stage, 0);
}

/* Pairs with era `era` of hospital-svc. */
static void pair(struct stage *stage, int64_t era)
{
    const struct uuid log_id = {{4}};
    struct error error = {0};
    fixture_expect(db_begin(stage->db, &error), STATUS_OK, &error);
    fixture_expect(event_log_take_head(stage->log, stage->db, &error), STATUS_OK, &error);
    fixture_expect(era_pair(stage->db, event_log_era(stage->log), era, &log_id, &error), STATUS_OK, &error);
    fixture_expect(db_commit(stage->db, &error), STATUS_OK, &error);
}

/* ---- one booking ---- */

static void test_batch_grant_of_another_era_changes_nothing_and_is_asked_for_again(void **state)
{
    struct stage stage;
    stage_open(&stage, state);
    add_create(&stage, 1);
    add_create(&stage, 2);
    run(&stage);
    pair(&stage, 9);
    static const int64_t OTHERS[] = {0, 8}; /* hospital-svc is too old to have one, or has reverted */
    for (size_t i = 0; i < 2; i++) {
        struct booking_command *settle = add_settle(&stage, 1, RESERVE_GRANTED);
        settle->era = OTHERS[i];
        run(&stage);
        assert_true(settle->ask_again);
        assert_int_equal(settle->booking->status, BOOKING_REQUESTED);
    }
    assert_int_equal(fixture_number(stage.db, &COUNT_EVENTS), 0);
    struct booking_command *own = add_settle(&stage, 1, RESERVE_GRANTED);
    own->era = 9;
    own->own_era = 1; /* requested before a Pair */
    run(&stage);
    assert_true(own->ask_again);
    struct booking_command *refused = add_settle(&stage, 2, RESERVE_REFUSED);
    struct booking_command *granted = add_settle(&stage, 1, RESERVE_GRANTED);
    granted->era = 9;
    run(&stage);
    assert_int_equal(refused->booking->status, BOOKING_REJECTED);
    assert_int_equal(granted->booking->status, BOOKING_CONFIRMED);
    struct booking_command *late = add_settle(&stage, 1, RESERVE_GRANTED);
    late->era = 8;
    run(&stage);
    assert_false(late->ask_again); /* the booking is settled */
    assert_int_equal(late->booking->status, BOOKING_CONFIRMED);
    stage_close(&stage);
}

static void test_batch_create_settle_and_cancel_of_one_booking(void **state)
{
    struct stage stage;
    stage_open(&stage, state);
    struct booking_command *create = add_create(&stage, 1), *again = add_create(&stage, 1);
    run(&stage);
    assert_int_equal(create->booking->status, BOOKING_REQUESTED);
    assert_ptr_equal(create->booking, again->booking);
    assert_int_equal(fixture_number(stage.db, &COUNT_EVENTS), 0);

    struct booking_command *settle = add_settle(&stage, 1, RESERVE_GRANTED);
    struct booking_command *cancel = add(&stage, COMMAND_CANCEL, 1);
    cancel->reason = "plans";
    run(&stage);
    /* The settle is answered with the booking as committed, which includes the cancellation later in the same
     * batch. */
    assert_int_equal(settle->booking->status, BOOKING_CANCELLED);
    assert_int_equal(cancel->booking->version, 3);
    assert_string_equal(cancel->booking->status_reason, "plans");
    assert_string_equal(cancel->booking->customer_name, "김하늘");
    assert_int_equal(fixture_number(stage.db, &COUNT_EVENTS), 2);
    stage_close(&stage);
}

/* The strings of a call are freed when it is answered, before the other calls of its batch are. */
static void test_batch_answers_need_no_texts_of_other_calls(void **state)
{
    struct stage stage;
    stage_open(&stage, state);
    char customer[] = "c-1", name[] = "김하늘", reason[] = "plans";
    struct booking_command *create = add_create(&stage, 1);
    struct booking request = *create->request;
    request.customer_id = customer;
    request.customer_name = name;
    create->request = &request;
    struct booking_command *cancel = add(&stage, COMMAND_CANCEL, 1);
    cancel->reason = reason;
    run(&stage);
    memset(customer, 'x', sizeof customer - 1);
    memset(name, 'x', sizeof name - 1);
    memset(reason, 'x', sizeof reason - 1);
    assert_string_equal(create->booking->status_reason, "plans");
    assert_string_equal(cancel->booking->customer_id, "c-1");
    assert_string_equal(cancel->booking->customer_name, "김하늘");
    stage_close(&stage);
}

static void test_batch_applied_again_changes_nothing(void **state)
{
    struct stage stage;
    stage_open(&stage, state);
    add_create(&stage, 1);
    run(&stage);
    struct error error = {0};
    add_settle(&stage, 1, RESERVE_GRANTED);
    fixture_expect(apply(&stage, &error), STATUS_OK, &error);
    db_rollback(stage.db); /* as after a failed COMMIT: apply the same commands to reloaded rows */
    run(&stage);
    assert_int_equal(fixture_number(stage.db, &COUNT_EVENTS), 1);

    struct booking_command *repeated = add_settle(&stage, 1, RESERVE_GRANTED);
    run(&stage);
    assert_int_equal(repeated->booking->version, 2);
    assert_int_equal(fixture_number(stage.db, &COUNT_EVENTS), 1);
    stage_close(&stage);
}

/* The answer to the COMMIT was lost: each command meets its own effect, and is answered as before. */
static void test_batch_applied_again_after_its_commit_refuses_and_tells_nothing(void **state)
{
    struct stage stage;
    struct booking_command *commands[8];
    size_t count = 0;
    stage_open(&stage, state);
    for (uint16_t number = 1; number <= 3; number++)
        add_create(&stage, number);
    run(&stage);
    commands[count++] = add_settle(&stage, 1, RESERVE_GRANTED);
    commands[count++] = add_settle(&stage, 2, RESERVE_REFUSED);
    commands[count++] = add_settle(&stage, 3, RESERVE_GRANTED);
    commands[count++] = add_create(&stage, 4);
    commands[count++] = add(&stage, COMMAND_CANCEL, 1);
    commands[count++] = add(&stage, COMMAND_CANCEL, 4);
    run(&stage);
    const int64_t events = fixture_number(stage.db, &COUNT_EVENTS);
    stage.count = count;
    clock_replace(later_clock);
    run(&stage);
    clock_replace(stopped_clock);
    static const enum booking_status STATUSES[] = {BOOKING_CANCELLED, BOOKING_REJECTED,  BOOKING_CONFIRMED,
                                                   BOOKING_CANCELLED, BOOKING_CANCELLED, BOOKING_CANCELLED};
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(commands[i]->writer.outcome.status, STATUS_OK);
        assert_int_equal(commands[i]->booking->status, STATUSES[i]);
    }
    assert_int_equal(fixture_number(stage.db, &COUNT_EVENTS), events);
    stage_close(&stage);
}

static void test_batch_late_grant_of_an_ended_booking_is_released_by_an_event(void **state)
{
    static const struct db_statement COUNT_RELEASED = {
        .name = "test_count_released",
        .sql = "SELECT count(*) FROM event_log WHERE type = 'booking.released'"};
    struct stage stage;
    stage_open(&stage, state);
    add_create(&stage, 1);
    add_create(&stage, 2);
    add(&stage, COMMAND_CANCEL, 1);
    add_settle(&stage, 2, RESERVE_GRANTED);
    run(&stage);
    const int64_t events = fixture_number(stage.db, &COUNT_EVENTS);
    struct booking_command *late = add_settle(&stage, 1, RESERVE_GRANTED);
    add_settle(&stage, 1, RESERVE_REFUSED);
    add_settle(&stage, 2, RESERVE_GRANTED); /* already CONFIRMED: a repeat */
    run(&stage);
    assert_int_equal(late->booking->status, BOOKING_CANCELLED);
    assert_int_equal(late->booking->version, 2);
    assert_int_equal(fixture_number(stage.db, &COUNT_EVENTS), events + 1);
    assert_int_equal(fixture_number(stage.db, &COUNT_RELEASED), 1);
    stage_close(&stage);
}

static void test_batch_other_content_and_unknown_ids_are_refused_alone(void **state)
{
    struct stage stage;
    stage_open(&stage, state);
    struct booking_command *create = add_create(&stage, 1), *other = add_create(&stage, 1);
    struct booking *content = arena_alloc(&stage.arena, sizeof *content);
    *content = *other->request;
    content->content_hash[0] = 8;
    other->request = content;
    struct booking_command *cancel = add(&stage, COMMAND_CANCEL, 9);
    run(&stage);
    assert_int_equal(create->writer.outcome.status, STATUS_OK);
    assert_int_equal(other->writer.outcome.status, STATUS_ALREADY_EXISTS);
    assert_int_equal(cancel->writer.outcome.status, STATUS_NOT_FOUND);
    assert_int_equal(fixture_number(stage.db, &COUNT_LIVE), 1);
    stage_close(&stage);
}

static void test_batch_queued_booking_is_announced_once(void **state)
{
    struct stage stage;
    stage_open(&stage, state);
    struct booking_command *create = add_create(&stage, 1);
    struct booking *queued = arena_alloc(&stage.arena, sizeof *queued);
    *queued = *create->request;
    queued->queue_if_unavailable = true;
    create->request = queued;
    run(&stage);
    add_settle(&stage, 1, RESERVE_UNKNOWN);
    run(&stage);
    assert_int_equal(fixture_number(stage.db, &COUNT_EVENTS), 1);
    struct booking_command *met = add(&stage, COMMAND_RESUME, 1);
    run(&stage);
    assert_int_equal(met->booking->status, BOOKING_REQUESTED);
    assert_int_equal(fixture_number(stage.db, &COUNT_EVENTS), 1);
    stage_close(&stage);
}

/* ---- hospital-svc is known to be unavailable ---- */

static void test_batch_while_unavailable_a_booking_is_rejected_in_the_commit_of_its_intent(void **state)
{
    struct stage stage;
    stage_open(&stage, state);
    batch_set_hospital_unavailable(stage.batch, true);
    struct booking_command *create = add_create(&stage, 1), *again = add_create(&stage, 1);
    run(&stage);
    assert_int_equal(create->booking->status, BOOKING_REJECTED);
    assert_string_equal(create->booking->status_reason, "HOSPITAL_UNAVAILABLE");
    assert_int_equal(create->booking->version, 2);
    assert_ptr_equal(create->booking, again->booking);
    assert_int_equal(fixture_number(stage.db, &COUNT_EVENTS), 1); /* its rejection, which releases the id */
    assert_int_equal(fixture_number(stage.db, &COUNT_LIVE), 0);

    batch_set_hospital_unavailable(stage.batch, false);
    struct booking_command *later = add_create(&stage, 1), *other = add_create(&stage, 2);
    run(&stage);
    assert_int_equal(later->booking->status, BOOKING_REJECTED); /* final: another attempt needs another id */
    assert_int_equal(other->booking->status, BOOKING_REQUESTED);
    stage_close(&stage);
}

static void
test_batch_while_unavailable_a_queued_booking_is_announced_in_the_commit_of_its_intent(void **state)
{
    struct stage stage;
    stage_open(&stage, state);
    batch_set_hospital_unavailable(stage.batch, true);
    struct booking_command *create = add_create(&stage, 1);
    struct booking *queued = arena_alloc(&stage.arena, sizeof *queued);
    *queued = *create->request;
    queued->queue_if_unavailable = true;
    create->request = queued;
    run(&stage);
    assert_int_equal(create->booking->status, BOOKING_REQUESTED);
    assert_true(create->booking->announced);
    assert_int_equal(create->booking->version, 1);
    assert_int_equal(fixture_number(stage.db, &COUNT_EVENTS), 1);
    stage_close(&stage);
}

static void test_batch_while_unavailable_what_exists_already_is_left_as_it_is(void **state)
{
    struct stage stage;
    stage_open(&stage, state);
    add_create(&stage, 1);
    run(&stage);
    batch_set_hospital_unavailable(stage.batch, true);
    struct booking_command *again = add_create(&stage, 1);
    run(&stage);
    assert_int_equal(again->booking->status, BOOKING_REQUESTED); /* in flight, or left to the settler */
    struct booking_command *settle = add_settle(&stage, 1, RESERVE_GRANTED);
    run(&stage);
    assert_int_equal(settle->booking->status, BOOKING_CONFIRMED);
    stage_close(&stage);
}

/* ---- a deleted hospital ---- */

static void test_batch_settle_after_the_deletion_is_force_cancelled(void **state)
{
    struct stage stage;
    stage_open(&stage, state);
    add_create(&stage, 1);
    add_create(&stage, 2);
    delete_hospital(&stage);
    run(&stage);
    assert_true(batch_began_deletion(stage.batch));
    struct booking_command *granted = add_settle(&stage, 1, RESERVE_GRANTED);
    struct booking_command *refused = add_settle(&stage, 2, RESERVE_REFUSED);
    refused->reason = "HOSPITAL_DELETED";
    run(&stage);
    assert_int_equal(granted->booking->status, BOOKING_FORCE_CANCELLED);
    assert_int_equal(refused->booking->status, BOOKING_REJECTED);
    assert_false(batch_began_deletion(stage.batch));
    stage_close(&stage);
}

static void test_batch_force_cancels_chunk_by_chunk(void **state)
{
    struct stage stage;
    stage_open(&stage, state);
    for (uint16_t i = 0; i < MANY; i++)
        add_create(&stage, i);
    run(&stage);
    delete_hospital(&stage);
    run(&stage);

    int chunks = 0;
    for (bool finished = false; !finished; chunks++) {
        struct booking_command *chunk = add(&stage, COMMAND_FORCE_CANCEL, 0);
        struct booking_command *cancel = chunks == 0 ? add(&stage, COMMAND_CANCEL, 0) : NULL;
        run(&stage);
        if (cancel != NULL) /* decided after the chunk, so the customer is too late */
            assert_string_equal(cancel->writer.outcome.reason, "BOOKING_FINAL");
        finished = chunk->finished;
        assert_true(chunks < MANY);
    }
    assert_int_equal(chunks, MANY / FORCE_CANCEL_CHUNK + 1);
    assert_int_equal(fixture_number(stage.db, &COUNT_FORCED), MANY);
    assert_int_equal(fixture_number(stage.db, &COUNT_LIVE), 0);
    assert_int_equal(fixture_number(stage.db, &COUNT_EVENTS), MANY);
    assert_int_equal(fixture_number(stage.db, &COUNT_DONE), 1);

    struct booking_command *more = add(&stage, COMMAND_FORCE_CANCEL, 0);
    run(&stage);
    assert_true(more->finished);
    assert_int_equal(fixture_number(stage.db, &COUNT_EVENTS), MANY);
    stage_close(&stage);
}

/* More than one chunk of bookings of earlier days stays live, ahead of the one to be cancelled. */
static void test_batch_force_cancel_passes_bookings_of_earlier_days(void **state)
{
    struct stage stage;
    stage_open(&stage, state);
    for (uint16_t i = 0; i < MANY - 1; i++)
        add_create(&stage, i);
    struct booking_command *late = add_create(&stage, MANY - 1);
    struct booking *request = arena_alloc(&stage.arena, sizeof *request);
    *request = *late->request;
    request->day = TODAY + 3;
    late->request = request;
    run(&stage);
    delete_hospital_later(&stage, 2);
    run(&stage);

    int chunks = 0;
    for (bool finished = false; !finished; chunks++) {
        struct booking_command *chunk = add(&stage, COMMAND_FORCE_CANCEL, 0);
        run(&stage);
        finished = chunk->finished;
        assert_true(chunks <= MANY / FORCE_CANCEL_CHUNK);
    }
    assert_int_equal(fixture_number(stage.db, &COUNT_FORCED), 1);
    assert_int_equal(fixture_number(stage.db, &COUNT_LIVE), MANY - 1);
    stage_close(&stage);
}

static void test_batch_deletion_told_twice_begins_once(void **state)
{
    struct stage stage;
    stage_open(&stage, state);
    delete_hospital(&stage);
    run(&stage);
    add(&stage, COMMAND_FORCE_CANCEL, 0);
    run(&stage);
    assert_int_equal(fixture_number(stage.db, &COUNT_DONE), 1);
    delete_hospital(&stage);
    run(&stage);
    assert_false(batch_began_deletion(stage.batch));
    assert_int_equal(fixture_number(stage.db, &COUNT_DONE), 1);
    stage_close(&stage);
}

int main(void)
{
    clock_replace(stopped_clock);
    const struct CMUnitTest tests[] = {
        TEST_BOTH(test_batch_create_settle_and_cancel_of_one_booking),
        TEST_BOTH(test_batch_grant_of_another_era_changes_nothing_and_is_asked_for_again),
        TEST_BOTH(test_batch_answers_need_no_texts_of_other_calls),
        TEST_BOTH(test_batch_applied_again_changes_nothing),
        TEST_BOTH(test_batch_applied_again_after_its_commit_refuses_and_tells_nothing),
        TEST_BOTH(test_batch_late_grant_of_an_ended_booking_is_released_by_an_event),
        TEST_BOTH(test_batch_other_content_and_unknown_ids_are_refused_alone),
        TEST_BOTH(test_batch_queued_booking_is_announced_once),
        TEST_BOTH(test_batch_while_unavailable_a_booking_is_rejected_in_the_commit_of_its_intent),
        TEST_BOTH(test_batch_while_unavailable_a_queued_booking_is_announced_in_the_commit_of_its_intent),
        TEST_BOTH(test_batch_while_unavailable_what_exists_already_is_left_as_it_is),
        TEST_BOTH(test_batch_settle_after_the_deletion_is_force_cancelled),
        TEST_BOTH(test_batch_force_cancels_chunk_by_chunk),
        TEST_BOTH(test_batch_force_cancel_passes_bookings_of_earlier_days),
        TEST_BOTH(test_batch_deletion_told_twice_begins_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
