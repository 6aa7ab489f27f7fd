/* Tests whole batches against real databases of both kinds: loading, decisions, saved rows and events. */
#include "batch_testing.h"

#include <string.h>

#include "base/clock.h"
#include "base/unit_testing.h"
#include "db/db_testing.h"
#include "events/event_log.h"

static const struct db_statement COUNT_EVENTS = {.name = "test_count_events",
                                                 .sql = "SELECT count(*) FROM event_log"};
static const struct db_statement COUNT_LIVE = {.name = "test_count_live",
                                               .sql = "SELECT count(*) FROM booking WHERE status IN (1, 2)"};

/* Returns a time long after the screening days. */
static int64_t later_clock(void)
{
    return STAGE_NOW_US + INT64_C(30) * 24 * 3600 * 1000000;
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
    stage_add_create(&stage, 1);
    stage_add_create(&stage, 2);
    stage_run(&stage);
    pair(&stage, 9);
    static const int64_t OTHERS[] = {0, 8}; /* hospital-svc is too old to have an era, or has reverted */
    for (size_t i = 0; i < 2; i++) {
        struct booking_command *settle = stage_add_settle(&stage, 1, PLACEMENT_GRANTED);
        settle->era = OTHERS[i];
        stage_run(&stage);
        assert_true(settle->ask_again);
        assert_int_equal(settle->booking->status, SCREENING__V1__BOOKING_STATUS__REQUESTED);
    }
    assert_int_equal(fixture_number(stage.db, &COUNT_EVENTS), 0);
    struct booking_command *own = stage_add_settle(&stage, 1, PLACEMENT_GRANTED);
    own->era = 9;
    own->own_era = 1; /* requested before a Pair */
    stage_run(&stage);
    assert_true(own->ask_again);
    struct booking_command *refused = stage_add_settle(&stage, 2, PLACEMENT_REFUSED);
    struct booking_command *granted = stage_add_settle(&stage, 1, PLACEMENT_GRANTED);
    granted->era = 9;
    stage_run(&stage);
    assert_int_equal(refused->booking->status, SCREENING__V1__BOOKING_STATUS__REJECTED);
    assert_int_equal(granted->booking->status, SCREENING__V1__BOOKING_STATUS__CONFIRMED);
    struct booking_command *late = stage_add_settle(&stage, 1, PLACEMENT_GRANTED);
    late->era = 8;
    stage_run(&stage);
    assert_false(late->ask_again); /* the booking is already settled */
    assert_int_equal(late->booking->status, SCREENING__V1__BOOKING_STATUS__CONFIRMED);
    stage_close(&stage);
}

static void test_batch_create_settle_and_cancel_of_one_booking(void **state)
{
    struct stage stage;
    stage_open(&stage, state);
    struct booking_command *create = stage_add_create(&stage, 1), *again = stage_add_create(&stage, 1);
    stage_run(&stage);
    assert_int_equal(create->booking->status, SCREENING__V1__BOOKING_STATUS__REQUESTED);
    assert_ptr_equal(create->booking, again->booking);
    assert_int_equal(fixture_number(stage.db, &COUNT_EVENTS), 0);

    struct booking_command *settle = stage_add_settle(&stage, 1, PLACEMENT_GRANTED);
    struct booking_command *cancel = stage_add(&stage, COMMAND_CANCEL, 1);
    cancel->reason = "plans";
    stage_run(&stage);
    /* The settle returns the booking as committed, with the cancellation that follows in the same batch. */
    assert_int_equal(settle->booking->status, SCREENING__V1__BOOKING_STATUS__CANCELLED);
    assert_int_equal(cancel->booking->version, 3);
    assert_string_equal(cancel->booking->status_reason, "plans");
    assert_string_equal(cancel->booking->customer_name, "김하늘");
    assert_int_equal(fixture_number(stage.db, &COUNT_EVENTS), 2);
    stage_close(&stage);
}

/* The strings of a call are freed when it is answered, perhaps before other calls of its batch. */
static void test_batch_answers_need_no_texts_of_other_calls(void **state)
{
    struct stage stage;
    stage_open(&stage, state);
    char customer[] = "c-1", name[] = "김하늘", reason[] = "plans";
    struct booking_command *create = stage_add_create(&stage, 1);
    struct booking request = *create->request;
    request.customer_id = customer;
    request.customer_name = name;
    create->request = &request;
    struct booking_command *cancel = stage_add(&stage, COMMAND_CANCEL, 1);
    cancel->reason = reason;
    stage_run(&stage);
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
    stage_add_create(&stage, 1);
    stage_run(&stage);
    struct error error = {0};
    stage_add_settle(&stage, 1, PLACEMENT_GRANTED);
    fixture_expect(stage_apply(&stage, &error), STATUS_OK, &error);
    db_rollback(stage.db); /* apply the same commands to reloaded rows, as after a failed COMMIT */
    stage_run(&stage);
    assert_int_equal(fixture_number(stage.db, &COUNT_EVENTS), 1);

    struct booking_command *repeated = stage_add_settle(&stage, 1, PLACEMENT_GRANTED);
    stage_run(&stage);
    assert_int_equal(repeated->booking->version, 2);
    assert_int_equal(fixture_number(stage.db, &COUNT_EVENTS), 1);
    stage_close(&stage);
}

/* The result of the COMMIT was lost. Each command finds its own effect, and is answered as before. */
static void test_batch_applied_again_after_its_commit_refuses_and_publishes_nothing(void **state)
{
    struct stage stage;
    struct booking_command *commands[8];
    size_t count = 0;
    stage_open(&stage, state);
    for (uint16_t number = 1; number <= 3; number++)
        stage_add_create(&stage, number);
    stage_run(&stage);
    commands[count++] = stage_add_settle(&stage, 1, PLACEMENT_GRANTED);
    commands[count++] = stage_add_settle(&stage, 2, PLACEMENT_REFUSED);
    commands[count++] = stage_add_settle(&stage, 3, PLACEMENT_GRANTED);
    commands[count++] = stage_add_create(&stage, 4);
    commands[count++] = stage_add(&stage, COMMAND_CANCEL, 1);
    commands[count++] = stage_add(&stage, COMMAND_CANCEL, 4);
    stage_run(&stage);
    const int64_t events = fixture_number(stage.db, &COUNT_EVENTS);
    stage.count = count;
    clock_replace(later_clock);
    stage_run(&stage);
    stage_stop_clock();
    static const Screening__V1__BookingStatus STATUSES[] = {
        SCREENING__V1__BOOKING_STATUS__CANCELLED, SCREENING__V1__BOOKING_STATUS__REJECTED,
        SCREENING__V1__BOOKING_STATUS__CONFIRMED, SCREENING__V1__BOOKING_STATUS__CANCELLED,
        SCREENING__V1__BOOKING_STATUS__CANCELLED, SCREENING__V1__BOOKING_STATUS__CANCELLED};
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
    stage_add_create(&stage, 1);
    stage_add_create(&stage, 2);
    stage_add(&stage, COMMAND_CANCEL, 1);
    stage_add_settle(&stage, 2, PLACEMENT_GRANTED);
    stage_run(&stage);
    const int64_t events = fixture_number(stage.db, &COUNT_EVENTS);
    struct booking_command *late = stage_add_settle(&stage, 1, PLACEMENT_GRANTED);
    stage_add_settle(&stage, 1, PLACEMENT_REFUSED);
    stage_add_settle(&stage, 2, PLACEMENT_GRANTED); /* a repetition: already CONFIRMED */
    stage_run(&stage);
    assert_int_equal(late->booking->status, SCREENING__V1__BOOKING_STATUS__CANCELLED);
    assert_int_equal(late->booking->version, 2);
    assert_int_equal(fixture_number(stage.db, &COUNT_EVENTS), events + 1);
    assert_int_equal(fixture_number(stage.db, &COUNT_RELEASED), 1);
    stage_close(&stage);
}

static void test_batch_other_content_and_unknown_ids_are_refused_alone(void **state)
{
    struct stage stage;
    stage_open(&stage, state);
    struct booking_command *create = stage_add_create(&stage, 1), *other = stage_add_create(&stage, 1);
    struct booking *content = arena_alloc(&stage.arena, sizeof *content);
    *content = *other->request;
    content->headcount = 2;
    other->request = content;
    struct booking_command *cancel = stage_add(&stage, COMMAND_CANCEL, 9);
    stage_run(&stage);
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
    struct booking_command *create = stage_add_create(&stage, 1);
    struct booking *queued = arena_alloc(&stage.arena, sizeof *queued);
    *queued = *create->request;
    queued->queue_if_unavailable = true;
    create->request = queued;
    stage_run(&stage);
    stage_add_settle(&stage, 1, PLACEMENT_UNKNOWN);
    stage_run(&stage);
    assert_int_equal(fixture_number(stage.db, &COUNT_EVENTS), 1);
    struct booking_command *met = stage_add(&stage, COMMAND_RESUME, 1);
    stage_run(&stage);
    assert_int_equal(met->booking->status, SCREENING__V1__BOOKING_STATUS__REQUESTED);
    assert_int_equal(fixture_number(stage.db, &COUNT_EVENTS), 1);
    stage_close(&stage);
}

/* ---- hospital-svc is known to be unavailable ---- */

static void test_batch_while_unavailable_a_booking_is_rejected_in_the_commit_of_its_intent(void **state)
{
    struct stage stage;
    stage_open(&stage, state);
    batch_set_hospital_unavailable(stage.batch, true);
    struct booking_command *create = stage_add_create(&stage, 1), *again = stage_add_create(&stage, 1);
    stage_run(&stage);
    assert_int_equal(create->booking->status, SCREENING__V1__BOOKING_STATUS__REJECTED);
    assert_string_equal(create->booking->status_reason, "HOSPITAL_UNAVAILABLE");
    assert_int_equal(create->booking->version, 2);
    assert_ptr_equal(create->booking, again->booking);
    assert_int_equal(fixture_number(stage.db, &COUNT_EVENTS), 1); /* the rejection, which frees any place */
    assert_int_equal(fixture_number(stage.db, &COUNT_LIVE), 0);

    batch_set_hospital_unavailable(stage.batch, false);
    struct booking_command *later = stage_add_create(&stage, 1), *other = stage_add_create(&stage, 2);
    stage_run(&stage);
    assert_int_equal(later->booking->status,
                     SCREENING__V1__BOOKING_STATUS__REJECTED); /* final; another attempt needs a new id */
    assert_int_equal(other->booking->status, SCREENING__V1__BOOKING_STATUS__REQUESTED);
    stage_close(&stage);
}

static void
test_batch_while_unavailable_a_queued_booking_is_announced_in_the_commit_of_its_intent(void **state)
{
    struct stage stage;
    stage_open(&stage, state);
    batch_set_hospital_unavailable(stage.batch, true);
    struct booking_command *create = stage_add_create(&stage, 1);
    struct booking *queued = arena_alloc(&stage.arena, sizeof *queued);
    *queued = *create->request;
    queued->queue_if_unavailable = true;
    create->request = queued;
    stage_run(&stage);
    assert_int_equal(create->booking->status, SCREENING__V1__BOOKING_STATUS__REQUESTED);
    assert_true(create->booking->announced);
    assert_int_equal(create->booking->version, 1);
    assert_int_equal(fixture_number(stage.db, &COUNT_EVENTS), 1);
    stage_close(&stage);
}

static void test_batch_while_unavailable_what_exists_already_is_left_as_it_is(void **state)
{
    struct stage stage;
    stage_open(&stage, state);
    stage_add_create(&stage, 1);
    stage_run(&stage);
    batch_set_hospital_unavailable(stage.batch, true);
    struct booking_command *again = stage_add_create(&stage, 1);
    stage_run(&stage);
    assert_int_equal(again->booking->status,
                     SCREENING__V1__BOOKING_STATUS__REQUESTED); /* still in flight, or left to the settler */
    struct booking_command *settle = stage_add_settle(&stage, 1, PLACEMENT_GRANTED);
    stage_run(&stage);
    assert_int_equal(settle->booking->status, SCREENING__V1__BOOKING_STATUS__CONFIRMED);
    stage_close(&stage);
}

int main(void)
{
    stage_stop_clock();
    const struct CMUnitTest tests[] = {
        TEST_BOTH(test_batch_create_settle_and_cancel_of_one_booking),
        TEST_BOTH(test_batch_grant_of_another_era_changes_nothing_and_is_asked_for_again),
        TEST_BOTH(test_batch_answers_need_no_texts_of_other_calls),
        TEST_BOTH(test_batch_applied_again_changes_nothing),
        TEST_BOTH(test_batch_applied_again_after_its_commit_refuses_and_publishes_nothing),
        TEST_BOTH(test_batch_late_grant_of_an_ended_booking_is_released_by_an_event),
        TEST_BOTH(test_batch_other_content_and_unknown_ids_are_refused_alone),
        TEST_BOTH(test_batch_queued_booking_is_announced_once),
        TEST_BOTH(test_batch_while_unavailable_a_booking_is_rejected_in_the_commit_of_its_intent),
        TEST_BOTH(test_batch_while_unavailable_a_queued_booking_is_announced_in_the_commit_of_its_intent),
        TEST_BOTH(test_batch_while_unavailable_what_exists_already_is_left_as_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
