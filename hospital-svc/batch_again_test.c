/*
 * Tests batches that are applied again after the result of their COMMIT was lost. No command may be refused
 * because of its own earlier effect.
 */
#include "batch_testing.h"
#include "store.h"

#include "base/clock.h"

#include "screening/v1/hospital.pb-c.h"

static const struct db_statement COUNT_EVENTS = {
    .name = "test_count_events",
    .sql = "SELECT count(*) FROM event_log",
};
static const struct db_statement READ_VERSION = {
    .name = "test_read_version",
    .sql = "SELECT version FROM screening_day",
};
static const struct db_statement OTHER_REPLICA = {
    .name = "test_other_replica",
    .sql = "UPDATE screening_day SET capacity = 77, version = version + 1",
};

static int64_t tomorrow(void)
{
    return STAGE_NOW_US + INT64_C(24) * 3600 * 1000000;
}

/* Runs the first `count` commands of the last batch again, in the state in which that batch left them. */
static void run_again(struct stage *stage, size_t count)
{
    stage->count = count;
    stage_run(stage);
}

/* Opens the stage with a day of capacity 10, and adds a command that sets the capacity to 20. */
static struct command *open_and_set_capacity(struct stage *stage, void **state)
{
    stage_open(stage, state);
    stage_add_registration(stage, 10);
    stage_run(stage);
    return stage_add_capacity(stage, stage_today, 20);
}

static void expect_capacity(const struct command *command, uint32_t capacity, uint64_t version)
{
    const Screening__V1__ScreeningDay *day = (const void *)command->answer;
    assert_int_equal(command->writer.outcome.status, STATUS_OK);
    assert_int_equal(day->capacity, capacity);
    assert_int_equal(day->version, version);
}

static void test_capacity_decided_again_is_its_own_change_not_a_mismatch(void **state)
{
    for (uint64_t with_version = 0; with_version <= 1; with_version++) {
        struct stage stage;
        stage_open(&stage, state);
        const struct uuid hospital_id = {{1, (uint8_t)with_version}};
        stage_add_registration(&stage, 10)->wanted.registration.hospital_id = hospital_id;
        stage_run(&stage);
        struct command *first = stage_add_capacity(&stage, stage_today, 20);
        struct command *second = stage_add_capacity(&stage, stage_today, 30);
        struct command *refused = stage_add_capacity(&stage, stage_today, 40);
        first->wanted.capacity.hospital_id = hospital_id;
        second->wanted.capacity.hospital_id = hospital_id;
        refused->wanted.capacity.hospital_id = hospital_id;
        first->wanted.capacity.expected_version = with_version * 1;
        second->wanted.capacity.expected_version = with_version * 2;
        refused->wanted.capacity.expected_version = 9;
        stage_run(&stage);
        const int64_t events = stage_number(&stage, &COUNT_EVENTS);
        run_again(&stage, 3);
        expect_capacity(first, 20, 2);
        expect_capacity(second, 30, 3);
        assert_string_equal(refused->writer.outcome.reason, "VERSION_MISMATCH");
        assert_int_equal(stage_number(&stage, &COUNT_EVENTS), events);
        stage_close(&stage);
    }
}

/* Another replica has since changed the capacity and published its event. That change must remain. */
static void test_capacity_decided_again_does_not_undo_what_another_replica_set(void **state)
{
    struct stage stage;
    struct error error = {0};
    struct command *first = open_and_set_capacity(&stage, state);
    stage_run(&stage);
    fixture_expect(db_run(stage.db, &OTHER_REPLICA, NULL, NULL, NULL, &error), STATUS_OK, &error);
    const int64_t events = stage_number(&stage, &COUNT_EVENTS);
    run_again(&stage, 1);
    expect_capacity(first, 20, 2);
    assert_int_equal(stage_number(&stage, &READ_VERSION), 3);
    assert_int_equal(stage_number(&stage, &COUNT_EVENTS), events);
    stage_close(&stage);
}

/* The first transaction was rolled back, so the second applies the change. */
static void test_capacity_decided_again_after_a_rollback_is_set(void **state)
{
    struct stage stage;
    struct error error = {0};
    struct command *first = open_and_set_capacity(&stage, state);
    fixture_expect(stage_apply(&stage, &error), STATUS_OK, &error);
    db_rollback(stage.db);
    stage_run(&stage);
    expect_capacity(first, 20, 2);
    assert_int_equal(stage_number(&stage, &READ_VERSION), 2);
    stage_close(&stage);
}

/* On the next day, decides a registration, Reserves, capacity changes and a final deletion again. */
static void test_commands_decided_again_are_answered_ok_despite_later_changes(void **state)
{
    struct stage stage;
    stage_open(&stage, state);
    struct command *registration = stage_add_registration(&stage, 3);
    struct reserve_item *items = stage_add_reserves(&stage, 10, 3);
    struct command *lowered = stage_add_capacity(&stage, stage_today + 1, 8);
    struct command *closed = stage_add_capacity(&stage, stage_today + 1, 0);
    struct command *reopened = stage_add_capacity(&stage, stage_today + 1, 5);
    struct command *deletion = stage_add_deletion(&stage);
    stage_run(&stage);
    const int64_t events = stage_number(&stage, &COUNT_EVENTS);
    clock_replace(tomorrow);
    run_again(&stage, 6);
    stage_stop_clock();
    assert_int_equal(registration->writer.outcome.status, STATUS_OK);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(items[i].outcome, RESERVE_REPEATED);
    expect_capacity(lowered, 8, 1);
    expect_capacity(closed, 0, 2);
    expect_capacity(reopened, 5, 3);
    assert_int_equal(deletion->writer.outcome.status, STATUS_OK);
    assert_int_equal(stage_number(&stage, &COUNT_EVENTS), events);
    stage_close(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_BOTH(test_capacity_decided_again_is_its_own_change_not_a_mismatch),
        TEST_BOTH(test_capacity_decided_again_does_not_undo_what_another_replica_set),
        TEST_BOTH(test_capacity_decided_again_after_a_rollback_is_set),
        TEST_BOTH(test_commands_decided_again_are_answered_ok_despite_later_changes),
    };
    stage_stop_clock();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
