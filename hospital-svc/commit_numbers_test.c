/* Tests the commit numbers of places taken, places freed and capacities set, on both kinds of database. */
#include "batch_testing.h"
#include "store.h"

static const struct db_statement READ_COUNTER = {
    .name = "test_read_counter",
    .sql = "SELECT commit_no FROM commit_counter",
};
static const struct db_statement READ_RESERVATIONS = {
    .name = "test_read_reservations",
    .sql = "SELECT state, taken_commit, released_commit FROM reservation ORDER BY booking_id",
};
static const struct db_statement READ_HEADCOUNTS = {
    .name = "test_read_headcounts",
    .sql = "SELECT state, headcount, 0 FROM reservation ORDER BY booking_id",
};
static const struct db_statement READ_DAY = {
    .name = "test_read_day",
    .sql = "SELECT capacity, reserved, version FROM screening_day",
};
static const struct db_statement READ_CHANGES = {
    .name = "test_read_changes",
    .sql = "SELECT version, capacity, commit_no FROM capacity_change ORDER BY date, version",
};
static const struct db_statement INSERT_OLD_DAY = {
    .name = "test_insert_old_day",
    .sql = "INSERT INTO screening_day (hospital_id, date, capacity, remaining, version)"
           " VALUES ($1, $2, $3, $4, $5)",
};
static const struct db_statement INSERT_OLD_RESERVATION = {
    .name = "test_insert_old_reservation",
    .sql = "INSERT INTO reservation (booking_id, hospital_id, date, headcount, state)"
           " VALUES ($1, $2, $3, $4, $5)",
};

enum { NONE = -1, ROWS_MAX = 8 };

/* Rows of three numbers. NONE represents NULL. */
struct rows {
    int64_t values[ROWS_MAX][3];
    size_t count;
};

static enum status take(void *context, const struct db_row *row)
{
    struct rows *rows = context;
    assert_true(rows->count < ROWS_MAX);
    for (int i = 0; i < 3; i++)
        rows->values[rows->count][i] = db_row_is_null(row, i) ? NONE : db_row_int(row, i);
    rows->count++;
    return STATUS_OK;
}

static void expect_rows(struct stage *stage, const struct db_statement *statement, size_t count,
                        const int64_t (*expected)[3])
{
    struct rows rows = {.count = 0};
    struct error error = {0};
    fixture_expect(db_run(stage->db, statement, NULL, take, &rows, &error), STATUS_OK, &error);
    assert_int_equal(rows.count, count);
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < 3; j++)
            assert_int_equal(rows.values[i][j], expected[i][j]);
}

/* Runs the batch. Returns the amount by which it has increased the commit counter. */
static int64_t run_and_count(struct stage *stage)
{
    const int64_t before = stage_number(stage, &READ_COUNTER);
    stage_run(stage);
    return stage_number(stage, &READ_COUNTER) - before;
}

static void test_commit_number_moves_with_each_batch_that_changes_places(void **state)
{
    struct stage stage;
    struct sent_event cancelled, again, rejected;
    stage_open(&stage, state);
    assert_int_equal(stage_number(&stage, &READ_COUNTER), 0);
    stage_add_registration(&stage, 2);
    assert_int_equal(run_and_count(&stage), 1);
    stage_add_reserves(&stage, 10, 3); /* the third is refused */
    assert_int_equal(run_and_count(&stage), 1);
    stage_add_reserves(&stage, 10, 1); /* a repeat */
    stage_add_reserves(&stage, 12, 1);
    stage_add_registration(&stage, 2);
    stage_add_capacity(&stage, stage_today, 2);
    assert_int_equal(run_and_count(&stage), 0);
    stage_make_event(&cancelled, 1, "booking.cancelled", 10);
    stage_add_event(&stage, &cancelled);
    stage_add_reserves(&stage, 12, 1);
    assert_int_equal(run_and_count(&stage), 1);
    stage_make_event(&rejected, 2, "booking.rejected", 13);
    stage_add_event(&stage, &rejected);
    assert_int_equal(run_and_count(&stage), 1);
    stage_make_event(&again, 3, "booking.cancelled", 10);
    stage_add_event(&stage, &again);
    stage_add_deletion(&stage);
    assert_int_equal(run_and_count(&stage), 0);

    static const int64_t RESERVATIONS[][3] = {{RESERVATION_RELEASED, 2, 3},
                                              {RESERVATION_LIVE, 2, NONE},
                                              {RESERVATION_LIVE, 3, NONE},
                                              {RESERVATION_TOMBSTONE, NONE, 4}};
    expect_rows(&stage, &READ_RESERVATIONS, 4, RESERVATIONS);
    static const int64_t CHANGES[][3] = {{1, 2, 1}};
    expect_rows(&stage, &READ_CHANGES, 1, CHANGES);
    stage_close(&stage);
}

static void test_commit_number_is_one_for_all_that_a_batch_does(void **state)
{
    struct stage stage;
    struct sent_event cancelled;
    stage_open(&stage, state);
    stage_add_registration(&stage, 2);
    stage_add_reserves(&stage, 10, 1);
    stage_add_capacity(&stage, stage_today, 5);
    stage_add_capacity(&stage, stage_today, 3);
    stage_add_capacity(&stage, stage_today + 1, 7);
    stage_make_event(&cancelled, 1, "booking.cancelled", 10);
    stage_add_event(&stage, &cancelled);
    assert_int_equal(run_and_count(&stage), 1);
    static const int64_t RESERVATIONS[][3] = {{RESERVATION_RELEASED, 1, 1}};
    expect_rows(&stage, &READ_RESERVATIONS, 1, RESERVATIONS);
    static const int64_t CHANGES[][3] = {{1, 2, 1}, {2, 5, 1}, {3, 3, 1}, {1, 7, 1}};
    expect_rows(&stage, &READ_CHANGES, 4, CHANGES);
    stage_close(&stage);
}

static void test_commit_number_of_a_batch_that_failed_is_used_by_the_next(void **state)
{
    struct stage stage;
    struct error error = {0};
    stage_open(&stage, state);
    stage_add_registration(&stage, 3);
    stage_add_reserves(&stage, 10, 1);
    fixture_expect(stage_apply(&stage, &error), STATUS_OK, &error);
    db_rollback(stage.db);
    stage_run(&stage);
    assert_int_equal(stage_number(&stage, &READ_COUNTER), 1);
    /* The result of the COMMIT was lost. The batch is applied again and finds everything done. */
    stage.count = 2;
    assert_int_equal(run_and_count(&stage), 0);
    static const int64_t RESERVATIONS[][3] = {{RESERVATION_LIVE, 1, NONE}};
    expect_rows(&stage, &READ_RESERVATIONS, 1, RESERVATIONS);
    stage_close(&stage);
}

/*
 * Reinstates the places of `count` bookings, from booking `first` on, as a batch does. hospital_test covers
 * the rules.
 */
static void reinstate(struct stage *stage, uint8_t first, size_t count)
{
    struct error error = {0};
    struct arena arena;
    struct working_set set;
    struct reservation_row *rows[ROWS_MAX];
    struct db_params *params = stage->fixture->params;
    arena_init(&arena);
    working_set_init(&set, &arena);
    struct day_row *day = working_set_day(&set, &STAGE_HOSPITAL_ID, stage_today);
    for (size_t i = 0; i < count; i++) {
        const struct uuid booking_id = {{(uint8_t)(first + i)}};
        rows[i] = working_set_reservation(&set, &booking_id);
    }
    fixture_expect(db_begin(stage->db, &error), STATUS_OK, &error);
    fixture_expect(store_load_reservations(stage->db, params, &set, &error), STATUS_OK, &error);
    fixture_expect(store_load_days(stage->db, params, &set, stage_today, &error), STATUS_OK, &error);
    for (size_t i = 0; i < count; i++) {
        const struct reserve reserve = {rows[i]->reservation.booking_id, STAGE_HOSPITAL_ID, stage_today, 2};
        if (hospital_reinstate(&rows[i]->reservation, &day->day, &reserve) == REINSTATE_TAKEN)
            rows[i]->dirty = day->dirty = true;
    }
    fixture_expect(store_save(stage->db, params, &set, &error), STATUS_OK, &error);
    fixture_expect(db_commit(stage->db, &error), STATUS_OK, &error);
    working_set_fini(&set);
    arena_fini(&arena);
}

static void test_commit_number_of_a_reinstated_place_is_that_of_its_return(void **state)
{
    struct stage stage;
    struct sent_event cancelled, rejected, again;
    stage_open(&stage, state);
    stage_add_registration(&stage, 2);
    stage_add_reserves(&stage, 10, 2)[0].wanted.headcount = 1;
    stage_run(&stage);
    stage_make_event(&cancelled, 1, "booking.cancelled", 10);
    stage_add_event(&stage, &cancelled);
    stage_run(&stage);
    stage_make_event(&rejected, 2, "booking.rejected", 12);
    stage_add_event(&stage, &rejected);
    stage_run(&stage);
    /* Booking 10 was released, 11 is live with a different headcount, 12 is a tombstone, 13 is unknown. */
    reinstate(&stage, 10, 4);
    static const int64_t TAKEN[][3] = {{RESERVATION_LIVE, 4, NONE},
                                       {RESERVATION_LIVE, 1, NONE},
                                       {RESERVATION_LIVE, 4, NONE},
                                       {RESERVATION_LIVE, 4, NONE}};
    expect_rows(&stage, &READ_RESERVATIONS, 4, TAKEN);
    static const int64_t HEADCOUNTS[][3] = {{RESERVATION_LIVE, 2, 0},
                                            {RESERVATION_LIVE, 1, 0},
                                            {RESERVATION_LIVE, 2, 0},
                                            {RESERVATION_LIVE, 2, 0}};
    expect_rows(&stage, &READ_HEADCOUNTS, 4, HEADCOUNTS);
    static const int64_t OVERCOMMITTED[][3] = {{2, 7, 1}};
    expect_rows(&stage, &READ_DAY, 1, OVERCOMMITTED);

    stage_make_event(&again, 3, "booking.cancelled", 12);
    stage_add_event(&stage, &again);
    stage_run(&stage);
    static const int64_t RELEASED[][3] = {{RESERVATION_LIVE, 4, NONE},
                                          {RESERVATION_LIVE, 1, NONE},
                                          {RESERVATION_RELEASED, 4, 5},
                                          {RESERVATION_LIVE, 4, NONE}};
    expect_rows(&stage, &READ_RESERVATIONS, 4, RELEASED);
    static const int64_t LESS[][3] = {{2, 5, 1}};
    expect_rows(&stage, &READ_DAY, 1, LESS);
    stage_close(&stage);
}

/*
 * Creates a database with the first version of the schema, and fills it with a day of 5 places that has
 * reservations 20 (live), 21 (released) and 22 (tombstone).
 */
static void fill_first_version(struct fixture *fixture)
{
    struct error error = {0};
    struct db_params *params = fixture->params;
    fixture_expect(db_migrate(fixture->db, "hospital", HOSPITAL_MIGRATIONS, 1, &error), STATUS_OK, &error);
    db_params_reset(params);
    db_params_uuid(params, &STAGE_HOSPITAL_ID);
    db_params_date(params, stage_today);
    db_params_int(params, 5);
    db_params_int(params, 4);
    db_params_int(params, 3);
    db_params_end_row(params);
    fixture_expect(db_run(fixture->db, &INSERT_OLD_DAY, params, NULL, NULL, &error), STATUS_OK, &error);
    const struct uuid booking_ids[] = {{{20}}, {{21}}, {{22}}};
    db_params_reset(params);
    for (int i = 0; i < 3; i++) {
        db_params_uuid(params, &booking_ids[i]);
        db_params_uuid(params, &STAGE_HOSPITAL_ID);
        db_params_date(params, stage_today);
        db_params_int(params, i < 2 ? 1 : 0);
        db_params_int(params, RESERVATION_LIVE + i);
        db_params_end_row(params);
    }
    fixture_expect(db_run(fixture->db, &INSERT_OLD_RESERVATION, params, NULL, NULL, &error), STATUS_OK,
                   &error);
}

static void test_commit_number_of_what_an_older_database_holds_is_zero(void **state)
{
    struct stage stage;
    struct sent_event cancelled;
    fill_first_version(fixture_of(state));
    stage_open(&stage, state);
    static const int64_t BEFORE[][3] = {
        {RESERVATION_LIVE, 0, NONE}, {RESERVATION_RELEASED, 0, 0}, {RESERVATION_TOMBSTONE, NONE, 0}};
    expect_rows(&stage, &READ_RESERVATIONS, 3, BEFORE);
    static const int64_t CHANGES[][3] = {{3, 5, 0}};
    expect_rows(&stage, &READ_CHANGES, 1, CHANGES);
    static const int64_t DAY[][3] = {{5, 1, 3}};
    expect_rows(&stage, &READ_DAY, 1, DAY);
    assert_int_equal(stage_number(&stage, &READ_COUNTER), 0);

    stage_make_event(&cancelled, 1, "booking.cancelled", 20);
    stage_add_event(&stage, &cancelled);
    assert_int_equal(run_and_count(&stage), 1);
    static const int64_t AFTER[][3] = {
        {RESERVATION_RELEASED, 0, 1}, {RESERVATION_RELEASED, 0, 0}, {RESERVATION_TOMBSTONE, NONE, 0}};
    expect_rows(&stage, &READ_RESERVATIONS, 3, AFTER);
    stage_close(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_BOTH(test_commit_number_moves_with_each_batch_that_changes_places),
        TEST_BOTH(test_commit_number_is_one_for_all_that_a_batch_does),
        TEST_BOTH(test_commit_number_of_a_batch_that_failed_is_used_by_the_next),
        TEST_BOTH(test_commit_number_of_a_reinstated_place_is_that_of_its_return),
        TEST_BOTH(test_commit_number_of_what_an_older_database_holds_is_zero),
    };
    stage_stop_clock();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
