/*
 * Tests the framework with a service of two parts that report their steps. Each test runs the service in a
 * child process.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "events/event_log.h"
#include "service/app.h"
#include "service/child_testing.h"

enum { PATH_SIZE = 128 };

struct fake {
    char folder[32], database[PATH_SIZE], rpc[PATH_SIZE], events[PATH_SIZE];
    struct service_settings settings;
    int failures; /* how often part b fails before it opens */
    enum status failure;
    bool replay;
    service_waiting_fn log_waiting;
    struct app app;
};

static void report(const char *line)
{
    puts(line);
    fflush(stdout);
}

static enum status prepare(void *context, struct db *db, struct error *error)
{
    (void)context;
    report("prepare");
    return events_migrate(db, error);
}

static enum status apply(void *context, struct db *db, struct writer_command *const *commands, size_t count,
                         struct error *error)
{
    (void)context;
    (void)db;
    (void)commands;
    (void)count;
    (void)error;
    return STATUS_OK;
}

static enum status open_writer(void *context, struct error *error)
{
    struct fake *fake = context;
    const struct writer_ops ops = {.apply = apply};
    report("open writer");
    return app_open_writer(&fake->app, &ops, error);
}

static void close_writer(void *context)
{
    (void)context;
    report("close writer");
}

static enum status open_a(void *context, struct error *error)
{
    (void)context;
    (void)error;
    report("open a");
    return STATUS_OK;
}

static void stop_a(void *context)
{
    (void)context;
    report("stop a");
}

static void close_a(void *context)
{
    (void)context;
    report("close a");
}

static enum status open_b(void *context, struct error *error)
{
    struct fake *fake = context;
    report("open b");
    return fake->failures-- > 0 ? error_set(error, fake->failure, NULL, "b: not now") : STATUS_OK;
}

static void stop_b(void *context)
{
    (void)context;
    report("stop b");
}

static void connect_handlers(void *context)
{
    (void)context;
    report("connect");
    raise(SIGTERM); /* handled as soon as the service waits */
}

static void run(void *context)
{
    struct fake *fake = context;
    char line[16];
    const struct app_options options = {
        .program = "test-svc",
        .settings = &fake->settings,
        .topic = "test",
        .events_listen = fake->events,
        .queues = 2,
        .prepare = prepare,
        .open_writer = open_writer,
        .close_writer = close_writer,
        .parts = {{open_a, stop_a, close_a}, {open_b, stop_b, NULL}},
        .connect = connect_handlers,
        .log_waiting = fake->log_waiting,
        .service = fake,
    };
    service_begin("test-svc", "info", "Asia/Seoul");
    report("begin");
    int code = fake->replay ? app_replay_dead_letters(&fake->app, &options) : app_run(&fake->app, &options);
    snprintf(line, sizeof line, "exit %d", code);
    report(line);
}

static int set_up(void **state)
{
    static struct fake fake;
    fake = (struct fake){.folder = "/tmp/app_test.XXXXXX", .failure = STATUS_UNAVAILABLE};
    assert_non_null(mkdtemp(fake.folder));
    snprintf(fake.database, PATH_SIZE, "sqlite:%s/a.db", fake.folder);
    snprintf(fake.rpc, PATH_SIZE, "ipc://%s/rpc", fake.folder);
    snprintf(fake.events, PATH_SIZE, "ipc://%s/events", fake.folder);
    fake.settings = (struct service_settings){
        .rpc_listen = fake.rpc,
        .gateway_listen = "",
        .client_listen = "",
        .security = {.issuers = "",
                     .token_key = "",
                     .insecure = true,
                     .changes_per_s = 1,
                     .changes_burst = 1,
                     .reads_per_s = 1,
                     .reads_burst = 1},
        .ops_listen = "",
        .database = fake.database,
        .queue_max = 16,
        .batch_max = 8,
        .message_max_bytes = 1048576,
        .default_timeout_ms = 1000,
        .connections_max = 16,
        .connections_per_address = 16,
        .receive_timeout_ms = 1000,
        .receive_bytes_max = 1048576,
        .drain_grace_ms = 1000,
        .reader_threads = 1,
    };
    *state = &fake;
    return 0;
}

static int tear_down(void **state)
{
    struct fake *fake = *state;
    char command[64];
    snprintf(command, sizeof command, "rm -r %s", fake->folder);
    return system(command);
}

static void test_app_run_opens_in_order_and_stops_in_reverse_once(void **state)
{
    struct child child;
    child_start(&child, run, *state);
    child_finish(&child);
    assert_string_equal(child.out, "begin\nprepare\nopen writer\nopen a\nopen b\nconnect\n"
                                   "stop b\nstop a\nclose a\nclose writer\nexit 0\n");
    const char *ready = strstr(child.error, "service.ready");
    assert_non_null(ready);
    assert_non_null(strstr(ready, "service.stopping"));
    assert_null(strstr(child.error, "service.drain_incomplete"));
}

static void test_app_run_repeats_a_part_that_must_wait(void **state)
{
    struct fake *fake = *state;
    struct child child;
    fake->failures = 2;
    child_start(&child, run, fake);
    child_finish(&child);
    assert_string_equal(child.out, "begin\nprepare\nopen writer\nopen a\nopen b\nopen b\nopen b\nconnect\n"
                                   "stop b\nstop a\nclose a\nclose writer\nexit 0\n");
    const char *waits = strstr(child.error, "database.waiting");
    assert_non_null(waits);
    assert_null(strstr(waits + 1, "database.waiting"));
    assert_non_null(strstr(waits, "b: not now"));
    assert_non_null(strstr(waits, "database.there"));
}

static void report_waiting(const struct error *error)
{
    report(error != NULL ? error->message : "it is there");
}

static void test_app_run_own_log_of_waiting_replaces_the_common_one(void **state)
{
    struct fake *fake = *state;
    struct child child;
    fake->failures = 2;
    fake->log_waiting = report_waiting;
    child_start(&child, run, fake);
    child_finish(&child);
    assert_non_null(strstr(child.out, "open b\nb: not now\nopen b\nopen b\nit is there\nconnect\n"));
    assert_null(strstr(child.error, "database."));
}

static void test_app_run_asked_to_stop_while_a_part_waits_closes_what_is_open(void **state)
{
    struct fake *fake = *state;
    struct child child;
    char line[32];
    fake->failures = 1000000;
    child_start(&child, run, fake);
    do
        child_read_line(&child, line, sizeof line);
    while (strcmp(line, "open b") != 0 && line[0] != '\0');
    kill(child.pid, SIGTERM);
    child_finish(&child);
    const char *stopped = strstr(child.out, "stop a\n");
    assert_non_null(stopped);
    assert_string_equal(stopped, "stop a\nclose a\nclose writer\nexit 0\n");
    assert_null(strstr(child.out, "stop b"));
    assert_null(strstr(child.error, "service.ready"));
}

static void test_app_run_part_that_cannot_open_ends_with_exit_2(void **state)
{
    struct fake *fake = *state;
    struct child child;
    fake->failures = 1;
    fake->failure = STATUS_INVALID_ARGUMENT;
    child_start(&child, run, fake);
    child_finish(&child);
    assert_non_null(strstr(child.error, "test-svc: b: not now\n"));
    assert_int_equal(child.exit_code, SERVICE_EXIT_CONFIG);
}

static void test_app_run_port_taken_leaves_no_database(void **state)
{
    struct fake *fake = *state;
    struct child child;
    fake->settings.rpc_listen = "ipc:///nonexistent/folder/rpc";
    child_start(&child, run, fake);
    child_finish(&child);
    assert_string_equal(child.out, "begin\n");
    assert_int_equal(child.exit_code, SERVICE_EXIT_CONFIG);
}

static void test_app_replay_opens_the_writer_only(void **state)
{
    struct fake *fake = *state;
    struct child child;
    fake->replay = true;
    child_start(&child, run, fake);
    child_finish(&child);
    assert_string_equal(
        child.out, "begin\nprepare\nopen writer\nclose writer\n0 dead letters applied, 0 left\nexit 0\n");
    assert_null(strstr(child.error, "service.ready"));
}

static void test_app_replay_asked_to_stop_while_waiting_for_the_database_fails(void **state)
{
    struct fake *fake = *state;
    struct child child;
    char line[32];
    fake->replay = true;
    fake->settings.database = "postgresql://nobody@127.0.0.1:1/none"; /* the connection is refused */
    child_start(&child, run, fake);
    child_read_line(&child, line, sizeof line); /* from now on, the process handles the signal */
    kill(child.pid, SIGTERM);
    child_finish(&child);
    assert_string_equal(child.out, "exit 1\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_app_run_opens_in_order_and_stops_in_reverse_once, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_app_run_repeats_a_part_that_must_wait, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_app_run_own_log_of_waiting_replaces_the_common_one, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_app_run_asked_to_stop_while_a_part_waits_closes_what_is_open,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_app_run_part_that_cannot_open_ends_with_exit_2, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_app_run_port_taken_leaves_no_database, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_app_replay_opens_the_writer_only, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_app_replay_asked_to_stop_while_waiting_for_the_database_fails,
                                        set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
