/* A failed CHECK ends the process, so each test runs the CHECK in a child process whose stderr is a pipe. */
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"
#include "base/log_sink.h"
#include "base/unit_testing.h"

enum { ALARM_S = 20, TEXT_SIZE = 16384 };

static char text[TEXT_SIZE];
static bool fails_while_logging;

bool __real_log_sink_write(const char *line, size_t size);
bool __wrap_log_sink_write(const char *line, size_t size);

/* Fails a CHECK if a test requests it. log.c holds its lock while it calls this function. */
bool __wrap_log_sink_write(const char *line, size_t size)
{
    if (fails_while_logging)
        CHECK(line == NULL);
    return __real_log_sink_write(line, size);
}

/* Uses CHECK within an expression, in an inline function, as headers do. */
static inline int half(int even)
{
    return CHECK(even % 2 == 0), even / 2;
}

static void read_text(int file)
{
    size_t used = 0;
    ssize_t got;
    while (used < sizeof text - 1 && (got = read(file, text + used, sizeof text - 1 - used)) > 0)
        used += (size_t)got;
    text[used] = '\0';
}

static void fill(int file)
{
    assert_true(fcntl(file, F_SETFL, O_NONBLOCK) == 0);
    while (write(file, "x", 1) == 1) {
    }
    assert_true(fcntl(file, F_SETFL, 0) == 0);
}

/*
 * Runs `act` in a child process. If `full`, its stderr is a full pipe that nothing reads. Returns the signal
 * that ended the child, or 0 if it exited. An alarm ends a child that hangs.
 */
static int run(void (*act)(void), bool full)
{
    int ends[2];
    int status = 0;
    assert_true(pipe(ends) == 0);
    if (full)
        fill(ends[1]);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)dup2(ends[1], STDERR_FILENO);
        (void)signal(SIGABRT, SIG_DFL);
        (void)alarm(ALARM_S);
        log_open("check_test", LOG_ERROR);
        act();
        _exit(0);
    }
    (void)close(ends[1]);
    if (!full)
        read_text(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    (void)close(ends[0]);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static int evaluated;

static void keep(void)
{
    CHECK(++evaluated == 1);
    if (evaluated == 1)
        CHECK(evaluated != 0);
    else
        CHECK(evaluated == 0);
    (void)fprintf(stderr, "%d %d", evaluated, half(8));
}

static void break_it(void)
{
    CHECK(half(8) == 5 && "half a \"day\"" != NULL);
}

static void break_while_logging(void)
{
    fails_while_logging = true;
    log_plain(LOG_ERROR, "some.event");
}

static void test_check_that_holds_changes_nothing(void **state)
{
    (void)state;
    assert_int_equal(run(keep, false), 0);
    assert_string_equal(text, "1 4");
}

static void test_check_that_fails_logs_where_and_aborts(void **state)
{
    (void)state;
    assert_int_equal(run(break_it, false), SIGABRT);
    assert_non_null(strstr(text,
                           "\"level\":\"error\",\"program\":\"check_test\",\"event\":\"check.failed\","
                           "\"condition\":\"half(8) == 5 && \\\"half a \\\\\\\"day\\\\\\\"\\\" != NULL\","
                           "\"file\":\"base/check_test.c\",\"line\":"));
    assert_ptr_equal(strstr(text, "}\n"), text + strlen(text) - 2);
}

static void test_check_that_fails_while_the_log_is_locked_still_logs(void **state)
{
    (void)state;
    assert_int_equal(run(break_while_logging, false), SIGABRT);
    assert_non_null(strstr(text, "\"condition\":\"line == NULL\""));
}

static void test_check_that_fails_while_stderr_is_full_still_aborts(void **state)
{
    (void)state;
    assert_int_equal(run(break_it, true), SIGABRT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_check_that_holds_changes_nothing),
        cmocka_unit_test(test_check_that_fails_logs_where_and_aborts),
        cmocka_unit_test(test_check_that_fails_while_the_log_is_locked_still_logs),
        cmocka_unit_test(test_check_that_fails_while_stderr_is_full_still_aborts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
