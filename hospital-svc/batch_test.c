/* Tests whole batches on both kinds of database: loading, decisions, saved rows and events. */
#include "batch_testing.h"

enum { ITEMS_MAX = 64 };

static const struct db_statement COUNT_RESERVATIONS = {
    .name = "test_count_reservations",
    .sql = "SELECT count(*) FROM reservation WHERE state = 1",
};
static const struct db_statement COUNT_TOMBSTONES = {
    .name = "test_count_tombstones",
    .sql = "SELECT count(*) FROM reservation WHERE state = 3",
};
static const struct db_statement COUNT_ENDED = {
    .name = "test_count_ended",
    .sql = "SELECT count(*) FROM reservation WHERE state <> 1",
};
static const struct db_statement COUNT_EVENTS = {
    .name = "test_count_events",
    .sql = "SELECT count(*) FROM event_log",
};
static const struct db_statement READ_REMAINING = {
    .name = "test_read_remaining",
    .sql = "SELECT capacity - reserved FROM screening_day",
};
static const struct db_statement COUNT_DEAD_LETTERS = {
    .name = "test_count_dead_letters",
    .sql = "SELECT count(*) FROM dead_letter",
};
static const struct db_statement READ_EVENTS = {
    .name = "test_read_events",
    .sql = "SELECT event FROM event_log ORDER BY seq",
};

static void test_batch_later_commands_see_the_effects_of_earlier_ones(void **state)
{
    struct stage stage;
    stage_open(&stage, state);
    struct command *registration = stage_add_registration(&stage, 3);
    struct reserve_item *first = stage_add_reserves(&stage, 10, 2);
    struct command *raised = stage_add_capacity(&stage, stage_today, 4);
    struct reserve_item *second = stage_add_reserves(&stage, 12, 3);
    stage_run(&stage);

    const Screening__V1__Hospital *hospital = (const void *)registration->answer;
    assert_int_equal(hospital->status, SCREENING__V1__HOSPITAL_STATUS__ACTIVE);
    assert_int_equal(hospital->n_days, 1);
    assert_int_equal(hospital->created_at->seconds, STAGE_NOW_US / 1000000);
    const Screening__V1__ScreeningDay *day = (const void *)raised->answer;
    assert_int_equal(day->capacity, 4);
    assert_int_equal(day->remaining, 2);
    assert_int_equal(day->version, 2);
    static const enum reserve_outcome EXPECTED[] = {RESERVE_GRANTED, RESERVE_GRANTED, RESERVE_SOLD_OUT};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(first[i].outcome, RESERVE_GRANTED);
        assert_int_equal(first[i].remaining, 2 - i);
    }
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(second[i].outcome, EXPECTED[i]);
    assert_int_equal(stage_number(&stage, &READ_REMAINING), 0);
    assert_int_equal(stage_number(&stage, &COUNT_RESERVATIONS), 4);
    stage_close(&stage);
}

static void test_batch_of_many_for_few_places_grants_exactly_these(void **state)
{
    struct stage stage;
    stage_open(&stage, state);
    stage_add_registration(&stage, 20);
    stage_run(&stage);
    struct reserve_item *items = stage_add_reserves(&stage, 10, ITEMS_MAX);
    items[5].malformed = true;
    stage_run(&stage);
    for (size_t i = 0; i < ITEMS_MAX; i++) {
        assert_int_equal(items[i].outcome, i == 5   ? RESERVE_MALFORMED
                                           : i < 21 ? RESERVE_GRANTED
                                                    : RESERVE_SOLD_OUT);
    }
    assert_int_equal(stage_number(&stage, &READ_REMAINING), 0);
    assert_int_equal(stage_number(&stage, &COUNT_RESERVATIONS), 20);
    assert_int_equal(stage_number(&stage, &COUNT_ENDED), 0);
    stage_close(&stage);
}

static void test_batch_repeated_reserve_takes_nothing(void **state)
{
    struct stage stage;
    stage_open(&stage, state);
    stage_add_registration(&stage, 20);
    struct reserve_item *first = stage_add_reserves(&stage, 10, 1);
    struct reserve_item *same_batch = stage_add_reserves(&stage, 10, 1);
    stage_run(&stage);
    stage_add_reserves(&stage, 11, 3);
    stage_add_deletion(&stage);
    stage_run(&stage);
    struct reserve_item *later = stage_add_reserves(&stage, 10, 2);
    later[1].wanted.headcount = 2;
    struct reserve_item *fresh = stage_add_reserves(&stage, 99, 1);
    stage_run(&stage);
    assert_int_equal(first->outcome, RESERVE_GRANTED);
    assert_int_equal(same_batch->outcome, RESERVE_REPEATED);
    assert_int_equal(same_batch->remaining, 19);
    assert_int_equal(later[0].outcome, RESERVE_REPEATED);
    assert_int_equal(later[0].remaining, 16);
    assert_int_equal(later[1].outcome, RESERVE_OTHER_CONTENT);
    assert_int_equal(fresh->outcome, RESERVE_HOSPITAL_DELETED);
    assert_int_equal(stage_number(&stage, &READ_REMAINING), 16);
    stage_close(&stage);
}

static void test_batch_repeated_registration_answers_as_it_is_now(void **state)
{
    struct stage stage;
    stage_open(&stage, state);
    stage_add_registration(&stage, 3);
    struct command *same_batch = stage_add_registration(&stage, 3);
    stage_run(&stage);
    const Screening__V1__Hospital *hospital = (const void *)same_batch->answer;
    assert_string_equal(hospital->name, "Namsan Clinic");
    assert_int_equal(hospital->n_days, 1);
    stage_add_capacity(&stage, stage_today + 2, 9);
    stage_add_capacity(&stage, stage_today + 1, 8);
    stage_add_deletion(&stage);
    stage_run(&stage);
    struct command *later = stage_add_registration(&stage, 3);
    struct command *other = stage_add_registration(&stage, 3);
    other->wanted.registration.content[0] = 8;
    stage_run(&stage);
    hospital = (const void *)later->answer;
    assert_int_equal(hospital->status, SCREENING__V1__HOSPITAL_STATUS__DELETED);
    assert_string_equal(hospital->name, "Namsan Clinic");
    assert_int_equal(hospital->n_days, 3);
    for (size_t i = 0; i < 3; i++) {
        char date[CIVIL_TEXT_SIZE];
        assert_string_equal(hospital->days[i]->date, civil_format(stage_today + (int32_t)i, date));
    }
    assert_int_equal(other->writer.outcome.status, STATUS_ALREADY_EXISTS);
    stage_close(&stage);
}

struct heard {
    struct arena arena;
    Screening__V1__Event *events[8];
    size_t count;
};

static enum status hear(void *context, const struct db_row *row)
{
    struct heard *heard = context;
    size_t size;
    const uint8_t *bytes = db_row_bytes(row, 0, &size);
    heard->events[heard->count++] = screening__v1__event__unpack(arena_allocator(&heard->arena), size, bytes);
    return STATUS_OK;
}

static void test_batch_publishes_changes_and_nothing_else(void **state)
{
    struct stage stage;
    stage_open(&stage, state);
    stage_add_registration(&stage, 3);
    stage_add_registration(&stage, 3);
    stage_add_capacity(&stage, stage_today, 3);
    stage_add_capacity(&stage, stage_today, 5);
    stage_add_reserves(&stage, 10, 1);
    stage_add_deletion(&stage);
    stage_add_deletion(&stage);
    stage_add_capacity(&stage, stage_today, 6);
    stage_run(&stage);

    struct heard heard = {.count = 0};
    struct error error = {0};
    arena_init(&heard.arena);
    fixture_expect(db_run(stage.db, &READ_EVENTS, NULL, hear, &heard, &error), STATUS_OK, &error);
    assert_int_equal(heard.count, 3);
    assert_string_equal(heard.events[0]->type, "hospital.registered");
    assert_int_equal(heard.events[0]->hospital->n_days, 1);
    assert_int_equal(heard.events[0]->hospital->days[0]->capacity, 3);
    assert_string_equal(heard.events[1]->type, "hospital.capacity_set");
    assert_int_equal(heard.events[1]->day->day->capacity, 5);
    assert_int_equal(heard.events[1]->day->day->version, 2);
    assert_string_equal(heard.events[2]->type, "hospital.deleted");
    assert_int_equal(heard.events[2]->hospital->status, SCREENING__V1__HOSPITAL_STATUS__DELETED);
    assert_int_equal(heard.events[2]->occurred_at->seconds, STAGE_NOW_US / 1000000);
    arena_fini(&heard.arena);
    stage_close(&stage);
}

static void test_batch_ended_booking_frees_its_place_once(void **state)
{
    struct stage stage;
    struct sent_event cancelled, again, rejected;
    stage_open(&stage, state);
    stage_add_registration(&stage, 3);
    stage_add_reserves(&stage, 10, 2);
    stage_run(&stage);
    stage_make_event(&cancelled, 1, "booking.cancelled", 10);
    stage_add_event(&stage, &cancelled);
    stage_run(&stage);
    assert_int_equal(stage_number(&stage, &READ_REMAINING), 2);

    stage_add_event(&stage, &cancelled); /* submitted again; the cursor is already past the event */
    stage_run(&stage);
    stage_make_event(&again, 2, "booking.force_cancelled", 10);
    stage_add_event(&stage, &again);
    stage_run(&stage);
    assert_int_equal(stage_number(&stage, &READ_REMAINING), 2);

    stage_make_event(&rejected, 3, "booking.rejected", 50); /* never reserved; its Reserve will arrive late */
    stage_add_event(&stage, &rejected);
    struct reserve_item *same_batch = stage_add_reserves(&stage, 50, 1);
    stage_run(&stage);
    struct reserve_item *later = stage_add_reserves(&stage, 50, 1);
    struct reserve_item *released = stage_add_reserves(&stage, 10, 1);
    stage_run(&stage);
    assert_int_equal(same_batch->outcome, RESERVE_RELEASED);
    assert_int_equal(later->outcome, RESERVE_RELEASED);
    assert_int_equal(released->outcome, RESERVE_RELEASED);
    assert_int_equal(stage_number(&stage, &READ_REMAINING), 2);
    assert_int_equal(stage_number(&stage, &COUNT_RESERVATIONS), 1);
    assert_int_equal(stage_number(&stage, &COUNT_TOMBSTONES), 1);
    assert_int_equal(stage_number(&stage, &COUNT_EVENTS), 1);
    stage_close(&stage);
}

static void test_batch_reservation_made_and_ended_together_is_released(void **state)
{
    struct stage stage;
    struct sent_event cancelled;
    stage_open(&stage, state);
    stage_add_registration(&stage, 3);
    stage_add_reserves(&stage, 10, 1);
    stage_make_event(&cancelled, 1, "booking.cancelled", 10);
    stage_add_event(&stage, &cancelled);
    stage_run(&stage);
    assert_int_equal(stage_number(&stage, &READ_REMAINING), 3);
    assert_int_equal(stage_number(&stage, &COUNT_RESERVATIONS), 0);
    assert_int_equal(stage_number(&stage, &COUNT_ENDED), 1);
    stage_close(&stage);
}

static void test_batch_malformed_event_fails_and_can_be_buried(void **state)
{
    struct stage stage;
    struct sent_event cancelled;
    struct error error = {0};
    stage_open(&stage, state);
    stage_make_event(&cancelled, 1, "booking.cancelled", 10);
    cancelled.booking.booking_id = cancelled.event_id + 1;
    stage_add_event(&stage, &cancelled);
    assert_int_equal(stage_apply(&stage, &error), STATUS_INTERNAL);
    db_rollback(stage.db);
    cancelled.chunk.as_dead_letter = true;
    cancelled.chunk.dead_letter_reason = error.message;
    stage_run(&stage);
    assert_int_equal(stage_number(&stage, &COUNT_DEAD_LETTERS), 1);
    assert_int_equal(stage_number(&stage, &COUNT_ENDED), 0);
    stage_close(&stage);
}

static void test_batch_applied_again_after_a_failure_does_it_once(void **state)
{
    struct stage stage;
    struct error error = {0};
    stage_open(&stage, state);
    stage_add_registration(&stage, 3);
    struct reserve_item *items = stage_add_reserves(&stage, 10, 2);
    fixture_expect(stage_apply(&stage, &error), STATUS_OK, &error);
    db_rollback(stage.db);
    stage_run(&stage);
    assert_int_equal(items[1].outcome, RESERVE_GRANTED);
    assert_int_equal(stage_number(&stage, &READ_REMAINING), 1);
    assert_int_equal(stage_number(&stage, &COUNT_EVENTS), 1);
    /* The result of the COMMIT was lost, so the batch is applied again. */
    stage.count = 2;
    stage_run(&stage);
    assert_int_equal(items[1].outcome, RESERVE_REPEATED);
    assert_int_equal(items[1].remaining, 1);
    assert_int_equal(stage_number(&stage, &READ_REMAINING), 1);
    assert_int_equal(stage_number(&stage, &COUNT_EVENTS), 1);
    stage_close(&stage);
}

static void test_batch_purge_takes_only_what_has_ended_before_the_date(void **state)
{
    struct stage stage;
    struct sent_event sent[3];
    stage_open(&stage, state);
    stage_add_registration(&stage, 9);
    stage_add_reserves(&stage, 10, 3);
    stage_run(&stage);
    for (uint8_t i = 0; i < 3; i++) { /* two released, one tombstone */
        stage_make_event(&sent[i], i + 1u, "booking.cancelled", i < 2 ? (uint8_t)(10 + i) : 77);
        stage_add_event(&stage, &sent[i]);
        stage_run(&stage);
    }
    struct command *purge = stage_add(&stage, COMMAND_PURGE);
    purge->wanted.purge.before = stage_today;
    purge->wanted.purge.max = 10;
    stage_run(&stage);
    assert_int_equal(purge->wanted.purge.purged, 0);
    assert_int_equal(stage_number(&stage, &COUNT_ENDED), 3);

    purge = stage_add(&stage, COMMAND_PURGE);
    purge->wanted.purge.before = stage_today + 1;
    purge->wanted.purge.max = 2;
    stage_run(&stage);
    assert_int_equal(purge->wanted.purge.purged, 2);
    assert_int_equal(stage_number(&stage, &COUNT_ENDED), 1);
    assert_int_equal(stage_number(&stage, &COUNT_RESERVATIONS), 1);
    stage_close(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_BOTH(test_batch_later_commands_see_the_effects_of_earlier_ones),
        TEST_BOTH(test_batch_of_many_for_few_places_grants_exactly_these),
        TEST_BOTH(test_batch_repeated_reserve_takes_nothing),
        TEST_BOTH(test_batch_repeated_registration_answers_as_it_is_now),
        TEST_BOTH(test_batch_publishes_changes_and_nothing_else),
        TEST_BOTH(test_batch_ended_booking_frees_its_place_once),
        TEST_BOTH(test_batch_reservation_made_and_ended_together_is_released),
        TEST_BOTH(test_batch_malformed_event_fails_and_can_be_buried),
        TEST_BOTH(test_batch_applied_again_after_a_failure_does_it_once),
        TEST_BOTH(test_batch_purge_takes_only_what_has_ended_before_the_date),
    };
    stage_stop_clock();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
