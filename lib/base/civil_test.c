#include <string.h>
#include <time.h>

#include "base/civil.h"
#include "base/clock.h"
#include "base/unit_testing.h"

static const int64_t S_PER_HOUR = 3600;

static void set_zone(const char *zone)
{
    struct error error;
    assert_int_equal(civil_zone_set(zone, &error), STATUS_OK);
}

static int32_t parsed(const char *text)
{
    int32_t day = INT32_MIN;
    assert_true(civil_parse(text, &day));
    return day;
}

static void test_civil_parse_known_dates_give_their_day(void **state)
{
    (void)state;
    assert_int_equal(parsed("1970-01-01"), 0);
    assert_int_equal(parsed("1969-12-31"), -1);
    assert_int_equal(parsed("2000-02-29"), 11016);
    assert_int_equal(parsed("2026-12-01"), 20788);
    assert_int_equal(parsed("0001-01-01"), -719162);
    assert_int_equal(parsed("9999-12-31"), 2932896);
}

static void test_civil_format_and_parse_agree_on_every_day(void **state)
{
    (void)state;
    char last[CIVIL_TEXT_SIZE] = "0000-00-00";
    char text[CIVIL_TEXT_SIZE];
    for (int32_t day = -719162; day <= 2932896; day++) {
        int32_t read = INT32_MIN;
        if (!civil_parse(civil_format(day, text), &read) || read != day || strcmp(last, text) >= 0)
            fail_msg("day %d is written %s, read %d", day, text, read);
        memcpy(last, text, sizeof last);
    }
}

static void test_civil_format_outside_the_years_is_the_nearest(void **state)
{
    (void)state;
    char text[CIVIL_TEXT_SIZE];
    assert_string_equal(civil_format(INT32_MIN, text), "0001-01-01");
    assert_string_equal(civil_format(INT32_MAX, text), "9999-12-31");
}

static void test_civil_parse_other_text_is_refused_and_leaves_out_alone(void **state)
{
    (void)state;
    static const char *const TEXTS[] = {
        NULL,          "",
        "2026",        "2026-12",
        "2026-12-1",   "2026-12-011",
        "2026-13-01",  "2026-00-01",
        "2026-01-00",  "2026-01-32",
        "2026-04-31",  "2026-02-29",
        "1900-02-29",  "0000-01-01",
        "2026/12/01",  "20261201",
        " 2026-12-01", "2026-12-01 ",
        "-026-12-01",  "+026-12-01",
        "2026-1a-01",  "2026-12-01T00:00:00Z",
    };
    int32_t day = 77;
    for (size_t i = 0; i < sizeof TEXTS / sizeof TEXTS[0]; i++)
        assert_false(civil_parse(TEXTS[i], &day));
    assert_int_equal(day, 77);
}

static void test_civil_zone_set_what_is_no_zone_is_refused(void **state)
{
    (void)state;
    static const char *const ZONES[] = {
        "",
        "Nowhere/Atlantis",
        "Asia",
        "/etc/localtime",
        "/usr/share/zoneinfo/Asia/Seoul",
        "../zoneinfo/Asia/Seoul",
        "Asia/../Asia/Seoul",
        "zone.tab",
        ".",
    };
    set_zone("Asia/Seoul");
    for (size_t i = 0; i < sizeof ZONES / sizeof ZONES[0]; i++) {
        struct error error;
        assert_int_equal(civil_zone_set(ZONES[i], &error), STATUS_INVALID_ARGUMENT);
        assert_non_null(strstr(error.message, ZONES[i]));
    }
    char long_name[5000];
    memset(long_name, 'a', sizeof long_name);
    long_name[sizeof long_name - 1] = '\0';
    assert_int_equal(civil_zone_set(long_name, NULL), STATUS_INVALID_ARGUMENT);
    /* The previous zone is still set: 2026-12-01T15:00Z is midnight in Seoul. */
    assert_int_equal(civil_day_at(INT64_C(1796137200) * US_PER_S), parsed("2026-12-02"));
}

static void test_civil_day_at_changes_at_midnight_of_the_zone(void **state)
{
    (void)state;
    set_zone("Asia/Seoul");
    assert_int_equal(civil_day_at(INT64_C(1796137200) * US_PER_S - 1), parsed("2026-12-01"));
    assert_int_equal(civil_day_at(INT64_C(1796137200) * US_PER_S), parsed("2026-12-02"));
    set_zone("UTC"); /* the same instant in another zone */
    assert_int_equal(civil_day_at(INT64_C(1796137200) * US_PER_S), parsed("2026-12-01"));
    assert_int_equal(civil_day_at(-1), -1);
    assert_int_equal(civil_day_at(0), 0);
}

static void test_civil_day_at_is_right_across_daylight_saving(void **state)
{
    (void)state;
    set_zone("America/New_York");
    /* In this zone 2026-03-08 has 23 hours (05:00Z to 04:00Z), 2026-11-01 has 25 (04:00Z to 05:00Z). */
    const int64_t spring = (int64_t)parsed("2026-03-08") * 86400;
    assert_int_equal(civil_day_at((spring + 5 * S_PER_HOUR) * US_PER_S - 1), parsed("2026-03-07"));
    assert_int_equal(civil_day_at((spring + 5 * S_PER_HOUR) * US_PER_S), parsed("2026-03-08"));
    assert_int_equal(civil_day_at((spring + 28 * S_PER_HOUR) * US_PER_S - 1), parsed("2026-03-08"));
    assert_int_equal(civil_day_at((spring + 28 * S_PER_HOUR) * US_PER_S), parsed("2026-03-09"));
    const int64_t autumn = (int64_t)parsed("2026-11-01") * 86400;
    assert_int_equal(civil_day_at((autumn + 4 * S_PER_HOUR) * US_PER_S - 1), parsed("2026-10-31"));
    assert_int_equal(civil_day_at((autumn + 4 * S_PER_HOUR) * US_PER_S), parsed("2026-11-01"));
    assert_int_equal(civil_day_at((autumn + 29 * S_PER_HOUR) * US_PER_S - 1), parsed("2026-11-01"));
    assert_int_equal(civil_day_at((autumn + 29 * S_PER_HOUR) * US_PER_S), parsed("2026-11-02"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_civil_parse_known_dates_give_their_day),
        cmocka_unit_test(test_civil_format_and_parse_agree_on_every_day),
        cmocka_unit_test(test_civil_format_outside_the_years_is_the_nearest),
        cmocka_unit_test(test_civil_parse_other_text_is_refused_and_leaves_out_alone),
        cmocka_unit_test(test_civil_zone_set_what_is_no_zone_is_refused),
        cmocka_unit_test(test_civil_day_at_changes_at_midnight_of_the_zone),
        cmocka_unit_test(test_civil_day_at_is_right_across_daylight_saving),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
