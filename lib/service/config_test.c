#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "service/child_testing.h"
#include "service/config.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define RPC_DEFAULT  "tcp://127.0.0.1:7101"

static struct service_settings settings;
static bool rebuild, follow;
static const char *peer, *logs;

static const struct setting table[] = {
    SERVICE_SETTINGS(settings, RPC_DEFAULT, "127.0.0.1:7109", "sqlite:hospital.db"),
    {.name = "follow", .type = SETTING_SWITCH, .value = &follow, .default_value = "true", .help = "a switch"},
    {.name = "peer", .type = SETTING_TEXT, .value = &peer, .default_value = "", .help = "a text"},
    ADDRESSES("logs", logs, "tcp://127.0.0.1:7102", "a list"),
    {.name = "rebuild",
     .type = SETTING_SWITCH,
     .value = &rebuild,
     .default_value = "false",
     .flag_only = true,
     .help = "an action"},
};

static const struct setting required_table[] = {
    {.name = "database", .type = SETTING_DATABASE, .value = &settings.database, .help = "must be given"},
};

struct run {
    const struct setting *settings;
    size_t count;
    char *words[6]; /* the words after the program's name; ends with NULL */
    const char *environment_name;
    const char *environment_value;
};

static void load(void *context)
{
    const struct run *run = context;
    char *argv[COUNT(run->words) + 1] = {"hospital-svc"};
    int argc = 1;
    while (argc <= (int)COUNT(run->words) - 1 && run->words[argc - 1] != NULL) {
        argv[argc] = run->words[argc - 1];
        argc++;
    }
    if (run->environment_name != NULL)
        setenv(run->environment_name, run->environment_value, 1);
    config_load("hospital-svc", "keeps hospitals", run->settings, run->count, argc, argv);
    if (run->environment_name != NULL)
        unsetenv(run->environment_name);
}

#define LOAD(...) load(&(struct run){.settings = table, .count = COUNT(table), .words = {__VA_ARGS__}})

static void expect_error(const struct run *run, const char *line)
{
    struct child child;
    struct run copy = *run;
    if (copy.settings == NULL) {
        copy.settings = table;
        copy.count = COUNT(table);
    }
    child_start(&child, load, &copy);
    child_finish(&child);
    assert_string_equal(child.error, line);
    assert_string_equal(child.out, "");
    assert_int_equal(child.exit_code, 2);
}

static void expect_output(struct child *child, struct run run)
{
    run.settings = table;
    run.count = COUNT(table);
    child_start(child, load, &run);
    child_finish(child);
    assert_string_equal(child->error, "");
    assert_int_equal(child->exit_code, 0);
}

static void test_config_load_without_flags_takes_defaults(void **state)
{
    (void)state;
    LOAD(NULL);
    assert_string_equal(settings.rpc_listen, RPC_DEFAULT);
    assert_string_equal(settings.database, "sqlite:hospital.db");
    assert_string_equal(settings.time_zone, "Asia/Seoul");
    assert_string_equal(settings.log_level, "info");
    assert_int_equal(settings.queue_max, 4096);
    assert_int_equal(settings.batch_max, 512);
    assert_int_equal(settings.message_max_bytes, 1048576);
    assert_int_equal(settings.default_timeout_ms, 1000);
    assert_int_equal(settings.drain_grace_ms, 10000);
    assert_int_equal(settings.reader_threads, 2);
    assert_true(follow);
    assert_false(rebuild);
    assert_string_equal(peer, "");
}

static void test_config_load_flags_in_both_forms_are_taken(void **state)
{
    (void)state;
    LOAD("--rpc-listen", "ipc:///tmp/x", "--queue-max=7", "--follow=false", "--rebuild");
    assert_string_equal(settings.rpc_listen, "ipc:///tmp/x");
    assert_int_equal(settings.queue_max, 7);
    assert_false(follow);
    assert_true(rebuild);
    LOAD("--logs=tcp://a:1,ipc:///b");
    assert_string_equal(logs, "tcp://a:1,ipc:///b");
    LOAD("--follow", "--peer=--odd", "--queue-max", "1", "--queue-max=2");
    assert_true(follow);
    assert_string_equal(peer, "--odd");
    assert_int_equal(settings.queue_max, 2);
}

static void test_config_load_environment_beats_default(void **state)
{
    (void)state;
    struct run run = {.settings = table,
                      .count = COUNT(table),
                      .environment_name = "SCREENING_QUEUE_MAX",
                      .environment_value = "9"};
    load(&run);
    assert_int_equal(settings.queue_max, 9);
    run.environment_value = "";
    load(&run);
    assert_int_equal(settings.queue_max, 4096);
}

static void test_config_load_flag_beats_environment(void **state)
{
    (void)state;
    load(&(struct run){.settings = table,
                       .count = COUNT(table),
                       .words = {"--queue-max", "11"},
                       .environment_name = "SCREENING_QUEUE_MAX",
                       .environment_value = "9"});
    assert_int_equal(settings.queue_max, 11);
}

static void test_config_load_environment_of_an_action_is_ignored(void **state)
{
    (void)state;
    load(&(struct run){.settings = table,
                       .count = COUNT(table),
                       .environment_name = "SCREENING_REBUILD",
                       .environment_value = "true"});
    assert_false(rebuild);
}

static void test_config_load_wrong_words_end_with_one_line(void **state)
{
    (void)state;
    static const struct {
        char *words[3];
        const char *line;
    } cases[] = {
        {{"--x"}, "hospital-svc: unknown flag --x (see --help)\n"},
        {{"--x=1"}, "hospital-svc: unknown flag --x (see --help)\n"},
        {{"--help=1"}, "hospital-svc: unknown flag --help (see --help)\n"},
        {{"word"}, "hospital-svc: word: not a flag (see --help)\n"},
        {{"-h"}, "hospital-svc: -h: not a flag (see --help)\n"},
        {{"--rebuild", "true"}, "hospital-svc: true: not a flag (see --help)\n"},
        {{"--queue-max"}, "hospital-svc: --queue-max: missing value\n"},
        {{"--database", "--follow"}, "hospital-svc: --database: missing value\n"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct run run = {.words = {cases[i].words[0], cases[i].words[1]}};
        expect_error(&run, cases[i].line);
    }
}

static void test_config_load_wrong_values_end_with_one_line(void **state)
{
    (void)state;
    static const char address_rule[] =
        "hospital-svc: --rpc-listen: must be tcp://HOST:PORT (port 1 to 65535) or ipc://PATH\n";
    static const struct {
        char *word;
        const char *line;
    } cases[] = {
        {"--queue-max=0", "hospital-svc: --queue-max: must be 1 to 1000000\n"},
        {"--queue-max=1000001", "hospital-svc: --queue-max: must be 1 to 1000000\n"},
        {"--queue-max=", "hospital-svc: --queue-max: must be 1 to 1000000\n"},
        {"--queue-max=1x", "hospital-svc: --queue-max: must be 1 to 1000000\n"},
        {"--queue-max= 1", "hospital-svc: --queue-max: must be 1 to 1000000\n"},
        {"--queue-max=99999999999999999999", "hospital-svc: --queue-max: must be 1 to 1000000\n"},
        {"--follow=yes", "hospital-svc: --follow: must be true or false\n"},
        {"--rpc-listen=7101", address_rule},
        {"--rpc-listen=tcp://:7101", address_rule},
        {"--rpc-listen=tcp://host", address_rule},
        {"--rpc-listen=tcp://host:0", address_rule},
        {"--rpc-listen=tcp://host:65536", address_rule},
        {"--rpc-listen=http://host:80", address_rule},
        {"--rpc-listen=ipc://", "hospital-svc: --rpc-listen: an ipc path must have 1 to 107 bytes\n"},
        {"--rpc-listen=tcp://a:1,tcp://b:1,", address_rule},
        {"--logs=", "hospital-svc: --logs: must be tcp://HOST:PORT (port 1 to 65535) or ipc://PATH\n"},
        {"--logs=tcp://a:1,", "hospital-svc: --logs: part 2 is empty\n"},
        {"--logs=tcp://a:1,tcp://b",
         "hospital-svc: --logs: part 2 (tcp://b): must be tcp://HOST:PORT (port 1 "
         "to 65535) or ipc://PATH\n"},
        {"--logs=tcp://a:1,tcp://a:1", "hospital-svc: --logs: part 2 (tcp://a:1) is already part 1\n"},
        {"--logs=tcp://a:1,tls+tcp://b:1", "hospital-svc: --logs: part 2 (tls+tcp://b:1): must be tcp://HOST:"
                                           "PORT (port 1 to 65535) or ipc://PATH\n"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct run run = {.words = {cases[i].word}};
        expect_error(&run, cases[i].line);
    }
}

static void test_config_load_wrong_environment_names_the_variable(void **state)
{
    (void)state;
    struct run run = {.environment_name = "SCREENING_BATCH_MAX", .environment_value = "many"};
    expect_error(&run, "hospital-svc: SCREENING_BATCH_MAX: must be 1 to 10000\n");
}

static void test_config_load_without_a_required_value_fails(void **state)
{
    (void)state;
    struct run run = {.settings = required_table, .count = COUNT(required_table)};
    expect_error(&run, "hospital-svc: --database: must be given\n");
}

static void test_config_load_malformed_database_fails_without_its_password(void **state)
{
    (void)state;
    struct child child;
    struct run run = {.settings = table, .count = COUNT(table), .words = {"--database=mysql://u:secret@h/d"}};
    child_start(&child, load, &run);
    child_finish(&child);
    assert_int_equal(child.exit_code, 2);
    assert_non_null(strstr(child.error, "hospital-svc: --database: "));
    assert_null(strstr(child.error, "secret"));
    assert_null(strstr(child.error, "database: database:"));
    assert_ptr_equal(strchr(child.error, '\n'), child.error + strlen(child.error) - 1);
}

static void test_config_help_lists_every_setting(void **state)
{
    (void)state;
    struct child child;
    expect_output(&child, (struct run){.words = {"--help"}});
    assert_non_null(strstr(child.out, "hospital-svc: keeps hospitals\n"));
    for (size_t i = 0; i < COUNT(table); i++) {
        assert_non_null(strstr(child.out, table[i].name));
        assert_non_null(strstr(child.out, table[i].help));
    }
    assert_non_null(strstr(child.out, "SCREENING_QUEUE_MAX"));
    assert_non_null(strstr(child.out, "4096"));
    assert_null(strstr(child.out, "SCREENING_REBUILD"));
    assert_non_null(strstr(child.out, "--print-config"));
}

static void test_config_help_meanings_start_in_one_column(void **state)
{
    (void)state;
    struct child child;
    expect_output(&child, (struct run){.words = {"--help"}});
    const char *heading = strstr(child.out, "  FLAG");
    assert_non_null(heading);
    ptrdiff_t column = strstr(heading, "MEANING") - heading;
    for (size_t i = 0; i < COUNT(table); i++) {
        const char *meaning = strstr(heading, table[i].help);
        const char *line = meaning;
        while (line[-1] != '\n')
            line--;
        assert_int_equal(meaning - line, column);
    }
}

static void test_config_version_is_printed(void **state)
{
    (void)state;
    struct child child;
    expect_output(&child, (struct run){.words = {"--version"}});
    assert_string_equal(child.out, "hospital-svc " SCREENING_VERSION "\n");
}

static void test_config_print_config_shows_effective_values_without_password(void **state)
{
    (void)state;
    struct child child;
    expect_output(&child, (struct run){.words = {"--print-config", "--queue-max=5", "--rebuild",
                                                 "--database=postgresql://u:secret@h:5432/d"}});
    assert_non_null(strstr(child.out, "rpc-listen=" RPC_DEFAULT "\n"));
    assert_non_null(strstr(child.out, "queue-max=5\n"));
    assert_non_null(strstr(child.out, "follow=true\n"));
    assert_non_null(strstr(child.out, "database=postgresql://u:***@h:5432/d\n"));
    assert_null(strstr(child.out, "rebuild"));
    assert_null(strstr(child.out, "secret"));
}

static void log_loaded(void *context)
{
    load(context);
    log_open("hospital-svc", LOG_INFO);
    config_log(table, COUNT(table));
}

static void test_config_log_writes_one_line_without_password(void **state)
{
    (void)state;
    struct child child;
    struct run run = {
        .settings = table, .count = COUNT(table), .words = {"--database=postgresql://u:secret@h:5432/d"}};
    child_start(&child, log_loaded, &run);
    child_finish(&child);
    assert_ptr_equal(strchr(child.error, '\n'), child.error + strlen(child.error) - 1);
    assert_non_null(strstr(child.error, "\"queue-max\":4096"));
    assert_non_null(strstr(child.error, "postgresql://u:***@h:5432/d"));
    assert_null(strstr(child.error, "secret"));
}

static void allow_booking(void *context)
{
    config_must_be("hospital-svc", "follow-log-from-start", context, "booking");
}

static void test_config_must_be_takes_nothing_else(void **state)
{
    (void)state;
    struct child child;
    child_start(&child, allow_booking, "hospital");
    child_finish(&child);
    assert_string_equal(child.error, "hospital-svc: --follow-log-from-start: must be booking\n");
    assert_int_equal(child.exit_code, 2);
    char *const allowed[] = {"", "booking"};
    for (size_t i = 0; i < COUNT(allowed); i++) {
        child_start(&child, allow_booking, allowed[i]);
        child_finish(&child);
        assert_int_equal(child.exit_code, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_config_load_without_flags_takes_defaults),
        cmocka_unit_test(test_config_load_flags_in_both_forms_are_taken),
        cmocka_unit_test(test_config_load_environment_beats_default),
        cmocka_unit_test(test_config_load_flag_beats_environment),
        cmocka_unit_test(test_config_load_environment_of_an_action_is_ignored),
        cmocka_unit_test(test_config_load_wrong_words_end_with_one_line),
        cmocka_unit_test(test_config_load_wrong_values_end_with_one_line),
        cmocka_unit_test(test_config_load_wrong_environment_names_the_variable),
        cmocka_unit_test(test_config_load_without_a_required_value_fails),
        cmocka_unit_test(test_config_load_malformed_database_fails_without_its_password),
        cmocka_unit_test(test_config_must_be_takes_nothing_else),
        cmocka_unit_test(test_config_help_lists_every_setting),
        cmocka_unit_test(test_config_help_meanings_start_in_one_column),
        cmocka_unit_test(test_config_version_is_printed),
        cmocka_unit_test(test_config_print_config_shows_effective_values_without_password),
        cmocka_unit_test(test_config_log_writes_one_line_without_password),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
