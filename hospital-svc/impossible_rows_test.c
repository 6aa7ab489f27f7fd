/* Tests that impossible rows (from damage or a manual change) cause an error, never an abort. */
#include "batch_testing.h"
#include "store_reads.h"

#include <stdio.h>
#include <string.h>

struct impossible {
    const char *table, *change, *undo; /* `change` and `undo` are lists for UPDATE ... SET */
    bool sqlite_only;                  /* whether PostgreSQL's types exclude the change */
};

static const struct impossible ROWS[] = {
    {"hospital", "state = 0", "state = 1", false},
    {"hospital", "state = 3", "state = 1", false},
    {"hospital", "state = -1", "state = 1", false},
    {"hospital", "state = 'x'", "state = 1", true},
    {"hospital", "content = x'07'", "content = x'07000000000000000000000000000000'", true},
    {"hospital", "hospital_id = x'01'", "hospital_id = x'01000000000000000000000000000000'", true},
    {"screening_day", "capacity = -1", "capacity = 9", false},
    {"screening_day", "capacity = 4294967296", "capacity = 9", true},
    {"screening_day", "capacity = 2.5", "capacity = 9", true},
    {"screening_day", "reserved = -1", "reserved = 1", false},
    {"screening_day", "reserved = 4294967295", "reserved = 1", true},
    {"screening_day", "version = -1", "version = 1", false},
    {"reservation", "state = 0", "state = 1", false},
    {"reservation", "state = 4", "state = 1", false},
    {"reservation", "headcount = -1", "headcount = 1", false},
    {"reservation", "headcount = 4294967296", "headcount = 1", true},
    {"reservation", "date = '2026-02-30'", "date = '2026-12-01'", true},
};
enum { ROW_COUNT = sizeof ROWS / sizeof ROWS[0] };

static void script(struct stage *stage, const char *text)
{
    struct error error = {0};
    fixture_expect(db_run_script(stage->db, text, &error), STATUS_OK, &error);
}

static void set(struct stage *stage, const char *table, const char *list)
{
    char text[256];
    (void)snprintf(text, sizeof text, "UPDATE %s SET %s;", table, list);
    script(stage, text);
}

/* Adds a hospital, a day of 9 places and a live reservation, and drops the constraints on the rows. */
static void open_with_one_of_each(struct stage *stage, void **state)
{
    stage_open(stage, state);
    stage_add_registration(stage, 9);
    stage_add_reserves(stage, 10, 1);
    stage_run(stage);
    script(stage, stage->fixture->dialect == DB_SQLITE
                      ? "PRAGMA ignore_check_constraints = ON"
                      : "ALTER TABLE hospital DROP CONSTRAINT hospital_state_check;"
                        "ALTER TABLE screening_day DROP CONSTRAINT screening_day_capacity_check,"
                        " DROP CONSTRAINT screening_day_reserved_check;"
                        "ALTER TABLE reservation DROP CONSTRAINT reservation_state_check;");
}

/* Applies a batch that loads every row. */
static enum status apply_all(struct stage *stage, struct error *error)
{
    struct sent_event cancelled;
    stage_add_registration(stage, 9);
    stage_add_capacity(stage, stage_today, 8);
    stage_add_reserves(stage, 10, 2);
    stage_make_event(&cancelled, 1, "booking.cancelled", 10);
    stage_add_event(stage, &cancelled);
    stage_add_deletion(stage);
    enum status status = stage_apply(stage, error);
    db_rollback(stage->db);
    stage->count = 0;
    return status;
}

static void test_batch_impossible_row_fails_the_batch(void **state)
{
    struct stage stage;
    struct error error = {0};
    open_with_one_of_each(&stage, state);
    for (size_t i = 0; i < ROW_COUNT; i++) {
        if (ROWS[i].sqlite_only && stage.fixture->dialect != DB_SQLITE)
            continue;
        set(&stage, ROWS[i].table, ROWS[i].change);
        enum status status = apply_all(&stage, &error);
        if (strstr(ROWS[i].change, "hospital_id") == NULL) /* a row with a changed hospital_id is not found */
            assert_int_equal(status, STATUS_INTERNAL);
        set(&stage, ROWS[i].table, ROWS[i].undo);
        fixture_expect(apply_all(&stage, &error), STATUS_OK, &error);
    }
    stage_close(&stage);
}

static void test_batch_release_of_more_places_than_the_day_counts_fails(void **state)
{
    struct stage stage;
    struct error error = {0};
    open_with_one_of_each(&stage, state);
    set(&stage, "screening_day", "reserved = 0");
    set(&stage, "reservation", "headcount = 5");
    assert_int_equal(apply_all(&stage, &error), STATUS_INTERNAL);
    assert_non_null(strstr(error.message, "fewer places reserved"));
    stage_close(&stage);
}

static enum status see_hospital(void *context, const struct hospital *hospital,
                                const struct screening_day *day)
{
    (void)context;
    assert_true(hospital->state == HOSPITAL_ACTIVE || hospital->state == HOSPITAL_DELETED);
    assert_true(day == NULL || screening_day_remaining(day) <= day->capacity);
    return STATUS_OK;
}

static enum status see_day(void *context, const struct screening_day *day)
{
    return see_hospital(context, &(struct hospital){.state = HOSPITAL_ACTIVE}, day);
}

static enum status see_reservation(void *context, const struct reservation *reservation)
{
    (void)context;
    assert_int_equal(reservation->state, RESERVATION_LIVE);
    return STATUS_OK;
}

/* Reads every row. Returns the first status that is not OK. */
static enum status read_all(struct stage *stage, struct error *error)
{
    const struct store_list list = {
        .name_contains = "", .decomposed = "", .as_sent = "", .include_deleted = true, .max = 9};
    const struct store_live live = {.max = 9};
    struct hospital hospital;
    struct store_list on_date = list;
    on_date.on_date = true;
    on_date.date = stage_today;
    enum status status = store_read_hospital(stage->db, &STAGE_HOSPITAL_ID, &stage->arena, &hospital, error);
    if (status == STATUS_OK)
        status =
            store_read_days(stage->db, &STAGE_HOSPITAL_ID, stage_today, stage_today, see_day, NULL, error);
    if (status == STATUS_OK)
        status = store_list_hospitals(stage->db, &list, see_hospital, NULL, error);
    if (status == STATUS_OK)
        status = store_list_hospitals(stage->db, &on_date, see_hospital, NULL, error);
    if (status == STATUS_OK)
        status = store_list_reservations(stage->db, &live, see_reservation, NULL, error);
    return status;
}

static void test_reads_impossible_row_fails_or_is_not_seen(void **state)
{
    struct stage stage;
    struct error error = {0};
    open_with_one_of_each(&stage, state);
    for (size_t i = 0; i < ROW_COUNT; i++) {
        if (ROWS[i].sqlite_only && stage.fixture->dialect != DB_SQLITE)
            continue;
        set(&stage, ROWS[i].table, ROWS[i].change);
        enum status status = read_all(&stage, &error);
        assert_true(status == STATUS_INTERNAL || status == STATUS_OK);
        set(&stage, ROWS[i].table, ROWS[i].undo);
        fixture_expect(read_all(&stage, &error), STATUS_OK, &error);
    }
    stage_close(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_BOTH(test_batch_impossible_row_fails_the_batch),
        TEST_BOTH(test_batch_release_of_more_places_than_the_day_counts_fails),
        TEST_BOTH(test_reads_impossible_row_fails_or_is_not_seen),
    };
    stage_stop_clock();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
