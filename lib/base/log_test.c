#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/unit_testing.h"

enum { OUTPUT_MAX = 65536, THREADS = 4, LINES_PER_THREAD = 40 };

static char output[OUTPUT_MAX];

static int64_t fixed_now_us(void)
{
    return 1796085000000000;
}

/* Returns what `act` writes to stderr, which is redirected to a pipe. The output must fit into the pipe. */
static const char *capture(void (*act)(void))
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    int saved = dup(STDERR_FILENO);
    assert_true(saved >= 0);
    assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
    act();
    assert_true(dup2(saved, STDERR_FILENO) >= 0);
    (void)close(saved);
    (void)close(ends[1]);
    assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0); /* the log may still have the write end open */
    size_t used = 0;
    ssize_t got;
    while ((got = read(ends[0], output + used, sizeof output - 1 - used)) > 0)
        used += (size_t)got;
    (void)close(ends[0]);
    output[used] = '\0';
    return output;
}

static json_t *parse_line(const char *line)
{
    json_error_t error;
    json_t *root = json_loads(line, 0, &error);
    if (root == NULL)
        fail_msg("no JSON: %s in %s", error.text, line);
    return root;
}

static void write_every_type(void)
{
    log_event(LOG_WARN, "booking.refused", LOG_UUID("booking_id", &UUID_NAMESPACE_DNS),
              LOG_TEXT("reason", "SOLD_OUT"), LOG_TEXT("none", NULL), LOG_UUID("no_id", NULL),
              LOG_INT("count", INT64_MIN));
}

static void hold_and_drop(void)
{
    log_hold();
    log_plain(LOG_INFO, "config");
    log_drop();
    log_say("log_test", "the port is taken");
}

static void hold_and_release(void)
{
    log_hold();
    log_plain(LOG_INFO, "config");
    log_say("log_test", "between");
    log_release();
    log_plain(LOG_INFO, "after");
}

static void hold_and_warn(void)
{
    log_hold();
    log_plain(LOG_INFO, "config");
    log_plain(LOG_WARN, "waiting");
    log_plain(LOG_INFO, "after");
}

static void hold_more_than_there_is_room_for(void)
{
    log_hold();
    for (int i = 0; i < 100; i++)
        log_event(LOG_INFO, "many", LOG_INT("number", i));
    log_drop();
}

static void test_log_held_lines_are_dropped_or_written_in_order(void **state)
{
    (void)state;
    assert_string_equal(capture(hold_and_drop), "log_test: the port is taken\n");
    const char *text = capture(hold_and_release);
    const char *between = strstr(text, "between"), *config = strstr(text, "\"config\"");
    assert_true(between != NULL && config != NULL && between < config);
    assert_non_null(strstr(config, "\"after\""));
    text = capture(hold_and_warn);
    config = strstr(text, "\"config\"");
    const char *warning = strstr(text, "\"waiting\"");
    assert_true(config != NULL && warning != NULL && config < warning);
    assert_non_null(strstr(warning, "\"after\"")); /* no longer held */
    text = capture(hold_more_than_there_is_room_for);
    assert_non_null(strstr(text, "\"number\":0}"));
    assert_non_null(strstr(text, "\"number\":99}"));
}

static void test_log_line_is_the_expected_json(void **state)
{
    (void)state;
    clock_replace(fixed_now_us);
    const char *line = capture(write_every_type);
    clock_replace(NULL);
    assert_string_equal(
        line, "{\"ts\":\"2026-12-01T00:30:00.000000Z\",\"level\":\"warn\",\"program\":\"log_test\","
              "\"event\":\"booking.refused\",\"booking_id\":\"6ba7b810-9dad-11d1-80b4-00c04fd430c8\","
              "\"reason\":\"SOLD_OUT\",\"none\":null,\"no_id\":null,"
              "\"count\":-9223372036854775808}\n");
}

static void write_awkward_text(void)
{
    log_event(LOG_INFO, "x", LOG_TEXT("t", "\"\\\n\x01\x7f\xc2\x9b검\xff\xed\xa0\x80 end"));
}

static void test_log_text_is_escaped(void **state)
{
    (void)state;
    const char *line = capture(write_awkward_text);
    assert_non_null(
        strstr(line, "\"t\":\"\\\"\\\\\\u000a\\u0001\\u007f\\u009b검\\ufffd\\ufffd\\ufffd\\ufffd end\"}\n"));
    json_decref(parse_line(line));
}

static char long_text[5000];

static void write_long_text(void)
{
    log_event(LOG_ERROR, "long", LOG_TEXT("t", long_text), LOG_INT("after", 1));
}

static void test_log_long_line_is_cut_and_stays_json(void **state)
{
    (void)state;
    static const char *const UNITS[] = {"a", "\"", "\x01", "검", "😀"};
    for (size_t i = 0; i < sizeof UNITS / sizeof UNITS[0]; i++) {
        long_text[0] = '\0';
        while (strlen(long_text) + strlen(UNITS[i]) < sizeof long_text)
            strncat(long_text, UNITS[i], 5);
        const char *line = capture(write_long_text);
        assert_in_range(strlen(line), 2000, 2048);
        json_t *root = parse_line(line);
        assert_true(json_is_true(json_object_get(root, "truncated")));
        assert_null(json_object_get(root, "after"));
        const char *kept = json_string_value(json_object_get(root, "t"));
        assert_memory_equal(kept, long_text, strlen(kept));
        json_decref(root);
    }
}

static void write_many_fields(void)
{
    struct log_field fields[200];
    for (size_t i = 0; i < 200; i++)
        fields[i] = LOG_UUID("some_id", &UUID_NAMESPACE_DNS);
    log_write(LOG_INFO, "many", fields, 200);
}

static void test_log_too_many_fields_leaves_out_the_last(void **state)
{
    (void)state;
    const char *line = capture(write_many_fields);
    assert_true(strlen(line) <= 2048);
    json_t *root = parse_line(line);
    assert_true(json_is_true(json_object_get(root, "truncated")));
    json_decref(root);
}

static int evaluated;

static int evaluate(void)
{
    return ++evaluated;
}

static void write_below_the_threshold(void)
{
    log_event(LOG_DEBUG, "quiet", LOG_INT("n", evaluate()));
    log_plain(LOG_DEBUG, "quiet");
}

static void test_log_below_the_threshold_writes_and_evaluates_nothing(void **state)
{
    (void)state;
    assert_string_equal(capture(write_below_the_threshold), "");
    assert_int_equal(evaluated, 0);
    assert_false(log_enabled(LOG_DEBUG));
    assert_true(log_enabled(LOG_INFO));
}

static void *write_lines(void *unused)
{
    (void)unused;
    for (int i = 0; i < LINES_PER_THREAD; i++)
        log_event(LOG_INFO, "line", LOG_INT("n", i), LOG_UUID("id", &UUID_NAMESPACE_DNS));
    return NULL;
}

static void write_from_threads(void)
{
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_lines, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
}

static void test_log_lines_of_threads_do_not_mix(void **state)
{
    (void)state;
    (void)capture(write_from_threads);
    int lines = 0;
    char *rest = output;
    for (char *line; (line = strsep(&rest, "\n")) != NULL && *line != '\0'; lines++)
        json_decref(parse_line(line));
    assert_int_equal(lines, THREADS * LINES_PER_THREAD);
}

/* Returns the metric's value, or -1 if there is no such metric. */
static int64_t metric_value(const char *name)
{
    int64_t value = -1;
    for (struct metric *metric = metrics_newest(); metric != NULL; metric = metric->next)
        if (strcmp(metric->name, name) == 0)
            value = metric_get(metric);
    return value;
}

static void test_log_line_that_stderr_refuses_is_counted_and_errno_kept(void **state)
{
    (void)state;
    int saved = dup(STDERR_FILENO);
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    assert_true(saved >= 0 && full >= 0);
    assert_true(dup2(full, STDERR_FILENO) >= 0);
    errno = EDOM;
    log_plain(LOG_ERROR, "lost");
    int kept = errno;
    assert_true(dup2(saved, STDERR_FILENO) >= 0);
    (void)close(saved);
    (void)close(full);
    assert_int_equal(metric_value("log_lines_lost_total"), 1);
    assert_int_equal(kept, EDOM);
}

static void write_a_flood(void)
{
    for (int i = 0; i < 300; i++)
        log_event(LOG_INFO, "flood", LOG_INT("n", i));
    log_event(LOG_INFO, "other", LOG_INT("n", 1));
}

static int64_t suppressed_total(void)
{
    return metric_value("log_lines_suppressed_total");
}

static void test_log_flood_of_one_event_is_suppressed_and_counted(void **state)
{
    (void)state;
    int64_t before = suppressed_total();
    (void)capture(write_a_flood);
    int lines = 0;
    char *rest = output;
    for (char *line; (line = strsep(&rest, "\n")) != NULL && *line != '\0'; lines++)
        json_decref(parse_line(line));
    assert_in_range(lines, 201, 290); /* on a slow machine a few more lines pass */
    assert_int_equal(suppressed_total() - before, 301 - lines);
}

static void write_of_keys(void)
{
    for (int i = 0; i < 10; i++)
        log_event_once_a_minute(LOG_ERROR, "keyed", i % 2 == 0 ? "even" : "odd", LOG_INT("n", i));
}

static void test_log_once_a_minute_is_once_for_each_key(void **state)
{
    (void)state;
    const char *text = capture(write_of_keys);
    assert_non_null(strstr(text, "\"n\":0}\n"));
    assert_non_null(strstr(text, "\"n\":1}\n"));
    assert_null(strstr(text, "\"n\":2}\n"));
    assert_null(strstr(text, "\"n\":9}\n"));
}

static void say(void)
{
    log_say("log_test", "what is wrong");
    log_say("log_test", long_text);
}

static void test_log_say_is_one_line(void **state)
{
    (void)state;
    memset(long_text, 'x', sizeof long_text - 1);
    const char *text = capture(say);
    assert_int_equal(strncmp(text, "log_test: what is wrong\nlog_test: xxx", 37), 0);
    const char *second = strchr(text, '\n') + 1;
    assert_int_equal(strlen(second), 2047);
    assert_string_equal(second + 2045, "x\n");
}

static void test_log_level_parse_takes_the_four_names(void **state)
{
    (void)state;
    enum log_level level = LOG_DEBUG;
    assert_true(log_level_parse("error", &level));
    assert_int_equal(level, LOG_ERROR);
    assert_true(log_level_parse("debug", &level));
    assert_int_equal(level, LOG_DEBUG);
    assert_true(log_level_parse("warn", &level));
    assert_true(log_level_parse("info", &level));
    assert_false(log_level_parse("INFO", &level));
    assert_false(log_level_parse("", &level));
    assert_false(log_level_parse(NULL, &level));
    assert_int_equal(level, LOG_INFO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_log_line_is_the_expected_json),
        cmocka_unit_test(test_log_held_lines_are_dropped_or_written_in_order),
        cmocka_unit_test(test_log_text_is_escaped),
        cmocka_unit_test(test_log_long_line_is_cut_and_stays_json),
        cmocka_unit_test(test_log_too_many_fields_leaves_out_the_last),
        cmocka_unit_test(test_log_below_the_threshold_writes_and_evaluates_nothing),
        cmocka_unit_test(test_log_lines_of_threads_do_not_mix),
        cmocka_unit_test(test_log_line_that_stderr_refuses_is_counted_and_errno_kept),
        cmocka_unit_test(test_log_flood_of_one_event_is_suppressed_and_counted),
        cmocka_unit_test(test_log_once_a_minute_is_once_for_each_key),
        cmocka_unit_test(test_log_say_is_one_line),
        cmocka_unit_test(test_log_level_parse_takes_the_four_names),
    };
    log_open("log_test", LOG_INFO);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
