#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/civil.h"
#include "base/log.h"
#include "service/child_testing.h"
#include "service/service.h"

enum { SHORT_MS = 1, LONG_MS = 60000 };

static void begin(void)
{
    service_begin("test-svc", "info", "Asia/Seoul");
}

/* Reports the child's progress to the parent. */
static void report(const char *line)
{
    puts(line);
    fflush(stdout);
}

static void expect_line(struct child *child, const char *expected)
{
    char line[64];
    child_read_line(child, line, sizeof line);
    assert_string_equal(line, expected);
}

static void begin_and_show(void *context)
{
    (void)context;
    struct rlimit limit;
    begin();
    getrlimit(RLIMIT_NOFILE, &limit);
    report(limit.rlim_cur == limit.rlim_max ? "raised" : "not raised");
    /* 15:00 UTC is midnight in Seoul. */
    report(civil_day_at(INT64_C(15) * 3600 * 1000000) == 1 ? "seoul" : "elsewhere");
    raise(SIGPIPE);
    raise(SIGXFSZ);
    report("alive");
    log_release();
}

static void test_service_begin_sets_limit_zone_and_signals(void **state)
{
    (void)state;
    struct child child;
    child_start(&child, begin_and_show, NULL);
    child_finish(&child);
    assert_string_equal(child.out, "raised\nseoul\nalive\n");
    assert_non_null(strstr(child.error, "service.file_limit"));
    assert_int_equal(child.exit_code, 0);
}

static void begin_and_show_core(void *context)
{
    (void)context;
    struct rlimit limit;
    char filter[16] = "";
    begin();
    getrlimit(RLIMIT_CORE, &limit);
    report(limit.rlim_cur == 0 && limit.rlim_max == 0 ? "no core file" : "a core file");
    FILE *file = fopen("/proc/self/coredump_filter", "re");
    report(file != NULL && fgets(filter, sizeof filter, file) != NULL && strcmp(filter, "00000000\n") == 0
               ? "no memory"
               : "memory");
    if (file != NULL)
        fclose(file);
}

static void test_service_begin_forbids_core_dumps(void **state)
{
    (void)state;
    struct child child;
    child_start(&child, begin_and_show_core, NULL);
    child_finish(&child);
    assert_string_equal(child.out, "no core file\nno memory\n");
    assert_string_equal(child.error, "");
}

static void begin_in_no_zone(void *context)
{
    (void)context;
    service_begin("test-svc", "info", "Mars/Olympus");
}

static void test_service_begin_unknown_zone_ends_with_one_line(void **state)
{
    (void)state;
    struct child child;
    child_start(&child, begin_in_no_zone, NULL);
    child_finish(&child);
    assert_string_equal(child.error, "test-svc: --time-zone: no zone file for Mars/Olympus\n");
    assert_int_equal(child.exit_code, SERVICE_EXIT_CONFIG);
}

static void begin_with_no_level(void *context)
{
    (void)context;
    service_begin("test-svc", "loud", "Asia/Seoul");
}

static void test_service_begin_unknown_log_level_ends_with_one_line(void **state)
{
    (void)state;
    struct child child;
    child_start(&child, begin_with_no_level, NULL);
    child_finish(&child);
    assert_string_equal(child.error, "test-svc: --log-level: must be debug, info, warn or error\n");
    assert_int_equal(child.exit_code, SERVICE_EXIT_CONFIG);
}

static void fail_in_two_lines(void *context)
{
    (void)context;
    struct error error;
    begin(); /* begin buffers a line about open files; a failed start must drop this line */
    error_set(&error, STATUS_INVALID_ARGUMENT, NULL, "database: refused\nask again");
    service_config_error("test-svc", &error);
}

static void test_service_config_error_is_one_line(void **state)
{
    (void)state;
    struct child child;
    child_start(&child, fail_in_two_lines, NULL);
    child_finish(&child);
    assert_string_equal(child.error, "test-svc: database: refused ask again\n");
    assert_int_equal(child.exit_code, SERVICE_EXIT_CONFIG);
}

static void ask_without_signal(void *context)
{
    (void)context;
    begin();
    report(service_stop_requested(SHORT_MS) ? "stop" : "go on");
}

static void test_service_stop_requested_without_signal_times_out(void **state)
{
    (void)state;
    struct child child;
    child_start(&child, ask_without_signal, NULL);
    child_finish(&child);
    assert_string_equal(child.out, "go on\n");
}

static void ask_after_signals(void *context)
{
    (void)context;
    begin();
    raise(SIGHUP);
    report(service_stop_requested(SHORT_MS) ? "stop" : "go on");
    raise(SIGTERM);
    report(service_stop_requested(LONG_MS) ? "stop" : "go on");
    report(service_stop_requested(0) ? "stop" : "go on");
    service_wait(NULL, NULL);
    report("waited");
}

static void test_service_stop_requested_by_sigterm_stays_so(void **state)
{
    (void)state;
    struct child child;
    child_start(&child, ask_after_signals, NULL);
    child_finish(&child);
    assert_string_equal(child.out, "go on\nstop\nstop\nwaited\n");
    assert_non_null(strstr(child.error, "service.stopping"));
    assert_non_null(strstr(child.error, "SIGTERM"));
}

static bool always(void *context)
{
    (void)context;
    return true;
}

static void wait_while_stuck(void *context)
{
    (void)context;
    begin();
    service_wait(always, NULL);
    report("waited");
}

static void test_service_wait_stuck_ends_with_exit_3(void **state)
{
    (void)state;
    struct child child;
    child_start(&child, wait_while_stuck, NULL);
    child_finish(&child);
    assert_string_equal(child.out, "");
    assert_non_null(strstr(child.error, "service.stuck"));
    assert_int_equal(child.exit_code, SERVICE_EXIT_STUCK);
}

static void wait_then_drain(void *context)
{
    (void)context;
    begin();
    report("ready");
    service_wait(NULL, NULL);
    report("draining");
    for (;;)
        pause();
}

static void test_service_wait_second_signal_ends_at_once(void **state)
{
    (void)state;
    struct child child;
    child_start(&child, wait_then_drain, NULL);
    expect_line(&child, "ready");
    kill(child.pid, SIGINT);
    expect_line(&child, "draining");
    kill(child.pid, SIGTERM);
    child_finish(&child);
    assert_int_equal(child.exit_code, SERVICE_EXIT_FAILED);
}

static void open_database(void *context)
{
    begin();
    struct db *db = service_open_database("test-svc", context, NULL, NULL);
    report(db != NULL ? "open" : "stopped");
    db_close(db);
}

/* Removes the database and its lock file. The last connection has already removed the other two files. */
static void remove_database(const char *url)
{
    char lock[128];
    snprintf(lock, sizeof lock, "%s-lock", url + strlen("sqlite:"));
    assert_int_equal(unlink(url + strlen("sqlite:")), 0);
    assert_int_equal(unlink(lock), 0);
}

static void test_service_open_database_there_opens(void **state)
{
    (void)state;
    struct child child;
    char folder[] = "/tmp/service_test.XXXXXX", url[64];
    assert_non_null(mkdtemp(folder));
    snprintf(url, sizeof url, "sqlite:%s/a.db", folder);
    child_start(&child, open_database, url);
    child_finish(&child);
    assert_string_equal(child.out, "open\n");
    remove_database(url);
    assert_int_equal(rmdir(folder), 0);
}

static void open_in_no_folder(void *context)
{
    (void)context;
    begin();
    service_open_database("test-svc", "sqlite:/nonexistent/folder/a.db", NULL, NULL);
}

static void test_service_open_database_wrong_path_ends_with_exit_2(void **state)
{
    (void)state;
    struct child child;
    child_start(&child, open_in_no_folder, NULL);
    child_finish(&child);
    assert_non_null(strstr(child.error, "test-svc: "));
    assert_non_null(strstr(child.error, "/nonexistent/folder/a.db"));
    assert_int_equal(child.exit_code, SERVICE_EXIT_CONFIG);
}

static void open_absent_server(void *context)
{
    (void)context;
    begin();
    report("waiting");
    /* No process listens on port 1, so the connection is refused. */
    struct db *db = service_open_database("test-svc", "postgresql://nobody@127.0.0.1:1/none", NULL, NULL);
    report(db != NULL ? "open" : "stopped");
}

static void test_service_open_database_absent_server_waits_until_stopped(void **state)
{
    (void)state;
    struct child child;
    child_start(&child, open_absent_server, NULL);
    expect_line(&child, "waiting");
    kill(child.pid, SIGTERM);
    child_finish(&child);
    assert_string_equal(child.out, "stopped\n");
    const char *reported = strstr(child.error, "database.waiting");
    assert_non_null(reported);
    assert_null(strstr(reported + 1, "database.waiting"));
    assert_int_equal(child.exit_code, 0);
}

/* A database whose preparation fails `failures` times with a transient error. */
struct unprepared {
    char folder[32], url[64];
    int failures;
};

static enum status prepare(void *context, struct db *db, struct error *error)
{
    struct unprepared *unprepared = context;
    assert_non_null(db);
    report("prepare");
    return unprepared->failures-- > 0 ? error_set(error, STATUS_UNAVAILABLE, NULL, "not yet") : STATUS_OK;
}

static void open_unprepared(void *context)
{
    struct unprepared *unprepared = context;
    begin();
    struct db *db = service_open_database("test-svc", unprepared->url, prepare, unprepared);
    report(db != NULL ? "open" : "stopped");
    db_close(db);
}

static void unprepared_init(struct unprepared *unprepared, int failures)
{
    *unprepared = (struct unprepared){.folder = "/tmp/service_test.XXXXXX", .failures = failures};
    assert_non_null(mkdtemp(unprepared->folder));
    snprintf(unprepared->url, sizeof unprepared->url, "sqlite:%s/a.db", unprepared->folder);
}

static void unprepared_fini(struct unprepared *unprepared)
{
    remove_database(unprepared->url);
    assert_int_equal(rmdir(unprepared->folder), 0);
}

static void test_service_open_database_prepares_again_what_failed_for_now(void **state)
{
    (void)state;
    struct child child;
    struct unprepared unprepared;
    unprepared_init(&unprepared, 2);
    child_start(&child, open_unprepared, &unprepared);
    child_finish(&child);
    assert_string_equal(child.out, "prepare\nprepare\nprepare\nopen\n");
    assert_non_null(strstr(child.error, "not yet"));
    unprepared_fini(&unprepared);
}

static void test_service_open_database_that_cannot_be_prepared_waits_until_stopped(void **state)
{
    (void)state;
    struct child child;
    struct unprepared unprepared;
    unprepared_init(&unprepared, INT_MAX);
    child_start(&child, open_unprepared, &unprepared);
    expect_line(&child, "prepare");
    kill(child.pid, SIGTERM);
    child_finish(&child);
    assert_non_null(strstr(child.out, "stopped\n"));
    assert_int_equal(child.exit_code, 0);
    unprepared_fini(&unprepared);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_service_begin_sets_limit_zone_and_signals),
        cmocka_unit_test(test_service_begin_forbids_core_dumps),
        cmocka_unit_test(test_service_begin_unknown_zone_ends_with_one_line),
        cmocka_unit_test(test_service_begin_unknown_log_level_ends_with_one_line),
        cmocka_unit_test(test_service_config_error_is_one_line),
        cmocka_unit_test(test_service_stop_requested_without_signal_times_out),
        cmocka_unit_test(test_service_stop_requested_by_sigterm_stays_so),
        cmocka_unit_test(test_service_wait_stuck_ends_with_exit_3),
        cmocka_unit_test(test_service_wait_second_signal_ends_at_once),
        cmocka_unit_test(test_service_open_database_there_opens),
        cmocka_unit_test(test_service_open_database_wrong_path_ends_with_exit_2),
        cmocka_unit_test(test_service_open_database_absent_server_waits_until_stopped),
        cmocka_unit_test(test_service_open_database_prepares_again_what_failed_for_now),
        cmocka_unit_test(test_service_open_database_that_cannot_be_prepared_waits_until_stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
