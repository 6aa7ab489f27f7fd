#include "command.h"

#include <string.h>

#include "base/civil.h"
#include "base/unit_test.h"

#include "screening/v1/types.pb-c.h"

enum { WORDS_MAX = 8 };

static const struct command COMMAND = {.group = "group", .arguments = "", .summary = "summary"};

static struct session session;

/* What the arguments below are read into. */
static struct {
    char *text;
    uint32_t number;
    protobuf_c_boolean on;
    char *date;
    Screening__V1__BookingStatus status;
    struct text_list list;
    char *first;
    char *second;
} read;

static const struct argument ARGUMENTS[] = {
    {"--text", &read.text, ARGUMENT_TEXT, false},       {"FIRST", &read.first, ARGUMENT_TEXT, true},
    {"--number", &read.number, ARGUMENT_NUMBER, false}, {"--switch", &read.on, ARGUMENT_SWITCH, false},
    {"--date", &read.date, ARGUMENT_DATE, false},       {"SECOND", &read.second, ARGUMENT_TEXT, false},
    {"--status", &read.status, ARGUMENT_STATUS, false}, {"--item", &read.list, ARGUMENT_LIST, false},
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

/* Words up to NULL. Returns whether they were read; the command's exit code otherwise. */
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

static void test_command_read_help_ends_well(void **state)
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
        {"a", "--status", "confirmed"},
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
        TEST(test_command_read_lists_collect),
        TEST(test_command_read_common_options_are_taken_everywhere),
        TEST(test_command_read_help_ends_well),
        TEST(test_command_read_mistakes_are_wrong_usage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
