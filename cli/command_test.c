#include "command.h"
#include "hospital_find.h"
#include "values.h"

#include <string.h>

#include "base/civil.h"
#include "base/unit_testing.h"

#include "screening/v1/types.pb-c.h"

enum { WORDS_MAX = 12 };

static const struct command COMMAND = {.group = "group", .arguments = "", .summary = "summary"};

static struct session session;

/* Receives the values of the arguments below. */
static struct {
    char *text;
    uint32_t number;
    uint32_t people;
    uint32_t room;
    protobuf_c_boolean on;
    char *date;
    Screening__V1__BookingStatus status;
    struct text_list list;
    char *first;
    char *second;
} read;

static const struct argument ARGUMENTS[] = {
    {"--text", &read.text, ARGUMENT_TEXT, false},          {"FIRST", &read.first, ARGUMENT_TEXT, true},
    {"--number", &read.number, ARGUMENT_NUMBER, false},    {"--switch", &read.on, ARGUMENT_SWITCH, false},
    {"--date", &read.date, ARGUMENT_DATE, false},          {"SECOND", &read.second, ARGUMENT_TEXT, false},
    {"--status", &read.status, ARGUMENT_STATUS, false},    {"--item", &read.list, ARGUMENT_LIST, false},
    {"--people", &read.people, ARGUMENT_HEADCOUNT, false}, {"--room", &read.room, ARGUMENT_CAPACITY, false},
};

static int set_up(void **state)
{
    (void)state;
    memset(&read, 0, sizeof read);
    session_init(&session);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    session_fini(&session);
    return 0;
}

/* Reads the words up to NULL. Returns whether they are valid; if not, sets the command's exit code. */
static bool read_words(const char *const *words, int *exit_code)
{
    char *argv[WORDS_MAX];
    int argc = 0;
    while (words[argc] != NULL) {
        argv[argc] = arena_strdup(&session.arena, words[argc]);
        argc++;
    }
    return command_read(&session, &COMMAND, ARGUMENTS, sizeof ARGUMENTS / sizeof ARGUMENTS[0], argc, argv,
                        exit_code);
}

#define READ(...) read_words((const char *const[]){__VA_ARGS__, NULL}, &(int){0})

static void test_command_read_options_and_places_in_any_order(void **state)
{
    (void)state;
    assert_true(READ("--number", "7", "a", "--switch", "b", "--text", "t"));
    assert_int_equal(read.number, 7);
    assert_true(read.on);
    assert_string_equal(read.first, "a");
    assert_string_equal(read.second, "b");
    assert_string_equal(read.text, "t");
}

static void test_command_read_typed_values_are_converted(void **state)
{
    (void)state;
    assert_true(READ("a", "--date", "2026-12-01", "--status", "CONFIRMED"));
    assert_string_equal(read.date, "2026-12-01");
    assert_int_equal(read.status, SCREENING__V1__BOOKING_STATUS__CONFIRMED);
    int32_t today, day;
    struct error error;
    assert_true(READ("a", "--date", "+3"));
    assert_int_equal(session_today(&session, &today, &error), STATUS_OK);
    assert_true(civil_parse(read.date, &day));
    assert_in_range(today + 3 - day, 0, 1); /* midnight may have passed */
}

static void test_command_read_values_may_follow_an_equals_sign(void **state)
{
    (void)state;
    assert_true(
        READ("--text=--switch", "a", "--number=7", "--item=+1=5", "--timeout=250", "--date=2026-12-01"));
    assert_string_equal(read.text, "--switch");
    assert_int_equal(read.number, 7);
    assert_string_equal(read.list.texts[0], "+1=5");
    assert_int_equal(session.timeout_ms, 250);
    assert_string_equal(read.date, "2026-12-01");
    assert_false(READ("a", "--switch=1"));
    assert_false(READ("a", "--json=1"));
    assert_true(READ("a", "--text=")); /* given, but empty */
}

static void test_command_read_status_is_taken_in_any_case(void **state)
{
    (void)state;
    assert_true(READ("a", "--status", "confirmed"));
    assert_int_equal(read.status, SCREENING__V1__BOOKING_STATUS__CONFIRMED);
    assert_true(READ("a", "--status=Force_Cancelled"));
    assert_int_equal(read.status, SCREENING__V1__BOOKING_STATUS__FORCE_CANCELLED);
}

static void test_command_read_numbers_have_the_range_of_what_they_count(void **state)
{
    (void)state;
    assert_true(READ("a", "--people", "100", "--room", "100000"));
    assert_int_equal(read.people, 100);
    assert_int_equal(read.room, 100000);
    assert_true(READ("a", "--people", "1", "--room", "0"));
    assert_false(READ("a", "--people", "0"));
    assert_false(READ("a", "--people", "101"));
    assert_false(READ("a", "--people", "two"));
    assert_false(READ("a", "--people", "-1"));
    assert_false(READ("a", "--room", "100001"));
}

static void test_command_read_addresses_and_zone_are_taken_behind_the_command_too(void **state)
{
    (void)state;
    assert_true(READ("a", "--booking-addr", "ipc:///x", "--time-zone=Europe/Berlin"));
    assert_string_equal(session.addresses[PEER_BOOKING], "ipc:///x");
    assert_string_equal(session.time_zone, "Europe/Berlin");
    assert_false(READ("a", "--booking", "ipc:///x")); /* allowed only before the command */
    assert_false(READ("a", "--booking-addr", "http://x"));
    assert_false(READ("a", "--time-zone", "Mars/Base"));
}

static void test_values_nearest_is_two_letters_away_at_most(void **state)
{
    (void)state;
    static const char *const names[] = {"CONFIRMED", "CANCELLED", "list", "show"};
    assert_string_equal(values_nearest("CANCELED", names, 4), "CANCELLED");
    assert_string_equal(values_nearest("confirmd", names, 4), "CONFIRMED");
    assert_string_equal(values_nearest("lits", names, 4), "list");
    assert_null(values_nearest("nothing", names, 4));
    assert_null(values_nearest("", names, 4));
    assert_null(values_nearest("a word that is longer than any name could ever be", names, 4));
}

static void test_hospital_match_prefers_the_whole_name(void **state)
{
    (void)state;
    Screening__V1__Hospital hospital = SCREENING__V1__HOSPITAL__INIT;
    hospital.hospital_id = "20a6a75c-5177-54e8-85ed-c48c78bb96e1";
    hospital.name = "한빛검진센터";
    assert_int_equal(hospital_match(&hospital, "한빛검진센터"), MATCH_NAME);
    assert_int_equal(hospital_match(&hospital, "한빛"), MATCH_NAME_PART);
    assert_int_equal(hospital_match(&hospital, "20A6a75c-51"), MATCH_ID_BEGIN);
    assert_int_equal(hospital_match(&hospital, "20a"), MATCH_NONE); /* too short for an id */
    assert_int_equal(hospital_match(&hospital, ""), MATCH_NONE);
    assert_int_equal(hospital_match(&hospital, "a75c"), MATCH_NONE);
}

static void test_command_read_lists_collect(void **state)
{
    (void)state;
    assert_true(READ("a", "--item", "x", "--item", "y"));
    assert_int_equal(read.list.count, 2);
    assert_string_equal(read.list.texts[1], "y");
}

static void test_command_read_common_options_are_taken_everywhere(void **state)
{
    (void)state;
    assert_true(READ("--json", "a", "--timeout", "250"));
    assert_true(session.json);
    assert_int_equal(session.timeout_ms, 250);
}

static void test_command_read_help_succeeds(void **state)
{
    (void)state;
    int exit_code;
    assert_false(read_words((const char *const[]){"--help", NULL}, &exit_code));
    assert_int_equal(exit_code, EXIT_DONE);
}

static void test_command_read_mistakes_are_wrong_usage(void **state)
{
    (void)state;
    static const char *const cases[][4] = {
        {NULL},
        {"a", "b", "c"},
        {"a", "--other"},
        {"a", "--text"},
        {"a", "--text", "--switch"},
        {"a", "--number", "-1"},
        {"a", "--number", "4294967296"},
        {"a", "--number", ""},
        {"a", "--date", "2026-02-30"},
        {"a", "--date", ""},
        {"a", "--status", "CANCELED"},
        {"a", "--status", "BOOKING_STATUS_UNSPECIFIED"},
        {"a", "--timeout", "0"},
        {"a", "--timeout", "60001"},
        {"a", "--timeout"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int exit_code;
        assert_false(read_words(cases[i], &exit_code));
        assert_int_equal(exit_code, EXIT_USAGE);
    }
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_command_read_options_and_places_in_any_order),
        TEST(test_command_read_typed_values_are_converted),
        TEST(test_command_read_values_may_follow_an_equals_sign),
        TEST(test_command_read_status_is_taken_in_any_case),
        TEST(test_command_read_numbers_have_the_range_of_what_they_count),
        TEST(test_command_read_addresses_and_zone_are_taken_behind_the_command_too),
        cmocka_unit_test(test_values_nearest_is_two_letters_away_at_most),
        cmocka_unit_test(test_hospital_match_prefers_the_whole_name),
        TEST(test_command_read_lists_collect),
        TEST(test_command_read_common_options_are_taken_everywhere),
        TEST(test_command_read_help_succeeds),
        TEST(test_command_read_mistakes_are_wrong_usage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
