/* Tests the timeline by month: partitions, lost months, migration from one table. Needs PostgreSQL. */
#include "history_testing.h"

#include <stdio.h>
#include <string.h>

#include "db/migrate.h"

/* 2026-11-30T23:59:59.999999Z, the last instant of a month. */
static const int64_t NOVEMBER_ENDS_US = INT64_C(1796083199999999);
static const int64_t DAY_US = INT64_C(86400) * 1000000;

/* Makes the event that confirms booking `number` at `occurred_at_us`. */
static Screening__V1__Event *event_at(struct place *place, uint32_t number, int64_t occurred_at_us)
{
    const struct sent_booking sent = {.booking = number,
                                      .hospital = 900,
                                      .customer = "c-1",
                                      .status = SCREENING__V1__BOOKING_STATUS__CONFIRMED,
                                      .version = 2,
                                      .day = TEST_DAY,
                                      .created_at_us = occurred_at_us - 2};
    return make_booking_event(&place->arena, &sent);
}

static void apply_at(struct place *place, uint32_t number, int64_t occurred_at_us)
{
    struct error error = {0};
    Screening__V1__Event *event = event_at(place, number, occurred_at_us);
    expect(place_apply(place, "booking", &event, 1, &error), STATUS_OK, &error);
}

/* ---- partitions of entries ---- */

enum { PLAN_SIZE = 8192 };

struct text {
    char text[PLAN_SIZE];
};

static enum status take_text(void *context, const struct db_row *row)
{
    struct text *text = context;
    snprintf(text->text, sizeof text->text, "%s", db_row_text(row, 0));
    return STATUS_OK;
}

static void assert_text(struct place *place, const char *name, const char *sql, const char *expected)
{
    const struct db_statement statement = {.name = name, .sql = sql};
    struct text found = {""};
    struct error error = {0};
    struct db *db; /* a separate connection, because the statement is valid only in this function */
    expect(db_open(place->url, DB_READ_ONLY, &db, &error), STATUS_OK, &error);
    expect(db_use_schema(db, "history", &error), STATUS_OK, &error);
    expect(db_run(db, &statement, NULL, take_text, &found, &error), STATUS_OK, &error);
    db_close(db);
    assert_string_equal(found.text, expected);
}

/* Checks which months have entries, and how many. The format of `expected` is "MONTH COUNT ...". */
static void assert_months(struct place *place, const char *expected)
{
    assert_text(place, "test_months",
                "SELECT coalesce(string_agg(month || ' ' || entries, ' ' ORDER BY month), '') FROM "
                "(SELECT replace(tableoid::regclass::text, 'timeline_entry_', '') AS month, "
                "count(*) AS entries FROM timeline_entry GROUP BY 1) AS months",
                expected);
}

static void test_history_months_hold_the_entries_that_occurred_in_them(void **state)
{
    struct place *place = place_of(state);
    struct error error = {0};
    Screening__V1__Event *events[] = {
        event_at(place, 1, NOVEMBER_ENDS_US),       event_at(place, 2, NOVEMBER_ENDS_US + 1),
        event_at(place, 3, NOVEMBER_ENDS_US + 2),   event_at(place, 4, NOVEMBER_ENDS_US - 30 * DAY_US),
        event_at(place, 5, NOVEMBER_ENDS_US + 100), event_at(place, 6, NOVEMBER_ENDS_US),
    };
    expect(place_apply(place, "booking", events, 6, &error), STATUS_OK, &error);
    assert_months(place, "2026_10 1 2026_11 2 2026_12 3");
}

static void test_history_months_long_past_and_far_ahead_are_made_on_demand(void **state)
{
    struct place *place = place_of(state);
    apply_at(place, 1, NOVEMBER_ENDS_US);
    apply_at(place, 2, 1000000);                /* 1970 */
    apply_at(place, 3, -62135510400000000);     /* year 1 */
    apply_at(place, 4, NOVEMBER_ENDS_US * 100); /* year 7661 */
    apply_at(place, 5, NOVEMBER_ENDS_US - DAY_US);
    assert_months(place, "0001_01 1 1970_01 1 2026_11 2 7661_07 1");
}

static void test_history_months_more_than_are_remembered_all_come(void **state)
{
    struct place *place = place_of(state);
    for (int round = 0; round < 2; round++)
        for (uint32_t i = 0; i < 100; i++)
            apply_at(place, (uint32_t)round * 100 + i, (int64_t)i * 31 * DAY_US + round);
    assert_text(place, "test_month_count",
                "SELECT count(*) || ' ' || count(DISTINCT tableoid) FROM timeline_entry", "200 100");
}

/* After a rebuild while the service runs, a month without entries no longer exists. */
static void test_history_months_that_went_away_are_made_again(void **state)
{
    struct place *place = place_of(state);
    struct error error = {0};
    apply_at(place, 1, NOVEMBER_ENDS_US);
    apply_at(place, 2, NOVEMBER_ENDS_US + 1);
    expect(db_run_script(place->db, "DROP TABLE timeline_entry_2026_12", &error), STATUS_OK, &error);
    apply_at(place, 3, NOVEMBER_ENDS_US + 2);
    assert_months(place, "2026_11 1 2026_12 1");
}

static void test_history_months_of_a_failed_transaction_are_made_again(void **state)
{
    struct place *place = place_of(state);
    struct error error = {0};
    static const char defer[] =
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$;"
        "CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON booking_summary DEFERRABLE INITIALLY DEFERRED "
        "FOR EACH ROW EXECUTE FUNCTION refuse()";
    Screening__V1__Event *event = event_at(place, 1, NOVEMBER_ENDS_US);
    expect(db_run_script(place->db, defer, &error), STATUS_OK, &error);
    expect(place_apply(place, "booking", &event, 1, &error), STATUS_INTERNAL, &error); /* fails in COMMIT */
    assert_months(place, "");
    expect(db_run_script(place->db, "DROP TRIGGER refuse ON booking_summary", &error), STATUS_OK, &error);
    expect(place_apply(place, "booking", &event, 1, &error), STATUS_OK, &error);
    assert_months(place, "2026_11 1");
}

/* ---- concurrency ---- */

/* An open read or write transaction must not block the creation of a month. */
static void test_history_months_are_made_beside_readers_and_writers(void **state)
{
    static const struct db_statement read = {.name = "test_read",
                                             .sql = "SELECT count(*) FROM timeline_entry"};
    struct place *place = place_of(state);
    struct error error = {0};
    struct db *others[2];
    apply_at(place, 1, NOVEMBER_ENDS_US);
    for (size_t i = 0; i < 2; i++) {
        expect(db_open(place->url, i == 0 ? DB_READ_ONLY : DB_READ_WRITE, &others[i], &error), STATUS_OK,
               &error);
        expect(db_use_schema(others[i], "history", &error), STATUS_OK, &error);
        expect(db_begin(others[i], &error), STATUS_OK, &error);
        assert_int_equal(number_of(others[i], &read), 1);
    }
    apply_at(place, 2, NOVEMBER_ENDS_US + 1);
    for (size_t i = 0; i < 2; i++) {
        db_rollback(others[i]);
        assert_int_equal(number_of(others[i], &read), 2);
        db_close(others[i]);
    }
}

/* Two replicas need the same month. One creates it, and the other waits. */
static void test_history_months_needed_by_two_writers_are_made_by_one(void **state)
{
    struct place *place = place_of(state);
    struct error error = {0};
    struct timeline_month first, second;
    struct db *other;
    expect(db_open(place->url, DB_READ_WRITE, &other, &error), STATUS_OK, &error);
    expect(db_use_schema(other, "history", &error), STATUS_OK, &error);
    expect(db_begin(place->db, &error), STATUS_OK, &error);
    expect(store_open_month(place->db, NOVEMBER_ENDS_US, &first, &error), STATUS_OK, &error);
    expect(db_run_script(other, "SET lock_timeout = 100", &error), STATUS_OK, &error);
    expect(store_open_month(other, 0, &second, &error), STATUS_DEADLINE_EXCEEDED, &error);
    expect(db_commit(place->db, &error), STATUS_OK, &error);
    expect(store_open_month(other, NOVEMBER_ENDS_US, &second, &error), STATUS_OK, &error);
    assert_memory_equal(&first, &second, sizeof first);
    db_close(other);
}

/* ---- migration from one table ---- */

static void test_history_months_take_over_the_entries_of_the_one_table(void **state)
{
    static const char start_over[] = "DROP SCHEMA history CASCADE; CREATE SCHEMA history";
    static const char fill[] =
        "INSERT INTO timeline_entry SELECT gen_random_uuid(), 2, gen_random_uuid(), 2, '', instant_us, "
        "'booking', "
        "row_number() OVER () FROM (VALUES (-1), (0), (1796083199999999), (1796083200000000), "
        "(1796083200000000), (1827619200000000)) AS old (instant_us)";
    struct place *place = place_of(state);
    struct error error = {0};
    expect(db_run_script(place->db, start_over, &error), STATUS_OK, &error);
    expect(db_migrate(place->db, "history", HISTORY_MIGRATIONS, 1, &error), STATUS_OK, &error);
    expect(db_run_script(place->db, fill, &error), STATUS_OK, &error);
    expect(store_migrate(place->db, &error), STATUS_OK, &error);
    assert_months(place, "1969_12 1 1970_01 1 2026_11 1 2026_12 2 2027_12 1");
    assert_text(place, "test_left",
                "SELECT string_agg(tablename, ' ') FROM pg_tables WHERE tablename LIKE '%before%'", "");
}

/* ---- query plans ---- */

static enum status take_plan_line(void *context, const struct db_row *row)
{
    struct text *plan = context;
    size_t used = strlen(plan->text);
    snprintf(plan->text + used, sizeof plan->text - used, "%s\n", db_row_text(row, 0));
    return STATUS_OK;
}

static enum status ignore_entry(void *context, const struct summary_row *summary,
                                const struct entry_row *entry)
{
    (void)context;
    (void)summary;
    (void)entry;
    return STATUS_OK;
}

/* A plan that was prepared on empty tables must use the indexes once the tables have filled. */
static void test_history_months_are_read_by_index(void **state)
{
    struct place *place = place_of(state);
    struct error error = {0};
    struct uuid id = test_id(1);
    struct text plan = {""};
    char text[UUID_TEXT_SIZE], sql[TEXT_SIZE];
    apply_at(place, 1, NOVEMBER_ENDS_US);
    expect(store_load_history(place->db, &id, &STORE_SEES_ALL, ignore_entry, NULL, &error), STATUS_OK,
           &error);
    for (uint32_t i = 2; i < 500; i++)
        apply_at(place, i, NOVEMBER_ENDS_US + i % 2);
    snprintf(sql, sizeof sql, "EXPLAIN (COSTS OFF) EXECUTE load_history('%s', 1, NULL, '')",
             uuid_format(&id, text));
    const struct db_statement explain = {.name = "test_explain", .sql = sql};
    expect(db_run(place->db, &explain, NULL, take_plan_line, &plan, &error), STATUS_OK, &error);
    assert_non_null(strstr(plan.text, "timeline_entry_2026_11_pkey"));
    assert_non_null(strstr(plan.text, "timeline_entry_2026_12_pkey"));
    assert_non_null(strstr(plan.text, "booking_summary_pkey"));
    assert_null(strstr(plan.text, "Seq Scan on timeline_entry"));
    assert_null(strstr(plan.text, "Seq Scan on booking_summary"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_PLACE(test_history_months_hold_the_entries_that_occurred_in_them),
        TEST_PLACE(test_history_months_long_past_and_far_ahead_are_made_on_demand),
        TEST_PLACE(test_history_months_more_than_are_remembered_all_come),
        TEST_PLACE(test_history_months_that_went_away_are_made_again),
        TEST_PLACE(test_history_months_of_a_failed_transaction_are_made_again),
        TEST_PLACE(test_history_months_are_made_beside_readers_and_writers),
        TEST_PLACE(test_history_months_needed_by_two_writers_are_made_by_one),
        TEST_PLACE(test_history_months_take_over_the_entries_of_the_one_table),
        TEST_PLACE(test_history_months_are_read_by_index),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
