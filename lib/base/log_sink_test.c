/*
 * The tests replace file descriptor 2 with a pipe, a socket or a terminal, which fills up because nothing
 * reads from it.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log_sink.h"
#include "base/unit_testing.h"

enum { LINES_MAX = 100000, TEXT_MAX = 1 << 20, ALARM_S = 20 };

static int saved = -1;
static char text[TEXT_MAX], last_line[LOG_LINE_MAX];

/* Saves stderr, and sets an alarm that ends a test whose write blocks. */
static int setup(void **state)
{
    (void)state;
    saved = dup(STDERR_FILENO);
    (void)alarm(ALARM_S);
    return saved >= 0 ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    (void)alarm(0);
    (void)dup2(saved, STDERR_FILENO);
    (void)close(saved);
    return 0;
}

/* Makes `file` the sink's target and closes it. */
static void replace_stderr(int file)
{
    assert_true(file >= 0);
    assert_true(dup2(file, STDERR_FILENO) >= 0);
    (void)close(file);
}

/* Writes lines of different lengths until one is lost. Returns how many were written. */
static int fill(void)
{
    for (int i = 0; i < LINES_MAX; i++) {
        char line[LOG_LINE_MAX];
        size_t size = 20 + (size_t)i * 37 % (sizeof line - 20);
        memset(line, 'a' + i % 26, size);
        line[size - 1] = '\n';
        if (!log_sink_write(line, size))
            return i;
    }
    fail_msg("never full");
    return 0;
}

/*
 * Reads until nothing is left. Returns the number of lines. A line that does not repeat a single letter fails
 * the test.
 */
static int read_lines(int file)
{
    size_t used = 0;
    ssize_t got;
    assert_true(fcntl(file, F_SETFL, O_NONBLOCK) == 0);
    while (used < sizeof text - 1 && (got = read(file, text + used, sizeof text - 1 - used)) > 0)
        used += (size_t)got;
    text[used] = '\0';
    int lines = 0;
    char *rest = text;
    for (char *line; (line = strsep(&rest, "\n")) != NULL && rest != NULL; lines++) {
        (void)snprintf(last_line, sizeof last_line, "%s", line);
        for (const char *c = line; *c != '\0' && *c != '\r'; c++)
            assert_int_equal(*c, line[0]);
    }
    return lines;
}

static void assert_flags_kept(int flags)
{
    assert_int_equal(fcntl(STDERR_FILENO, F_GETFL), flags);
}

static void test_log_sink_full_pipe_loses_lines_and_takes_them_again_once_read(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    replace_stderr(ends[1]);
    int flags = fcntl(STDERR_FILENO, F_GETFL);
    int written = fill();
    assert_true(written > 10);
    assert_flags_kept(flags);
    assert_int_equal(read_lines(ends[0]), written);
    assert_true(log_sink_write("xxx\n", 4));
    assert_int_equal(read_lines(ends[0]), 1);
    (void)close(ends[0]);
}

static void test_log_sink_fifo_whose_reader_comes_later(void **state)
{
    (void)state;
    char folder[] = "/tmp/log_sink_test.XXXXXX";
    char path[64];
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/fifo", folder);
    assert_int_equal(mkfifo(path, 0600), 0);
    int reader = open(path, O_RDONLY | O_NONBLOCK);
    replace_stderr(open(path, O_WRONLY));
    (void)signal(SIGPIPE, SIG_IGN);
    (void)close(reader);
    assert_false(log_sink_write("xxx\n", 4)); /* the FIFO has no reader at the moment */
    reader = open(path, O_RDONLY | O_NONBLOCK);
    assert_true(log_sink_write("xxx\n", 4));
    assert_int_equal(read_lines(reader), 1);
    assert_true(fill() > 10);
    (void)close(reader);
    (void)unlink(path);
    (void)rmdir(folder);
}

/* Simulates a process that may not reopen the pipe: opening it through /proc fails, so the sink uses poll. */
static void test_log_sink_pipe_that_cannot_be_opened_again(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    if (geteuid() == 0 && (fchmod(ends[1], 0) != 0 || seteuid(65534) != 0))
        skip();
    assert_int_equal(fchmod(ends[1], 0) == 0 || geteuid() == 65534, 1);
    replace_stderr(ends[1]);
    int written = fill();
    assert_true(written > 10);
    assert_int_equal(read_lines(ends[0]), written);
    assert_true(log_sink_write("xxx\n", 4));
    if (getuid() == 0)
        assert_int_equal(seteuid(0), 0);
    (void)close(ends[0]);
}

static void lose_lines_to_a_socket(int type)
{
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, type, 0, ends), 0);
    replace_stderr(ends[1]);
    int flags = fcntl(STDERR_FILENO, F_GETFL);
    assert_true(fill() > 1);
    assert_flags_kept(flags);
    (void)read_lines(ends[0]);
    assert_true(log_sink_write("xxx\n", 4)); /* starts a new line, although the last one was cut off */
    assert_true(read_lines(ends[0]) >= 1);
    assert_string_equal(last_line, "xxx");
    (void)close(ends[0]);
    assert_false(log_sink_write("xxx\n", 4)); /* must not raise SIGPIPE */
}

static void test_log_sink_full_socket_loses_lines(void **state)
{
    (void)state;
    lose_lines_to_a_socket(SOCK_STREAM);
    lose_lines_to_a_socket(SOCK_DGRAM);
    lose_lines_to_a_socket(SOCK_SEQPACKET);
}

static void test_log_sink_stopped_terminal_loses_lines(void **state)
{
    (void)state;
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    assert_true(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
    replace_stderr(open(ptsname(master), O_RDWR | O_NOCTTY));
    int flags = fcntl(STDERR_FILENO, F_GETFL);
    assert_true(fill() > 1);
    assert_flags_kept(flags);
    (void)read_lines(master);
    assert_true(log_sink_write("xxx\n", 4));
    assert_true(read_lines(master) >= 1);
    (void)close(master);
}

static void test_log_sink_closed_file_loses_lines(void **state)
{
    (void)state;
    (void)close(STDERR_FILENO);
    bool written = log_sink_write("xxx\n", 4);
    (void)dup2(saved, STDERR_FILENO);
    assert_false(written);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_log_sink_full_pipe_loses_lines_and_takes_them_again_once_read,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_log_sink_fifo_whose_reader_comes_later, setup, teardown),
        cmocka_unit_test_setup_teardown(test_log_sink_pipe_that_cannot_be_opened_again, setup, teardown),
        cmocka_unit_test_setup_teardown(test_log_sink_full_socket_loses_lines, setup, teardown),
        cmocka_unit_test_setup_teardown(test_log_sink_stopped_terminal_loses_lines, setup, teardown),
        cmocka_unit_test_setup_teardown(test_log_sink_closed_file_loses_lines, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
