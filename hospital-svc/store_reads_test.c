#include "batch_testing.h"
#include "store_reads.h"

#include <stdio.h>

struct seen {
    size_t count;
    char names[8][32];
    uint32_t remaining;
};

static enum status see(void *context, const struct hospital *hospital, const struct screening_day *day)
{
    struct seen *seen = context;
    (void)snprintf(seen->names[seen->count++], sizeof seen->names[0], "%s", hospital->name);
    seen->remaining = day != NULL ? screening_day_remaining(day) : UINT32_MAX;
    return STATUS_OK;
}

static void list(struct stage *stage, const struct store_list *wanted, struct seen *seen)
{
    struct error error = {0};
    *seen = (struct seen){0};
    fixture_expect(store_list_hospitals(stage->db, wanted, see, seen, &error), STATUS_OK, &error);
}

static void add_named(struct stage *stage, uint8_t number_of, const char *name, uint32_t capacity)
{
    struct command *command = stage_add_registration(stage, capacity);
    command->wanted.registration.hospital_id.bytes[0] = number_of;
    command->wanted.registration.name = name;
}

static void test_list_filters_and_starts_at_an_id(void **state)
{
    struct stage stage;
    struct seen seen;
    stage_open(&stage, state);
    add_named(&stage, 1, "Namsan 100% Clinic", 5);
    add_named(&stage, 2, "Han_River clinic", 0);
    add_named(&stage, 3, "한빛검진센터", 7);
    stage_run(&stage);
    stage_add_deletion(&stage);
    stage_add_reserves(&stage, 10, 1)->wanted.hospital_id.bytes[0] = 3;
    stage_run(&stage);

    struct store_list wanted = {
        .name_contains = "", .decomposed = "", .as_sent = "", .include_deleted = true, .max = 10};
    list(&stage, &wanted, &seen);
    assert_int_equal(seen.count, 3);
    wanted.include_deleted = false;
    list(&stage, &wanted, &seen);
    assert_int_equal(seen.count, 2);
    assert_string_equal(seen.names[0], "Han_River clinic");
    wanted.on_date = true;
    wanted.date = stage_today;
    list(&stage, &wanted, &seen);
    assert_int_equal(seen.count, 1); /* the other hospital's day is closed */
    assert_string_equal(seen.names[0], "한빛검진센터");
    assert_int_equal(seen.remaining, 6);

    static const struct {
        const char *part;
        size_t count;
    } CASES[] = {{"CLINIC", 2}, {"100%", 1}, {"%", 1},  {"_", 1},
                 {"n_r", 1},    {"한빛", 1}, {"\\", 0}, {"x", 0}};
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        const struct store_list by_name = {.name_contains = CASES[i].part,
                                           .decomposed = CASES[i].part,
                                           .as_sent = CASES[i].part,
                                           .include_deleted = true,
                                           .max = 10};
        list(&stage, &by_name, &seen);
        assert_int_equal(seen.count, CASES[i].count);
    }
    const struct store_list other_forms = {.name_contains = "none",
                                           .decomposed = "River",
                                           .as_sent = "100%",
                                           .include_deleted = true,
                                           .max = 10};
    list(&stage, &other_forms, &seen);
    assert_int_equal(seen.count, 2);
    const struct store_list second_page = {.first_id = {{2}},
                                           .name_contains = "",
                                           .decomposed = "",
                                           .as_sent = "",
                                           .include_deleted = true,
                                           .max = 1};
    list(&stage, &second_page, &seen);
    assert_int_equal(seen.count, 1);
    assert_string_equal(seen.names[0], "Han_River clinic");
    stage_close(&stage);
}

static void note_live(void *context, const struct uuid *booking_id)
{
    uint8_t **at = context;
    *(*at)++ = booking_id->bytes[0];
}

static void test_list_live_counts_all_and_shows_the_newest(void **state)
{
    struct stage stage;
    struct sent_event cancelled;
    struct error error = {0};
    uint8_t shown[4] = {0}, *at = shown;
    int64_t count = 0;
    stage_open(&stage, state);
    stage_add_registration(&stage, 9);
    stage_add_reserves(&stage, 10, 4);
    stage_run(&stage);
    stage_make_event(&cancelled, 1, "booking.cancelled", 13);
    stage_add_event(&stage, &cancelled);
    stage_run(&stage);
    fixture_expect(store_list_live(stage.db, 2, &count, note_live, &at, &error), STATUS_OK, &error);
    assert_int_equal(count, 3);
    assert_int_equal(at - shown, 2);
    assert_int_equal(shown[0], 12);
    assert_int_equal(shown[1], 11);
    stage_close(&stage);
}

static enum status count_day(void *context, const struct screening_day *day)
{
    size_t *count = context;
    *count += day->version > 0 ? 1 : 100;
    return STATUS_OK;
}

static const struct db_statement RESERVE_BEYOND = {
    .name = "test_reserve_beyond",
    .sql = "UPDATE screening_day SET reserved = capacity + 1",
};
static const struct db_statement NEVER_OPENED = {
    .name = "test_never_opened",
    .sql = "UPDATE screening_day SET version = 0, capacity = 0",
};

static void test_overcommitted_days_are_counted_from_today_on(void **state)
{
    struct stage stage;
    struct error error = {0};
    int64_t days = 7;
    stage_open(&stage, state);
    stage_add_registration(&stage, 3);
    stage_add_capacity(&stage, stage_today + 1, 3);
    stage_run(&stage);
    fixture_expect(store_count_overcommitted(stage.db, stage_today, &days, &error), STATUS_OK, &error);
    assert_int_equal(days, 0);
    fixture_expect(db_run(stage.db, &RESERVE_BEYOND, NULL, NULL, NULL, &error), STATUS_OK, &error);
    fixture_expect(store_count_overcommitted(stage.db, stage_today, &days, &error), STATUS_OK, &error);
    assert_int_equal(days, 2);
    fixture_expect(store_count_overcommitted(stage.db, stage_today + 1, &days, &error), STATUS_OK, &error);
    assert_int_equal(days, 1);
    stage_close(&stage);
}

static void test_days_never_opened_are_not_shown(void **state)
{
    struct stage stage;
    struct error error = {0};
    size_t shown = 0;
    stage_open(&stage, state);
    stage_add_registration(&stage, 3);
    stage_add_reserves(&stage, 10, 1);
    stage_run(&stage);
    fixture_expect(store_read_days(stage.db, &STAGE_HOSPITAL_ID, stage_today, STORE_DATE_LAST, count_day,
                                   &shown, &error),
                   STATUS_OK, &error);
    assert_int_equal(shown, 1);
    fixture_expect(db_run(stage.db, &NEVER_OPENED, NULL, NULL, NULL, &error), STATUS_OK, &error);
    fixture_expect(store_read_days(stage.db, &STAGE_HOSPITAL_ID, stage_today, STORE_DATE_LAST, count_day,
                                   &shown, &error),
                   STATUS_OK, &error);
    assert_int_equal(shown, 1);
    stage_close(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_BOTH(test_list_filters_and_starts_at_an_id),
        TEST_BOTH(test_list_live_counts_all_and_shows_the_newest),
        TEST_BOTH(test_overcommitted_days_are_counted_from_today_on),
        TEST_BOTH(test_days_never_opened_are_not_shown),
    };
    stage_stop_clock();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
