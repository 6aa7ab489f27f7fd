#include "live_text.h"

#include <stdlib.h>

#include "base/civil.h"
#include "base/unit_testing.h"

static const char HOSPITAL[] = "0190b1a2-0000-7000-8000-000000000001";

static int32_t date_of(const char *text)
{
    int32_t day = 0;
    assert_true(civil_parse(text, &day));
    return day;
}

/* ---- positions ---- */

static void test_position_is_read_as_it_is_written(void **state)
{
    (void)state;
    const struct live_position positions[] = {{0, 0}, {1, 2}, {UINT64_MAX, UINT64_MAX}};
    for (size_t i = 0; i < sizeof positions / sizeof positions[0]; i++) {
        char text[LIVE_POSITION_SIZE];
        struct live_position read = {7, 7};
        assert_true(live_position_parse(live_position_format(&positions[i], text), &read));
        assert_int_equal(read.booking, positions[i].booking);
        assert_int_equal(read.hospital, positions[i].hospital);
    }
}

static void test_position_that_is_none_is_refused_and_changes_nothing(void **state)
{
    (void)state;
    static const char *const TEXTS[] = {
        "",
        "booking:1",
        "booking:1,hospital:",
        "booking:,hospital:1",
        "hospital:1,booking:2",
        "booking:1,hospital:2 ",
        " booking:1,hospital:2",
        "booking:1,hospital:2,hospital:3",
        "booking:-1,hospital:2",
        "booking:+1,hospital:2",
        "booking:0x1,hospital:2",
        "booking:18446744073709551616,hospital:2",
        "booking:1,hospital:99999999999999999999",
    };
    for (size_t i = 0; i < sizeof TEXTS / sizeof TEXTS[0]; i++) {
        struct live_position read = {7, 8};
        if (live_position_parse(TEXTS[i], &read))
            fail_msg("%s", TEXTS[i]);
        assert_int_equal(read.booking, 7);
        assert_int_equal(read.hospital, 8);
    }
}

/* ---- parameters ---- */

static void test_parameters_are_known_by_name(void **state)
{
    (void)state;
    struct live_query query = {0};
    assert_ptr_equal(live_query_slot(&query, "hospitalId"), &query.hospital_id);
    assert_ptr_equal(live_query_slot(&query, "from"), &query.from);
    assert_ptr_equal(live_query_slot(&query, "to"), &query.to);
    assert_ptr_equal(live_query_slot(&query, "customerId"), &query.customer_id);
    assert_ptr_equal(live_query_slot(&query, "lastEventId"), &query.last_event_id);
    assert_null(live_query_slot(&query, "hospital_id"));
    assert_null(live_query_slot(&query, ""));
}

static void test_filter_without_days_has_a_month_from_today(void **state)
{
    (void)state;
    int32_t today = date_of("2026-12-01");
    const struct live_query query = {.hospital_id = HOSPITAL};
    struct live_filter filter;
    struct error error;
    assert_int_equal(live_filter_parse(&query, today, &filter, &error), STATUS_OK);
    assert_true(filter.has_hospital);
    assert_null(filter.customer_id);
    assert_int_equal(filter.days.from, today);
    assert_int_equal(filter.days.to, date_of("2026-12-31"));
    const struct live_query later = {.hospital_id = HOSPITAL, .from = "2027-01-01"};
    assert_int_equal(live_filter_parse(&later, today, &filter, &error), STATUS_OK);
    assert_int_equal(filter.days.from, date_of("2027-01-01"));
    assert_int_equal(filter.days.to, date_of("2027-01-31"));
}

/* ---- windows ---- */

static struct live_window window_of(const char *from, const char *to, const char *today)
{
    const struct live_query query = {.hospital_id = HOSPITAL, .from = from, .to = to};
    struct live_filter filter;
    struct error error;
    assert_int_equal(live_filter_parse(&query, date_of(today), &filter, &error), STATUS_OK);
    return filter.days;
}

static void assert_window(const struct live_window *window, const char *from, const char *to)
{
    assert_int_equal(window->from, date_of(from));
    assert_int_equal(window->to, date_of(to));
}

static void test_window_without_days_moves_with_the_day(void **state)
{
    (void)state;
    struct live_window window = window_of(NULL, NULL, "2026-12-24");
    int32_t fresh = 0;
    assert_false(live_window_move(&window, date_of("2026-12-24"), &fresh));
    assert_true(live_window_move(&window, date_of("2026-12-25"), &fresh));
    assert_window(&window, "2026-12-25", "2027-01-24");
    assert_int_equal(fresh, date_of("2027-01-24"));
    assert_false(live_window_move(&window, date_of("2026-12-25"), &fresh));
    assert_true(live_window_move(&window, date_of("2026-12-28"), &fresh)); /* after a suspension */
    assert_window(&window, "2026-12-28", "2027-01-27");
    assert_int_equal(fresh, date_of("2027-01-25"));
}

static void test_window_that_has_nothing_in_common_with_before_is_fresh(void **state)
{
    (void)state;
    struct live_window window = window_of(NULL, NULL, "2026-12-24");
    int32_t fresh = 0;
    assert_true(live_window_move(&window, date_of("2027-06-01"), &fresh));
    assert_window(&window, "2027-06-01", "2027-07-01");
    assert_int_equal(fresh, date_of("2027-06-01"));
    assert_true(live_window_move(&window, date_of("2027-05-31"), &fresh)); /* the clock was set back */
    assert_window(&window, "2027-05-31", "2027-06-30");
    assert_int_equal(fresh, date_of("2027-05-31"));
}

static void test_window_with_an_end_only_begins_later(void **state)
{
    (void)state;
    struct live_window window = window_of(NULL, "2026-12-25", "2026-12-24");
    int32_t fresh = 0;
    assert_true(live_window_move(&window, date_of("2026-12-25"), &fresh));
    assert_window(&window, "2026-12-25", "2026-12-25");
    assert_true(fresh > window.to); /* no new days */
    assert_true(live_window_move(&window, date_of("2026-12-26"), &fresh));
    assert_true(window.from > window.to && fresh > window.to);
}

static void test_window_with_a_begin_stays(void **state)
{
    (void)state;
    struct live_window window = window_of("2026-12-24", NULL, "2026-12-24");
    int32_t fresh = 0;
    assert_false(live_window_move(&window, date_of("2026-12-25"), &fresh));
    assert_window(&window, "2026-12-24", "2027-01-23");
}

static void test_filter_takes_a_customer_alone(void **state)
{
    (void)state;
    const struct live_query query = {.customer_id = "c-1"};
    struct live_filter filter;
    struct error error;
    assert_int_equal(live_filter_parse(&query, 0, &filter, &error), STATUS_OK);
    assert_false(filter.has_hospital);
    assert_string_equal(filter.customer_id, "c-1");
}

static void test_filter_that_cannot_be_fulfilled_names_the_parameter(void **state)
{
    (void)state;
    const struct {
        struct live_query query;
        const char *message;
    } refused[] = {
        {{.from = NULL}, "hospitalId, customerId: one must be given"},
        {{.hospital_id = "x"}, "hospitalId: must be a UUID"},
        {{.hospital_id = HOSPITAL, .from = "2026-02-30"}, "from: must be an existing date, YYYY-MM-DD"},
        {{.hospital_id = HOSPITAL, .to = ""}, "to: must be an existing date, YYYY-MM-DD"},
        {{.hospital_id = HOSPITAL, .from = "2026-12-02", .to = "2026-12-01"}, "to: must not be before from"},
        {{.hospital_id = HOSPITAL, .from = "2026-01-01", .to = "2027-01-02"},
         "to: must be at most 365 days after from"},
        {{.customer_id = "c", .from = "2026-12-01"}, "from: requires hospitalId"},
        {{.customer_id = "c", .to = "2026-12-01"}, "to: requires hospitalId"},
    };
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        struct live_filter filter;
        struct error error = {.status = STATUS_OK};
        assert_int_equal(live_filter_parse(&refused[i].query, date_of("2026-12-01"), &filter, &error),
                         STATUS_INVALID_ARGUMENT);
        assert_string_equal(error.message, refused[i].message);
    }
    const struct live_query longest = {.hospital_id = HOSPITAL, .from = "2026-01-01", .to = "2027-01-01"};
    struct live_filter filter;
    struct error error;
    assert_int_equal(live_filter_parse(&longest, 0, &filter, &error), STATUS_OK);
    const struct live_query spaced = {.customer_id = "a b"};
    assert_int_equal(live_filter_parse(&spaced, 0, &filter, &error), STATUS_INVALID_ARGUMENT);
}

/* ---- messages ---- */

static void test_message_has_its_id_first(void **state)
{
    (void)state;
    const struct live_position position = {12, 3};
    char *text = live_message(&position, "booking", "{\"a\":1}");
    assert_string_equal(text, "id: booking:12,hospital:3\nevent: booking\ndata: {\"a\":1}\n\n");
    free(text);
    text = live_message(NULL, "reset", "{}");
    assert_string_equal(text, "event: reset\ndata: {}\n\n");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_position_is_read_as_it_is_written),
        cmocka_unit_test(test_position_that_is_none_is_refused_and_changes_nothing),
        cmocka_unit_test(test_parameters_are_known_by_name),
        cmocka_unit_test(test_filter_without_days_has_a_month_from_today),
        cmocka_unit_test(test_window_without_days_moves_with_the_day),
        cmocka_unit_test(test_window_that_has_nothing_in_common_with_before_is_fresh),
        cmocka_unit_test(test_window_with_an_end_only_begins_later),
        cmocka_unit_test(test_window_with_a_begin_stays),
        cmocka_unit_test(test_filter_takes_a_customer_alone),
        cmocka_unit_test(test_filter_that_cannot_be_fulfilled_names_the_parameter),
        cmocka_unit_test(test_message_has_its_id_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
